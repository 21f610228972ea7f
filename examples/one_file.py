"""The idea on one page: a VAE-GAN whose best of T samples covers the 25 modes of the 2D Grid.

    STEPS=20000 python examples/one_file.py   # three minutes on two cores; writes one_file.png

An autoencoder asks every sample z ~ q(z|x) to reconstruct x, so q(z|x) shrinks to a point and
leaves holes in the prior, from which G then makes what is no data. "Best-of-Many-Samples"
Distribution Matching (Bhattacharyya et al.) asks it only of the best of T samples: the others may
spread until q(z) fills the prior. Equation and algorithm numbers are those of the paper. With T = 1
(`python examples/one_file.py 1`) it is an ordinary hybrid of VAE and GAN, to compare.

This is plain Keras on TensorFlow; exact resume, metrics, images, other methods, JAX are left out.
"""

import os
import sys

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from matplotlib.figure import Figure

LATENT, BATCH, STEPS = 32, 128, 20_000
LAMBDA = 4.0  # weight of the reconstruction
STD, SCALE = 0.05, 4.0  # of a mode; by which the data are divided
MODES = np.array([(x, y) for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)], "float32")


def batches(seed=0):
    """Points of a uniform mixture of 25 narrow Gaussians, divided by `SCALE`."""
    rng = np.random.default_rng(seed)
    while True:
        means = MODES[rng.integers(len(MODES), size=(100, BATCH))]
        points = means + STD * rng.standard_normal(means.shape)
        yield from (points / SCALE).astype("float32")


def prior(x):
    """As many z ~ p(z) as there are data points."""
    return tf.random.normal((ops.shape(x)[0], LATENT))


def network(inputs, outputs, activation="relu", wrap=lambda layer: layer):
    """A network of two hidden layers."""
    hidden = [wrap(layers.Dense(128, activation)) for _ in range(2)]
    return keras.Sequential([keras.Input((inputs,)), *hidden, wrap(layers.Dense(outputs))])


class BestOfMany(keras.Model):
    """BMS-VAE-GAN: recognition R, generator G, image critic D_I, latent critic D_L."""

    def __init__(self, samples):
        super().__init__()
        self.samples = samples  # T
        self.recognition = network(2, 2 * LATENT)  # mean and log-variance of q(z|x)
        self.generator = network(LATENT, 2)
        # A spectrally normalised critic puts out log D_I itself, a direct estimate of the
        # log-ratio of data to samples (eq. 6). Narrow modes need it steep: 1-Lipschitz, times 75.
        self.image_critic = network(2, 1, "leaky_relu", layers.SpectralNormalization)
        self.latent_critic = network(LATENT, 1)
        rates = {"autoencoder": 2e-3, "image_critic": 1e-3, "latent_critic": 2e-3}
        falling = keras.optimizers.schedules.PolynomialDecay
        self.optimizers_ = {
            name: keras.optimizers.Adam(falling(rate, STEPS, rate / 20), 0.5, 0.9)
            for name, rate in rates.items()
        }

    def log_ratio(self, x):
        """log D_I(x)."""
        return 75 * self.image_critic(4 * x, training=True)[..., 0]

    def posterior(self, x):
        """z_1..z_T ~ q(z|x) of each data point, `(T, B, LATENT)`."""
        mean, log_variance = ops.split(self.recognition(x), 2, -1)
        noise = tf.random.normal((self.samples, *ops.shape(mean)))
        return mean + ops.exp(ops.clip(log_variance, -12, 3) / 2) * noise

    def autoencoder_loss(self, x):
        """Minus eq. 7: the best reconstruction, the least realistic sample, and the divergence."""
        z = self.posterior(x)
        x_i = self.tiled(self.generator, z)
        best = ops.min(ops.mean(ops.abs(x - x_i), -1), axis=0)
        # As in alpha-GAN, the critic's gradient stops at z, and samples of the prior count, too.
        realistic = self.log_ratio(self.generator(ops.reshape(ops.stop_gradient(z), (-1, LATENT))))
        least = ops.min(ops.reshape(realistic, (self.samples, -1)), axis=0)
        sampled = self.log_ratio(self.generator(prior(x)))
        divergence = -self.tiled(self.latent_critic, z)  # KL(q(z|x) || p(z)), as D_L estimates it
        return LAMBDA * ops.mean(best) - ops.mean(least + sampled) + ops.mean(divergence)

    def image_critic_loss(self, x):
        """Algorithm 1, line 4: high on data, low on samples of the prior."""
        generated = self.generator(prior(x))
        real, fake = self.log_ratio(x), self.log_ratio(generated)
        return ops.mean(ops.relu(1 - real)) + ops.mean(ops.relu(1 + fake))

    def latent_critic_loss(self, x):
        """Algorithm 1, line 5: the prior is 1, the posterior 0."""
        q = self.latent_critic(self.posterior(x)[0])
        p = self.latent_critic(prior(x))
        return ops.mean(ops.softplus(-p)) + ops.mean(ops.softplus(q))

    def tiled(self, function, z):
        """A network's outputs for `(T, B, LATENT)`, in the same shape."""
        outputs = function(ops.reshape(z, (-1, LATENT)))
        return ops.reshape(outputs, (self.samples, -1, outputs.shape[-1]))

    def train_step(self, x):
        """The players take turns (algorithm 1): R and G together, then D_I, then D_L."""
        turns = {
            "autoencoder": (self.autoencoder_loss, (self.recognition, self.generator)),
            "image_critic": (self.image_critic_loss, (self.image_critic,)),
            "latent_critic": (self.latent_critic_loss, (self.latent_critic,)),
        }
        logs = {}
        for name, (loss, networks) in turns.items():
            variables = [each for net in networks for each in net.trainable_variables]
            with tf.GradientTape() as tape:
                logs[name] = loss(x)
            gradients = tape.gradient(logs[name], variables)
            self.optimizers_[name].apply_gradients(zip(gradients, variables, strict=True))
        return logs


def main():
    samples = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    steps = int(os.environ.get("STEPS", STEPS))
    keras.utils.set_random_seed(0)
    model = BestOfMany(samples)
    model.compile(jit_compile=True, steps_per_execution=min(steps, 100))
    spec = tf.TensorSpec((BATCH, 2), tf.float32)
    data = tf.data.Dataset.from_generator(batches, output_signature=spec).prefetch(200)
    model.fit(data, steps_per_epoch=steps, verbose=2)
    x = SCALE * model.generator.predict(np.random.normal(size=(2500, LATENT)), verbose=0)
    distances = np.linalg.norm(x[:, None] - MODES, axis=-1)
    good = distances.min(1) < 3 * STD  # within three standard deviations of the nearest mode
    modes = len(set(distances.argmin(1)[good]))
    print(f"T={samples}: {modes} of 25 modes, {100 * good.mean():.1f} % of high quality")
    figure = Figure((5, 5))
    axes = figure.subplots()
    axes.scatter(*MODES.T, s=60, color="#d0d4d8")
    axes.scatter(*x.T, s=2, color="#1f6fb4")
    axes.set(title=f"BMS-VAE-GAN, T = {samples}", aspect="equal")
    figure.savefig("one_file.png", dpi=120)


if __name__ == "__main__":
    main()
