"""T samples a data point, decoded in blocks: the same numbers as at once, in less memory."""

import keras
import numpy as np
import pytest
from helpers import on_tensorflow
from keras import layers, ops

import bms_keras
from bms_keras import tiling

LATENT = 3


@pytest.fixture
def images():
    return np.random.default_rng(0).uniform(-1, 1, (6, 4, 4, 2)).astype("float32")


def game(samples, batch_norm=False, seed=0, **options):
    """BMS-VAE-GAN on images of 4 x 4 x 2, by dense networks."""
    keras.utils.set_random_seed(seed)
    between = [layers.BatchNormalization()] if batch_norm else []
    packs = 2 * options.get("pack", 1)
    networks = {
        "recognition": [layers.Input((4, 4, 2)), layers.Flatten(), layers.Dense(2 * LATENT)],
        "generator": [
            *(layers.Input((LATENT,)), layers.Dense(32), *between),
            *(layers.Activation("tanh"), layers.Reshape((4, 4, 2))),
        ],
        "image_critic": [
            *(layers.Input((4, 4, packs)), layers.Flatten()),
            *(layers.Dense(8, "tanh"), layers.Dense(1)),
        ],
        "latent_critic": [layers.Input((LATENT,)), layers.Dense(1)],
    }
    networks = {name: keras.Sequential(found) for name, found in networks.items()}
    model = bms_keras.BMSVAEGAN(**networks, samples=samples, seed=1, **options)
    model.compile()
    return model


@pytest.mark.parametrize("samples", [4, 5, 6, 7, 12])
def test_blocks_give_what_the_function_gives_of_all(samples):
    z = np.random.default_rng(1).standard_normal((samples, 3, 2)).astype("float32")
    seen = []

    def function(z):
        seen.append(z.shape[0])
        return z[..., 0] * 2, ops.sum(z, axis=-1)[:, ::3]

    found = tiling.in_blocks(function, z, 5, (), outputs=2)
    np.testing.assert_allclose(found[0], 2 * z[..., 0])
    np.testing.assert_allclose(found[1], z.sum(-1)[:, ::3], rtol=1e-6)
    assert max(seen) == {4: 4, 5: 5, 6: 3, 7: 4, 12: 4}[samples]  # shared out evenly


def test_a_block_has_statistics_of_its_own_and_moves_none():
    network = keras.Sequential([layers.Input((2,)), layers.BatchNormalization(epsilon=1e-6)])
    network.layers[0].moving_mean.assign([3.0, 4.0])
    before = network.get_weights()
    z = np.random.default_rng(2).standard_normal((4, 5, 2)).astype("float32")
    decode = lambda z: (tiling.tiled(lambda z: network(z, training=True), z),)  # noqa: E731
    (y,) = tiling.in_blocks(decode, z, 2, [network])
    for block, expected in zip(np.split(np.array(y), 2), np.split(z, 2), strict=True):
        expected = (expected - expected.mean((0, 1))) / expected.std((0, 1))
        np.testing.assert_allclose(block, expected, rtol=1e-3, atol=1e-4)
    for now, then in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)
    decode(z)
    assert not np.array_equal(network.get_weights()[2], before[2])  # where it would move them


@pytest.mark.parametrize("options", [{}, {"pack": 2}, {"alpha": 0.0}], ids=str)
def test_losses_and_gradients_are_those_of_all_samples_at_once(
    images, monkeypatch, value_and_gradients, options
):
    found = []
    for count in (25, 4):
        monkeypatch.setattr(tiling, "AT_ONCE", count)
        model = game(25, **options)
        variables = model.players()[0].trainable_variables
        loss = lambda model=model: model.generator_loss(images)[0]  # noqa: E731
        found.append(value_and_gradients(loss, variables))
    (whole, gradients), (in_blocks, others) = found
    np.testing.assert_allclose(in_blocks, whole, rtol=1e-6)
    assert any(np.any(gradient) for gradient in gradients)
    for ours, theirs in zip(others, gradients, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_many_samples_train_and_evaluate(images, batch_norm, jit_compile):
    model = game(25, batch_norm)
    model.compile(jit_compile=jit_compile)
    model.fit(images, batch_size=6, epochs=2, verbose=0)
    weights = model.get_weights()
    logs = model.evaluate(images, batch_size=6, verbose=0, return_dict=True)
    assert np.isfinite(logs["generator/loss"])
    for now, then in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(now, then)


def test_points_are_decoded_at_once(tiny_model, x, monkeypatch):
    monkeypatch.setattr(tiling, "one_by_one", lambda *_: pytest.fail("in blocks"))
    tiny_model(samples=25).generator_loss(x)
    with pytest.raises(pytest.fail.Exception, match="in blocks"):
        game(25).generator_loss(np.zeros((6, 4, 4, 2), "float32"))


@on_tensorflow
def test_replicas_decode_in_blocks(images):
    import tensorflow as tf

    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        model = game(25, batch_norm=True)
    model.fit(images, batch_size=6, verbose=0)
