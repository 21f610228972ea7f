"""TensorBoard reads what the callbacks write; they act at the steps they should."""

import io
import threading

import keras
import numpy as np
import pytest
from helpers import config, image_config
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboardX import record_writer

from bms_keras import callbacks
from bms_keras.monitoring import drawings, events
from bms_keras.runs import checkpoint, experiment
from bms_keras.signals import Interrupted

pytestmark = pytest.mark.neutral


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    built = experiment.build(config(batch_size=8))
    checkpoints, measured = folder / "checkpoints", [1.0, 2.0, 4.0, 3.0]
    built.model.fit(
        built.data.batches(0, 8),
        steps_per_epoch=2,
        epochs=4,
        verbose=0,
        callbacks=[
            callbacks.Evaluate(lambda: {"good": measured.pop(), "none": None}, every=2),
            callbacks.Evaluate(pytest.fail, every=0),
            callbacks.Scalars(folder / "tensorboard"),
            callbacks.Checkpoint(lambda: checkpoint.save(built.model, checkpoints), every=4),
            callbacks.Best(checkpoints, "max:good"),
            callbacks.SampleGrid(built.data, folder / "tensorboard", every=8),
        ],
    )
    return folder


def read(folder):
    return EventAccumulator(str(folder / "tensorboard")).Reload()


@pytest.fixture(scope="module")
def written(folder):
    return read(folder)


def test_each_players_loss_and_terms_are_there_at_each_epoch(written):
    for tag in ("generator/loss", "generator/reconstruction", "image_critic/real", "loss"):
        assert [event.step for event in written.Scalars(tag)] == [2, 4, 6, 8]


@pytest.mark.parametrize("per_execution", [1, 2])
def test_samples_are_drawn_early_and_training_does_not_notice(tmp_path, per_execution):
    """In the middle of an epoch, once a step, and after the call in which the step was done."""

    def trained(*drawing):
        built = experiment.build(config(batch_size=8, steps_per_execution=per_execution))
        batches = built.data.batches(0, 8)
        built.model.fit(
            batches, steps_per_epoch=4, epochs=2, verbose=0, callbacks=[d(built) for d in drawing]
        )
        return built.model.get_weights()

    kept = {}

    def grid(built):
        folder = tmp_path / "tensorboard"
        return callbacks.SampleGrid(
            built.data, folder, every=8, early=(1, 3, 4, 8), save=kept.__setitem__
        )

    drawn, plain = trained(grid), trained()
    assert list(kept) == ([1, 3, 4, 8] if per_execution == 1 else [2, 4, 8])
    assert all(list(pictures) == ["samples"] for pictures in kept.values())
    assert all(np.array_equal(a, b) for a, b in zip(drawn, plain, strict=True))
    assert [event.step for event in read(tmp_path).Images("samples")] == [*kept]


def test_metrics_are_there_where_they_are_due(written):
    good = [(e.step, e.value) for e in written.Scalars("eval/good")]
    assert good == [(2, 3.0), (4, 4.0), (6, 2.0), (8, 1.0)]
    assert "eval/none" not in written.Tags()["scalars"]


def test_the_scatter_plot_is_a_png(written):
    (image,) = written.Images("samples")
    assert image.step == 8
    assert image.encoded_image_string.startswith(b"\x89PNG")


def test_images_are_drawn_as_they_are_on_disk(tmp_path):
    built = experiment.build(image_config(tmp_path))
    grid = callbacks.SampleGrid(built.data, tmp_path / "tensorboard", every=3)
    grid.set_model(built.model)
    for step in (2, 3, 4):
        built.model.optimizer.iterations.assign(step)
        grid.on_epoch_end(0)
    grid.on_train_end()
    drawn = drawings.while_training(built.model, built.data)
    assert len(drawn) == 2
    written = read(tmp_path)
    for name, picture in drawn.items():
        (image,) = written.Images(name)
        assert image.step == 3
        np.testing.assert_array_equal(Image.open(io.BytesIO(image.encoded_image_string)), picture)


def test_checkpoints_are_there_where_they_are_due(folder):
    assert [path.stem for path in checkpoint.paths(folder / "checkpoints")] == [
        "step_000000004",
        "step_000000008",
    ]


def test_the_best_checkpoint_stays(folder):
    manifest, _ = checkpoint.read(folder / "checkpoints" / checkpoint.BEST)
    assert (manifest["step"], manifest["good"]) == (4, 4.0)


def best_of(folder, *values, by="min:kl"):
    """What `Best` keeps of steps 1, 2, … with these values: the step and the value."""
    model = experiment.build(config(batch_size=8)).model
    best = callbacks.Best(folder, by)
    best.set_model(model)
    for step, value in enumerate(values, 1):
        model.optimizer.iterations.assign(step)
        best.on_epoch_end(0, {} if value is None else {"eval/kl": value})
    path = folder / checkpoint.BEST
    manifest = checkpoint.read(path)[0] if path.exists() else {}
    return manifest.get("step"), manifest.get("kl")


def test_an_undefined_number_is_waited_for(tmp_path):
    assert best_of(tmp_path, None, None) == (None, None)
    assert best_of(tmp_path, None, 0.5, None, 0.25, 0.75) == (4, 0.25)


