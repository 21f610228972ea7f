"""Samplers against closed forms on one dimension, where the density ratio is known."""

import copy

import keras
import numpy as np
import pytest
from helpers import image_config
from keras import layers
from scipy import stats
from scipy.spatial.distance import cdist

import bms_keras
from bms_keras import BadInput, sampling
from bms_keras.backends import shifted
from bms_keras.backends.philox import standard_normal
from bms_keras.runs import experiment
from bms_keras.sampling import likelihood
from bms_keras.sampling.sampler import points_of

N = 5_000
neutral = pytest.mark.neutral
CORRECTIONS = {
    "rejection": sampling.Rejection,
    "mh": lambda: sampling.MetropolisHastings(length=20),
    "langevin": lambda: sampling.Langevin(steps=40),
}


def _dense(weights, bias, activation=None, inputs=1):
    layer = layers.Dense(np.shape(weights)[1], activation=activation)
    network = keras.Sequential([keras.Input((inputs,)), layer])
    layer.set_weights([np.array(weights, "float32"), np.array(bias, "float32")])
    return network


@pytest.fixture(scope="module")
def game():
    """G(z) = z, a standard normal distribution, and a critic of two features, x and -x.

    Data of N(1, 1) have the log ratio x - 1/2.
    """
    generator = _dense([[1.0]], [0.0])
    critic = keras.Sequential([keras.Input((1,)), layers.Dense(2), layers.Dense(1)])
    critic.set_weights([np.array([[1.0, -1.0]]), np.zeros(2), np.array([[0.1], [0.0]]), np.ones(1)])
    return bms_keras.GAN(generator, critic)


@pytest.fixture(scope="module")
def data():
    return np.random.default_rng(0).normal(1, 1, (N, 1)).astype("float32")


@neutral
@pytest.mark.parametrize("name", CORRECTIONS)
def test_the_target_is_drawn(game, data, name):
    sampler = CORRECTIONS[name]()
    sampler.fit(game, data, data)
    x = sampler.sample(2000, seed=0)
    assert x.shape == (2000, 1)
    assert x.dtype == np.float32
    assert stats.kstest(x[:, 0], stats.norm(1, 1).cdf).statistic < 0.06
    assert stats.kstest(x[:, 0], stats.norm(0, 1).cdf).statistic > 0.3
    assert np.array_equal(x, sampler.sample(2000, seed=0))
    assert not np.array_equal(x[:10], sampler.sample(10, seed=1))


@neutral
def test_the_ratio_is_calibrated(game, data):
    """The critic says 0.1 x + 1 where the log ratio is x - 1/2."""
    ratio = sampling.DensityRatio()
    ratio.fit(game, data, game.sample(N, seed=0))
    x = np.linspace(-2, 3, 20)[:, None].astype("float32")
    found = np.asarray(ratio(sampling.sampler.Engine(game), x))
    assert np.allclose(found, x[:, 0] - 0.5, atol=0.2)
    logits = np.concatenate([data[:, 0] - 0.5, 0.5 - game.sample(N, seed=0)[:, 0]])
    assert abs(ratio.loss - np.logaddexp(0, -logits).mean()) < 0.02


@neutral
def test_acceptance_is_that_of_the_closed_form(game, data):
    """E min(1, e^(x' - x)) with x' - x ~ N(-1, 2), and E e^(l - l_M) = e^(-l_M), as E r = 1."""
    sampler = sampling.MetropolisHastings()
    sampler.fit(game, data, data)
    moves = np.random.default_rng(1).normal(-1, np.sqrt(2), 10**6)
    assert abs(sampler.acceptance - np.exp(np.minimum(moves, 0)).mean()) < 0.04
    sampler = sampling.Rejection()
    sampler.fit(game, data, data)
    assert np.isclose(sampler.acceptance, np.exp(-sampler.largest), rtol=0.2)


@neutral
@pytest.mark.parametrize("name", ["rejection", "mh"])
def test_a_mixture_is_drawn_of_which_the_proposals_know_nothing(name):
    """Data of two modes, proposals of one; the critic's features are Gaussian bumps."""
    centres = np.linspace(-3, 3, 13)
    bumps = [
        keras.Input((1,)),
        layers.Dense(13),  # x - c
        layers.Lambda(lambda d: keras.ops.exp(-2 * keras.ops.square(d))),
        layers.Dense(1),
    ]
    critic = keras.Sequential(bumps)
    critic.set_weights([np.ones((1, 13)), -centres, np.zeros((13, 1)), np.zeros(1)])
    game = bms_keras.GAN(_dense([[1.5]], [0.0]), critic)
    rng = np.random.default_rng(0)
    data = (rng.choice([-1.5, 1.5], N) + rng.normal(0, 0.5, N))[:, None].astype("float32")
    sampler = CORRECTIONS[name]()
    sampler.fit(game, data, data)
    assert sampler.ratio.name == "features"
    x = sampler.sample(2000, seed=0)[:, 0]
    cdf = lambda x: (stats.norm(-1.5, 0.5).cdf(x) + stats.norm(1.5, 0.5).cdf(x)) / 2  # noqa: E731
    assert stats.kstest(x, cdf).statistic < 0.05
    assert stats.kstest(game.sample(2000, seed=0)[:, 0], cdf).statistic > 0.1


