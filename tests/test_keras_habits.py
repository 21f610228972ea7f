"""What users of Keras try by habit works, or is refused in a sentence."""

import warnings

import keras
import numpy as np
import pytest
from helpers import EAGERLY

import bms_keras
from bms_keras import objectives
from bms_keras.methods.gdpp import GDPPGAN
from bms_keras.networks.adopted import functional

NAMES = ("generator", "image_critic", "latent_critic")


@keras.saving.register_keras_serializable("tests")
class Subclassed(keras.Model):
    """A dense network with dropout, as people write them."""

    def __init__(self, outputs, **kwargs):
        super().__init__(**kwargs)
        self.outputs_ = outputs
        self.hidden = keras.layers.Dense(8, "relu")
        self.dropout = keras.layers.Dropout(0.2, seed=1)
        self.out = keras.layers.Dense(outputs)

    def call(self, x, training=False):
        return self.out(self.dropout(self.hidden(x), training=training))

    def get_config(self):
        return {**super().get_config(), "outputs": self.outputs_}


def called(inputs, outputs):
    network = Subclassed(outputs)
    network(keras.Input((inputs,)))
    return network


# compile


@pytest.mark.parametrize(
    "given",
    [
        {"optimizers": "adam"},
        {"optimizer": "adam"},
        {"optimizer": keras.optimizers.Adam()},
        {"optimizers": dict.fromkeys(NAMES, "adam")},
    ],
)
def test_each_player_gets_an_optimizer_of_its_own(tiny_model, given):
    model = tiny_model()
    model.compile(**given)
    optimizers = [model.optimizer[name] for name in NAMES]
    assert {type(each) for each in optimizers} == {keras.optimizers.Adam}
    assert len({id(each) for each in optimizers}) == 3
    np.testing.assert_allclose([float(each.learning_rate) for each in optimizers], 1e-3)


def test_a_copy_of_one_optimizer_keeps_its_settings_and_not_its_state(tiny_model):
    one = keras.optimizers.Adam(3e-4, beta_1=0.25)
    one.build([keras.Variable(np.ones(3, "float32"))])
    model = tiny_model(optimizers=one)
    for name in NAMES:
        assert model.optimizer[name].beta_1 == 0.25
        assert model.optimizer[name] is not one
    assert len(one.variables) == 4  # of its own variable: iterations, rate, two moments


def test_players_optimizers_that_are_compiled_again_keep_their_state(tiny_model, x, train):
    model = tiny_model()
    train(model, x)
    model.compile(model.optimizer, steps_per_execution=2)
    assert int(model.optimizer.iterations.numpy()) == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"optimizer": {"generater": "adam"}}, "must name the players.*Received: ..generater"),
        ({"optimizers": "adam", "optimizer": "adam"}, "two names of one argument"),
        ({"loss": "mse"}, "the players' own.*Received: loss"),
        ({"metrics": ["mae"], "weighted_metrics": []}, "Received: metrics, weighted_metrics"),
        ({"optimizer": keras.optimizers.Adam(use_ema=True)}, "'generator' has use_ema=True"),
    ],
)
def test_what_compile_cannot_do_it_refuses(tiny_model, given, message):
    with pytest.raises(ValueError, match=message):
        tiny_model().compile(**given)


