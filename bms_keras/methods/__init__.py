"""The registry of methods: the only place that knows all their names."""

import dataclasses

from bms_keras import objectives
from bms_keras.errors import OWN, BadInput, enter, lookup
from bms_keras.fields import Field
from bms_keras.game import Game
from bms_keras.methods import published
from bms_keras.methods.autoencoding import Autoencoding
from bms_keras.methods.began import BEGAN
from bms_keras.methods.bwgan import BWGAN
from bms_keras.methods.distgan import DistGAN
from bms_keras.methods.gan import GAN, Adversarial, StandardCriticLoss
from bms_keras.methods.gdpp import GDPPGAN
from bms_keras.methods.hybrid import BMSVAEGAN
from bms_keras.methods.mdgan import MDGAN
from bms_keras.methods.veegan import VEEGAN

__all__ = [
    "METHODS",
    "Adversarial",
    "Autoencoding",
    "Method",
    "StandardCriticLoss",
    "get",
    "register",
]

_AUTOENCODER = ("recognition", "generator")
_HYBRID = (*_AUTOENCODER, "image_critic", "latent_critic")
_ENCODED = (*_AUTOENCODER, "latent_critic")
_GAN = ("generator", "image_critic")


@dataclasses.dataclass(frozen=True)
class Method:
    """A named row of the paper's tables.

    Args:
        summary: The row in a few words.
        game: The class that plays it.
        networks: The names of the networks that it needs, as the class's arguments.
        samples: T; `None` where the class has no such argument.
        normalization: Of the image critic: "spectral", "batch" or "none".
        outputs: Numbers that the image critic puts out.
        kind: The kind of data that it is for; `None` for any.
        coupled: Whether a loss is no mean over data points, so that it needs the whole batch
            (batch normalisation and the state of a game apart).
        scheduled: Whether a loss follows how much of `config.steps` is done: the class then takes
            them as `steps`.
        turns: The names of its players, by which a config sets their optimizers, where they are
            not those of its networks without R, which moves with G.
        objective: The class's arguments that a config may set, with this method's values.
        before: Those of them that a config of before they existed reads otherwise.
        training: What its authors train it with on images; see `methods.published`.
    """

    summary: str
    game: type[Game]
    networks: tuple[str, ...]
    samples: int | None = None
    normalization: str = "none"
    outputs: int = 1
    kind: str | None = None
    coupled: bool = False
    scheduled: bool = False
    turns: tuple[str, ...] = ()
    objective: dict = dataclasses.field(default_factory=dict)
    before: dict = dataclasses.field(default_factory=dict)
    training: dict = dataclasses.field(default_factory=dict)

    @property
    def autoencoder(self):
        """Whether G learns from reconstructions alone: WAE and BMS-VAE, without an image critic."""
        return self.game is BMSVAEGAN and "image_critic" not in self.networks

    @property
    def players(self):
        """The names of its players, whose optimizers a config may set."""
        return self.turns or tuple(name for name in self.networks if name != "recognition")

    def fields(self):
        """The fields of `config.objective`, by name."""
        rules = self.game.rules()
        return {
            name: Field(value, *rules[name], before=self.before.get(name))
            for name, value in self.objective.items()
        }

    def networks_asked(self, objective):
        """What it asks of `bms_keras.networks.build`, as keywords.

        Args:
            objective: `config.objective`.
        """
        loss = objectives.CRITIC_LOSSES.get(objective.get("critic_loss"))
        return {
            "names": self.networks,
            "normalization": self.normalization if loss is None or loss.normalized else "none",
            "outputs": self.outputs,
            "pack": objective.get("pack", 1),
        }

    def build(self, networks, samples, gradient, steps, **kwargs):
        """The game; T, its gradient and `steps` matter only to a game that takes them."""
        if self.scheduled:
            kwargs["steps"] = steps
        if self.samples:
            kwargs |= {"samples": samples, "gradient": gradient}
        elif samples != 1:
            raise ValueError(f"a method without a best of many has samples=1. Received: {samples}")
        return self.game(**networks, **kwargs)


def _bms(
    summary,
    networks=_HYBRID,
    samples=1,
    normalization="spectral",
    coupled=False,
    training=published.HYBRID,
    **objective,
):
    """A special case of BMS-VAE-GAN; terms whose critic is missing have no weight to set."""
    terms = {"lambda_": 1.0, "divergence_weight": 1.0, "posterior_stride": 1, "norm": 1}
    if "image_critic" in networks:
        terms |= {
            "alpha": 1.0,
            "prior_weight": 1.0,
            "critic_loss": "hinge",
            "margins": (1.0, 1.0),
            "critic_to_recognition": False,
            "critic_sees_posterior": False,
            "gradient_penalty": 0.0,
            "gamma": 0.0,
            "pack": 1,
        }
    before = {name: False for name in terms if name == "critic_sees_posterior"}
    kwargs = {"objective": terms | objective, "before": before, "training": training}
    return Method(summary, BMSVAEGAN, networks, samples, normalization, coupled=coupled, **kwargs)


