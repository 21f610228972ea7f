"""The 2D Grid and the 2D Ring (section 4.1): mixtures of narrow Gaussians, sampled afresh."""

import functools
import hashlib
import itertools

import numpy as np

from bms_keras.data.dataset import Dataset

HELD_OUT = 2**62  # the batches from this step on are never trained on


class Mixture(Dataset):
    """A uniform mixture of isotropic Gaussians, scaled to a root mean square radius of 1.

    Args:
        means: Array `(modes, 2)`, in the data's own units.
        std: Standard deviation of each mode, in the same units.
        batch_size: Points a batch.
        seed: Integer.
        name: What it is called.
    """

    kind = "mixture"
    drawing = "scatter"

    def __init__(self, means, std, batch_size, seed, name="mixture"):
        self.means = np.asarray(means, "float64")
        self.std = std
        self.batch_size = batch_size
        self.seed = seed
        self.scale = float(np.sqrt(np.mean(np.sum(self.means**2, -1)) + 2 * std**2))
        self.shape = (2,)
        self.name = name

    def batch(self, number):
        """A batch: float32 `(batch_size, 2)`, scaled; a function of the seed and its number."""
        return self.points(self.batch_size, number)

    def points(self, n, step=HELD_OUT):
        """`n` scaled points, float32 `(n, 2)`; by default such as training never sees."""
        rng = np.random.Generator(np.random.Philox(key=self.seed, counter=[0, 0, 0, step]))
        modes = rng.integers(len(self.means), size=n)
        noise = rng.standard_normal((n, 2), "float32")
        return ((self.means[modes] + self.std * noise) / self.scale).astype("float32")

    @functools.cached_property
    def fingerprint(self):
        """Tells mixtures apart by their modes."""
        return hashlib.sha256(self.means.tobytes() + repr(self.std).encode()).hexdigest()[:32]

    def labels(self, n):
        """The index of the mode nearest to each of `points(n)`."""
        x = self.unscaled(self.points(n))
        distances = np.linalg.norm(x[:, None] - self.means, axis=-1)
        return [str(mode) for mode in distances.argmin(1)]


def grid(batch_size, seed):
    """25 modes at {-4, -2, 0, 2, 4}^2 of standard deviation 0.05."""
    means = list(itertools.product((-4, -2, 0, 2, 4), repeat=2))
    return Mixture(means, 0.05, batch_size, seed, "grid")


def ring(batch_size, seed):
    """8 modes on a circle of radius 1 of standard deviation 0.01."""
    angles = 2 * np.pi * np.arange(8) / 8
    means = np.stack([np.cos(angles), np.sin(angles)], -1)
    return Mixture(means, 0.01, batch_size, seed, "ring")
