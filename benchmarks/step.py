"""What a step costs: time and peak memory, ours beside those that others would write.

    python benchmarks/step.py --data=standard_cnn:16 --out=results/step.json
    python benchmarks/step.py --data=standard_cnn:64 --data=dcgan64:16 --rounds=3

Each side is a process of its own (`step_sides.py`) with the same networks, weights and data: our
step with `gradient` "selected" and "all"; a train_step as a Keras user writes it, with
`keras.layers.SpectralNormalization` and all T samples under the tape; the same in PyTorch, where it
is installed. Before anything is timed, all sides must give the same losses of every player on the
same input (with equal noise for the T samples: batch statistics then do not depend on how many pass
at a time). The sides take turns, one step each, so that noise hits all of them. Memory is the
largest resident set of the process less that before its first step. The last line is a JSON object:
ratios of medians, ours over the other's, so below 1 is better; with the quartiles of the rounds.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from absl import app, flags
from report import machine

DATA = flags.DEFINE_multi_string("data", ["standard_cnn:16"], "NETWORKS:BATCH, several times.")
SAMPLES = flags.DEFINE_list("samples", ["1", "10", "30"], "The T of the hybrids.")
ROUNDS = flags.DEFINE_integer("rounds", 7, "Steps of each side that are timed.", 3)
OUT = flags.DEFINE_string("out", None, "Where the JSON goes, beside the screen.")
SIDES = pathlib.Path(__file__).with_name("step_sides.py")
TOLERANCE = 2e-3  # of a loss: float32 sums over thousands of numbers, in another order


class Side:
    """A process that plays one side's steps when told to."""

    def __init__(self, side, method, networks, batch, samples, folder):
        self.name = f"{method} T={samples} {side}"
        self.seconds = []
        arguments = (side, method, networks, str(batch), str(samples), folder)
        self.process = subprocess.Popen(
            [sys.executable, str(SIDES), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.losses = self._answer()

    def step(self):
        self.process.stdin.write("step\n")
        self.process.stdin.flush()
        return self._answer()

    def close(self):
        """Ends the process; returns its peak memory in MB."""
        self.process.stdin.write("end\n")
        self.process.stdin.flush()
        memory = self._answer()
        self.process.wait()
        return memory

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended before its answer")
        return json.loads(line)


def compare(sides):
    """Times sides in turns; returns for each its seconds by round and its peak memory."""
    first = sides[0]
    for side in sides[1:]:
        for player, loss in first.losses.items():
            other = side.losses[player]
            if abs(loss - other) > TOLERANCE * max(1, abs(loss)):
                raise AssertionError(f"{player}: {first.name} {loss}, {side.name} {other}")
    for _ in range(2):  # compiles, allocates
        for side in sides:
            side.step()
    seconds = np.array([[side.step() for side in sides] for _ in range(ROUNDS.value)])
    measured = {}
    for i, side in enumerate(sides):
        low, median, high = np.percentile(seconds[:, i], (25, 50, 75)).round(4).tolist()
        measured[side.name] = {"seconds": median, "quartiles": [low, high], "MB": side.close()}
        print(f"{side.name}: {measured[side.name]}", flush=True)
    return seconds, measured


def ratio(seconds, ours, theirs):
    """Ratio of the medians, and the quartiles of the ratio round by round."""
    rounds = seconds[:, ours] / seconds[:, theirs]
    value = np.median(seconds[:, ours]) / np.median(seconds[:, theirs])
    return {
        "ratio": round(float(value), 3),
        "quartiles": np.percentile(rounds, (25, 75)).round(3).tolist(),
    }


def has_torch():
    return (
        subprocess.run([sys.executable, "-c", "import torch"], capture_output=True).returncode == 0
    )


def run(networks, batch, folder):
    """All comparisons on one kind of networks and batch size."""
    ratios, sides, memory = {}, {}, {}
    torch = ["torch"] if has_torch() else []
    if not torch:
        print("PyTorch is not installed: its sides are left out", file=sys.stderr)
    for method, key in (("sn_gan", "sn_gan"), ("bms_vae_gan", "alpha_gan_sn")):
        names = ["selected", "plain", *torch]
        seconds, measured = compare([Side(n, method, networks, batch, 1, folder) for n in names])
        sides |= measured
        for i, name in enumerate(names[1:], 1):
            ratios[f"t1_{key}_over_{name}"] = ratio(seconds, 0, i)
    memory["1"] = measured["bms_vae_gan T=1 selected"]["MB"]
    for samples in (int(text) for text in SAMPLES.value if text != "1"):
        names = ["selected", "all", "plain"]
        args = ("bms_vae_gan", networks, batch, samples, folder)
        seconds, measured = compare([Side(name, *args) for name in names])
        sides |= measured
        for i, name in enumerate(names[1:], 1):
            ratios[f"t{samples}_selected_over_{name}"] = ratio(seconds, 0, i)
        memory[samples] = measured[f"bms_vae_gan T={samples} selected"]["MB"]
        ratios[f"t{samples}_memory_over_t1"] = {"ratio": round(memory[samples] / memory["1"], 3)}
    return {"ratios": ratios, "sides": sides}


def headline(ratios):
    """The five numbers that stand for the whole, as far as they were measured."""
    names = {
        "t10_selected_over_all": "t10_selected_over_all",
        "t30_selected_over_all": "t30_selected_over_all",
        "t30_memory_over_t1": "t30_memory_over_t1",
        "t10_over_plain_keras": "t10_selected_over_plain",
        "t1_over_pytorch": "t1_alpha_gan_sn_over_torch",
    }
    return {name: ratios[key]["ratio"] for name, key in names.items() if key in ratios}


def main(_):
    record = {"machine": machine(1)}
    with tempfile.TemporaryDirectory() as folder:
        for data in DATA.value:
            networks, _, batch = data.partition(":")
            record[data] = run(networks, int(batch), folder)
            for name, values in record[data]["ratios"].items():
                print(f"| {data} | {name} | {values['ratio']} | {values.get('quartiles', '')} |")
    if OUT.value:
        path = pathlib.Path(OUT.value)
        before = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps(before | record, indent=1) + "\n")
    print(json.dumps(headline(record[DATA.value[0]]["ratios"]) | record))


if __name__ == "__main__":
    app.run(main)
