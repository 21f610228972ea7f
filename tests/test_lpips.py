"""LPIPS is the published one: a naive computation agrees, and so do values of real images."""

import itertools
import os
import pathlib
import sys

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from bms_keras.data.images import scaled
from bms_keras.errors import BadInput
from bms_keras.metrics import weights
from bms_keras.metrics.lpips import LPIPS, load, lpips

CHANNELS = {
    "alexnet": [3, 64, 192, 384, 256, 256],
    "vgg16": [3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512],
}
FIRST = {"alexnet": [11, 5]}  # sizes of the first kernels; the others are 3
LAST = {"alexnet": [0, 1, 2, 3, 4], "vgg16": [1, 3, 6, 9, 12]}  # convolutions compared
GRAPH = {"alexnet": "AlexNet_0", "vgg16": "VGG16_0"}
MEAN, STD = np.array([-0.030, -0.088, -0.188]), np.array([0.458, 0.448, 0.450])

# LPIPS of the first 16 test images of CIFAR-10 and the 16 after them.
CIFAR10 = {
    "alexnet": [
        *(0.135127, 0.207135, 0.101171, 0.223430, 0.125780, 0.379492, 0.345213, 0.307118),
        *(0.115140, 0.222230, 0.215268, 0.226971, 0.140188, 0.315413, 0.193832, 0.228309),
    ],
    "vgg16": [
        *(0.606719, 0.617246, 0.453902, 0.763365, 0.633367, 0.754026, 0.735297, 0.716003),
        *(0.682162, 0.683413, 0.583699, 0.691225, 0.645977, 0.699673, 0.646472, 0.667113),
    ],
}


def random_arrays(name, seed=0):
    """Weights of a network's names and shapes, such that every layer has something to say."""
    rng = np.random.default_rng(seed)
    sizes = FIRST.get(name, []) + [3] * 13
    channels = CHANNELS[name]
    arrays = {}
    for i, (m, n) in enumerate(itertools.pairwise(channels)):
        scale = np.sqrt(2 / (sizes[i] ** 2 * m))
        kernel = rng.standard_normal((sizes[i], sizes[i], m, n), dtype="float32")
        arrays[f"{GRAPH[name]}/Conv_{i}/kernel"] = np.float32(scale) * kernel
        arrays[f"{GRAPH[name]}/Conv_{i}/bias"] = 0.1 * rng.standard_normal(n, dtype="float32")
    for i, layer in enumerate(LAST[name]):
        head = rng.random((1, 1, channels[layer + 1], 1), dtype="float32")
        arrays[f"NetLinLayer_{i}/Conv_0/kernel"] = head
    return arrays


def images(n, size=32, channels=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, (n, size, size, channels)).astype("float32")


def windows(x, size, strides):
    """Views `(height, width, channels, size, size)` of what a kernel sees."""
    return sliding_window_view(x, (size, size), (0, 1))[::strides, ::strides]


def naive_features(name, arrays, x):
    """The compared layers of one image `(height, width, 3)`, in numpy and float64."""
    x = (x.astype("float64") - MEAN) / STD
    features = []
    for i in range(len(CHANNELS[name]) - 1):
        kernel = arrays[f"{GRAPH[name]}/Conv_{i}/kernel"].astype("float64")
        first = name == "alexnet" and i == 0
        pad = 2 if first else kernel.shape[0] // 2
        x = windows(np.pad(x, [(pad, pad), (pad, pad), (0, 0)]), kernel.shape[0], 4 if first else 1)
        x = np.tensordot(x, kernel, [(2, 3, 4), (2, 0, 1)]) + arrays[f"{GRAPH[name]}/Conv_{i}/bias"]
        x = np.maximum(x, 0)
        if i in LAST[name]:
            features.append(x)
        if name == "alexnet" and i < 2:
            x = windows(x, 3, 2).max((3, 4))
        elif name == "vgg16" and i in LAST[name]:
            x = windows(x, 2, 2).max((3, 4))
    return features