def test_float16_keeps_small_gradients(tiny_networks):
    """As Keras does: a loss scale by default, for each player."""

    def moved(policy, **kwargs):
        keras.config.set_dtype_policy(policy)
        try:
            networks = tiny_networks()
        finally:
            keras.config.set_dtype_policy("float32")
        weights = {"alpha": 0.0, "prior_weight": 0.0, "divergence_weight": 0.0, "lambda_": 1e-6}
        model = bms_keras.BMSVAEGAN(**networks, **weights, samples=2, seed=0)
        model.compile(keras.optimizers.SGD(1e5), run_eagerly=EAGERLY, **kwargs)
        before = model.generator.get_weights()
        x = np.random.default_rng(0).standard_normal((64, 2)).astype("float32")
        model.fit(x, batch_size=64, shuffle=False, verbose=0)
        after = model.generator.get_weights()
        return model, np.concatenate([np.ravel(b - a) for a, b in zip(before, after, strict=True)])

    _, expected = moved("float32")
    model, found = moved("mixed_float16")
    assert all(
        isinstance(model.optimizer[name], keras.optimizers.LossScaleOptimizer) for name in NAMES
    )
    assert np.linalg.norm(found - expected) < 0.05 * np.linalg.norm(expected)
    model, lost = moved("mixed_float16", auto_scale_loss=False)
    assert type(model.optimizer["generator"]) is keras.optimizers.SGD
    assert np.linalg.norm(lost - expected) > 0.5 * np.linalg.norm(expected)


# fit


@pytest.mark.parametrize(
    "given",
    [
        {"sample_weight": np.ones(24)},
        {"y": np.zeros(24), "sample_weight": np.ones(24)},
        {"class_weight": {0: 1.0}},
        {"y": np.zeros(24, int), "class_weight": {0: 1.0}},
    ],
)
def test_weights_are_refused(tiny_model, x, given):
    with pytest.raises(ValueError, match="no sample_weight and no class_weight"):
        tiny_model().fit(x, verbose=0, **given)


def test_weights_in_the_data_are_refused(tiny_model, x):
    model = tiny_model()
    with pytest.raises(ValueError, match="no sample_weight"):
        model.fit((batch for batch in [(x, np.zeros(24), np.ones(24))]), verbose=0)
    with pytest.raises(ValueError, match="no sample_weight"):
        model.evaluate(x, sample_weight=np.ones(24), verbose=0)


def test_averages_of_the_optimizers_are_refused(tiny_model, x):
    with pytest.raises(ValueError, match="SwapEMAWeights needs averages"):
        tiny_model().fit(x, verbose=0, callbacks=[keras.callbacks.SwapEMAWeights()])


