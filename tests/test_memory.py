"""What cannot fit in memory is refused with an estimate."""

import keras
import numpy as np
import pytest
from helpers import config, image_config

from bms_keras.errors import BadInput
from bms_keras.runs import experiment, memory
from bms_keras.runs.config import complete


@pytest.mark.parametrize(
    ("field", "value", "part"),
    [
        ("samples", 10**8, "config.samples=100000000"),
        ("batch_size", 10**9, "config.batch_size=1000000000"),
        ("networks.generator", (10**6, 10**6), "weights of config.networks"),
        ("networks.latent_dim", 2**20, "weights of config.networks"),
    ],
)
def test_what_cannot_fit_is_refused_with_an_estimate(monkeypatch, field, value, part):
    monkeypatch.setattr(memory, "machine", lambda: 2 * 10**8)
    with pytest.raises(BadInput, match=rf"at least [0-9,.]+ GB, .*{part}.*0.2 GB are there"):
        experiment.build(config(**{field: value}))
    assert memory.needed(complete(config()), (2,))["all"] < 10**6


def test_wide_networks_of_images_cannot_fit(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "machine", lambda: 10**7)
    with pytest.raises(BadInput, match=r"training takes at least .* GB are there"):
        experiment.build(image_config(tmp_path, **{"networks.width": 3000}))


def test_images_are_counted_by_as_many_as_are_decoded_at_a_time(tmp_path):
    step = lambda **fields: memory.needed(  # noqa: E731
        complete(image_config(tmp_path, **fields)), (8, 8, 3)
    )["step"]
    ten = step(samples=10)
    assert step(samples=1) == ten / 10
    assert step(samples=100) == ten
    assert step(samples=100, gradient="all") == 10 * ten
    assert step(samples=10**6) > 100 * ten  # their latents


def test_the_estimate_counts_what_is_built(tmp_path):
    """Every weight, five times; and measuring changes neither names nor weights."""
    c = image_config(tmp_path)
    keras.utils.set_random_seed(0)
    needed = memory.needed(complete(c), (8, 8, 3))
    model = experiment.build(c).model
    parameters = sum(network.count_params() for network in model.networks.values())
    assert needed["weights"] == 4 * 5 * parameters
    widest = max(np.prod(layer.output.shape[1:]) for layer in model.image_critic.layers)
    assert needed["step"] >= 4 * 2 * widest * c.batch_size * c.samples
    pairs = zip(model.get_weights(), experiment.build(c).model.get_weights(), strict=True)
    assert all((a == b).all() for a, b in pairs)


def test_the_machine_has_memory():
    assert 10**8 < memory.machine() <= memory.UNKNOWN
