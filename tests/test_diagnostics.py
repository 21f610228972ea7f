"""What is watched is right, by independent computations, and watching changes nothing."""

import keras
import numpy as np
import pytest
from helpers import EAGERLY, config, image_config
from keras import ops

from bms_keras import SpectralNormalization
from bms_keras.backends import standard_normal
from bms_keras.monitoring import diagnostics
from bms_keras.runs import experiment

SAMPLES = 5


@pytest.fixture(scope="module")
def built():
    built = experiment.build(config(batch_size=64, samples=SAMPLES, ema=0.9))
    built.model.run_eagerly = EAGERLY
    built.model.fit(built.data.batches(0, 3), steps_per_epoch=3, verbose=0)
    return built


@pytest.fixture(scope="module")
def of_images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("noise")
    return experiment.build(image_config(folder, samples=3, precision="float16"))


def layers(network):
    return [layer for layer in network.layers if isinstance(layer, SpectralNormalization)]


def test_watching_changes_nothing(of_images, same):
    """Nor does it draw from the noise of training."""
    model, data = of_images.model, of_images.data
    variables = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
    before = [variable.numpy() for variable in variables]
    assert any(variable is model.seed_generator.state for variable in variables)
    diagnostics.learning_rates(model)
    assert len(diagnostics.sigmas(model)) == len(layers(model.image_critic)) > 1
    scores, shares = diagnostics.selection(model, data.points(8))
    assert (len(scores), len(shares)) == (3, 2)
    diagnostics.latents(model, data)
    assert same(variables, before)


def test_sigma_is_the_largest_singular_value(built, of_images, converge):
    for model in (built.model, of_images.model):
        converge(model.image_critic)
        found = diagnostics.sigmas(model)
        normalised = layers(model.image_critic)
        for (tag, sigma), layer in zip(found.items(), normalised, strict=True):
            kernel = layer.layer.kernel.numpy()
            kernel = kernel.reshape(-1, kernel.shape[-1])
            np.testing.assert_allclose(sigma, np.linalg.svd(kernel)[1][0], rtol=1e-4)
            assert tag.startswith("sigma/image_critic/")
    assert list(diagnostics.sigmas(built.model)) == [
        "sigma/image_critic/1_dense",
        "sigma/image_critic/2_dense",
    ]
    assert "sigma/image_critic/1_conv2d" in diagnostics.sigmas(of_images.model)


def test_rates_follow_their_schedules():
    """1e-3 for half of the 10 steps, then linearly to nothing: at step 8, two fifths."""
    fields = {"steps": 10, "optimizer.hold": 0.5, "optimizer.learning_rate": 1e-3}
    fields |= {"optimizer.image_critic_learning_rate": 5e-3, "batch_size": 8}
    built = experiment.build(config(**fields))
    built.model.run_eagerly = EAGERLY
    for start, stop, share in ((0, 5, 1.0), (5, 8, 0.4), (8, 10, 0.0)):
        batches = built.data.batches(start, stop)
        built.model.fit(batches, steps_per_epoch=stop - start, verbose=0)
        rates = diagnostics.learning_rates(built.model)
        expected = {"generator": 1e-3, "image_critic": 5e-3, "latent_critic": 2e-4}
        assert set(rates) == {f"learning_rate/{player}" for player in expected}
        for player, rate in expected.items():
            np.testing.assert_allclose(rates[f"learning_rate/{player}"], share * rate, atol=1e-9)


def test_loss_scales_are_watched_in_half_precision(of_images):
    rates = diagnostics.learning_rates(of_images.model)
    np.testing.assert_allclose(rates["learning_rate/generator"], 2e-4, rtol=1e-6)
    initial = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD()).initial_scale
    assert rates["loss_scale/generator"] == initial


def test_the_selection_by_hand(built):
    model, x = built.model, built.data.points(40)
    scores, shares = diagnostics.selection(model, x, seed=3)
    parameters = ops.convert_to_numpy(model.averages["recognition"](x))
    mean, log_variance = np.split(parameters, 2, axis=-1)
    noise = ops.convert_to_numpy(standard_normal((SAMPLES, 40, model.latent_dim), 3))
    distances, judged = [], []
    for each in noise:
        x_i = model.averages["generator"](mean + np.exp(log_variance / 2) * each)
        distances.append(np.abs(x - ops.convert_to_numpy(x_i)).mean(1))
        judged.append(ops.convert_to_numpy(model.image_critic(x_i))[:, 0])
    for name, index in (
        ("best", np.argmin(distances, 0)),
        ("least_realistic", np.argmin(judged, 0)),
    ):
        expected = [np.mean(index == i) for i in range(SAMPLES)]
        np.testing.assert_allclose(shares[f"selected/{name}"], expected, atol=1 / 40 + 1e-9)
        np.testing.assert_allclose(shares[f"selected/{name}"].sum(), 1)
    prior = model.image_critic(model.sample(40, seed=3))
    for name, values in (("real", model.image_critic(x)), ("posterior", judged), ("prior", prior)):
        expected = np.mean(ops.convert_to_numpy(values))
        np.testing.assert_allclose(scores[f"log_D/{name}"], expected, rtol=1e-3, atol=1e-5)


def test_every_index_is_selected_equally_often(built):
    n = 4000
    _, shares = diagnostics.selection(built.model, built.data.points(n))
    deviation = np.sqrt((1 - 1 / SAMPLES) / SAMPLES / n)
    for each in shares.values():
        assert each.shape == (SAMPLES,)
        assert np.all(np.abs(each - 1 / SAMPLES) < 5 * deviation)
        assert diagnostics.evenness(each) > 0.999


def test_evenness():
    assert diagnostics.evenness(np.array([0.25] * 4)) == pytest.approx(1)
    assert diagnostics.evenness(np.array([1.0, 0.0])) == 0
    assert diagnostics.evenness(np.array([0.5, 0.5, 0.0, 0.0])) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("method", "scores", "shares"),
    [
        ("sn_gan", {"real", "prior"}, set()),
        ("md_gan", set(), set()),  # its critic puts out an embedding
        ("veegan", set(), set()),
        ("bms_vae", set(), {"best"}),
        ("alpha_gan_sn", {"real", "prior", "posterior"}, set()),  # nothing to select from
    ],
)
def test_a_method_shows_what_it_has(method, scores, shares):
    built = experiment.build(config(method))
    found = diagnostics.selection(built.model, built.data.points(6))
    assert set(found[0]) == {f"log_D/{name}" for name in scores}
    assert set(found[1]) == {f"selected/{name}" for name in shares}


def test_latents_of_a_mixture_are_labelled_by_mode(built):
    mean, labels, pictures = diagnostics.latents(built.model, built.data, 50)
    assert mean.shape == (50, built.model.latent_dim)
    for x, label in zip(built.data.unscaled(built.data.points(50)), labels, strict=True):
        assert np.linalg.norm(x - built.data.means[int(label)]) < 6 * built.data.std
    assert len(set(labels)) > 10
    assert pictures is None


def test_latents_of_images_come_with_them(of_images):
    mean, labels, pictures = diagnostics.latents(of_images.model, of_images.data)
    assert len(mean) == len(labels) == 24  # all that are held out
    np.testing.assert_array_equal(pictures, of_images.data.images(500))
