"""Every method of the registry: its terms, whose variables move, and that it trains."""

import dataclasses
from typing import ClassVar

import keras
import numpy as np
import pytest
from helpers import EAGERLY, config, image_config
from keras import ops

import bms_keras
from bms_keras import fields, methods, objectives
from bms_keras.backends import input_gradient
from bms_keras.methods.mdgan import mode_density, simplex
from bms_keras.runs import experiment

RIVALS = [name for name, m in methods.METHODS.items() if m.game is not bms_keras.BMSVAEGAN]


def number(tensor):
    return float(ops.convert_to_numpy(tensor))


# Terms, against independent computations.


@pytest.mark.parametrize("seed", [0, 1])
def test_gradient_penalty_by_finite_differences(tiny_networks, seed):
    critic = tiny_networks(("image_critic",), normalization="none", seed=seed)["image_critic"]
    x = np.random.default_rng(seed).standard_normal((3, 2)).astype("float32")
    slope = ops.convert_to_numpy(
        input_gradient(lambda x: ops.squeeze(critic(x), -1), ops.convert_to_tensor(x))
    )
    step, expected = 1e-3, np.zeros((3, 2))
    for i in range(2):
        shift = step * np.eye(2, dtype="float32")[i]
        difference = critic(x + shift) - critic(x - shift)
        expected[:, i] = ops.convert_to_numpy(difference)[:, 0] / (2 * step)
    np.testing.assert_allclose(slope, expected, atol=2e-3)
    penalty = np.mean((np.linalg.norm(slope, axis=1) - 1) ** 2)
    np.testing.assert_allclose(number(objectives.gradient_penalty(slope)), penalty, rtol=1e-4)


def test_the_penalty_moves_the_critic(tiny_networks, value_and_gradients):
    """Its second-order gradient, against finite differences in one weight."""
    critic = tiny_networks(("image_critic",), normalization="none")["image_critic"]
    x = ops.convert_to_tensor(np.random.default_rng(0).standard_normal((5, 2)).astype("float32"))
    kernel = critic.trainable_variables[0]

    def penalty():
        slope = input_gradient(lambda x: ops.squeeze(critic(x), -1), x)
        return objectives.gradient_penalty(slope)

    _, (gradient,) = value_and_gradients(penalty, [kernel])
    values, step = kernel.numpy(), 1e-3
    for place in ((0, 0), (1, 3)):
        around = []
        for sign in (1, -1):
            moved = values.copy()
            moved[place] += sign * step
            kernel.assign(moved)
            around.append(number(penalty()))
        kernel.assign(values)
        expected = (around[0] - around[1]) / (2 * step)
        np.testing.assert_allclose(gradient[place], expected, rtol=0.02, atol=1e-3)


@pytest.mark.parametrize("s", [-1.5, 0.0, 1.0])
def test_sobolev_norm_by_numpy(s):
    x = np.random.default_rng(0).standard_normal((2, 8, 6, 3))
    rows, columns = np.abs(np.fft.fftfreq(8)) * 2, np.abs(np.fft.fftfreq(6)) * 2
    weight = (1 + 5 * (rows[:, None] ** 2 + columns[None] ** 2)) ** (s / 2)
    filtered = np.fft.ifft2(np.fft.fft2(x, axes=(1, 2)) * weight[..., None], axes=(1, 2))
    expected = np.linalg.norm(filtered.reshape(2, -1), axis=1)
    found = ops.convert_to_numpy(objectives.sobolev_norm(x.astype("float32"), s))
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_gdpp_of_equal_and_of_collapsed_features():
    rng = np.random.default_rng(0)
    real = rng.standard_normal((6, 16)).astype("float32")
    units = real / np.linalg.norm(real, axis=1, keepdims=True)
    values = np.linalg.eigvalsh(units.astype("float64") @ units.T)
    weights = (values - values.min()) / (values.max() - values.min())
    same = number(objectives.gdpp(real, real))  # equal vectors: every cosine is 1
    np.testing.assert_allclose(same, -weights.sum(), rtol=1e-4)
    collapsed = np.tile(real[:1], (6, 1))
    assert number(objectives.gdpp(real, collapsed)) > same


