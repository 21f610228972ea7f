"""TensorBoard reads what the callbacks write; they act at the steps they should."""

import io

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from test_experiment import config, image_config

from bms_keras import callbacks, checkpoint, experiment, pictures


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    built = experiment.build(config(batch_size=8))
    built.model.fit(
        built.data.batches(0, 8),
        steps_per_epoch=2,
        epochs=4,
        verbose=0,
        callbacks=[
            callbacks.Scalars(folder / "tensorboard"),
            callbacks.Checkpoint(folder / "checkpoints", every=4),
            callbacks.SampleGrid(built.data, folder / "tensorboard", every=8),
            callbacks.Evaluate(lambda: {"good": 1.0, "none": None}, folder / "tensorboard", 4),
            callbacks.Evaluate(pytest.fail, folder / "tensorboard", every=0),
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
    assert [(e.step, e.value) for e in events.Scalars("eval/good")] == [(4, 1.0), (8, 1.0)]
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
