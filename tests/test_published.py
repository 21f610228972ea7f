"""The settings that each config of images gives to each method."""

import importlib

import pytest

from bms_keras import methods
from bms_keras.runs.config import complete

pytestmark = pytest.mark.neutral

# Rates of R and G, of D_I, of D_L; beta_1, beta_2; margins where there are any.
CIFAR10 = {
    "bms_vae_gan": (2e-4, 2e-4, 2e-4, 0.0, 0.9, (2.0, 0.0)),
    "alpha_gan_sn": (2e-4, 2e-4, 2e-4, 0.0, 0.9, (2.0, 0.0)),
    "alpha_gan_gp": (2e-4, 2e-4, 2e-4, 0.0, 0.9, (2.0, 0.0)),
    "bms_vae": (1e-3, 1e-3, 5e-4, 0.5, 0.999, None),
    "wae": (1e-3, 1e-3, 5e-4, 0.5, 0.999, None),
    "wae_gan": (1e-3, 1e-3, 5e-4, 0.5, 0.999, None),
    "dcgan": (2e-4, 2e-4, 2e-4, 0.5, 0.999, None),
    "sn_gan": (2e-4, 2e-4, 2e-4, 0.5, 0.999, (1.0, 1.0)),
    "wgan_gp": (1e-4, 1e-4, 1e-4, 0.5, 0.9, None),
    "bw_gan": (2e-4, 2e-4, 2e-4, 0.0, 0.9, None),
    "began": (1e-4, 1e-4, 1e-4, 0.5, 0.999, None),
    "dist_gan": (2e-4, 2e-4, 2e-4, 0.5, 0.9, None),
    "gdpp_gan": (2e-4, 2e-4, 2e-4, 0.5, 0.999, None),
    "pacgan": (2e-4, 2e-4, 2e-4, 0.5, 0.999, None),
    "r3gan": (2e-4, 2e-4, 2e-4, 0.0, 0.9, None),
}
CELEBA = CIFAR10 | {
    "bms_vae_gan": (1e-4, 4e-4, 4e-4, 0.0, 0.9, (0.5, 0.5)),
    "alpha_gan_sn": (1e-4, 4e-4, 4e-4, 0.0, 0.9, (0.5, 0.5)),
    "alpha_gan_gp": (1e-4, 4e-4, 4e-4, 0.0, 0.9, (0.5, 0.5)),
    "bms_vae": (3e-4, 3e-4, 1e-3, 0.5, 0.999, None),
    "wae_gan": (3e-4, 3e-4, 1e-3, 0.5, 0.999, None),
    "wgan_gp": (1e-4, 1e-4, 1e-4, 0.0, 0.9, None),
}
TABLES = {"cifar10": CIFAR10, "celeba64": CELEBA, "celeba128": CELEBA, "folder": CELEBA}
# What the registry has, config or none: how D_I is normalised, its outputs, the terms' weights.
REGISTRY = {
    "bms_vae_gan": ("spectral", 1, {"critic_loss": "hinge", "alpha": 1.0, "prior_weight": 1.0}),
    "alpha_gan_sn": ("spectral", 1, {"critic_loss": "hinge", "critic_sees_posterior": False}),
    "alpha_gan_gp": ("none", 1, {"critic_loss": "hinge", "gradient_penalty": 10.0}),
    "alpha_gan": ("batch", 1, {"critic_loss": "cross_entropy", "critic_sees_posterior": True}),
    "wae": ("spectral", 1, {"prior": "mmd", "divergence_weight": 10.0}),
    "dcgan": ("batch", 1, {"critic_loss": "cross_entropy", "pack": 1}),
    "pacgan": ("batch", 1, {"critic_loss": "cross_entropy", "pack": 2}),
    "r3gan": ("none", 1, {"critic_loss": "relativistic", "critic_turns": 1}),
    "sn_gan": ("spectral", 1, {"critic_loss": "hinge", "critic_turns": 1}),
    "wgan_gp": (
        "none",
        1,
        {"critic_loss": "wasserstein", "gradient_penalty": 10.0, "critic_turns": 5},
    ),
    "bw_gan": ("none", 1, {"sobolev": -1.5, "critic_turns": 5}),
    "began": ("none", 1, {"gamma": 0.5, "lambda_k": 0.001}),
    "dist_gan": (
        "none",
        1,
        {"lambda_r": 1.0, "reconstruction_weight": 0.05, "gradient_penalty": 1.0},
    ),
    "veegan": ("none", 1, {"latent_weight": 1.0}),
    "md_gan": ("none", 9, {"variance": 0.25}),
    "gdpp_gan": ("none", 1, {"diversity_weight": 1.0}),
}
ROWS = [(name, method) for name, table in TABLES.items() for method in table]