METHODS = {
    "bms_vae_gan": _bms("best of T samples, direct synthetic likelihood", samples=10),
    "alpha_gan_sn": _bms("BMS-VAE-GAN at T=1"),
    "alpha_gan_gp": _bms(
        "the same with a gradient penalty in place of spectral normalisation (section 4.3)",
        normalization="none",
        gradient_penalty=10.0,
    ),
    "alpha_gan": _bms(
        "synthetic likelihood ratio of a classifier (Rosca et al. 2017, algorithm 1)",
        normalization="batch",
        critic_loss="cross_entropy",
        critic_sees_posterior=True,
    ),
    "bms_vae": _bms(
        "best of T samples, no image critic", _ENCODED, samples=10, training=published.WAE_GAN
    ),
    "wae": _bms(
        "Wasserstein autoencoder, MMD to the prior",
        _AUTOENCODER,
        coupled=True,
        training=published.WAE,
        prior="mmd",
        divergence_weight=10.0,  # the lambda of Tolstikhin et al. 2018
        mmd_scales=objectives.MMD_SCALES,
    ),
    "wae_gan": _bms("Wasserstein autoencoder, latent critic", _ENCODED, training=published.WAE_GAN),
    "dcgan": Method(
        "classifier, batch normalisation (Radford et al. 2016)",
        GAN,
        _GAN,
        normalization="batch",
        objective={"critic_loss": "cross_entropy", "pack": 1},
        training=published.DCGAN,
    ),
    "pacgan": Method(
        "DCGAN whose critic judges packs of samples (Lin et al. 2018)",
        GAN,
        _GAN,
        normalization="batch",
        objective={"critic_loss": "cross_entropy", "pack": 2},
        training=published.DCGAN,
    ),
    "r3gan": Method(
        "relativistic pairs, penalties R1 and R2: the loss of Huang et al. 2024",
        GAN,
        _GAN,
        objective={
            "critic_loss": "relativistic",
            "gamma": 0.001,  # for points of rms 1; for images see `training`
            "pack": 1,
            "critic_turns": 1,
        },
        training=published.R3GAN,
    ),
    "sn_gan": Method(
        "spectral normalisation, hinge (Miyato et al. 2018)",
        GAN,
        _GAN,
        normalization="spectral",
        objective={"critic_loss": "hinge", "margins": (1.0, 1.0), "critic_turns": 1, "pack": 1},
        training=published.SN_GAN,
    ),
    "wgan_gp": Method(
        "Wasserstein distance, gradient penalty (Gulrajani et al. 2017)",
        GAN,
        _GAN,
        objective={"critic_loss": "wasserstein", "gradient_penalty": 10.0, "critic_turns": 5},
        training=published.WGAN_GP,
    ),
    "bw_gan": Method(
        "penalty in the dual of a Sobolev space (Adler & Lunz 2018)",
        BWGAN,
        _GAN,
        kind="images",
        coupled=True,
        objective={"sobolev": -1.5, "critic_turns": 5},
        training=published.BW_GAN,
    ),
    "began": Method(
        "autoencoding critic in equilibrium (Berthelot et al. 2017)",
        BEGAN,
        ("generator", "autoencoder"),
        kind="images",
        objective={"gamma": 0.5, "lambda_k": 0.001},
        training=published.BEGAN,
    ),
    "dist_gan": Method(
        "latent-data and critic-score distances (Tran et al. 2018)",
        DistGAN,
        (*_AUTOENCODER, "image_critic"),
        coupled=True,
        scheduled=True,
        turns=("autoencoder", "image_critic", "generator"),
        objective={
            "lambda_r": 1.0,
            "reconstruction_weight": 0.05,
            "critic_loss": "cross_entropy",  # these two for points; for images see `training`
            "distances": "data",
            "gradient_penalty": 1.0,
        },
        training=published.DIST_GAN,
    ),
    "veegan": Method(
        "reconstructor of noise, joint critic (Srivastava et al. 2017)",
        VEEGAN,
        (*_AUTOENCODER, "joint_critic"),
        objective={"latent_weight": 1.0},
    ),
    "md_gan": Method(
        "mixture-density critic on a simplex (Eghbal-zadeh et al. 2019)",
        MDGAN,
        _GAN,
        outputs=9,
        objective={"variance": 0.25},
    ),
    "gdpp_gan": Method(
        "diversity of the critic's features (Elfeki et al. 2019)",
        GDPPGAN,
        _GAN,
        coupled=True,
        objective={"diversity_weight": 1.0},
        training=published.GDPP_GAN,
    ),
}


def get(name):
    """The method of that name.

    Raises:
        BadInput: If there is none.
    """
    return lookup(METHODS, name, "method", OWN)


def register(name, method):
    """Adds a method of one's own, to train by its name.

    Args:
        name: Its name; one that is taken is replaced.
        method: A `Method`.

    Raises:
        BadInput: If the name is none, or a config is to set what its class has no rule for.

    Example:

    >>> register("ls_gan", Method("least squares", LSGAN, ("generator", "image_critic")))
    """
    if unruled := method.objective.keys() - method.game.rules().keys():
        raise BadInput(
            f"the method {name!r} may have an objective of {', '.join(method.game.rules())}, the "
            f"RULES of {method.game.__name__}. Received: {', '.join(sorted(unruled))}"
        )
    enter(METHODS, name, method, "a method")
