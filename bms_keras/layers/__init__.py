"""Reparametrised layers: spectral normalisation (Miyato et al. 2018, algorithm 1), and gains."""

import math

import keras
import numpy as np
from keras import ops

from bms_keras.errors import require
from bms_keras.layers import initializers


def require_channels_last():
    """Refuses Keras's other order of an image's axes, which the networks of this package lack.

    Raises:
        ValueError: If `image_data_format` in keras.json, or as set, is "channels_first".
    """
    if keras.config.image_data_format() != "channels_last":
        raise ValueError(
            "the networks of this package take images (height, width, channels): call "
            "keras.config.set_image_data_format('channels_last'). Received: "
            f"{keras.config.image_data_format()!r}"
        )


def _dense(layer, x, kernel):
    return ops.matmul(x, kernel)


def _conv(layer, x, kernel):
    return ops.conv(x, kernel, layer.strides, layer.padding, layer.data_format, layer.dilation_rate)


def _conv_transpose(layer, x, kernel):
    return ops.conv_transpose(
        x,
        kernel,
        layer.strides,
        layer.padding,
        layer.output_padding,
        layer.data_format,
        layer.dilation_rate,
    )


_LINEAR_MAPS = {
    keras.layers.Dense: _dense,
    keras.layers.Conv2D: _conv,
    keras.layers.Conv2DTranspose: _conv_transpose,
}


@keras.saving.register_keras_serializable("bms_keras")
class SpectralNormalization(keras.layers.Wrapper):
    """Computes with `W / sigma(W)`, sigma being the largest singular value of the kernel `W`.

    The kernel variable stays what the optimizer made it; the gradient flows through sigma with
    the singular vectors held constant (so it has no radial part); a forward pass changes nothing.
    The only state is the left singular vector `u`, and only `power_iteration()` moves it: `Game`
    calls that once at the start of each turn of the player that trains the layer.
    `keras.layers.SpectralNormalization` does none of this.

    The kernel counts as a matrix of shape `(everything else, filters)`. Sigma is computed in the
    kernel's own dtype, float32 under mixed precision.

    Args:
        layer: A `Dense`, `Conv2D` or `Conv2DTranspose` layer.
        seed: Seed of the first `u`.

    Raises:
        ValueError: If `layer` is of any other type.

    Example:

    >>> layer = SpectralNormalization(keras.layers.Dense(4))
    >>> y = layer(keras.ops.ones((2, 3)))
    >>> layer.power_iteration()

    Reference: Miyato et al. 2018, "Spectral Normalization for Generative Adversarial Networks".
    """

    def __init__(self, layer, seed=None, **kwargs):
        if type(layer) not in _LINEAR_MAPS:
            known = ", ".join(kind.__name__ for kind in _LINEAR_MAPS)
            raise ValueError(
                f"SpectralNormalization wraps {known}. Received: {type(layer).__name__}"
            )
        kwargs.setdefault("dtype", layer.dtype_policy)
        super().__init__(layer, **kwargs)
        self.autocast = False  # the kernel reaches `call` in float32; `call` casts it after sigma
        self.seed = seed

    def build(self, input_shape):
        super().build(input_shape)
        self.u = self.add_weight(
            shape=(1, self._filters),
            initializer=initializers.Normal(stddev=1.0, seed=self.seed),
            trainable=False,
            name="u",
        )

    @property
    def _filters(self):
        transposed = isinstance(self.layer, keras.layers.Conv2DTranspose)
        return self.layer.kernel.shape[-2 if transposed else -1]

    def _matrix(self, kernel, library):
        """The kernel as a matrix of shape (kh * kw * in, out), by `ops` or numpy."""
        if isinstance(self.layer, keras.layers.Conv2DTranspose):  # stored as (kh, kw, out, in)
            kernel = library.swapaxes(kernel, -1, -2)
        return library.reshape(kernel, (-1, self._filters))

    def power_iteration(self):
        """One power iteration: moves `u` towards the kernel's leading singular vector."""
        w = ops.stop_gradient(self._matrix(ops.convert_to_tensor(self.layer.kernel), ops))
        self.u.assign(_iterated(self.u, w, ops))

    def sigma(self):
        """The kernel's largest singular value, `v W u`; a scalar tensor."""
        w = self._matrix(ops.convert_to_tensor(self.layer.kernel), ops)
        v = ops.stop_gradient(_left(self.u, w, ops))
        return ops.sum(ops.matmul(v, w) * self.u)

    # By numpy, where JAX would compile a program for each operation.

    def settle(self, iterations=10):
        """Moves `u` by so many power iterations."""
        u, w = self._arrays()
        for _ in range(iterations):
            u = _iterated(u, w, np)
        self.u.assign(u)

    def measured_sigma(self):
        """`sigma()` as it stands now; a float."""
        u, w = self._arrays()
        return float(np.sum(_left(u, w, np) @ w * u))

    def _arrays(self):
        """`u` and the kernel as a matrix."""
        kernel = ops.convert_to_numpy(self.layer.kernel)
        return ops.convert_to_numpy(self.u), self._matrix(kernel, np)

    def normalized_kernel(self):
        """`W / sigma(W)`, shaped and typed like the kernel."""
        return ops.convert_to_tensor(self.layer.kernel) / self.sigma()

    def call(self, inputs):
        cast = lambda tensor: ops.cast(tensor, self.compute_dtype)  # noqa: E731
        kernel = cast(self.normalized_kernel())
        outputs = _LINEAR_MAPS[type(self.layer)](self.layer, cast(inputs), kernel)
        if self.layer.use_bias:
            first = getattr(self.layer, "data_format", None) == "channels_first"
            outputs = outputs + ops.reshape(cast(self.layer.bias), (-1, 1, 1) if first else (-1,))
        return self.layer.activation(outputs)

    def compute_output_shape(self, input_shape):
        return self.layer.compute_output_shape(input_shape)

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}


