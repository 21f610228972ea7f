"""Configs become models, or a line that says why not."""

import importlib
import sys

import keras
import numpy as np
import pytest
from helpers import config, image_config, on_tensorflow
from keras.src.utils import module_utils
from ml_collections import ConfigDict
from PIL import Image

from bms_keras import data, methods, networks
from bms_keras.errors import BadInput
from bms_keras.layers import SpectralNormalization
from bms_keras.monitoring import tensorboard
from bms_keras.runs import experiment

ON_POINTS = [name for name, method in methods.METHODS.items() if method.kind != "images"]
GAMES = {methods.get(name).game: name for name in ON_POINTS}  # and a method of each


@on_tensorflow  # on JAX test_methods.py trains each method
@pytest.mark.parametrize("method", GAMES.values())
def test_every_game_trains_in_a_graph(method):
    """Without one test_hybrid.py and test_methods.py train each method."""
    built = experiment.build(config(method, batch_size=8))
    logs = built.model.fit(built.data.batches(0, 2), steps_per_epoch=2, verbose=0).history
    assert all(abs(values[-1]) < 1e3 for values in logs.values())


@pytest.mark.neutral
def test_a_run_starts_on_jax_without_tensorflow(tmp_path, monkeypatch):
    """Where nobody has imported it, Keras would, for seconds, to serialise a layer."""
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    lazy = module_utils.tensorflow
    monkeypatch.setattr(lazy, "_available", None)
    monkeypatch.setattr(lazy, "initialize", lambda: pytest.fail("TensorFlow is imported"))
    model = experiment.build(config(ema=0.9)).model
    tensorboard.describe(tmp_path, model, {})
    assert model.get_config()["ema"] == 0.9
    assert lazy._available is None  # others may ask


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_images_are_trained_on_in_any_precision(tmp_path, precision):
    """Weights, sigma, batch statistics, losses and the optimizers' states are float32."""
    built = experiment.build(image_config(tmp_path, precision=precision))
    model = built.model
    assert model.generator.layers[0].compute_dtype == precision
    assert model.image_critic.layers[0].compute_dtype == precision
    kernels = [w for w in model.trainable_weights if len(w.shape) > 1]
    before = [w.numpy() for w in kernels]
    logs = model.fit(built.data.batches(0, 4), steps_per_epoch=4, verbose=0).history
    assert all(np.isfinite(values[-1]) for values in logs.values())
    assert all(np.isfinite(w).all() for w in model.get_weights())
    assert all(np.any(w.numpy() != old) for w, old in zip(kernels, before, strict=True))

    x = built.data.points(8)
    norms = [n for n in model.image_critic.layers if isinstance(n, SpectralNormalization)]
    tensors = [player.loss(x)[0] for player in model.players()] + [n.sigma() for n in norms]
    assert len(tensors) == 5
    states = [v for v in model.optimizer.variables if len(v.shape)]
    networks = [w for network in model.networks.values() for w in network.weights]
    dtypes = {keras.backend.standardize_dtype(v.dtype) for v in (*networks, *states, *tensors)}
    assert dtypes == {"float32"}
    assert model.sample(2, seed=0).dtype == np.float32
    kind = keras.optimizers.LossScaleOptimizer
    scaled = [isinstance(model.optimizer[player.name], kind) for player in model.players()]
    assert scaled == [precision == "float16"] * 3


def test_only_the_methods_that_say_so_are_spectrally_normalised():
    for name in ON_POINTS:
        method = methods.get(name)
        if "image_critic" not in method.networks:
            continue
        layers = experiment.build(config(name)).model.image_critic.layers
        normalised = any(isinstance(layer, SpectralNormalization) for layer in layers)
        assert normalised == (method.normalization == "spectral"), name


