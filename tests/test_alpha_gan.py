"""alpha-GAN is algorithm 1 of Rosca et al. 2017 (https://arxiv.org/abs/1706.04987)."""

import numpy as np
import pytest
from helpers import NumpyLosses, config

from bms_keras import methods
from bms_keras.methods import METHODS
from bms_keras.runs import experiment
from bms_keras.runs.config import changes, complete, differences


def softplus(x):
    return np.log1p(np.exp(x))


ROSCA = {  # what D_I's loss has of a generated image, by its logit and those of data
    "cross_entropy": lambda real, logit: softplus(logit),  # -log(1 - D)
    "hinge": lambda real, logit: np.maximum(0, 0.5 + logit),
    "wasserstein": lambda real, logit: logit - real,
}


@pytest.mark.parametrize("critic_loss", ROSCA)
@pytest.mark.parametrize("samples", [1, 3])
def test_the_image_critic_sees_reconstructions(
    tiny_model, x, noise, monkeypatch, critic_loss, samples
):
    """As generated, with the weight of the prior's samples (Rosca et al. 2017, algorithm 1)."""
    options = {"critic_loss": critic_loss, "margins": (2.0, 0.5), "samples": samples}
    plain, model = (
        tiny_model(normalization="none", critic_sees_posterior=sees, **options)
        for sees in (False, True)
    )
    for each in (plain, model):
        monkeypatch.setattr(each, "prior", noise)
    expected = NumpyLosses(model, noise)
    (z,) = expected.posterior(x, 1)
    real = expected.critic("image_critic", x)
    logit = expected.critic("image_critic", expected.network("generator", z))
    (without, _), (loss, terms) = plain.image_critic_loss(x), model.image_critic_loss(x)
    added = ROSCA[critic_loss](real, logit).mean()
    np.testing.assert_allclose(loss - without, added, rtol=1e-3)
    np.testing.assert_allclose(terms["reconstructed"], logit.mean(), rtol=1e-3)
    np.testing.assert_allclose(plain.generator_loss(x)[0], model.generator_loss(x)[0], rtol=1e-5)


@pytest.mark.parametrize("sees", [False, True])
def test_a_wasserstein_critic_gains_nothing_by_a_constant(tiny_model, x, value_and_gradients, sees):
    """Of two kinds of generated data against the data once, it would fall for ever."""
    options = {"critic_loss": "wasserstein", "critic_sees_posterior": sees}
    model = tiny_model(normalization="none", **options)
    *_, kernel, bias = model.image_critic.trainable_variables
    loss = lambda: model.image_critic_loss(x)[0]  # noqa: E731
    _, (slope, constant) = value_and_gradients(loss, [kernel, bias])
    assert np.abs(slope).max() > 1e-3
    np.testing.assert_allclose(constant, 0, atol=1e-6)


def test_alpha_gan_is_algorithm_1_of_rosca(tiny_networks, x, noise, monkeypatch):
    """Each network's loss there in probabilities; |.|_1 is a mean over the two dimensions."""
    alpha = methods.get("alpha_gan")
    networks = tiny_networks(alpha.networks, alpha.normalization)
    model = alpha.game(**networks, samples=1, seed=0, **alpha.objective | {"lambda_": 1.9})
    monkeypatch.setattr(model, "prior", noise)
    expected = NumpyLosses(model, noise)
    sigmoid = lambda logit: 1 / (1 + np.exp(-logit))  # noqa: E731
    (z,) = expected.posterior(x, 1)
    x_rec, x_gen = expected.network("generator", z), expected.generated(x)
    real, rec, gen = (sigmoid(expected.critic("image_critic", y)) for y in (x, x_rec, x_gen))
    c_prior, c = (sigmoid(expected.critic("latent_critic", each)) for each in (noise(len(x)), z))
    discriminator = -np.log(real) - np.log(1 - rec) - np.log(1 - gen)
    code_discriminator = -np.log(c_prior) - np.log(1 - c)
    reconstruction = 1.9 * np.abs(x - x_rec).mean(-1)
    generator = reconstruction - np.log(rec) + np.log(1 - rec) - np.log(gen) + np.log(1 - gen)
    encoder_alone = -np.log(c) + np.log(1 - c)
    found = {player.name: player.loss(x)[0] for player in model.players()}
    for name, loss in (
        ("image_critic", discriminator),
        ("latent_critic", code_discriminator),
        ("generator", generator + encoder_alone),
    ):
        np.testing.assert_allclose(found[name], loss.mean(), rtol=1e-3)


def test_a_run_of_before_goes_on_without_reconstructions():
    """Its config lacks the field; a new one has it, and the refusal names what would go on."""
    old, new = config("alpha_gan").to_dict(), config("alpha_gan").to_dict()
    assert new["objective"]["critic_sees_posterior"] is True
    del old["objective"]["critic_sees_posterior"]
    assert complete(old).objective.critic_sees_posterior is False
    assert experiment.build(complete(old)).model.critic_sees_posterior is False
    name = "objective.critic_sees_posterior"
    assert changes(old, new) == {name: (False, True)}
    assert differences(old, new) == [f"{name}: False there, True now"]
    new["objective"]["critic_sees_posterior"] = False
    assert not changes(old, new)


def test_no_other_method_shows_its_critic_reconstructions():
    shown = [n for n, method in METHODS.items() if method.objective.get("critic_sees_posterior")]
    assert shown == ["alpha_gan"]
