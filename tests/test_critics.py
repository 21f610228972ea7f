"""Today's critics, packs and relativistic pairs with R1 and R2, against numpy."""

import keras
import numpy as np
import pytest
from helpers import NumpyLosses, config
from keras import ops

import bms_keras
from bms_keras import methods, networks, objectives
from bms_keras.errors import BadInput
from bms_keras.methods.distgan import DistGAN
from bms_keras.methods.gan import GAN
from bms_keras.monitoring import diagnostics
from bms_keras.runs import experiment
from bms_keras.tiling import packed


def softplus(x):
    return np.log1p(np.exp(x))


def side_by_side(x, pack):
    """Packs of rows, one after the other, by hand."""
    return np.stack([np.concatenate(x[i : i + pack], -1) for i in range(0, len(x), pack)])


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def critic(rng):
    """A smooth critic of packs of two points, its weights as numpy has them."""
    layers = [keras.layers.Dense(8, "tanh"), keras.layers.Dense(1)]
    network = keras.Sequential([keras.Input((4,)), *layers])
    network.set_weights([rng.standard_normal(w.shape) for w in network.get_weights()])
    return network


@pytest.fixture
def packing(tiny_networks, critic):
    """A GAN whose critic judges pairs of points."""

    def packing(game=GAN, names=("generator",), **kwargs):
        return game(**tiny_networks(names), image_critic=critic, **{"pack": 2, "seed": 0, **kwargs})

    return packing


def judged(critic, packs):
    """The critic's output, in float64, and its gradient by central differences."""
    kernel, bias, last, shift = (w.astype("float64") for w in critic.get_weights())
    score = lambda y: (np.tanh(y @ kernel + bias) @ last + shift)[:, 0]  # noqa: E731
    packs, step = packs.astype("float64"), 1e-5
    steps = step * np.eye(packs.shape[1])
    slopes = [(score(packs + each) - score(packs - each)) / (2 * step) for each in steps]
    return score(packs), np.stack(slopes, -1)


@pytest.mark.parametrize("shape", [(2,), (3, 3, 2)])
@pytest.mark.parametrize("pack", [1, 2, 3])
def test_packs_lie_side_by_side_in_the_last_axis(rng, shape, pack):
    x = rng.standard_normal((6, *shape)).astype("float32")
    np.testing.assert_array_equal(packed(x, pack), side_by_side(x, pack))


def test_a_batch_that_cannot_be_packed_is_refused(x):
    with pytest.raises(ValueError, match=r"a multiple of pack=5\. Received: 24 data points"):
        packed(x, 5)


def test_relativistic_pairs(rng):
    real, fake = rng.standard_normal((2, 50)).astype("float32")
    expected = softplus(fake - real).mean()
    np.testing.assert_allclose(objectives.relativistic(real, fake), expected, rtol=1e-5)
    shifted = objectives.relativistic(real + 3, fake + 3)
    np.testing.assert_allclose(shifted, expected, rtol=1e-5)


def test_the_critics_loss_with_r1_and_r2_of_packs(packing, critic, x, noise, monkeypatch):
    """Against central differences, for each point of a pair."""
    model = packing(critic_loss="relativistic", gamma=0.3)
    monkeypatch.setattr(model, "prior", noise)
    monkeypatch.setattr(model, "shuffled", lambda x: x)
    generated = NumpyLosses(model, noise).generated(x)
    (real, r1), (fake, r2) = (judged(critic, side_by_side(y, 2)) for y in (x, generated))
    r1, r2 = (np.sum(slope**2, -1).mean() for slope in (r1, r2))

    loss, terms = model.image_critic_loss(x)
    np.testing.assert_allclose(terms["r1"], r1, rtol=1e-4)
    np.testing.assert_allclose(terms["r2"], r2, rtol=1e-4)
    np.testing.assert_allclose(loss, softplus(fake - real).mean() + 0.15 * (r1 + r2), rtol=1e-4)
    loss, _ = model.generator_loss(x)
    np.testing.assert_allclose(loss, softplus(real - fake).mean(), rtol=1e-4)


def test_r1_moves_the_critic(critic, value_and_gradients, rng):
    """Its second-order gradient, against central differences in one weight."""
    x = rng.standard_normal((5, 4)).astype("float32")
    score = lambda x: ops.squeeze(critic(x), -1)  # noqa: E731

    def penalty():
        return objectives.zero_centred_penalty(bms_keras.backends.input_gradient(score, x))

    x = ops.convert_to_tensor(x)
    kernel = critic.trainable_variables[0]
    _, (gradient,) = value_and_gradients(penalty, [kernel])
    values, around = kernel.numpy(), []
    for sign in (1, -1):
        moved = values.copy()
        moved[1, 3] += sign * 1e-2
        kernel.assign(moved)
        around.append(np.sum(judged(critic, ops.convert_to_numpy(x))[1] ** 2, -1).mean())
    np.testing.assert_allclose(gradient[1, 3], (around[0] - around[1]) / 2e-2, rtol=1e-2)


def test_the_penalty_of_slopes_between_packs_is_that_of_a_pack(packing, critic, x, monkeypatch):
    model = packing(critic_loss="wasserstein", gradient_penalty=1.0)
    monkeypatch.setattr(model, "_uniform", lambda *shape: np.full(shape, 0.25, "float32"))
    generated = ops.convert_to_numpy(model.generated(x))
    between = side_by_side(0.75 * x + 0.25 * generated, 2)
    _, slope = judged(critic, between)
    expected = np.mean((np.linalg.norm(slope, axis=-1) - 1) ** 2)
    found, _ = model.penalty(ops.convert_to_tensor(x), generated)
    np.testing.assert_allclose(found, expected, rtol=1e-3)


