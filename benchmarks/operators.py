"""Where a step of alpha-GAN + SN spends its time, by operator: ours beside PyTorch's.

    python benchmarks/operators.py --out=results/operators.json

step.py says how much longer a step takes, this says what in it. Each side is profiled by its
library's own profiler, in a process of its own with one thread; the sides take turns, and a number
is the median over the rounds of the seconds in a step. Profiles are of wall time, so measure on an
idle machine. That both sides compute the same losses is checked first, as in step.py.
"""

import collections
import pathlib
import tempfile

import numpy as np
from absl import app, flags
from timing import ROUNDS, Side, agree, table, write

BATCH_SIZE = flags.DEFINE_integer("batch_size", 16, "Images a step.", 1)
SIDES = pathlib.Path(__file__).parent / "implementations.py"
LETTER = {"objective.critic_to_recognition": True}
COMPARED = {
    "ours": ("ours", {}),
    "PyTorch": ("torch", {}),
    "ours, to the letter": ("ours", LETTER),
    "PyTorch, to the letter": ("torch", LETTER),
}
# The first kind one of whose words stands in an operator's name.
KINDS = {
    "convolutions": ("conv",),
    "products of matrices": ("matmul", "addmm", "::mm", "::mv", "::bmm", "::dot", "vdot"),
    "batch normalisation and sums": ("batch_norm", "sum", "mean", "moments", "addn"),
    "updates of weights": ("adam", "addcmul", "addcdiv", "lerp", "assign", "variable"),
    "all else": ("",),
}


def tensorflow(step):
    """Seconds of each operator of a step that TensorFlow's executor runs, by the operator's type.

    Args:
        step: Function of nothing.

    Returns:
        Dictionary of seconds by type. An operator that calls others is left out.
    """
    import tensorflow as tf
    from tensorflow.tsl.profiler.protobuf.xplane_pb2 import XSpace

    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            step()
        (path,) = pathlib.Path(folder).glob("**/*.xplane.pb")
        space = XSpace.FromString(path.read_bytes())
    seconds = collections.Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name  # "path/of/node:Type"
                node, found, kind = name.rpartition(":")
                if line.name.startswith("tf_") and found and "::" not in name:
                    adam = "adam " if node.startswith("adam") else ""
                    seconds[adam + kind.removeprefix("_MklNative")] += event.duration_ps / 1e12
    return {kind: s for kind, s in seconds.items() if not kind.endswith(("Call", "If", "While"))}


def pytorch(step):
    """Seconds of each operator of a step, by its name, without those of operators it calls."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        step()
    return {event.key: event.self_cpu_time_total / 1e6 for event in profiler.key_averages()}


def by_kind(operators):
    """Sums seconds by operator to seconds by kind."""
    seconds = dict.fromkeys(KINDS, 0.0)
    for name, each in operators.items():
        words = name.lower()
        kind = next(kind for kind, parts in KINDS.items() if any(part in words for part in parts))
        seconds[kind] += each
    return seconds


def main(_):
    with tempfile.TemporaryDirectory() as folder:
        sides, expected = {}, {}
        for name, (side, fields) in COMPARED.items():
            fields = {"samples": 1, "batch_size": BATCH_SIZE.value, **fields}
            spec = {"side": side, "config": "cifar10", "method": "alpha_gan_sn", "set": fields}
            weights = f"{folder}/weights.npz"
            sides[name] = Side(SIDES, spec | {"weights": weights, "write": weights})
            values = sides[name].ask("check")
            agree(name, values, expected.setdefault("losses", values))
        for side in sides.values():
            side.ask("steps", 2)
        rounds = [{n: s.ask("operators") for n, s in sides.items()} for _ in range(ROUNDS.value)]
        for side in sides.values():
            side.close()
    kinds = [{name: by_kind(found) for name, found in each.items()} for each in rounds]
    median = {
        kind: {n: round(float(np.median([k[n][kind] for k in kinds])), 4) for n in COMPARED}
        for kind in KINDS
    }
    median["sum"] = {n: round(sum(row[n] for row in median.values()), 4) for n in COMPARED}
    print(table([{"s a step": kind, **row} for kind, row in median.items()]))
    top = {
        name: dict(sorted(rounds[-1][name].items(), key=lambda pair: -pair[1])[:20])
        for name in COMPARED
    }
    sums = {f"{name} (s)": seconds for name, seconds in median["sum"].items()}
    write(
        {"clock": "wall", "batch_size": BATCH_SIZE.value, "kinds": median, "top_of_last_round": top}
        | sums
    )


if __name__ == "__main__":
    app.run(main)
