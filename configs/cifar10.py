"""CIFAR-10 (the paper's tables 4, 6 and 9), by the standard CNN or DCGAN's networks.

    python train.py --config=configs/cifar10.py --workdir=runs/cifar10
    python train.py --config=configs/cifar10.py:alpha_gan_sn --workdir=runs/cifar10_alpha
    python train.py --config=configs/cifar10.py --workdir=runs/cifar10_dcgan \\
        --config.networks.family=dcgan
    python eval.py --workdir=runs/cifar10 --metrics=fid,ivom,lpips

The paper's table 6 has an FID (10k real, 5k generated) of 23.8 ± 0.2 for BMS-VAE-GAN at T=10 and
23.4 ± 0.2 at T=30 after 100,000 steps of the standard CNN, and 28.8 ± 0.4 by DCGAN's networks.
A GPU (H100) makes 180 steps a second of it, `results/gpu.md`:

    KERAS_BACKEND=jax python train.py --config=configs/cifar10.py --workdir=runs/cifar10 \\
        --config.precision=bfloat16 --config.jit_compile=on
    KERAS_BACKEND=jax python eval.py --workdir=runs/cifar10 --metrics=fid,ivom,lpips

Two CPU cores take 0.47 s for a step of 8 images at T=10 (`benchmarks/pipeline.py`), so some 4 s for
one of 64, and days for all of them.

`tfds` brings the data; `--config.data.source=cifar10.npz` reads x_train and x_test from a file.
"""

from bms_keras import networks
from bms_keras.config import as_published, default_config, wae_weights


def get_config(method="bms_vae_gan"):
    # lambda_ is the paper's beta * lambda, of the mean over 3,072 dimensions.
    config = default_config(method, lambda_=10.0)
    config.data.source = "tfds:cifar10"
    config.data.resolution = 32
    config.data.channels = 3
    wae_weights(config)
    config.networks = networks.defaults(
        "standard_cnn", latent_dim=100, width=64, latent_critic=(750, 750, 750)
    )
    config.eval_every = 5000
    return as_published(config, "cifar10")  # rates and margins