@pytest.mark.parametrize("gradient", ["selected", "all"])
def test_the_least_realistic_of_t_packs(packing, critic, x, noise, monkeypatch, gradient):
    """Sample i of neighbouring data points together; the min over i is each pack's own."""
    names = ("recognition", "generator", "latent_critic")
    model = packing(bms_keras.BMSVAEGAN, names, samples=3, gradient=gradient, posterior_stride=2)
    monkeypatch.setattr(model, "prior", noise)
    monkeypatch.setattr(model, "shuffled", lambda x: x)
    numpy = NumpyLosses(model, noise)
    x_i = [numpy.network("generator", z) for z in numpy.posterior(x[::2], 3)]
    scores = np.stack([judged(critic, side_by_side(each, 2))[0] for each in x_i])
    assert len({*scores.argmin(0)}) > 1  # not the same i everywhere
    _, terms = model.generator_loss(x)
    np.testing.assert_allclose(terms["least_realistic"], scores.min(0).mean(), rtol=1e-4)
    prior = judged(critic, side_by_side(numpy.generated(x), 2))[0].mean()
    np.testing.assert_allclose(terms["prior"], prior, rtol=1e-4)


def test_a_hybrids_reconstructions_are_paired_with_data(tiny_model, x, noise, monkeypatch):
    model = tiny_model(normalization="none", critic_loss="relativistic", critic_sees_posterior=True)
    monkeypatch.setattr(model, "prior", noise)
    numpy = NumpyLosses(model, noise)
    (z,) = numpy.posterior(x, 1)
    kinds = numpy.generated(x), numpy.network("generator", z)
    real = numpy.critic("image_critic", x)
    expected = sum(softplus(numpy.critic("image_critic", y) - real).mean() for y in kinds)
    np.testing.assert_allclose(model.image_critic_loss(x)[0], expected, rtol=1e-4)


def test_data_are_packed_by_chance_and_whole(packing, x):
    """Neighbours in a batch of images lie near each other in the data set, and may be alike."""
    model = packing()
    orders = [ops.convert_to_numpy(model.shuffled(x)) for _ in range(2)]
    assert not np.array_equal(*orders)
    for order in orders:
        assert not np.array_equal(order, x)
        np.testing.assert_array_equal(np.sort(order, 0), np.sort(x, 0))


def test_packs_of_one_draw_no_noise(tiny_networks, x):
    """So that a run of before goes on in the same bits."""
    model = GAN(**tiny_networks(("generator", "image_critic")), seed=0)
    before = ops.convert_to_numpy(model.seed_generator.state)
    assert model.shuffled(x) is x
    assert packed(x, 1) is x
    np.testing.assert_array_equal(model.seed_generator.state, before)


def test_a_critic_of_one_point_is_refused(tiny_networks):
    with pytest.raises(ValueError, match=r"'image_critic' must have the shape \(4,\)"):
        GAN(**tiny_networks(("generator", "image_critic")), pack=2)


@pytest.mark.parametrize("field", [{"pack": 2}, {"gamma": 0.1}])
def test_dist_gan_has_neither(tiny_networks, field):
    with pytest.raises(ValueError, match=f"{next(iter(field))} must be"):
        DistGAN(**tiny_networks(("recognition", "generator", "image_critic")), **field)


# From a config.


@pytest.mark.neutral
@pytest.mark.parametrize("method", ["bms_vae_gan", "sn_gan", "alpha_gan"])
def test_a_relativistic_critic_is_not_normalised(method):
    fields = {"objective.critic_loss": "relativistic", "objective.pack": 2}
    asked = methods.get(method).networks_asked(config(method, **fields).objective)
    assert (asked["normalization"], asked["pack"]) == ("none", 2)
    built = networks.build(config(method, **fields).networks, (2,), **asked)
    assert built["image_critic"].input_shape == (None, 4)
    layers = built["image_critic"].layers
    assert not any(isinstance(layer, bms_keras.SpectralNormalization) for layer in layers)


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("pacgan", {}),
        ("r3gan", {}),
        (
            "bms_vae_gan",
            {
                "objective.critic_loss": "relativistic",
                "objective.gamma": 0.1,
                "objective.pack": 4,
                "objective.posterior_stride": 2,
                "samples": 2,
            },
        ),
    ],
)
def test_they_train_and_are_shown(method, fields):
    built = experiment.build(config(method, batch_size=8, **fields))
    model, data = built.model, built.data
    before = [w.numpy() for w in model.image_critic.trainable_weights]
    logs = model.fit(data.batches(0, 2), steps_per_epoch=2, verbose=0).history
    assert all(np.isfinite(values[-1]) for values in logs.values())
    after = model.image_critic.trainable_weights
    assert any(np.any(w.numpy() != old) for w, old in zip(after, before, strict=True))
    scores, shares = diagnostics.selection(model, data.points(9))
    assert np.isfinite([*scores.values()]).all()
    assert all(each.sum() == 1 for each in shares.values())


@pytest.mark.neutral
@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"batch_size": 9}, r"must be a multiple of objective\.pack, .* of 2\. Received: 9"),
        ({"batch_size": 10, "objective.posterior_stride": 2}, r"is one: of 4\. Received: 10"),
    ],
)
def test_a_batch_of_no_whole_packs_is_refused(fields, expected):
    with pytest.raises(BadInput, match=expected):
        experiment.build(config("bms_vae_gan", **{"objective.pack": 2}, **fields))
