"""A model draws its samples and ways through its latent space, a call each."""

import keras
import numpy as np
import pytest
from PIL import Image

import bms_keras
from bms_keras.data import synthetic
from bms_keras.data.images import quantized
from bms_keras.monitoring import figures, latent_paths

pytestmark = pytest.mark.neutral

SIDE, GAP = 4, 2


def gan(*shape):
    """Of dense networks, untrained."""
    keras.utils.set_random_seed(0)
    size = int(np.prod(shape))
    generator = [keras.Input((3,)), keras.layers.Dense(size), keras.layers.Reshape(shape)]
    critic = [keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(1)]
    return bms_keras.GAN(keras.Sequential(generator), keras.Sequential(critic))


@pytest.fixture(scope="module")
def images():
    return gan(SIDE, SIDE, 1)


@pytest.fixture(scope="module")
def points():
    return gan(2)


def tiles(picture, columns):
    """The images of a picture `(rows, columns, side, side)`, which shows small ones doubled."""
    grey = np.asarray(picture)[::2, ::2, 0]
    step = SIDE + GAP
    starts = [range(GAP, length - SIDE, step) for length in grey.shape]
    cut = [[grey[i : i + SIDE, j : j + SIDE] for j in starts[1]] for i in starts[0]]
    assert len(cut[0]) == columns
    return np.array(cut)


def test_samples_of_images_are_a_grid(images):
    picture = images.plot_samples(20, seed=3)
    assert isinstance(picture, Image.Image)
    expected = quantized(images.sample(20, seed=3))[..., 0]
    np.testing.assert_array_equal(tiles(picture, 10).reshape(expected.shape), expected)


def test_an_interpolation_goes_from_sample_to_sample(images):
    ends = np.random.default_rng(5).standard_normal((2, 2, 3)).astype("float32")
    shown = tiles(images.plot_interpolation(rows=2, seed=5), 10)
    for column, z in zip((0, -1), ends, strict=True):
        expected = quantized(images(z))[..., 0]
        np.testing.assert_allclose(shown[:, column].astype(int), expected, atol=1)


def test_a_great_circle_keeps_the_length_of_latents():
    """In many dimensions, where samples of the prior are at right angles and as long."""
    z = latent_paths.great_circles(4, 9, latent_dim=10_000)
    np.testing.assert_allclose(np.linalg.norm(z, axis=-1), 100, rtol=0.03)
    steps = np.linalg.norm(np.diff(z, axis=1), axis=-1)
    np.testing.assert_allclose(steps, 200 * np.sin(np.pi / 32), rtol=0.03)


def test_traversals_cross_in_z_along_what_moves_g_most(points):
    """G is linear: its directions are the right singular vectors of its kernel."""
    z = np.array([0.5, -1.0, 2.0])
    paths = latent_paths.traversals(points, 3, 5, z)
    np.testing.assert_allclose(paths[:, 2], np.tile(z, (3, 1)), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(paths[:, -1] - paths[:, 0], axis=-1), 4, rtol=1e-5)
    kernel = points.generator.get_weights()[0]
    first = np.linalg.svd(kernel.T)[2][0]
    way = (paths[0, -1] - paths[0, 0]) / 4
    assert abs(first @ way) > 0.999
    assert paths.shape == (3, 5, 3)


def test_a_traversal_of_images_shows_g_of_z_in_the_middle(images):
    images.generator.layers[-2].set_weights([np.eye(3, SIDE**2), np.zeros(SIDE**2)])
    shown = tiles(images.plot_traversal(rows=3), 10)
    assert shown.shape[:2] == (3, 10)
    middle = shown.mean((2, 3)).reshape(3, 10)
    np.testing.assert_allclose(middle[:, 4] + middle[:, 5], 255, atol=1)  # G(-z) = -G(z)


def colours(picture):
    return {f"#{bytes(rgb).hex()}" for _, rgb in picture.getcolors(2**24)}


@pytest.mark.parametrize("plot", ["plot_samples", "plot_interpolation", "plot_traversal"])
def test_points_are_drawn_over_the_true_modes_where_the_data_are_given(points, plot):
    data = synthetic.grid(1, seed=0)
    alone, over = (getattr(points, plot)(data=each) for each in (None, data))
    assert figures.TRUE in colours(over) - colours(alone)
    assert alone.mode == over.mode == "RGB"


def test_points_with_data_are_in_the_data_s_units(monkeypatch, points):
    drawn = []
    monkeypatch.setattr(
        figures, "pixels", lambda figure: drawn.append(figure) or np.zeros((1, 1, 3), "uint8")
    )
    data = synthetic.grid(1, seed=0)
    points.plot_samples(7, seed=1, data=data)
    points.plot_samples(7, seed=1)
    in_units, plain = (np.asarray(f.axes[0].collections[0].get_offsets()) for f in drawn)
    np.testing.assert_allclose(plain, points.sample(7, seed=1))
    np.testing.assert_allclose(in_units, plain * data.scale)


def test_what_is_neither_is_refused():
    with pytest.raises(ValueError, match=r"images, grey or RGB, and of 2D points\. .*\(3,\)"):
        gan(3).plot_samples()
