"""The registry of metrics measures models, and says which metrics apply."""

import numpy as np
import pytest
from test_experiment import config

from bms_keras import experiment, metrics
from bms_keras.errors import BadInput


@pytest.fixture(scope="module")
def built():
    return experiment.build(config())


def test_modes_of_a_model_are_reproducible(built):
    first, again = (metrics.get("modes")(built.model, built.data) for _ in range(2))
    assert first == again
    assert set(first) >= {"modes", "high_quality_percent", "spread_ratio", "mode_kl"}


@pytest.mark.parametrize(("mean", "auc"), [(0.0, 0.5), (3.0, 1.0)])
def test_the_latent_match_of_a_known_posterior(built, mean, auc):
    """A recognition network that always answers N(mean, 1), whatever the data."""
    *others, _ = built.model.recognition.get_weights()
    bias = np.repeat([mean, 0.0], built.model.latent_dim)
    built.model.recognition.set_weights([*(np.zeros_like(w) for w in others), bias])
    result = metrics.get("latent")(built.model, built.data)
    assert result["latent_auc"] == pytest.approx(auc, abs=0.03)


def test_metrics_that_do_not_apply(built):
    assert metrics.applicable(built.model, built.data) == ["modes", "latent"]
    assert metrics.applicable(built.model, object()) == ["latent"]
    with pytest.raises(BadInput, match="grid or ring"):
        metrics.get("modes")(built.model, object())


def test_an_unknown_metric():
    with pytest.raises(
        BadInput, match=r"a metric must be one of modes, latent\. Received: 'beauty'"
    ):
        metrics.get("beauty")
