"""2D Ring for its density: see grid_density.py.

    python train.py --config=ring_density --workdir=runs/ring_density
    python eval.py --workdir=runs/ring_density --metrics=modes --mode_samples=100000 \\
        --sampler=likelihood+rejection --sampler_points=40000
"""

from bms_keras.configs import grid_density


def get_config(method="bms_vae_gan", **objective):
    config = grid_density.get_config(method, **objective)
    config.data.source = "ring"
    config.networks.max_gain = 200.0
    return config
