"""Runs stop and go on without a step lost or seen twice."""

import json
import os
import signal

import keras
import numpy as np
import pytest
from helpers import content, image_config, short

from bms_keras import data, signals
from bms_keras.errors import BadInput
from bms_keras.runs import training
from bms_keras.runs.config import complete
from bms_keras.runs.training import _segments
from bms_keras.runs.workdir import Workdir

pytestmark = pytest.mark.usefixtures("no_pictures")


@pytest.mark.neutral
@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [
        (0, 30, [(0, 10, 3)]),
        (0, 25, [(0, 10, 2), (20, 5, 1)]),
        (0, 5, [(0, 5, 1)]),
        (7, 25, [(7, 3, 1), (10, 10, 1), (20, 5, 1)]),
        (7, 9, [(7, 2, 1)]),
        (7, 10, [(7, 3, 1)]),
        (10, 20, [(10, 10, 1)]),
    ],
)
def test_segments(start, stop, expected):
    segments = _segments(start, stop, epoch=10)
    assert segments == expected
    assert sum(steps * epochs for _, steps, epochs in segments) == stop - start


@pytest.mark.parametrize(
    ("number", "step"),
    [(signal.SIGTERM, 10), pytest.param(signal.SIGINT, 20, marks=pytest.mark.neutral)],
)
def test_a_stopped_run_goes_on_to_the_bit(whole, tmp_path, capsys, signal_at, number, step):
    """In the middle of an epoch, and at its end."""
    signal_at(step, number)
    assert training.train(short(), tmp_path / "stopped") is None
    assert f"stopped at step {step} of 40; the same command goes on" in capsys.readouterr().out
    assert content(tmp_path / "stopped")[1] == step
    assert training.train(short(), tmp_path / "stopped")
    assert content(tmp_path / "stopped") == content(whole)


@pytest.mark.parametrize(
    "precision", ["float16", pytest.param("bfloat16", marks=pytest.mark.neutral)]
)
def test_so_does_one_of_images_in_half_precision(tmp_path, signal_at, precision):
    """With batch normalisation, spectral normalisation and a loss scale."""
    fields = {"steps": 4, "checkpoint_every": 4, "precision": precision, "ema": 0.9}
    made = image_config(tmp_path, "sn_gan", **fields)
    training.train(made, tmp_path / "whole")
    signal_at(2)
    assert training.train(made, tmp_path / "stopped") is None
    training.train(made, tmp_path / "stopped")
    assert content(tmp_path / "stopped") == content(tmp_path / "whole")


@pytest.mark.neutral
def test_the_signals_are_given_back(tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    with signals.deferred() as asked:
        assert signal.getsignal(signal.SIGTERM) != before
        os.kill(os.getpid(), signal.SIGTERM)
        assert asked.is_set()
        assert signal.getsignal(signal.SIGTERM) == before  # a second one acts at once
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.neutral
def test_a_run_is_drawn_early_and_when_it_is_stopped(tmp_path, monkeypatch, signal_at):
    picture = lambda model, data: {"a": np.zeros((4, 4), "uint8")}  # noqa: E731
    monkeypatch.setattr(training.drawings, "while_training", picture)
    monkeypatch.setattr(training, "EARLY", (10,))
    signal_at(20)
    assert training.train(short(checkpoint_every=40), tmp_path) is None
    names = sorted(path.name for path in Workdir(tmp_path).samples.iterdir())
    assert names == ["a.png", "a_000000010.png"]
    assert training.train(short(checkpoint_every=40), tmp_path)
    names = sorted(path.name for path in Workdir(tmp_path).samples.iterdir())
    assert names == ["a.png", "a_000000010.png", "a_000000040.png"]


def test_another_config_is_refused_before_data_are_opened(tmp_path, monkeypatch):
    Workdir(tmp_path).config_file.write_text(complete(short()).to_json())
    monkeypatch.setattr(data, "load", lambda *_: pytest.fail("data were opened"))
    with pytest.raises(BadInput, match=r"samples: .* there, 3 now"):
        training.train(short(samples=3), tmp_path)


@pytest.mark.neutral
def test_rates_may_change_and_are_followed(tmp_path):
    """The advice after a NaN works: constant rates, and those of a schedule."""
    for hold in (1.0, 0.5):
        fields, workdir = {"optimizer.hold": hold}, tmp_path / str(hold)
        training.train(short(steps=20, **fields), workdir)
        fields |= {"optimizer.learning_rate": 1e-5, "optimizer.image_critic_learning_rate": 3e-5}
        fields |= {"optimizer.final": 0.1}
        model = training.train(short(**fields), workdir).model
        share = 1.0 if hold == 1.0 else 0.1
        rates = {name: float(o.learning_rate) for name, o in model.optimizer.by_player.items()}
        expected = {"generator": 1e-5, "image_critic": 3e-5, "latent_critic": 2e-4}
        assert rates == pytest.approx({k: v * share for k, v in expected.items()}, rel=1e-5)
        (line,) = Workdir(workdir).history_file.read_text().splitlines()
        assert json.loads(line) == {
            "step": 20,
            "changed": {
                "optimizer.final": [0.0, 0.1],
                "optimizer.image_critic_learning_rate": [2e-4, 3e-5],
                "optimizer.learning_rate": [2e-4, 1e-5],
                "steps": [20, 40],
            },
        }


def test_a_callback_may_end_a_run(tmp_path, capsys):
    """As Keras's `EarlyStopping` does: the run is saved there, and can go on."""

    class Enough(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs):
            self.model.stop_training = epoch == 1

    config = short(steps=8, checkpoint_every=2)
    training.train(config, tmp_path / "run", callbacks=[Enough()])
    assert "a callback ends the run at step 4" in capsys.readouterr().out
    assert content(tmp_path / "run")[1] == 4
    training.train(config, tmp_path / "run")
    assert content(tmp_path / "run")[1] == 8
