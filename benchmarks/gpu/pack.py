"""Packs what a bare machine needs: wheels, CIFAR-10, the FID's network, checkpoints to go on from.

    python -m benchmarks.gpu.pack --data=cifar10.npz --out=.gpu [--also=inception.npz,checkpoints]

writes folders of at most 55 MiB each, to be carried one at a time: `part_0` with the wheels and
half of the training images, `part_1` with the other half, `part_2` with the test images and, of the
files and folders of `--also`, a tar in pieces in `part_2`, `part_3`, … The images are lossless;
each set carries the SHA-256 that `train.py` checks.
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
ALSO = flags.DEFINE_list("also", [], "Files and folders that are wanted there.")
LIMIT = 55 * 2**20  # bytes a part


def main(_):
    out = pathlib.Path(OUT.value)
    shutil.rmtree(out, ignore_errors=True)
    with np.load(DATA.value) as file:
        train, test = file["x_train"], file["x_test"]
    for i, half in enumerate(np.array_split(train, 2)):
        sheets.write(half, out / f"part_{i}", f"train_{i}")
    sheets.write(test, out / "part_2", "test")
    if WHEELS.value:
        _download(out / "part_0")
    if ALSO.value:
        _pieces(map(pathlib.Path, ALSO.value), out)
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


def _pieces(paths, out):
    """A tar of the paths, cut in pieces of a part each."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in paths:
            archive.add(path, path.name)
    content, i = buffer.getvalue(), 0
    while content:
        part = out / f"part_{i + 2}"
        part.mkdir(parents=True, exist_ok=True)
        room = LIMIT - sum(path.stat().st_size for path in part.iterdir())
        (part / f"also.tar.{i:02d}").write_bytes(content[:room])
        content, i = content[room:], i + 1


if __name__ == "__main__":
    app.run(main)
