"""Your own images: every PNG, JPEG and WebP of a folder and of the folders in it.

    python train.py --config=configs/folder.py --workdir=runs/mine \\
        --config.data.source=my_images --config.data.resolution=64
    python eval.py --workdir=runs/mine

The centre of each image is cropped to a square and resized; a tenth of the images is held out for
the metrics. Resolutions: 28, 32, 64, 128, or another 4 to 7 times a power of two. Grey images:
`--config.data.channels=1`. There is no score to expect; for 64 x 64 count on the time of CelebA.
"""

from bms_keras.configs import celeba64


def get_config(method="bms_vae_gan"):
    config = celeba64.get_config(method)
    config.data.source = "my_images"
    config.data.crop = 0
    return config
