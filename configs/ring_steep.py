"""2D Ring with a generator that can jump; see grid_steep.py.

    python train.py --config=configs/ring_steep.py --workdir=runs/ring_steep

As there, but for more weight on the least realistic sample, and gains of at most 200: eight modes
need fewer jumps than 25, so each may be wider, and is then the easier to move to where it belongs.
The paper has 99.6 ± 0.3 % of high quality; expect 99.74 ± 0.13 (five seeds on JAX).
"""

from bms_keras.configs import grid_steep


def get_config(method="bms_vae_gan"):
    config = grid_steep.get_config(method, alpha=1.0)
    config.data.source = "ring"
    config.networks.max_gain = 200.0
    return config
