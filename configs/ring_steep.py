"""2D Ring with a generator that can jump; see grid_steep.py.

    python train.py --config=configs/ring_steep.py --workdir=runs/ring_steep

As there, but that the rates of all but the image critic fall to 0, and nothing is averaged: modes
on a circle turn with it, and averages of weights smear the jumps between them. The paper has
99.6 ± 0.3 % of high quality; expect 98.4 ± 1.6 (five seeds).
"""

from configs import grid_steep


def get_config(method="bms_vae_gan"):
    config = grid_steep.get_config(method, alpha=1.0)
    config.data.source = "ring"
    config.ema = 0.0
    config.optimizer.final = 0.0
    return config
