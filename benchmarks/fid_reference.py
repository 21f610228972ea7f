"""FID of real images against real images, beside a published number.

    python benchmarks/fid_reference.py --data=OUT_DIR --indices=cifar10_fid_indices.npz

5,000 training against 5,000 test images of CIFAR-10; torch-fidelity publishes 10.3233274 for the
same images. OUT_DIR holds `cifar10.npz` (`x_train`, `x_test`) and `inception.npz`; the indices'
file holds `tr` and `te`. On two CPU cores it takes ten minutes. The last line is a JSON object.
"""

import json
import os
import pathlib
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from absl import flags

from bms_keras.errors import BadInput
from bms_keras.metrics import weights
from bms_keras.metrics.fid import Moments, frechet_distance, kid, tfgan_frechet_distance
from bms_keras.metrics.inception import Inception
from bms_keras.runs import cli

DATA = flags.DEFINE_string("data", None, "Folder of cifar10.npz and inception.npz.")
INDICES = flags.DEFINE_string("indices", None, "An .npz of indices: tr of x_train, te of x_test.")
flags.mark_flags_as_required(["data", "indices"])

PUBLISHED = 10.3233274


def main():
    folder = pathlib.Path(DATA.value)
    network = Inception(weights.load("inception", folder / "inception.npz"))
    with np.load(folder / "cifar10.npz") as file, np.load(INDICES.value) as indices:
        images = [file["x_train"][indices["tr"]], file["x_test"][indices["te"]]]
    network.features(images[0][:32])  # compiles
    started = time.perf_counter()
    x, y = (network.features(part, progress=say) for part in images)
    seconds = time.perf_counter() - started
    started = time.perf_counter()
    distance = frechet_distance(Moments().add(x), Moments().add(y))
    record = {
        "fid_5000_5000": round(distance, 6),
        "difference_from_published": round(distance - PUBLISHED, 6),
        "kid_5000_5000": kid(x, y)[0],
        "statistics_seconds": round(time.perf_counter() - started, 1),
        "images_per_second": round((len(x) + len(y)) / seconds, 1),
        "backend": keras.backend.backend(),
    }
    try:
        tfgan = tfgan_frechet_distance(x, y)
        record |= {"tfgan": round(tfgan, 6), "tfgan_relative_difference": tfgan / distance - 1}
    except BadInput as error:
        print(f"without TF-GAN's distance: {error}", file=sys.stderr)
    print(json.dumps(record))


def say(done):
    if done % 1600 == 0:
        print(f"{done} of 5000 images", file=sys.stderr, flush=True)


if __name__ == "__main__":
    cli.run(main)
