"""Baseline (b) of step.py: equation 7 as a competent user of Keras would write it.

T samples are tiled into one batch and decoded once, `keras.layers.SpectralNormalization` wraps the
critic's layers, and `train_step` holds a `tf.GradientTape` for each player. Where the critic's
gradient stops at z, R's gradient is taken from another loss than G's, by the same tape.
"""

import keras
import numpy as np
import tensorflow as tf


class PlainBMSVAEGAN(keras.Model):
    """R, G, D_I and D_L; `objective` as in the configs of `bms_keras`."""

    def __init__(self, recognition, generator, image_critic, latent_critic, samples, objective):
        super().__init__()
        self.recognition, self.generator = recognition, generator
        self.image_critic, self.latent_critic = image_critic, latent_critic
        self.samples, self.objective = samples, objective
        self.latent_dim = generator.input_shape[-1]
        self.training = True
        self.adam = [keras.optimizers.Adam(2e-4, 0.0, 0.9) for _ in range(3)]

    def noise(self, *shape):
        return tf.random.normal((*shape, self.latent_dim))

    def posterior(self, x, samples):
        mean, log_variance = tf.split(self.recognition(x, training=True), 2, axis=-1)
        log_variance = tf.clip_by_value(log_variance, -12, 3)
        z = mean + tf.exp(0.5 * log_variance) * self.noise(samples, tf.shape(x)[0])
        return tf.reshape(z, (-1, self.latent_dim))

    def critic(self, x):
        return self.image_critic(x, training=self.training)[:, 0]

    def generator_loss(self, x):
        z = self.posterior(x, self.samples)
        x_i = self.generator(z, training=self.training)
        distance = tf.reduce_mean(tf.abs(tf.tile(x, (self.samples, 1, 1, 1)) - x_i), (1, 2, 3))
        by_sample = lambda values: tf.reshape(values, (self.samples, -1))  # noqa: E731
        best = tf.reduce_mean(tf.reduce_min(by_sample(distance), 0))
        least_realistic = tf.reduce_mean(tf.reduce_min(by_sample(self.critic(x_i)), 0))
        divergence = -tf.reduce_mean(self.latent_critic(z))
        fake = self.generator(self.noise(tf.shape(x)[0]), training=self.training)
        prior = tf.reduce_mean(self.critic(fake))
        seen_by_recognition = self.objective.lambda_ * best + divergence
        loss = seen_by_recognition - least_realistic - prior
        return loss, loss if self.objective.critic_to_recognition else seen_by_recognition

    def image_critic_loss(self, x):
        a, b = self.objective.margins
        fake = self.generator(self.noise(tf.shape(x)[0]), training=self.training)
        real, fake = self.critic(x), self.critic(tf.stop_gradient(fake))
        return tf.reduce_mean(tf.nn.relu(a - real)) + tf.reduce_mean(tf.nn.relu(b + fake))

    def latent_critic_loss(self, x):
        q = self.latent_critic(self.posterior(x, 1))
        p = self.latent_critic(self.noise(tf.shape(x)[0]))
        return tf.reduce_mean(tf.nn.softplus(-p)) + tf.reduce_mean(tf.nn.softplus(q))

    def train_step(self, data):
        x = data[0]
        G, R = self.generator.trainable_variables, self.recognition.trainable_variables
        with tf.GradientTape(persistent=True) as tape:
            loss, of_recognition = self.generator_loss(x)
        if loss is of_recognition:
            gradients = tape.gradient(loss, G + R)
        else:
            gradients = tape.gradient(loss, G) + tape.gradient(of_recognition, R)
        del tape
        self.adam[0].apply_gradients(zip(gradients, G + R, strict=True))
        logs = {"generator_loss": loss}
        turns = ((self.image_critic_loss, self.image_critic),)
        turns += ((self.latent_critic_loss, self.latent_critic),)
        for adam, (of_critic, critic) in zip(self.adam[1:], turns, strict=True):
            with tf.GradientTape() as tape:
                loss = of_critic(x)
            variables = critic.trainable_variables
            adam.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
            logs[of_critic.__name__] = loss
        return logs


def build(networks, config):
    """The model, of networks that `bms_keras.networks.build` made without normalisation."""
    critic = networks["image_critic"]
    wrapped = [keras.Input(critic.input_shape[1:])]
    for layer in critic.layers:
        fresh = type(layer).from_config(layer.get_config())
        normalized = isinstance(layer, (keras.layers.Conv2D, keras.layers.Dense))
        wrapped.append(keras.layers.SpectralNormalization(fresh) if normalized else fresh)
    networks = networks | {"image_critic": keras.Sequential(wrapped)}
    model = PlainBMSVAEGAN(**networks, samples=config.samples, objective=config.objective)
    model.compile()
    return model


class Plain:
    """What step.py times.

    Args:
        model: Of `build`.
        x: The batch.
        kernels: Dictionary `critic/N`: the critic's kernels W / sigma, by which both sides compute
            the same: this layer assigns them, and computes with what is there outside training.
    """

    def __init__(self, model, x, weights, noise):
        self.model, self.x, self.weights, self.noise = model, x, weights, noise
        critic = [layer for layer in model.image_critic.layers if hasattr(layer, "layer")]
        for i, layer in enumerate(critic):
            layer.layer.set_weights([weights[f"image_critic/{i}/{n}"] for n in ("W", "bias")])

    def check(self):
        model, noise = self.model, self.model.noise
        model.training, model.noise = False, self.noise
        x = tf.constant(self.x)
        values = {
            "generator_loss": float(model.generator_loss(x)[0]),
            "image_critic_loss": float(model.image_critic_loss(x)),
            "latent_critic_loss": float(model.latent_critic_loss(x)),
        }
        model.training, model.noise = True, noise
        return values

    def step(self):
        loss = self.model.train_on_batch(self.x, return_dict=True)
        assert np.isfinite(list(loss.values())).all()
