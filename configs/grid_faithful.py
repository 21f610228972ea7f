"""2D Grid by the density, not by high quality alone: modes nearly as wide as the truth.

    python train.py --config=configs/grid_faithful.py --workdir=runs/grid_faithful

As grid_steep.py, but in batches of 512 and twice the steps, with a quarter of the weight on
reconstructions, rates that fall to 0, and without averages, which make modes narrower.
"""

from configs import grid_steep


def get_config(method="bms_vae_gan"):
    config = grid_steep.get_config(method, lambda_=1.0, posterior_stride=16)
    config.batch_size = 512
    config.steps = 60_000
    config.ema = 0.0
    config.optimizer.update(hold=0.2, final=0.0)
    return config
