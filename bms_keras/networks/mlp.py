"""Dense networks for 2D data (the sizes of Srivastava et al. 2017, which the paper uses)."""

import functools

import keras
from keras import layers

from bms_keras import distribution, fields
from bms_keras.errors import BadInput
from bms_keras.fields import Field
from bms_keras.layers import Gain, SpectralNormalization, initializers

ACTIVATIONS = ("relu", "leaky_relu", "tanh")
INITIALIZERS = ("fan_in", "glorot", "orthogonal", "normal")
FIELDS = {
    "recognition": Field((128, 128), fields.widths, "hidden widths of R"),
    "generator": Field((128, 128), fields.widths, "hidden widths of G"),
    "image_critic": Field((128, 128), fields.widths, "hidden widths of D_I"),
    "latent_critic": Field((128, 128), fields.widths, "hidden widths of D_L"),
    "lipschitz": Field(1.0, fields.above_0, "Lipschitz constant of a normalised D_I"),
    "input_scale": Field(1.0, fields.above_0, "by which the input of a normalised D_I is scaled"),
    "activation": Field(
        "",
        fields.one_of(("", *ACTIVATIONS)),
        "of G's hidden units; '': ReLU, or tanh if they have gains",
    ),
    "critic_activation": Field(
        "leaky_relu", fields.one_of(ACTIVATIONS), "of the hidden units of D_I and the joint critic"
    ),
    "initializer": Field(
        "fan_in",
        fields.one_of(INITIALIZERS),
        "of all weights; fan_in: uniform in +-1/sqrt(inputs), biases too, which are 0 with others",
    ),
    "initializer_gain": Field(
        1.0, fields.above_0, "by which initial weights are multiplied; of normal: their deviation"
    ),
    "max_gain": Field(
        0.0,
        fields.number(lambda value: value == 0 or value > 1, "above 1, or 0 for no gains"),
        "a learned gain up to this for each hidden unit of G; 0: none",
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
    activation = config.activation or ("tanh" if config.max_gain else "relu")
    weights = functools.partial(initial, config.initializer, config.initializer_gain)
    dense = functools.partial(perceptron, weights=weights)
    critic = {"activation": config.critic_activation, "weights": weights}
    makers = {
        "recognition": lambda: dense(dim, config.recognition, 2 * latent, name="recognition"),
        "generator": lambda: dense(
            latent, config.generator, dim, activation, config.max_gain, name="generator"
        ),
        "latent_critic": lambda: dense(latent, config.latent_critic, 1, name="latent_critic"),
        "image_critic": lambda: (
            lipschitz_critic(
                dim, config.image_critic, config.lipschitz, config.input_scale, **critic
            )
            if normalization == "spectral"
            else perceptron(
                dim,
                config.image_critic,
                outputs,
                batch_norm=batch_norm,
                name="image_critic",
                **critic,
            )
        ),
        "joint_critic": lambda: joint_critic(dim, latent, config.image_critic, **critic),
    }
    return {name: makers[name]() for name in names}


def initial(name, gain, n):
    """What a `Dense` layer of n inputs takes for initial weights.

    Args:
        name: "fan_in": uniform in +-gain/sqrt(n), biases too, so that units bend all over the input
            and not only at 0. "glorot" (uniform), "orthogonal" or "normal": see
            `layers.initializers`; biases are 0.
        gain: What they are multiplied by; of "normal", the standard deviation.
        n: Inputs.

    Returns:
        Dictionary of new initializers: one for all would give equal shapes equal weights.
    """
    if name == "fan_in":
        bound = gain * n**-0.5
        uniform = lambda: initializers.Uniform(-bound, bound)  # noqa: E731
        return {"kernel_initializer": uniform(), "bias_initializer": uniform()}
    kernels = {
        "glorot": lambda: initializers.Glorot(gain),
        "orthogonal": lambda: initializers.Orthogonal(gain),
        "normal": lambda: initializers.Normal(stddev=gain),
    }
    return {"kernel_initializer": kernels[name]()}


FAN_IN = functools.partial(initial, "fan_in", 1.0)


def perceptron(
    inputs,
    widths,
    outputs,
    activation="relu",
    max_gain=0,
    batch_norm=False,
    name=None,
    weights=FAN_IN,
):
    """A dense network.

    Args:
        inputs, widths, outputs: Numbers that go in, hidden units of each layer, numbers put out.
        activation: Of the hidden units.
        max_gain: Each hidden unit has a gain of at most this, see `layers.Gain`; 0 for none.
        batch_norm: Whether all hidden layers but the first are batch normalised, as on images.
        name: Its name.
        weights: Function of a layer's number of inputs, see `initial`.

    Returns:
        `keras.Sequential`.
    """

    def hidden(n, width, normalized):
        if not max_gain and not normalized:
            return [layers.Dense(width, activation, **weights(n))]
        network = [layers.Dense(width, use_bias=not normalized, **weights(n))]
        network += [batch_normalization()] if normalized else []
        network += [Gain(max_gain)] if max_gain else []
        return [*network, layers.Activation(activation)]

    sizes = enumerate(_pairs(inputs, widths))
    return keras.Sequential(
        [
            keras.Input((inputs,)),
            *(layer for i, (n, width) in sizes for layer in hidden(n, width, batch_norm and i > 0)),
            layers.Dense(outputs, dtype="float32", **weights([inputs, *widths][-1])),
        ],
        name=name,
    )


def batch_normalization():
    """By the statistics of the whole batch, over however many replicas it is spread.

    Its numbers are those that authors have (PacGAN, WAE, Dist-GAN; chainer-gan-lib has 2e-5, and
    Newmu/dcgan_code 1e-8). Keras's 1e-3 would be more than the variance of what the first layers
    put out, by weights of N(0, 0.02), and halve it.
    """
    kwargs = {"synchronized": True} if distribution.replicas() > 1 else {}
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, **kwargs)


def lipschitz_critic(inputs, widths, lipschitz, scale, activation="leaky_relu", weights=FAN_IN):
    """A spectrally normalised image critic: D(x) = (K / c) f(c x), f 1-Lipschitz, c the scale.

    On images K = 1 does. Points of modes a hundredth of the data's extent wide need a steeper
    critic, and scaling its input as well lets its few units put their bends between the modes.
    """

    def normalized(width, n, **kwargs):
        return SpectralNormalization(layers.Dense(width, **weights(n), **kwargs))

    return keras.Sequential(
        [
            keras.Input((inputs,)),
            layers.Rescaling(scale),
            *(normalized(width, n, activation=activation) for n, width in _pairs(inputs, widths)),
            normalized(1, [inputs, *widths][-1]),
            layers.Rescaling(lipschitz / scale, dtype="float32"),
        ],
        name="image_critic",
    )


def joint_critic(inputs, latent_dim, widths, activation="leaky_relu", weights=FAN_IN):
    """A critic of pairs of a point and a latent."""
    pair = [keras.Input((inputs,)), keras.Input((latent_dim,))]
    critic = perceptron(inputs + latent_dim, widths, 1, activation, weights=weights)
    return keras.Model(pair, critic(layers.Concatenate()(pair)), name="joint_critic")


def _pairs(inputs, widths):
    """Each layer's number of inputs and its width."""
    return zip([inputs, *widths][:-1], widths, strict=True)
