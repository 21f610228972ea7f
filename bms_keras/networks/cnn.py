"""Convolutional networks by lists of channels, for square images of any side.

A list names the channels of one layer after the other: each has half the side of the one before,
rounded up, in a critic and in R, and twice the side in G. As they stand, the fields are the small
networks of Metz et al. 2017 for Stacked MNIST, with a critic of a quarter of G's channels, as the
code of Lin et al. 2018 has them (github.com/fjxmlzn/PacGAN, unrolled_GAN_experiment).
"""

import keras
from keras import layers

from bms_keras import fields
from bms_keras.errors import BadInput
from bms_keras.fields import Field
from bms_keras.layers import SpectralNormalization
from bms_keras.networks.dcgan import normal_weights
from bms_keras.networks.mlp import batch_normalization, perceptron
from bms_keras.networks.transposed import Conv2DTranspose


def _channels(value):
    """The channels of one layer after the other."""
    return fields.widths(value) or (None if value else "a tuple of one integer at least")


FIELDS = {
    "generator": Field((64, 32, 16, 8), _channels, "channels of G, from its dense layer on"),
    "last_stride": Field(
        1, fields.one_of((1, 2)), "stride of G's last convolution, to the channels of the image"
    ),
    "recognition": Field((8, 16, 32), _channels, "channels of R"),
    "image_critic": Field((2, 4, 8), _channels, "channels of D_I, and of the joint critic"),
    "kernel": Field(3, fields.one_of((3, 5, 7)), "height and width of all kernels"),
    "slope": Field(0.3, fields.share, "of the leaky ReLU of R and D_I below 0"),
    "first_norm": Field(
        True, fields.boolean, "whether the first layer of R and D_I is batch normalised, too"
    ),
    "latent_critic": Field((256, 256, 256), fields.widths, "hidden widths of D_L"),
}


def build(config, shape, names, normalization="spectral", outputs=1):
    """Builds the networks for images of `shape` (side, side, channels).

    Args:
        config: `latent_dim`, and the fields above.
        shape, names, normalization, outputs: See `bms_keras.networks.build`.

    Returns:
        Dictionary of `keras.Model`s by name.
    """
    if len(shape) != 3 or shape[0] != shape[1]:
        raise BadInput(f"networks.family 'cnn' needs square images. Received: {shape}")
    latent = config.latent_dim
    makers = {
        "recognition": lambda: halving(
            config, shape, config.recognition, 2 * latent, "batch", "recognition"
        ),
        "generator": lambda: generator(config, shape),
        "image_critic": lambda: halving(
            config, shape, config.image_critic, outputs, normalization, "image_critic"
        ),
        "latent_critic": lambda: perceptron(latent, config.latent_critic, 1, name="latent_critic"),
        "joint_critic": lambda: joint_critic(config, shape),
    }
    return {name: makers[name]() for name in names}


def sides(side, count):
    """The sides of so many layers, of which the last has `side`.

    Example:

    >>> sides(28, 4)
    [4, 7, 14, 28]
    """
    found = [side]
    while len(found) < count:
        found.insert(0, -(-found[0] // 2))
    return found


def generator(config, shape):
    """G: a dense layer and transposed convolutions, batch normalised, a convolution, tanh."""
    between = lambda: [batch_normalization(), layers.ReLU()]  # noqa: E731
    filters, kernel, last_stride = config.generator, config.kernel, config.last_stride
    levels = sides(-(-shape[0] // last_stride), len(filters))
    network = [keras.Input((config.latent_dim,))]
    network.append(layers.Dense(levels[0] ** 2 * filters[0], use_bias=False, **normal_weights()))
    network += [layers.Reshape((levels[0], levels[0], filters[0])), *between()]
    for before, side, channels in zip(levels, levels[1:], filters[1:], strict=False):
        network += [_doubling(before, side, channels, kernel, use_bias=False), *between()]
    if last_stride == 2:
        network.append(_doubling(levels[-1], shape[0], shape[-1], kernel))
    else:
        network.append(layers.Conv2D(shape[-1], kernel, 1, "same", **normal_weights()))
    network.append(layers.Activation("tanh", dtype="float32"))
    return keras.Sequential(network, name="generator")


def halving(config, shape, filters, outputs, normalization, name):
    """R or D_I: convolutions of stride 2, then a dense layer."""
    wrap = SpectralNormalization if normalization == "spectral" else lambda layer: layer
    network = [keras.Input(shape)]
    for i, channels in enumerate(filters):
        normalized = normalization == "batch" and (i > 0 or config.first_norm)
        kwargs = {"use_bias": not normalized, **normal_weights()}
        network.append(wrap(layers.Conv2D(channels, config.kernel, 2, "same", **kwargs)))
        network += [batch_normalization()] if normalized else []
        network.append(layers.LeakyReLU(config.slope))
    network += [layers.Flatten(), wrap(layers.Dense(outputs, dtype="float32", **normal_weights()))]
    return keras.Sequential(network, name=name)


def joint_critic(config, shape):
    """A critic of pairs of an image and a latent, without normalisation."""
    width, latent = 8 * config.image_critic[0], config.latent_dim
    pair = [keras.Input(shape), keras.Input((latent,))]
    of_image = halving(config, shape, config.image_critic, width, "none", None)(pair[0])
    features = layers.Concatenate()([layers.LeakyReLU(config.slope)(of_image), pair[1]])
    logit = perceptron(width + latent, (width,), 1, "leaky_relu")
    return keras.Model(pair, logit(features), name="joint_critic")


def _doubling(before, side, channels, kernel, **kwargs):
    """A transposed convolution of stride 2 to a side of twice the one before, or one less."""
    padding = side - (2 * before - 1)
    return Conv2DTranspose(
        channels, kernel, 2, "same", output_padding=padding, **normal_weights(), **kwargs
    )
