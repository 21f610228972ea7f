"""How fast FID is, beside torch-fidelity on the same machine.

    pip install -e '.[benchmarks]'
    python benchmarks/fid_speed.py --data=OUT_DIR --out=results/fid_speed.json

Images a second through the Inception of 2015-12-05, the two sides in turns on the same weights and
the same CIFAR-10 images, after both must have computed the same features; the Frechet distance of
5,000 and 5,000 of 2,048 numbers, after both computed the same; precision, recall, density and
coverage of 10,000 and 10,000, beside the authors' package; and the statistics of real images the
first time and, cached, the second. OUT_DIR holds `cifar10.npz` and `inception.npz`. The last line
is a JSON object; `..._over_torch_fidelity` and `prdc_over_authors` are our seconds over theirs:
below 1 is better.
"""

import importlib.util
import os
import pathlib
import sys
import tempfile
import types

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from absl import app, flags
from timing import (
    CLOCK,
    CLOCKS,
    Side,
    agree,
    before_tensorflow,
    ratio,
    serve,
    table,
    take_turns,
    write,
)

DATA = flags.DEFINE_string("data", None, "Folder of cifar10.npz and inception.npz.")
BATCH = 32
CACHED = 256  # images whose statistics are cached
FEATURES, DISTANCES = 2048, 5000
NEIGHBOURS, NEIGHBOUR = 10_000, 5  # features a side of precision and recall, and which neighbour


def images(folder, n):
    with np.load(pathlib.Path(folder) / "cifar10.npz") as file:
        return file["x_train"][:n]


class _Ours:
    def __init__(self, folder):
        from bms_keras.metrics import weights
        from bms_keras.metrics.inception import Inception

        self.network = Inception(weights.load("inception", f"{folder}/inception.npz"))
        self.images = images(folder, BATCH)

    def features(self):
        return self.network.features(self.images, BATCH)


class _TorchFidelity:
    def __init__(self, folder):
        import torch
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        with np.load(f"{folder}/inception.npz") as file, tempfile.TemporaryDirectory() as scratch:
            path = f"{scratch}/weights.pth"
            torch.save(_state(dict(file)), path)
            self.network = FeatureExtractorInceptionV3("inception", ["2048"], path)
        self.images = torch.from_numpy(images(folder, BATCH)).permute(0, 3, 1, 2).contiguous()

    def features(self):
        return self.network(self.images)[0].numpy()


def _state(arrays):
    """torch-fidelity's state of the weights by the names of 2015."""
    import torch

    names = dict.fromkeys(key.rpartition("/")[0] for key in arrays if key.endswith("/kernel"))
    state = {"fc.weight": torch.zeros(1008, FEATURES), "fc.bias": torch.zeros(1008)}
    for name in names:
        own = {part: torch.from_numpy(arrays[f"{name}/{part}"]) for part in PARTS}
        place = _place(name)
        state[f"{place}.conv.weight"] = own["kernel"].permute(3, 2, 0, 1)
        state[f"{place}.bn.weight"] = torch.ones_like(own["beta"])
        state[f"{place}.bn.bias"] = own["beta"]
        state[f"{place}.bn.running_mean"] = own["mean"]
        state[f"{place}.bn.running_var"] = own["var"]
        state[f"{place}.bn.num_batches_tracked"] = torch.tensor(0)
    return state


PARTS = ("kernel", "beta", "mean", "var")
STEM = {
    "conv": "Conv2d_1a_3x3",
    "conv_1": "Conv2d_2a_3x3",
    "conv_2": "Conv2d_2b_3x3",
    "conv_3": "Conv2d_3b_1x1",
    "conv_4": "Conv2d_4a_3x3",
}
BLOCKS = ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c")
TOWERS = {  # by the kind of block: what `conv`, `tower/conv...` and `tower_1/conv...` are there
    "5": ("branch1x1", "branch5x5", "branch3x3dbl"),
    "6a": ("branch3x3", "branch3x3dbl", ""),
    "6": ("branch1x1", "branch7x7", "branch7x7dbl"),
    "7a": ("", "branch3x3", "branch7x7x3"),
    "7": ("branch1x1", "branch3x3", "branch3x3dbl"),
}


def _place(name):
    """Where torch-fidelity has the convolution that the graph of 2015 calls `name`."""
    if name in STEM:
        return STEM[name]
    block, _, rest = name.partition("/")
    block = BLOCKS[int(block.removeprefix("mixed").lstrip("_") or 0)]
    one, tower, tower_1 = TOWERS[block if block in TOWERS else block[0]]
    if rest == "conv":
        return f"Mixed_{block}.{one}"
    rest = rest.replace("/", "_")
    if rest.startswith("tower_2"):
        return f"Mixed_{block}.branch_pool"
    second = rest.startswith("tower_1")
    rest = rest.removeprefix("tower_1" if second else "tower").lstrip("_")
    last = int(rest.rpartition("conv_")[2] or 0) + 1 if "conv_" in rest else 1
    number = f"{3 if second else 2}{'ab'[last - 1]}" if rest.startswith("mixed") else last
    return f"Mixed_{block}.{tower_1 if second else tower}_{number}"


