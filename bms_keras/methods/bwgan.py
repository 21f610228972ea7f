"""BW-GAN: Wasserstein GAN in a Banach space (Adler & Lunz 2018, https://arxiv.org/abs/1806.06621).

As the authors' code (github.com/adler-j/bwgan) where the paper is silent.
"""

from typing import ClassVar

import keras
from keras import ops

from bms_keras import fields, objectives
from bms_keras.errors import require
from bms_keras.methods.gan import Adversarial


@keras.saving.register_keras_serializable("bms_keras")
class BWGAN(Adversarial):
    """WGAN-GP whose penalty is in the dual of the Sobolev space B = W^{s,2} of images.

        D minimises (E D(G(z)) - E D(x)) / gamma
            + lambda E(|grad D|_B* / gamma - 1)^2 + eps E D(x)^2

    with lambda = E|x|_B and gamma = E|x|_B* of the batch (section 3.3), eps = 1e-5.

    Args:
        generator, image_critic: See `GAN`. Images only: there is no frequency in a 2D point.
        sobolev: s; 0 is L2, the paper's best on CIFAR-10 is -1.5.
        critic_turns: D's turns a step.
        ema, seed: See `Game`.
    """

    RULES: ClassVar = {
        "sobolev": (
            fields.number(lambda value: -10 <= value <= 10, "in [-10, 10]"),
            "s, the order of the Sobolev space",
        )
    }

    def __init__(self, generator, image_critic, sobolev=-1.5, critic_turns=5, **kwargs):
        networks = {"generator": generator, "image_critic": image_critic}
        super().__init__(networks, critic_turns=critic_turns, **kwargs)
        require(len(self.data_shape) == 3, "data", "images", self.data_shape)
        self.keep(sobolev=sobolev)
        self.require_slope()

    def image_critic_loss(self, x):
        generated = ops.stop_gradient(self.generated(x))
        real, fake = self.critic_score(x), self.critic_score(generated)
        weight = ops.mean(objectives.sobolev_norm(x, self.sobolev))  # lambda
        scale = ops.mean(objectives.sobolev_norm(x, -self.sobolev))  # gamma
        slope = objectives.sobolev_norm(self.slope(x, generated), -self.sobolev)
        penalty = ops.mean(ops.square(slope / scale - 1))
        loss = objectives.wasserstein(real, fake) / scale + weight * penalty
        loss = loss + 1e-5 * ops.mean(ops.square(real))
        return loss, {"real": ops.mean(real), "fake": ops.mean(fake), "gradient_penalty": penalty}

    def generator_loss(self, x):
        scale = ops.mean(objectives.sobolev_norm(x, -self.sobolev))
        return -ops.mean(self.critic_score(self.generated(x))) / scale, {}