@neutral
def test_gamma_is_a_percentile(game, data):
    sampler = sampling.Rejection(percentile=80)
    sampler.fit(game, data, data)
    log_ratios = np.asarray(sampler.ratio(sampling.sampler.Engine(game), game.sample(N, seed=0)))
    chances = np.exp(sampler._log_chance(log_ratios))
    assert np.isclose((chances > 0.5).mean(), 0.2, atol=2e-3)
    below = log_ratios.astype("float64") - sampler.largest
    f = below - np.log(1 - np.exp(np.minimum(below, 0) - 1e-8)) - sampler.gamma
    assert np.allclose(chances, 1 / (1 + np.exp(-f)), atol=1e-6)


@neutral
def test_a_chain_that_never_moves_is_given_up(monkeypatch):
    """Proposals that the critic takes for no data: one of them it must be, not the data point."""
    generator = _dense([[1.0]], [0.0])
    critic = keras.Sequential([keras.Input((1,)), layers.Dense(1)])
    critic.set_weights([np.ones((1, 1)), np.zeros(1)])
    game = bms_keras.GAN(generator, critic)
    far = np.full((100, 1), 50.0, "float32")
    sampler = sampling.MetropolisHastings(length=5)
    sampler.fit(game, far, far)
    assert sampler.acceptance < 1e-3
    assert np.abs(sampler.sample(50, seed=0)).max() < 6
    rejection = sampling.Rejection()
    rejection.fit(game, far, far)
    monkeypatch.setattr(sampling.correction, "ENOUGH", 2000)
    rejection.largest += 50  # as if such a point had been seen
    with pytest.raises(BadInput, match="kept 0 of"):
        rejection.sample(3, seed=0)


@neutral
@pytest.mark.parametrize("width", [0.3, 1.0])
def test_the_scale_of_a_gaussian_is_found(width):
    """Two atoms, of which the data are blurred: z's sign decides."""
    generator = keras.Sequential([keras.Input((1,)), layers.Dense(1)])
    generator.set_weights([np.full((1, 1), 1e6), np.zeros(1)])
    generator = keras.Sequential([*generator.layers, layers.Activation("tanh"), layers.Dense(2)])
    generator.build((None, 1))
    generator.set_weights([*generator.get_weights()[:2], np.full((1, 2), 4.0), np.zeros(2)])
    game = bms_keras.GAN(generator, _dense([[1.0], [0.0]], [0.0], inputs=2))
    rng = np.random.default_rng(0)
    atoms = 4 * rng.choice([-1, 1], (2000, 1)) * np.ones(2)
    for kind, noise in (("gaussian", rng.normal), ("laplace", rng.laplace)):
        x = (atoms + noise(0, width, atoms.shape)).astype("float32")
        sampler = sampling.Likelihood()
        sampler.fit(game, x, x)
        assert sampler.kind == kind
        assert np.isclose(sampler.scale, width, rtol=0.06)
        drawn = sampler.sample(4000, seed=0)
        residuals = drawn - 4 * np.sign(drawn)
        assert np.isclose(np.abs(residuals).mean(), np.abs(x - atoms).mean(), rtol=0.06)


@neutral
def test_a_recognition_network_raises_the_bound(tiny_model):
    """Where p(z) seldom comes near a point, samples of q(z|x) tell more of p(x)."""
    model = tiny_model()
    x = np.full((40, 2), 0.5, "float32")
    sampler = sampling.Likelihood()
    sampler.fit(model, x, x)
    prior, posterior = sampler._of_prior(x, 0), sampler._of_posterior(x, 0)
    assert {kind: d.shape for kind, d in posterior[0].items()} == dict.fromkeys(
        ("laplace", "gaussian"), (40, 50)
    )
    z = model.sample_posterior(x, 50, 0)
    x_i = model.generator.predict(z.reshape(-1, model.latent_dim), verbose=0).reshape(50, 40, 2)
    np.testing.assert_allclose(posterior[0]["laplace"].T, np.abs(x_i - x).sum(-1), rtol=1e-4)
    np.testing.assert_allclose(posterior[0]["gaussian"].T, ((x_i - x) ** 2).sum(-1), rtol=1e-3)
    mean, log_variance = (each.astype("float64") for each in model.encode(x))
    p = stats.norm(0, 1).logpdf(z).sum(-1)
    q = stats.norm(mean, np.exp(log_variance / 2)).logpdf(z).sum(-1)
    np.testing.assert_allclose(posterior[1].T, p - q, rtol=1e-3, atol=1e-3)
    assert prior[1] == 0