def test_the_simplex_of_md_gan():
    corners = simplex(9)
    assert corners.shape == (10, 9)
    np.testing.assert_allclose(np.linalg.norm(corners, axis=1), 1, rtol=1e-6)
    distances = np.linalg.norm(corners[:, None] - corners[None], axis=-1)
    np.testing.assert_allclose(distances[~np.eye(10, dtype=bool)], distances[0, 1], rtol=1e-5)


@pytest.mark.parametrize("variance", [0.01, 0.25])
def test_no_embedding_is_likelier_than_the_maximum(variance):
    centres = simplex(3)
    e = np.random.default_rng(0).uniform(-1.2, 1.2, (100_000, 3))
    squares = np.sum((e[:, None] - centres) ** 2, -1)
    density = np.exp(-squares / (2 * variance)).mean(1) / (2 * np.pi * variance) ** 1.5
    maximum = mode_density(centres, variance)
    assert 0.9 * maximum < density.max() <= maximum * (1 + 1e-6)


def test_began_keeps_its_balance(tmp_path):
    model = experiment.build(image_config(tmp_path, "began")).model
    x = np.random.default_rng(0).uniform(-1, 1, (16, *model.data_shape)).astype("float32")
    _, terms = model.autoencoder_loss(x)
    expected = np.clip(0.001 * (0.5 * number(terms["real"]) - number(terms["fake"])), 0, 1)
    np.testing.assert_allclose(number(model.k), expected, rtol=1e-4, atol=1e-9)
    reconstruction = ops.convert_to_numpy(model.autoencoder(x))
    np.testing.assert_allclose(number(terms["real"]), np.abs(x - reconstruction).mean(), rtol=1e-4)


# All of them.


def built(name, tmp_path, **fields):
    if methods.get(name).kind == "images":
        return experiment.build(image_config(tmp_path, name, **fields))
    return experiment.build(config(name, **fields))


ON_BOTH = ("bms_vae_gan", "dist_gan")  # saving is the backend's in no other way
SAVED = [
    pytest.param(name, marks=[] if name in ON_BOTH else pytest.mark.neutral)
    for name in methods.METHODS
]


@pytest.mark.parametrize("name", SAVED)
def test_a_saved_model_trains_on_as_if_it_never_had_been(name, tmp_path, same):
    """By `.keras` as by `.weights.h5`: weights, optimizers and logs of the next steps are equal."""
    experiment_ = built(name, tmp_path, batch_size=8, ema=0.5)
    model, data = experiment_.model, experiment_.data

    def train(model, start, stop):
        batches = data.batches(start, stop)
        return model.fit(batches, steps_per_epoch=stop - start, verbose=0).history

    before = {name: network.get_weights() for name, network in model.networks.items()}
    train(model, 0, 2)
    assert not any(same(model.networks[name].weights, weights) for name, weights in before.items())
    noise = model.seed_generator.state.numpy()  # which Keras does not save; a checkpoint does
    samples = model.sample(4, seed=0)
    model.save(tmp_path / "m.keras")
    model.save_weights(tmp_path / "m.weights.h5")
    logs = train(model, 2, 4)
    assert np.isfinite(list(logs.values())).all()

    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert type(loaded) is methods.get(name).game
    own = {*model.get_config()} - {*model.networks}
    assert all(loaded.get_config()[key] == model.get_config()[key] for key in own)
    for load in (lambda: None, lambda: loaded.load_weights(tmp_path / "m.weights.h5")):
        load()
        assert same([loaded.sample(4, seed=0)], [samples])
        loaded.seed_generator.state.assign(noise)
        assert train(loaded, 2, 4) == logs
        assert same(loaded.weights, model.weights)
        assert same(loaded.optimizer.variables, model.optimizer.variables)


