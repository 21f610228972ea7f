"""Pictures show the images that they are given, where they are said to."""

import types
from unittest.mock import Mock

import numpy as np
import pytest
from helpers import config, image_config
from PIL import Image

from bms_keras.data.images import quantized, scaled
from bms_keras.monitoring import drawings, figures, image_grids
from bms_keras.monitoring.image_grids import GAP
from bms_keras.runs import experiment
from bms_keras.runs.workdir import Workdir

SIDE = 4


def noise(n, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, SIDE, SIDE, channels), "uint8")


def cell(picture, row, column, side=SIDE):
    """The image at a place of a grid whose small images are drawn twice as large."""
    top, left = ((side + GAP) * i + GAP for i in (row, column))
    assert picture[::2].shape == picture[1::2].shape
    np.testing.assert_array_equal(picture[::2, ::2], picture[1::2, 1::2])
    return picture[::2, ::2][top : top + side, left : left + side]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return experiment.build(image_config(tmp_path_factory.mktemp("data")))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_grid_is_filled_by_rows(channels):
    images = noise(5, channels)
    picture = image_grids.grid(images, columns=3)
    assert picture.dtype == np.uint8
    assert picture.shape == (2 * (2 * (SIDE + GAP) + GAP), 2 * (3 * (SIDE + GAP) + GAP), 3)
    places = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]
    for image, place in zip(images, places, strict=True):
        np.testing.assert_array_equal(cell(picture, *place), np.broadcast_to(image, (4, 4, 3)))
    assert (cell(picture, 1, 2) == 255).all()
    drawn = sum((cell(picture, *place) != 255).sum() for place in places)
    assert (picture != 255).sum() == 4 * drawn  # between them all is white


def test_large_images_are_drawn_as_they_are():
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), "uint8")
    picture = image_grids.grid(images, columns=2)
    np.testing.assert_array_equal(picture[GAP : GAP + 64, 2 * GAP + 64 : -GAP], images[1])


def test_pairs_lie_above_each_other():
    above, below = noise(5), noise(5, seed=1)
    picture = image_grids.pairs(above, below, columns=3)
    for i in range(5):
        row, column = divmod(i, 3)
        np.testing.assert_array_equal(cell(picture, 2 * row, column), above[i])
        np.testing.assert_array_equal(cell(picture, 2 * row + 1, column), below[i])
    assert (cell(picture, 2, 2) == 255).all()
    assert (cell(picture, 3, 2) == 255).all()


def test_neighbours_are_the_nearest_in_their_order():
    """Planted on both sides of the blocks' border: the sample itself, and two near it."""
    samples, train = noise(2, seed=1), noise(50)
    near = [samples[0], *(np.clip(samples[0].astype(int) + d, 0, 255) for d in (3, 9))]
    for place, image in zip((31, 3, 45), near, strict=True):
        train[place] = image
    picture = image_grids.neighbours(samples, train, nearest=4, block=20)
    for column, image in enumerate([samples[0], *near]):
        np.testing.assert_array_equal(cell(picture, 0, column), image)

    distances = ((samples[1].astype(int) - train.astype(int)) ** 2).sum((1, 2, 3))
    np.testing.assert_array_equal(cell(picture, 1, 0), samples[1])
    for column, i in enumerate(np.argsort(distances)[:4], 1):
        np.testing.assert_array_equal(cell(picture, 1, column), train[i])


def test_neighbours_of_fewer_training_images_than_columns():
    samples, train = noise(1, seed=1), noise(2)
    picture = image_grids.neighbours(samples, train)
    shown = {cell(picture, 0, column).tobytes() for column in (1, 2)}
    assert shown == {image.tobytes() for image in train}


def test_interpolations_end_in_samples_of_the_prior(built):
    model = built.model
    a, b = np.random.default_rng(3).standard_normal((2, 2, model.latent_dim))
    picture = image_grids.interpolations(model, rows=2, seed=3)
    between = [np.cos(np.pi / 9) * a + np.sin(np.pi / 9) * b]  # 2 of 9 steps of a right angle
    for column, z in [(0, a), (2, between[0]), (9, b)]:
        expected = quantized(model(z.astype("float32")))
        for row in range(2):
            drawn = cell(picture, row, column, side=8).astype(int)
            np.testing.assert_allclose(drawn, expected[row], atol=1)


