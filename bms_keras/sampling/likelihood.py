"""Draws from p(x|z), of which G(z) is the mode."""

import numpy as np
from keras import ops
from scipy.optimize import minimize_scalar
from scipy.spatial.distance import cdist
from scipy.special import logsumexp

from bms_keras.errors import BadInput
from bms_keras.objectives import gaussian_log_density
from bms_keras.sampling.sampler import Engine, Prior, Sampler, flat, uniform

POINTS, SAMPLES = 500, 4000  # of the data, and of G, whose distances a fit looks at
POSTERIOR = 50  # samples of q(z|x) a point
BLOCK = 2**25  # numbers in memory at a time
OUTLIERS = 0.02  # share of the data that may lie where G has nothing
KINDS = {  # of n = 1, 2: whose sum |x - G(z)|_n is, and what scipy calls it
    "laplace": (np.abs, "cityblock"),
    "gaussian": (np.square, "sqeuclidean"),
}


class Likelihood(Sampler):
    """Draws from p(x|z), z ~ p(z), whose mode G(z) is (the paper's section 3.3).

    p(x|z) ~ e^(-|x - G(z)|^n / scale). The paper trains G on this likelihood and shows its mode
    G(z), which is why modes come out narrow. Of n = 1 p(x|z) is a Laplace, of n = 2 a Gaussian
    distribution with independent dimensions of one scale. The scale is that of maximum
    likelihood,

        max over scale of  E_x log p(x),   p(x) = E_{z~p} p(x|z)

    on training data: not the mean residual of a reconstruction, which a few points far from all of
    G(z) would set. That G may have lost a mode is provided for: a share of 0.02 of the data may
    come from a Gaussian distribution as wide as all of them. p(x) is estimated from below by
    samples of p(z) and, with R, by samples of q(z|x) weighted by p(z) / q(z|x) (Burda et al. 2016);
    of these, and of n = 1 and 2, the fit keeps what is most likely.

    Attributes:
        kind: "gaussian" or "laplace".
        scale: Standard deviation of the one, mean absolute deviation of the other, in the units of
            training.
        log_likelihood: E_x log p(x) at its best, in nats.
    """

    def __init__(self):
        self.base = Prior()

    def prepare(self, seen, held_out, seed):
        self.base.fit(self.model, seen, held_out, seed)
        x = seen[:POINTS]
        background = _background(x, seen)
        proposed = [self._of_prior(x, seed)]
        if self.model.has_posterior:
            proposed.append(self._of_posterior(x, seed))
        fits = [
            (*_most_likely(kind, distances[kind], log_weights, x[0].size, background), kind)
            for distances, log_weights in proposed
            for kind in KINDS
        ]
        self.log_likelihood, self.scale, self.kind = max(fits)

    def _of_prior(self, x, seed):
        """Distances `(points, samples)` from G(z), z ~ p(z), by kind; their weights are equal."""
        samples = flat(self.base.sample(int(np.clip(10**9 // x.size, 100, SAMPLES)), seed))
        if not np.isfinite(samples).all():
            raise BadInput("the model's samples are not finite: its training has diverged")
        return {kind: cdist(flat(x), samples, name) for kind, (_, name) in KINDS.items()}, 0.0

    def _of_posterior(self, x, seed):
        """Distances from G(z), z ~ q(z|x), and the logarithms of p(z) / q(z|x)."""
        z = self.model.sample_posterior(x, POSTERIOR, seed)
        mean, log_variance = self.model.encode(x)
        q = gaussian_log_density(z, mean, log_variance)
        p = gaussian_log_density(z, np.zeros_like(mean), np.zeros_like(mean))
        distances = {kind: np.empty((len(x), POSTERIOR)) for kind in KINDS}
        size = max(1, BLOCK // (POSTERIOR * x[0].size))
        for start in range(0, len(x), size):
            part = slice(start, start + size)
            latents = z[:, part].reshape(-1, z.shape[-1])
            x_i = Engine(self.model).decode(latents).reshape(POSTERIOR, *x[part].shape)
            for kind, (of_difference, _) in KINDS.items():
                sums = of_difference(x_i - x[part]).reshape(*x_i.shape[:2], -1).sum(-1)
                distances[kind][part] = sums.T
        return distances, ops.convert_to_numpy(p - q).T.astype("float64")

    def draw(self, engine, n, seed):
        x = self.base.draw(engine, n, seed)
        noise = engine.normal(ops.shape(x), seed, stream=1)
        if self.kind == "laplace":
            u = 2 * uniform(noise) - 1
            noise = -ops.sign(u) * ops.log(ops.maximum(1 - ops.abs(u), 1e-7))
        return x + np.float32(self.scale) * noise

    def about(self):
        return {"sampler_kind": self.kind, "sampler_scale": float(self.scale)}


def _background(x, seen):
    """log density of points under a Gaussian distribution as wide as all data, `(n,)`."""
    x, seen = flat(x), flat(seen)
    log_variance = np.log(seen.var(0) + 1e-12)
    return ops.convert_to_numpy(gaussian_log_density(x, seen.mean(0), log_variance))


def _most_likely(kind, distances, log_weights, dims, background):
    """The greatest mean log p(x) over the scale, and that scale."""

    def negative(log_scale):
        scale = np.exp(log_scale)
        if kind == "gaussian":
            exponents, norm = -distances / (2 * scale**2), 0.5 * np.log(2 * np.pi) + log_scale
        else:
            exponents, norm = -distances / scale, np.log(2) + log_scale
        p = logsumexp(exponents + log_weights, axis=1) - np.log(distances.shape[1]) - dims * norm
        mixed = np.logaddexp(np.log1p(-OUTLIERS) + p, np.log(OUTLIERS) + background)
        return -mixed.mean()

    found = minimize_scalar(negative, bounds=(np.log(1e-5), np.log(10)), method="bounded")
    return -float(found.fun), float(np.exp(found.x))
