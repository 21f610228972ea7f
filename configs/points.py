"""Your own 2D points, from an `.npz` with `x_train` (n, 2) and, if you like, `x_test`.

    python train.py --config=points --workdir=runs/mine --config.data.source=my_points.npz

As grid.py otherwise; points are brought to its scale, and samples back. A tenth is held out, of
which the metric `points` measures the distance; there is no score to expect. Five to eight minutes
on two cores.
"""

from bms_keras.configs import grid


def get_config(method="bms_vae_gan"):
    config = grid.get_config(method)
    config.data.source = "my_points.npz"
    config.eval_metrics = ("points",)
    return config
