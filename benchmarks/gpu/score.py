"""Scores what `train.py` kept, there or at home: FID, KID, precision, recall, coverage, IvOM; of
Stacked MNIST the modes and their KL.

    python -m benchmarks.gpu.score --data=cifar10.npz --samples=out --out=results/gpu.json \\
        --order=bms_vae_gan_25000,sn_gan_25000 --ivom_images=0

`--data` is an `.npz`, the folder of the sheets that `pack.py` made, or stacked_mnist:MNIST.npz.
Takes each `ROW_STEP.json` of the folder, or those of `--order` in that order, beside `speed.json`
and `train.json`. Features are kept in the folder, so that the command goes on where it stopped (an
image takes a tenth of a second of a core, on an H100 two thousandths). IvOM needs G's weights,
which are there of a row's last step. The record is written after each set.
"""

import functools
import json
import pathlib
import sys
import tempfile
import time

import numpy as np
from absl import app, flags
from ml_collections import ConfigDict

from benchmarks.gpu import sheets
from bms_keras.data import stacked
from bms_keras.metrics import feature_networks, ivom, prdc, stacked_mnist
from bms_keras.metrics.fid import Moments, frechet_distance, kid
from bms_keras.metrics.stacked_mnist.digits import classifier
from bms_keras.monitoring import figures, image_grids
from bms_keras.runs import experiment

DATA = flags.DEFINE_string(
    "data", None, "An .npz of CIFAR-10, its sheets, or stacked_mnist:MNIST.npz.", required=True
)
SAMPLES = flags.DEFINE_string("samples", None, "Folder of what came back.", required=True)
ORDER = flags.DEFINE_list("order", [], "Which sets, in which order; all, if not given.")
REAL = flags.DEFINE_integer("real", 10_000, "Test images of the FID.", 2)
GENERATED = flags.DEFINE_integer("generated", 5000, "Samples of the FID.", 2)
IVOM = flags.DEFINE_integer("ivom_images", 0, "Test images of IvOM; 0 for none.", 0)
BATCH = flags.DEFINE_integer("batch", 32, "Images at a time, for all of it.", 1)
INCEPTION = flags.DEFINE_string("inception", "", "An .npz of the FID's network.")
PICTURE = flags.DEFINE_string("picture", None, "Where 64 samples of each set go, side by side.")
OUT = flags.DEFINE_string("out", "gpu.json", "Where the record goes.")
PART = 500  # images whose features a file keeps


def main(_):
    folder = pathlib.Path(SAMPLES.value)
    names = ORDER.value or sorted(path.stem for path in folder.glob("*_[0-9]*.json"))
    record = {
        name: json.loads((folder / f"{name}.json").read_text())
        for name in ("speed", "train")
        if (folder / f"{name}.json").exists()
    } | {"scores": {}}
    if PICTURE.value:
        panels = {name: image_grids.grid(sheets.read(folder, name)[:64], 8) for name in names}
        image_grids.write(pathlib.Path(PICTURE.value), figures.pixels(figures.gallery(panels)))
    kind, _, mnist = DATA.value.partition(":")
    if kind == stacked.NAME:
        _score(functools.partial(_of_stacks, mnist), names, record)
        return
    network = feature_networks.network(INCEPTION.value)
    with tempfile.TemporaryDirectory() as scratch:
        data = sheets.source(DATA.value, scratch)
        with np.load(data) as file:
            test = file["x_test"][: REAL.value]
        real = _features(network, folder, "test", lambda: test)
        _score(functools.partial(_of_images, network, real, data), names, record)


def _score(scores_of, names, record):
    """Scores the sets in order; the record is written after each."""
    folder = pathlib.Path(SAMPLES.value)
    for name in names:
        record["scores"][name] = scores = scores_of(folder, name)
        pathlib.Path(OUT.value).write_text(json.dumps(record, indent=1))
        print(name, json.dumps(scores), flush=True)


def _of_images(network, real, data, folder, name):
    """FID, KID, precision and recall of a set, and IvOM, if it is asked for."""
    fake = _features(network, folder, name, lambda: sheets.read(folder, name)[: GENERATED.value])
    protocol = f"{len(real)}_{len(fake)}_test"
    return {
        f"fid_{protocol}": frechet_distance(Moments().add(real), Moments().add(fake)),
        f"kid_{protocol}": kid(real, fake)[0],
        **prdc.prdc(real, fake),
        **_ivom(folder, name, data),
    }


def _of_stacks(mnist, folder, name):
    """The modes of Stacked MNIST in a set."""
    return stacked_mnist.of_images(sheets.read(folder, name), classifier(mnist))


def _features(network, folder, name, images):
    """The features of images, a part at a time, each kept in the folder.

    Args:
        network: What has `features`.
        folder, name: Of the files that keep them.
        images: Function without arguments that returns them, uint8 `(n, side, side, 3)`.
    """
    images, parts, began = images(), [], time.monotonic()
    for first in range(0, len(images), PART):
        path = folder / f"features_{name}_{first}.npy"
        part = images[first : first + PART]
        if not path.exists():
            np.save(path, network.features(part, BATCH.value))
            seconds = time.monotonic() - began
            print(f"{name}: {first + len(part)} of {len(images)}, {seconds:.0f} s", file=sys.stderr)
        parts.append(np.load(path)[: len(part)])
    return np.concatenate(parts)


def _ivom(folder, name, data):
    """IvOM in [-1, 1] and in [0, 1], if it is asked for and G's weights are there."""
    row, _, step = name.rpartition("_")
    weights = folder / f"{row}.npz"
    last = max(int(path.stem.rpartition("_")[2]) for path in folder.glob(f"{row}_[0-9]*.json"))
    if not (IVOM.value and weights.exists() and int(step) == last):
        return {}
    config = ConfigDict(json.loads((folder / f"{name}.json").read_text())["config"])
    config.data.source = data
    config.ema = 0.0  # the weights are the averages already
    built = experiment.build(config)
    with np.load(weights) as file:
        built.model.generator.set_weights([file[key] for key in file.files])
    return ivom.ivom(built.model, built.data, IVOM.value, batch_size=BATCH.value)


if __name__ == "__main__":
    app.run(main)
