"""Precision, recall, density and coverage against the definitions, written out."""

import numpy as np
import pytest

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
    with pytest.raises(ValueError, match=r"more than k=5 features\. Received: 5 and 6"):
        prdc(x, np.zeros((6, 2)))
