"""CelebA at 128 x 128 (the paper's table 7), as configs/celeba64.py but for the resolution.

    python train.py --config=configs/celeba128.py --workdir=runs/celeba128
    python eval.py --workdir=runs/celeba128 --metrics=fid,ivom,lpips

The paper has an FID (10k real, 10k generated) of 42.7 ± 1.2 for BMS-VAE-GAN at T=10 and of
45.8 ± 1.4 at T=1 after 200,000 steps, on one GPU.
"""

from bms_keras.configs import celeba64


def get_config(method="bms_vae_gan"):
    return celeba64.get_config(method, resolution=128)
