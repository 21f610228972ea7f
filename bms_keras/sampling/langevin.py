"""Draws latents up the critic's density ratio: Langevin steps in z."""

import keras
import numpy as np
from keras import ops

from bms_keras.backends import value_and_gradient
from bms_keras.errors import require
from bms_keras.sampling.ratio import DensityRatio
from bms_keras.sampling.sampler import Engine, Sampler

AIM = 0.574  # acceptance at which such steps go farthest (Roberts & Rosenthal 1998)


class Langevin(Sampler):
    """Discriminator driven latent sampling (Che et al. 2020, algorithm 1), with a test.

    Latents follow Langevin steps on the energy of eq. 9 there,

        E(z) = -log p(z) - log r(G(z)),   z' = z - size / 2 grad E(z) + sqrt(size) noise

    from z ~ p(z) on. Other than there, a step is taken with the probability of Metropolis and
    Hastings, so that its size biases nothing; the fit sets the size by how many are taken.

    Args:
        steps: Steps a sample.

    Attributes:
        size: Of a step.
        acceptance: The share of steps that are taken, in the fit.
    """

    exported = False  # a SavedModel takes no gradients
    by_critic = True

    def __init__(self, steps=100):
        require(isinstance(steps, int) and steps > 0, "steps", "an integer above 0", steps)
        self.steps = steps

    def prepare(self, seen, held_out, seed):
        model = self.model
        self.ratio = DensityRatio()
        self.ratio.fit(model, held_out, model.sample(len(held_out), seed, sampler="prior"))
        chain = keras.Sequential([model.inference_network("generator"), self.ratio.network])
        self._log_ratio_and_slope = value_and_gradient(chain, self.ratio.of_rows)
        self.size = 0.1
        z = Engine(model).normal((200, model.latent_dim), seed)
        for number in range(30):  # as a thermostat does
            z, self.acceptance = self._walked(np.asarray(z), seed + number, 5)
            self.size *= np.exp(self.acceptance - AIM)
        _, self.acceptance = self._walked(z, seed + 30, 20)

    def draw(self, engine, n, seed):
        z = np.array(engine.normal((n, self.model.latent_dim), seed))
        z, _ = self._walked(z, seed, self.steps, engine.batch_size)
        return engine.decode(z)

    def _walked(self, z, seed, steps, batch_size=500):
        """Latents after some steps, and the share of steps that were taken."""
        rng = np.random.default_rng([seed % 2**63, 1])
        log_target, slope = self._target(z, batch_size)
        taken = []
        for _ in range(steps):
            drift = z + self.size / 2 * slope
            new = drift + np.sqrt(self.size) * rng.standard_normal(z.shape)
            new = new.astype("float32")
            new_log_target, new_slope = self._target(new, batch_size)
            there = np.square(new - drift).sum(-1)
            back = np.square(z - new - self.size / 2 * new_slope).sum(-1)
            gain = new_log_target - log_target + (there - back) / (2 * self.size)
            moves = np.log(rng.uniform(size=len(z))) < gain
            taken.append(moves.mean())
            z, slope = (np.where(moves[:, None], a, b) for a, b in ((new, z), (new_slope, slope)))
            log_target = np.where(moves, new_log_target, log_target)
        return z, float(np.mean(taken))

    def _target(self, z, batch_size):
        """log p(z) r(G(z)) but for a constant, and its gradient."""
        parts = [z[i : i + batch_size] for i in range(0, len(z), batch_size)]
        found = [map(ops.convert_to_numpy, self._log_ratio_and_slope(part)) for part in parts]
        value, gradient = (np.concatenate(each) for each in zip(*found, strict=True))
        return value.astype("float64") - np.square(z).sum(-1) / 2, gradient - z

    def about(self):
        return super().about() | self.ratio.about() | {"sampler_size": float(self.size)}