def spectrally_normalized(network):
    """The spectrally normalised layers of a network, from its input on."""
    return [each for each in network._flatten_layers() if isinstance(each, SpectralNormalization)]


def _iterated(u, w, library):
    """`u` after a power iteration with `w`."""
    return _unit(library.matmul(_left(u, w, library), w), library)


def _left(u, w, library):
    """The singular vector `v` of `w` that goes with `u`."""
    return _unit(library.matmul(u, library.transpose(w)), library)


def _unit(vector, library):
    return vector / (library.sqrt(library.sum(library.square(vector))) + 1e-12)


@keras.saving.register_keras_serializable("bms_keras")
class Gain(keras.layers.Layer):
    """Multiplies each feature by a learned gain: `y = exp(k) x`, 0 <= k <= log(limit), 0 at first.

    Between a dense layer and a saturating activation it makes the same functions as the dense
    layer alone, but steepness is then one number a unit, apart from where the step lies, and Adam
    can let it grow exponentially. A gain below 1 is kept out (`constraint`): most units would come
    to one, and too few be left to grow. So is one above the limit: where no sample of a batch lies
    on a step any more, nothing moves it to where it belongs.

    Args:
        limit: The greatest gain, above 1.

    Input and output are of shape `(..., features)`, in the layer's compute dtype; `k` is float32.

    Example:

    >>> tuple(Gain()(keras.ops.ones((2, 3))).shape)
    (2, 3)
    """

    def __init__(self, limit=300.0, **kwargs):
        super().__init__(**kwargs)
        require(limit > 1, "limit", "above 1", limit)
        self.limit = limit

    def build(self, input_shape):
        self.k = self.add_weight(
            shape=(input_shape[-1],),
            initializer="zeros",
            constraint=lambda k: ops.clip(k, 0.0, math.log(self.limit)),
            name="k",
        )

    def call(self, inputs):
        return inputs * ops.exp(self.k)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "limit": self.limit}
