"""What is measured and shown while a run trains: what fails is missing, and made up for."""

import json

import numpy as np
import pytest
from helpers import content, image_config, short
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboardX import record_writer

from bms_keras import metrics
from bms_keras.errors import BadInput
from bms_keras.metrics import weights
from bms_keras.runs import checkpoint, training
from bms_keras.runs.workdir import Workdir

pytestmark = [pytest.mark.usefixtures("no_pictures"), pytest.mark.neutral]


MEASURED = {"eval_every": 20, "eval_metrics": ("probe",), "best_by": "min:probe"}


@pytest.fixture
def probe(monkeypatch):
    """A metric whose values are those of a list of functions, one a call."""

    def probe(*functions, **needs):
        calls = iter(functions)
        metric = metrics.Metric(
            lambda *_: {"probe": next(calls)()}, keys=lambda *_: ("probe",), **needs
        )
        monkeypatch.setitem(metrics.METRICS, "probe", metric)

    return probe


def fails(error):
    def fail():
        raise error

    return fail


def evaluated(workdir):
    """The steps and values of a run's evaluations in TensorBoard; its last; its best checkpoint."""
    workdir = Workdir(workdir)
    events = EventAccumulator(str(workdir.tensorboard)).Reload()
    best = checkpoint.read(workdir.checkpoints / checkpoint.BEST)[0]
    return (
        [(event.step, event.value) for event in events.Scalars("eval/probe")],
        json.loads(workdir.evaluated_file.read_text()),
        (best["step"], best["probe"]),
    )


def test_a_checkpoint_is_written_before_it_is_measured(tmp_path, probe):
    newest = lambda: float(content(tmp_path)[1])  # noqa: E731
    probe(newest, newest, newest)
    training.train(short(steps=55, checkpoint_every=20, **MEASURED | {"eval_every": 55}), tmp_path)
    assert evaluated(tmp_path) == ([(55, 55.0)], {"step": 55, "probe": 55.0}, (55, 55.0))


def test_the_last_step_is_measured_whatever_the_cadence(tmp_path, probe):
    probe(lambda: 1.0, lambda: 2.0)
    training.train(short(steps=30, **MEASURED), tmp_path)
    assert evaluated(tmp_path)[:2] == ([(20, 1.0), (30, 2.0)], {"step": 30, "probe": 2.0})


def test_an_evaluation_that_fails_is_missing_and_training_goes_on(whole, tmp_path, probe, capsys):
    probe(fails(OSError(101, "Network is unreachable")), lambda: 3.0)
    training.train(short(**MEASURED), tmp_path / "failed")
    line = "the metric 'probe' is missing at step 20: Network is unreachable; training goes on"
    assert capsys.readouterr().err.splitlines().count(line) == 1
    assert evaluated(tmp_path / "failed") == ([(40, 3.0)], {"step": 40, "probe": 3.0}, (40, 3.0))
    whole, failed = (
        checkpoint.read(checkpoint.paths(Workdir(workdir).checkpoints)[-1])[1]
        for workdir in (whole, tmp_path / "failed")
    )
    assert all(np.array_equal(whole[name], failed[name]) for name in whole)


def test_an_evaluation_that_stays_missing_is_null(tmp_path, probe):
    probe(*[fails(BadInput("no"))] * 2)
    training.train(short(**MEASURED), tmp_path)
    written = json.loads(Workdir(tmp_path).evaluated_file.read_text())
    assert written == {"step": 40, "probe": None}
    assert not (Workdir(tmp_path).checkpoints / checkpoint.BEST).exists()


def test_an_evaluation_that_was_killed_is_made_up_for(tmp_path, probe, capsys):
    """In the middle of a run, and at its end: the checkpoint stands, and all follows from it."""
    values = [lambda: 3.0, lambda: 4.0]
    probe(*values)
    whole = tmp_path / "whole"
    training.train(short(**MEASURED), whole)
    for step in (20, 40):
        killed = tmp_path / f"killed_at_{step}"
        measured = step // 20 - 1
        probe(*values[:measured], fails(SystemExit("killed")), *values[measured:])
        with pytest.raises(SystemExit):
            training.train(short(**MEASURED), killed)
        assert content(killed)[1] == step
        training.train(short(**MEASURED), killed)
        assert f"the evaluation at step {step} is made up for" in capsys.readouterr().out
        assert content(killed) == content(whole)
        assert evaluated(killed) == evaluated(whole)
        best = [workdir / "checkpoints" / "best.npz" for workdir in (whole, killed)]
        assert best[0].read_bytes() == best[1].read_bytes()
        assert charted(killed) == charted(whole)


def charted(workdir):
    """A loss and a rate by step, as TensorBoard has them."""
    log = EventAccumulator(str(workdir / "tensorboard")).Reload()
    tags = ("loss", "learning_rate/generator")
    return [[(e.step, e.value) for e in log.Scalars(tag)] for tag in tags]


def test_an_evaluation_that_was_completed_is_not_made_again(tmp_path, probe, capsys):
    probe(lambda: 3.0, lambda: 4.0)
    training.train(short(**MEASURED), tmp_path)
    training.train(short(**MEASURED), tmp_path)  # `probe` would raise a StopIteration
    output = capsys.readouterr()
    assert "made up" not in output.out
    assert "missing" not in output.err


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"eval_metrics": ("fid",)}, "the metric 'fid' needs data of the kind 'images'"),
        (
            {"eval_metrics": ("latent",), "method": "sn_gan", "samples": 1, "objective": {}},
            "the metric 'latent' needs a method with a recognition network",
        ),
        (
            {"eval_metrics": ("modes",), "best_by": "min:mode_k1"},
            "one of modes, high_quality_percent, mode_kl, spread_ratio, sliced_wasserstein. "
            "Received: 'mode_k1'",
        ),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_is_written(tmp_path, fields, message):
    with pytest.raises(BadInput, match=message):
        training.train(short(**{"eval_every": 20, **fields}), tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["fid", "lpips"])
def test_so_are_weights_that_cannot_be_had(tmp_path, monkeypatch, name):
    monkeypatch.setattr(weights, "load", lambda *_: fails(BadInput("connect to the index"))())
    metrics.lpips.load.cache_clear()
    fields = {"eval_every": 20, "eval_metrics": (name,)}
    with pytest.raises(BadInput, match="connect to the index"):
        training.train(image_config(tmp_path, **fields), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_full_disk_for_all_but_checkpoints_costs_what_is_shown_alone(
    whole, tmp_path, monkeypatch, probe, capsys
):
    monkeypatch.setattr(record_writer, "open_file", lambda _: open("/dev/full", "wb"))  # noqa: SIM115
    monkeypatch.setattr(
        training.drawings, "at_the_end", lambda *_: {"a": np.zeros((4, 4), "uint8")}
    )
    workdir = Workdir(tmp_path / "full")
    workdir.tensorboard.mkdir(parents=True)
    (workdir.tensorboard / "projector").symlink_to("/dev/full")
    workdir.samples.symlink_to("/dev/full")
    training.train(short(), tmp_path / "full")
    assert content(tmp_path / "full") == content(whole)
    lines = [line for line in capsys.readouterr().err.splitlines() if "full" in line]
    assert len(lines) == 3
    logs, projector, pictures = lines
    assert logs.startswith(f"TensorBoard misses what follows: {workdir.tensorboard}: No space left")
    assert projector.startswith("Projector is missing at step 20: ")
    assert "there are no pictures of the model" in pictures
