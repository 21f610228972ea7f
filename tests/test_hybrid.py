"""BMS-VAE-GAN is eq. 7 and algorithm 1; its special cases are what they claim to be."""

import keras
import numpy as np
import pytest
from helpers import EAGERLY, NumpyLosses, on_tensorflow
from keras import ops

import bms_keras
from bms_keras import methods

WEIGHTS = {"alpha": 0.7, "lambda_": 1.9, "prior_weight": 0.6, "divergence_weight": 1.3}


@pytest.mark.parametrize(
    ("samples", "norm", "gradient"),
    [(1, 1, "all"), (2, 2, "selected"), (10, 1, "selected"), (10, 2, "all")],
)
def test_losses_are_those_of_the_paper(
    tiny_model, x, noise, monkeypatch, converge, samples, norm, gradient
):
    """On either backend the same numbers: weights and noise come from numpy."""
    options = {"samples": samples, "norm": norm, "gradient": gradient, "margins": (2.0, 0.0)}
    model = tiny_model(**WEIGHTS, **options)
    converge(model.image_critic)
    monkeypatch.setattr(model, "prior", noise)
    expected = NumpyLosses(model, noise)
    for player in model.players():
        loss, _ = player.loss(x)
        np.testing.assert_allclose(loss, getattr(expected, player.name)(x), rtol=1e-4, atol=1e-4)


def test_terms_add_up_to_the_loss(tiny_model, x):
    model = tiny_model(**WEIGHTS)
    loss, terms = model.generator_loss(x)
    expected = (
        1.9 * terms["reconstruction"]
        + 1.3 * terms["divergence"]
        - 0.7 * terms["least_realistic"]
        - 0.6 * terms["prior"]
    )
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_posterior_samples_of_every_other_data_point(tiny_model, x, noise, monkeypatch):
    model, few = tiny_model(), tiny_model(posterior_stride=2)
    for each in (model, few):
        monkeypatch.setattr(each, "prior", noise)
    few.set_weights(model.get_weights())
    (_, all_of_x), (_, half) = model.generator_loss(x[::2]), few.generator_loss(x)
    for term in ("reconstruction", "divergence", "least_realistic"):
        np.testing.assert_allclose(half[term], all_of_x[term], rtol=1e-5)
    prior = model.generator_loss(x)[1]["prior"]
    np.testing.assert_allclose(half["prior"], prior, rtol=1e-5)
    assert abs(float(prior - all_of_x["prior"])) > 1e-4  # so that it makes a difference


def test_cross_entropy_image_critic(tiny_model, x, noise, monkeypatch):
    model = tiny_model(critic_loss="cross_entropy", normalization="batch")
    monkeypatch.setattr(model, "prior", noise)
    expected = NumpyLosses(model, noise)
    real = expected.critic("image_critic", x)
    fake = expected.critic("image_critic", expected.generated(x))
    loss, terms = model.image_critic_loss(x)
    expected = np.log(1 + np.exp(-real)).mean() + np.log(1 + np.exp(fake)).mean()
    np.testing.assert_allclose(loss, expected, rtol=1e-4)
    np.testing.assert_allclose(terms["real"], real.mean(), rtol=1e-4)
    np.testing.assert_allclose(terms["fake"], fake.mean(), rtol=1e-4)


NO_IMAGE_CRITIC = ("recognition", "generator", "latent_critic")


@pytest.mark.parametrize(
    ("samples", "options"),
    [
        (3, {}),
        (10, {}),
        (3, {"critic_to_recognition": True}),
        (10, {"alpha": 0.0}),
        (3, {"lambda_": 0.0}),
        (10, {"names": NO_IMAGE_CRITIC}),
    ],
    ids=str,
)
def test_selected_samples_give_the_gradient_of_all(
    tiny_model, x, value_and_gradients, samples, options
):
    """The networks have no batch normalisation, so that the samples do not interact."""
    results = []
    for gradient in ("selected", "all"):
        model = tiny_model(samples=samples, gradient=gradient, **options)
        variables = model.players()[0].trainable_variables
        results.append(
            value_and_gradients(lambda model=model: model.generator_loss(x)[0], variables)
        )
    (selected, selected_gradients), (every, all_gradients) = results
    np.testing.assert_allclose(selected, every, rtol=1e-5)
    assert any(np.any(g) for g in all_gradients)
    for g, expected in zip(selected_gradients, all_gradients, strict=True):
        np.testing.assert_allclose(g, expected, rtol=1e-5, atol=1e-5)


