"""Your own images at 32 x 32, on a CPU: the first picture within two minutes on two cores.

    python train.py --config=folder_small --workdir=runs/mine --config.data.source=my_images

As folder.py otherwise, with networks half as wide, and Fashion-MNIST's rates and average. Pictures
are in `samples/` from step 100 on; there is no score to expect.
"""

from bms_keras.config import wae_weights
from bms_keras.configs import fashion_mnist


def get_config(method="bms_vae_gan"):
    config = fashion_mnist.get_config(method)
    config.data.source = "my_images"
    config.data.resolution = 32
    config.data.channels = 3
    wae_weights(config)
    return config
