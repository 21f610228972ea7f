"""2D Ring, each rival of table 1 at the settings of its own authors; see grid_authors.py.

    python train.py --config=configs/ring_authors.py:gdpp_gan --workdir=runs/ring_gdpp

The authors have the same settings for both; MD-GAN's have Grid alone.
"""

from bms_keras.configs import grid_authors


def get_config(method="veegan"):
    config = grid_authors.get_config(method)
    config.data.source = "ring"
    return config
