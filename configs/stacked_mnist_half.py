"""Stacked MNIST by the small networks, D_I with half of G's channels: see stacked_mnist_small.py.

    python train.py --config=configs/stacked_mnist_half.py:pacgan --workdir=runs/stacked_half \\
        --config.data.source=stacked_mnist:mnist.npz

Published, modes and KL in nats: DCGAN 628.0 and 2.58 (487.7 and 2.24 by PacGAN's authors), Unrolled
GAN (10 steps) 817.4 and 1.43, PacGAN by 2, 3 and 4 840.7 and 1.00, 866.6 and 0.90, 820.2 and 1.15
(Lin et al. 2018, table 3).
"""

from bms_keras.configs import stacked_mnist_small


def get_config(method="bms_vae_gan"):
    config = stacked_mnist_small.get_config(method)
    config.networks.image_critic = (4, 8, 16)
    return config
