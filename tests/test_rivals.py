"""The losses of the rival methods, against plain numpy with the same weights and noise."""

import keras
import numpy as np
import pytest
import scipy.stats
from helpers import NumpyLosses, close, image_config, naive_gdpp
from keras import ops

from bms_keras.export import onnx_files
from bms_keras.methods.distgan import DistGAN
from bms_keras.methods.gan import GAN
from bms_keras.methods.gdpp import GDPPGAN
from bms_keras.methods.mdgan import MDGAN
from bms_keras.methods.veegan import VEEGAN
from bms_keras.networks import mlp
from bms_keras.runs import experiment

SHARE = 0.3  # between data and samples, where a gradient penalty looks


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softplus(x):
    return np.log1p(np.exp(x))


class Numpy(NumpyLosses):
    """Adds what the rivals need to the networks in numpy."""

    def slopes(self, x, unit=1.0):
        """|grad log D_I| between data and samples, by central differences in float64.

        A step of 1 of the authors' data is one of `unit` of ours.
        """
        points = x + SHARE * (self.generated(x) - x)
        steps = 1e-5 * unit * np.eye(points.shape[1])
        rises = [
            self.critic("image_critic", points + h) - self.critic("image_critic", points - h)
            for h in steps
        ]
        return np.linalg.norm(np.stack(rises, -1) / 2e-5, axis=-1)

    def code(self, x):
        return np.split(self.network("recognition", x), 2, axis=-1)[0]

    def joint(self, x, z):
        """The logit of a joint critic: a concatenation, then a perceptron."""
        values = np.concatenate([x, z], -1)
        for layer in self.model.joint_critic.layers[-1].layers:
            kernel, bias = (w.astype("float64") for w in layer.get_weights())
            values = values @ kernel + bias
            if layer.activation.__name__ == "leaky_relu":
                values = np.where(values > 0, values, 0.2 * values)
        return values[:, 0]


@pytest.fixture
def play(tiny_networks, noise, monkeypatch):
    """A game of tiny networks with the test's noise, and its networks in numpy."""

    def play(game, names, normalization="none", extra=None, **kwargs):
        networks = tiny_networks(names, normalization) | (extra or {})
        model = game(**networks, seed=0, **kwargs)
        monkeypatch.setattr(model, "prior", noise)
        fixed = lambda shape, seed: ops.full(shape, SHARE)  # noqa: E731
        monkeypatch.setattr(keras.random, "uniform", fixed)
        return model, Numpy(model, noise)

    return play


PAIR = ("generator", "image_critic")
AUTOENCODER = ("recognition", "generator")


def test_wgan_gp(play, x):
    model, expected = play(GAN, PAIR, critic_loss="wasserstein", gradient_penalty=10.0)
    real, fake = (expected.critic("image_critic", y) for y in (x, expected.generated(x)))
    penalty = np.mean((expected.slopes(x) - 1) ** 2)
    loss, terms = model.image_critic_loss(x)
    close(terms["gradient_penalty"], penalty)
    close(loss, fake.mean() - real.mean() + 10 * penalty)
    close(model.generator_loss(x)[0], -fake.mean())


DIST_GAN = (*AUTOENCODER, "image_critic")
DIST_GAN_WEIGHTS = {"lambda_r": 2.0, "reconstruction_weight": 0.1, "gradient_penalty": 3.0}


def test_dist_gan_of_points(play, x):
    fields = {"critic_loss": "cross_entropy", "distances": "data", **DIST_GAN_WEIGHTS}
    model, expected = play(DistGAN, DIST_GAN, **fields)
    code, generated = expected.code(x), expected.generated(x)
    reconstruction = expected.network("generator", code)
    f = np.mean(reconstruction - generated)
    g = np.mean(code - expected.noise(len(x))) * np.sqrt(code.shape[1] / x.shape[1])
    close(model.autoencoder_loss(x)[0], np.mean((x - reconstruction) ** 2) + 2 * (f - g) ** 2)

    real, fake, again = (expected.critic("image_critic", y) for y in (x, generated, reconstruction))
    penalty = 3 * np.mean((expected.slopes(x) - 1) ** 2)
    judged = 0.9 * softplus(-real).mean() + 0.1 * softplus(-again).mean() + softplus(fake).mean()
    close(model.image_critic_loss(x)[0], judged + penalty)

    scores = [np.mean(sigmoid(logits)) for logits in (real, fake)]
    close(model.generator_loss(x)[0], abs(scores[0] - scores[1]))


