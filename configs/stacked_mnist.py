"""Stacked MNIST by DCGAN's networks, as VEEGAN's authors have it (Srivastava et al. 2017).

    python train.py --config=configs/stacked_mnist.py:pacgan --workdir=runs/stacked \\
        --config.data.source=stacked_mnist:mnist.npz

Settings are those of the code of PacGAN's authors (fjxmlzn/PacGAN, VEEGAN_experiment): 50 epochs of
128,000 images, 64 packs a batch; there z is uniform and G takes two turns a step. A GPU is needed:
two cores take seconds a step.

Published, modes and KL in nats: DCGAN 99.0 and 3.40 (78.9 and 4.50 by PacGAN's authors), ALI 16.0
and 5.40, Unrolled GAN 48.7 and 4.32, VEEGAN 150.0 and 2.95, PacGAN 1,000 and 0.06 (Lin et al. 2018,
table 2); R3GAN's loss with a small ResNet 1,000 and 0.078, without its pairs 693 and 0.927.
"""

from bms_keras import networks
from bms_keras.configs import stacked_mnist_small


def get_config(method="bms_vae_gan"):
    config = stacked_mnist_small.get_config(method)
    config.steps = 100_000
    config.batch_size = 64 * config.objective.get("pack", 1)
    halving = (64, 128, 256, 512)
    config.networks = networks.defaults(
        "cnn",
        latent_dim=100,
        generator=halving[::-1],
        last_stride=2,
        recognition=halving,
        image_critic=halving,
        kernel=5,
        slope=0.2,
        first_norm=False,
        latent_critic=(750, 750, 750),
    )
    config.optimizer.update(learning_rate=2e-4, beta_2=0.999)
    return config
