"""The standard CNN is table 3 of Miyato et al. 2018."""

import types

import keras
import numpy as np
import pytest
from conftest import HYBRID, LATENT
from helpers import count, enlarged, kinds, wrapped

import bms_keras
from bms_keras import networks

CONFIG = types.SimpleNamespace(
    family="standard_cnn", latent_dim=LATENT, width=2, latent_critic=(8,)
)

# Kernel, stride and channels of each convolution in table 3, and the side after it.
CRITIC = [
    (3, 1, 64, 32),
    (4, 2, 64, 16),
    (3, 1, 128, 16),
    (4, 2, 128, 8),
    (3, 1, 256, 8),
    (4, 2, 256, 4),
    (3, 1, 512, 4),
]
GENERATOR = [(4, 2, 256, 8), (4, 2, 128, 16), (4, 2, 64, 32), (3, 1, 3, 32)]


def build(shape, names=HYBRID, normalization="spectral", **fields):
    config = types.SimpleNamespace(**vars(CONFIG) | fields)
    return networks.build(config, shape, names, normalization)


def convolutions(network):
    found = [(layer, wrapped(layer)) for layer in network.layers]
    rows = []
    for layer, conv in found:
        if "Conv" in type(conv).__name__:
            (kernel, kernel_too), (stride, stride_too) = conv.kernel_size, conv.strides
            assert (kernel, stride) == (kernel_too, stride_too)
            assert layer.output.shape[1:] == (layer.output.shape[1],) * 2 + (conv.filters,)
            rows.append((kernel, stride, conv.filters, layer.output.shape[1]))
    return rows


@pytest.mark.parametrize("normalization", ["spectral", "none"])
def test_the_critic_of_table_3(normalization):
    critic = build((32, 32, 3), ("image_critic",), normalization, width=64)["image_critic"]
    assert convolutions(critic) == CRITIC
    assert kinds(critic) == ["Conv2D", "LeakyReLU"] * 7 + ["Flatten", "Dense"]
    assert {n.negative_slope for n in critic.layers if "LeakyReLU" in type(n).__name__} == {0.1}
    inputs = [3, *(channels for _, _, channels, _ in CRITIC)]
    weights = sum(
        kernel**2 * before * after + after
        for (kernel, _, after, _), before in zip(CRITIC, inputs, strict=False)
    )
    assert count(critic) == weights + 4 * 4 * 512 + 1
    norms = [n for n in critic.layers if isinstance(n, bms_keras.SpectralNormalization)]
    kernels = [w for w in critic.trainable_weights if len(w.shape) > 1]
    assert [n.layer.kernel for n in norms] == (kernels if normalization == "spectral" else [])


def test_batch_norm_follows_all_convolutions_but_the_first():
    critic = build((32, 32, 3), ("image_critic",), "batch", width=64)["image_critic"]
    assert convolutions(critic) == CRITIC
    first, other = ["Conv2D", "LeakyReLU"], ["Conv2D", "BatchNormalization", "LeakyReLU"]
    assert kinds(critic) == [*first, *other * 6, "Flatten", "Dense"]
    inputs = [3, *(channels for _, _, channels, _ in CRITIC)]
    kernels = sum(k**2 * a * b for (k, _, b, _), a in zip(CRITIC, inputs, strict=False))
    norms = sum(2 * channels for _, _, channels, _ in CRITIC[1:])
    assert count(critic) == kernels + 64 + norms + 4 * 4 * 512 + 1


def test_the_generator_of_table_3():
    generator = build((32, 32, 3), ("generator",), latent_dim=16, width=64)["generator"]
    assert convolutions(generator) == GENERATOR
    block = ["Conv2DTranspose", "BatchNormalization", "ReLU"]
    first = ["Dense", "BatchNormalization", "ReLU", "Reshape"]
    assert kinds(generator) == [*first, *block * 3, "Conv2D", "Activation"]
    assert generator.layers[3].output.shape[1:] == (4, 4, 512)
    kernels = 16 * 8192 + 16 * (512 * 256 + 256 * 128 + 128 * 64) + 9 * 64 * 3
    assert count(generator) == kernels + 2 * (8192 + 256 + 128 + 64) + 3


def test_initial_weights_are_the_authors():
    """Normal of 0.02 in every layer, biases 0: chainer-gan-lib, common/net.py, `wscale`."""
    for network in build((32, 32, 3), HYBRID[1:3], width=16).values():
        kernels = [w for w in network.trainable_weights if len(w.shape) > 1]
        for kernel in kernels:
            values = kernel.numpy()
            n = values.size
            assert abs(values.std() / 0.02 - 1) < 5 / np.sqrt(2 * n)
            assert abs(values.mean()) < 5 * 0.02 / np.sqrt(n)
        biases = [w for w in network.trainable_weights if w.name == "bias"]
        assert all(not np.any(bias.numpy()) for bias in biases)


def test_the_generator_bends_after_its_dense_layer():
    """Else the dense layer and the first convolution would be one linear map of z."""
    generator = build((32, 32, 3), ("generator",))["generator"]
    (first,) = (layer for layer in generator.layers if "Reshape" in type(layer).__name__)
    maps = keras.Model(generator.inputs, first.output)
    z = np.random.default_rng(0).standard_normal((8, LATENT)).astype("float32")
    assert np.min(maps.predict(z, verbose=0)) == 0


@pytest.mark.parametrize("side", [32, 40, 48, 80])
def test_shapes_at_multiples_of_eight(side):
    built = build((side, side, 1))
    assert {name: (n.input_shape[1:], n.output_shape[1:]) for name, n in built.items()} == {
        "recognition": ((side, side, 1), (2 * LATENT,)),
        "generator": ((LATENT,), (side, side, 1)),
        "image_critic": ((side, side, 1), (1,)),
        "latent_critic": ((LATENT,), (1,)),
    }


def test_images_are_in_minus_one_to_one():
    z = np.random.default_rng(0).standard_normal((20, LATENT)).astype("float32")
    x = enlarged(build((32, 32, 3), ("generator",))["generator"]).predict(z, verbose=0)
    assert np.abs(x).max() <= 1
    assert x.min() < -0.9
    assert x.max() > 0.9


def test_initial_weights_follow_the_seed():
    def kernels(seed):
        keras.utils.set_random_seed(seed)
        built = build((32, 32, 3), HYBRID[1:3]).values()
        return [w.numpy() for n in built for w in n.trainable_weights if len(w.shape) > 1]

    for a, b, c in zip(kernels(1), kernels(1), kernels(2), strict=True):
        np.testing.assert_array_equal(a, b)
        assert np.any(a != c)


@pytest.mark.usefixtures("mixed_bfloat16")
def test_outputs_are_float32_under_mixed_precision():
    for network in build((32, 32, 1)).values():
        assert network.outputs[0].dtype == "float32"
        assert network.layers[0].compute_dtype == "bfloat16"
        assert {w.dtype for w in network.weights} == {"float32"}


@pytest.mark.parametrize("shape", [(2,), (32, 64, 3), (28, 28, 1), (24, 24, 3), (33, 33, 3)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(bms_keras.BadInput, match="'standard_cnn' needs ") as error:
        build(shape)
    assert "\n" not in str(error.value)
