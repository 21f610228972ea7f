"""Features: cached, remembered, refused where they are not finite; the metrics that go by them."""

import functools
import types

import numpy as np
import pytest

from bms_keras.errors import BadInput
from bms_keras.files import cache
from bms_keras.metrics import features as module
from bms_keras.metrics.fid import (
    Moments,
    fid_and_kid,
    frechet_distance,
    kid,
)

pytestmark = pytest.mark.neutral


def fid(model, data, *args, seed=0, **kwargs):
    """The two numbers as the metric measures them, by images of which it remembers nothing."""
    module._latest.clear()
    numbers = functools.partial(fid_and_kid, seed=seed)
    return module.measured(numbers, ("fid", "kid"), model, data, *args, seed=seed, **kwargs)


class Network:
    """Three features of an image: its channels' means."""

    name, fingerprint = "means", "means-1"

    def __init__(self):
        self.seen = []

    def features(self, images, batch_size=32, progress=None):
        assert images.dtype == np.uint8
        self.seen.append(len(images))
        progress(len(images))
        return images.mean((1, 2)).astype("float32") / 255


class Model:
    """Draws images of one colour each."""

    def __init__(self):
        self.asked = []

    def sample(self, n, seed):
        self.asked.append((n, seed))
        colours = np.random.default_rng(seed).uniform(-1, 1, (n, 1, 1, 3))
        return np.broadcast_to(colours, (n, 4, 4, 3)).astype("float32")


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("BMS_KERAS_CACHE", str(tmp_path))
    pixels = np.random.default_rng(0).integers(0, 256, (30, 4, 4, 3), "uint8")
    return types.SimpleNamespace(images=lambda n, split="test": pixels[:n], fingerprint="noise-1")


def test_the_metric_is_its_parts(data):
    """The key says how many real images there were, and which network it was."""
    model, network = Model(), Network()
    result = fid(model, data, real=99, generated=20, network=network, seed=3)
    x = data.images(99).mean((1, 2)).astype("float32") / 255
    (asked,) = model.asked
    colours = np.round((Model().sample(*asked)[:, 0, 0] + 1) * 127.5).astype("float32") / 255
    distance = frechet_distance(Moments().add(x), Moments().add(colours))
    assert list(result) == ["fid_means_30_20_test", "kid_means_30_20_test"]
    assert result["fid_means_30_20_test"] == pytest.approx(distance, rel=1e-6)
    assert result["kid_means_30_20_test"] == kid(x, colours, seed=3)[0]


def test_the_default_network_has_the_short_key(data, monkeypatch):
    network = Network()
    network.name = "inception2015"
    monkeypatch.setattr(module.feature_networks, "network", lambda: network)
    assert list(fid(Model(), data, 8, 8)) == ["fid_8_8_test", "kid_8_8_test"]


def test_samples_come_in_chunks_of_their_own(data, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 7)
    model, network = Model(), Network()
    first = fid(model, data, 30, 20, network)
    counts, seeds = zip(*model.asked, strict=True)
    assert counts == (7, 7, 6)
    assert len(set(seeds)) == 3
    assert network.seen == [30, 7, 7, 6]
    assert fid(Model(), data, 30, 20, network) == first
    assert fid(Model(), data, 30, 20, network, seed=1) != first


def test_real_features_are_cached_by_what_they_are_of(data):
    def real_passes(network, n=30):
        fid(Model(), data, n, 5, network)
        return network.seen[:-1]

    network = Network()
    assert real_passes(network) == [30]
    assert real_passes(Network()) == []
    assert real_passes(Network(), 20) == [20]
    assert real_passes(Network(), 20) == []
    network = Network()
    network.fingerprint = "means-2"
    assert real_passes(network) == [30]
    data.fingerprint = "noise-2"
    assert real_passes(Network()) == [30]


@pytest.mark.parametrize("damage", ["cut", "empty", "of another length", "other numbers"])
def test_a_damaged_cache_is_made_anew(damage, data):
    first = fid(Model(), data, 30, 5, Network())
    (file,) = (cache.folder() / "statistics").iterdir()
    whole = file.read_bytes()
    if damage == "of another length":
        np.savez(file, features=np.zeros((7, 3), "float32"))
    elif damage == "other numbers":  # of the right shape, but without the checksum
        np.savez(file, features=np.zeros((30, 3), "float32"))
    else:
        file.write_bytes(whole[: len(whole) // 2] if damage == "cut" else b"")
    network = Network()
    assert fid(Model(), data, 30, 5, network) == first
    assert network.seen == [30, 5]
    assert file.read_bytes() == whole


def test_bad_counts_and_samples(data):
    for real, generated in ((1, 5), (5, 1)):
        with pytest.raises(BadInput, match=f"Received: {real} held-out, {generated} generated"):
            fid(Model(), data, real, generated, Network())
    model = types.SimpleNamespace(sample=lambda n, seed: np.full((n, 4, 4, 3), np.nan))
    with pytest.raises(BadInput, match="not finite"):
        fid(model, data, 5, 5, Network())


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("side", [0, 1])
def test_features_that_are_not_finite_are_refused(data, side, value):
    """Of weights that are damaged or invented: the distance would be NaN, or 0."""

    class Broken(Network):
        def features(self, images, batch_size=32, progress=None):
            features = super().features(images, progress=progress)
            features[1:2] = value if len(self.seen) == side + 1 else features[1:2]
            return features

    whose = ("held-out images", "samples")[side]
    with pytest.raises(BadInput, match=f"the features of {whose} are not finite: .* means"):
        fid(Model(), data, 30, 5, Broken())


def test_features_that_cannot_be_kept_are_used_all_the_same(data, monkeypatch, capsys):
    def full(*_):
        raise OSError(28, "No space left on device")

    expected = fid(Model(), data, 30, 5, Network())
    for file in (cache.folder() / "statistics").iterdir():
        file.unlink()
    monkeypatch.setattr(cache, "write_atomically", full)
    assert fid(Model(), data, 30, 5, Network()) == expected
    assert "are not kept: " in capsys.readouterr().err
    assert list((cache.folder() / "statistics").iterdir()) == []


def test_metrics_that_ask_one_after_another_share_the_features_of_samples(data):
    network, found = Network(), []
    module._latest.clear()
    for names in (("a",), ("b",)):
        numbers = lambda x, y: (found.append(y) or 0.0,)  # noqa: E731
        module.measured(numbers, names, Model(), data, 30, 20, network)
    assert network.seen == [30, 20]
    np.testing.assert_array_equal(*found)
    module.measured(numbers, ("c",), Model(), data, 30, 20, network, seed=1)  # other samples
    assert network.seen == [30, 20, 20]


def test_what_is_remembered_is_bounded(data, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 2)
    fid(Model(), data, 30, 2 * module.LATEST + 8, Network())
    assert len(module._latest) == module.LATEST