@pytest.mark.parametrize("critic_loss", ["hinge", "cross_entropy"])
@pytest.mark.parametrize("step", [0, 60, 70, 80])
def test_dist_gan_of_images(play, x, critic_loss, step):
    """As distgan_image/distgan.py has it at iteration `step` of 100, on a critic of 8 features."""
    fields = {"critic_loss": critic_loss, "steps": 100, **DIST_GAN_WEIGHTS}
    fields["reconstruction_weight"] = 0.05
    model, expected = play(DistGAN, DIST_GAN, **fields)
    model.step.assign(step)
    z, z_e = expected.noise(len(x)), expected.code(x)
    x_f, x_r = expected.generated(x), expected.network("generator", z_e)
    kernel, bias = (w.astype("float64") for w in model.image_critic.layers[0].get_weights())

    def feature(y):
        hidden = y @ kernel + bias
        return np.maximum(hidden, 0.2 * hidden)

    f_real, f_recon, f_fake = map(feature, (x, x_r, x_f))
    md_x = np.mean(f_recon - f_fake)
    md_z = np.mean(z_e - z) * np.sqrt(z.shape[1] / 8)
    r_cost = np.mean((f_real - f_recon) ** 2) + 2 * (md_x - md_z) ** 2
    close(model.autoencoder_loss(x)[0], r_cost)

    logits = [expected.critic("image_critic", y) for y in (x, x_r, x_f)]
    real, recon, fake = map(sigmoid, logits)
    mu = max(min((step / 100 * 0.1 - 0.05) * 2, 0.05), 0)
    w_real, w_recon = 0.95 + mu, 0.05 - mu
    # The root of the mean over two dimensions, not of the sum; G there ends in a sigmoid, and
    # modules/dataset.py divides images by 255: they lie in [0, 1], ours in [-1, 1].
    penalty = np.mean((expected.slopes(x, unit=2.0) / np.sqrt(2) - 1) ** 2)
    if critic_loss == "hinge":
        parts = [np.mean(np.minimum(0, v)) for v in (-1 + real, -1 + recon, -1 - fake)]
        d_cost = -(w_real * parts[0] + w_recon * parts[1] + parts[2] + 3 * penalty)
    else:
        parts = [softplus(v).mean() for v in (-logits[0], -logits[1], logits[2])]
        d_cost = w_real * parts[0] + w_recon * parts[1] + parts[2] + 3 * penalty
    close(model.image_critic_loss(x)[0], d_cost)
    close(model.generator_loss(x)[0], abs(real.mean() - fake.mean()))


def test_dist_gan_counts_its_steps(play, x, train):
    """Its share depends on the steps done alone, so that a run with more steps goes on by those."""
    model, _ = play(DistGAN, DIST_GAN, steps=8)
    model.compile()
    shares = []
    for _ in range(8):
        shares.append(float(ops.convert_to_numpy(model.reconstruction_share())))
        train(model, x)
    np.testing.assert_allclose(np.divide(shares, 0.05), [1, 1, 1, 1, 1, 0.5, 0, 0], atol=1e-6)
    again = DistGAN.from_config({**model.get_config(), "steps": 16})
    again.set_weights(model.get_weights())
    np.testing.assert_allclose(float(ops.convert_to_numpy(again.reconstruction_share())), 0.05)


@pytest.mark.parametrize("distances", ["features", "data"])
def test_whom_dist_gans_first_turn_moves(play, x, train, same, distances):
    """R alone on images, R and G on points, by the authors' lists of variables."""
    model, _ = play(DistGAN, DIST_GAN, distances=distances, critic_loss="cross_entropy")
    rates = {"autoencoder": 0.1, "image_critic": 0.0, "generator": 0.0}
    model.compile({name: keras.optimizers.SGD(rate) for name, rate in rates.items()})
    before = {name: model.networks[name].get_weights() for name in DIST_GAN}
    train(model, x)
    moved = {name for name in DIST_GAN if not same(model.networks[name].weights, before[name])}
    assert moved == {"recognition"} | ({"generator"} if distances == "data" else set())


def test_dist_gan_of_images_is_saved_with_its_step(tmp_path, same):
    fields = {"objective.critic_loss": "hinge", "objective.distances": "features", "steps": 4}
    built = experiment.build(image_config(tmp_path, "dist_gan", **fields))
    model = built.model
    assert model.steps == 4
    logs = model.fit(built.data.batches(0, 3), steps_per_epoch=3, verbose=0).history
    assert all(np.isfinite(values[-1]) for values in logs.values())
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert (loaded.steps, loaded.distances, float(loaded.step.numpy())) == (4, "features", 3)
    assert same(loaded.weights, model.weights)


