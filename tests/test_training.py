"""Runs stop, go on and roll back without a step lost or seen twice."""

import json
import os
import signal

import numpy as np
import pytest
from helpers import config, content, image_config
from keras import ops
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboardX import record_writer

from bms_keras import BMSVAEGAN, data, metrics, objectives
from bms_keras.errors import BadInput, NotFinite
from bms_keras.metrics import weights
from bms_keras.runs import checkpoint, signals, training
from bms_keras.runs.config import complete
from bms_keras.runs.training import _segments
from bms_keras.runs.workdir import Workdir


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


def short(**fields):
    """A run of 40 steps, ten an execution, twenty an epoch."""
    fields = {"steps": 40, "batch_size": 8, "checkpoint_every": 20, "ema": 0.9, **fields}
    return config(steps_per_execution=10, **fields)


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch):
    monkeypatch.setattr(training.drawings, "at_the_end", lambda model, data: {})
    monkeypatch.setattr(training.drawings, "while_training", lambda model, data: {})


@pytest.fixture
def signal_at(monkeypatch):
    """Sends this process a signal when so many steps of training are done, once."""

    def signal_at(step, number=signal.SIGTERM):
        guarded = training.Guard.on_train_batch_end
        sent = []

        def on_train_batch_end(guard, batch, logs=None):
            if batch + 1 == step and not sent:
                sent.append(os.kill(os.getpid(), number))
            guarded(guard, batch, logs)

        monkeypatch.setattr(training.Guard, "on_train_batch_end", on_train_batch_end)

    return signal_at


@pytest.mark.parametrize(
    ("number", "step"),
    [(signal.SIGTERM, 10), pytest.param(signal.SIGINT, 20, marks=pytest.mark.neutral)],
)
def test_a_stopped_run_goes_on_to_the_bit(tmp_path, capsys, signal_at, number, step):
    """In the middle of an epoch, and at its end."""
    training.train(short(), tmp_path / "whole")
    signal_at(step, number)
    assert training.train(short(), tmp_path / "stopped") is None
    assert f"stopped at step {step} of 40; the same command goes on" in capsys.readouterr().out
    assert content(tmp_path / "stopped")[1] == step
    assert training.train(short(), tmp_path / "stopped")
    assert content(tmp_path / "stopped") == content(tmp_path / "whole")


@pytest.mark.parametrize(
    "precision", ["float16", pytest.param("bfloat16", marks=pytest.mark.neutral)]
)
def test_so_does_one_of_images_in_half_precision(tmp_path, signal_at, precision):
    """With batch normalisation, spectral normalisation and a loss scale."""
    fields = {"steps": 6, "checkpoint_every": 6, "precision": precision, "ema": 0.9}
    fields["steps_per_execution"] = 2
    training.train(image_config(tmp_path, **fields), tmp_path / "whole")
    signal_at(4)
    assert training.train(image_config(tmp_path, **fields), tmp_path / "stopped") is None
    training.train(image_config(tmp_path, **fields), tmp_path / "stopped")
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


# Measuring and showing.


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


@pytest.mark.neutral
def test_a_checkpoint_is_written_before_it_is_measured(tmp_path, probe):
    newest = lambda: float(content(tmp_path)[1])  # noqa: E731
    probe(newest, newest, newest)
    training.train(short(steps=55, checkpoint_every=20, **MEASURED | {"eval_every": 55}), tmp_path)
    assert evaluated(tmp_path) == ([(55, 55.0)], {"step": 55, "probe": 55.0}, (55, 55.0))


@pytest.mark.neutral
def test_the_last_step_is_measured_whatever_the_cadence(tmp_path, probe):
    probe(lambda: 1.0, lambda: 2.0)
    training.train(short(steps=30, **MEASURED), tmp_path)
    assert evaluated(tmp_path)[:2] == ([(20, 1.0), (30, 2.0)], {"step": 30, "probe": 2.0})


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


@pytest.mark.neutral
def test_an_evaluation_that_fails_is_missing_and_training_goes_on(tmp_path, probe, capsys):
    training.train(short(), tmp_path / "whole")
    probe(fails(OSError(101, "Network is unreachable")), lambda: 3.0)
    training.train(short(**MEASURED), tmp_path / "failed")
    line = "the metric 'probe' is missing at step 20: Network is unreachable; training goes on"
    assert capsys.readouterr().err.splitlines().count(line) == 1
    assert evaluated(tmp_path / "failed") == ([(40, 3.0)], {"step": 40, "probe": 3.0}, (40, 3.0))
    read = lambda name: checkpoint.read(checkpoint.paths(Workdir(tmp_path / name).checkpoints)[-1])  # noqa: E731
    whole, failed = read("whole")[1], read("failed")[1]
    assert all(np.array_equal(whole[name], failed[name]) for name in whole)


