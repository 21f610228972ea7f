"""CelebA at 64 x 64 (the paper's tables 7 to 9 and figure 2), by DCGAN's networks.

    python train.py --config=configs/celeba64.py --workdir=runs/celeba64
    python eval.py --workdir=runs/celeba64 --metrics=fid,ivom,lpips --generated=10000

The paper's table 7 has an FID (10k real, 10k generated) of 14.3 ± 0.4 for BMS-VAE-GAN at T=10 and
13.6 ± 0.4 at T=30 after 200,000 steps, on one GPU.

tfds downloads CelebA from a drive with a quota that is often exhausted: any folder of the images
will do as well, `--config.data.source=img_align_celeba`.
"""

from bms_keras import networks
from bms_keras.config import as_published, default_config, wae_weights


def get_config(method="bms_vae_gan", resolution=64):
    config = default_config(method, lambda_=10.0)
    config.steps = 200_000
    config.data.source = "tfds:celeb_a"
    config.data.resolution = resolution
    config.data.channels = 3
    wae_weights(config, mmd=100.0)
    config.data.crop = 140  # of 178 x 218, as Tolstikhin et al. 2018
    config.networks = networks.defaults(
        "dcgan", latent_dim=100, width=64, latent_critic=(750, 750, 750)
    )
    config.eval_every = 5000
    config.protocol.generated = 10_000
    return as_published(config, "celeba")  # rates and margins