def test_selected_samples_are_the_best_and_the_least_realistic(tiny_model, x):
    model = tiny_model(samples=10)
    z = ops.convert_to_numpy(model.posterior(x, 10))
    x_i = np.stack([model.generator.predict(each, verbose=0) for each in z])
    best = np.abs(x_i - x).mean(-1).argmin(0)
    worst = np.stack([model.image_critic.predict(each, verbose=0)[:, 0] for each in x_i]).argmin(0)
    assert len(set(best)) > 1  # not the same sample of T for every data point
    z_best, z_worst = model.selected(x, z)
    np.testing.assert_array_equal(z_best, z[None, best, range(len(x))])
    np.testing.assert_array_equal(z_worst, z[None, worst, range(len(x))])


@pytest.mark.parametrize(("samples", "reaches"), [(1, True), (1, False), (10, True), (10, False)])
def test_whether_the_image_critic_reaches_the_recognition_network(
    tiny_model, x, value_and_gradients, samples, reaches
):
    """With no other term of eq. 7, R has a gradient from D_I or has none; G has one."""
    alone = {"alpha": 1.0, "lambda_": 0.0, "divergence_weight": 0.0, "prior_weight": 0.0}
    model = tiny_model(samples=samples, critic_to_recognition=reaches, **alone)
    ours = model.recognition.trainable_variables
    variables = ours + model.generator.trainable_variables
    _, gradients = value_and_gradients(lambda: model.generator_loss(x)[0], variables)
    assert all(np.any(g) == reaches for g in gradients[: len(ours)])
    assert all(np.any(g) for g in gradients[len(ours) :])


def test_alpha_gan_sn_is_bms_vae_gan_at_one_sample(tiny_model, tiny_networks, x, train, same):
    alpha, bms = methods.get("alpha_gan_sn"), methods.get("bms_vae_gan")
    assert alpha.samples == 1
    for field in ("game", "networks", "normalization", "objective"):
        assert getattr(alpha, field) == getattr(bms, field)

    networks = tiny_networks(alpha.networks, alpha.normalization)
    model = alpha.game(**networks, samples=alpha.samples, seed=0, **alpha.objective)
    model.compile(run_eagerly=EAGERLY)
    again = tiny_model(bms_keras.BMSVAEGAN, samples=1)
    before = model.get_weights()
    assert same(again.weights, before)
    for each in (model, again):
        train(each, np.tile(x, (3, 1)), steps=3)
    assert same(model.weights, again.weights)
    assert not same(model.weights, before)


@pytest.mark.parametrize("dim", [pytest.param(1, marks=pytest.mark.neutral), 2])
def test_latent_critic_estimates_the_kl_divergence(tiny_networks, one_turn, train, dim):
    """q is N(shift, 1), which the recognition network keeps to: KL(q || p) is |shift|^2 / 2."""
    shift = np.zeros(4, "float32")
    shift[:dim] = 1.0
    networks = tiny_networks()
    *others, _ = networks["recognition"].get_weights()
    networks["recognition"].set_weights(
        [np.zeros_like(w) for w in others] + [np.concatenate([shift, np.zeros(4)])]
    )
    model = one_turn(**networks, samples=4, seed=0, turn="latent_critic")
    decay = keras.optimizers.schedules.CosineDecay(0.02, 400)
    model.compile({"latent_critic": keras.optimizers.Adam(decay)})
    train(model, np.zeros((400 * 512, 2), "float32"), steps=400)
    _, terms = model.generator_loss(np.zeros((5000, 2), "float32"))
    np.testing.assert_allclose(terms["divergence"], dim / 2, rtol=0.15)
    _, terms = model.latent_critic_loss(np.zeros((5000, 2), "float32"))
    assert terms["prior"] > 0.2
    assert terms["posterior"] < -0.2


