"""Convolutional networks after DCGAN (Radford et al. 2016), at any resolution from 8 up.

One description serves 28, 32, 64 and 128: the image is halved until its side is 4 to 7, and the
channels double with each halving.
"""

import keras
from keras import layers

from bms_keras import fields
from bms_keras.errors import BadInput
from bms_keras.fields import Field
from bms_keras.layers import SpectralNormalization, initializers
from bms_keras.networks.mlp import batch_normalization, perceptron
from bms_keras.networks.transposed import Conv2DTranspose

FIELDS = {
    "width": Field(64, fields.size, "channels of an image after the first halving"),
    "latent_critic": Field((750, 750, 750), fields.widths, "hidden widths of D_L"),
}


def build(config, shape, names, normalization="spectral", outputs=1):
    """Builds the networks for images of `shape` (side, side, channels).

    Args:
        config: `latent_dim`, and the fields above.
        shape, names, normalization, outputs: See `bms_keras.networks.build`.

    Returns:
        Dictionary of `keras.Sequential` by name.
    """
    check_square(shape, "dcgan")
    latent, width = config.latent_dim, config.width
    makers = {
        "recognition": lambda: recognition(shape, width, latent),
        "generator": lambda: generator(latent, width, shape),
        "image_critic": lambda: critic(shape, width, normalization, outputs),
        **latent_networks(config, shape),
    }
    return {name: makers[name]() for name in names}


def latent_networks(config, shape):
    """The networks that are the same for all image families, as `makers` by name."""
    latent, width = config.latent_dim, config.width
    return {
        "latent_critic": lambda: perceptron(latent, config.latent_critic, 1, name="latent_critic"),
        "joint_critic": lambda: joint_critic(shape, width, latent),
        "autoencoder": lambda: autoencoder(shape, width, latent),
    }


def check_square(shape, family):
    """Refuses what is no square image of at least 8 x 8."""
    if len(shape) != 3 or shape[0] != shape[1] or shape[0] < 8:
        raise BadInput(
            f"networks.family {family!r} needs square images of at least 8 x 8. Received: {shape}"
        )


def stages(side, width):
    """How an image of that side is halved.

    Returns:
        The side that is left, and the channels after each halving.

    Example:

    >>> stages(64, 64)
    (4, [64, 128, 256, 512])
    """
    channels = []
    while side >= 8:
        if side % 2:
            raise BadInput(
                "convolutional networks need a resolution of 4 to 7 times a power of two, such as "
                f"28, 32, 64 or 128. Received a side that cannot be halved: {side}"
            )
        channels.append(width * 2 ** len(channels))
        side //= 2
    return side, channels


def generator(latent_dim, width, shape):
    """G: a dense layer, a transposed convolution for each doubling, batch normalised; tanh."""
    network = [keras.Input((latent_dim,)), *_doubling(shape, width, batch_norm=True)]
    return keras.Sequential(network, name="generator")


def recognition(shape, width, latent_dim):
    """R: the mirror of G, to the mean and the log-variance side by side."""
    return _halving(shape, width, 2 * latent_dim, "recognition")


def critic(shape, width, normalization, outputs=1):
    """D_I: spectrally normalised in every layer, batch normalised in all but the first, or not."""
    return _halving(shape, width, outputs, "image_critic", normalization)


def joint_critic(shape, width, latent_dim):
    """A critic of pairs of an image and a latent, without normalisation."""
    pair = [keras.Input(shape), keras.Input((latent_dim,))]
    features = layers.LeakyReLU(0.2)(_halving(shape, width, 8 * width, None, "none")(pair[0]))
    logit = perceptron(8 * width + latent_dim, (8 * width,), 1, "leaky_relu")
    return keras.Model(pair, logit(layers.Concatenate()([features, pair[1]])), name="joint_critic")


def autoencoder(shape, width, code):
    """From images to images by a code, without normalisation (Berthelot et al. 2017, figure 1)."""
    encoder = _halving(shape, width, code, None, "none")
    decoder = [keras.Input((code,)), *_doubling(shape, width, batch_norm=False)]
    return keras.Sequential([encoder, keras.Sequential(decoder)], name="autoencoder")


def normal_weights():
    """Radford's initial weights, and Miyato's: normal, of standard deviation 0.02.

    A new initializer for each layer: one for all would give equal shapes equal weights.
    """
    return {"kernel_initializer": initializers.Normal(stddev=0.02)}


def _doubling(shape, width, batch_norm):
    """A dense layer, then a transposed convolution of stride 2 for each doubling, to tanh."""
    side, channels = stages(shape[0], width)
    between = lambda: [batch_normalization()] * batch_norm + [layers.ReLU()]  # noqa: E731
    network = [layers.Dense(side * side * channels[-1], **normal_weights())]
    network += [layers.Reshape((side, side, channels[-1])), *between()]
    for filters in reversed(channels[:-1]):
        conv = Conv2DTranspose(filters, 4, 2, "same", use_bias=not batch_norm, **normal_weights())
        network += [conv, *between()]
    network.append(Conv2DTranspose(shape[-1], 4, 2, "same", **normal_weights()))
    return [*network, layers.Activation("tanh", dtype="float32")]


def _halving(shape, width, outputs, name, normalization="batch"):
    """A convolution of stride 2 for each halving, then a dense layer."""
    wrap = SpectralNormalization if normalization == "spectral" else lambda layer: layer
    network = [keras.Input(shape)]
    for i, filters in enumerate(stages(shape[0], width)[1]):
        normalized = i > 0 and normalization == "batch"
        conv = layers.Conv2D(filters, 4, 2, "same", use_bias=not normalized, **normal_weights())
        network.append(wrap(conv))
        network += [batch_normalization()] if normalized else []
        network.append(layers.LeakyReLU(0.2))
    network += [layers.Flatten(), wrap(layers.Dense(outputs, dtype="float32", **normal_weights()))]
    return keras.Sequential(network, name=name)
