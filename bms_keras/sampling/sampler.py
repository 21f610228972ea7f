"""What a sampler is, and the one that every game has: G(z)."""

import numpy as np
from keras import ops

from bms_keras.backends import predict, shifted, standard_normal
from bms_keras.data.epochs import sample
from bms_keras.errors import BadInput
from bms_keras.game.using import fresh_seed

LEAST = 2**16  # numbers that a network takes at a time
FIT = -(2**20)  # the stream of a fit's noise, far from those of the draws of the same seed


class CannotDraw(BadInput):
    """A sampler that was fitted to a game, but finds nothing there to draw."""


class Sampler:
    """Draws from a game that it was fitted to.

    One derives from this class, says in `prepare` what is to be fitted and in `draw` how samples
    are drawn: written with `keras.ops` and an `Engine`, so that a SavedModel can draw likewise.
    """

    model = None
    base = None  # the sampler whose draws it changes, where it has one
    acceptance = None  # the share of proposals that were accepted, where there are such
    exported = True  # whether a SavedModel can draw likewise
    by_critic = False  # whether it asks an image critic that judges one point at a time

    def fit(self, model, seen, held_out, seed=0):
        """Fits it to a game.

        Args:
            model: A `Game`.
            seen: Points of training, float32 `(n, *data_shape)`.
            held_out: Points that training has not seen.
            seed: Integer seed of the samples that are drawn for it.
        """
        self.model = model
        self.prepare(seen, held_out, seed)

    def prepare(self, seen, held_out, seed):
        """Finds what `draw` needs."""

    def attach(self, model):
        """Takes a game again, after it was unpickled."""
        self.model = model
        if self.base is not None:
            self.base.attach(model)

    def __getstate__(self):
        """What was fitted, without the game: another process has its own."""
        return {name: value for name, value in vars(self).items() if name != "model"}

    def draw(self, engine, n, seed):
        """Draws `n` samples.

        Args:
            engine: An `Engine`, which calls networks.
            n, seed: Integers, or scalar tensors.

        Returns:
            Tensor or array `(n, *data_shape)`, float32.
        """
        raise NotImplementedError

    def sample(self, n, seed=None, batch_size=500):
        """Draws `n` samples; see `Game.sample`."""
        return ops.convert_to_numpy(self.draw(Engine(self.model, batch_size), n, fresh_seed(seed)))

    def about(self):
        """What a record says of it, a dictionary by name."""
        return {} if self.acceptance is None else {"sampler_acceptance": float(self.acceptance)}


class Prior(Sampler):
    """G(z), z ~ p(z)."""

    def draw(self, engine, n, seed):
        return engine.decode(engine.normal((n, self.model.latent_dim), seed))


class Sampled:
    """A game whose samples are those of a sampler: for metrics and pictures.

    Args:
        model: A `Game`, which has all else.
        sampler: The name of a sampler that was fitted to it.
    """

    def __init__(self, model, sampler):
        self._model = model
        self._sampler = sampler

    def __getattr__(self, name):
        if name.startswith("_"):  # of a copy that has no model yet
            raise AttributeError(name)
        return getattr(self._model, name)

    def sample(self, n, seed=None, batch_size=500):
        """Draws `n` samples; see `Game.sample`."""
        return self._model.sample(n, seed, batch_size, self._sampler)


class Engine:
    """Calls networks on arrays, in batches, and repeats what a draw repeats.

    Args:
        model: A `Game`.
        batch_size: How many rows a network takes at a time, or more where they are small.
    """

    def __init__(self, model, batch_size=500):
        self.model = model
        numbers = int(np.prod(model.data_shape))
        self.batch_size = max(batch_size, LEAST // numbers)  # a call costs more than small rows

    def decode(self, z):
        """G(z) of an array or tensor."""
        return self.call(self.model.inference_network("generator"), z)

    def call(self, network, x):
        """What a network makes of an array or tensor, float32."""
        return predict(network, ops.convert_to_numpy(x), self.batch_size).astype("float32")

    def normal(self, shape, seed, stream=0):
        """Standard normal noise; those of several streams of a seed are independent."""
        return standard_normal(shape, shifted(seed, stream))

    def repeat(self, count, step, state):
        """`state = step(i, state)` for i from 0 to `count - 1`."""
        for i in range(count):
            state = step(i, state)
        return state

    def either(self, condition, one, other):
        """`one()` or `other()`, by a condition."""
        return one() if bool(condition) else other()


def points_of(model, data, most):
    """Points of training, and points that it has not seen: at most that many, float32.

    Args:
        model: A `Game`.
        data: A data set, or an array that stands for both.

    Raises:
        BadInput: If they are not like those that the game is trained on.
    """
    if hasattr(data, "points"):
        held_out = np.asarray(data.points(most), "float32")
        return (data.seen(most) if hasattr(data, "seen") else held_out), held_out
    x = np.asarray(data)
    if x.shape[1:] != model.data_shape or x.dtype.kind != "f":
        raise BadInput(
            f"a sampler is fitted to floats of the shape (n, {str(model.data_shape)[1:]}, scaled "
            f"as for training, images to [-1, 1]. Received: {x.dtype} {x.shape}"
        )
    x = x[sample(len(x), most)].astype("float32")
    return x, x


def uniform(noise):
    """Standard normal noise as uniform noise in [0, 1]."""
    return 0.5 * (1 + ops.erf(ops.cast(noise, "float32") / np.float32(np.sqrt(2))))


def flat(x):
    """Points as rows, `(n, d)`."""
    return np.asarray(x, "float64").reshape(len(x), -1)
