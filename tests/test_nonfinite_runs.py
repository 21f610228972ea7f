"""Numbers that are not finite are named, never saved, and rolled back."""

import numpy as np
import pytest
from helpers import content, short
from keras import ops

from bms_keras import BMSVAEGAN, objectives
from bms_keras.errors import NotFinite
from bms_keras.runs import checkpoint, training
from bms_keras.runs.workdir import Workdir

pytestmark = pytest.mark.usefixtures("no_pictures")


@pytest.fixture
def spoiled(monkeypatch):
    """Spoils a term in a step of training: whenever it is played, or with one noise seed only."""

    def spoiled(game, name, step, seed=None):
        function = getattr(objectives, name)
        current = {}

        def spoil(*args, **kwargs):
            value = function(*args, **kwargs)
            model = current["model"]
            bad = ops.equal(ops.convert_to_tensor(model.optimizer.iterations), step - 1)
            if seed is not None:
                state = ops.convert_to_tensor(model.seed_generator.state)
                bad = ops.logical_and(bad, ops.equal(ops.cast(state[0], "int32"), seed))
            return ops.where(bad, float("nan"), value)

        compile_ = game.compile

        def compiled(model, *args, **kwargs):
            compile_(model, *args, **kwargs)
            current["model"] = model
            monkeypatch.setattr(objectives, name, spoil)

        monkeypatch.setattr(game, "compile", compiled)

    return spoiled


def test_what_is_not_finite_is_named_and_not_saved(tmp_path, spoiled):
    spoiled(BMSVAEGAN, "kl_estimate", 35)
    message = r"divergence is not finite at step 35: the same command with a lower .* from step 20"
    with pytest.raises(NotFinite, match=message):
        training.train(short(), tmp_path)
    assert content(tmp_path)[1] == 20
    with np.load(checkpoint.paths(Workdir(tmp_path).checkpoints)[-1]) as file:
        assert all(np.isfinite(file[name]).all() for name in file.files)


def test_a_critics_fault_is_the_critics(tmp_path, spoiled):
    spoiled(BMSVAEGAN, "cross_entropy", 3)
    message = r"latent_critic/loss is not finite at step 3, before the first .* starts anew"
    with pytest.raises(NotFinite, match=message):
        training.train(short(), tmp_path)
    assert not Workdir(tmp_path).checkpoints.exists()


@pytest.mark.neutral
def test_rolling_back_completes_the_run(tmp_path, spoiled, capsys):
    spoiled(BMSVAEGAN, "kl_estimate", 35, seed=0)
    assert training.train(short(on_nan="rollback"), tmp_path)
    manifest, arrays = checkpoint.read(checkpoint.paths(Workdir(tmp_path).checkpoints)[-1])
    assert (manifest["step"], manifest["rollbacks"]) == (40, 1)
    assert all(np.isfinite(array).all() for array in arrays.values())
    line = "generator/divergence is not finite at step 35; rolled back to step 20 with new noise"
    assert line in capsys.readouterr().err


@pytest.mark.neutral
def test_rolling_back_is_not_tried_for_ever(tmp_path, spoiled):
    spoiled(BMSVAEGAN, "kl_estimate", 35)
    with pytest.raises(NotFinite, match="max_rollbacks=2 rollbacks"):
        training.train(short(on_nan="rollback", max_rollbacks=2), tmp_path)
    assert content(tmp_path)[1] == 20


@pytest.fixture
def hidden_fault(monkeypatch):
    """Spoils a weight at the end of step 30, once: ReLU hides it from losses on TensorFlow."""
    guarded, spoiled = training.Guard.on_train_batch_end, []

    def on_train_batch_end(guard, batch, logs=None):
        guarded(guard, batch, logs)
        if int(guard.model.optimizer.iterations.numpy()) == 30 and not spoiled:
            kernel = guard.model.recognition.layers[0].kernel
            spoiled.append(kernel.assign(np.where(np.eye(*kernel.shape) > 0, np.nan, kernel)))

    monkeypatch.setattr(training.Guard, "on_train_batch_end", on_train_batch_end)


@pytest.mark.neutral  # the next runs on both
def test_a_weight_that_is_not_finite_is_not_saved(tmp_path, hidden_fault):
    with pytest.raises(NotFinite, match=r"is not finite at step .* goes on from step 20"):
        training.train(short(), tmp_path)
    assert content(tmp_path)[1] == 20


def test_it_is_rolled_back(tmp_path, hidden_fault, capsys):
    assert training.train(short(on_nan="rollback", ema=0.0), tmp_path)
    manifest, arrays = checkpoint.read(checkpoint.paths(Workdir(tmp_path).checkpoints)[-1])
    assert (manifest["step"], manifest["rollbacks"]) == (40, 1)
    assert all(np.isfinite(array).all() for array in arrays.values())
    assert "rolled back to step 20 with new noise" in capsys.readouterr().err


def test_nothing_that_is_not_finite_is_written(tmp_path):
    """Whoever writes, and whatever it is: a weight, or an optimizer's state."""
    model = training.experiment.build(short()).model
    for variable in (model.generator.weights[0], model.optimizer["latent_critic"].variables[-1]):
        before = variable.numpy()
        variable.assign(np.full(variable.shape, np.inf))
        with pytest.raises(NotFinite, match=f"{variable.path} is not finite at step 0"):
            checkpoint.save(model, tmp_path)
        variable.assign(before)
    assert not list(tmp_path.iterdir())
    checkpoint.save(model, tmp_path)


@pytest.mark.neutral
def test_there_is_nothing_to_roll_back_to_at_the_start(tmp_path, spoiled):
    spoiled(BMSVAEGAN, "kl_estimate", 5)
    with pytest.raises(NotFinite, match="before the first checkpoint"):
        training.train(short(on_nan="rollback"), tmp_path)
