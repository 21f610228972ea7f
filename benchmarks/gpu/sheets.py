"""Images as lossless WebP sheets, which take some three fifths of their bytes."""

import concurrent.futures
import hashlib
import json
import pathlib

import numpy as np
from PIL import Image

COLUMNS = 100  # images side by side in a sheet
SHEET = 5000  # images a sheet


def write(images, folder, name, **notes):
    """Writes images as sheets `folder/name_0.webp`, …, and `folder/name.json` beside them.

    Args:
        images: uint8 `(n, side, side, 3)`.
        folder: Path; made where it is missing.
        name: What the files' names begin with.
        **notes: What else the JSON shall hold.

    Returns:
        Paths of the files.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    parts = [images[first : first + SHEET] for first in range(0, len(images), SHEET)]
    paths = [folder / f"{name}_{i}.webp" for i in range(len(parts))]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(_save, parts, paths))
    index = {"shape": images.shape, "sheets": len(parts), "sha256": digest(images), **notes}
    (folder / f"{name}.json").write_text(json.dumps(index))
    return [*paths, folder / f"{name}.json"]


def read(folder, name):
    """The images that `write` wrote, uint8 `(n, side, side, 3)`.

    Raises:
        ValueError: If they are not the same to the byte.
    """
    folder = pathlib.Path(folder)
    index = json.loads((folder / f"{name}.json").read_text())
    paths = [folder / f"{name}_{i}.webp" for i in range(index["sheets"])]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        sheets = list(pool.map(_load, paths, [index["shape"][1]] * len(paths)))
    images = np.concatenate(sheets)[: index["shape"][0]]
    if digest(images) != index["sha256"]:
        raise ValueError(f"{folder}/{name}: the images are not those that were packed")
    return images


def source(data, scratch):
    """What a config names as its data: `data` itself, or, of a folder that `pack.py` filled, an
    `.npz` of its images in the folder `scratch`."""
    if not pathlib.Path(data).is_dir():
        return data
    path = pathlib.Path(scratch) / "images.npz"
    as_npz(data, path)
    return str(path)


def as_npz(folder, path):
    """Writes the images of a folder that `pack.py` filled as an `.npz` of x_train and x_test."""
    train = np.concatenate([read(folder, name) for name in ("train_0", "train_1")])
    np.savez(path, x_train=train, x_test=read(folder, "test"))


def digest(array):
    """The SHA-256 of an array's bytes."""
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def _save(images, path):
    side, channels = images.shape[1], images.shape[-1]
    rows = -(-len(images) // COLUMNS)
    sheet = np.zeros((rows * COLUMNS, side, side, channels), "uint8")
    sheet[: len(images)] = images
    sheet = sheet.reshape(rows, COLUMNS, side, side, channels).swapaxes(1, 2)
    sheet = sheet.reshape(rows * side, COLUMNS * side, channels)
    Image.fromarray(sheet).save(path, lossless=True, quality=100, method=4)


def _load(path, side):
    sheet = np.asarray(Image.open(path).convert("RGB"))
    rows = sheet.shape[0] // side
    return sheet.reshape(rows, side, COLUMNS, side, 3).swapaxes(1, 2).reshape(-1, side, side, 3)
