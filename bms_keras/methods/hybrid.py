"""The hybrid VAE-GANs: BMS-VAE-GAN and the methods that it contains as special cases."""

from typing import ClassVar

import keras
from keras import ops

from bms_keras import fields, objectives
from bms_keras.backends import call_for_two
from bms_keras.errors import one_of, require
from bms_keras.game import Player
from bms_keras.methods.autoencoding import Autoencoding
from bms_keras.methods.gan import StandardCriticLoss
from bms_keras.tiling import at_once, in_blocks, pick, tiled


@keras.saving.register_keras_serializable("bms_keras")
class BMSVAEGAN(Autoencoding, StandardCriticLoss):
    """The Best-of-Many-Samples VAE-GAN (eq. 7, algorithm 1).

    For each x, z_1..z_T are drawn from q(z|x) and x_i = G(z_i). R and G together maximise

        alpha * min_i log D_I(x_i) - lambda * min_i |x - x_i|_n - KL(q(z|x) || p(z))
        + prior_weight * E_{z~p} log D_I(G(z))

    The last term is that of alpha-GAN's step (Rosca et al. 2017), whose optimisation scheme the
    paper follows; lambda stands for the paper's beta * lambda, of which only the product matters.
    With one sample this is alpha-GAN + SN; with `critic_loss="cross_entropy"`,
    `critic_sees_posterior=True` and a critic without spectral normalisation, alpha-GAN; without an
    image critic, BMS-VAE, or WAE at T=1.

    Of Rosca's algorithm 1 this is every term: in logits l, -log D + log(1 - D) is -l, so that its
    generator minimises lambda |x - x_rec|_1 - l(x_rec) - l(x_gen), its encoder the first of these
    and minus the logit of the code discriminator. Other than there, R and G move in one turn, |.|_1
    is a mean over the dimensions, and q(z|x) is Gaussian.

    With `critic_loss="relativistic"` D_I is log D_I but for a constant. Eq. 7 stays as it is, for
    the constant changes neither which of T samples is the least realistic nor a gradient of R and
    G. With `pack` above 1 the i-th samples of neighbouring data points are judged together: the min
    over T is that of their pack, and its gradient goes to all of them.

    Args:
        recognition: R, from data to `(batch, 2 * latent_dim)`: mean and log-variance of q(z|x).
        generator: G, from `(batch, latent_dim)` to data.
        image_critic: log D_I, from data to `(batch, 1)`; `None` for no synthetic likelihood.
        latent_critic: Logit of D_L, from `(batch, latent_dim)` to `(batch, 1)`; with
            `prior="critic"` only.
        samples: T, the samples a data point.
        gradient: "selected" takes the gradient through the at most two samples that eq. 7 picks,
            "all" through all T. They are equal where the samples of a batch do not interact;
            "selected" costs T + 6 units of arithmetic instead of 3T or 4T. Batch normalisation
            in G lets them interact: each pass normalises by its own batch, the selection by all T
            samples and the gradient by the selected ones, and the moving statistics, by which
            samples are drawn outside training, average over all passes. Of more than ten images a
            data point the selection decodes some ten at a time, for the memory: it then normalises
            by these, and leaves the moving statistics alone.
        critic_to_recognition: Whether log D_I's gradient reaches R too, as eq. 7 read to the letter
            says. In alpha-GAN's algorithm, which the paper follows, it stops at z; on Grid and Ring
            that gives the better latent match and the better samples.
        critic_sees_posterior: Whether D_I's turn shows it G(z), z ~ q(z|x), as generated, too, with
            the weight of the prior's samples (Rosca et al. 2017, algorithm 1; one for each x,
            whatever T is). Algorithm 1 of the paper shows the prior's alone.
        alpha: Weight of the least realistic sample's log D_I.
        lambda_: Weight of the best sample's distance.
        prior_weight: Weight of log D_I of generated samples of the prior.
        divergence_weight: Weight of the divergence of q from p; 1 in eq. 7.
        posterior_stride: One in so many data points of a batch has posterior samples in R's and
            G's turn; the prior's samples and the critics' turns take all of the batch.
        norm: 1 or 2, the n of |x - x_i|_n.
        prior: "critic" for the latent critic's KL, "mmd" for WAE's kernel estimate.
        mmd_scales: The s of MMD's kernels; see `objectives.mmd`. For `prior="mmd"` only.
        critic_loss, margins, gradient_penalty, gamma, pack, critic_turns: What D_I minimises; see
            `StandardCriticLoss`.
        ema, seed: See `Game`.

    Raises:
        ValueError: If an argument is out of its range, or if networks and `prior` do not agree.

    Example:

    >>> model = BMSVAEGAN(recognition, generator, image_critic, latent_critic, samples=10)
    >>> model.compile()
    >>> model.fit(dataset, epochs=10)
    >>> x = model.sample(64, seed=0)

    Reference: "Best-of-Many-Samples" Distribution Matching, eq. 7 and algorithm 1.
    """

    RULES: ClassVar = {
        "critic_to_recognition": (fields.boolean, "whether log D_I's gradient reaches R too"),
        "critic_sees_posterior": (
            fields.boolean,
            "whether D_I is trained on reconstructions as on samples of the prior",
        ),
        "alpha": (fields.at_least_0, "weight of the least realistic sample's log D_I"),
        "lambda_": (fields.at_least_0, "weight of the best sample's distance"),
        "prior_weight": (fields.at_least_0, "weight of log D_I of samples of the prior"),
        "divergence_weight": (fields.at_least_0, "weight of the divergence of q from p"),
        "posterior_stride": (
            fields.integer(1),
            "one in so many data points has posterior samples in R's and G's turn",
        ),
        "norm": (fields.one_of((1, 2)), "the n of |x - x_i|_n"),
        "prior": (fields.one_of(("critic", "mmd")), "the latent critic's KL, or MMD"),
        "mmd_scales": (fields.scales, "of MMD's kernels, each of its own width"),
    }

    def __init__(
        self,
        recognition,
        generator,
        image_critic=None,
        latent_critic=None,
        samples=10,
        gradient="selected",
        critic_to_recognition=False,
        critic_sees_posterior=False,
        alpha=1.0,
        lambda_=1.0,
        prior_weight=1.0,
        divergence_weight=1.0,
        posterior_stride=1,
        norm=1,
        prior="critic",
        mmd_scales=objectives.MMD_SCALES,
        **kwargs,
    ):
        networks = {
            "recognition": recognition,
            "generator": generator,
            "image_critic": image_critic,
            "latent_critic": latent_critic,
        }
        super().__init__(networks, **kwargs)
        require(isinstance(samples, int) and samples >= 1, "samples", "at least 1", samples)
        one_of("gradient", gradient, ("selected", "all"))
        self.keep(
            critic_to_recognition=critic_to_recognition,
            critic_sees_posterior=critic_sees_posterior,
            alpha=alpha,
            lambda_=lambda_,
            prior_weight=prior_weight,
            divergence_weight=divergence_weight,
            posterior_stride=posterior_stride,
            norm=norm,
            mmd_scales=mmd_scales,
        )
        self.require(prior=prior)
        if (prior == "critic") != (latent_critic is not None):
            raise ValueError(
                "A latent critic is needed with prior='critic', and with nothing else. "
                f"Received: prior={prior!r}, latent_critic={latent_critic}"
            )
        self.samples = samples
        self.gradient = gradient
        self.prior_term = prior

    @property
    def batch_multiple(self):
        return self.pack * self.posterior_stride if self.pack > 1 else 1

    def players(self):
        """The turns of algorithm 1: R and G, then D_I, then D_L."""
        players = [Player("generator", (self.recognition, self.generator), self.generator_loss)]
        if self.image_critic is not None:
            players += self.image_critic_turns()
        if self.latent_critic is not None:
            players.append(Player("latent_critic", (self.latent_critic,), self.latent_critic_loss))
        return players

    def generator_loss(self, x):
        """Minus eq. 7, plus alpha-GAN's term on the prior's samples."""
        batch = self.shuffled(x)
        x = batch[:: self.posterior_stride]
        z = self.posterior(x, self.samples)
        divergence = self.divergence(z)
        z_best, z_worst = self.selected(x, z)
        x_best, x_worst = self.decoded(z_best, z_worst)
        best = ops.mean(ops.min(objectives.distance(x, x_best, self.norm), axis=0))
        loss = self.lambda_ * best + self.divergence_weight * divergence
        terms = {"reconstruction": best, "divergence": divergence}
        if self.image_critic is not None:
            least_realistic = ops.mean(ops.min(tiled(self.critic_score, x_worst), axis=0))
            prior = ops.mean(self.critic_score(self.generated(batch)))
            loss = loss - self.alpha * least_realistic - self.prior_weight * prior
            terms |= {"least_realistic": least_realistic, "prior": prior}
        return loss, terms

    def image_critic_loss(self, x):
        """Algorithm 1, line 4, and alpha-GAN's term on reconstructions if D_I sees them."""
        loss, terms = super().image_critic_loss(x)
        if not self.critic_sees_posterior:
            return loss, terms
        x = self.shuffled(x)
        x_i = tiled(self.decode, self.posterior(x, samples=1))
        reconstructed = self.critic_score(ops.stop_gradient(x_i)[0])
        of_kind = objectives.CRITIC_LOSSES[self.critic_loss]
        real = self.critic_score(x) if of_kind.paired else terms["real"]
        loss = loss + of_kind.further(real, reconstructed, self.margins)
        if self.gamma:  # R2 wherever D_I sees samples
            r2 = objectives.zero_centred_penalty(self.slope_at(ops.stop_gradient(x_i)[0]))
            loss = loss + self.gamma / 2 * r2
        return loss, terms | {"reconstructed": ops.mean(reconstructed)}

    def latent_critic_loss(self, x):
        """Algorithm 1, line 5: the prior is 1, the posterior 0."""
        q = tiled(self.latent_logit, self.posterior(x, samples=1))
        p = self.latent_logit(self.prior(ops.shape(x)[0]))
        return objectives.cross_entropy(p, q), {"prior": ops.mean(p), "posterior": ops.mean(q)}

    # The pieces that the losses are made of. T samples a data point have shape (T, B, ...).

    def selected(self, x, z):
        """Of T latents, those that the gradient goes through.

        Args:
            x: Data `(B, ...)`.
            z: Latents `(T, B, latent_dim)`.

        Returns:
            The latents among which the best reconstruction and the least realistic sample are
            found: all T twice, or the one of each data point that eq. 7 picks, `(1, B, ...)`.
        """
        best = worst = z
        if self.gradient == "selected" and self.samples > 1:
            distance, *score = in_blocks(
                lambda z: self.judged(x, z),
                ops.stop_gradient(z),
                at_once(self.samples, self.data_shape),
                self.networks.values(),
                outputs=1 if self.image_critic is None else 2,
            )
            best = pick(z, ops.argmin(distance, axis=0))
            if score:
                worst = pick(z, ops.repeat(ops.argmin(*score, axis=0), self.pack))
        return best, worst

    def judged(self, x, z):
        """What eq. 7 picks by: the distance of G(z) from x, and log D_I where there is one."""
        x_i = tiled(self.decode, z)
        distance = objectives.distance(x, x_i, self.norm)
        if self.image_critic is None:
            return (distance,)
        return distance, tiled(self.critic_score, x_i)

    def decoded(self, z_best, z_worst):
        """G of the selected latents; the second's gradient stops at z, or reaches R, too.

        Where both are the same latents, G decodes them once.
        """
        once = z_worst is z_best or self.image_critic is None
        if once and self.image_critic is not None and not self.critic_to_recognition:
            return tiled(lambda z: call_for_two(self.generator, z), z_best)
        x_best = tiled(self.decode, z_best)
        if once:
            return x_best, x_best
        z_worst = z_worst if self.critic_to_recognition else ops.stop_gradient(z_worst)
        return x_best, tiled(self.decode, z_worst)

    def divergence(self, z):
        """How far q(z|x) is from p(z), by the latent critic or by MMD, over all T samples."""
        if self.prior_term == "critic":
            return objectives.kl_estimate(tiled(self.latent_logit, z))
        q = ops.reshape(z, (-1, self.latent_dim))
        return objectives.mmd(q, self.prior(ops.shape(q)[0]), self.mmd_scales)

    def latent_logit(self, z):
        """The logit of D_L of a batch, `(B,)`: an estimate of log p(z) / q(z)."""
        return objectives.log_ratio(self.latent_critic(z, training=True))

    def get_config(self):
        own = {"samples": self.samples, "gradient": self.gradient, "prior": self.prior_term}
        return {**super().get_config(), **own}
