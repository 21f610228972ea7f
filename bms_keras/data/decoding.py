"""Images of any size and format, brought to one size as uint8."""

import concurrent.futures
import contextlib
import hashlib
import os
import pathlib
import sys
import tempfile

import numpy as np
from PIL import Image, ImageOps

from bms_keras import cache
from bms_keras.errors import BadInput

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
MODES = {1: "L", 3: "RGB"}


def fit(image, resolution, channels, crop=0):
    """Crops the centre of an image and resizes it.

    Args:
        image: A `PIL.Image`.
        resolution: Height and width of the result.
        channels: 1 or 3.
        crop: Side of the central square that is kept; 0 for the largest there is.

    Returns:
        uint8 array `(resolution, resolution, channels)`.

    Raises:
        ValueError: If the image is smaller than half of the resolution.
    """
    side = min(image.size)
    side = min(crop or side, side)
    if 2 * side < resolution:
        size = "x".join(map(str, image.size)) + (f" cropped to {side}" if crop else "")
        raise ValueError(f"it is {size}, less than half of config.data.resolution={resolution}")
    left, top = ((length - side) // 2 for length in image.size)
    if image.mode.startswith("I;16"):  # Pillow would cut 16 bits off at 255
        image = Image.fromarray((np.asarray(image) // 257).astype("uint8"))
    image = image.convert(MODES[channels]).crop((left, top, left + side, top + side))
    if side != resolution:
        image = image.resize((resolution, resolution), Image.Resampling.LANCZOS)
    return np.asarray(image).reshape(resolution, resolution, channels)


def fitted(images, config, name):
    """An array of images, brought to the resolution and the channels of the config.

    Args:
        images: uint8 `(n, height, width)` or `(n, height, width, channels)`.
        config: `config.data`; a resolution or channels of 0 leave them as they are.
        name: What to call the array in errors.

    Returns:
        uint8 `(n, resolution, resolution, channels)`.

    Raises:
        BadInput: If the array is none of images, or if they are too small.
    """
    if images.ndim == 3:
        images = images[..., None]
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in MODES:
        raise BadInput(
            f"{name} must be uint8 images (n, height, width) or (n, height, width, 1 or 3). "
            f"Received: {images.dtype} {images.shape}"
        )
    resolution = config.resolution or min(images.shape[1:3])
    channels = config.channels or images.shape[-1]
    if images.shape[1:] == (resolution, resolution, channels) and not config.crop:
        return images
    try:
        pictures = (Image.fromarray(x.squeeze(-1) if x.shape[-1] == 1 else x) for x in images)
        return np.stack([fit(picture, resolution, channels, config.crop) for picture in pictures])
    except ValueError as error:
        raise BadInput(f"{name} holds an image that does not fit: {error}") from None


def image_files(folder):
    """The image files of a folder and of the folders in it, in the order of their names.

    Raises:
        BadInput: If it is no folder, or holds no image.
    """
    folder = pathlib.Path(folder)
    files = sorted(
        path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and not path.is_dir()
    )
    if not files:
        raise BadInput(f"{folder} holds no image; known are {', '.join(SUFFIXES)}")
    return files


def decoded(files, config):
    """Decodes files once, into a memory-mapped array that later runs find in the cache.

    Args:
        files: Paths.
        config: `config.data`; channels of 0 count as 3. Of files that cannot be decoded, the first
            is an error, or with `skip_broken` they are left out and counted.

    Returns:
        uint8 `(n, resolution, resolution, channels)`.

    Raises:
        BadInput: If a file, or with `skip_broken` every file, cannot be decoded.
    """
    size = (config.resolution, config.channels or 3, config.crop)
    stamps = [_stamp(path) for path in files]

    def decode(path):
        try:
            with Image.open(path) as image:
                return fit(ImageOps.exif_transpose(image), *size)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            if config.skip_broken:
                return None
            raise BadInput(
                f"{path} is no image to train on ({error}); remove it, or set "
                "config.data.skip_broken=True"
            ) from None

    def rows():
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for first in range(0, len(files), 256):  # so that the first error ends the work
                yield from pool.map(decode, files[first : first + 256])

    return _cached((stamps, size, config.skip_broken), rows(), len(files), size)


def _stamp(path):
    """What changes when a file does."""
    stat = path.stat() if path.exists() else None  # a link may lead nowhere
    return str(path.absolute()), stat and (stat.st_size, stat.st_mtime_ns)


def from_tfds(name, split, config):
    """A split of a data set of tensorflow-datasets, kept in the cache as `decoded` keeps files.

    Raises:
        BadInput: If tensorflow-datasets is not installed, does not know the name, or cannot
            download the data.
    """
    size = (config.resolution, config.channels or 3, config.crop)
    try:
        import tensorflow_datasets as tfds

        if "image" not in tfds.builder(name).info.features:
            raise ValueError("it holds no feature 'image'")
        examples, info = tfds.load(name, split=split, with_info=True)
        rows = (
            fit(Image.fromarray(example["image"].squeeze()), *size)
            for example in tfds.as_numpy(examples)
        )
        return _cached((info.full_name, split, size), rows, info.splits[split].num_examples, size)
    except Exception as error:  # what a download raises is anybody's guess
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BadInput(f"config.data.source='tfds:{name}' failed ({reason})") from None


def _cached(key, rows, n, size):
    """The rows as a read-only memory-mapped array; they are taken only if the cache lacks it.

    Args:
        key: What the content depends on.
        rows: Iterator of uint8 images, or of `None` for what is left out.
        n: How many rows there are.
        size: (resolution, channels, ...) of each.
    """
    folder = cache.subfolder("images")
    path = folder / f"{hashlib.sha256(repr(key).encode()).hexdigest()[:24]}.npy"
    with contextlib.suppress(OSError, ValueError, EOFError):  # missing or damaged: made (again)
        return np.load(path, mmap_mode="r")
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        os.replace(_written(pathlib.Path(scratch), rows, n, size), path)
    return np.load(path, mmap_mode="r")


def _written(scratch, rows, n, size):
    """Writes the rows that are images to an `.npy` in the folder `scratch`; returns its path."""
    path = scratch / "whole.npy"
    array = np.lib.format.open_memmap(path, "w+", "uint8", (n, size[0], size[0], size[1]))
    good = 0
    for done, row in enumerate(rows, 1):
        if row is not None:
            array[good] = row
            good += 1
        if done % 5000 == 0 or done == n:
            print(f"decoded {done} of {n} images", file=sys.stderr, flush=True)
    array.flush()
    if not good:
        raise BadInput(f"none of {n} files can be decoded as an image")
    if good < n:
        print(f"skipped {n - good} of {n} files", file=sys.stderr, flush=True)
        path = scratch / "good.npy"
        np.save(path, array[:good])
    return path