def test_losses_that_dist_gan_lacks_are_refused(tiny_networks):
    networks = tiny_networks(DIST_GAN, "none")
    with pytest.raises(ValueError, match="critic_loss must be 'hinge' or 'cross_entropy'"):
        DistGAN(**networks, critic_loss="wasserstein")
    with pytest.raises(ValueError, match="'hinge' goes with distances='features'"):
        DistGAN(**networks, critic_loss="hinge", distances="data")


def test_veegan(play, x, noise):
    joint = mlp.joint_critic(2, noise(1).shape[1], (8,))
    model, expected = play(VEEGAN, AUTOENCODER, extra={"joint_critic": joint}, latent_weight=2.0)
    z = noise(len(x))
    generated = expected.generated(x)
    ratio = expected.joint(generated, z)
    latents = np.mean(np.sum((z - expected.code(generated)) ** 2, -1)) / 2
    close(model.generator_loss(x)[0], ratio.mean() + 2 * latents)
    q = expected.code(x) + noise(1, len(x))[0]
    critic = softplus(-ratio).mean() + softplus(expected.joint(x, q)).mean()
    close(model.joint_critic_loss(x)[0], critic)


def test_the_latent_term_of_veegan_is_a_log_likelihood(play, x, noise):
    """-log N(z; R(G(z)), I) but for its constant, as the authors' code has it."""
    joint = mlp.joint_critic(2, noise(1).shape[1], (8,))
    model, expected = play(VEEGAN, AUTOENCODER, extra={"joint_critic": joint})
    z = noise(len(x))
    nats = -scipy.stats.norm.logpdf(z, expected.code(expected.generated(x)), 1).sum(-1).mean()
    constant = z.shape[1] / 2 * np.log(2 * np.pi)
    close(model.generator_loss(x)[1]["reconstruction"], nats - constant)


def test_the_reconstructor_of_veegan_has_unit_variance(play, x, noise, value_and_gradients):
    """So say `encode` and what is exported; the head that it has for one is trained by nothing."""
    joint = mlp.joint_critic(2, noise(1).shape[1], (8,))
    model, expected = play(VEEGAN, AUTOENCODER, extra={"joint_critic": joint})
    mean, log_variance = model.encode(x)
    close(mean, expected.code(x))
    assert not log_variance.any()
    parameters = model.recognition.predict(x, verbose=0)
    assert parameters[:, mean.shape[1] :].any()
    served = onnx_files.Posterior(model.log_variances)(parameters)[1]
    assert not ops.convert_to_numpy(served).any()
    *_, kernel, bias = model.recognition.trainable_variables
    _, gradients = value_and_gradients(lambda: model.generator_loss(x)[0], [kernel, bias])
    for gradient in gradients:
        used, unused = np.split(gradient, 2, -1)
        assert used.any()
        assert not unused.any()


def test_md_gan(play, x):
    critic = mlp.perceptron(2, (8,), 3, "leaky_relu", name="image_critic")
    variance = 0.25
    model, expected = play(MDGAN, ("generator",), extra={"image_critic": critic}, variance=variance)

    def likelihood(y):
        e = 5 / (1 + np.exp(-expected.network("image_critic", y))) - 2.5
        squares = np.sum((e[:, None] - model.centres) ** 2, -1)
        return np.mean(np.exp(-squares / (2 * variance)), -1) / (2 * np.pi * variance) ** 1.5

    left = np.log(model.maximum - likelihood(expected.generated(x)) + 1e-8).mean()
    close(model.image_critic_loss(x)[0], -np.log(likelihood(x) + 1e-8).mean() - left, rtol=1e-3)
    close(model.generator_loss(x)[0], left, rtol=1e-3)


@pytest.mark.parametrize("critic_loss", ["cross_entropy", "hinge"])
def test_gdpp_gan(play, x, critic_loss):
    """With few data points: eigenvectors of close eigenvalues are anybody's guess."""
    x = x[:4]
    model, expected = play(GDPPGAN, PAIR, critic_loss=critic_loss, diversity_weight=0.5)
    fake = expected.critic("image_critic", expected.generated(x))
    adversarial = softplus(-fake).mean() if critic_loss == "cross_entropy" else -fake.mean()
    first = model.image_critic.layers[0]
    kernel, bias = (w.astype("float64") for w in first.get_weights())

    def features(y):
        hidden = y @ kernel + bias
        return np.where(hidden > 0, hidden, 0.2 * hidden)

    loss, terms = model.generator_loss(x)
    diversity = naive_gdpp(features(x), features(expected.generated(x)), magnitude_weight=1e-4)
    close(terms["diversity"], diversity, rtol=1e-2)
    close(loss, adversarial + 0.5 * diversity, rtol=1e-2)
