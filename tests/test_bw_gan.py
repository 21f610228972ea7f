"""BW-GAN is its loss written out in numpy."""

import keras
import numpy as np
import pytest
from helpers import close

from bms_keras.methods.bwgan import BWGAN

SHARE = 0.3  # between data and samples, where the penalty looks


@pytest.mark.parametrize("kind", ["linear", "square"])
def test_bw_gan_of_a_critic_whose_gradient_is_known(kind, noise, monkeypatch):
    """That of k.x is k everywhere, that of its square 2 (k.x) k, another at each point."""
    square = kind == "square"
    shape, s = (4, 4, 1), -1.5
    rng = np.random.default_rng(0)
    kernel = rng.standard_normal((16, 1))
    critic = [keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(1, use_bias=False)]
    critic += [keras.layers.Activation(keras.ops.square)] * square
    critic = keras.Sequential(critic)
    critic.set_weights([kernel])
    latent = noise(1).shape[1]
    layers = [keras.Input((latent,)), keras.layers.Dense(16, use_bias=False)]
    generator = keras.Sequential([*layers, keras.layers.Reshape(shape)])
    matrix = rng.standard_normal((latent, 16))
    generator.set_weights([matrix])
    model = BWGAN(generator, critic, sobolev=s, seed=0)
    monkeypatch.setattr(model, "prior", noise)
    fixed = lambda shape, seed: keras.ops.full(shape, SHARE)  # noqa: E731
    monkeypatch.setattr(keras.random, "uniform", fixed)

    def norm(images, s):
        frequencies = np.abs(np.fft.fftfreq(4)) * 2
        squares = frequencies[:, None] ** 2 + frequencies[None] ** 2
        spectrum = np.fft.fft2(images.reshape(-1, 4, 4)) * (1 + 5 * squares) ** (s / 2)
        return np.sqrt(np.sum(np.abs(spectrum) ** 2, (1, 2)) / 16)

    x = rng.standard_normal((6, *shape)).astype("float32")
    data, generated = x.reshape(6, -1), noise(6) @ matrix
    real, fake = ((points @ kernel) ** (1 + square) for points in (data, generated))
    between = data + SHARE * (generated - data)
    slopes = (2 * between @ kernel if square else np.ones((6, 1))) * kernel.T
    weight, scale = norm(x, s).mean(), norm(x, -s).mean()
    penalty = np.mean((norm(slopes, -s) / scale - 1) ** 2)
    loss, _ = model.image_critic_loss(x)
    expected = (fake.mean() - real.mean()) / scale + weight * penalty + 1e-5 * np.mean(real**2)
    close(loss, expected, rtol=1e-3)
    close(model.generator_loss(x)[0], -fake.mean() / scale)