def test_fit_warns_of_the_first_number_that_is_not_finite(tiny_model, x):
    model = tiny_model(optimizers=keras.optimizers.SGD(1e38))
    with pytest.warns(UserWarning, match=r"is not finite at step \d, .* lower a learning rate"):
        model.fit(x, batch_size=8, epochs=2, verbose=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        tiny_model().fit(x, batch_size=8, verbose=0)


def test_a_last_batch_of_one_leaves_finite_weights(tiny_model, x, train):
    model = tiny_model(names=("recognition", "generator"), samples=1)
    model.fit(x[:17], batch_size=8, verbose=0)  # 8, 8 and 1
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_mmd_of_single_samples():
    """The kernel by hand: of a single sample there are no pairs to count."""
    rng = np.random.default_rng(0)
    q, p = rng.standard_normal((1, 3)), rng.standard_normal((4, 3))
    c = 2 * 3 * 0.5
    k = lambda a, b: c / (c + np.sum((a - b) ** 2))  # noqa: E731
    within = np.mean([k(p[i], p[j]) for i in range(4) for j in range(4) if i != j])
    across = np.mean([k(q[0], p[j]) for j in range(4)])
    value = objectives.mmd(q.astype("float32"), p.astype("float32"), scales=(0.5,))
    np.testing.assert_allclose(float(value), within - 2 * across, rtol=1e-5)
    one = objectives.mmd(q.astype("float32"), p[:1].astype("float32"), scales=(0.5,))
    np.testing.assert_allclose(float(one), -2 * k(q[0], p[0]), rtol=1e-5)


def test_diversity_of_a_batch_of_one_is_finite(tiny_networks, x):
    networks = tiny_networks(("generator", "image_critic"), "none")
    model = GDPPGAN(**networks, seed=0)
    model.compile(run_eagerly=EAGERLY)
    model.fit(x[:5], batch_size=4, verbose=0)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


# networks, saving


def subclassed_model(**kwargs):
    keras.utils.set_random_seed(0)
    networks = called(2, 8), called(4, 2), called(2, 1), called(4, 1)
    model = bms_keras.BMSVAEGAN(*networks, samples=2, seed=0, **kwargs)
    model.compile("adam", run_eagerly=EAGERLY)
    return model


def test_subclassed_networks_train_sample_and_encode(x, train):
    model = subclassed_model(ema=0.9)
    before = model.get_weights()
    assert np.isfinite(train(model, x)["loss"])
    assert model.sample(3, seed=0).shape == (3, 2)
    assert model.encode(x)[0].shape == (24, 4)
    assert any(np.any(a != b) for a, b in zip(before, model.get_weights(), strict=True))


def test_a_network_of_unknown_shape_is_refused():
    for network in (Subclassed(2), keras.Sequential([keras.layers.Dense(2)])):
        with pytest.raises(ValueError, match="'generator' must know the shape of its input"):
            functional(network, "generator")
    sequential = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    assert functional(sequential, "generator") is sequential


# sample


def test_samples_follow_the_seed_of_keras(tiny_model):
    model = tiny_model()

    def drawn():
        keras.utils.set_random_seed(7)
        return model.sample(3), model.sample(3)

    (a, b), (again, and_then) = drawn(), drawn()
    np.testing.assert_array_equal(a, again)
    np.testing.assert_array_equal(b, and_then)
    assert np.abs(a - b).max() > 0
    keras.utils.set_random_seed(8)
    assert np.abs(model.sample(3) - a).max() > 0


# Networks


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"generator": (5, 2)}, r"'recognition' must have the shape \(10,\)"),
        ({"generator": (4, 3)}, r"must have the shape \(3,\), as G goes from \(4,\) to \(3,\)"),
        ({"recognition": (2, 7)}, r"output of the network 'recognition'.*Received: \(7,\)"),
        ({"image_critic": (2, 2)}, r"'image_critic' must put out one number.*Received: \(2,\)"),
        (
            {"latent_critic": (3, 1)},
            r"input of the network 'latent_critic'.*\(4,\).*Received: \(3,\)",
        ),
    ],
)
def test_networks_that_do_not_fit_together_are_refused(wrong, message):
    sizes = {
        "recognition": (2, 8),
        "generator": (4, 2),
        "image_critic": (2, 1),
        "latent_critic": (4, 1),
    }
    networks = {name: called(*size) for name, size in (sizes | wrong).items()}
    with pytest.raises(ValueError, match=message):
        bms_keras.BMSVAEGAN(**networks)


def test_what_is_no_network_is_refused(tiny_networks):
    with pytest.raises(
        ValueError, match=r"'generator' must be a keras\.Model\. Received: function"
    ):
        bms_keras.BMSVAEGAN(**tiny_networks() | {"generator": lambda z: z})


def test_half_a_sample_is_refused(tiny_model):
    with pytest.raises(ValueError, match=r"n must be an integer of at least 0\. Received: n=2\.5"):
        tiny_model().sample(2.5)


def test_a_saved_model_goes_on_with_the_noise_of_an_uninterrupted_run(x, train, tmp_path, same):
    """The prior's noise and that of dropout."""
    model = subclassed_model()
    train(model, x, steps=3)
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    assert train(model, x, steps=3) == train(again, x, steps=3)
    assert same(model.weights, again.weights)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="Keras's export on JAX differs")
def test_keras_export_writes_the_generator(tiny_model, tmp_path):
    import tensorflow as tf

    model = tiny_model()
    model.export(tmp_path / "g", verbose=False)
    z = np.random.default_rng(0).standard_normal((3, 4)).astype("float32")
    loaded = tf.saved_model.load(str(tmp_path / "g"))
    np.testing.assert_allclose(loaded.serve(z), model(z), rtol=1e-5, atol=1e-6)
