"""Authenticity against its definition, written out, and as a metric of images."""

import types

import numpy as np
import pytest

from bms_keras import BadInput, metrics
from bms_keras.data.images import scaled
from bms_keras.metrics import prdc
from bms_keras.metrics.authenticity import authenticity

pytestmark = pytest.mark.neutral


def written_out(training, samples):
    """Alaa et al. 2022, section 3.3, a sample at a time, in percent."""
    authentic = 0
    for sample in samples:
        near = min(range(len(training)), key=lambda i: np.linalg.norm(training[i] - sample))
        others = np.delete(training, near, axis=0)
        to_others = np.linalg.norm(others - training[near], axis=1).min()
        authentic += np.linalg.norm(training[near] - sample) > to_others
    return 100 * authentic / len(samples)


@pytest.mark.parametrize("width", [0.3, 1.0, 3.0])
def test_agrees_with_the_definition(width, monkeypatch):
    monkeypatch.setattr(prdc, "BLOCK", 7)  # so that blocks of unequal size meet
    rng = np.random.default_rng(0)
    training, samples = rng.standard_normal((40, 5)), width * rng.standard_normal((33, 5))
    expected = written_out(training, samples)
    assert authenticity(training, samples) == pytest.approx(expected, abs=1e-9)
    assert expected > 0


def test_copies_are_told_from_the_truth():
    rng = np.random.default_rng(1)
    training, held_out = rng.standard_normal((2, 600, 4))
    assert authenticity(training, training[:50]) == 0
    assert authenticity(training, training + 1e-3 * held_out) < 1
    assert authenticity(training, held_out) == pytest.approx(50, abs=6)


def test_too_few_points_are_refused():
    with pytest.raises(BadInput, match=r"two points of training and a sample\. Received: 1 and 3"):
        authenticity(np.zeros((1, 2)), np.zeros((3, 2)))


def test_the_metric_goes_by_training_images(monkeypatch, tmp_path):
    """By the features of FID, and beside it stands what held-out images have."""

    class Network:
        name, fingerprint = "pixels", "pixels-1"
        features = staticmethod(lambda images, progress: images.reshape(len(images), -1) / 255.0)

    monkeypatch.setenv("BMS_KERAS_CACHE", str(tmp_path))
    train, test, drawn = np.random.default_rng(4).integers(0, 256, (3, 60, 2, 2, 1), "uint8")
    split = {"train": train, "test": test}
    data = types.SimpleNamespace(
        images=lambda n, split_="test": split[split_][:n],
        fingerprint="noise",
        train=train,
        test=test,
        kind="images",
    )
    model = types.SimpleNamespace(sample=lambda n, seed: scaled(drawn[:n]))
    monkeypatch.setattr(metrics.feature_networks, "of", lambda options: Network())
    options = metrics.Protocol(real=50, generated=40, features="pixels.keras")
    metric = metrics.get("authenticity")
    found = metric.function(model, data, options)
    x, y, held_out = (each.reshape(60, -1) / 255.0 for each in (train, drawn, test))
    name = "authenticity_keras_pixels_50_40_train"
    assert found == {
        name: pytest.approx(written_out(x[:50], y[:40])),
        f"{name}_data": pytest.approx(written_out(x[:50], held_out[:50])),
    }
    assert metric.keys(data, metrics.Protocol())[0] == "authenticity_60_5000_train"
    assert metric.obstacle(model, types.SimpleNamespace(kind="images")).startswith("needs the im")
