"""The plain GANs, and what every game with an image critic shares."""

from typing import ClassVar

import keras
from keras import ops

from bms_keras import distribution, fields, objectives
from bms_keras.backends import input_gradient
from bms_keras.game import Game, Player
from bms_keras.tiling import packed


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
        """log D_I of a batch, `(B,)`, or of its packs, `(B / pack,)`."""
        return self._judged(packed(x, self.pack))

    def _judged(self, packs):
        return objectives.log_ratio(self.image_critic(packs, training=True))

    def slope_at(self, x):
        """The gradient of log D_I at the points of a batch, or at its packs; like these."""
        return input_gradient(self._judged, ops.cast(packed(x, self.pack), "float32"))

    def slope(self, x, generated):
        """The gradient of log D_I at random points between data and samples, or their packs."""
        x, generated = packed(x, self.pack), packed(generated, self.pack)
        share = self._uniform(ops.shape(x)[0], *[1] * len(self.data_shape))
        x = ops.cast(x, "float32")
        return input_gradient(self._judged, x + share * (ops.cast(generated, "float32") - x))

    def shuffled(self, x):
        """A batch in an order by chance where D_I judges packs; else as it is.

        The images of a batch ascend by their place in the data set, and neighbours there may be
        alike, which those of samples are not.
        """
        if self.pack == 1:
            return x
        return ops.take(x, ops.argsort(self._uniform(ops.shape(x)[0])), axis=0)

    def _uniform(self, *shape):
        draw = lambda shape: keras.random.uniform(shape, seed=self.seed_generator)  # noqa: E731
        return distribution.batch_noise(draw, shape, axis=0)


class StandardCriticLoss(Adversarial):
    """A game whose image critic is trained by one of the field's common losses.

    Args:
        networks, critic_turns: See `Adversarial`.
        critic_loss: "hinge", "cross_entropy", "wasserstein" or "relativistic": what D_I minimises;
            see `objectives`.
        margins: (a, b) of the hinge.
        gradient_penalty: Weight of (|grad D_I| - 1)^2 between data and samples (Gulrajani et al.
            2017, eq. 3); 0 for none. D_I then has no batch normalisation.
        gamma: Weight of the zero-centred penalties R1 and R2 (Huang et al. 2024, section 2),
            gamma / 2 * (E|grad D_I(x)|^2 + E|grad D_I(G(z))|^2); 0 for none, and as above. Their
            own, to begin with: 0.05 on CIFAR-10, 2 at 64 x 64, 150 at 256 x 256; data scaled by c
            ask for c^2 times as much. The finer the modes, the less: 0.001 on Grid, of rms 1.
        pack: How many data points, or samples, D_I judges together (Lin et al. 2018), of which a
            batch is a multiple. D_I takes them side by side in the last axis; where a score of one
            data point or sample is meant elsewhere, it is that of its pack.
        ema, seed: See `Game`.
    """

    RULES: ClassVar = {
        "critic_loss": (fields.one_of(objectives.CRITIC_LOSSES), "what D_I minimises"),
        "margins": (fields.pair, "(a, b) of the hinge"),
        "gradient_penalty": (fields.at_least_0, "weight of (|grad D_I| - 1)^2"),
        "gamma": (fields.at_least_0, "twice the weight of R1 and R2, |grad D_I|^2"),
        "pack": (fields.integer(1, 64), "data points, or samples, that D_I judges together"),
    }

    def __init__(
        self,
        networks,
        critic_loss="hinge",
        margins=(1.0, 1.0),
        gradient_penalty=0.0,
        gamma=0.0,
        pack=1,
        **kwargs,
    ):
        self.require(pack=pack)
        self.pack = pack  # by which the networks' shapes are checked
        super().__init__(networks, **kwargs)
        self.keep(critic_loss=critic_loss, margins=margins, gradient_penalty=gradient_penalty)
        self.keep(gamma=gamma, pack=pack)
        critic = self.networks.get("image_critic")
        if critic is not None and tuple(critic.output_shape[1:]) != (1,):
            raise ValueError(
                "the network 'image_critic' must put out one number a data point. "
                f"Received: {tuple(critic.output_shape[1:])}"
            )
        if gradient_penalty or gamma:
            self.require_slope()

    def image_critic_loss(self, x):
        """Algorithm 1, line 4: high on data, low on samples of the prior."""
        x, generated = self.shuffled(x), ops.stop_gradient(self.generated(x))
        real, fake = self.critic_score(x), self.critic_score(generated)
        loss, terms = self.penalty(x, generated)
        return loss + self.critic_loss_of(real, fake), {
            "real": ops.mean(real),
            "fake": ops.mean(fake),
            **terms,
        }

    def critic_loss_of(self, real, fake):
        """The critic's loss from log D_I of data and of samples."""
        return objectives.CRITIC_LOSSES[self.critic_loss].critic(real, fake, self.margins)

    def penalty(self, x, generated):
        """The weighted penalties, and each by name for the log; nothing without a weight."""
        total, terms = 0.0, {}
        if self.gradient_penalty:
            penalty = objectives.gradient_penalty(self.slope(x, generated))
            total, terms = self.gradient_penalty * penalty, {"gradient_penalty": penalty}
        if self.gamma:
            r1, r2 = (objectives.zero_centred_penalty(self.slope_at(y)) for y in (x, generated))
            total, terms = total + self.gamma / 2 * (r1 + r2), terms | {"r1": r1, "r2": r2}
        return total, terms

    def adversarial_loss(self, x, generated):
        """What G minimises in a plain GAN: -E log D_I(G(z)), or as the critic's loss has it."""
        loss = objectives.CRITIC_LOSSES[self.critic_loss]
        real = self.critic_score(self.shuffled(x)) if loss.paired else None
        return loss.generator(real, self.critic_score(generated))


@keras.saving.register_keras_serializable("bms_keras")
class GAN(StandardCriticLoss):
    """A generator against an image critic.

    SN-GAN (Miyato et al. 2018) with the hinge and a spectrally normalised critic; DCGAN (Radford et
    al. 2016) with the cross entropy, and with `pack=2` PacGAN (Lin et al. 2018); WGAN-GP (Gulrajani
    et al. 2017) with `critic_loss="wasserstein"`, `gradient_penalty=10` and `critic_turns=5`;
    R3GAN's loss (Huang et al. 2024) with `critic_loss="relativistic"` and `gamma=1`.

    Args:
        generator: G, from `(batch, latent_dim)` to data.
        image_critic: log D_I, from data to `(batch, 1)`.
        critic_loss, margins, gradient_penalty, gamma, pack, critic_turns: See `StandardCriticLoss`.
        ema, seed: See `Game`.

    Example:

    >>> model = GAN(generator, image_critic)
    >>> model.compile()
    >>> model.fit(dataset, epochs=10)
    """

    def __init__(self, generator, image_critic, **kwargs):
        super().__init__({"generator": generator, "image_critic": image_critic}, **kwargs)

    def generator_loss(self, x):
        return self.adversarial_loss(x, self.generated(x)), {}


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
