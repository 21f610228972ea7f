"""Precision, recall, density and coverage against the definitions, written out."""

import tracemalloc
import types

import numpy as np
import pytest

from bms_keras import metrics
from bms_keras.data.images import scaled
from bms_keras.errors import BadInput
from bms_keras.metrics import prdc as module
from bms_keras.metrics.prdc import prdc

pytestmark = pytest.mark.neutral


def written_out(real, fake, k):
    """Naeem et al. 2020, equations 2 to 5, a pair of points at a time."""

    def distance(a, b):
        return np.sqrt(sum((p - q) ** 2 for p, q in zip(a, b, strict=True)))

    def radius(x, i):
        return sorted(distance(x[i], x[j]) for j in range(len(x)) if j != i)[k - 1]

    n, m = len(real), len(fake)
    real_radius = [radius(real, i) for i in range(n)]
    fake_radius = [radius(fake, j) for j in range(m)]
    d = [[distance(real[i], fake[j]) for j in range(m)] for i in range(n)]
    return {
        "precision": sum(any(d[i][j] < real_radius[i] for i in range(n)) for j in range(m)) / m,
        "recall": sum(any(d[i][j] < fake_radius[j] for j in range(m)) for i in range(n)) / n,
        "density": sum(d[i][j] < real_radius[i] for i in range(n) for j in range(m)) / (k * m),
        "coverage": sum(min(d[i]) < real_radius[i] for i in range(n)) / n,
    }


@pytest.mark.parametrize(("shift", "k"), [(0.0, 5), (0.7, 3), (30.0, 5)])
def test_agrees_with_the_definitions(shift, k, monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 7)  # so that blocks of unequal size meet
    rng = np.random.default_rng(0)
    real, fake = rng.standard_normal((40, 6)), shift + 0.8 * rng.standard_normal((33, 6))
    expected = written_out(real, fake, k)
    assert prdc(real, fake, k) == pytest.approx(expected, abs=1e-12)
    assert (shift == 30.0) == (expected["coverage"] == 0)


def test_a_lost_mode_costs_recall_and_coverage_only():
    rng = np.random.default_rng(1)
    modes = np.array([[0.0, 0.0], [50.0, 0.0]])
    real = modes[rng.integers(2, size=400)] + rng.standard_normal((400, 2))
    fake = rng.standard_normal((400, 2))
    found = prdc(real, fake)
    share = np.mean(real[:, 0] < 25)
    assert found["precision"] > 0.95
    assert found["recall"] == pytest.approx(share, abs=0.03)
    assert found["coverage"] == pytest.approx(share, abs=0.03)


def test_too_few_features_are_refused():
    x = np.zeros((5, 2))
    with pytest.raises(BadInput, match=r"more than k=5 features\. Received: 5 and 6"):
        prdc(x, np.zeros((6, 2)))


@pytest.mark.parametrize("k", [3, 5])
def test_agrees_with_the_authors_package(k):
    """Naeem et al.'s `prdc`."""
    theirs = pytest.importorskip("prdc", reason="the package prdc is not installed").compute_prdc
    rng = np.random.default_rng(2)
    real, fake = rng.standard_normal((700, 64)), 0.1 + 0.9 * rng.standard_normal((500, 64))
    assert prdc(real, fake, k) == pytest.approx(theirs(real, fake, nearest_k=k), abs=1e-6)


def test_memory_is_that_of_blocks():
    """It grows with n, not with the 8,000 x 8,000 distances, 512 MB in float64."""
    x = np.random.default_rng(3).standard_normal((8000, 4))
    tracemalloc.start()
    try:
        prdc(x, x + 0.01)
        assert tracemalloc.get_traced_memory()[1] < 8 * 8000**2 / 1.5
    finally:
        tracemalloc.stop()


def test_the_metric_goes_by_the_features_of_fid(monkeypatch):
    """By the same images, samples and options, and its keys hold the protocol."""

    class Network:
        name, fingerprint = "pixels", "pixels-1"
        features = staticmethod(lambda images, progress: images.reshape(len(images), -1) / 255.0)

    pixels = np.random.default_rng(4).integers(0, 256, (60, 2, 2, 1), "uint8")
    data = types.SimpleNamespace(
        images=lambda n: pixels[:n], fingerprint="noise", test=pixels, kind="images"
    )
    model = types.SimpleNamespace(sample=lambda n, seed: scaled(pixels[-n:]))
    monkeypatch.setattr(module.features.feature_networks, "of", lambda options: Network())
    options = metrics.Protocol(real=50, generated=40, neighbours=3, features="my_net.keras")
    found = metrics.get("prdc").function(model, data, options)
    names = ("precision", "recall", "density", "coverage")
    assert list(found) == [f"{name}_pixels_50_40_test" for name in names]
    x = pixels.reshape(60, -1) / 255.0
    expected = prdc(x[:50], x[-40:], 3)
    assert list(found.values()) == pytest.approx(list(expected.values()), abs=1e-6)
    keys = metrics.get("prdc").keys(data, options)
    assert keys[0] == "precision_keras_my_net_50_40_test"
    assert metrics.get("prdc").keys(data, metrics.Protocol())[1] == "recall_60_5000_test"
