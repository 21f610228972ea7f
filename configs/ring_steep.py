"""2D Ring with a generator that can jump; see grid_steep.py, from which nothing else differs.

    python train.py --config=configs/ring_steep.py --workdir=runs/ring_steep
"""

from configs import grid_steep


def get_config(method="bms_vae_gan"):
    config = grid_steep.get_config(method)
    config.data.source = "ring"
    return config
