"""Grid and Ring: the mixtures of the paper, and batches that depend on (seed, step) alone."""

import types

import numpy as np
import pytest

import bms_keras
from bms_keras import data
from bms_keras.data import synthetic

ANGLES = np.arange(8) * np.pi / 4
MIXTURES = {
    "grid": (synthetic.grid, [(i, j) for i in (-4, -2, 0, 2, 4) for j in (-4, -2, 0, 2, 4)], 0.05),
    "ring": (synthetic.ring, [(np.cos(a), np.sin(a)) for a in ANGLES], 0.01),
}


@pytest.fixture(params=MIXTURES)
def mixture(request):
    return MIXTURES[request.param]


def as_arrays(batches):
    """A `tf.data.Dataset` of points, or a generator of tuples with points."""
    return [np.asarray(batch[0] if isinstance(batch, tuple) else batch) for batch in batches]


def test_modes_are_as_stated(mixture):
    make, means, std = mixture
    source = make(16, seed=0)
    points = source.unscaled(source.points(50_000))
    nearest = np.linalg.norm(points[:, None] - np.array(means), axis=-1).argmin(1)
    for mode, mean in enumerate(means):
        own = points[nearest == mode]
        np.testing.assert_allclose(len(own) / 50_000, 1 / len(means), rtol=0.15)
        np.testing.assert_allclose(own.mean(0), mean, atol=0.1 * std)
        np.testing.assert_allclose(own.std(0), std, rtol=0.1)


def test_the_mixture_tells_its_modes(mixture):
    make, means, std = mixture
    source = make(16, seed=0)
    assert source.std == std
    assert source.shape == (2,)
    distances = np.linalg.norm(source.means[:, None] - np.array(means), axis=-1)
    assert sorted(distances.argmin(1)) == list(range(len(means)))
    np.testing.assert_allclose(distances.min(1), 0, atol=1e-12)


def test_points_are_scaled_to_a_root_mean_square_radius_of_one(mixture):
    source = mixture[0](16, seed=0)
    points = source.points(50_000)
    assert points.dtype == np.float32
    np.testing.assert_allclose(np.mean(np.sum(points**2, -1)), 1, rtol=0.02)
    np.testing.assert_allclose(source.unscaled(points), points * source.scale, rtol=1e-6)


def test_a_batch_is_a_function_of_seed_and_step(mixture):
    make = mixture[0]
    source = make(16, seed=3)
    batch = source.batch(7)
    assert batch.shape == (16, 2)
    assert batch.dtype == np.float32
    source.batch(8)
    np.testing.assert_array_equal(source.batch(7), batch)
    np.testing.assert_array_equal(make(16, seed=3).batch(7), batch)
    assert not np.any(np.all(source.batch(8) == batch, -1))
    assert not np.any(np.all(make(16, seed=4).batch(7) == batch, -1))


def test_batches_are_those_of_their_steps(mixture):
    source = mixture[0](16, seed=0)
    batches = as_arrays(source.batches(3, 5))
    assert len(batches) == 2
    np.testing.assert_array_equal(batches, [source.batch(3), source.batch(4)])


def test_many_batches_are_those_of_their_steps():
    source = synthetic.ring(2, seed=0)
    batches = as_arrays(source.batches(95, 305))
    np.testing.assert_array_equal(batches, [source.batch(step) for step in range(95, 305)])


def test_steps_do_not_overlap():
    """However many points a step draws, they are not those of the next step."""
    source = synthetic.grid(1000, seed=0)
    steps = np.concatenate([source.batch(step) for step in range(5)])
    assert len(np.unique(steps, axis=0)) == 5000


def test_held_out_points_are_not_trained_on(mixture):
    source = mixture[0](500, seed=0)
    held_out = {tuple(point) for point in source.points(500)}
    trained = {tuple(point) for step in range(20) for point in source.batch(step)}
    assert len(held_out) == 500
    assert not held_out & trained


def test_fit_takes_the_batches(tiny_model):
    source = synthetic.grid(8, seed=0)
    model = tiny_model()
    model.fit(source.batches(0, 3), verbose=0)
    assert int(model.optimizer.iterations) == 3


def test_load_by_name():
    config = types.SimpleNamespace(source="ring")
    np.testing.assert_array_equal(
        data.load(config, 16, seed=2).batch(0), synthetic.ring(16, seed=2).batch(0)
    )


def test_unknown_source_is_refused():
    with pytest.raises(bms_keras.BadInput, match=r"grid, ring.*Received: 'spiral'"):
        data.load(types.SimpleNamespace(source="spiral"), 16, seed=0)
