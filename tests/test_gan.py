"""The plain GAN: its loss is -E log D_I(G(z)), and SN-GAN plays it on points and on images."""

import types

import keras
import numpy as np
import pytest
from helpers import NumpyLosses, config, image_config
from keras import ops

import bms_keras
from bms_keras import methods, networks
from bms_keras.runs import experiment

GAN = bms_keras.methods.gan.GAN
NAMES = ("generator", "image_critic")


@pytest.fixture
def tiny_gan(tiny_networks):
    def tiny_gan(game=GAN, normalization="spectral", **kwargs):
        model = game(**tiny_networks(NAMES, normalization), **{"seed": 0, **kwargs})
        model.compile()
        return model

    return tiny_gan


@pytest.mark.parametrize("margins", [(1.0, 1.0), (2.0, 0.0)])
def test_losses_against_numpy(tiny_gan, x, noise, monkeypatch, converge, margins):
    model = tiny_gan(margins=margins)
    converge(model.image_critic)
    monkeypatch.setattr(model, "prior", noise)
    expected = NumpyLosses(model, noise)
    real, fake = (expected.critic("image_critic", y) for y in (x, expected.generated(x)))

    loss, terms = model.generator_loss(x)
    np.testing.assert_allclose(loss, -fake.mean(), rtol=1e-4)
    assert terms == {}

    loss, terms = model.image_critic_loss(x)
    hinge = np.maximum(0, margins[0] - real).mean() + np.maximum(0, margins[1] + fake).mean()
    np.testing.assert_allclose(loss, hinge, rtol=1e-4)
    np.testing.assert_allclose(terms["real"], real.mean(), rtol=1e-4)
    np.testing.assert_allclose(terms["fake"], fake.mean(), rtol=1e-4)


def test_a_classifier_for_a_critic(tiny_gan, x, noise, monkeypatch):
    model = tiny_gan(normalization="batch", critic_loss="cross_entropy")
    monkeypatch.setattr(model, "prior", noise)
    expected = NumpyLosses(model, noise)
    real, fake = (expected.critic("image_critic", y) for y in (x, expected.generated(x)))
    loss, _ = model.image_critic_loss(x)
    entropy = np.log(1 + np.exp(-real)).mean() + np.log(1 + np.exp(fake)).mean()
    np.testing.assert_allclose(loss, entropy, rtol=1e-4)
    generator = np.log(1 + np.exp(-fake)).mean()  # Goodfellow's second loss
    np.testing.assert_allclose(model.generator_loss(x)[0], generator, rtol=1e-4)


def test_the_critic_normalises_by_the_batch_in_hand():
    """DCGAN's D_I in its own turn and in G's, and the numbers of its batch normalisation."""
    sizes = types.SimpleNamespace(family="dcgan", latent_dim=4, width=8, latent_critic=(8,))
    game = GAN(**networks.build(sizes, (16, 16, 3), NAMES, "batch"), critic_loss="cross_entropy")
    x = np.random.default_rng(0).uniform(-1, 1, (8, 16, 16, 3)).astype("float32")
    scores = ops.convert_to_numpy(game.critic_score(x))
    batch = ops.convert_to_numpy(game.image_critic(x, training=True))[:, 0]
    np.testing.assert_allclose(scores, batch, rtol=1e-4, atol=1e-6)
    alone = ops.convert_to_numpy(game.image_critic(x, training=False))[:, 0]
    assert np.abs(scores - alone).max() > 1e-3
    for network in (game.image_critic, game.generator):
        norms = [n for n in network.layers if isinstance(n, keras.layers.BatchNormalization)]
        assert {(norm.momentum, norm.epsilon) for norm in norms} == {(0.9, 1e-5)}


@pytest.mark.parametrize("turn", NAMES)
def test_a_turn_moves_its_own_network_only(tiny_gan, x, train, same, turn):
    class OneTurn(GAN):
        def players(self):
            return [player for player in super().players() if player.name == turn]

    model = tiny_gan(OneTurn)
    before = {name: [w.numpy() for w in n.weights] for name, n in model.networks.items()}
    train(model, x)
    (other,) = set(NAMES) - {turn}
    assert same(model.networks[other].weights, before[other])
    for weights, old in zip(model.networks[turn].weights, before[turn], strict=True):
        if len(weights.shape) > 1 and weights.trainable:  # the hinges' gradients of a bias cancel
            assert np.any(weights.numpy() != old)


def test_the_turns(tiny_gan):
    assert [player.name for player in tiny_gan().players()] == ["generator", "image_critic"]


def test_the_critic_learns_to_tell(tiny_gan, x, train):
    """G stands still, far from the data."""

    class CriticAlone(GAN):
        def players(self):
            return super().players()[1:]

    model = tiny_gan(CriticAlone)
    model.compile({"image_critic": keras.optimizers.Adam(1e-2)})
    data = np.tile(5 + x, (100, 1))
    before = float(model.image_critic_loss(data)[0])
    train(model, data, steps=100)
    _, terms = model.image_critic_loss(data)
    assert float(model.image_critic_loss(data)[0]) < 0.5 * before
    assert terms["real"] > terms["fake"]


def test_sn_gan_in_the_registry():
    method = methods.get("sn_gan")
    assert (method.game, set(method.networks), method.samples) == (GAN, set(NAMES), None)
    assert method.normalization == "spectral"


