"""Points of one's own, from arrays: their centre and one scale for all axes are taken off."""

import functools

import numpy as np

from bms_keras.data import contents
from bms_keras.data.epochs import Epochs
from bms_keras.errors import BadInput


class Points(Epochs):
    """Points of one's own, brought to mean 0 and a root mean square radius of 1.

    A model sees (x - centre) / scale: the centre is the mean of the training points and the scale,
    one for all axes, so that no direction is stretched, their root mean square distance from it.
    `unscaled` brings samples back. Points of two numbers are drawn; of others no pictures are made.

    Args:
        x_train: Array of numbers `(n, d)`, no uint8, which are images.
        x_test: Array of held-out points `(m, d)`; without it a share of `x_train` is held out, by
            each point's content (see `contents.split`).
        batch_size: Points a batch.
        seed: Integer seed of the order.
        name: What the points are called.
        held_out: That share, in (0, 1).

    Raises:
        BadInput: If an array holds something else or a number that is not finite, if all training
            points are one, or if there are fewer than a batch holds.

    Example:

    >>> spiral = np.random.default_rng(0).normal([100, 7], [3, 0.1], (500, 2))
    >>> points = bms_keras.data.Points(spiral, batch_size=64)
    >>> x = points.batch(0)
    >>> x.shape, points.unscaled(x).mean(0).round()
    ((64, 2), array([100.,   7.]))
    """

    kind = "points"

    def __init__(self, x_train, x_test=None, batch_size=64, seed=0, name="points", held_out=0.1):
        train = _checked(x_train, f"{name}:x_train")
        digests = contents.of_rows(train)
        if x_test is None:
            parts = contents.split(digests, held_out, name, "points")
            (train, test), digests = ([x[part] for part in parts] for x in (train, digests))
        else:
            test = _checked(x_test, f"{name}:x_test", train.shape[1])
            digests = digests, contents.of_rows(test)
        self.digests = tuple(digests)
        self.centre = train.mean(0)
        with np.errstate(over="ignore", invalid="ignore"):  # what is too large is refused below
            self.scale = float(np.sqrt(np.mean(np.sum((train - self.centre) ** 2, -1))))
        if not 0 < self.scale < np.inf:
            raise BadInput(
                f"{name}:x_train must hold two different points to train on, with numbers below "
                f"1e150. Received: points whose root mean square radius is {self.scale:g}"
            )
        scaled = [((x - self.centre) / self.scale).astype("float32") for x in (train, test)]
        super().__init__(*scaled, batch_size, seed, name, "points")
        self.drawing = "scatter" if self.shape == (2,) else "none"

    def batch(self, number):
        """A batch: float32 `(batch_size, d)`, scaled; a function of the seed and its number."""
        return self.train[self.indices(number)]

    def points(self, n):
        """A sample of `n` held-out points, scaled, float32; fewer where there are fewer."""
        return self.sample(n)

    @functools.cached_property
    def contents(self):
        """What a checkpoint notes of its data, with what brings samples back to their units."""
        return super().contents | {"scale": self.scale, "centre": self.centre.tolist()}


def _checked(x, name, width=None):
    """An array as float64 `(n, d)`."""
    x = np.asarray(x)
    if x.ndim != 2 or not x.size or x.dtype.kind not in "if" or x.shape[1] != (width or x.shape[1]):
        raise BadInput(
            f"{name} must be points, numbers (n, {width or 'd'}), no uint8. "
            f"Received: {x.dtype} {x.shape}"
        )
    x = x.astype("float64") + 0.0  # there is one 0 only
    broken = ~np.isfinite(x).all(1)
    if broken.any():
        raise BadInput(
            f"{name} must be finite: x[np.isfinite(x).all(1)] leaves the others out. "
            f"Received: {broken.sum()} points with NaN or infinity"
        )
    return x