def naive_distance(name, arrays, a, b):
    total = 0
    pairs = zip(*(naive_features(name, arrays, x) for x in (a, b)), strict=True)
    for i, (f, g) in enumerate(pairs):
        f, g = (x / (np.linalg.norm(x, axis=-1, keepdims=True) + 1e-10) for x in (f, g))
        head = arrays[f"NetLinLayer_{i}/Conv_0/kernel"][0, 0, :, 0]
        total += ((f - g) ** 2 @ head).mean()
    return total


def naive_resize(x, size):
    """Bilinear with half-pixel centres, one axis after the other."""
    place = (np.arange(size) + 0.5) * len(x) / size - 0.5
    for _ in range(2):
        x = np.apply_along_axis(lambda line: np.interp(place, range(len(line)), line), 0, x)
        x = x.swapaxes(0, 1)
    return x


@pytest.fixture(scope="module")
def alexnet():
    return LPIPS(random_arrays("alexnet"))


class Samples:
    """Stands in for a model, and for data."""

    def __init__(self, spread=1.0):
        self.spread = spread
        self.seeds = []

    def sample(self, n, seed):
        self.seeds.append(seed)
        return self.spread * images(n, seed=seed)

    def images(self, n):
        return np.random.default_rng(9).integers(0, 256, (min(n, 7), 32, 32, 3), "uint8")


@pytest.mark.parametrize("name", ["alexnet", "vgg16"])
def test_a_naive_computation_agrees(name):
    arrays = random_arrays(name)
    a, b = images(2), images(2, seed=1)
    expected = [naive_distance(name, arrays, *pair) for pair in zip(a, b, strict=True)]
    assert min(expected) > 0.01
    distances = LPIPS(arrays, name).distance(a, b, batch_size=2)
    assert distances.dtype == "float32"
    np.testing.assert_allclose(distances, expected, rtol=1e-4)


def test_small_grey_images_are_stretched_and_repeated(alexnet):
    a, b = images(1, 28, 1), images(1, 28, 1, seed=1)
    large = [np.repeat(naive_resize(x[0], 32), 3, -1) for x in (a, b)]
    expected = naive_distance("alexnet", random_arrays("alexnet"), *large)
    np.testing.assert_allclose(alexnet.distance(a, b, batch_size=2), [expected], rtol=1e-4)


def test_a_distance_is_zero_to_itself_symmetric_and_no_matter_of_batches(alexnet):
    a, b = images(5), images(5, seed=1)
    distances = alexnet.distance(a, b, batch_size=2)
    assert (distances > 0.01).all()
    np.testing.assert_allclose(alexnet.distance(a, a, batch_size=2), 0, atol=1e-12)
    np.testing.assert_allclose(alexnet.distance(b, a, batch_size=2), distances, rtol=1e-5)
    np.testing.assert_allclose(alexnet.distance(a[4:], b[4:], batch_size=2), distances[4:], 1e-5)
    assert alexnet.distance(a[:0], b[:0]).shape == (0,)


def test_mixed_precision_changes_nothing(alexnet, mixed_bfloat16):
    a, b = images(2), images(2, seed=1)
    half = LPIPS(random_arrays("alexnet")).distance(a, b, batch_size=2)
    np.testing.assert_allclose(half, alexnet.distance(a, b, batch_size=2), rtol=1e-5)


def test_diversity_is_the_mean_over_disjoint_pairs(alexnet):
    model = Samples()
    result = lpips(model, Samples(), alexnet, generated=9, seed=3)
    assert list(result) == [f"lpips_diversity_9_alexnet{x}" for x in ("", "_error", "_data")]
    x = scaled(np.round((images(8, seed=model.seeds[0]) + 1) * 127.5))  # 9 are 4 pairs
    distances = alexnet.distance(x[:4], x[4:])
    held_out = scaled(Samples().images(9))  # 7 are 3 pairs
    data = alexnet.distance(held_out[:3], held_out[3:6])
    expected = [distances.mean(), distances.std(ddof=1) / 2, data.mean()]
    np.testing.assert_allclose(list(result.values()), expected, rtol=1e-5)
    assert lpips(Samples(), Samples(), alexnet, generated=9, seed=3) == result


