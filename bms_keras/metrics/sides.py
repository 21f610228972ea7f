"""Images to compare, from wherever they are: arrays, folders, files, or a model's samples."""

import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Callable

import keras
import numpy as np

from bms_keras.data import archives, decoding, epochs
from bms_keras.data.folders import image_files
from bms_keras.data.images import as_uint8
from bms_keras.errors import BadInput, one_line, shown, warn
from bms_keras.files import expanded
from bms_keras.metrics.samples import GENERATED, drawn

CHUNK = 500  # images in memory at a time
ARRAYS = ("images", "arr_0", "x_test", "x_train")  # of an `.npz`, the first there is
TAKEN = "an array of images, a folder, an .npz, .npy or .keras file, or a model"


@dataclasses.dataclass(frozen=True)
class Side:
    """Images that are compared with others.

    Args:
        name: What they are called.
        count: How many there are.
        shape: Of an image, `(height, width, channels)`.
        read: Takes where to begin and where to stop; returns these images, uint8.
        digest: Function without arguments that returns a text that tells them apart, or `None`
            where they come anew each time.
    """

    name: str
    count: int
    shape: tuple
    read: Callable
    digest: Callable = lambda: None

    def chunks(self):
        """The images, a part at a time, with the place of its first.

        Raises:
            BadInput: If they cannot be read, or differ in size.
        """
        for first in range(0, self.count, CHUNK):
            images = self.read(first, min(first + CHUNK, self.count))
            yield first, images


def side(source, name="images", count=None, resolution=0, seed=0):
    """Images from a source.

    Args:
        source: An array of images, uint8 or floats in [-1, 1] or [0, 1] (see `images.as_uint8`);
            the path of a folder of images, of an `.npz` or an `.npy`; or a model: what has
            `sample(n, seed=)`, a Keras model from latents `(b, d)` to images in [-1, 1], or the
            path of a `.keras` file that holds one.
        name: What to call what has no path.
        count: How many images at most, a sample that is always the same; of a model, how many are
            drawn, 5,000 unless this says it.
        resolution: What a folder's images are cropped and resized to, as for training; 0 leaves
            them as they are.
        seed: Integer seed of a model's samples.

    Returns:
        A `Side`.

    Raises:
        BadInput: If it is none of these.
    """
    if isinstance(source, str | os.PathLike):
        path = expanded(source, name)
        if path.is_dir():
            return _of_folder(path, count, resolution)
        if path.suffix in (".npz", ".npy") and path.is_file():
            return _of_file(path, count)
        if path.suffix != ".keras" or not path.is_file():
            raise BadInput(f"{name} must be {TAKEN}. Received: {one_line(source)}")
        source, name = _loaded(path), one_line(source)
    if hasattr(source, "sample") or isinstance(source, keras.Model):
        return _of_model(source, name, count, seed)
    try:
        array = np.asarray(source)
    except (TypeError, ValueError):  # nested lists of unequal lengths
        array = np.array(None)
    if array.dtype.kind not in "buif":
        raise BadInput(f"{name} must be {TAKEN}. Received: {shown(source)}")
    return _of_array(array, name, count)


def _of_array(images, name, count):
    images = as_uint8(images, name)
    chosen = _chosen(len(images), count, name)

    def digest():
        of_shape = hashlib.sha256(repr(images.shape[1:]).encode())
        of_shape.update(np.ascontiguousarray(images[chosen]))
        return of_shape.hexdigest()

    read = lambda first, stop: images[chosen[first:stop]]  # noqa: E731
    return Side(name, len(chosen), images.shape[1:], read, digest)


def _of_file(path, count):
    """An `.npz`, of which it is said what is taken, or an `.npy`."""
    arrays = archives.read(path, (ARRAYS,))
    key = next((key for key in ARRAYS if key in arrays), None)
    if key is None:
        raise BadInput(
            f"{one_line(path)} must hold {' or '.join(ARRAYS)}. "
            f"Received: {one_line(', '.join(arrays.held))}"
        )
    name = f"{one_line(path)}:{key}" if path.suffix == ".npz" else one_line(path)
    warn(f"{name}: {len(arrays[key])} images")
    return _of_array(arrays[key], name, count)


def _of_folder(path, count, resolution):
    files = image_files(path)
    files = [files[i] for i in _chosen(len(files), count, one_line(path))]
    channels = decoding.channels_of(files)
    shape = decoding.read(files[0], channels, resolution).shape

    def one(file):
        image = decoding.read(file, channels, resolution)
        if image.shape != shape:
            sizes = ["x".join(map(str, each.shape[1::-1])) for each in (image, np.empty(shape))]
            raise BadInput(
                f"{one_line(file)} is {sizes[0]}, where {one_line(files[0].name)} is {sizes[1]}: "
                "resolution=N (--resolution) crops and resizes all, as for training"
            )
        return image

    def read(first, stop):
        return np.stack(list(decoding.in_order(one, files[first:stop])))

    def digest():
        content = hashlib.sha256(repr((channels, resolution)).encode())
        for file in files:
            with open(file, "rb") as opened:
                content.update(hashlib.file_digest(opened, "sha256").digest())
        return content.hexdigest()

    return Side(one_line(path), len(files), shape, read, digest)


def _of_model(model, name, count, seed):
    if not hasattr(model, "sample"):
        model = _Generator(model, name)
    read = lambda first, stop: drawn(model, stop - first, [seed, first])  # noqa: E731
    shape = drawn(model, 2, [seed, 0]).shape[1:]
    if len(shape) != 3:
        raise BadInput(f"{name} must sample images. Received: samples of the shape {shape}")
    return Side(name, count or GENERATED.default, shape, read)


class _Generator:
    """Samples a Keras model whose latents are standard normal."""

    def __init__(self, network, name):
        shape = getattr(network, "input_shape", None)  # of one that is not built
        if not isinstance(shape, tuple) or len(shape) != 2 or not shape[1]:
            raise BadInput(
                f"{name} must be a generator, whose input is latents (b, d). Received: {shape}"
            )
        self._network, self._latent_dim = network, shape[1]

    def sample(self, n, seed):
        z = np.random.default_rng(seed).standard_normal((n, self._latent_dim), "float32")
        return self._network.predict(z, batch_size=100, verbose=0)


def _loaded(path):
    try:
        return keras.saving.load_model(pathlib.Path(path), compile=False)
    except Exception as error:  # what is wrong with a model is anybody's guess
        raise BadInput(f"{one_line(path)} cannot be loaded as a model: {one_line(error)}") from None


def _chosen(total, count, name):
    """Which images are taken: all, or a sample, in their order."""
    if total < 2:
        raise BadInput(f"{name} must hold two images at least. Received: {total}")
    return np.arange(total) if not count or count >= total else np.sort(epochs.sample(total, count))
