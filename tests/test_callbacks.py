"""TensorBoard reads what the callbacks write; they act at the steps they should."""

import io
import threading

import keras
import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from test_experiment import config, image_config

from bms_keras import callbacks, checkpoint, experiment, pictures
from bms_keras.errors import BadInput
from bms_keras.interruption import Interrupted


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
def events(folder):
    return read(folder)


def test_each_players_loss_and_terms_are_there_at_each_epoch(events):
    for tag in ("generator/loss", "generator/reconstruction", "image_critic/real", "loss"):
        assert [event.step for event in events.Scalars(tag)] == [2, 4, 6, 8]


def test_metrics_are_there_where_they_are_due(events):
    written = [(e.step, e.value) for e in events.Scalars("eval/good")]
    assert written == [(2, 3.0), (4, 4.0), (6, 2.0), (8, 1.0)]
    assert "eval/none" not in events.Tags()["scalars"]


def test_the_scatter_plot_is_a_png(events):
    (image,) = events.Images("samples")
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
    drawn = pictures.while_training(built.model, built.data)
    assert len(drawn) == 2
    events = read(tmp_path)
    for name, picture in drawn.items():
        (image,) = events.Images(name)
        assert image.step == 3
        np.testing.assert_array_equal(Image.open(io.BytesIO(image.encoded_image_string)), picture)


def test_checkpoints_are_there_where_they_are_due(folder):
    assert [path.stem for path in checkpoint.steps(folder / "checkpoints")] == [
        "step_000000004",
        "step_000000008",
    ]


def test_the_best_checkpoint_stays(folder):
    manifest, _ = checkpoint.read(folder / "checkpoints" / checkpoint.BEST)
    assert (manifest["step"], manifest["good"]) == (4, 4.0)


def test_best_by_an_unknown_number_is_refused(tmp_path):
    best = callbacks.Best(tmp_path, "min:bad")
    with pytest.raises(BadInput, match=r"one of good\. Received: 'bad'"):
        best.act(1, {"eval/good": 1.0, "loss": 2.0})


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
        callbacks.close(tmp_path / "tensorboard")
    events = read(tmp_path).Scalars("loss")
    assert [event.step for event in events] == list(range(1, 15))
    assert [event.value for event in events] == [*range(1, 13), 12, 12]
