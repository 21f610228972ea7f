"""Initial weights: their distributions, their seeds, and that backends agree on them."""

import keras
import numpy as np
import pytest
from keras import ops

from bms_keras.layers import initializers

ALL = [
    initializers.Normal(0.5, 2.0, seed=3),
    initializers.Uniform(-1.0, 3.0, seed=3),
    initializers.Glorot(2.0, seed=3),
    initializers.Orthogonal(2.0, seed=3),
]


def draw(initializer, shape):
    return ops.convert_to_numpy(initializer(shape))


@pytest.mark.parametrize(
    ("initializer", "mean", "deviation"),
    [(ALL[0], 0.5, 2.0), (ALL[1], 1.0, 4 / 12**0.5), (ALL[2], 0.0, 2 * (2 / 500) ** 0.5)],
)
def test_moments(initializer, mean, deviation):
    x = draw(initializer, (200, 300))
    assert x.dtype == "float32"
    assert x.mean() == pytest.approx(mean, abs=4 * deviation / x.size**0.5)
    assert x.std() == pytest.approx(deviation, rel=0.02)


def test_uniform_weights_keep_their_bounds():
    assert np.abs(draw(ALL[1], (200, 300)) - 1).max() == pytest.approx(2, rel=1e-3)
    assert np.abs(draw(ALL[2], (200, 300))).max() == pytest.approx(2 * (6 / 500) ** 0.5, rel=1e-3)


@pytest.mark.parametrize("shape", [(5, 5), (3, 7), (7, 3)])
def test_orthogonal(shape):
    w = draw(ALL[3], shape)
    gram = w @ w.T if shape[0] <= shape[1] else w.T @ w
    np.testing.assert_allclose(gram, 4 * np.eye(min(shape)), atol=1e-5)


def test_orthogonal_matrices_are_drawn_evenly():
    """Of a uniform one the first entry is as often negative, which QR alone does not give."""
    signs = [draw(initializers.Orthogonal(seed=i), (3, 3))[0, 0] > 0 for i in range(200)]
    assert 70 < sum(signs) < 130


@pytest.mark.parametrize("initializer", ALL, ids=lambda each: type(each).__name__)
def test_seeds_and_configs(initializer):
    again = keras.initializers.deserialize(keras.initializers.serialize(initializer))
    assert type(again) is type(initializer)
    np.testing.assert_array_equal(draw(again, (4, 3)), draw(initializer, (4, 3)))
    other = type(initializer).from_config({**initializer.get_config(), "seed": 4})
    assert not np.array_equal(draw(other, (4, 3)), draw(initializer, (4, 3)))
    half = initializer((2, 2), dtype="bfloat16")
    assert keras.backend.standardize_dtype(half.dtype) == "bfloat16"


def test_without_a_seed_each_draws_its_own():
    first, second = (draw(initializers.Normal(), (4, 3)) for _ in range(2))
    assert not np.array_equal(first, second)
