"""The players' optimizers as one: what Keras sees, sets, saves and restores."""

import keras
import numpy as np
import pytest

import bms_keras
from bms_keras.game.optimizers import HoldThenDecay

NAMES = ("generator", "image_critic", "latent_critic")


def adams(rates=(1e-3, 4e-3, 2e-3)):
    return {
        name: keras.optimizers.Adam(rate, beta_1=0.5)
        for name, rate in zip(NAMES, rates, strict=True)
    }


def values(variables):
    return [v.numpy() for v in variables]


@pytest.fixture
def trained(tiny_model, x, train):
    model = tiny_model(optimizers=adams())
    train(model, np.tile(x, (3, 1)), steps=3)
    return model


def test_default_is_the_papers_adam(tiny_model):
    model = tiny_model()
    for name in NAMES:
        assert type(model.optimizer[name]) is keras.optimizers.Adam
        config = model.optimizer[name].get_config()
        assert (config["beta_1"], config["beta_2"]) == (0.0, 0.9)
        np.testing.assert_allclose(config["learning_rate"], 2e-4)


def test_variables_lists_those_of_every_player(trained):
    both = trained.optimizer
    expected = [both.iterations, *(v for name in NAMES for v in both[name].variables)]
    assert [id(v) for v in both.variables] == [id(v) for v in expected]
    assert len(both.variables) == 1 + sum(
        2 + 2 * len(player.trainable_variables) for player in trained.players()
    )  # iterations, and for each player iterations, learning rate and two moments a variable
    moments = [v for v in both.variables if len(v.shape) == 2]
    assert all(np.any(m) for m in values(moments))


def test_setting_the_learning_rate_keeps_the_two_time_scales(tiny_model):
    both = tiny_model(optimizers=adams((1e-4, 4e-4, 1e-4))).optimizer
    np.testing.assert_allclose(float(both.learning_rate), 1e-4)
    both.learning_rate = 5e-5
    rates = [float(both[name].learning_rate) for name in NAMES]
    np.testing.assert_allclose(rates, [5e-5, 2e-4, 5e-5], rtol=1e-6)
    np.testing.assert_allclose(float(both.learning_rate), 5e-5)


def test_a_learning_rate_of_zero_is_not_for_ever(tiny_model):
    """A warm-up starts there."""
    both = tiny_model(optimizers=adams((1e-4, 4e-4, 1e-4))).optimizer
    both.learning_rate = 0.0
    assert [float(both[name].learning_rate) for name in NAMES] == [0, 0, 0]
    both.learning_rate = 5e-5
    rates = [float(both[name].learning_rate) for name in NAMES]
    np.testing.assert_allclose(rates, [5e-5, 2e-4, 5e-5], rtol=1e-6)


@pytest.mark.parametrize(
    "names", [("generator", "image_critic"), (*NAMES, "discriminator"), ("nobody",)]
)
def test_names_that_are_not_the_players_are_refused(tiny_model, names):
    optimizers = {name: keras.optimizers.Adam() for name in names}
    message = r"\['generator', 'image_critic', 'latent_critic'\].*Received: .*" + sorted(names)[0]
    with pytest.raises(ValueError, match=message):
        tiny_model(optimizers=optimizers)


def test_config_round_trip():
    both = bms_keras.PlayerOptimizers(adams())
    again = bms_keras.PlayerOptimizers.from_config(both.get_config())
    assert again.get_config() == both.get_config()
    np.testing.assert_allclose(float(again["image_critic"].learning_rate), 4e-3)


def go_on_alike(model, other, x, train, same):
    """Whether two models have the same state, and still do after more training."""
    assert same(model.weights, other.weights)
    assert same(model.optimizer.variables, other.optimizer.variables)
    # Keras does not save a seed generator's state.
    other.seed_generator.state.assign(model.seed_generator.state.numpy())
    for each in (model, other):
        train(each, np.tile(x, (2, 1)), steps=2)
    assert same(model.weights, other.weights)
    assert same(model.optimizer.variables, other.optimizer.variables)
    assert int(other.optimizer.iterations) == 5
    assert [int(other.optimizer[name].iterations) for name in NAMES] == [5, 5, 5]


def test_state_survives_save_and_load_model(trained, x, train, tmp_path, same):
    trained.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    go_on_alike(trained, loaded, x, train, same)


def test_state_survives_save_weights_and_load_weights(
    trained, tiny_model, x, train, tmp_path, same
):
    trained.save_weights(tmp_path / "m.weights.h5")
    fresh = tiny_model(optimizers=adams((1.0, 1.0, 1.0)))
    fresh.load_weights(tmp_path / "m.weights.h5")
    go_on_alike(trained, fresh, x, train, same)


def test_backup_and_restore_restores_every_optimizer(tiny_model, x, tmp_path, same):
    """A run that stops in its second epoch goes on from the end of its first."""

    class Interrupt(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    class Watch(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch
            self.state = values(self.model.optimizer.variables) + self.model.get_weights()

    def fit(model, *callbacks):
        backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
        x_ = np.tile(x, (2, 1))
        model.fit(x_, batch_size=24, epochs=2, callbacks=[backup, *callbacks], verbose=0)

    first, stopped = Watch(), tiny_model(optimizers=adams())
    with pytest.raises(KeyboardInterrupt):
        fit(stopped, first, Interrupt())
    second, resumed = Watch(), tiny_model(optimizers=adams())
    fit(resumed, second)
    assert (first.epoch, second.epoch) == (1, 1)
    assert same(second.state, first.state)
    assert int(resumed.optimizer["image_critic"].iterations) == 4


@pytest.mark.parametrize("kind", ["SGD", pytest.param("RMSprop", marks=pytest.mark.neutral)])
def test_any_optimizer_may_play(tiny_model, x, train, kind):
    optimizers = adams() | {"image_critic": getattr(keras.optimizers, kind)(1e-3)}
    model = tiny_model(optimizers=optimizers)
    variables = model.image_critic.trainable_variables
    before = values(variables)
    train(model, x)
    assert all(np.any(a != b) for a, b in zip(values(variables), before, strict=True))


def test_hold_then_decay():
    schedule = HoldThenDecay(2.0, 100, 0.8)
    again = HoldThenDecay.from_config(schedule.get_config())
    for step, expected in {0: 2, 80: 2, 90: 1, 95: 0.5, 100: 0, 120: 0}.items():
        np.testing.assert_allclose(schedule(step), expected, atol=1e-5)
        np.testing.assert_allclose(again(step), expected, atol=1e-5)


def test_a_schedule_may_stop_above_zero():
    schedule = HoldThenDecay(2.0, 100, 0.8, final=0.1)
    for step, expected in {0: 2, 80: 2, 90: 1.1, 100: 0.2, 120: 0.2}.items():
        np.testing.assert_allclose(schedule(step), expected, atol=1e-5)


def test_a_schedule_survives_save_and_load(tiny_model, x, train, tmp_path):
    """Two steps at the full rate, the third at half of it, none from the fourth on."""
    schedules = {name: HoldThenDecay(2e-3, 3, 1 / 3) for name in NAMES}
    model = tiny_model(optimizers={n: keras.optimizers.Adam(s) for n, s in schedules.items()})
    train(model, np.tile(x, (2, 1)), steps=2)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    for name in NAMES:
        np.testing.assert_allclose(float(loaded.optimizer[name].learning_rate), 1e-3, rtol=1e-5)
    train(loaded, x)
    assert float(loaded.optimizer.learning_rate) == 0
