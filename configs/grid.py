"""2D Grid (the paper's table 1): 25 modes at {-4, -2, 0, 2, 4}^2 of standard deviation 0.05.

    python train.py --config=configs/grid.py --workdir=runs/grid

The paper has 25 modes and 99.7 ± 0.2 % of high quality for BMS-VAE-GAN, T=10; expect 25 and
97.6 ± 1.7 % (five seeds) after 4 to 6 minutes on two cores.

G and R have the sizes of Srivastava et al. 2017, whose critic has one hidden layer, D_I two; D_L,
which VEEGAN has not, is as wide. The rates, the critic's Lipschitz constant and the weights were
found on other seeds; see results/trials.md.
"""

from bms_keras import methods, networks
from bms_keras.config import default_config


def get_config(method="bms_vae_gan", **objective):
    # lambda_ is of the mean over 2 dimensions: 2 of the sum; of autoencoders: results/trials.md
    lambda_ = 40.0 if methods.get(method).autoencoder else 4.0
    config = default_config(method, **{"lambda_": lambda_, **objective})
    config.steps = 60_000
    config.batch_size = 128
    config.ema = 0.999
    config.data.source = "grid"
    config.networks = networks.defaults(
        "mlp",
        latent_dim=32,
        recognition=(128, 128),
        generator=(128, 128),
        image_critic=(128, 128),
        latent_critic=(128, 128),
        lipschitz=300.0,
        input_scale=4.0,
    )
    config.optimizer.update(
        learning_rate=3e-3,
        image_critic_learning_rate=1e-3,
        latent_critic_learning_rate=3e-3,
        beta_1=0.5,
        hold=0.6,
        final=0.1,  # at 0 it would lose one to two points of high quality
    )
    config.checkpoint_every = 1000
    config.eval_every = 5000
    config.eval_metrics = ("modes",)
    config.steps_per_execution = 100
    config.jit_compile = "on"
    return config
