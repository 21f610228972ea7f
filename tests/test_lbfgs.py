"""L-BFGS of many rows against known minima and scipy's, and past the edge of a function."""

import numpy as np
import pytest
from scipy.optimize import minimize

from bms_keras.metrics.lbfgs import LBFGS

pytestmark = pytest.mark.neutral


def rosenbrock(x, scale):
    """Rosenbrock's valley, by a scale for each row."""
    x, scale = x.astype("float64"), scale[:, None]
    a, b = x[:, :-1], x[:, 1:]
    gradient = np.zeros_like(x)
    gradient[:, :-1] = -400 * a * (b - a**2) - 2 * (1 - a)
    gradient[:, 1:] += 200 * (b - a**2)
    return scale[:, 0] * (100 * (b - a**2) ** 2 + (1 - a) ** 2).sum(1), scale * gradient


STARTS = np.random.default_rng(0).uniform(-1.5, 1.5, (6, 4))
SCALES = np.geomspace(1e-3, 1e3, 6)


def descended(evaluate, starts, targets, steps):
    descent = LBFGS(evaluate, starts, targets)
    values = [descent.values.copy()]
    for _ in range(steps):
        descent.step()
        values.append(descent.values.copy())
    return descent, np.array(values)


def test_as_deep_as_scipy_whatever_the_scale():
    descent, values = descended(rosenbrock, STARTS, SCALES, 150)
    for row, (start, scale) in enumerate(zip(STARTS, SCALES, strict=True)):
        one = lambda x, scale=scale: [  # noqa: E731
            each[0] for each in rosenbrock(x[None], np.array([scale]))
        ]
        theirs = minimize(one, start, jac=True, method="L-BFGS-B", options={"gtol": 1e-10})
        assert descent.values[row] / scale == pytest.approx(theirs.fun / scale, abs=1e-4)
        np.testing.assert_allclose(descent.points[row], theirs.x, atol=0.02)
    assert (np.diff(values, axis=0) <= 0).all()


def test_far_fewer_steps_than_along_the_gradient():
    """A quadratic whose curvatures span four orders of magnitude."""
    curvatures = np.geomspace(1e-4, 1, 20)
    evaluate = lambda x, y: (  # noqa: E731
        0.5 * (curvatures * (x - y) ** 2).sum(1),
        curvatures * (x - y),
    )
    target = np.random.default_rng(1).standard_normal((3, 20))
    descent, _ = descended(evaluate, np.zeros((3, 20)), target, 100)
    along = (1 - curvatures) ** 100 * target  # what steps of 1 / the largest curvature leave
    assert (descent.values < 1e-2 * 0.5 * (curvatures * along**2).sum(1)).all()


def test_rows_have_nothing_to_do_with_each_other():
    together, _ = descended(rosenbrock, STARTS, SCALES, 30)
    for row in range(len(STARTS)):
        alone, _ = descended(rosenbrock, STARTS[row, None], SCALES[row, None], 30)
        np.testing.assert_allclose(alone.points[0], together.points[row], rtol=1e-6)


def test_goes_on_with_some_rows():
    whole, _ = descended(rosenbrock, STARTS, SCALES, 20)
    part, _ = descended(rosenbrock, STARTS, SCALES, 10)
    part.keep([4, 1])
    for _ in range(10):
        part.step()
    np.testing.assert_allclose(part.points, whole.points[[4, 1]], rtol=1e-6)
    np.testing.assert_allclose(part.values, whole.values[[4, 1]], rtol=1e-6)


def test_steps_over_the_edge_are_taken_back():
    """x - log(x) is finite above 0 only, and least at 1; from 5 the first steps go far."""

    def evaluate(x, _):
        x = x.astype("float64")
        with np.errstate(invalid="ignore", divide="ignore"):
            return (x - np.log(x)).sum(1), 1 - 1 / x

    descent, values = descended(evaluate, np.full((2, 3), [[5.0], [1e-3]]), np.zeros(2), 40)
    np.testing.assert_allclose(descent.points, 1, atol=1e-3)
    assert np.isfinite(values).all()
