"""What a trained game can do beyond G(z): draw with its critic's help, and from p(x|z).

| sampler | draws | source |
| --- | --- | --- |
| `likelihood` | from p(x|z), z ~ p(z), whose mode G(z) is; its scale is fitted | section 3.3 |
| `rejection` | G(z), kept in proportion to the critic's density ratio | Azadi et al. 2019 |
| `mh` | the end of a Metropolis-Hastings chain of proposals G(z) | Turner et al. 2019 |
| `langevin` | G(z), z after gradient steps up the critic's density ratio | Che et al. 2020 |

`likelihood+rejection` and `likelihood+mh` correct draws from p(x|z) instead of G(z).

A sampler is fitted once, in seconds, to a game as it stands; training it further takes another fit.
"""

from bms_keras.backends import shifted
from bms_keras.errors import BadInput, lookup
from bms_keras.sampling.correction import MetropolisHastings, Rejection
from bms_keras.sampling.langevin import Langevin
from bms_keras.sampling.likelihood import Likelihood
from bms_keras.sampling.ratio import NEEDS_CRITIC, DensityRatio
from bms_keras.sampling.sampler import FIT, CannotDraw, Prior, Sampled, Sampler, points_of

__all__ = [
    "SAMPLERS",
    "CannotDraw",
    "DensityRatio",
    "Langevin",
    "Likelihood",
    "MetropolisHastings",
    "Prior",
    "Rejection",
    "Sampled",
    "Sampler",
    "fit",
    "obstacle",
]


def _of_likelihood(correction):
    """A sampler that corrects draws from p(x|z)."""

    def made(**options):
        return correction(Likelihood(), **options)

    made.__doc__ = f"{correction.__name__} of draws x ~ p(x|z)."
    return made


SAMPLERS = {
    "likelihood": Likelihood,
    "rejection": Rejection,
    "mh": MetropolisHastings,
    "langevin": Langevin,
    "likelihood+rejection": _of_likelihood(Rejection),
    "likelihood+mh": _of_likelihood(MetropolisHastings),
}


def fit(model, sampler, data, points=10_000, seed=0, **options):
    """Fits a sampler to a trained game, which then knows it by its name.

    Args:
        model: A `Game`.
        sampler: One of `SAMPLERS`, by name.
        data: A data set, whose held-out points calibrate the critic and whose training points give
            p(x|z) its scale; or an array of points like those of training, which then serve both.
        points: How many of either are used, at most.
        seed: Integer seed of the samples that the fit draws.
        **options: The sampler's arguments.

    Returns:
        The `Sampler`; `model.sample(n, sampler=name)` draws from it from now on.

    Raises:
        BadInput: If there is no such sampler, or if it needs what the game or the data lack.

    Example:

    >>> fit(model, "mh", x_train).acceptance > 0
    True
    >>> model.sample(8, sampler="mh").shape
    (8, 2)
    """
    made = lookup(SAMPLERS, sampler, "a sampler")(**options)
    seen, held_out = points_of(model, data, points)
    if len(held_out) < 20:
        raise BadInput(f"a sampler is fitted to at least 20 points. Received: {len(held_out)}")
    made.fit(model, seen, held_out, shifted(int(seed), FIT))
    model.samplers[sampler] = made
    return made


def obstacle(sampler, networks, pack=1):
    """Why a sampler does not apply to a game, or `None`.

    Args:
        sampler: One of `SAMPLERS`, by name.
        networks: The names of the game's networks.
        pack: How many data points its image critic judges together.

    Raises:
        BadInput: If there is no such sampler.

    Example:

    >>> obstacle("mh", ("recognition", "generator", "latent_critic"))
    'needs an image critic that judges one point at a time'
    >>> obstacle("likelihood", ("generator", "image_critic"), pack=2)
    """
    by_critic = lookup(SAMPLERS, sampler, "a sampler")().by_critic
    return NEEDS_CRITIC if by_critic and ("image_critic" not in networks or pack > 1) else None
