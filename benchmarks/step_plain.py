"""The BMS-VAE-GAN and SN-GAN steps as a user of Keras and TensorFlow would write them.

All T samples are tiled and run under the tape; `keras.layers.SpectralNormalization` normalises the
critic. The baseline of `step.py`: no part of `bms_keras` but the layers' sizes.
"""

import keras
import tensorflow as tf


def with_keras_normalization(critic):
    """The critic with Keras's spectral normalisation around the same weights."""
    layers = [keras.Input(critic.input_shape[1:])]
    for layer in critic.layers:
        inner = getattr(layer, "layer", None)
        made = type(inner or layer).from_config((inner or layer).get_config())
        layers.append(keras.layers.SpectralNormalization(made) if inner else made)
    network = keras.Sequential(layers)
    for new, old in zip(network.layers, critic.layers, strict=True):
        if hasattr(old, "layer"):
            new.layer.set_weights(old.layer.get_weights())
            new.vector_u.assign(old.u)
    return network


class PlainKeras(keras.Model):
    """Players take turns in `train_step`, each with an optimizer of its own."""

    def __init__(self, networks, method, samples, lambda_):
        super().__init__()
        self.recognition = networks.get("recognition")
        self.generator = networks["generator"]
        self.critic = with_keras_normalization(networks["image_critic"])
        self.latent_critic = networks.get("latent_critic")
        self.hybrid, self.samples, self.lambda_ = method != "sn_gan", samples, lambda_
        self.latent_dim = self.generator.input_shape[-1]
        self.optimizers = [keras.optimizers.Adam(2e-4, 0.0, 0.9) for _ in range(3)]
        self.compile(optimizer="sgd")  # Keras wants one

    def generator_loss(self, x, prior, noise):
        score = tf.reduce_mean(self.critic(self.generator(prior, training=True), training=True))
        if not self.hybrid:
            return -score
        z = self.posterior(x, noise)
        x_i = self.generator(z, training=True)
        images = tf.reshape(x_i, (self.samples, -1, *x.shape[1:]))
        distance = tf.reduce_mean(tf.abs(images - x[None]), (2, 3, 4))
        realism = tf.reshape(self.critic(x_i, training=True), (self.samples, -1))
        divergence = -tf.reduce_mean(self.latent_critic(z, training=True))
        best = tf.reduce_mean(tf.reduce_min(distance, 0))
        worst = tf.reduce_mean(tf.reduce_min(realism, 0))
        return self.lambda_ * best - worst - score + divergence

    def critic_loss(self, x, prior):
        fake = tf.stop_gradient(self.generator(prior, training=True))
        real, fake = self.critic(x, training=True), self.critic(fake, training=True)
        return tf.reduce_mean(tf.nn.relu(1 - real)) + tf.reduce_mean(tf.nn.relu(1 + fake))

    def latent_loss(self, x, prior, noise):
        real = self.latent_critic(prior, training=True)
        fake = self.latent_critic(self.posterior(x, noise[:1]), training=True)
        return tf.reduce_mean(tf.nn.softplus(-real)) + tf.reduce_mean(tf.nn.softplus(fake))

    def posterior(self, x, noise):
        mean, log_variance = tf.split(self.recognition(x, training=True), 2, -1)
        log_variance = tf.clip_by_value(log_variance, -12.0, 3.0)
        z = mean + tf.exp(0.5 * log_variance) * noise
        return tf.reshape(z, (-1, self.latent_dim))

    def turns(self, x, prior, noise):
        """Each turn's loss and what it trains."""
        trained = self.generator.trainable_variables
        if self.hybrid:
            trained = self.recognition.trainable_variables + trained
        yield lambda: self.generator_loss(x, prior(), noise()), trained
        yield lambda: self.critic_loss(x, prior()), self.critic.trainable_variables
        if self.hybrid:
            loss = lambda: self.latent_loss(x, prior(), noise())  # noqa: E731
            yield loss, self.latent_critic.trainable_variables

    def train_step(self, x):
        n = tf.shape(x)[0]
        prior = lambda: tf.random.normal((n, self.latent_dim))  # noqa: E731
        noise = lambda: tf.random.normal((self.samples, n, self.latent_dim))  # noqa: E731
        losses = {}
        turns = zip("gdl", self.turns(x, prior, noise), self.optimizers, strict=False)
        for name, (loss, variables), optimizer in turns:
            with tf.GradientTape() as tape:
                losses[name] = loss()
            optimizer.apply(tape.gradient(losses[name], variables), variables)
        return losses

    def losses_of(self, x, prior, noise):
        """The losses of all players on given data and noise."""
        names = ("generator", "image_critic", "latent_critic")
        x, prior, noise = map(tf.constant, (x, prior, noise))
        weights = self.get_weights()
        turns = self.turns(x, lambda: prior, lambda: noise)
        losses = {name: float(loss()) for name, (loss, _) in zip(names, turns, strict=False)}
        self.set_weights(weights)
        return losses