def test_the_same_seed_gives_the_same_weights():
    a, b = (experiment.build(config(seed=5)).model.get_weights() for _ in range(2))
    assert all((x == y).all() for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize(("precision", "dtype"), [("float32", "float32"), ("bfloat16", "bfloat16")])
def test_precision_reaches_the_networks_and_no_further(precision, dtype):
    model = experiment.build(config(precision=precision)).model
    assert model.generator.layers[0].compute_dtype == dtype
    assert model.generator.layers[0].variable_dtype == "float32"
    assert keras.config.dtype_policy().name == "float32"


def test_the_rate_of_a_critic_with_more_turns_falls_as_slowly_as_the_steps():
    """Its optimizer counts turns, five a step: held for half of them, then to 0."""
    fields = {"steps": 10, "optimizer.hold": 0.5, "optimizer.final": 0.0}
    model = experiment.build(config("wgan_gp", **fields)).model
    for player, turns in (("generator", 1), ("image_critic", 5)):
        rate = model.optimizer[player]._learning_rate
        shares = [float(rate(turns * step) / rate(0)) for step in (5, 7.5, 10)]
        assert shares == pytest.approx([1, 0.5, 0], abs=0.1)


def test_the_critic_of_pairs_has_the_rate_of_the_critic_of_data():
    """VEEGAN's on Grid, whose G has three times as much, which falls."""
    model = experiment.build(
        importlib.import_module("configs.grid_steep").get_config("veegan")
    ).model
    rate = model.optimizer["joint_critic"]._learning_rate
    assert [float(rate(step)) for step in (0, 30_000)] == pytest.approx([1e-3, 1e-3])
    rate = model.optimizer["generator"]._learning_rate
    assert [float(rate(step)) for step in (0, 30_000)] == pytest.approx([3e-3, 3e-4])


@pytest.mark.parametrize(("least", "image_critic"), [(0.0, 0.2), (0.1, 0.2), (1.0, 1.0)])
def test_rates_fall_to_their_share_but_the_image_critics_to_no_less_than_its_own(
    least, image_critic
):
    fields = {"steps": 10, "optimizer.hold": 0.5, "optimizer.final": 0.2}
    model = experiment.build(config(**fields, **{"optimizer.image_critic_final": least})).model
    for player, share in (
        ("generator", 0.2),
        ("latent_critic", 0.2),
        ("image_critic", image_critic),
    ):
        rate = model.optimizer[player]._learning_rate
        np.testing.assert_allclose(rate(10), 2e-4 * share, rtol=1e-5)
        np.testing.assert_allclose(rate(5), 2e-4, rtol=1e-5)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("method", "gan", "method must be one of .*bms_vae_gan.*'gan'"),
        ("samples", 0, "config.samples must be an integer of at least 1. Received: 0"),
        ("batch_size", -3, "config.batch_size must be .*-3"),
        ("steps", 0, "config.steps"),
        ("seed", -1, "config.seed"),
        ("gradient", "some", "config.gradient must be 'selected' or 'all'. Received: 'some'"),
        ("precision", "float8", "config.precision must be 'float32' or"),
        ("strategy", "cluster", "config.strategy"),
        ("jit_compile", "maybe", "config.jit_compile"),
        ("ema", 1.0, "config.ema"),
        ("optimizer.learning_rate", 0.0, "config.optimizer.learning_rate must be above 0"),
        ("optimizer.hold", 2.0, "config.optimizer.hold"),
        ("objective.norm", 3, "config.objective.norm must be 1 or 2. Received: 3"),
        ("eval_metrics", ("beauty",), "a metric must be one of modes, .*'beauty'"),
        ("protocol.real", 1, "config.protocol.real must be an integer of at least 2"),
        ("data.held_out", 1.0, "config.data.held_out must be in .0, 1."),
        ("data.source", "my_points.npz", "nothing at my_points.npz: say by --config.data.source="),
        ("data.source", "mars", "data.source must be one of grid, ring, 'tfds:NAME'.*'mars'"),
        ("networks.family", "resnet", "networks.family must be one of mlp, dcgan, .*'resnet'"),
    ],
)
def test_bad_values_are_named(field, value, message):
    with pytest.raises(BadInput, match=message):
        experiment.build(config(**{field: value}))


@pytest.mark.parametrize(
    ("field", "value"), [("channels", 2), ("resolution", 0), ("resolution", -8), ("crop", -1)]
)
def test_fields_that_fit_no_image_are_named(tmp_path, monkeypatch, field, value):
    """Of a folder, whose images have no size of their own; 0 would do for an `.npz`."""
    monkeypatch.setenv("BMS_KERAS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "mine").mkdir()
    for i in range(20):
        Image.new("RGB", (8, 8)).save(tmp_path / "mine" / f"{i}.png")
    fields = {"data.resolution": 8, f"data.{field}": value}
    bad = image_config(tmp_path, **{"data.source": str(tmp_path / "mine"), **fields})
    with pytest.raises(BadInput, match=f"config.data.{field} .*{value}"):
        experiment.build(bad)


def test_the_dense_family_refuses_images():
    with pytest.raises(BadInput, match=r"points of shape \(d,\). Received: \(8, 8, 3\)"):
        networks.build(config().networks, (8, 8, 3), ("generator",), False)


def test_data_sources_open_by_name():
    assert len(data.load(ConfigDict({"source": "ring"}), 4, 0).means) == 8
