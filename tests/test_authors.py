"""The rivals at their authors' settings, against those figures written afresh."""

import importlib

import keras
import numpy as np
import pytest
from helpers import on_tensorflow

from bms_keras import BadInput, methods
from bms_keras.runs import experiment
from bms_keras.runs.config import changes, complete
from bms_keras.tables import registry
from configs import grid_authors

PAPER = {  # modes and high quality of the paper's table 1
    ("grid_authors", "veegan"): ["24.6", "40"],
    ("ring_authors", "gdpp_gan"): ["8", "71.7"],
    ("grid_authors", "md_gan"): ["25", "99.3 ± 2.2"],
}


@on_tensorflow
@pytest.mark.parametrize("name", ["grid_authors", "ring_authors"])
@pytest.mark.parametrize("method", grid_authors.AUTHORS)
def test_each_config_is_whole_and_takes_a_step(name, method):
    config = importlib.import_module(f"configs.{name}").get_config(method)
    assert not changes(config, complete(config))
    assert config.data.source == name.partition("_")[0]
    config.batch_size, config.steps_per_execution, config.jit_compile = 8, 1, "off"
    built = experiment.build(config)
    built.model.run_eagerly = True  # for one step, no graph
    before = [v.numpy() for v in built.model.trainable_variables]
    logs = built.model.fit(built.data.batches(0, 1), steps_per_epoch=1, verbose=0).history
    assert np.isfinite(list(logs.values())).all()
    after = [v.numpy() for v in built.model.trainable_variables]
    assert any(np.any(a != b) for a, b in zip(after, before, strict=True))


def test_another_method_has_no_such_settings():
    with pytest.raises(BadInput, match=r"must be one of veegan, .*Received: 'bms_vae_gan'"):
        grid_authors.get_config("bms_vae_gan")


SETTINGS = {  # of each file, as the comments of grid_authors.py name it
    "veegan": {"batch_size": 500, "steps": 100_000, "networks.latent_dim": 254},
    "gdpp_gan": {"batch_size": 512, "steps": 25_000, "networks.latent_dim": 256},
    "md_gan": {  # rates halved after 500, 1,000 and 1,500 of 2,000 epochs
        "batch_size": 500,
        "steps": 40_000,
        "networks.latent_dim": 2,
        "networks.initializer_gain": 0.02,
        "optimizer.learning_rate": 1e-3,
        "optimizer.hold": 0.25,
        "optimizer.final": 0.125,
    },
    "sn_gan": {
        "batch_size": 64,
        "steps": 100_000,
        "networks.latent_dim": 128,
        "networks.lipschitz": 1.0,
        "networks.input_scale": 1.0,
        "objective.margins": (1.0, 1.0),
        "objective.critic_turns": 5,
        "optimizer.learning_rate": 2e-4,
        "optimizer.hold": 1.0,
    },
    "alpha_gan": {
        "batch_size": 500,
        "steps": 100_000,
        "networks.latent_dim": 32,
        "objective.critic_sees_posterior": True,
        "objective.lambda_": 2.0,
        "optimizer.learning_rate": 2e-4,
        "optimizer.latent_critic_learning_rate": 2e-4,
        "optimizer.hold": 1.0,
    },
}


@pytest.mark.parametrize("name", ["grid_authors", "ring_authors"])
@pytest.mark.parametrize("method", SETTINGS)
def test_the_settings_of_each(name, method):
    config = importlib.import_module(f"configs.{name}").get_config(method)
    for field, value in SETTINGS[method].items():
        found = config
        for part in field.split("."):
            found = found[part]
        assert found == value, field
    assert config.ema == 0
    assert config.optimizer.image_critic_learning_rate == config.optimizer.learning_rate


def adam(optimizer):
    rate = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
    return [pytest.approx(rate), optimizer.beta_1, optimizer.beta_2]


