"""One description gives DCGAN's networks at every resolution, normalised where they should be."""

import types

import keras
import numpy as np
import pytest
from conftest import HYBRID, LATENT
from helpers import count, enlarged, kinds, wrapped

import bms_keras
from bms_keras import networks

CONFIG = types.SimpleNamespace(family="dcgan", latent_dim=LATENT, width=2, latent_critic=(8, 8))


def build(shape, names=HYBRID, normalization="spectral", **fields):
    config = types.SimpleNamespace(**vars(CONFIG) | fields)
    return networks.build(config, shape, names, normalization)


def convolutions(network):
    """(filters, kernel, strides, shape of the output) of each convolution."""
    found = [(layer, wrapped(layer)) for layer in network.layers]
    return [
        (conv.filters, conv.kernel_size, conv.strides, tuple(layer.output.shape[1:]))
        for layer, conv in found
        if "Conv" in type(conv).__name__
    ]


@pytest.mark.parametrize(
    ("side", "sides"),
    [
        (8, [8, 4]),
        (24, [24, 12, 6]),
        (28, [28, 14, 7]),
        (32, [32, 16, 8, 4]),
        (40, [40, 20, 10, 5]),
        (64, [64, 32, 16, 8, 4]),
        (128, [128, 64, 32, 16, 8, 4]),
    ],
)
def test_shapes_at_every_resolution(side, sides):
    built = build((side, side, 3))
    channels = [2 * 2**i for i in range(len(sides) - 1)]
    halving = [(c, (4, 4), (2, 2), (s, s, c)) for c, s in zip(channels, sides[1:], strict=True)]
    assert convolutions(built["recognition"]) == halving
    assert convolutions(built["image_critic"]) == halving
    filters = [3, *channels][:-1][::-1]
    doubling = [(c, (4, 4), (2, 2), (s, s, c)) for c, s in zip(filters, sides[-2::-1], strict=True)]
    assert convolutions(built["generator"]) == doubling
    assert {name: (n.input_shape[1:], n.output_shape[1:]) for name, n in built.items()} == {
        "recognition": ((side, side, 3), (2 * LATENT,)),
        "generator": ((LATENT,), (side, side, 3)),
        "image_critic": ((side, side, 3), (1,)),
        "latent_critic": ((LATENT,), (1,)),
    }


def test_the_generator_is_that_of_radford():
    """Figure 1 of Radford et al. has 16 times the channels: 4 x 4 x 1024 up to 64 x 64 x 3."""
    generator = build((64, 64, 3), ("generator",), latent_dim=100, width=8)["generator"]
    shapes = [layer.output.shape[1:] for layer in generator.layers]
    stages = [(4, 4, 64), (8, 8, 32), (16, 16, 16), (32, 32, 8), (64, 64, 3)]
    assert list(dict.fromkeys(shapes)) == [(1024,), *stages]
    normalized = ["BatchNormalization", "ReLU"]
    upper = ["Conv2DTranspose", *normalized] * 3
    last = ["Conv2DTranspose", "Activation"]
    assert kinds(generator) == ["Dense", "Reshape", *normalized, *upper, *last]
    batch_norm = 2 * (64 + 32 + 16 + 8)  # no bias before these but the first
    kernels = 4 * 4 * (64 * 32 + 32 * 16 + 16 * 8 + 8 * 3)
    assert count(generator) == 100 * 1024 + 1024 + kernels + batch_norm + 3


def test_parameters_of_the_critics():
    built = build((32, 32, 3), ("image_critic", "recognition"), width=4)
    kernels = 4 * 4 * (3 * 4 + 4 * 8 + 8 * 16)
    dense = 4 * 4 * 16
    assert count(built["image_critic"]) == kernels + (4 + 8 + 16) + dense + 1
    with_batch_norm = kernels + 4 + 2 * (8 + 16)
    assert count(built["recognition"]) == with_batch_norm + (dense + 1) * 2 * LATENT


