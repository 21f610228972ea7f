"""Each turn of a player takes a batch of its own, and what a step takes is a function of it."""

import keras
import numpy as np
import pytest
from helpers import config, image_config
from keras import ops

from bms_keras import data
from bms_keras.data import synthetic
from bms_keras.data.steps import of_step
from bms_keras.methods.gan import GAN
from bms_keras.runs import checkpoint, training
from bms_keras.runs.workdir import Workdir

TURNS, RATE = 3, 0.5


@pytest.fixture
def linear_game():
    """A WGAN whose G puts out 0 for ever and whose D_I is w x, so that each turn adds to w the
    rate times the mean of the batch that it saw."""

    def linear_game(**kwargs):
        networks = [
            keras.Sequential([keras.Input((n,)), keras.layers.Dense(m, use_bias=False)])
            for n, m in ((4, 2), (2, 1))
        ]
        for network in networks:
            network.set_weights([np.zeros_like(w) for w in network.get_weights()])
        game = GAN(*networks, critic_loss="wasserstein", critic_turns=TURNS, seed=0, **kwargs)
        rates = {"generator": 0.0, "image_critic": RATE}
        game.compile({name: keras.optimizers.SGD(rate) for name, rate in rates.items()})
        return game

    return linear_game


def learnt(game):
    """The sum of the means of the batches that the critic's turns have seen."""
    return game.image_critic.get_weights()[0][:, 0] / RATE


def as_arrays(batches):
    return [ops.convert_to_numpy(batch[0] if type(batch) is tuple else batch) for batch in batches]


def test_batches_are_dealt_out_as_they_were_laid():
    batches = np.random.default_rng(0).standard_normal((12, 4, 2))
    for per_step in (1, 2, 3):
        x = of_step(lambda number: batches[number], step=2, per_step=per_step)
        assert x.shape == (4 * per_step, 2)
        for i in range(per_step):
            np.testing.assert_array_equal(x[i::per_step], batches[2 * per_step + i])


def test_the_turns_and_their_batches(linear_game):
    game = linear_game()
    assert game.batches_per_step == TURNS
    batches = np.random.default_rng(0).standard_normal((TURNS, 4, 2)).astype("float32")
    turns = list(game.turns(of_step(lambda number: batches[number], 0, TURNS)))
    assert [player.name for player, _ in turns] == ["generator"] + ["image_critic"] * TURNS
    for (_, seen), number in zip(turns, (0, 0, 1, 2), strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(seen), batches[number])


def test_each_turn_of_the_critic_learns_from_a_batch_of_its_own(linear_game):
    game, source = linear_game(), synthetic.grid(8, seed=3)
    steps = 4
    game.fit(source.batches(0, steps, TURNS), steps_per_epoch=steps, verbose=0)
    means = [source.batch(number).mean(0) for number in range(steps * TURNS)]
    np.testing.assert_allclose(learnt(game), np.sum(means, 0), rtol=1e-4, atol=1e-5)
    assert np.abs(np.sum(means, 0) - TURNS * np.sum(means[:steps], 0)).max() > 0.1


def test_a_step_takes_as_many_batches_from_an_array(linear_game, x):
    """24 points in batches of 4 are two steps of three turns, and all of them are seen."""
    game = linear_game()
    game.fit(x, batch_size=4, shuffle=False, verbose=0)
    assert int(game.optimizer.iterations.numpy()) == 2
    np.testing.assert_allclose(learnt(game), 6 * x.mean(0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rows", [1, 2, 4, 14])
def test_a_last_batch_of_few_rows_is_shared_out(linear_game, x, rows):
    game = linear_game()
    x = x[:rows]
    game.fit(x, batch_size=8, verbose=0, shuffle=False)
    parts = [x[i % rows :: TURNS] for i in range(TURNS)]
    np.testing.assert_allclose(learnt(game), sum(p.mean(0) for p in parts), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["points", "images"])
def test_what_a_step_takes(tmp_path, kind):
    made = image_config(tmp_path) if kind == "images" else config()
    source = data.load(made.data, 8, seed=1)
    found = as_arrays(source.batches(5, 9, per_step=2))
    assert len(found) == 4
    for step, x in zip(range(5, 9), found, strict=True):
        for i in range(2):
            batch = source.batch(2 * step + i)
            batch = batch / np.float32(127.5) - 1 if kind == "images" else batch
            np.testing.assert_allclose(x[i::2], batch, atol=1e-6)


@pytest.mark.neutral
def test_a_stopped_run_of_several_batches_a_step_goes_on_to_the_bit(tmp_path, monkeypatch):
    monkeypatch.setattr(training.drawings, "at_the_end", lambda model, data: {})
    monkeypatch.setattr(training.drawings, "while_training", lambda model, data: {})
    seen = []
    batch = synthetic.Mixture.batch
    monkeypatch.setattr(
        synthetic.Mixture, "batch", lambda self, number: seen.append(number) or batch(self, number)
    )
    fields = {"batch_size": 8, "checkpoint_every": 5, "steps_per_execution": 5}

    def contents(name, *stops):
        for stop in stops:
            training.train(config("wgan_gp", steps=stop, **fields), tmp_path / name)
        _, arrays, *_ = checkpoint.read(checkpoint.paths(Workdir(tmp_path / name).checkpoints)[-1])
        return arrays

    whole = contents("whole", 10)
    assert sorted(set(seen)) == list(range(50))
    stopped = contents("stopped", 5, 10)
    weights = [name for name in whole if name.startswith(("model/", "optimizer/"))]
    assert len(weights) > 10
    for name in weights:
        np.testing.assert_array_equal(stopped[name], whole[name])
