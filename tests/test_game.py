"""Players take turns, each moving its own networks, and `fit` and its callbacks play along."""

import keras
import numpy as np
import pytest
from helpers import EAGERLY, on_tensorflow
from keras import ops

import bms_keras

PLAYERS = {
    "generator": {"recognition", "generator"},
    "image_critic": {"image_critic"},
    "latent_critic": {"latent_critic"},
}


def arrays(variables):
    return [v.numpy() for v in variables]


@pytest.mark.parametrize("turn", PLAYERS)
def test_a_turn_changes_that_players_variables_and_no_others(
    tiny_model, one_turn, x, train, same, turn
):
    model = tiny_model(one_turn, turn=turn, optimizers={turn: keras.optimizers.SGD(0.5)})
    before = {name: arrays(network.weights) for name, network in model.networks.items()}
    trained = {name: arrays(network.trainable_weights) for name, network in model.networks.items()}
    train(model, x)
    for name, network in model.networks.items():
        if name in PLAYERS[turn]:
            after = arrays(network.trainable_weights)
            assert all(np.any(a != b) for a, b in zip(after, trained[name], strict=True)), name
        else:
            assert same(network.weights, before[name]), name


@pytest.mark.parametrize("turn", PLAYERS)
def test_the_gradient_norm_is_that_of_the_update(tiny_model, one_turn, x, train, turn):
    """Which plain gradient descent moves the weights by, times its rate."""
    model = tiny_model(one_turn, turn=turn, optimizers={turn: keras.optimizers.SGD(0.5)})
    before = arrays(model.trainable_variables)
    logs = train(model, x)
    moved = [a - b for a, b in zip(arrays(model.trainable_variables), before, strict=True)]
    expected = np.sqrt(sum(np.sum(np.square(m)) for m in moved)) / 0.5
    np.testing.assert_allclose(logs[f"{turn}/gradient_norm"], expected, rtol=1e-3)


def test_evaluate_takes_no_gradients(tiny_model, x):
    logs = tiny_model().evaluate(x, verbose=0, return_dict=True)
    assert "generator/loss" in logs
    assert not any("gradient_norm" in name for name in logs)


def test_a_critic_makes_one_power_iteration_a_step(tiny_model, x, train):
    """In its own turn, before its update, although eq. 7 calls it many times more."""
    model = tiny_model(samples=10)
    layers = [
        layer
        for layer in model.image_critic.layers
        if isinstance(layer, bms_keras.SpectralNormalization)
    ]
    assert len(layers) == 2
    for _ in range(2):
        expected = []
        for layer in layers:
            w, u = ops.convert_to_numpy(layer.layer.kernel), ops.convert_to_numpy(layer.u)[0]
            v = w @ u / np.linalg.norm(w @ u)
            expected.append(w.T @ v / np.linalg.norm(w.T @ v))
        train(model, x)
        for layer, u in zip(layers, expected, strict=True):
            np.testing.assert_allclose(ops.convert_to_numpy(layer.u)[0], u, rtol=1e-4, atol=1e-6)


def test_a_player_may_take_several_turns(tiny_model, x, train):
    class Twice(bms_keras.BMSVAEGAN):
        def players(self):
            generator, image_critic, latent_critic = super().players()
            return [image_critic, image_critic, generator, latent_critic]

    model = tiny_model(Twice)
    logs = train(model, np.tile(x, (6, 1)), steps=6)  # 6 batches: two a step, one a turn
    turns = {name: int(model.optimizer[name].iterations) for name in PLAYERS}
    assert turns == {"generator": 3, "image_critic": 6, "latent_critic": 3}
    assert int(model.optimizer.iterations) == 3
    total = sum(logs[f"{player.name}/loss"] for player in model.players())
    np.testing.assert_allclose(logs["loss"], total, rtol=1e-4)


