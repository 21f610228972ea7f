"""The network of FID: Inception v3 of 2015-12-05 up to pool3."""

import hashlib

import keras
import numpy as np
from keras import ops

from bms_keras.errors import BadInput
from bms_keras.layers import require_channels_last
from bms_keras.metrics import weights
from bms_keras.metrics.batches import check_images, in_batches

SIZE, FEATURES = 299, 2048  # height and width of the networks' input; numbers they return
EPSILON = 1e-3  # of its batch normalisation, which has no gamma
PARTS = ("kernel", "beta", "mean", "var")  # the arrays of a convolution


class Inception:
    """Inception v3 of 2015-12-05 up to pool3: the network of the original FID (Heusel et al. 2017).

    Szegedy et al. 2016 (https://arxiv.org/abs/1512.00567) with the particulars of that graph. What
    it computes is float32 under any dtype policy.

    Args:
        arrays: Dictionary of weights, as `bms_keras.metrics.weights.load("inception")` returns it.

    Attributes:
        name: Names the network in the keys of metrics.
        fingerprint: Tells networks apart whose features are cached: name and checksum of weights.

    Raises:
        BadInput: If an array is missing or has another shape.
    """

    name = "inception2015"

    def __init__(self, arrays):
        require_channels_last()
        self._convolutions = {}
        self._models = {}
        _pool3(keras.Input((SIZE, SIZE, 3)), self._convolution)
        weights.check("Inception", arrays, self._shapes())
        digest = hashlib.sha256()
        for name, layer in self._convolutions.items():
            own = [arrays[f"{name}/{part}"] for part in PARTS]
            if not (own[PARTS.index("var")] >= 0).all():  # nor is it NaN
                raise BadInput(f"the weights of Inception hold a variance below 0: {name}/var")
            layer.set_weights(folded(*own))
            for array in own:
                digest.update(np.ascontiguousarray(array))
        self.fingerprint = f"{self.name}-{digest.hexdigest()[:16]}"

    def features(self, images, batch_size=32, progress=None):
        """The features of images.

        Args:
            images: uint8 array `(n, height, width, 1 or 3)` of any size, resized to 299 x 299.
            batch_size: Images at a time. The first batch of a shape is compiled for it.
            progress: Called with the number of images done after each batch, if given.

        Returns:
            float32 array `(n, 2048)`.

        Raises:
            ValueError: If the images are anything else.
        """
        check_images(images)
        shape = images.shape[1:]
        if shape not in self._models:
            self._models[shape] = self._model(shape)
        return in_batches(
            self._models[shape].predict_on_batch, images, FEATURES, batch_size, progress
        )

    def _model(self, shape):
        images = keras.Input(shape, dtype="uint8")
        x = (resized(ops.cast(images, "float32")) - 128) / 128
        if shape[-1] == 1:
            x = ops.repeat(x, 3, -1)
        return keras.Model(images, _pool3(x, self._convolution))

    def _convolution(self, x, name, filters, size, strides=1, padding=None):
        """A convolution with its batch normalisation folded in, and ReLU."""
        if name not in self._convolutions:
            self._convolutions[name] = keras.layers.Conv2D(
                filters,
                size,
                strides,
                padding=padding or ("same" if strides == 1 else "valid"),
                activation="relu",
                kernel_initializer="zeros",  # until the weights come
                dtype="float32",
            )
        return self._convolutions[name](x)

    def _shapes(self):
        return {
            f"{name}/{part}": layer.kernel.shape if part == "kernel" else layer.bias.shape
            for name, layer in self._convolutions.items()
            for part in PARTS
        }


def folded(kernel, beta, mean, variance):
    """Kernel and bias that do what a convolution and its batch normalisation do; float32."""
    scale = 1 / np.sqrt(variance.astype("float64") + EPSILON)
    return (kernel * scale).astype("float32"), (beta - mean * scale).astype("float32")


def resized(x):
    """Bilinear resize to 299 x 299 as TensorFlow 1 did it, without half-pixel centres.

    Target pixel i lies at source i * in / out (Parmar et al. 2022 show how much FID depends on
    it, https://arxiv.org/abs/2104.11222).

    Args:
        x: float32 tensor `(b, height, width, channels)`.

    Returns:
        float32 tensor `(b, 299, 299, channels)`.
    """
    _, height, width, channels = x.shape
    rows = ops.matmul(_interpolation(height), ops.reshape(x, (-1, height, width * channels)))
    return ops.matmul(_interpolation(width), ops.reshape(rows, (-1, SIZE, width, channels)))


