"""2D Ring (the paper's table 1): 8 modes on a circle of radius 1 of standard deviation 0.01.

    python train.py --config=configs/ring.py --workdir=runs/ring

The paper has 8 modes and 99.6 ± 0.3 % of high quality for BMS-VAE-GAN, T=10; expect 8 and
97.9 ± 0.6 % (five seeds) after 5 minutes on two cores. As Grid but for schedule and averages.
"""

from bms_keras.configs import grid


def get_config(method="bms_vae_gan"):
    config = grid.get_config(method)
    config.data.source = "ring"
    config.ema = 0.0
    config.optimizer.update(hold=0.2, final=0.0)
    return config
