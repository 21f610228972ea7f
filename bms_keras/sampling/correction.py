"""Corrects what a sampler draws by the critic's density ratio: rejection, Metropolis-Hastings."""

import itertools

import numpy as np
from keras import ops

from bms_keras.backends import shifted
from bms_keras.errors import require
from bms_keras.sampling.ratio import DensityRatio
from bms_keras.sampling.sampler import CannotDraw, Engine, Prior, Sampler, uniform

STREAMS = 3  # of a proposal: two of what is drawn, one of whether it is taken
ROUND = 2**18  # numbers of a round of proposals, or more where more samples are asked for
LEAST = 1e-3  # share of proposals kept, below which rejection gives up
ENOUGH = 20 / LEAST  # proposals by which that shows


class Corrected(Sampler):
    """A sampler whose draws are the proposals of another.

    Args:
        base: The `Sampler` that proposes; `None` for G(z).
    """

    by_critic = True

    def __init__(self, base=None):
        self.base = base or Prior()

    def prepare(self, seen, held_out, seed):
        self.base.fit(self.model, seen, held_out, seed)
        proposed = self.base.sample(len(held_out), seed)
        self.ratio = DensityRatio()
        self.ratio.fit(self.model, held_out, proposed)
        engine = Engine(self.model)
        log_ratios = (self.ratio(engine, x) for x in (held_out, proposed))
        self.calibrate(*(ops.convert_to_numpy(each).astype("float64") for each in log_ratios))

    @property
    def exported(self):
        return self.base.exported

    def attach(self, model):
        super().attach(model)
        self.ratio.attach(model)

    def calibrate(self, real, proposed):
        """Finds what `draw` needs.

        Args:
            real, proposed: The ratio's logarithms of as much held-out data as proposals, `(n,)`.
        """
        raise NotImplementedError

    def proposals(self, engine, n, seed, number):
        """Proposals of a round, their ratios' logarithms, and the logarithms of uniform noise."""
        seed = shifted(seed, STREAMS * number)
        x = self.base.draw(engine, n, seed)
        chance = uniform(engine.normal((n,), seed, STREAMS - 1))
        return x, self.ratio(engine, x), ops.log(ops.maximum(chance, 1e-12))

    def about(self):
        return self.base.about() | super().about() | self.ratio.about()


class Rejection(Corrected):
    """Discriminator rejection sampling (Azadi et al. 2019, section 3).

    A proposal is kept with the probability sigmoid(F), where l is its ratio's logarithm, l_M the
    largest seen in the fit, and

        F = l - l_M - log(1 - e^(l - l_M - epsilon)) - gamma

    With gamma = 0 that is e^(l - l_M): exact, if the ratio is. With a percentile of F as gamma,
    (100 - percentile) % of proposals are more likely kept than not, and the truth is approached
    less.

    Args:
        base: The `Sampler` that proposes; `None` for G(z).
        percentile: Of F, in (0, 100); `None` for gamma = 0. The authors' is 80, on ImageNet.

    Attributes:
        acceptance: The share of the fit's proposals that are kept.
    """

    exported = False  # how often it proposes is not known beforehand

    def __init__(self, base=None, percentile=None):
        super().__init__(base)
        fits = percentile is None or 0 < percentile < 100
        require(fits, "percentile", "None or a number in (0, 100)", percentile)
        self.percentile = percentile

    def calibrate(self, real, proposed):
        self.largest = float(max(real.max(), proposed.max()))
        self.gamma = 0.0
        if self.percentile is not None:
            self.gamma = float(np.percentile(self._f(proposed), self.percentile))
        self.acceptance = float(np.exp(self._log_chance(proposed)).mean())

    def _f(self, log_ratios):
        below = np.minimum(ops.convert_to_numpy(log_ratios).astype("float64") - self.largest, 0)
        return below - np.log1p(-np.exp(below - 1e-8)) - self.gamma

    def _log_chance(self, log_ratios):
        """log sigmoid(F)."""
        return -np.logaddexp(0, -self._f(log_ratios))

    def draw(self, engine, n, seed):
        kept, found = [], 0
        most = max(n, ROUND // int(np.prod(self.model.data_shape)))
        size = int(min(n / max(self.acceptance, LEAST) + 10, most))
        for number in itertools.count():
            x, log_ratios, chance = self.proposals(engine, size, seed, number)
            taken = ops.convert_to_numpy(chance) < self._log_chance(log_ratios)
            kept.append(ops.convert_to_numpy(x)[taken])
            found += len(kept[-1])
            if found >= n:
                return np.concatenate(kept)[:n]
            if (proposed := (number + 1) * size) >= ENOUGH and found < LEAST * proposed:
                raise CannotDraw(
                    f"rejection kept {found} of {proposed} proposals: the critic takes samples for "
                    "no data; draw by 'mh', or give a percentile"
                )


class MetropolisHastings(Corrected):
    """The Metropolis-Hastings GAN (Turner et al. 2019, algorithm 1).

    For each sample a chain of independent proposals x' moves from x with the probability
    min(1, r(x') / r(x)), r = p_data / p_proposal. It starts from a held-out data point, of which
    only r is needed; one that never moves is given up for another, which starts from a proposal.

    Args:
        base: The `Sampler` that proposes; `None` for G(z).
        length: Proposals a chain; the authors' is 640.

    Attributes:
        acceptance: The share of proposals that a chain at its end accepts, by the fit's points.
    """

    def __init__(self, base=None, length=100):
        super().__init__(base)
        require(isinstance(length, int) and length > 0, "length", "an integer above 0", length)
        self.length = length

    def calibrate(self, real, proposed):
        self.starts = real.astype("float32")
        self.acceptance = float(np.exp(np.minimum(proposed - real, 0)).mean())

    def draw(self, engine, n, seed):
        place = uniform(engine.normal((n,), shifted(seed, STREAMS - 1)))
        place = ops.cast(place * len(self.starts), "int32")
        start = ops.take(self.starts, ops.minimum(place, len(self.starts) - 1))
        x, log_ratio, _ = self.proposals(engine, n, seed, 0)
        # Of the data point only the ratio is known; what stands for it is never shown.
        chain, moved = self._walked(engine, n, seed, 1, x, start)

        def from_proposals():
            fresh, _ = self._walked(engine, n, seed, 1 + self.length, x, log_ratio)
            return _where(moved, chain, fresh)

        return engine.either(ops.all(moved), lambda: chain, from_proposals)

    def _walked(self, engine, n, seed, first, x, log_ratio):
        """The ends of chains, and which ever moved; `first` is their first proposal's number."""

        def step(i, state):
            x, log_ratio, moved = state
            proposed, proposed_log_ratio, chance = self.proposals(engine, n, seed, first + i)
            moves = chance < proposed_log_ratio - log_ratio
            log_ratio = ops.where(moves, proposed_log_ratio, log_ratio)
            return _where(moves, proposed, x), log_ratio, ops.logical_or(moved, moves)

        state = x, log_ratio, ops.zeros((n,), "bool")
        x, _, moved = engine.repeat(self.length, step, state)
        return x, moved


def _where(chosen, a, b):
    """`a` where a sample is chosen, else `b`; `(n, ...)` each."""
    return ops.where(ops.reshape(chosen, (-1, *[1] * (len(a.shape) - 1))), a, b)
