"""The network of FID is the one it says, in every particular that moves the number."""

import importlib.util
import os
import pathlib
import sys
from unittest import mock

import keras
import numpy as np
import pytest
from keras import ops

from bms_keras.errors import BadInput
from bms_keras.metrics import feature_networks, inception
from bms_keras.metrics.inception import Inception
from bms_keras.metrics.tfgan import TFHubInception, module

RNG = np.random.default_rng(0)
REFERENCE = pathlib.Path(__file__).parents[2] / "shared/data/cifar10_test_first64_pool3.npy"
SQUARE = [("conv", 1), ("tower/conv", 2), ("tower_1/conv", 3), ("tower_2/conv", 1)]
LONG = [("conv", 1), ("tower/conv", 3), ("tower_1/conv", 5), ("tower_2/conv", 1)]
WIDE = [("conv", 1), ("tower_conv", 1), ("tower_mixed_conv", 2)]
WIDE += [("tower_1_conv", 2), ("tower_1_mixed_conv", 2), ("tower_2_conv", 1)]
BLOCKS = {
    "": [("conv", 5)],
    **dict.fromkeys(("mixed/", "mixed_1/", "mixed_2/"), SQUARE),
    "mixed_3/": [("conv", 1), ("tower/conv", 3)],
    **dict.fromkeys(("mixed_4/", "mixed_5/", "mixed_6/", "mixed_7/"), LONG),
    "mixed_8/": [("tower/conv", 2), ("tower_1/conv", 4)],
    **dict.fromkeys(("mixed_9/", "mixed_10/"), WIDE),
}
NAMES = [  # the layers of the graph of 2015, in the order of the paper's branches
    block + name + (f"_{i}" if i else "")
    for block, branches in BLOCKS.items()
    for name, count in branches
    for i in range(count)
]
needs_tfgan = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow_gan") is None, reason="TF-GAN is not installed"
)


@pytest.fixture(scope="module")
def theirs():
    """Keras's own Inception v3, whose last block pools by average, with random weights."""
    zeros = lambda self, shape, dtype=None: np.zeros(shape, "float32")  # noqa: E731
    with mock.patch.object(keras.initializers.VarianceScaling, "__call__", zeros):  # quick on JAX
        model = keras.applications.InceptionV3(False, None, pooling="avg")
    for layer in model.layers:
        shapes = [w.shape for w in layer.weights]
        if len(shapes) == 1:
            fan_in = np.prod(shapes[0][:-1])
            layer.set_weights([RNG.standard_normal(shapes[0]) * np.sqrt(2 / fan_in)])
        elif shapes:
            beta, mean = 0.1 * RNG.standard_normal((2, *shapes[0]))
            layer.set_weights([beta, mean, RNG.uniform(0.8, 1.2, shapes[0])])
    return model


@pytest.fixture(scope="module")
def arrays(theirs):
    """The weights of Keras's network under the names of 2015."""
    layers = [  # in the order of their making, which their names number
        sorted(
            (x for x in theirs.layers if isinstance(x, kind)), key=lambda x: (len(x.name), x.name)
        )
        for kind in (keras.layers.Conv2D, keras.layers.BatchNormalization)
    ]
    found = {}
    for name, convolution, normalization in zip(NAMES, *layers, strict=True):
        weights = [*convolution.get_weights(), *normalization.get_weights()]
        for part, array in zip(("kernel", "beta", "mean", "var"), weights, strict=True):
            found[f"{name}/{part}"] = array
    return found


@pytest.fixture(scope="module")
def network(arrays):
    return Inception(arrays)


@pytest.fixture(scope="module")
def small():
    """Five images, 20 pixels high and 24 wide."""
    return RNG.integers(0, 256, (5, 20, 24, 3), "uint8")


def naive_resize(image, size=299):
    """The resize of TensorFlow 1, row by row."""
    height, width, _ = image.shape
    result = np.zeros((size, size, image.shape[2]))
    x = np.arange(size) * width / size
    left = x.astype(int)
    right, share = np.minimum(left + 1, width - 1), (x - left)[:, None]
    for i in range(size):
        y = i * height / size
        top = int(y)
        bottom = min(top + 1, height - 1)
        upper = image[top, left] + (image[top, right] - image[top, left]) * share
        lower = image[bottom, left] + (image[bottom, right] - image[bottom, left]) * share
        result[i] = upper + (lower - upper) * (y - top)
    return result


def test_all_but_the_last_pool_is_as_in_keras(theirs, network, small):
    """All branches of the last block but the pooled one, which pools by maximum in 2015."""
    ours = network.features(small, batch_size=2)
    x = np.stack([naive_resize(image.astype("float64")) for image in small[:2]])
    expected = theirs.predict_on_batch(((x - 128) / 128).astype("float32"))
    assert expected[:, :1856].std() > 0.1  # the random weights let something through
    np.testing.assert_allclose(ours[:2, :1856], expected[:, :1856], rtol=1e-3, atol=1e-3)
    assert np.abs(ours[:2, 1856:] - expected[:, 1856:]).max() > 0.1


