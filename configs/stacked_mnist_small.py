"""Stacked MNIST, 1,000 modes, by the small networks of Unrolled GAN (Metz et al. 2017).

    python -m bms_keras.metrics.stacked_mnist --data=mnist.npz
    python train.py --config=configs/stacked_mnist_small.py --workdir=runs/stacked_small \\
        --config.data.source=stacked_mnist:mnist.npz
    python -m bms_keras.tables --table=stacked --only=stacked_mnist_small --seeds=3 \\
        --data=stacked_mnist:mnist.npz --workdir=runs/stacked

`mnist.npz` holds x_train, y_train, x_test and y_test. G has 64 to 8 channels and D_I a quarter of
them; `stacked_mnist_half.py` has the half. Networks, rates and z are those of the
code of PacGAN's authors, who take 500,000 steps where their paper has 50,000; R and D_L are ours.
A batch is 128 packs, as theirs: with another `objective.pack`, set `batch_size` to 128 times that.

Published, modes and KL in nats: with a quarter DCGAN 30.6 and 5.99 (78.5 and 5.21 by PacGAN's
authors), Unrolled GAN (10 steps) 327.2 and 4.66, PacGAN by 2 and by 4 484.5 and 2.61, 667.4 and
1.81 (Lin et al. 2018, table 3).
"""

from bms_keras import networks
from bms_keras.config import as_published, default_config


def get_config(method="bms_vae_gan"):
    config = default_config(method, lambda_=10.0)
    config.steps = 50_000
    config.batch_size = 128 * config.objective.get("pack", 1)  # theirs counts packs
    config.data.source = "stacked_mnist:mnist.npz"
    config.data.resolution = 28
    config.data.channels = 3
    config.networks = networks.defaults("cnn", latent_dim=256)
    as_published(config)  # but for one set of rates for all
    config.optimizer.update(
        learning_rate=1e-4,
        image_critic_learning_rate=2e-4,
        latent_critic_learning_rate=2e-4,
        beta_1=0.5,
        beta_2=0.99,
    )
    config.checkpoint_every = 5000
    config.eval_every = 10_000
    config.eval_metrics = ("stacked_mnist",)
    return config
