"""The plain GANs, and what every game with an image critic shares."""

from typing import ClassVar

import keras
from keras import ops

from bms_keras import distribution, fields, objectives
from bms_keras.backends import input_gradient
from bms_keras.game import Game, Player


class Adversarial(Game):
    """A game with an image critic D_I, which learns to tell data from samples of G.

    It is played by G and D_I; a method says for which losses, `generator_loss` and
    `image_critic_loss`.

    Args:
        networks: See `Game`; with a "generator" and, if its turn is played, an "image_critic".
        critic_turns: D_I's turns a step, each with fresh noise and a batch of its own.
        ema, seed: See `Game`.
    """

    RULES: ClassVar = {"critic_turns": (fields.integer(1, 100), "D_I's turns a step")}

    def __init__(self, networks, critic_turns=1, **kwargs):
        super().__init__(networks, **kwargs)
        self.keep(critic_turns=critic_turns)

    def players(self):
        """G's turn, then D_I's."""
        generator = Player("generator", (self.generator,), self.generator_loss)
        return [generator, *self.image_critic_turns()]

    def image_critic_turns(self):
        """D_I's turns in a step."""
        player = Player("image_critic", (self.image_critic,), self.image_critic_loss)
        return [player] * self.critic_turns

    def require_slope(self):
        """Refuses an image critic whose gradient at a point is not that point's alone.

        Raises:
            ValueError: If it has batch normalisation.
        """
        layers = self.image_critic._flatten_layers() if self.image_critic else ()
        if any(isinstance(layer, keras.layers.BatchNormalization) for layer in layers):
            raise ValueError(
                "a gradient penalty needs an image critic without batch normalisation, which "
                "couples the points of a batch (Gulrajani et al. 2017, section 4)"
            )

    def critic_score(self, x):
        """log D_I of a batch, `(B,)`."""
        return objectives.log_ratio(self.image_critic(x, training=True))

    def slope(self, x, generated):
        """The gradient of log D_I at random points between data and samples, like `x`."""
        draw = lambda shape: keras.random.uniform(shape, seed=self.seed_generator)  # noqa: E731
        share = distribution.batch_noise(
            draw, (ops.shape(x)[0], *[1] * len(self.data_shape)), axis=0
        )
        x = ops.cast(x, "float32")
        return input_gradient(self.critic_score, x + share * (ops.cast(generated, "float32") - x))


class StandardCriticLoss(Adversarial):
    """A game whose image critic is trained by one of the field's three common losses.

    Args:
        networks, critic_turns: See `Adversarial`.
        critic_loss: "hinge", "cross_entropy" or "wasserstein": what D_I minimises.
        margins: (a, b) of the hinge.
        gradient_penalty: Weight of (|grad D_I| - 1)^2 between data and samples (Gulrajani et al.
            2017, eq. 3); 0 for none. D_I then has no batch normalisation.
        ema, seed: See `Game`.
    """

    RULES: ClassVar = {
        "critic_loss": (fields.one_of(objectives.CRITIC_LOSSES), "what D_I minimises"),
        "margins": (fields.pair, "(a, b) of the hinge"),
        "gradient_penalty": (fields.at_least_0, "weight of (|grad D_I| - 1)^2"),
    }

    def __init__(
        self, networks, critic_loss="hinge", margins=(1.0, 1.0), gradient_penalty=0.0, **kwargs
    ):
        super().__init__(networks, **kwargs)
        self.keep(critic_loss=critic_loss, margins=margins, gradient_penalty=gradient_penalty)
        critic = self.networks.get("image_critic")
        if critic is not None and tuple(critic.output_shape[1:]) != (1,):
            raise ValueError(
                "the network 'image_critic' must put out one number a data point. "
                f"Received: {tuple(critic.output_shape[1:])}"
            )
        if gradient_penalty:
            self.require_slope()

    def image_critic_loss(self, x):
        """Algorithm 1, line 4: high on data, low on samples of the prior."""
        generated = ops.stop_gradient(self.generated(x))
        real, fake = self.critic_score(x), self.critic_score(generated)
        loss, terms = self.penalty(x, generated)
        return loss + self.critic_loss_of(real, fake), {
            "real": ops.mean(real),
            "fake": ops.mean(fake),
            **terms,
        }

    def critic_loss_of(self, real, fake):
        """The critic's loss from log D_I of data and of samples."""
        return objectives.CRITIC_LOSSES[self.critic_loss](real, fake, self.margins)

    def penalty(self, x, generated):
        """The weighted gradient penalty, and by name for the log; nothing without a weight."""
        if not self.gradient_penalty:
            return 0.0, {}
        penalty = objectives.gradient_penalty(self.slope(x, generated))
        return self.gradient_penalty * penalty, {"gradient_penalty": penalty}

    def adversarial_loss(self, fake):
        """-E log D_I(G(z)), or of a classifier -E log D(G(z)) (Goodfellow et al. 2014)."""
        return ops.mean(ops.softplus(-fake) if self.critic_loss == "cross_entropy" else -fake)


@keras.saving.register_keras_serializable("bms_keras")
class GAN(StandardCriticLoss):
    """A generator against an image critic.

    SN-GAN (Miyato et al. 2018) with the hinge and a spectrally normalised critic; DCGAN (Radford et
    al. 2016) with the cross entropy; WGAN-GP (Gulrajani et al. 2017) with `critic_loss=
    "wasserstein"`, `gradient_penalty=10` and `critic_turns=5`.

    Args:
        generator: G, from `(batch, latent_dim)` to data.
        image_critic: log D_I, from data to `(batch, 1)`.
        critic_loss, margins, gradient_penalty, critic_turns: See `StandardCriticLoss`.
        ema, seed: See `Game`.

    Example:

    >>> model = GAN(generator, image_critic)
    >>> model.compile()
    >>> model.fit(dataset, epochs=10)
    """

    def __init__(self, generator, image_critic, **kwargs):
        super().__init__({"generator": generator, "image_critic": image_critic}, **kwargs)

    def generator_loss(self, x):
        return self.adversarial_loss(self.critic_score(self.generated(x))), {}


def features_of(critic):
    """The features of an image critic: what its last layer that has weights takes.

    Args:
        critic: A functional or sequential Keras model.

    Returns:
        A `keras.Model` from data to features, of the same weights.

    Raises:
        ValueError: If its last layer is a model, of which nothing within is known.
    """
    last = [layer for layer in critic.layers if layer.weights][-1]
    if isinstance(last, keras.Model):
        raise ValueError(
            "the features are the last hidden layer of the network 'image_critic', which must be "
            f"a keras.Sequential or functional model of layers. Received: {last.name}"
        )
    return keras.Model(critic.inputs[0], last.input)