def test_a_normalised_critic_has_a_norm_on_every_kernel_and_no_batch_norm():
    critic = build((32, 32, 3))["image_critic"]
    assert kinds(critic) == ["Conv2D", "LeakyReLU"] * 3 + ["Flatten", "Dense"]
    norms = [n for n in critic.layers if isinstance(n, bms_keras.SpectralNormalization)]
    kernels = [w for w in critic.trainable_weights if len(w.shape) > 1]
    assert [n.layer.kernel for n in norms] == kernels
    assert len(kernels) == 4


@pytest.mark.parametrize("name", ["image_critic", "recognition"])
def test_otherwise_batch_norm_follows_all_convolutions_but_the_first(name):
    network = build((32, 32, 3), normalization="spectral" if name == "recognition" else "batch")[
        name
    ]
    first, other = ["Conv2D", "LeakyReLU"], ["Conv2D", "BatchNormalization", "LeakyReLU"]
    assert kinds(network) == [*first, *other, *other, "Flatten", "Dense"]
    assert kinds(network) == [type(layer).__name__ for layer in network.layers]  # none is wrapped


def test_a_normalised_critic_is_1_lipschitz_by_layer(converge):
    critic = converge(build((8, 8, 1), ("image_critic",))["image_critic"])
    for layer in critic.layers:
        if isinstance(layer, bms_keras.SpectralNormalization):
            kernel = np.asarray(layer.normalized_kernel()).reshape(-1, layer.layer.kernel.shape[-1])
            np.testing.assert_allclose(np.linalg.norm(kernel, 2), 1, rtol=1e-4)


def test_images_are_in_minus_one_to_one_and_latents_in_no_bounds():
    built = build((8, 8, 3), normalization="batch")
    z = np.random.default_rng(0).standard_normal((20, LATENT)).astype("float32")
    x = enlarged(built["generator"]).predict(z, verbose=0)
    assert np.abs(x).max() <= 1
    assert x.min() < -0.9
    assert x.max() > 0.9
    for name in ("recognition", "image_critic"):
        y = enlarged(built[name]).predict(x, verbose=0)
        assert np.abs(y).max() > 1.5


def test_initial_weights_follow_the_seed_and_are_all_different():
    """Normal with a standard deviation of 0.02, as Radford et al. have it."""

    def kernels(seed):
        keras.utils.set_random_seed(seed)
        built = build((16, 16, 3), HYBRID[:3], width=8)
        return [w.numpy() for n in built.values() for w in n.trainable_weights if len(w.shape) > 1]

    one, again, other = kernels(1), kernels(1), kernels(2)
    for kernel in one:
        assert kernel.std() == pytest.approx(0.02, rel=0.25)
        assert abs(kernel.mean()) < 0.01
    for a, b, c in zip(one, again, other, strict=True):
        np.testing.assert_array_equal(a, b)
        assert np.any(a != c)
    assert len({kernel.ravel()[0] for kernel in one}) == len(one)


@pytest.mark.usefixtures("mixed_bfloat16")
@pytest.mark.parametrize("normalization", ["spectral", "batch"])
def test_outputs_are_float32_under_mixed_precision(normalization):
    for network in build((8, 8, 1), normalization=normalization).values():
        y = network(np.ones((3, *network.input_shape[1:]), "float32"))
        assert keras.backend.standardize_dtype(y.dtype) == "float32"
        assert network.layers[0].compute_dtype == "bfloat16"
        assert {w.dtype for w in network.weights} == {"float32"}


def test_only_the_networks_that_were_asked_for():
    assert list(build((8, 8, 1), ("image_critic",))) == ["image_critic"]


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2,), r"square images of at least 8 x 8. Received: \(2,\)"),
        ((32, 64, 3), r"square images .*\(32, 64, 3\)"),
        ((4, 4, 3), r"at least 8 x 8. Received: \(4, 4, 3\)"),
        ((30, 30, 3), "such as 28, 32, 64 or 128. Received .*15"),
        ((33, 33, 3), "such as 28, 32, 64 or 128. Received .*33"),
    ],
)
def test_what_cannot_be_halved_is_refused(shape, message):
    with pytest.raises(bms_keras.BadInput, match=message) as error:
        build(shape)
    assert "\n" not in str(error.value)
