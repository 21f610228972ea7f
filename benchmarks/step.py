"""What a step of training costs, beside three baselines.

    pip install -e '.[benchmarks]'
    python benchmarks/step.py --out=results/step.json
    python benchmarks/step.py --networks=dcgan64 --batch_size=64 --threads=2 --clock=wall

`selected` is the default, the gradient through the samples that equation 7 picks. The baselines:

(a) `all`, our own `gradient="all"`;
(b) `plain Keras`, equation 7 as a user would write it (plain_keras.py);
(c) `PyTorch`, the same networks and step as its users write them (plain_torch.py).

All sides take the same gradient. By default the critic's does not reach R: `selected` decodes both
of the picked samples, `all` each of T once, for two readers; Keras and PyTorch decode them once and
take R's gradient and G's of two losses. "To the letter" is equation 7 as it stands
(`critic_to_recognition=True`).

Each side is a process of its own; they take turns; see timing.py for what is timed. Before that,
each must compute the same losses from the same weights, data and noise (G by its moving statistics
there: batches of other samples have other statistics; in what is timed it trains as usual). Memory
is the peak of the whole process, and its growth since before the first step. `--groups` measures
some of the comparisons, and `--out` keeps the others. The last line is a JSON object of ratios
(medians over the rounds): below 1 is better.
"""

import importlib.util
import json
import pathlib
import sys
import tempfile

import numpy as np
from absl import app, flags
from timing import CLOCK, OUT, THREADS, Side, agree, ratio, table, take_turns, write

NETWORKS = flags.DEFINE_enum("networks", "standard_cnn", ["standard_cnn", "dcgan64"], "Networks.")
BATCH_SIZE = flags.DEFINE_integer("batch_size", 16, "Images a step.", 1)
GROUPS = flags.DEFINE_list("groups", ["t10", "t30", "t1", "letter"], "Which comparisons to make.")
SIDES = pathlib.Path(__file__).parent / "implementations.py"
CONFIGS = {
    "standard_cnn": ("cifar10", {}),
    "dcgan64": ("celeba64", {"data.resolution": 64, "data.channels": 3}),
}
# A group's sides: name, kind of side, method, T, fields of the config. They are timed together.
LETTER = {"objective.critic_to_recognition": True}
ALL = {"gradient": "all"}
BMS = "bms_vae_gan"
SIDES_OF = {
    "t10": (
        ("selected T=10", "ours", BMS, 10, {}),
        ("all T=10", "ours", BMS, 10, ALL),
        ("plain Keras T=10", "keras", BMS, 10, {}),
        ("PyTorch T=10", "torch", BMS, 10, {}),
    ),
    "t30": (
        ("selected T=30", "ours", BMS, 30, {}),
        ("all T=30", "ours", BMS, 30, ALL),
    ),
    "t1": (
        ("alpha-GAN + SN", "ours", "alpha_gan_sn", 1, {}),
        ("PyTorch alpha-GAN + SN", "torch", "alpha_gan_sn", 1, {}),
        ("PyTorch alpha-GAN + SN, channels last", "torch_nhwc", "alpha_gan_sn", 1, {}),
        ("SN-GAN", "ours", "sn_gan", 1, {}),
        ("PyTorch SN-GAN", "torch", "sn_gan", 1, {}),
        ("PyTorch SN-GAN, channels last", "torch_nhwc", "sn_gan", 1, {}),
    ),
    "letter": (
        ("selected T=10, to the letter", "ours", BMS, 10, LETTER),
        ("all T=10, to the letter", "ours", BMS, 10, LETTER | ALL),
        ("plain Keras T=10, to the letter", "keras", BMS, 10, LETTER),
        ("alpha-GAN + SN, to the letter", "ours", "alpha_gan_sn", 1, LETTER),
        ("PyTorch alpha-GAN + SN, to the letter", "torch", "alpha_gan_sn", 1, LETTER),
    ),
}
_COMPARED = {  # by name: ours, the baseline, the target
    "t10_selected_over_all": ("selected T=10", "all T=10", 0.4),
    "t30_selected_over_all": ("selected T=30", "all T=30", 0.45),
    "t10_over_plain_keras": ("selected T=10", "plain Keras T=10", 0.6),
    "t10_over_pytorch": ("selected T=10", "PyTorch T=10", None),
    "t1_over_pytorch": ("alpha-GAN + SN", "PyTorch alpha-GAN + SN", 0.92),
    "sn_gan_over_pytorch": ("SN-GAN", "PyTorch SN-GAN", 1.0),
    "t1_over_pytorch_channels_last": (
        "alpha-GAN + SN",
        "PyTorch alpha-GAN + SN, channels last",
        None,
    ),
    "sn_gan_over_pytorch_channels_last": ("SN-GAN", "PyTorch SN-GAN, channels last", None),
}
RATIOS = _COMPARED | {
    f"{name}_to_the_letter": (f"{ours}, to the letter", f"{theirs}, to the letter", target)
    for name, (ours, theirs, target) in _COMPARED.items()
}


