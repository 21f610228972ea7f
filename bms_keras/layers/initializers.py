"""Initial weights that numpy draws: a seed gives the same on both backends, and on JAX, which would
compile a program for each shape, a game is built in less than half the time."""

import keras
import numpy as np
from keras import ops


class _Drawn:
    """What makes an initializer of Keras draw by numpy; its seed and its config are Keras's."""

    def __call__(self, shape, dtype=None):
        rng = np.random.default_rng(self.seed)
        # The dtype by numpy, too: JAX would compile that for each shape.
        return ops.convert_to_tensor(self.draw(rng, shape).astype(dtype or keras.config.floatx()))


@keras.saving.register_keras_serializable("bms_keras")
class Normal(_Drawn, keras.initializers.RandomNormal):
    """Independent normal weights; `mean`, `stddev` and `seed` as in `keras.initializers`.

    Example:

    >>> tuple(Normal(stddev=0.02)((3, 2)).shape)
    (3, 2)
    """

    def draw(self, rng, shape):
        return rng.normal(self.mean, self.stddev, shape)


@keras.saving.register_keras_serializable("bms_keras")
class Uniform(_Drawn, keras.initializers.RandomUniform):
    """Weights uniform in [`minval`, `maxval`)."""

    def draw(self, rng, shape):
        return rng.uniform(self.minval, self.maxval, shape)


@keras.saving.register_keras_serializable("bms_keras")
class Glorot(_Drawn, keras.initializers.GlorotUniform):
    """Weights of a dense layer, uniform, of the variance 2 gain^2 / (inputs + outputs).

    Reference: Glorot and Bengio 2010, eq. 16.
    """

    def __init__(self, gain=1.0, seed=None):
        super().__init__(seed=seed)
        self.gain = gain

    def draw(self, rng, shape):
        bound = self.gain * (6 / sum(shape)) ** 0.5
        return rng.uniform(-bound, bound, shape)

    def get_config(self):
        return {"gain": self.gain, "seed": super().get_config()["seed"]}


@keras.saving.register_keras_serializable("bms_keras")
class Orthogonal(_Drawn, keras.initializers.Orthogonal):
    """A dense layer's kernel with orthogonal rows or columns, of length `gain`."""

    def draw(self, rng, shape):
        long, short = max(shape), min(shape)
        q, r = np.linalg.qr(rng.standard_normal((long, short)))
        q = q * np.sign(np.diag(r))  # uniform over all of them
        return self.gain * (q if shape[0] == long else q.T)
