"""Draws from p(x|z), of which G(z) is the mode."""

import numpy as np
from keras import ops
from scipy.optimize import minimize_scalar
from scipy.spatial.distance import cdist
from scipy.special import logsumexp

from bms_keras.errors import BadInput
from bms_keras.objectives import gaussian_log_density
from bms_keras.sampling.sampler import Engine, Prior, Sampler, flat, uniform

NUMBERS = 10**9  # of differences that a fit looks at: bounds its time
POINTS = 500  # of the data
POSTERIOR = 50  # samples of q(z|x) a point
METRICS = {"laplace": "cityblock", "gaussian": "sqeuclidean"}  # |x - G(z)|_n of n = 1, 2


class Likelihood(Sampler):
    """Draws from p(x|z), z ~ p(z), whose mode G(z) is (the paper's section 3.3).

    p(x|z) ~ e^(-|x - G(z)|^n / scale). The paper trains G on this likelihood and shows its mode
    G(z), which is why modes come out narrow. Of n = 1 p(x|z) is a Laplace, of n = 2 a Gaussian
    distribution with independent dimensions of one scale. The scale is that of maximum
    likelihood,

        max over scale of  E_x log p(x),   p(x) = E_{z~p} p(x|z)

    on training data: not the mean residual of a reconstruction, which a few points far from all
    of G(z) would set. p(x) is estimated from below by samples of p(z) and, with R, by samples of
    q(z|x) weighted by p(z) / q(z|x) (Burda et al. 2016); of these, and of n = 1 and 2, the fit
    keeps what is most likely.

    Attributes:
        kind: "gaussian" or "laplace".
        scale: Standard deviation of the one, mean absolute deviation of the other, in the units of
            training.
        log_likelihood: E_x log p(x) at its best, in nats.
    """

    def prepare(self, seen, held_out, seed):
        fits = []
        for kind, metric in METRICS.items():
            for proposed in (self._of_prior, self._of_posterior):
                distances, log_weights = proposed(seen, metric, seed)
                if distances is not None:
                    dims = int(np.prod(self.model.data_shape))
                    fits.append((*_most_likely(kind, distances, log_weights, dims), kind))
        self.log_likelihood, self.scale, self.kind = max(fits)
        if not np.isfinite(self.log_likelihood):
            raise BadInput("the model's samples are not finite: its training has diverged")

    def _of_prior(self, x, metric, seed):
        """Distances `(points, samples)` from G(z), z ~ p(z), whose weights are equal."""
        x = flat(x)[:POINTS]
        most = int(np.clip(NUMBERS // x.size, 100, 4_000))
        return cdist(x, flat(self.model.sample(most, seed, sampler="prior")), metric), 0.0

    def _of_posterior(self, x, metric, seed):
        """Distances from G(z), z ~ q(z|x), and the logarithms of p(z) / q(z|x)."""
        if not self.model.has_posterior:
            return None, None
        x = x[: int(np.clip(NUMBERS // (POSTERIOR * x[0].size), 100, POINTS))]
        z = self.model.sample_posterior(x, POSTERIOR, seed)
        mean, log_variance = self.model.encode(x)
        q = gaussian_log_density(z, mean, log_variance)
        p = gaussian_log_density(z, np.zeros_like(mean), np.zeros_like(mean))
        x_i = Engine(self.model).decode(z.reshape(-1, z.shape[-1])).reshape(POSTERIOR, *x.shape)
        difference = x_i - x
        each = np.abs(difference) if metric == "cityblock" else np.square(difference)
        distances = each.sum(tuple(range(2, each.ndim)), dtype="float64")
        return distances.T, ops.convert_to_numpy(p - q).T.astype("float64")

    def draw(self, engine, n, seed):
        x = Prior.draw(self, engine, n, seed)
        noise = engine.normal(ops.shape(x), seed, stream=1)
        if self.kind == "laplace":
            u = 2 * uniform(noise) - 1
            noise = -ops.sign(u) * ops.log(ops.maximum(1 - ops.abs(u), 1e-7))
        return x + np.float32(self.scale) * noise

    def about(self):
        return {"sampler_kind": self.kind, "sampler_scale": float(self.scale)}


def _most_likely(kind, distances, log_weights, dims):
    """The greatest mean log p(x) over the scale, and that scale."""

    def negative(log_scale):
        scale = np.exp(log_scale)
        if kind == "gaussian":
            exponents, norm = -distances / (2 * scale**2), 0.5 * np.log(2 * np.pi) + log_scale
        else:
            exponents, norm = -distances / scale, np.log(2) + log_scale
        p = logsumexp(exponents + log_weights, axis=1) - np.log(distances.shape[1]) - dims * norm
        return -p.mean()

    found = minimize_scalar(negative, bounds=(np.log(1e-5), np.log(10)), method="bounded")
    return -float(found.fun), float(np.exp(found.x))
