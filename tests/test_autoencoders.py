"""The pure autoencoders, WAE and BMS-VAE: their weights, their kernels, their posterior."""

import importlib

import numpy as np
import pytest
from keras import ops

from bms_keras import methods, objectives
from bms_keras.backends import standard_normal
from bms_keras.tables import jobs, registry


@pytest.mark.parametrize(
    ("name", "theirs", "weight"),
    [
        ("cifar10", (-1, 1), 10),
        ("celeba64", (-1, 1), 100),
        ("celeba128", (-1, 1), 100),
        ("folder", (-1, 1), 100),
        ("fashion_mnist", (0, 1), 10),
    ],
)
def test_autoencoders_of_images_have_the_weights_of_wae(name, theirs, weight):
    """0.05 times the mean over the batch of the sum of squares, in the authors' range of images."""
    get_config = importlib.import_module(f"configs.{name}").get_config
    wae, wae_gan, bms_vae = (get_config(each) for each in ("wae", "wae_gan", "bms_vae"))
    shape = wae.data.resolution, wae.data.resolution, wae.data.channels
    x, y = np.random.default_rng(0).uniform(-1, 1, (2, 3, *shape))
    low, high = theirs
    a, b = (low + (high - low) * (each + 1) / 2 for each in (x, y))
    expected = 0.05 * np.mean(np.sum((a - b) ** 2, axis=(1, 2, 3)))
    for objective in (wae.objective, wae_gan.objective, bms_vae.objective):
        distances = objectives.distance(x.astype("float32"), y[None], objective.norm)
        ours = objective.lambda_ * np.mean(ops.convert_to_numpy(distances))
        assert ours == pytest.approx(expected, rel=1e-5)
    assert wae.objective.divergence_weight == weight
    assert wae_gan.objective.divergence_weight == bms_vae.objective.divergence_weight == 1
    hybrid = get_config("bms_vae_gan").objective
    assert (hybrid.lambda_, hybrid.norm) == (10.0, 1)


@pytest.mark.parametrize("name", ["grid_steep", "ring_steep", "grid_faithful"])
def test_a_stride_is_for_methods_with_an_image_critic(name):
    """An autoencoder would see a part of the data only."""
    get_config = importlib.import_module(f"configs.{name}").get_config
    for method in ("wae", "wae_gan", "bms_vae"):
        assert get_config(method).objective.posterior_stride == 1
    for method in ("bms_vae_gan", "alpha_gan"):
        assert get_config(method).objective.posterior_stride > 1


@pytest.mark.parametrize("method", ["wae", "wae_gan", "bms_vae", "bms_vae_gan", "alpha_gan"])
def test_grid_faithful_has_a_quarter_of_the_weight_on_reconstructions(method):
    """Of that of grid_steep, which an autoencoder's is ten times of."""
    steep, faithful = (
        importlib.import_module(f"configs.{name}").get_config(method).objective.lambda_
        for name in ("grid_steep", "grid_faithful")
    )
    assert steep == (40.0 if methods.get(method).autoencoder else 4.0)
    assert faithful == steep / 4


def test_the_autoencoders_differ_in_what_their_rows_say():
    """On Grid as on Ring: all of the data, one lambda, T from 1 to 30, WAE in 2 and in 32."""
    for name in ("grid_steep", "ring_steep"):
        rows = [row for row in registry.TABLES[1].rows if row.config == name]
        rows = [row for row in rows if methods.get(row.method).autoencoder]
        configs = [jobs.Job("", name, row.method, row.fields, ()).full_config() for row in rows]
        assert {config.objective.posterior_stride for config in configs} == {1}
        assert {config.objective.lambda_ for config in configs} == {40.0}
        critic = [config for config in configs if config.objective.get("prior") != "mmd"]
        assert sorted(config.samples for config in critic) == [1, 2, 5, 10, 30]
        kernel = [config for config in configs if config.objective.get("prior") == "mmd"]
        assert sorted(config.networks.latent_dim for config in kernel) == [2, 32]


def test_mmd_has_the_scales_that_it_is_given(tiny_model):
    """By the definition of two kernels, C / (C + |a - b|^2) with C = 2 s L, of 24 against 24."""
    model = tiny_model(names=("recognition", "generator"), samples=1, mmd_scales=[0.02, 3])
    q, p = (np.random.default_rng(i).standard_normal((24, 4)).astype("float32") for i in range(2))
    model.prior = lambda *shape: p

    def kernel(a, b):
        squared = np.sum((a[:, None] - b[None]) ** 2, -1)
        return sum(c / (c + squared) for c in (2 * 0.02 * 4, 2 * 3 * 4))

    apart = ~np.eye(24, dtype=bool)
    expected = kernel(q, q)[apart].mean() + kernel(p, p)[apart].mean() - 2 * kernel(q, p).mean()
    np.testing.assert_allclose(model.divergence(q[None]), expected, rtol=1e-4, atol=1e-6)
    assert model.get_config()["mmd_scales"] == (0.02, 3)


def test_samples_are_of_the_posterior_that_encode_gives(tiny_model, x):
    """Bounded once: the bound of a bound is another number."""
    model = tiny_model()
    *others, bias = model.recognition.get_weights()
    bias = np.concatenate([np.zeros(4), [-40.0, -13.0, 5.0, 90.0]])
    model.recognition.set_weights([np.zeros_like(w) for w in others] + [bias])
    mean, log_variance = model.encode(x)
    np.testing.assert_allclose(log_variance[0], [-11 - 29 / 30, -11 - 2 / 3, 2.75, 2 + 88 / 89])
    noise = ops.convert_to_numpy(standard_normal((3, len(x), 4), 7))
    expected = [model.generator(mean + np.exp(log_variance / 2) * each) for each in noise]
    expected = np.stack([ops.convert_to_numpy(each) for each in expected])
    np.testing.assert_allclose(
        model.reconstructions(x, model.samples, seed=7), expected, rtol=1e-4, atol=1e-4
    )
    best = np.argmin(np.abs(expected - x).mean(-1), 0)
    best = expected[best, np.arange(len(x))]
    np.testing.assert_allclose(model.reconstruct(x, 3, seed=7), best, rtol=1e-4, atol=1e-4)
    model.prior = lambda *shape: noise
    expected = mean + np.exp(log_variance / 2) * noise
    np.testing.assert_allclose(model.posterior(x, 3), expected, rtol=1e-4, atol=1e-4)