@pytest.mark.parametrize("damage", ["cut", "text"])
def test_a_damaged_best_is_said_and_replaced(tmp_path, capsys, damage):
    assert best_of(tmp_path, 0.25) == (1, 0.25)
    path = tmp_path / checkpoint.BEST
    path.write_bytes(path.read_bytes()[:-1] if damage == "cut" else b"no archive")
    assert best_of(tmp_path, None, 0.5, 0.75) == (2, 0.5)
    (line,) = capsys.readouterr().err.splitlines()
    assert "best.npz cannot be read (" in line
    assert "the next that is measured takes its place" in line


def test_a_best_by_another_number_is_replaced(tmp_path):
    best_of(tmp_path, 0.25)
    model = experiment.build(config(batch_size=8)).model
    checkpoint.write(model, tmp_path / checkpoint.BEST, kl="a text")
    assert best_of(tmp_path, 0.5) == (1, 0.5)


def test_a_failing_measurement_is_missing_with_one_warning_a_reason(capsys):
    model = experiment.build(config(batch_size=8)).model
    reasons = iter([OSError(101, "Network is unreachable")] * 2 + [RuntimeError("many\nlines")])

    def measure():
        raise next(reasons)

    logs = {"loss": 1.0}
    evaluate = callbacks.Evaluate(measure, title="the metric 'fid'")
    evaluate.set_model(model)
    for _ in range(3):
        evaluate.on_epoch_end(0, logs)
    assert logs == {"loss": 1.0}
    assert capsys.readouterr().err.splitlines() == [
        "the metric 'fid' is missing at step 0: Network is unreachable; training goes on",
        "the metric 'fid' is missing at step 0: RuntimeError: many; training goes on",
    ]


def test_what_is_not_finite_is_missing(capsys):
    logs = {}
    measured = {"a": float("nan"), "b": 1.0, "c": None, "d": float("inf")}
    evaluate = callbacks.Evaluate(lambda: measured)
    evaluate.set_model(experiment.build(config(batch_size=8)).model)
    evaluate.on_epoch_end(0, logs)
    assert logs == {"eval/b": 1.0}
    (line,) = capsys.readouterr().err.splitlines()
    assert "a and d must be finite" in line


def test_a_checkpoint_that_cannot_be_written_ends_training():
    def save():
        raise OSError(28, "No space left on device")

    saving = callbacks.Checkpoint(save)
    saving.set_model(experiment.build(config(batch_size=8)).model)
    with pytest.raises(OSError, match="No space left"):
        saving.on_epoch_end(0, {})


def test_on_a_full_disk_the_event_file_gives_up_and_is_tried_again(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "tensorboard"
    scalars = callbacks.Scalars(folder)
    scalars.set_model(experiment.build(config(batch_size=8)).model)
    with monkeypatch.context() as patch:
        patch.setattr(record_writer, "open_file", lambda _: open("/dev/full", "wb"))  # noqa: SIM115
        for _ in range(2):  # two trainings
            for _ in range(30):  # more than tensorboardX's queue takes
                scalars.on_epoch_end(0, {"loss": 1.0})
            scalars.on_train_end()
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"TensorBoard misses what follows: {folder}: No space left on device"
    scalars.on_epoch_end(0, {"loss": 2.0})
    scalars.on_train_end()
    assert [event.value for event in read(tmp_path).Scalars("loss")] == [2.0]


def test_a_cut_epoch_ends_with_the_logs_of_the_whole(same):
    def fit(model, data, start, stop, *actions):
        batches = data.batches(start, stop)
        model.fit(batches, steps_per_epoch=stop - start, verbose=0, callbacks=list(actions))
        return [v.numpy() for v in model.metrics_variables]

    built = [experiment.build(config(batch_size=8)) for _ in range(2)]
    whole = fit(built[0].model, built[0].data, 0, 5)
    half = fit(built[1].model, built[1].data, 0, 3)
    guard = callbacks.Guard(threading.Event(), underway=half)
    assert same(fit(built[1].model, built[1].data, 3, 5, guard), whole)


def test_a_stop_that_is_asked_for_comes_between_two_steps():
    built, asked = experiment.build(config(batch_size=8)), threading.Event()
    ask = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: asked.set())
    batches = built.data.batches(0, 5)
    with pytest.raises(Interrupted):
        built.model.fit(
            batches, steps_per_epoch=5, verbose=0, callbacks=[ask, callbacks.Guard(asked)]
        )
    assert int(built.model.optimizer.iterations) == 1


def test_a_stop_at_the_end_of_an_epoch_lets_the_others_act(tmp_path):
    built, asked = experiment.build(config(batch_size=8)), threading.Event()
    asked.set()
    saved = []
    actions = [
        callbacks.Guard(asked),
        callbacks.Checkpoint(lambda: saved.append(1)),
        callbacks.StopWhenAsked(asked),
    ]
    with pytest.raises(Interrupted):
        built.model.fit(built.data.batches(0, 1), steps_per_epoch=1, verbose=0, callbacks=actions)
    assert saved == [1]


def test_a_new_writer_hides_what_a_lost_run_wrote(tmp_path):
    """Twelve times in a second: killed after three steps, gone on with from the first of them."""
    for first in range(1, 13):
        for step in range(first, first + 3):
            callbacks.Scalars(tmp_path / "tensorboard").act(step, {"loss": float(first)})
        events.close(tmp_path / "tensorboard")
    losses = read(tmp_path).Scalars("loss")
    assert [event.step for event in losses] == list(range(1, 15))
    assert [event.value for event in losses] == [*range(1, 13), 12, 12]