class _Features:
    """A side: `step` takes a batch through the network."""

    def __init__(self, spec):
        kind = {"ours": _Ours, "torch-fidelity": _TorchFidelity}[spec["side"]]
        self.side = kind(spec["data"])

    def check(self):
        return {
            f"feature {i}": float(self.side.features()[i % BATCH, i]) for i in range(0, 2048, 97)
        }

    def step(self):
        self.side.features()


def inception():
    """Seconds a batch of both sides, one a round."""
    sides, expected = {}, None
    for name in ("ours", "torch-fidelity"):
        if name != "ours" and not importlib.util.find_spec("torch_fidelity"):
            print("torch-fidelity is left out: pip install torch-fidelity", file=sys.stderr)
            continue
        sides[name] = Side(__file__, {"side": name, "data": DATA.value})
        values = sides[name].ask("check")
        expected = expected or values
        agree(name, values, expected)
    take_turns(sides)
    for side in sides.values():
        side.close()
    return {name: side.seconds for name, side in sides.items()}


def distances():
    """Seconds of the distance of the two sides."""
    from bms_keras.metrics.fid import Moments, frechet_distance

    rng = np.random.default_rng(0)
    scale = np.geomspace(1, 0.01, FEATURES)
    x, y = (rng.standard_normal((DISTANCES, FEATURES)) * scale + i / 10 for i in range(2))
    ours, first = _timed(lambda: frechet_distance(Moments().add(x), Moments().add(y)))
    if not importlib.util.find_spec("torch_fidelity"):
        return {"distance_s": ours}
    from torch_fidelity.metric_fid import fid_statistics_to_metric

    statistics = lambda z: {"mu": z.mean(0), "sigma": np.cov(z, rowvar=False)}  # noqa: E731
    theirs, second = _timed(
        lambda: fid_statistics_to_metric(statistics(x), statistics(y), verbose=False)
    )
    agree("torch-fidelity", {"distance": next(iter(second.values()))}, {"distance": first})
    return {
        "distance_s": ours,
        "distance_torch_fidelity_s": theirs,
        "distance_over_torch_fidelity": round(ours / theirs, 3),
    }


def neighbours():
    """Seconds of precision, recall, density and coverage."""
    from bms_keras.metrics.prdc import prdc

    # As images' features are: much of what they differ in lies in some 64 of the dimensions.
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((64, FEATURES))
    draw = lambda n: rng.standard_normal((n, 64)) @ directions + rng.standard_normal((n, FEATURES))  # noqa: E731
    x, y = (draw(NEIGHBOURS).astype("float32") for _ in range(2))
    ours, found = _timed(lambda: prdc(x, y, NEIGHBOUR))
    if not importlib.util.find_spec("prdc"):
        return {"prdc_s": ours}
    from prdc import compute_prdc

    theirs, expected = _timed(lambda: compute_prdc(x, y, NEIGHBOUR))
    agree("prdc", expected, found)
    return {"prdc_s": ours, "prdc_authors_s": theirs, "prdc_over_authors": round(ours / theirs, 3)}


def cached():
    """Seconds of the features of real images, the first time and the second."""
    from bms_keras.metrics import features, weights
    from bms_keras.metrics.inception import Inception

    network = Inception(weights.load("inception", f"{DATA.value}/inception.npz"))
    x = images(DATA.value, CACHED)
    data = types.SimpleNamespace(fingerprint="benchmark")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BMS_KERAS_CACHE"] = folder
        first, a = _timed(lambda: features.of_data(network, data, x))
        second, b = _timed(lambda: features.of_data(network, data, x))
    assert (a == b).all()
    return {"statistics_first_s": first, "statistics_cached_s": second}


def _timed(function):
    clock = CLOCKS[CLOCK.value]
    began = clock()
    result = function()
    return round(clock() - began, 3), result


def main(_):
    seconds = inception()
    rates = {name: BATCH / np.array(own) for name, own in seconds.items()}
    rows = [
        {"side": name, "images a second": "{:.1f} ({:.1f} to {:.1f})".format(*_quartiles(rate))}
        for name, rate in rates.items()
    ]
    print(table(rows), flush=True)
    record = {
        f"images_per_second_{name}": round(float(np.median(r)), 2) for name, r in rates.items()
    }
    if len(seconds) == 2:
        record["inception_over_torch_fidelity"], *spread = ratio(*seconds.values())
        record["spread"] = spread
    write(record | distances() | neighbours() | cached() | {"seconds": seconds})


def _quartiles(values):
    return np.percentile(values, (50, 25, 75))


if __name__ == "__main__":
    before_tensorflow()
    if len(sys.argv) == 2 and sys.argv[1].startswith("{"):
        serve(_Features)
    else:
        flags.mark_flag_as_required("data")
        app.run(main)