@pytest.fixture
def built(tmp_path):
    return experiment.build(image_config(tmp_path, "sn_gan"))


def test_it_trains_on_images(built):
    model = built.model
    assert isinstance(model, GAN)
    kernels = [w for w in model.trainable_weights if len(w.shape) > 1]
    before = [w.numpy() for w in kernels]
    logs = model.fit(built.data.batches(0, 4), steps_per_epoch=4, verbose=0).history
    assert set(logs) >= {"generator/loss", "image_critic/loss", "image_critic/real", "loss"}
    assert all(np.isfinite(values[-1]) for values in logs.values())
    assert all(np.isfinite(w).all() for w in model.get_weights())
    assert all(np.any(w.numpy() != old) for w, old in zip(kernels, before, strict=True))


def test_save_and_load(built, tmp_path, same):
    model = built.model
    model.fit(built.data.batches(0, 2), steps_per_epoch=2, verbose=0)
    model.margins = (2.0, 0.5)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert type(loaded) is GAN
    assert (loaded.margins, loaded.critic_loss, loaded.seed) == ((2.0, 0.5), "hinge", 0)
    assert same(loaded.weights, model.weights)
    np.testing.assert_array_equal(loaded.sample(3, seed=0), model.sample(3, seed=0))
    x = ops.convert_to_tensor(built.data.points(4))
    np.testing.assert_allclose(
        loaded.image_critic_loss(x)[1]["real"], model.image_critic_loss(x)[1]["real"], rtol=1e-6
    )


def test_there_is_no_posterior_to_sample(tmp_path):
    with pytest.raises(bms_keras.BadInput, match=r"samples=1\. Received: 10") as error:
        experiment.build(image_config(tmp_path, "sn_gan", samples=10))
    assert "\n" not in str(error.value)


def test_bad_arguments_are_refused(tiny_gan):
    with pytest.raises(ValueError, match="critic_loss must be 'hinge' or 'cross_entropy' or"):
        tiny_gan(critic_loss="square")


def test_batch_norm_and_a_gradient_penalty_are_refused(tiny_networks):
    """The gradient at a point would be that of the batch, and JAX would keep a tracer of it."""
    generator = tiny_networks(NAMES)["generator"]
    layers = keras.layers.Dense(8), keras.layers.BatchNormalization(), keras.layers.Dense(1)
    critic = keras.Sequential([keras.Input((2,)), *layers])
    within = keras.Sequential([keras.Input((2,)), critic, keras.layers.Dense(1)])
    for each in (critic, within):
        with pytest.raises(ValueError, match="image critic without batch normalisation"):
            GAN(generator, each, gradient_penalty=10.0)
        assert GAN(generator, each).gradient_penalty == 0
    layers = keras.layers.BatchNormalization(), keras.layers.Flatten(), keras.layers.Dense(1)
    critic = keras.Sequential([keras.Input((4, 4, 1)), *layers])
    layers = keras.layers.Dense(16), keras.layers.Reshape((4, 4, 1))
    generator = keras.Sequential([keras.Input((4,)), *layers])
    with pytest.raises(ValueError, match="image critic without batch normalisation"):
        bms_keras.methods.bwgan.BWGAN(generator, critic)


@pytest.mark.parametrize("method", ["alpha_gan", "alpha_gan_gp"])
def test_a_config_of_both_is_refused_in_a_line(method):
    fields = {"networks.batch_norm": True, "networks.image_critic": (8, 8)}
    made = config(method, **{"objective.gradient_penalty": 10.0, **fields})
    if method == "alpha_gan_gp":  # whose critic has none, whatever the field says
        assert experiment.build(made).model.gradient_penalty == 10
        return
    with pytest.raises(bms_keras.BadInput, match="without batch normalisation") as error:
        experiment.build(made)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "game", [bms_keras.methods.gdpp.GDPPGAN, bms_keras.methods.distgan.DistGAN]
)
def test_features_are_the_last_hidden_layer(tiny_networks, x, game):
    """Whatever without weights comes after the last dense layer."""
    names = ("recognition", "generator") if "Dist" in game.__name__ else ("generator",)
    networks = tiny_networks(names)
    for after in ([], [keras.layers.Rescaling(3.0)]):
        layers = [keras.layers.Dense(8, "relu"), keras.layers.Dense(1), *after]
        critic = keras.Sequential([keras.Input((2,)), *layers])
        features = game(**networks, image_critic=critic, seed=0).features(x)
        kernel, bias = layers[0].get_weights()
        np.testing.assert_allclose(features, np.maximum(x @ kernel + bias, 0), atol=1e-5)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden, self.logit = keras.layers.Dense(8), keras.layers.Dense(1)

    def call(self, x):
        return self.logit(self.hidden(x))


@pytest.mark.parametrize("called", [keras.Input((2,)), np.ones((1, 2), "float32")], ids=type)
def test_features_of_a_subclassed_critic_are_refused(tiny_networks, called):
    """They cannot be had; of one that was called on an array they were the data themselves."""
    critic = Subclassed()
    critic(called)
    networks = tiny_networks(("recognition", "generator"))
    with pytest.raises(ValueError, match="features are the last hidden layer of the network"):
        bms_keras.methods.distgan.DistGAN(**networks, image_critic=critic)
    with pytest.raises(ValueError, match="features are the last hidden layer of the network"):
        bms_keras.methods.gdpp.GDPPGAN(networks["generator"], critic)