def test_a_batch_may_be_short(network, small):
    done = []
    together = network.features(small, batch_size=2, progress=done.append)
    alone = np.concatenate([network.features(small[i : i + 1], batch_size=2) for i in range(5)])
    assert together.shape == (5, 2048)
    assert together.dtype == np.float32
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-4)
    assert done == [2, 4, 5]
    assert network.features(small[:0], batch_size=2).shape == (0, 2048)


def test_grey_images_and_a_policy_of_half_precision(network, arrays, small, mixed_bfloat16):
    grey = small[:2, ..., :1]
    expected = network.features(np.repeat(grey, 3, -1), batch_size=2)
    half = Inception(arrays)
    assert half.fingerprint == network.fingerprint
    features = half.features(grey, batch_size=2)
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-4)


def test_other_images_are_refused(network, small):
    for images in (small.astype("float32"), small[0], small[..., :2]):
        with pytest.raises(ValueError, match=r"must be uint8.*Received"):
            network.features(images)


def test_other_weights_are_refused(arrays):
    less = {name: array for name, array in arrays.items() if name != "mixed_7/tower/conv_1/var"}
    with pytest.raises(BadInput, match=r"mixed_7/tower/conv_1/var \(192,\). Received: 375"):
        Inception(less)
    with pytest.raises(BadInput, match=r"conv/beta of shape \(32,\). Received: \(3,\)"):
        Inception(arrays | {"conv/beta": np.zeros(3)})


@pytest.mark.parametrize("value", [-1e-6, -3e38, np.nan])
@pytest.mark.parametrize("place", [0, 31])
def test_a_variance_below_zero_is_refused(arrays, place, value):
    variance = arrays["conv_1/var"].copy()
    variance[place] = value
    with pytest.raises(BadInput, match="a variance below 0: conv_1/var"):
        Inception(arrays | {"conv_1/var": variance})


def test_resize_against_a_loop():
    image = RNG.uniform(0, 255, (13, 301, 2)).astype("float32")
    result = ops.convert_to_numpy(inception.resized(ops.convert_to_tensor(image[None])))[0]
    np.testing.assert_allclose(result, naive_resize(image.astype("float64")), atol=1e-3)


def test_average_pool_leaves_the_padding_out():
    """A mean over ones is one, at the border too."""
    ones = inception._average_pool(ops.ones((1, 5, 4, 2)))
    np.testing.assert_allclose(ops.convert_to_numpy(ones), np.ones((1, 5, 4, 2)), rtol=1e-6)


def test_folded_batch_normalisation():
    kernel, (beta, mean), variance = RNG.normal(size=(4, 3)), RNG.normal(size=(2, 3)), np.ones(3)
    x = RNG.normal(size=(5, 4))
    expected = (x @ kernel - mean) / np.sqrt(variance * 0.01 + 0.001) + beta
    folded_kernel, bias = inception.folded(kernel, beta, mean, variance * 0.01)
    np.testing.assert_allclose(x @ folded_kernel + bias, expected, rtol=1e-5, atol=1e-5)


def test_the_network_of_a_path(arrays, network, tmp_path):
    """It is made once, and another one has another fingerprint."""
    file = str(tmp_path / "inception.npz")
    np.savez(file, **arrays | {"conv/beta": arrays["conv/beta"] + 1})
    changed = feature_networks.network(file)
    assert changed is feature_networks.network(file)
    assert changed.fingerprint.startswith("inception2015-")
    assert changed.fingerprint != network.fingerprint


@needs_tfgan
def test_tf_gans_network(small, tmp_path):
    """A stand-in for the TF-Hub module shows what it is fed with."""
    import tensorflow as tf

    class Module(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 299, 299, 3))])
        def __call__(self, x):
            corner = x[:, 150:151, 100:101]
            return {"pool_3": tf.pad(corner, [[0, 0], [0, 0], [0, 0], [0, 2045]])}

    tf.saved_model.save(Module(), str(tmp_path / "module"))
    rows = np.repeat(small[:, :1], 20, 1)
    features = TFHubInception(tmp_path / "module").features(rows, batch_size=2)
    column = 100.5 * 24 / 299 - 0.5  # half-pixel centres
    left, row = int(column), rows[:, 0].astype("float64")
    expected = row[:, left] + (row[:, left + 1] - row[:, left]) * (column - left)
    np.testing.assert_allclose(features[:, :3], expected / 127.5 - 1, atol=1e-4)
    with pytest.raises(BadInput, match="could not be loaded"):
        TFHubInception(tmp_path / "missing")


@needs_tfgan
def test_tf_gans_evaluation_without_the_rest():
    assert hasattr(module("classifier_metrics"), "frechet_classifier_distance_from_activations")
    assert "tensorflow_gan" not in sys.modules


@pytest.mark.skipif("BMS_KERAS_DATA" not in os.environ, reason="BMS_KERAS_DATA names no folder")
@pytest.mark.skipif(not REFERENCE.exists(), reason="shared/data is not beside the checkout")
def test_the_real_features():
    folder = pathlib.Path(os.environ["BMS_KERAS_DATA"])
    with np.load(folder / "cifar10.npz") as file:
        images = file["x_test"][:64]
    features = feature_networks.network(str(folder / "inception.npz")).features(images)
    np.testing.assert_allclose(features, np.load(REFERENCE), atol=1e-4)