def _interpolation(n):
    """Matrix `(299, n)` that interpolates n numbers linearly, from the corner."""
    place = np.arange(SIZE) * n / SIZE
    left = np.floor(place).astype(int)
    matrix = np.zeros((SIZE, n))
    matrix[np.arange(SIZE), left] = 1 - (place - left)
    matrix[np.arange(SIZE), np.minimum(left + 1, n - 1)] += place - left
    return matrix.astype("float32")


def _pool3(x, conv):
    """Features `(b, 2048)` of images `(b, 299, 299, 3)` in [-1, 1]; names are those of 2015.

    `conv(x, name, filters, size, strides=1, padding=None)` is a convolution. What has strides has
    no padding.
    """

    def chain(x, prefix, *convolutions):
        """Convolutions in a row, called conv, conv_1, conv_2 and so on."""
        for i, arguments in enumerate(convolutions):
            x = conv(x, f"{prefix}conv{f'_{i}' if i else ''}", *arguments)
        return x

    join = lambda *branches: ops.concatenate(branches, -1)  # noqa: E731
    x = conv(x, "conv", 32, 3, 2)
    x = conv(x, "conv_1", 32, 3, 1, "valid")
    x = _max_pool(conv(x, "conv_2", 64, 3))
    x = conv(x, "conv_3", 80, 1)
    x = _max_pool(conv(x, "conv_4", 192, 3, 1, "valid"))
    for name, c in (("mixed", 32), ("mixed_1", 64), ("mixed_2", 64)):
        x = join(
            chain(x, f"{name}/", (64, 1)),
            chain(x, f"{name}/tower/", (48, 1), (64, 5)),
            chain(x, f"{name}/tower_1/", (64, 1), (96, 3), (96, 3)),
            chain(_average_pool(x), f"{name}/tower_2/", (c, 1)),
        )
    x = join(
        chain(x, "mixed_3/", (384, 3, 2)),
        chain(x, "mixed_3/tower/", (64, 1), (96, 3), (96, 3, 2)),
        _max_pool(x),
    )
    flat, tall = (1, 7), (7, 1)
    for name, c in (("mixed_4", 128), ("mixed_5", 160), ("mixed_6", 160), ("mixed_7", 192)):
        x = join(
            chain(x, f"{name}/", (192, 1)),
            chain(x, f"{name}/tower/", (c, 1), (c, flat), (192, tall)),
            chain(x, f"{name}/tower_1/", (c, 1), (c, tall), (c, flat), (c, tall), (192, flat)),
            chain(_average_pool(x), f"{name}/tower_2/", (192, 1)),
        )
    x = join(
        chain(x, "mixed_8/tower/", (192, 1), (320, 3, 2)),
        chain(x, "mixed_8/tower_1/", (192, 1), (192, flat), (192, tall), (192, 3, 2)),
        _max_pool(x),
    )
    for name in ("mixed_9", "mixed_10"):
        pooled = _average_pool(x) if name == "mixed_9" else _max_pool(x, 1, "same")
        one = chain(x, f"{name}/tower_", (384, 1))
        two = chain(x, f"{name}/tower_1_", (448, 1), (384, 3))
        x = join(
            chain(x, f"{name}/", (320, 1)),
            conv(one, f"{name}/tower_mixed_conv", 384, (1, 3)),
            conv(one, f"{name}/tower_mixed_conv_1", 384, (3, 1)),
            conv(two, f"{name}/tower_1_mixed_conv", 384, (1, 3)),
            conv(two, f"{name}/tower_1_mixed_conv_1", 384, (3, 1)),
            chain(pooled, f"{name}/tower_2_", (192, 1)),
        )
    return ops.mean(x, (1, 2))


def _max_pool(x, strides=2, padding="valid"):
    return ops.max_pool(x, 3, strides, padding)


def _average_pool(x):
    return ops.average_pool(x, 3, 1, "same")  # Keras leaves the padding out, as the network does
