"""Dense networks for 2D data (the sizes of Srivastava et al. 2017, which the paper uses)."""

import keras
from keras import layers

from bms_keras import fields
from bms_keras.backends import several
from bms_keras.errors import BadInput
from bms_keras.fields import Field
from bms_keras.layers import Gain, SpectralNormalization

FIELDS = {
    "recognition": Field((128, 128), fields.widths, "hidden widths of R"),
    "generator": Field((128, 128), fields.widths, "hidden widths of G"),
    "image_critic": Field((128, 128), fields.widths, "hidden widths of D_I"),
    "latent_critic": Field((128, 128), fields.widths, "hidden widths of D_L"),
    "lipschitz": Field(1.0, fields.above_0, "Lipschitz constant of a normalised D_I"),
    "input_scale": Field(1.0, fields.above_0, "by which the input of a normalised D_I is scaled"),
    "max_gain": Field(
        0.0,
        fields.number(lambda value: value == 0 or value > 1, "above 1, or 0 for no gains"),
        "tanh units in G with learned gains up to this; 0: ReLU units",
    ),
    "batch_norm": Field(
        False,
        fields.boolean,
        "whether D_I has the batch normalisation of a method that has it; Srivastava's has none",
    ),
}


def build(config, shape, names, normalization="spectral", outputs=1):
    """Builds the dense networks for points of `shape` (d,).

    Args:
        config: `latent_dim`, and the fields above.
        shape, names, normalization, outputs: See `bms_keras.networks.build`; "batch" is "none"
            unless `config.batch_norm` is set.

    Returns:
        Dictionary of `keras.Sequential` by name.
    """
    if len(shape) != 1:
        raise BadInput(f"networks.family 'mlp' needs points of shape (d,). Received: {shape}")
    (dim,), latent = shape, config.latent_dim
    batch_norm = config.batch_norm and normalization == "batch"
    steep = {"activation": "tanh", "max_gain": config.max_gain} if config.max_gain else {}
    makers = {
        "recognition": lambda: perceptron(dim, config.recognition, 2 * latent, name="recognition"),
        "generator": lambda: perceptron(latent, config.generator, dim, name="generator", **steep),
        "latent_critic": lambda: perceptron(latent, config.latent_critic, 1, name="latent_critic"),
        "image_critic": lambda: (
            lipschitz_critic(dim, config.image_critic, config.lipschitz, config.input_scale)
            if normalization == "spectral"
            else critic(dim, config.image_critic, outputs, batch_norm)
        ),
        "joint_critic": lambda: joint_critic(dim, latent, config.image_critic),
    }
    return {name: makers[name]() for name in names}


def perceptron(inputs, widths, outputs, activation="relu", max_gain=0, name=None):
    """A dense network; with `max_gain` each hidden unit has a gain, see `layers.Gain`."""

    def hidden(width, n):
        if not max_gain:
            return [layers.Dense(width, activation, **_fan_in(n))]
        return [layers.Dense(width, **_fan_in(n)), Gain(max_gain), layers.Activation(activation)]

    return keras.Sequential(
        [
            keras.Input((inputs,)),
            *(layer for n, width in _pairs(inputs, widths) for layer in hidden(width, n)),
            layers.Dense(outputs, dtype="float32", **_fan_in([inputs, *widths][-1])),
        ],
        name=name,
    )


def critic(inputs, widths, outputs, batch_norm=False):
    """An image critic without spectral normalisation.

    With `batch_norm` it is batch normalised in all hidden layers but the first, as on images.
    """
    if not batch_norm:
        return perceptron(inputs, widths, outputs, "leaky_relu", name="image_critic")
    network = [keras.Input((inputs,))]
    for i, (n, width) in enumerate(_pairs(inputs, widths)):
        normalized = [batch_normalization()] if i else []
        dense = layers.Dense(width, use_bias=not i, **_fan_in(n))
        network += [dense, *normalized, layers.LeakyReLU(0.2)]
    network.append(layers.Dense(outputs, dtype="float32", **_fan_in([inputs, *widths][-1])))
    return keras.Sequential(network, name="image_critic")


def batch_normalization():
    """By the statistics of the whole batch, over however many replicas it is spread."""
    kwargs = {"synchronized": True} if several.replicas() > 1 else {}
    return layers.BatchNormalization(**kwargs)


def lipschitz_critic(inputs, widths, lipschitz, scale):
    """A spectrally normalised image critic: D(x) = (K / c) f(c x), f 1-Lipschitz, c the scale.

    On images K = 1 does. Points of modes a hundredth of the data's extent wide need a steeper
    critic, and scaling its input as well lets its few units put their bends between the modes.
    """

    def normalized(width, n, **kwargs):
        return SpectralNormalization(layers.Dense(width, **_fan_in(n), **kwargs))

    return keras.Sequential(
        [
            keras.Input((inputs,)),
            layers.Rescaling(scale),
            *(normalized(width, n, activation="leaky_relu") for n, width in _pairs(inputs, widths)),
            normalized(1, [inputs, *widths][-1]),
            layers.Rescaling(lipschitz / scale, dtype="float32"),
        ],
        name="image_critic",
    )


def joint_critic(inputs, latent_dim, widths):
    """A critic of pairs of a point and a latent."""
    pair = [keras.Input((inputs,)), keras.Input((latent_dim,))]
    critic = perceptron(inputs + latent_dim, widths, 1, "leaky_relu")
    return keras.Model(pair, critic(layers.Concatenate()(pair)), name="joint_critic")


def _pairs(inputs, widths):
    """Each layer's number of inputs and its width."""
    return zip([inputs, *widths][:-1], widths, strict=True)


def _fan_in(n):
    """Weights and biases uniform in +-1/sqrt(n): bends all over the input, not only at 0."""
    uniform = keras.initializers.RandomUniform
    return {
        "kernel_initializer": uniform(-(n**-0.5), n**-0.5),
        "bias_initializer": uniform(-(n**-0.5), n**-0.5),
    }