@pytest.mark.parametrize("name", RIVALS)
def test_each_player_moves_only_its_own(name, tmp_path):
    """All optimizers but one player's stand still."""
    experiment_ = built(name, tmp_path, batch_size=8, ema=0.5)  # as above: it is compiled once
    model = experiment_.model
    model.run_eagerly = EAGERLY
    players = {player.name: player for player in model.players()}
    for mover in players:
        for other in players:  # a rate is a variable: the step is compiled once
            model.optimizer[other].learning_rate = 0.1 if other == mover else 0.0
        before = {id(v): v.numpy() for v in model.trainable_variables}
        model.fit(experiment_.data.batches(0, 1), steps_per_epoch=1, verbose=0)
        own = {id(v) for v in players[mover].trainable_variables}
        moved = {id(v) for v in model.trainable_variables if np.any(before[id(v)] != v.numpy())}
        assert moved, mover
        assert moved <= own, mover


@pytest.mark.parametrize("name", methods.METHODS)
def test_the_registry_knows_every_player(name, tmp_path):
    """By whose name a config sets an optimizer."""
    model, method = built(name, tmp_path).model, methods.get(name)
    assert {player.name for player in model.players()} == set(method.players)
    assert not model.has_posterior or model.samples == (method.samples or 1)


@pytest.mark.parametrize("name", ["bw_gan", "began"])
def test_methods_for_images_refuse_points(name):
    with pytest.raises(bms_keras.BadInput, match=f"'{name}' needs data of the kind 'images'"):
        experiment.build(config(name))


def test_a_method_of_ones_own_is_looked_up_like_any(monkeypatch):
    monkeypatch.setitem(methods.METHODS, "mine", None)  # to be gone afterwards
    mine = methods.Method("mine", bms_keras.GAN, ("generator", "image_critic"))
    methods.register("mine", mine)
    assert methods.get("mine") is mine
    with pytest.raises(bms_keras.BadInput, match=r"a name of letters and digits. Received: 'a:b'"):
        methods.register("a:b", mine)
    typo = dataclasses.replace(mine, objective={"margin": 1.0})
    with pytest.raises(
        bms_keras.BadInput, match=r"'mine' may have an objective of .*margins.*: margin$"
    ):
        methods.register("mine", typo)
    with pytest.raises(bms_keras.BadInput, match=r"Received: 'yours'. .*comes by config.imports"):
        methods.get("yours")


class WithOptions(bms_keras.GAN):
    RULES: ClassVar = {
        "slack": (fields.at_least_0, "of D_I"),
        "ends": (fields.pair, "of what it says"),
    }

    def __init__(self, generator, image_critic, slack=0.0, ends=(0.0, 1.0), **kwargs):
        super().__init__(generator, image_critic, **kwargs)
        self.keep(slack=slack, ends=ends)


def test_options_that_are_kept_are_checked_and_saved(tiny_networks, tmp_path):
    nets = tiny_networks(("generator", "image_critic"))
    model = WithOptions(**nets, slack=0.5, ends=[2.0, 3.0], critic_turns=2)
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")  # whose class nobody has registered
    for each in (model, again):
        assert (each.slack, each.ends, each.critic_turns) == (0.5, (2.0, 3.0), 2)
    with pytest.raises(ValueError, match=r"slack must be at least 0\. Received: slack=-1"):
        WithOptions(**nets, slack=-1)


def test_a_method_names_the_players_that_it_has(monkeypatch):
    """Else a rate that a config gives one of them would be dropped."""
    named = dataclasses.replace(methods.METHODS["sn_gan"], turns=("generator", "critic"))
    monkeypatch.setitem(methods.METHODS, "mine", named)
    with pytest.raises(bms_keras.BadInput, match=r"by turns=\(generator, image_critic\)"):
        experiment.build(config("mine"))
