"""The registry of methods: the only place that knows all their names."""

import dataclasses

from bms_keras.errors import lookup
from bms_keras.game import Game
from bms_keras.methods.gan import GAN
from bms_keras.methods.hybrid import BMSVAEGAN

_AUTOENCODER = ("recognition", "generator")
_HYBRID = (*_AUTOENCODER, "image_critic", "latent_critic")


@dataclasses.dataclass(frozen=True)
class Method:
    """A named row of the paper's tables.

    Args:
        summary: The row in a few words.
        game: The class that plays it.
        networks: The names of the networks that it needs, as the class's arguments.
        samples: T.
        spectral_norm: Whether the image critic is spectrally normalised.
        objective: The class's arguments that a config may set, with this method's values.
    """

    summary: str
    game: type[Game]
    networks: tuple[str, ...]
    samples: int = 1
    spectral_norm: bool = False
    objective: dict = dataclasses.field(default_factory=dict)

    def build(self, networks, samples, gradient, **kwargs):
        """The game; T and how its gradient is taken matter only where there is a posterior."""
        if "recognition" in self.networks:
            kwargs |= {"samples": samples, "gradient": gradient}
        elif samples != 1:
            raise ValueError(f"a method without a posterior has samples=1. Received: {samples}")
        return self.game(**networks, **kwargs)


def _bms(summary, networks=_HYBRID, samples=1, spectral_norm=False, **objective):
    """A special case of BMS-VAE-GAN; terms whose critic is missing have no weight to set."""
    terms = {"lambda_": 1.0, "divergence_weight": 1.0, "norm": 1}
    if "image_critic" in networks:
        terms |= {
            "alpha": 1.0,
            "prior_weight": 1.0,
            "critic_loss": "hinge",
            "critic_to_recognition": False,
        }
    return Method(summary, BMSVAEGAN, networks, samples, spectral_norm, terms | objective)


METHODS = {
    "bms_vae_gan": _bms(
        "best of T samples, direct synthetic likelihood",
        samples=10,
        spectral_norm=True,
        margins=(1.0, 1.0),
    ),
    "alpha_gan_sn": _bms("BMS-VAE-GAN at T=1", samples=1, spectral_norm=True, margins=(1.0, 1.0)),
    "alpha_gan": _bms("synthetic likelihood ratio of a classifier", critic_loss="cross_entropy"),
    "bms_vae": _bms(
        "best of T samples, no image critic", (*_AUTOENCODER, "latent_critic"), samples=10
    ),
    "wae": _bms(
        "Wasserstein autoencoder, MMD to the prior",
        _AUTOENCODER,
        prior="mmd",
        divergence_weight=10.0,  # the lambda of Tolstikhin et al. 2018
    ),
    "wae_gan": _bms("Wasserstein autoencoder, latent critic", (*_AUTOENCODER, "latent_critic")),
    "sn_gan": Method(
        "spectrally normalised GAN, hinge loss",
        GAN,
        ("generator", "image_critic"),
        spectral_norm=True,
        objective={"margins": (1.0, 1.0)},
    ),
}


def get(name):
    """The method of that name.

    Raises:
        BadInput: If there is none.
    """
    return lookup(METHODS, name, "method")