@neutral
def test_a_lost_mode_does_not_widen_the_scale():
    """4 % of the data lie where G has nothing; the rest is a Gaussian of 0.05 around two atoms."""
    rng = np.random.default_rng(0)
    atoms = rng.choice([-2, 2], (500, 1)) * np.ones(2)
    atoms[:20] = (2.0, -2.0)
    x = (atoms + rng.normal(0, 0.05, atoms.shape)).astype("float32")
    samples = rng.choice([-2, 2], (2000, 1)) * np.ones(2)
    distances = {"laplace": cdist(x, samples, "cityblock"), "gaussian": cdist(x, samples) ** 2}
    background = likelihood._background(x, x)
    fits = {
        kind: likelihood._most_likely(kind, distances[kind], 0.0, 2, background)
        for kind in distances
    }
    assert max(fits, key=fits.get) == "gaussian"
    assert np.isclose(fits["gaussian"][1], 0.05, rtol=0.08)


@neutral
def test_noises_of_streams_differ_and_wrap():
    assert shifted(5, 0) == 5
    assert shifted(2**63 - 1, 1) == -(2**63) + 2**32 - 1
    a, b = (standard_normal((100,), shifted(7, stream)) for stream in (0, 1))
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.3


@pytest.mark.parametrize("name", sampling.SAMPLERS)
def test_each_is_fitted_and_known_by_its_name(game, data, name):
    short = {"length": 3} if "mh" in name else {"steps": 3} if name == "langevin" else {}
    sampler = sampling.fit(game, name, data, points=500, **short)
    x = game.sample(5, seed=3, sampler=name)
    assert x.shape == (5, 1)
    assert np.array_equal(x, sampler.sample(5, seed=3))
    assert np.array_equal(sampling.Sampled(game, name).sample(5, seed=3), x)
    assert sampling.Sampled(game, name).latent_dim == 1
    about = {
        "likelihood": {"sampler_kind", "sampler_scale"},
        "rejection": {"sampler_acceptance", "sampler_ratio", "sampler_ratio_loss"},
        "langevin": {"sampler_size", "sampler_acceptance", "sampler_ratio", "sampler_ratio_loss"},
    }
    about["mh"] = about["rejection"]
    assert set(sampler.about()) == set().union(*(about[part] for part in name.split("+")))


@neutral
def test_what_is_not_there_is_refused(game, data):
    with pytest.raises(ValueError, match="there are none"):
        bms_keras.GAN(game.generator, game.image_critic).sample(3, sampler="mh")
    with pytest.raises(BadInput, match="'mhh'"):
        sampling.fit(game, "mhh", data)
    with pytest.raises(BadInput, match="at least 20 points"):
        sampling.fit(game, "mh", data[:3])
    with pytest.raises(ValueError, match="length must be"):
        sampling.fit(game, "mh", data, length=0)
    with pytest.raises(BadInput, match=r"Received: uint8 \(50, 1\)"):
        sampling.fit(game, "mh", np.zeros((50, 1), "uint8"))
    broken = bms_keras.GAN(_dense([[np.nan]], [0.0]), game.image_critic)
    for name in ("mh", "likelihood"):
        with pytest.raises(BadInput, match="not finite"):
            sampling.fit(broken, name, data, points=100)


@neutral
def test_a_data_set_gives_training_points_as_the_networks_take_them(tmp_path):
    built = experiment.build(image_config(tmp_path))
    seen, held_out = points_of(built.model, built.data, 30)
    assert len(seen) == 30
    assert len(held_out) == 24
    for x in (seen, held_out):
        assert x.dtype == np.float32
        assert -1 <= x.min() < -0.9 < 0.9 < x.max() <= 1
    sampler = sampling.fit(built.model, "likelihood+rejection", built.data, points=30)
    assert 0.01 < sampler.base.scale < 2
    assert built.model.sample(2, sampler="likelihood+rejection").shape == (2, 8, 8, 3)
    again = sampling.sampler.Sampled(built.model, "likelihood+rejection")
    assert copy.copy(again).latent_dim == 4


@neutral
def test_a_critic_is_needed(tiny_model):
    model = tiny_model(names=("recognition", "generator", "latent_critic"))
    x = model.sample(30, seed=0)
    with pytest.raises(BadInput, match="needs an image critic"):
        sampling.fit(model, "rejection", x)
    sampling.fit(model, "likelihood", x)
    assert model.sample(4, sampler="likelihood").shape == (4, 2)
