"""A game: networks that players train in turns, as one `keras.Model`."""

import dataclasses
from collections.abc import Callable
from typing import ClassVar

import keras
import numpy as np

from bms_keras import distribution
from bms_keras.backends import GRADIENT_NORM, TakesTurns, standard_normal, without_tensorflow
from bms_keras.game.fitting import Fits
from bms_keras.game.plotting import Plots
from bms_keras.game.saving import Saves
from bms_keras.game.using import Used
from bms_keras.layers import spectrally_normalized
from bms_keras.networks.adopted import functional

AVERAGED = ("recognition", "generator")  # the networks that `ema` applies to


@dataclasses.dataclass(frozen=True)
class Player:
    """The networks that one optimizer trains together, and their loss.

    Args:
        name: Names the player's optimizer and its logs.
        networks: The networks whose variables this player, and no other, moves.
        loss: Function of a batch of data that returns a scalar to minimise and a dictionary of
            named scalars to log. It may call any network and has no side effects but those of
            layers (seeds, batch statistics).
    """

    name: str
    networks: tuple[keras.Model, ...]
    loss: Callable

    @property
    def trainable_variables(self):
        return [v for network in self.networks for v in network.trainable_variables]


class Game(TakesTurns, Fits, Saves, Used, Plots, keras.Model):
    """A `keras.Model` whose `train_step` lets players take turns.

    A method derives from this class, hands its networks to the constructor and says in
    `players()` who plays, in which order, for which loss. Gradients, optimizers, logs, moving
    averages, saving and sampling are the game's business, on every backend.

    Args:
        networks: Dictionary of Keras models by name, each built or called once; `None` values are
            left out. There is always a "generator", from latents of shape `(batch, latent_dim)` to
            data; a "recognition" network, if any, goes from data to `(batch, 2 * latent_dim)`: the
            mean and the log-variance of q(z|x), side by side.
        ema: Momentum in [0, 1) of moving averages of the generator's and the recognition
            network's weights, which `sample`, `encode` and `reconstruct` then use. 0 for none.
        seed: Integer seed of the noise drawn in training.

    Raises:
        ValueError: If the shape of a network's input is not known, if the networks do not fit
            together, or if `ema` is out of range.
    """

    def __init__(self, networks, ema=0.0, seed=None, **kwargs):
        super().__init__(**kwargs)
        self._kept = ()  # the names of arguments
        if not 0 <= ema < 1:
            raise ValueError(f"ema must be in [0, 1), with 0 for none. Received: ema={ema}")
        self.networks = {
            name: functional(network, name)
            for name, network in networks.items()
            if network is not None
        }
        for name in networks:
            setattr(self, name, self.networks.get(name))
        self._check_shapes()
        self.ema = ema
        self.averages = {
            name: _frozen_copy(self.networks[name])
            for name in AVERAGED
            if ema and name in self.networks
        }
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.trackers = {}
        self.samplers = {}  # by name; see `bms_keras.sampling`
        self.built = True
        for network in self.networks.values():
            for layer in spectrally_normalized(network):
                layer.settle()  # so that sigma is right from the first step on

    def _check_shapes(self):
        """Refuses networks that do not fit together."""
        latent, data = self.generator.input_shape[1:], self.data_shape
        expected = {  # by network: shape of the input, of the output
            "recognition": (data, (2 * self.latent_dim,)),
            "image_critic": ((*data[:-1], self.pack * data[-1]), None),
            "latent_critic": (latent, (1,)),
            "autoencoder": (data, data),
        }
        for name, shapes in expected.items():
            if name not in self.networks:
                continue
            network = self.networks[name]
            found = tuple(network.input_shape[1:]), tuple(network.output_shape[1:])
            for side, shape, right in zip(("input", "output"), found, shapes, strict=True):
                if right is not None and not _fits(shape, tuple(right)):
                    raise ValueError(
                        f"the {side} of the network {name!r} must have the shape {tuple(right)}, "
                        f"as G goes from {tuple(latent)} to {data}. Received: {shape}"
                    )

    # What a method says.

    has_posterior = False  # whether R gives q(z|x): see `Autoencoding`
    pack = 1  # how many data points an image critic takes together: see `StandardCriticLoss`
    RULES: ClassVar = {}  # of arguments that a config may set: see `bms_keras.fields`, and a line

    @classmethod
    def rules(cls):
        """`RULES` of the class and of those that it derives from."""
        found = {}
        for each in reversed(cls.__mro__):
            found |= vars(each).get("RULES", {})
        return found

    def require(self, **arguments):
        """Refuses arguments that do not fit their rules.

        Raises:
            ValueError: Naming the argument, what was received and what would be right.
        """
        for name, value in arguments.items():
            value = value.item() if isinstance(value, np.generic) else value
            if expected := self.rules()[name][0](value):
                raise ValueError(f"{name} must be {expected}. Received: {name}={value!r}")

    def keep(self, **arguments):
        """Checks arguments by their rules; keeps them as attributes and in `get_config`.

        Raises:
            ValueError: See `require`.
        """
        self.require(**arguments)
        for name, value in arguments.items():
            setattr(self, name, tuple(value) if isinstance(value, list) else value)
        self._kept += tuple(arguments)

    def players(self):
        """The players in the order of their turns in a step.

        One may be listed several times; each of its turns then takes a batch of its own.
        """
        raise NotImplementedError

    # Training.

    @property
    def metrics(self):
        return [*self.trackers.values(), self.first_nonfinite] if self.trackers else []

    def track(self, player, loss, terms, gradients=None):
        """Logs a turn; "loss" sums the players' losses, for callbacks that watch that name."""
        self.trackers["loss"].update_state(loss * len(list(self.players())))
        values = {**terms, "loss": loss}
        if gradients is not None:
            values[GRADIENT_NORM] = self.optimizer.gradient_norm(player.name, gradients)
        values = {f"{player.name}/{name}": value for name, value in values.items()}
        for name, value in values.items():
            self.trackers[name].update_state(value)
        self.first_nonfinite.update_state(values, self.optimizer.iterations)

    def evaluated(self):
        """The logs of `evaluate`, which takes no gradients."""
        logs = self.get_metrics_result()
        return {name: value for name, value in logs.items() if not name.endswith(GRADIENT_NORM)}

    def begin_turn(self, player):
        """One power iteration for each spectrally normalised layer that the player trains."""
        for network in player.networks:
            for layer in spectrally_normalized(network):
                layer.power_iteration()

    def end_step(self):
        """Counts the step and moves the averages."""
        self.optimizer.iterations.assign_add(1)
        for name, average in self.averages.items():
            for mean, weight in zip(average.weights, self.networks[name].weights, strict=True):
                mean.assign(self.ema * mean + (1 - self.ema) * weight)

    def reseed(self, seed):
        """Starts the noise of training anew, from an integer seed."""
        self.seed_generator.state.assign(keras.random.SeedGenerator(seed).state)

    # What losses draw.

    def prior(self, *shape):
        """Samples of p(z) = N(0, I) for training, of shape `(*shape, latent_dim)`.

        The last axis of `shape` counts the data points.
        """
        draw = lambda shape: standard_normal(shape, self.seed_generator)  # noqa: E731
        return distribution.batch_noise(draw, (*shape, self.latent_dim), axis=len(shape) - 1)

    def decode(self, z):
        """G(z) in training."""
        return self.generator(z, training=True)

    def generated(self, x):
        """As many samples G(z), z ~ p(z), as there are data points in `x`."""
        return self.decode(self.prior(keras.ops.shape(x)[0]))


def _fits(shape, right):
    """Whether a shape is the right one, where it is known."""
    pairs = zip(shape, right, strict=False)
    return len(shape) == len(right) and all(side in (None, known) for side, known in pairs)


def _frozen_copy(network):
    try:
        with without_tensorflow():
            copy = keras.models.clone_model(network)
    except NotImplementedError as error:
        raise ValueError(
            "moving averages (ema) need networks that can be copied: give the layer or model "
            f"get_config and from_config. Received: {network.name} ({error})"
        ) from None
    copy.set_weights(network.get_weights())
    copy.trainable = False
    return copy
