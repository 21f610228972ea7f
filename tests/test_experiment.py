"""Configs become models, or a line that says why not."""

import keras
import pytest
from ml_collections import ConfigDict

from bms_keras import data, experiment, methods, networks
from bms_keras.errors import BadInput
from bms_keras.layers import SpectralNormalization


def config(method="bms_vae_gan", **fields):
    config = experiment.default_config(method, lambda_=4.0, margins=(1.0, 1.0))
    config.data.source = "grid"
    widths = {name: (8,) for name in ("recognition", "generator", "image_critic", "latent_critic")}
    config.networks = {
        "family": "mlp",
        "latent_dim": 4,
        "lipschitz": 10.0,
        "input_scale": 1.0,
        **widths,
    }
    config.update_from_flattened_dict(fields)
    return config


@pytest.mark.parametrize("method", methods.METHODS)
def test_every_method_builds_and_trains(method):
    built = experiment.build(config(method, batch_size=8))
    logs = built.model.fit(built.data.batches(0, 2), steps_per_epoch=2, verbose=0).history
    assert built.model.samples == methods.get(method).samples
    assert all(abs(values[-1]) < 1e3 for values in logs.values())


def test_only_the_methods_that_say_so_are_spectrally_normalised():
    for name, method in methods.METHODS.items():
        critic = experiment.build(config(name)).model.networks.get("image_critic")
        layers = critic.layers if critic else []
        normalised = any(isinstance(layer, SpectralNormalization) for layer in layers)
        assert normalised == method.spectral_norm, name


def test_the_same_seed_gives_the_same_weights():
    a, b = (experiment.build(config(seed=5)).model.get_weights() for _ in range(2))
    assert all((x == y).all() for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize(("precision", "dtype"), [("float32", "float32"), ("bfloat16", "bfloat16")])
def test_precision_reaches_the_networks_and_no_further(precision, dtype):
    model = experiment.build(config(precision=precision)).model
    assert model.generator.layers[0].compute_dtype == dtype
    assert model.generator.layers[0].variable_dtype == "float32"
    assert keras.config.dtype_policy().name == "float32"


def test_objective_fields_that_a_method_lacks_are_left_out():
    assert "margins" not in experiment.default_config("wae", margins=(1.0, 1.0)).objective
    assert experiment.default_config("wae", lambda_=7.0).objective.lambda_ == 7.0


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("method", "gan", "method must be one of .*bms_vae_gan.*'gan'"),
        ("samples", 0, "config.samples must be an integer of at least 1. Received: 0"),
        ("batch_size", -3, "config.batch_size must be .*-3"),
        ("steps", 0, "config.steps"),
        ("seed", -1, "config.seed"),
        ("gradient", "some", "config.gradient must be 'selected' or 'all'. Received: 'some'"),
        ("precision", "float8", "config.precision must be one of float32"),
        ("strategy", "cluster", "config.strategy"),
        ("jit_compile", "maybe", "config.jit_compile"),
        ("ema", 1.0, "config.ema"),
        ("optimizer.learning_rate", 0.0, "config.optimizer.learning_rate must be above 0"),
        ("optimizer.hold", 2.0, "config.optimizer.hold"),
        ("objective.norm", 3, "norm must be 1 or 2. Received: norm=3"),
        ("data.source", "mars", "data.source must be one of grid, ring. Received: 'mars'"),
        ("networks.family", "cnn", "networks.family must be one of mlp. Received: 'cnn'"),
    ],
)
def test_bad_values_are_named(field, value, message):
    with pytest.raises(BadInput, match=message):
        experiment.build(config(**{field: value}))


def test_the_dense_family_refuses_images():
    with pytest.raises(BadInput, match=r"points of shape \(d,\). Received: \(8, 8, 3\)"):
        networks.build(config().networks, (8, 8, 3), ("generator",), False)


def test_data_sources_open_by_name():
    assert len(data.load(ConfigDict({"source": "ring"}), 4, 0).means) == 8
