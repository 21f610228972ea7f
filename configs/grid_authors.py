"""2D Grid, each rival of the paper's table 1 at the settings of its own authors.

    python train.py --config=configs/grid_authors.py:gdpp_gan --workdir=runs/grid_gdpp

Beside `grid_steep.py`, where all have the same budget, this tells weak baselines from gains that
lift everything. Rates are held and nothing is averaged, unless said. What cannot be had here is in
the comments: every method draws fresh points, scaled to a root mean square of 1 (Grid by a quarter,
where the authors' networks see it whole), and z ~ N(0, I), and its players take turns. Expect of
gdpp_gan and veegan what results/README.md says; the paper's figures are in `tables/registry.py`.
"""

from bms_keras.configs import grid
from bms_keras.errors import lookup


def _rates(of_all, beta_1, beta_2):
    names = "learning_rate", "image_critic_learning_rate", "latent_critic_learning_rate"
    rates = {f"optimizer.{name}": of_all for name in names}
    return rates | {"optimizer.beta_1": beta_1, "optimizer.beta_2": beta_2}


AUTHORS = {
    # Srivastava et al. 2017, github.com/akashgit/VEEGAN, VEEGAN_2D_RING.ipynb: a critic of one
    # hidden layer, ReLU, slim's initial weights; 100 epochs of 1,000 steps.
    "veegan": {
        "batch_size": 500,
        "steps": 100_000,
        "networks.latent_dim": 254,
        "networks.image_critic": (128,),
        "networks.critic_activation": "relu",
        "networks.initializer": "glorot",
        **_rates(1e-3, 0.5, 0.999),
    },
    # Elfeki et al. 2019, github.com/M-Elfeki/GDPP, gdppgan_Synthetic.py: weight 1, tanh networks.
    "gdpp_gan": {
        "batch_size": 512,
        "steps": 25_000,
        "objective.diversity_weight": 1.0,
        "networks.latent_dim": 256,
        "networks.activation": "tanh",
        "networks.critic_activation": "tanh",
        "networks.initializer": "orthogonal",
        "networks.initializer_gain": 1.4,
        **_rates(1e-3, 0.5, 0.999),
        "optimizer.players.image_critic.learning_rate": 1e-4,
    },
    # Eghbal-zadeh et al. 2019, github.com/eghbalz/mdgan, mdgan.ipynb: 2,000 epochs of 20 batches.
    # The rates there are halved after 500, 1,000 and 1,500 epochs, here they fall linearly from the
    # first of these on; z there is uniform in [-1, 1]^2, and G ends in 6 tanh.
    "md_gan": {
        "batch_size": 500,
        "steps": 40_000,
        "networks.latent_dim": 2,
        "networks.initializer": "normal",
        "networks.initializer_gain": 0.02,
        **_rates(1e-3, 0.5, 0.999),
        "optimizer.hold": 0.25,
        "optimizer.final": 0.125,
    },
    # Miyato et al. 2018 and github.com/pfnet-research/chainer-gan-lib, which have no points: the
    # hinge, a 1-Lipschitz critic with five turns a step, and the latent of their images.
    "sn_gan": {
        "batch_size": 64,
        "steps": 100_000,
        "objective.margins": (1.0, 1.0),
        "objective.critic_turns": 5,
        "networks.latent_dim": 128,
        "networks.lipschitz": 1.0,
        "networks.input_scale": 1.0,
        **_rates(2e-4, 0.0, 0.9),
    },
    # Rosca et al. 2017 have no points. D_I sees reconstructions as there; the latent, the networks
    # and Adam are the paper's (sections 4.1 and 4.2), batch and steps those of VEEGAN, whose
    # networks the paper takes. lambda_ 2, of the mean over 2 dimensions, is 1 of the sum.
    "alpha_gan": {
        "batch_size": 500,
        "steps": 100_000,
        "objective.critic_sees_posterior": True,
        "objective.lambda_": 2.0,
        "networks.latent_dim": 32,
        **_rates(2e-4, 0.0, 0.9),
    },
}


def get_config(method="veegan"):
    config = grid.get_config(method)
    config.ema = 0.0
    config.optimizer.update(hold=1.0, final=0.0)
    config.update_from_flattened_dict(lookup(AUTHORS, method, "method of grid_authors.py"))
    return config