def test_turns_are_played_in_their_order(tiny_model, x, train):
    """D_I's loss is that of G as its turn left it."""
    model = tiny_model(optimizers={name: keras.optimizers.SGD(0.1) for name in PLAYERS})
    state = ops.convert_to_numpy(model.seed_generator.state)
    logs = train(model, x)

    again = tiny_model(optimizers={name: keras.optimizers.SGD(0.1) for name in PLAYERS})
    again.seed_generator.state.assign(state)
    again.generator_loss(x)  # draws what the generator's turn drew
    again.generator.set_weights(model.generator.get_weights())
    for layer in again.image_critic.layers:
        if isinstance(layer, bms_keras.SpectralNormalization):
            layer.power_iteration()
    loss, _ = again.image_critic_loss(x)
    np.testing.assert_allclose(logs["image_critic/loss"], loss, rtol=1e-4)


def test_fit_as_keras_does(tiny_model, x):
    model = tiny_model()
    model.compile(steps_per_execution=4, jit_compile=True)
    history = model.fit(np.tile(x, (8, 1)), batch_size=24, epochs=2, verbose=0)
    expected = {
        "loss",
        "generator/loss",
        "generator/reconstruction",
        "generator/divergence",
        "generator/least_realistic",
        "generator/prior",
        "generator/gradient_norm",
        "image_critic/gradient_norm",
        "latent_critic/gradient_norm",
        "image_critic/loss",
        "image_critic/real",
        "image_critic/fake",
        "latent_critic/loss",
        "latent_critic/prior",
        "latent_critic/posterior",
    }
    assert set(history.history) == expected
    assert all(len(values) == 2 for values in history.history.values())
    assert np.all(np.isfinite(list(history.history.values())))
    logs = {name: values[0] for name, values in history.history.items()}
    total = sum(logs[f"{name}/loss"] for name in PLAYERS)
    np.testing.assert_allclose(logs["loss"], total, rtol=1e-4)
    assert int(model.optimizer.iterations) == 16


def test_terminate_on_nan_stops(tiny_model, x):
    model = tiny_model()
    bad = np.tile(x, (3, 1))
    bad[24:48] = np.nan  # the second of three batches
    callback = keras.callbacks.TerminateOnNaN()
    model.fit(bad, batch_size=24, epochs=3, shuffle=False, callbacks=[callback], verbose=0)
    assert int(model.optimizer.iterations) == 2


def test_a_learning_rate_scheduler_scales_every_players_rate(tiny_model, x):
    rates = {"generator": 1e-4, "image_critic": 4e-4, "latent_critic": 1e-4}
    model = tiny_model(
        optimizers={name: keras.optimizers.Adam(rate) for name, rate in rates.items()}
    )
    halve = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    model.fit(x, batch_size=24, epochs=2, callbacks=[halve], verbose=0)
    for name, rate in rates.items():
        np.testing.assert_allclose(float(model.optimizer[name].learning_rate), rate / 4, rtol=1e-5)


def test_reduce_on_plateau_scales_every_players_rate(tiny_model, x):
    rates = {"generator": 1e-4, "image_critic": 4e-4, "latent_critic": 1e-4}
    model = tiny_model(
        optimizers={name: keras.optimizers.Adam(rate) for name, rate in rates.items()}
    )
    plateau = keras.callbacks.ReduceLROnPlateau("loss", 0.5, patience=1, min_delta=1e9)
    model.fit(x, batch_size=24, epochs=2, callbacks=[plateau], verbose=0)
    for name, rate in rates.items():
        np.testing.assert_allclose(float(model.optimizer[name].learning_rate), rate / 2, rtol=1e-5)


def test_tensorboard_shows_the_logs(tiny_model, x, tmp_path):
    pytest.importorskip("tensorflow")  # Keras's callback writes with it
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    tiny_model().fit(x, batch_size=24, callbacks=[keras.callbacks.TensorBoard(tmp_path)], verbose=0)
    events = accumulator.EventAccumulator(str(tmp_path / "train"))
    events.Reload()
    expected = {"epoch_loss", "epoch_generator/reconstruction", "epoch_image_critic/real"}
    assert expected <= set(events.Tags()["tensors"] + events.Tags()["scalars"])


