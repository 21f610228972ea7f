"""The "standard CNN" of Miyato et al. 2018, table 3, which the paper takes for CIFAR-10."""

import keras
from keras import layers

from bms_keras import fields
from bms_keras.errors import BadInput
from bms_keras.fields import Field
from bms_keras.layers import SpectralNormalization
from bms_keras.networks import dcgan
from bms_keras.networks.transposed import Conv2DTranspose

FIELDS = {
    "width": Field(64, fields.size, "channels of the first convolution of D_I, 64 in the table"),
    "latent_critic": dcgan.FIELDS["latent_critic"],
}


def build(config, shape, names, normalization="spectral", outputs=1):
    """Builds the networks for images of `shape` (32, 32, channels), or of 40, 48, 56, 64, 80, ...

    Table 3 has no recognition network; R is DCGAN's, as in the paper's section 4.3.

    Args:
        config: `latent_dim`, and the fields above.
        shape, names, normalization, outputs: See `bms_keras.networks.build`.

    Returns:
        Dictionary of `keras.Sequential` by name.
    """
    dcgan.check_square(shape, "standard_cnn")
    if shape[0] % 8 or shape[0] < 32:
        raise BadInput(
            "networks.family 'standard_cnn' needs a resolution of 32, 40, 48, 56, 64, 80, ... "
            f"Received: {shape[0]}"
        )
    latent, width = config.latent_dim, config.width
    makers = {
        "recognition": lambda: dcgan.recognition(shape, width, latent),
        "generator": lambda: generator(latent, width, shape),
        "image_critic": lambda: critic(shape, width, normalization, outputs),
        **dcgan.latent_networks(config, shape),
    }
    return {name: makers[name]() for name in names}


def generator(latent_dim, width, shape):
    """G: dense, three transposed convolutions of stride 2, a convolution to the image.

    Batch normalisation and ReLU follow the dense layer too, unit by unit, as in the authors' code
    (chainer-gan-lib, common/net.py); the table leaves them out.
    """
    side = shape[0] // 8
    network = [
        keras.Input((latent_dim,)),
        layers.Dense(side * side * 8 * width, use_bias=False, **dcgan.normal_weights()),
        dcgan.batch_normalization(),
        layers.ReLU(),
        layers.Reshape((side, side, 8 * width)),
    ]
    for factor in (4, 2, 1):
        conv = Conv2DTranspose(
            factor * width, 4, 2, "same", use_bias=False, **dcgan.normal_weights()
        )
        network += [conv, dcgan.batch_normalization(), layers.ReLU()]
    network += [
        layers.Conv2D(shape[-1], 3, 1, "same", **dcgan.normal_weights()),
        layers.Activation("tanh", dtype="float32"),
    ]
    return keras.Sequential(network, name="generator")


def critic(shape, width, normalization, outputs=1):
    """D_I: seven convolutions, of which three halve the image, and a dense layer.

    As the table has it; the authors' code doubles the channels in the halving convolutions. Batch
    normalisation, where a method asks for it, follows all convolutions but the first, as in DCGAN.
    """
    wrap = SpectralNormalization if normalization == "spectral" else lambda layer: layer
    network = [keras.Input(shape)]
    for factor, halve in ((1, True), (2, True), (4, True), (8, False)):
        for kernel, stride in ((3, 1), (4, 2))[: 1 + halve]:
            normalized = normalization == "batch" and len(network) > 1
            kwargs = {"use_bias": not normalized, **dcgan.normal_weights()}
            network.append(wrap(layers.Conv2D(factor * width, kernel, stride, "same", **kwargs)))
            network += [dcgan.batch_normalization()] if normalized else []
            network.append(layers.LeakyReLU(0.1))
    dense = layers.Dense(outputs, dtype="float32", **dcgan.normal_weights())
    network += [layers.Flatten(), wrap(dense)]
    return keras.Sequential(network, name="image_critic")