def test_gdpp_gan_is_that_of_its_authors():
    """z 256, tanh networks of 128, orthogonal of gain 1.4, rates 1e-3 and 1e-4, weight 1."""
    config = grid_authors.get_config("gdpp_gan")
    assert (config.batch_size, config.steps) == (512, 25_000)
    model = experiment.build(config).model
    assert model.diversity_weight == 1
    assert adam(model.optimizer["generator"]) == [1e-3, 0.5, 0.999]
    assert adam(model.optimizer["image_critic"]) == [1e-4, 0.5, 0.999]
    kernels = {}
    for name in ("generator", "image_critic"):
        *hidden, last = model.networks[name].layers
        assert [layer.activation.__name__ for layer in hidden] == ["tanh", "tanh"]
        assert last.activation.__name__ == "linear"
        kernels[name] = [layer.get_weights()[0] for layer in (*hidden, last)]
    assert [k.shape for k in kernels["generator"]] == [(256, 128), (128, 128), (128, 2)]
    assert [k.shape for k in kernels["image_critic"]] == [(2, 128), (128, 128), (128, 1)]
    for kernel in (kernel for group in kernels.values() for kernel in group):
        np.testing.assert_allclose(np.linalg.svd(kernel)[1], 1.4, rtol=1e-5)
    h = model.features(np.ones((1, 2), "float32"))  # D's last hidden layer, after tanh
    assert h.shape == (1, 128)
    assert np.abs(keras.ops.convert_to_numpy(h)).max() < 1


def test_veegan_is_that_of_its_authors():
    """254 numbers of noise, one hidden ReLU layer in D, Adam's 1e-3 and 0.5 for all."""
    config = grid_authors.get_config("veegan")
    assert (config.batch_size, config.steps) == (500, 100_000)
    model = experiment.build(config).model
    assert model.latent_weight == 1
    for player in ("generator", "joint_critic"):
        assert adam(model.optimizer[player]) == [1e-3, 0.5, 0.999]
    critic = model.joint_critic.layers[-1].layers
    assert [layer.activation.__name__ for layer in critic] == ["relu", "linear"]
    kernel, bias = critic[0].get_weights()
    assert kernel.shape == (256, 128)
    assert not bias.any()
    bound = np.sqrt(6 / (256 + 128))  # Glorot & Bengio 2010
    assert 0.95 * bound < np.abs(kernel).max() <= bound


def test_every_rival_of_table_1_stands_twice():
    """At an equal budget and at its authors' settings, with the same figures of the paper."""
    rows = {(row.config, row.method): row for row in registry.TABLES[1].rows}
    for data in ("grid", "ring"):
        for method in grid_authors.AUTHORS:
            equal, own = rows[f"{data}_steep", method], rows[f"{data}_authors", method]
            assert equal.paper == own.paper != {}
            assert not own.fields
    for key, figures in PAPER.items():
        assert list(rows[key].paper.values()) == figures
    assert rows["grid_steep", "gdpp_gan"].fields["objective.diversity_weight"] == 1
    assert rows["grid_steep", "veegan"].fields == {
        "objective.latent_weight": 0.625,
        "optimizer.players.joint_critic.learning_rate": 3e-3,
        "optimizer.players.joint_critic.final": 0.1,
    }
    assert "joint_critic.learning_rate=0.003" in rows["grid_steep", "veegan"].options


def test_the_papers_dcgan_block_is_alpha_gan_with_ten_samples():
    rows = [row for row in registry.TABLES[6].rows if "networks.family" in row.fields]
    samples = [row.fields.get("samples", methods.get(row.method).samples) for row in rows]
    printed = {(row.method, t): row.paper for row, t in zip(rows, samples, strict=True)}
    assert printed["alpha_gan", 1] == {"fid": "29.4 ± 0.3"}
    assert printed["alpha_gan", 10] == {"fid": "28.8 ± 0.4"}
    assert printed["bms_vae_gan", 10] == {}
