"""Packs what a bare machine needs: wheels, CIFAR-10, and checkpoints of an earlier one to go on.

    python -m benchmarks.gpu.pack --data=cifar10.npz --out=.gpu [--resume=checkpoints]

writes folders of at most 55 MiB each, to be carried one at a time: `part_0` with the wheels, half
of the training images and 500 test images for pictures, `part_1` with the other half and, with
`--resume`, `part_2`, … with the checkpoints as a tar in pieces. The images are lossless; each half
carries the SHA-256 that `train.py` checks.
"""

import io
import pathlib
import shutil
import subprocess
import sys
import tarfile

import numpy as np
from absl import app, flags

from benchmarks.gpu import sheets

DATA = flags.DEFINE_string("data", None, "An .npz of CIFAR-10.", required=True)
OUT = flags.DEFINE_string("out", ".gpu", "Where the parts go; made anew.")
WHEELS = flags.DEFINE_list(
    "wheels",
    ["keras", "namex", "optree", "ml_collections", "tensorboardX"],
    "Packages that the machine lacks; empty for none.",
)
PYTHON = flags.DEFINE_string("python", "3.12", "The machine's Python.")
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
RESUME = flags.DEFINE_string("resume", None, "Folder of checkpoints to go on from.")
LIMIT = 55 * 2**20  # bytes a part


def main(_):
    out = pathlib.Path(OUT.value)
    shutil.rmtree(out, ignore_errors=True)
    with np.load(DATA.value) as file:
        train, test = file["x_train"], file["x_test"]
    for i, half in enumerate(np.array_split(train, 2)):
        sheets.write(half, out / f"part_{i}", f"train_{i}")
    sheets.write(test[:500], out / "part_0", "test")
    if WHEELS.value:
        _download(out / "part_0")
    if RESUME.value:
        _pieces(pathlib.Path(RESUME.value), out)
    for part in sorted(out.iterdir()):
        size = sum(path.stat().st_size for path in part.iterdir())
        print(f"{part}: {size / 2**20:.1f} MiB")
        if size > LIMIT:
            raise SystemExit(f"pack.py: {part} has {size} bytes, more than {LIMIT}")


def _download(folder):
    """Wheels for the machine, without what they need: it has the rest."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    options = ["--only-binary=:all:", f"--python-version={PYTHON.value}", "--implementation=cp"]
    platforms = [f"--platform={platform}" for platform in PLATFORMS]
    subprocess.run([*command, *options, *platforms, f"--dest={folder}", *WHEELS.value], check=True)


def _pieces(folder, out):
    """The checkpoints as a tar, in pieces of a part each."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(folder, "checkpoints")
    content = buffer.getvalue()
    for i, first in enumerate(range(0, len(content), LIMIT)):
        part = out / f"part_{i + 2}"
        part.mkdir(parents=True)
        (part / f"checkpoints.tar.{i:02d}").write_bytes(content[first : first + LIMIT])


if __name__ == "__main__":
    app.run(main)
