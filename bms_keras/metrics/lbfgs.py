"""L-BFGS on many problems at once, as G is inverted for many images at once."""

import numpy as np
from keras import ops

MEMORY = 8  # steps whose curvature is kept
ENOUGH = 1e-4  # of the fall that the slope promises (Armijo's condition)
FIRST = 0.3  # length of a step along a gradient of which no more is known
LEAST = 1e-4  # share of a step below which what is known of the curvature is given up
CURVED = 1e-8  # least curvature along a step, over the square of the gradient's change


class LBFGS:
    """Least values of a function over rows that have nothing to do with each other.

    Nocedal & Wright 2006, algorithms 7.4 and 7.5. All rows take one evaluation a step; a row whose
    value does not fall enough stays where it is, and goes half as far the next time.

    Args:
        evaluate: Takes points, float32 `(n, d)`, and targets; returns the value of each, `(n,)`,
            and its gradient `(n, d)`.
        points: Where to start, `(n, d)`.
        targets: Array `(n, ...)`, a row for each point.

    Attributes:
        values: The least value of each row so far, float64 `(n,)`.
        points: Where it is, float64 `(n, d)`.

    Example:

    >>> import numpy as np
    >>> square = lambda x, y: (np.sum((x - y) ** 2, 1), 2 * (x - y))
    >>> descent = LBFGS(square, np.zeros((2, 3)), np.array([[1.0, 2, 3], [0, -1, 0]]))
    >>> for _ in range(10):
    ...     descent.step()
    >>> descent.points.round(3).tolist()
    [[1.0, 2.0, 3.0], [0.0, -1.0, 0.0]]
    """

    def __init__(self, evaluate, points, targets):
        self.evaluate, self.targets = evaluate, targets
        self.points = points.astype("float64")
        self.values, self.gradients = self._at(self.points)
        self._moves = np.zeros((MEMORY, *points.shape))  # the oldest first
        self._changes = np.zeros_like(self._moves)  # of the gradient, by a move
        self._inverses = np.zeros((MEMORY, len(points)))  # 1 / (move . change), 0 of no move
        self._shares = np.ones(len(points))
        self._directions = self._downhill()

    def step(self):
        """Evaluates each row once more."""
        moves = self._shares[:, None] * self._directions
        values, gradients = self._at(self.points + moves)
        fallen = values < self.values + ENOUGH * _dots(self.gradients, moves)
        fallen &= np.isfinite(gradients).all(1)
        self._remember(fallen, moves, np.where(fallen[:, None], gradients - self.gradients, 0))
        self.points[fallen] += moves[fallen]
        self.values[fallen], self.gradients[fallen] = values[fallen], gradients[fallen]
        self._shares = np.where(fallen, 1, self._shares / 2)
        stuck = self._shares < LEAST
        self._inverses[:, stuck] = 0
        turned = (fallen | stuck)[:, None]
        self._directions = np.where(turned, self._downhill(), self._directions)

    def keep(self, rows):
        """Goes on with some of the rows."""
        for name in ("points", "targets", "values", "gradients", "_shares", "_directions"):
            setattr(self, name, getattr(self, name)[rows])
        for name in ("_moves", "_changes", "_inverses"):
            setattr(self, name, getattr(self, name)[:, rows])

    def _at(self, points):
        found = self.evaluate(points.astype("float32"), self.targets)
        return (ops.convert_to_numpy(each).astype("float64") for each in found)

    def _remember(self, fallen, moves, changes):
        """Keeps a move in place of the oldest, where it tells of a positive curvature."""
        curvature = _dots(moves, changes)
        rows = fallen & (curvature > CURVED * _dots(changes, changes))
        for kept, new in (
            (self._moves, moves),
            (self._changes, changes),
            (self._inverses, 1 / np.where(rows, curvature, 1)),
        ):
            kept[:, rows] = np.concatenate([kept[1:, rows], new[None, rows]])

    def _downhill(self):
        """Minus the gradient times what is known of the inverse of the Hessian (algorithm 7.4)."""
        direction, alphas = -self.gradients, []
        known = list(zip(self._moves, self._changes, self._inverses, strict=True))
        for move, change, inverse in reversed(known):
            alphas.append(inverse * _dots(move, direction))
            direction = direction - alphas[-1][:, None] * change
        last, inverse = self._changes[-1], self._inverses[-1]
        scale = inverse * _dots(last, last)  # equation 7.20, but for the first steps
        scale = np.where(inverse > 0, scale, np.sqrt(_dots(direction, direction)) / FIRST)
        direction = direction / np.maximum(scale, np.finfo("float64").tiny)[:, None]
        for (move, change, inverse), alpha in zip(known, reversed(alphas), strict=True):
            direction = direction + (alpha - inverse * _dots(change, direction))[:, None] * move
        return direction


def _dots(a, b):
    """The product of each row with its own."""
    return np.einsum("ij,ij->i", a, b)