def config_of(name, method):
    return importlib.import_module(f"configs.{name}").get_config(method)


@pytest.mark.parametrize(("name", "method"), ROWS)
def test_rates_and_margins(name, method):
    config = config_of(name, method)
    adam = config.optimizer
    assert (
        adam.learning_rate,
        adam.image_critic_learning_rate,
        adam.latent_critic_learning_rate,
        adam.beta_1,
        adam.beta_2,
        config.objective.get("margins"),
    ) == TABLES[name][method]
    falling = (adam.hold, adam.final, adam.image_critic_final, config.ema)
    assert falling == ((0.0, 0.0, 0.0, 0.99) if method == "bw_gan" else (1.0, 0.0, 0.0, 0.0))


@pytest.mark.parametrize("name", REGISTRY)
def test_what_the_registry_says_of_a_method(name):
    method = methods.get(name)
    normalization, outputs, objective = REGISTRY[name]
    assert (method.normalization, method.outputs) == (normalization, outputs)
    assert {key: method.objective[key] for key in objective} == objective


def test_dist_gan_has_the_hinge_on_cifar10_and_log_on_celeba():
    found = {
        name: config_of(name, "dist_gan").objective for name in ("cifar10", "celeba64", "grid")
    }
    assert {name: (o.critic_loss, o.distances) for name, o in found.items()} == {
        "cifar10": ("hinge", "features"),
        "celeba64": ("cross_entropy", "features"),
        "grid": ("cross_entropy", "data"),
    }


def test_the_penalties_of_r3gan_are_those_of_its_authors_where_they_have_any():
    names = ("cifar10", "celeba64", "fashion_mnist", "stacked_mnist")
    gammas = [config_of(name, "r3gan").objective.gamma for name in names]
    assert gammas == [0.05, 2.0, 1.0, 1.0]
    assert config_of("stacked_mnist_small", "bms_vae_gan").objective.gamma == 0


def test_the_protocols_of_stacked_mnist_have_one_set_of_rates_for_all():
    for name, rates in (
        ("stacked_mnist_small", (1e-4, 2e-4, 2e-4, 0.5, 0.99)),
        ("stacked_mnist", (2e-4, 2e-4, 2e-4, 0.5, 0.999)),
    ):
        for method in ("dcgan", "sn_gan", "r3gan", "veegan", "alpha_gan", "bms_vae_gan"):
            adam = complete(config_of(name, method)).optimizer
            found = [adam[f"{player}learning_rate"] for player in ("", "image_critic_")]
            found += [adam.latent_critic_learning_rate, adam.beta_1, adam.beta_2]
            assert tuple(found) == rates


def test_fashion_mnist_keeps_its_own_rates_for_the_papers_methods():
    own, rival = (config_of("fashion_mnist", name) for name in ("bms_vae_gan", "wgan_gp"))
    assert (own.optimizer.learning_rate, own.optimizer.beta_1, own.ema) == (5e-4, 0.5, 0.99)
    assert own.objective.margins == (1.0, 1.0)
    assert (rival.optimizer.learning_rate, rival.optimizer.image_critic_learning_rate) == (
        1e-4,
    ) * 2


def test_points_have_one_budget_and_the_same_rates_for_all():
    for name in ("grid", "ring", "grid_steep"):
        configs = [config_of(name, method) for method in methods.METHODS]
        for each in configs:  # no player has a rate of its own
            players = each.optimizer.players.to_dict().values()
            assert {value for player in players for value in player.values()} == {-1.0}
            del each.optimizer.players
        assert len({(c.optimizer.to_json(), c.ema, c.steps, c.batch_size) for c in configs}) == 1


def test_every_setting_is_a_field():
    """A misspelt one would be a field of its own, which no config may have."""
    for method in methods.METHODS:
        for name in TABLES:
            complete(config_of(name, method))