@on_tensorflow
def test_a_graph_plays_the_steps_that_are_played_without_one(tiny_model, x, train):
    """So that what tests see without a graph (`helpers.EAGERLY`) holds in one."""
    without, within = (
        tiny_model(ema=0.5, optimizers={name: keras.optimizers.SGD(0.1) for name in PLAYERS})
        for _ in range(2)
    )
    within.run_eagerly = False
    logs = [train(model, np.tile(x, (3, 1)), steps=3) for model in (without, within)]
    assert logs[1] == pytest.approx(logs[0], rel=1e-4, abs=1e-5)
    for one, other in zip(without.variables, within.variables, strict=True):
        np.testing.assert_allclose(other.numpy(), one.numpy(), 1e-4, 1e-5, err_msg=one.path)


def batch_norm_generator():
    return keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(8),
            keras.layers.BatchNormalization(momentum=0.5),
            keras.layers.Dense(2),
        ]
    )


def test_evaluate_changes_no_weights(tiny_networks, x, same):
    """Not even batch statistics."""
    networks = tiny_networks() | {"generator": batch_norm_generator()}
    model = bms_keras.BMSVAEGAN(**networks, samples=3, seed=0)
    model.compile(run_eagerly=EAGERLY)
    before, optimizers = model.get_weights(), [v.numpy() for v in model.optimizer.variables]
    logs = model.evaluate(x, batch_size=24, verbose=0, return_dict=True)
    assert np.all(np.isfinite(list(logs.values())))
    assert {"loss", "generator/loss", "image_critic/real"} < set(logs)
    assert same(model.weights, before)
    assert same(model.optimizer.variables, optimizers)


def test_batch_statistics_are_kept_in_training(tiny_networks, x, train):
    networks = tiny_networks() | {"generator": batch_norm_generator()}
    model = bms_keras.BMSVAEGAN(**networks, samples=3, seed=0)
    model.compile(run_eagerly=EAGERLY)
    norm = model.generator.layers[1]
    train(model, x)
    assert np.all(norm.moving_mean.numpy() != 0)
    assert np.all(norm.moving_variance.numpy() != 1)


def test_averages_are_those_of_a_hand_computation(tiny_model, x, train):
    model = tiny_model(ema=0.5)
    names = ("recognition", "generator")
    expected = {name: model.networks[name].get_weights() for name in names}
    for _ in range(3):
        train(model, x)
        for name in names:
            now = model.networks[name].get_weights()
            pairs = zip(expected[name], now, strict=True)
            expected[name] = [0.5 * mean + 0.5 * weight for mean, weight in pairs]
    for name in names:
        for mean, weight in zip(model.averages[name].get_weights(), expected[name], strict=True):
            np.testing.assert_allclose(mean, weight, rtol=1e-5, atol=1e-7)
    assert set(model.averages) == set(names)  # critics have none


def test_averages_are_what_is_used(tiny_model, x):
    """Training's weights are wiped out: what the model gives stays."""

    def outputs():
        return [
            model.sample(5, seed=0),
            model(np.ones((5, 4), "float32")),
            model.reconstruct(x, seed=0),
            *model.encode(x),
        ]

    model = tiny_model(ema=0.5)
    before = outputs()
    for name in ("recognition", "generator"):
        network = model.networks[name]
        network.set_weights([np.zeros_like(w) for w in network.get_weights()])
    for after, expected in zip(outputs(), before, strict=True):
        assert np.any(expected)
        np.testing.assert_array_equal(after, expected)


def test_no_averages_by_default(tiny_model):
    model = tiny_model()
    assert model.averages == {}
    assert np.any(model.sample(5))
    model.generator.set_weights([np.zeros_like(w) for w in model.generator.get_weights()])
    assert not np.any(model.sample(5))