def compared(group, folder):
    """Times a group; returns for each side its seconds, one a round, and its memory."""
    config, shape = CONFIGS[NETWORKS.value]
    sides, expected = {}, {}
    for name, kind, method, samples, own in SIDES_OF[group]:
        if kind.startswith("torch") and not importlib.util.find_spec("torch"):
            print(f"{name} is left out: pip install torch", file=sys.stderr)
            continue
        print(f"{group}: {name} ...", file=sys.stderr, flush=True)
        fields = {"samples": samples, "batch_size": BATCH_SIZE.value, **shape}
        spec = {"side": kind, "config": config, "method": method, "set": fields | own}
        key = "gan" if method == "sn_gan" else "hybrid"
        side = Side(
            SIDES, spec | {"weights": f"{folder}/{key}.npz", "write": f"{folder}/{key}.npz"}
        )
        values = side.ask("check")
        agree(name, values, expected.setdefault((method, samples), values))
        sides[name] = side
    take_turns(sides)
    rows = {}
    for name, side in sides.items():
        peak, before = side.close()
        rows[name] = {
            "seconds": [round(s, 4) for s in side.seconds],
            "peak_mib": round(peak),
            "growth_mib": round(peak - before),
        }
    return rows


def shown(name, row):
    low, middle, high = np.percentile(row["seconds"], (25, 50, 75))
    return {
        "side": name,
        "s a step": f"{middle:.3f} ({low:.3f} to {high:.3f})",
        "peak MiB": row["peak_mib"],
        "of which for the steps": row["growth_mib"],
    }


def summary(rows):
    """The record of what was measured: sides, ratios, and the ratios' spread and targets."""
    record = {"networks": NETWORKS.value, "batch_size": BATCH_SIZE.value, "sides": rows}
    spreads = {}
    for name, (ours, theirs, target) in RATIOS.items():
        if ours in rows and theirs in rows:
            record[name], *quartiles = ratio(rows[ours]["seconds"], rows[theirs]["seconds"])
            spreads[name] = {"quartiles": quartiles, "target": target}
    if {"selected T=30", "alpha-GAN + SN"} <= set(rows):
        for name, key in (("memory", "peak_mib"), ("memory_growth", "growth_mib")):
            many, one = rows["selected T=30"][key], rows["alpha-GAN + SN"][key]
            record[f"t30_{name}_over_t1"] = round(many / one, 3)
    return record | {"spread": spreads}


def known():
    """What `--out` has of other groups already, if it was measured in the same way."""
    out = pathlib.Path(OUT.value or "")
    record = json.loads(out.read_text()) if out.is_file() else {}
    way = (NETWORKS, BATCH_SIZE, THREADS, CLOCK)
    return record["sides"] if all(record.get(f.name) == f.value for f in way) else {}


def main(_):
    rows = known()
    with tempfile.TemporaryDirectory() as folder:
        for group in GROUPS.value:
            rows |= compared(group, folder)
            print(table([shown(name, row) for name, row in rows.items()]), flush=True)
            write(summary(rows))


if __name__ == "__main__":
    app.run(main)
