"""LPIPS: how far apart two images look, and the diversity of a model's samples that it measures."""

import functools
import pathlib

import keras
import numpy as np
from keras import ops

from bms_keras import fields
from bms_keras.data.images import scaled
from bms_keras.errors import BadInput, lookup
from bms_keras.fields import Field
from bms_keras.layers import require_channels_last
from bms_keras.metrics import weights
from bms_keras.metrics.metric import Metric
from bms_keras.metrics.samples import GENERATED, drawn

SMALLEST = 32  # of an image's sides: AlexNet has nothing left of much smaller ones
MEAN, STD = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of the backbones' input in [-1, 1]
EPSILON = 1e-10  # added to the norm of the features at a place
CHUNK = 500  # pairs in memory at a time


def lpips(model, data, network="alexnet", generated=5_000, seed=0):
    """LPIPS diversity: the mean distance of pairs of a model's samples (the paper's appendix E).

    **Higher is more diverse.** The paper's table 9 marks lower as better; it calls the number a
    similarity, but does not say how it was computed. Noise is diverse too, so the same number of
    the data stands beside that of the samples: it is the one to reach.

    Args:
        model: What has `sample(n, seed=)`, images in [-1, 1].
        data: What has `images(n, split=)`.
        network: An `LPIPS`, or what `network` takes: "alexnet", "vgg16" or a path.
        generated: Number of samples, of which each is in one pair; as many held-out images are
            paired, or as many as there are.
        seed: Integer seed of the samples.

    Returns:
        Dictionary of floats: `lpips_diversity_<generated>_<network>`, the mean over the pairs;
        the same with `_error` for the standard error of that mean, and `_data` for the mean over
        pairs of held-out images.

    Raises:
        BadInput: If there are fewer than four images on a side (two pairs), the samples are not
            finite, the network's weights cannot be had, or what it makes of images is not finite.
    """
    x = data.images(generated)
    _check(len(x), generated)
    network = network if isinstance(network, LPIPS) else load(network)
    starts = range(0, generated // 2, CHUNK)
    sizes = [min(CHUNK, generated // 2 - start) for start in starts]
    parts = [
        network.distance(*np.split(scaled(drawn(model, 2 * size, [seed, start])), 2))
        for start, size in zip(starts, sizes, strict=True)
    ]
    distances = np.concatenate(parts).astype("float64")
    half = len(x) // 2
    of_data = network.distance(scaled(x[:half]), scaled(x[half : 2 * half]))
    if not (np.isfinite(distances).all() and np.isfinite(of_data).all()):
        raise BadInput(
            "LPIPS' distances are not finite: the weights are not those of a network that was "
            "trained"
        )
    numbers = (
        float(distances.mean()),
        float(distances.std(ddof=1) / np.sqrt(len(distances))),
        float(of_data.mean()),
    )
    return dict(zip(_names(generated, network.name), numbers, strict=True))


def prepare(data, generated=5_000, source="alexnet"):
    """Fetches and checks what `lpips` needs; the arguments and what it raises are the same."""
    _check(len(data.images(4)), generated)
    load(source)


def keys(generated=5_000, source="alexnet"):
    """The names of what `lpips` returns, for a network as `load` takes it."""
    return _names(generated, backbone_of(source))


def _names(generated, network):
    key = f"lpips_diversity_{generated}_{network}"
    return key, f"{key}_error", f"{key}_data"


def _check(held_out, generated):
    if min(held_out, generated) < 4:
        raise BadInput(
            "LPIPS diversity needs at least four images on each side. "
            f"Received: {held_out} held-out, {generated} generated"
        )


@functools.cache
def load(source="alexnet"):
    """The `LPIPS` of a name, "alexnet" or "vgg16", or of an `.npz` with one of these in its name.

    Raises:
        BadInput: If the name is unknown or the weights cannot be had.
    """
    name = backbone_of(source)
    return LPIPS(weights.load(f"lpips_{name}", None if source in BACKBONES else source), name)


def backbone_of(source):
    """The name of a network, "alexnet" or "vgg16", or the one that is in the name of an `.npz`.

    Raises:
        BadInput: If the name is unknown.
    """
    path = pathlib.Path(source)
    if path.suffix != ".npz":
        lookup(BACKBONES, source, "network of LPIPS (without the path of an .npz)")
        return source
    names = [name for name in BACKBONES if name in path.stem]
    if len(names) != 1:
        raise BadInput(
            f"the name of LPIPS' weights must contain one of {', '.join(BACKBONES)}. "
            f"Received: {source}"
        )
    return names[0]


class LPIPS:
    """Learned perceptual image patch similarity, version 0.1 (Zhang et al. 2018).

    The features of five layers of a classifier are scaled to unit length at each place; their
    squared differences, weighted by channel, are averaged over the places and summed over the
    layers (https://arxiv.org/abs/1801.03924). What it computes is float32 under any dtype policy.

    Args:
        arrays: Dictionary of weights, as `weights.load("lpips_alexnet")` returns it.
        name: "alexnet" or "vgg16".

    Raises:
        BadInput: If the name is unknown, or an array is missing or has another shape.

    Example:

        distances = LPIPS(bms_keras.metrics.weights.load("lpips_alexnet")).distance(a, b)
    """

    def __init__(self, arrays, name="alexnet"):
        require_channels_last()
        backbone, layers = lookup(BACKBONES, name, "network of LPIPS")
        images = keras.Input((None, None, 3), dtype="float32")
        self.backbone = keras.Model(images, layers(images))
        shapes = {
            f"{backbone}/Conv_{i // 2}/{('kernel', 'bias')[i % 2]}": variable.shape
            for i, variable in enumerate(self.backbone.weights)
        }
        heads = {
            f"NetLinLayer_{i}/Conv_0/kernel": (1, 1, output.shape[-1], 1)
            for i, output in enumerate(self.backbone.outputs)
        }
        weights.check(f"LPIPS ({name})", arrays, shapes | heads)
        self.backbone.set_weights([arrays[key] for key in shapes])
        self._heads = [arrays[key][0, 0] for key in heads]
        self._models = {}
        self.name = name

    def distance(self, a, b, batch_size=50):
        """The distances of pairs of images: 0 for equal ones, usually below 1.

        Sides below 32 pixels are stretched to 32 (bilinear, half-pixel centres).

        Args:
            a, b: Float arrays `(n, height, width, 1 or 3)` in [-1, 1]; grey is repeated.
            batch_size: Pairs at a time, at most.

        Returns:
            float32 array `(n,)`.

        Raises:
            ValueError: If the arrays are anything else, or differ in shape.
        """
        shape = a.shape[1:]
        floats = all(np.issubdtype(x.dtype, np.floating) for x in (a, b))
        if a.shape != b.shape or len(shape) != 3 or shape[-1] not in (1, 3) or not floats:
            raise ValueError(
                "a and b must be float arrays (n, height, width, 1 or 3) of one shape. "
                f"Received: {a.dtype} {a.shape} and {b.dtype} {b.shape}"
            )
        if shape not in self._models:
            pair = keras.Input(shape, dtype="float32"), keras.Input(shape, dtype="float32")
            self._models[shape] = keras.Model(pair, self._distance(*pair))
        distances = np.empty(len(a), "float32")
        batch_size = min(batch_size, len(a)) or 1
        batch = np.zeros((2, batch_size, *shape), "float32")  # of one size: compiled once
        for start in range(0, len(a), batch_size):
            place = slice(start, start + batch_size)
            size = len(a[place])
            batch[0, :size], batch[1, :size] = a[place], b[place]
            distances[place] = self._models[shape].predict_on_batch(list(batch))[:size]
        return distances

    def _distance(self, a, b):
        """The distances `(b,)` of two batches of images."""
        x = ops.concatenate([a, b])
        if x.shape[-1] == 1:
            x = ops.repeat(x, 3, -1)
        size = tuple(max(side, SMALLEST) for side in x.shape[1:3])
        if size != x.shape[1:3]:
            x = ops.image.resize(x, size, interpolation="bilinear")
        features = self.backbone((x - np.float32(MEAN)) / np.float32(STD))
        return sum(map(_difference, features, self._heads))


def _difference(f, head):
    """What a layer's features (first all of a, then all of b) and weights add to the distance."""
    f = f / (ops.sqrt(ops.sum(ops.square(f), -1, keepdims=True)) + EPSILON)
    a, b = ops.split(f, 2)
    return ops.mean(ops.matmul(ops.square(a - b), head), (1, 2, 3))


def _alexnet(x):
    """The five ReLUs of AlexNet (Krizhevsky 2014, https://arxiv.org/abs/1404.5997)."""
    first = _convolution(ops.pad(x, [(0, 0), (2, 2), (2, 2), (0, 0)]), 64, 11, 4, "valid")
    second = _convolution(ops.max_pool(first, 3, 2), 192, 5)
    third = _convolution(ops.max_pool(second, 3, 2), 384, 3)
    fourth = _convolution(third, 256, 3)
    return [first, second, third, fourth, _convolution(fourth, 256, 3)]


def _vgg16(x):
    """The last ReLU of each block of VGG16 (Simonyan and Zisserman 2015)."""
    outputs = []
    for count, filters in ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)):
        x = ops.max_pool(x, 2, 2) if outputs else x
        for _ in range(count):
            x = _convolution(x, filters, 3)
        outputs.append(x)
    return outputs


def _convolution(x, filters, size, strides=1, padding="same"):
    return keras.layers.Conv2D(
        filters,
        size,
        strides,
        padding,
        activation="relu",
        kernel_initializer="zeros",  # until the weights come
        dtype="float32",
    )(x)


BACKBONES = {"alexnet": ("AlexNet_0", _alexnet), "vgg16": ("VGG16_0", _vgg16)}


METRIC = Metric(
    lambda model, data, options: lpips(model, data, options.lpips, options.generated),
    lambda data, options: keys(options.generated, options.lpips),
    {
        "generated": GENERATED,
        "lpips": Field("alexnet", fields.text, "alexnet, vgg16, or an .npz named so"),
    },
    kind="images",
    points=4,
    fetch=lambda data, options: prepare(data, options.generated, options.lpips),
    titles={"lpips": "LPIPS"},
)
