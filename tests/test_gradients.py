"""Each player's gradient is that of its loss: nothing is held back that is not meant to be.

A loss may have the right value and a wrong gradient, where something stops it; so the slope of each
loss along a direction of its player's weights is taken by central differences, of the loss as a
number, and beside it the gradient that training follows.
"""

import keras
import numpy as np
import pytest
from helpers import config, image_config
from keras import ops

from bms_keras import methods
from bms_keras.layers import spectrally_normalized
from bms_keras.runs import experiment

SMOOTH = {"networks.activation": "tanh", "networks.critic_activation": "tanh"}
STEP = 5e-4  # of the length of a player's weights
OF_POINTS = [
    *((name, {}) for name, method in methods.METHODS.items() if method.kind is None),
    ("bms_vae_gan", {"samples": 1}),
    ("bms_vae_gan", {"gradient": "all"}),
    ("bms_vae_gan", {"objective.critic_sees_posterior": True, "objective.pack": 2}),
    ("alpha_gan_sn", {"objective.critic_loss": "relativistic", "objective.gamma": 0.1}),
]
OF_IMAGES = [
    ("bms_vae_gan", {}),
    ("bw_gan", {}),
    ("began", {}),
    ("dist_gan", {"objective.critic_loss": "hinge", "objective.distances": "features"}),
]


def to_the_letter(method):
    """Fields by which D_I's part of eq. 7 reaches R, where a method would stop it at z."""
    name = "critic_to_recognition"
    return {f"objective.{name}": True} if name in methods.get(method).objective else {}


def slopes_of(player, x, value_and_gradients, states=()):
    """The slope of a player's loss along a direction: by its gradient, and by differences.

    The third number is what float32 makes of a loss that does not change.
    """
    variables = player.trainable_variables
    before = [ops.convert_to_numpy(v).copy() for v in states]

    def loss():
        value = player.loss(x)[0]
        for v, old in zip(states, before, strict=True):  # as BEGAN's k, which a loss changes
            v.assign(old)
        return value

    value, gradients = value_and_gradients(loss, variables)
    weights = [ops.convert_to_numpy(v).copy() for v in variables]
    rng = np.random.default_rng(0)
    size = np.sqrt(sum(np.sum(g**2) for g in gradients) / sum(g.size for g in gradients))
    directions = [rng.standard_normal(g.shape) + 0.3 * g / size for g in gradients]
    length = np.sqrt(sum(np.sum(d**2) for d in directions))
    size = np.sqrt(sum(np.sum(w**2) for w in weights))
    step = STEP * size / length
    values = []
    for sign in (1, -1):
        for v, w, d in zip(variables, weights, directions, strict=True):
            v.assign(w + sign * step * d)
        values.append(float(ops.convert_to_numpy(loss())))
    for v, w in zip(variables, weights, strict=True):
        v.assign(w)
    by_gradient = sum(np.sum(g * d) for g, d in zip(gradients, directions, strict=True))
    return by_gradient, (values[0] - values[1]) / (2 * step), value / (step * 1e7)


def held(game, monkeypatch):
    """A game whose noise is the same in each call."""
    latent = game.latent_dim

    def prior(*shape):
        rng = np.random.default_rng(shape)
        return rng.standard_normal((*shape, latent)).astype("float32")

    monkeypatch.setattr(game, "prior", prior)
    fixed = lambda shape, seed=None, **kwargs: ops.full(shape, 0.3)  # noqa: E731
    monkeypatch.setattr(keras.random, "uniform", fixed)
    for network in filter(None, game.networks.values()):
        larger = 8 if len(game.data_shape) == 3 else 1  # than N(0, 0.02), by which little is moved
        network.set_weights([larger ** (w.ndim > 1) * w for w in network.get_weights()])
        for layer in spectrally_normalized(network):
            layer.settle(100)
    return game


def check(config, x, monkeypatch, value_and_gradients, tolerance):
    built = experiment.build(config)
    game = held(built.model, monkeypatch)
    x = built.data.batch(0) if x is None else x
    seen = set()
    for player in game.players():
        if player.name not in seen:
            seen.add(player.name)
            found, expected, rounding = slopes_of(
                player, x, value_and_gradients, game.non_trainable_variables
            )
            assert abs(expected) > 10 * abs(rounding), player.name  # else it would tell nothing
            assert found == pytest.approx(expected, rel=tolerance), player.name


@pytest.mark.parametrize(("method", "fields"), OF_POINTS, ids=str)
def test_of_points(method, fields, monkeypatch, value_and_gradients):
    fields = SMOOTH | to_the_letter(method) | fields
    check(config(method, batch_size=12, **fields), None, monkeypatch, value_and_gradients, 0.02)


@pytest.mark.parametrize(("method", "fields"), OF_IMAGES, ids=str)
def test_of_images(method, fields, tmp_path, monkeypatch, value_and_gradients):
    fields = to_the_letter(method) | fields
    x = np.random.default_rng(1).uniform(-1, 1, (8, 8, 8, 3)).astype("float32")
    own = image_config(tmp_path, method, **fields)
    check(own, x, monkeypatch, value_and_gradients, 0.05)


def test_the_critics_part_reaches_the_generator_by_default(monkeypatch, value_and_gradients):
    """R alone is spared: G's own weights have the gradient of the whole loss."""
    game = held(experiment.build(config("bms_vae_gan", batch_size=12, **SMOOTH)).model, monkeypatch)
    x = np.random.default_rng(2).standard_normal((12, 2)).astype("float32")
    player = game.players()[0]

    class OfG:
        trainable_variables = game.generator.trainable_variables
        loss = staticmethod(player.loss)

    found, expected, _ = slopes_of(OfG, x, value_and_gradients)
    assert found == pytest.approx(expected, rel=0.02)