def test_samples_that_do_not_differ_have_no_diversity(alexnet):
    result = lpips(Samples(spread=0.0), Samples(), alexnet, generated=4)
    assert result["lpips_diversity_4_alexnet"] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_distances_that_are_not_finite_are_refused(alexnet, monkeypatch, value):
    distance = lambda a, b: np.full(len(a), value, "float32")  # noqa: E731
    monkeypatch.setattr(alexnet, "distance", distance)
    with pytest.raises(BadInput, match="LPIPS' distances are not finite"):
        lpips(Samples(), Samples(), alexnet, generated=9)


def test_many_samples_come_in_parts_of_their_own(alexnet, monkeypatch):
    monkeypatch.setattr(sys.modules[lpips.__module__], "CHUNK", 2)
    model = Samples()
    lpips(model, Samples(), alexnet, generated=10)
    assert len(set(model.seeds)) == 3


@pytest.mark.parametrize(
    ("model", "generated", "message"),
    [(Samples(), 3, "at least four.*3 generated"), (Samples(np.nan), 4, "not finite")],
)
def test_what_has_no_diversity_is_refused(alexnet, model, generated, message):
    with pytest.raises(BadInput, match=message):
        lpips(model, Samples(), alexnet, generated)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (images(2), images(3)),
        (images(2), images(2, 28)),
        (images(2, channels=2), images(2, channels=2)),
        (images(2), images(2).astype("uint8")),
        (images(2)[0], images(2)[0]),
    ],
)
def test_what_are_no_pairs_of_images_is_refused(alexnet, a, b):
    with pytest.raises(ValueError, match=r"a and b must be float arrays.*Received: .*and"):
        alexnet.distance(a, b)


def test_other_weights_are_refused():
    arrays = random_arrays("alexnet")
    with pytest.raises(BadInput, match=r"must be one of alexnet, vgg16. Received: 'squeeze'"):
        LPIPS(arrays, "squeeze")
    with pytest.raises(BadInput, match="VGG16_0/Conv_0/kernel"):
        LPIPS(arrays, "vgg16")
    with pytest.raises(BadInput, match=r"NetLinLayer_2/Conv_0/kernel of shape \(1, 1, 384, 1\)"):
        LPIPS({**arrays, "NetLinLayer_2/Conv_0/kernel": np.zeros((1, 1, 9, 1), "float32")})


def test_weights_from_a_file_are_told_by_its_name(tmp_path, alexnet):
    file = tmp_path / "my_alexnet.npz"
    np.savez(file, **random_arrays("alexnet"))
    network = load(str(file))
    assert network.name == "alexnet"
    a, b = images(1), images(1, seed=1)
    np.testing.assert_array_equal(network.distance(a, b), alexnet.distance(a, b))
    with pytest.raises(BadInput, match="must contain one of alexnet, vgg16"):
        load(str(tmp_path / "net.npz"))
    with pytest.raises(BadInput, match=r"must be one of alexnet, vgg16.*'squeeze'"):
        load("squeeze")


@pytest.mark.skipif("BMS_KERAS_DATA" not in os.environ, reason="BMS_KERAS_DATA names no folder")
@pytest.mark.parametrize("name", ["alexnet", "vgg16"])
def test_real_images_have_the_known_distances(name):
    folder = pathlib.Path(os.environ["BMS_KERAS_DATA"])
    arrays = weights.load(f"lpips_{name}", folder / f"lpips_{name}.npz")
    x = scaled(np.load(folder / "cifar10.npz")["x_test"][:32])
    distances = LPIPS(arrays, name).distance(x[:16], x[16:], batch_size=16)
    np.testing.assert_allclose(distances, CIFAR10[name], rtol=1e-4)
    np.testing.assert_allclose(distances[0], naive_distance(name, arrays, x[0], x[16]), rtol=1e-4)