@pytest.mark.neutral
def test_an_evaluation_that_stays_missing_is_null(tmp_path, probe):
    probe(*[fails(BadInput("no"))] * 2)
    training.train(short(**MEASURED), tmp_path)
    written = json.loads(Workdir(tmp_path).evaluated_file.read_text())
    assert written == {"step": 40, "probe": None}
    assert not (Workdir(tmp_path).checkpoints / checkpoint.BEST).exists()


@pytest.mark.neutral
@pytest.mark.parametrize("step", [20, 40])
def test_an_evaluation_that_was_killed_is_made_up_for(tmp_path, probe, capsys, step):
    """In the middle of a run, and at its end: the checkpoint stands, and all follows from it."""
    values = [lambda: 3.0, lambda: 4.0]
    probe(*values)
    training.train(short(**MEASURED), tmp_path / "whole")
    killed = fails(SystemExit("killed"))
    probe(*values[: step // 20 - 1], killed, *values[step // 20 - 1 :])
    with pytest.raises(SystemExit):
        training.train(short(**MEASURED), tmp_path / "killed")
    assert content(tmp_path / "killed")[1] == step
    training.train(short(**MEASURED), tmp_path / "killed")
    assert f"the evaluation at step {step} is made up for" in capsys.readouterr().out
    assert content(tmp_path / "killed") == content(tmp_path / "whole")
    assert evaluated(tmp_path / "killed") == evaluated(tmp_path / "whole")
    best = [tmp_path / name / "checkpoints" / "best.npz" for name in ("whole", "killed")]
    assert best[0].read_bytes() == best[1].read_bytes()
    logs = [
        EventAccumulator(str(tmp_path / n / "tensorboard")).Reload() for n in ("whole", "killed")
    ]
    loss, rates = (
        [[(e.step, e.value) for e in log.Scalars(tag)] for log in logs]
        for tag in ("loss", "learning_rate/generator")
    )
    assert loss[0] == loss[1]
    assert rates[0] == rates[1]


@pytest.mark.neutral
def test_an_evaluation_that_was_completed_is_not_made_again(tmp_path, probe, capsys):
    probe(lambda: 3.0, lambda: 4.0)
    training.train(short(**MEASURED), tmp_path)
    training.train(short(**MEASURED), tmp_path)  # `probe` would raise a StopIteration
    output = capsys.readouterr()
    assert "made up" not in output.out
    assert "missing" not in output.err


@pytest.mark.neutral
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


@pytest.mark.neutral
@pytest.mark.parametrize("name", ["fid", "lpips"])
def test_so_are_weights_that_cannot_be_had(tmp_path, monkeypatch, name):
    monkeypatch.setattr(weights, "load", lambda *_: fails(BadInput("connect to the index"))())
    metrics.lpips.load.cache_clear()
    fields = {"eval_every": 20, "eval_metrics": (name,)}
    with pytest.raises(BadInput, match="connect to the index"):
        training.train(image_config(tmp_path, **fields), tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.neutral
def test_a_full_disk_for_all_but_checkpoints_costs_what_is_shown_alone(
    tmp_path, monkeypatch, probe, capsys
):
    training.train(short(), tmp_path / "whole")
    monkeypatch.setattr(record_writer, "open_file", lambda _: open("/dev/full", "wb"))  # noqa: SIM115
    monkeypatch.setattr(
        training.drawings, "at_the_end", lambda *_: {"a": np.zeros((4, 4), "uint8")}
    )
    workdir = Workdir(tmp_path / "full")
    workdir.tensorboard.mkdir(parents=True)
    (workdir.tensorboard / "projector").symlink_to("/dev/full")
    workdir.samples.symlink_to("/dev/full")
    training.train(short(), tmp_path / "full")
    assert content(tmp_path / "full") == content(tmp_path / "whole")
    lines = [line for line in capsys.readouterr().err.splitlines() if "full" in line]
    assert len(lines) == 3
    logs, projector, pictures = lines
    assert logs.startswith(f"TensorBoard misses what follows: {workdir.tensorboard}: No space left")
    assert projector.startswith("Projector is missing at step 20: ")
    assert "there are no pictures of the model" in pictures


def test_another_config_is_refused_before_data_are_opened(tmp_path, monkeypatch):
    Workdir(tmp_path).config_file.write_text(complete(short()).to_json())
    monkeypatch.setattr(data, "load", lambda *_: pytest.fail("data were opened"))
    with pytest.raises(BadInput, match=r"samples: .* there, 3 now"):
        training.train(short(samples=3), tmp_path)


# Numbers that are not finite.


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


@pytest.mark.neutral
def test_there_is_nothing_to_roll_back_to_at_the_start(tmp_path, spoiled):
    spoiled(BMSVAEGAN, "kl_estimate", 5)
    with pytest.raises(NotFinite, match="before the first checkpoint"):
        training.train(short(on_nan="rollback"), tmp_path)
