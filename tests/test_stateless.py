"""Several steps in one call of the backend are the steps one by one."""

import numpy as np
import pytest
from helpers import config

from bms_keras.runs import experiment

X = np.random.default_rng(0).standard_normal((50, 2)).astype("float32")  # six of eight, and two


def trained(at_once, x=X, game=None):
    """A game after an epoch, and its logs."""
    own = config(steps_per_execution=at_once, batch_size=8, jit_compile="on")
    model = experiment.build(own).model
    if game:
        model.__class__ = type(game.__name__, (game, type(model)), {})
    history = model.fit(x, batch_size=8, shuffle=False, verbose=0).history
    return model, {name: values[-1] for name, values in history.items()}


@pytest.mark.parametrize("at_once", [4, 100])
def test_the_same_weights_and_logs(at_once):
    """Also where steps are left over, and where the last batch has fewer rows."""
    (one, logs), (several, logs_of_several) = trained(1), trained(at_once)
    for a, b in zip(one.weights, several.weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    assert int(several.optimizer.iterations.numpy()) == int(one.optimizer.iterations.numpy()) == 7
    for name, value in logs.items():
        assert logs_of_several[name] == pytest.approx(value, rel=1e-3, abs=1e-5), name


def test_to_the_last_bit_however_many_steps_a_call_has():
    """Six steps in one call, and four and two."""
    whole, _ = trained(6, X[:48])
    parts, _ = trained(4, X[:48])
    for a, b in zip(whole.weights, parts.weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_batches_of_any_shape_in_their_order():
    """What a generator hands may change its size in the middle, too."""
    sizes = [8, 8, 4, 8, 2, 2]
    batches = [(part,) for part in np.split(X[: sum(sizes)], np.cumsum(sizes)[:-1])]
    games = []
    for at_once in (1, 6):
        own = config(steps_per_execution=at_once, batch_size=8, jit_compile="on")
        games.append(experiment.build(own).model)
        games[-1].fit((batch for batch in batches), steps_per_epoch=6, verbose=0)
    one, several = games
    for a, b in zip(one.weights, several.weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_a_step_of_ones_own_is_taken():
    """A class may say itself what a step is; Keras's trainer then takes them one by one."""
    steps = []

    class Own:
        def train_step(self, *args):
            steps.append(args)
            return super().train_step(*args)

    _, logs = trained(4, X[:48], Own)
    assert steps
    assert np.isfinite(list(logs.values())).all()