def test_what_is_drawn_while_training(built):
    model, data = built.model, built.data
    drawn = drawings.while_training(model, data)
    assert set(drawn) == {"samples", "reconstructions"}
    samples = quantized(model.sample(100, seed=0))
    np.testing.assert_array_equal(drawn["samples"], image_grids.grid(samples))
    first = cell(drawn["reconstructions"], 0, 0, side=8)
    np.testing.assert_array_equal(first, data.images(1)[0])
    below = cell(drawn["reconstructions"], 1, 0, side=8)
    found = model.reconstruct(scaled(data.images(50)), seed=0)
    np.testing.assert_allclose(below.astype(int), quantized(found)[0], atol=1)
    assert below.std() > 0


def test_a_method_without_a_posterior_reconstructs_nothing(tmp_path):
    built = experiment.build(image_config(tmp_path, "sn_gan"))
    assert set(drawings.while_training(built.model, built.data)) == {"samples"}
    assert set(drawings.at_the_end(built.model, built.data)) == {
        "samples",
        "interpolations",
        "neighbours",
    }


def test_what_is_drawn_at_the_end(built, tmp_path):
    drawn = drawings.at_the_end(built.model, built.data)
    names = {"samples", "reconstructions", "interpolations", "neighbours"}
    assert set(drawn) == names
    workdir = Workdir(tmp_path / "run")
    image_grids.save(drawn, workdir)
    for name in names:
        with Image.open(workdir.path / "samples" / f"{name}.png") as saved:
            np.testing.assert_array_equal(saved, drawn[name])


def test_a_link_among_the_pictures_does_not_reach_its_target(built, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    workdir = Workdir(tmp_path / "run")
    workdir.picture("samples").symlink_to(tmp_path / "mine.txt")
    picture = noise(1)[0]
    image_grids.save({"samples": picture}, workdir)
    assert (tmp_path / "mine.txt").read_text() == "mine"
    np.testing.assert_array_equal(Image.open(workdir.picture("samples")), picture)


def test_points_are_drawn_over_the_modes():
    built = experiment.build(config())
    drawn = drawings.at_the_end(built.model, built.data)
    assert set(drawn) == {"samples"}
    assert drawn["samples"].ndim == 3


def test_the_closest_samples_beside_the_images(built, monkeypatch):
    """Table 5, with an inference that finds negatives for one model and copies for the other."""

    def inference(model, x):
        return types.SimpleNamespace(closest=model(x), curve=np.geomspace(1, 1e-3, 5))

    monkeypatch.setattr("bms_keras.monitoring.image_grids.inference_by_optimization", inference)
    gallery = Mock(wraps=figures.gallery)
    monkeypatch.setattr(figures, "gallery", gallery)
    drawn = image_grids.closest({"a": np.negative, "b": np.copy}, built.data, n=3)
    assert all(picture.std() > 0 for picture in drawn.values())
    panels = gallery.call_args.args[0]
    assert list(panels) == ["held out", "a", "b"]
    for row, image in enumerate(built.data.images(3)):
        for picture, expected in zip(panels.values(), [image, 255 - image, image], strict=True):
            np.testing.assert_array_equal(cell(picture, row, 0, side=8), expected)


def test_a_comparison_has_the_samples_of_each_model_under_its_title(built, monkeypatch):
    gallery = Mock(wraps=figures.gallery)
    monkeypatch.setattr(figures, "gallery", gallery)
    assert image_grids.comparison({"a": built.model, "b": built.model}).std() > 0
    expected = image_grids.grid(quantized(built.model.sample(36, seed=0)), 6)
    panels = gallery.call_args.args[0]
    assert list(panels) == ["a", "b"]
    for picture in panels.values():
        np.testing.assert_array_equal(picture, expected)


@pytest.mark.parametrize("names", [["fid"], ["fid", "ivom"]])
def test_the_closest_samples_are_drawn_where_they_are_measured(built, monkeypatch, names):
    found = noise(1)[0]
    monkeypatch.setattr(image_grids, "closest", lambda models, data: {"closest": found})
    drawn, numbers = drawings.of_comparison({"a": built.model}, built.data, names)
    assert numbers == {}
    assert ("closest" in drawn) == ("ivom" in names)