def test_mmd_prior_tells_a_shifted_posterior(tiny_model, x):
    names = ("recognition", "generator")
    model = tiny_model(names=names, samples=1)
    assert [player.name for player in model.players()] == ["generator"]
    *others, _ = model.recognition.get_weights()
    divergence = {}
    for shift in (0.0, 3.0):
        constant = np.concatenate([np.full(4, shift), np.zeros(4)])
        model.recognition.set_weights([np.zeros_like(w) for w in others] + [constant])
        divergence[shift] = float(model.generator_loss(np.tile(x, (10, 1)))[1]["divergence"])
    assert abs(divergence[0.0]) < 0.1
    assert divergence[3.0] > 1


def test_encode(tiny_model, x):
    model = tiny_model()
    mean, log_variance = model.encode(1e9 * x)
    assert mean.shape == log_variance.shape == (24, 4)
    assert mean.dtype == log_variance.dtype == "float32"
    assert log_variance.min() == -12
    assert log_variance.max() == 3
    expected = model.recognition.predict(x, verbose=0)
    np.testing.assert_allclose(model.encode(x)[0], expected[:, :4], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("norm", [1, 2])
def test_reconstruct_takes_the_best_of_its_samples(tiny_model, x, norm):
    model = tiny_model(norm=norm)

    def error(samples, seed=0):
        y = model.reconstruct(x, samples, seed)
        assert y.shape == x.shape
        assert y.dtype == "float32"
        return np.mean(np.abs(x - y) ** norm)

    assert error(10) < error(1)
    assert error(100) < error(10)
    assert error(None) == error(3)  # the T of training
    assert error(3) != error(3, seed=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 0}, "samples must be at least 1.*samples=0"),
        ({"gradient": "both"}, "'selected' or 'all'.*gradient='both'"),
        ({"posterior_stride": 0}, "posterior_stride must be an integer of at least 1.*stride=0"),
        ({"norm": 3}, "1 or 2.*norm=3"),
        ({"critic_loss": "square"}, "'hinge' or 'cross_entropy' or .*'square'"),
        ({"prior": "kl"}, "'critic' or 'mmd'.*'kl'"),
        ({"prior": "mmd"}, "latent critic"),
        ({"mmd_scales": ()}, r"mmd_scales must be a tuple of 1 to 64 numbers above 0.*=\(\)"),
        ({"mmd_scales": (1.0, 0.0)}, r"mmd_scales must be a tuple of 1 to 64 numbers above 0"),
    ],
    ids=str,
)
def test_bad_arguments_are_refused(tiny_model, options, message):
    with pytest.raises(ValueError, match=message):
        tiny_model(**options)


def test_unknown_method_is_refused():
    with pytest.raises(bms_keras.BadInput, match=r"bms_vae_gan, .*Received: 'vae'"):
        methods.get("vae")


@on_tensorflow  # on JAX test_methods.py trains each
def test_every_bms_method_trains(tiny_networks, x, train):
    """Each row of the registry that this class plays takes a step with its own defaults."""
    for name, method in methods.METHODS.items():
        if method.game is not bms_keras.BMSVAEGAN:
            continue
        networks = tiny_networks(method.networks, method.normalization)
        model = method.game(**networks, samples=method.samples, seed=0, **method.objective)
        model.compile(run_eagerly=True)
        before = [v.numpy() for v in model.trainable_variables]
        assert np.isfinite(train(model, x)["loss"]), name
        after = [v.numpy() for v in model.trainable_variables]
        assert all(np.any(a != b) for a, b in zip(after, before, strict=True)), name
