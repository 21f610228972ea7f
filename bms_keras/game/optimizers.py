"""The players' optimizers, seen by Keras as one, and their learning rates."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("bms_keras")
class HoldThenDecay(keras.optimizers.schedules.LearningRateSchedule):
    """A rate that is held for a share of the steps and then falls linearly.

    Args:
        rate: The rate that is held.
        steps: The number of steps after which the rate falls no more.
        hold: The share of them at the full rate, in [0, 1).
        final: What it falls to, as a share of `rate`.
    """

    def __init__(self, rate, steps, hold, final=0.0):
        self.rate, self.steps, self.hold, self.final = rate, steps, hold, final

    def __call__(self, step):
        left = (1 - ops.cast(step, "float32") / self.steps) / (1 - self.hold)
        return self.rate * (self.final + (1 - self.final) * ops.clip(left, 0.0, 1.0))

    def get_config(self):
        return {name: getattr(self, name) for name in ("rate", "steps", "hold", "final")}


def for_players(given, players, scaled=False):
    """What `compile` was given, as the optimizers of the players.

    Args:
        given: `PlayerOptimizers`; a dictionary by player of optimizers or their names; one
            optimizer or name, of which each player gets a copy; or `None` for the paper's Adam,
            with a rate of 2e-4, beta_1 = 0, beta_2 = 0.9.
        players: The players' names.
        scaled: Whether float16 needs a `LossScaleOptimizer` around each.

    Returns:
        `PlayerOptimizers`.

    Raises:
        ValueError: If the names are not those of the players, if an optimizer is none that Keras
            knows, or if one keeps moving averages of the weights itself.
    """
    found = getattr(given, "by_player", given)
    if not isinstance(found, dict):
        found = {name: _fresh(found) for name in players}
    if set(found) != set(players):
        raise ValueError(
            f"optimizers must name the players {sorted(players)}. Received: {sorted(found)}"
        )
    found = {name: keras.optimizers.get(optimizer) for name, optimizer in found.items()}
    for name, optimizer in found.items():
        if getattr(optimizer, "use_ema", False):
            raise ValueError(
                f"the optimizer of {name!r} has use_ema=True: a game keeps moving averages itself, "
                "give it ema=0.999, say"
            )
    if scaled:
        found = {name: _scaled(optimizer) for name, optimizer in found.items()}
    if isinstance(given, PlayerOptimizers) and given.by_player == found:
        return given  # with its state
    return PlayerOptimizers(found)


def _fresh(optimizer):
    """A new optimizer, like the given one."""
    if optimizer is None:
        return keras.optimizers.Adam(2e-4, beta_1=0.0, beta_2=0.9)
    optimizer = keras.optimizers.get(optimizer)
    return type(optimizer).from_config(optimizer.get_config())


def _scaled(optimizer):
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return optimizer
    return keras.optimizers.LossScaleOptimizer(optimizer)


@keras.saving.register_keras_serializable("bms_keras")
class PlayerOptimizers(keras.optimizers.Optimizer):
    """One optimizer a player, in the shape of a single Keras optimizer.

    Keras saves, restores and (on JAX) threads through a step what `model.optimizer.variables`
    lists. This class lists the variables of all the players' optimizers there, so that callbacks,
    `model.save` and both backends treat them as they treat any optimizer. Its own `iterations`
    counts the steps of the game; each player's optimizer counts that player's turns.

    Args:
        by_player: Dictionary from a player's name to its own `keras.optimizers.Optimizer`.

    Raises:
        ValueError: If two players share an optimizer.

    Example:

    >>> both = PlayerOptimizers({"generator": keras.optimizers.Adam(2e-4, beta_1=0.0),
    ...                          "image_critic": keras.optimizers.Adam(2e-4, beta_1=0.0)})
    >>> both["generator"].learning_rate
    """

    def __init__(self, by_player, name="players"):
        super().__init__(learning_rate=0.0, name=name)  # that rate is never used
        if len({id(optimizer) for optimizer in by_player.values()}) < len(by_player):
            raise ValueError(f"Each player needs an optimizer of its own. Received: {by_player}")
        # Not `self.optimizers`, by which Keras's callbacks know their own MultiOptimizer.
        self.by_player = dict(by_player)
        rates = [float(ops.convert_to_numpy(o.learning_rate)) for o in by_player.values()]
        self._ratios = [rate / rates[0] if rates[0] else 1.0 for rate in rates]

    def __getitem__(self, player):
        return self.by_player[player]

    def build(self, trainable_variables):
        """Builds each player's optimizer.

        Args:
            trainable_variables: Dictionary from a player's name to the variables it trains. A
                flat list, which Keras passes when it loads a saved model, is accepted once the
                optimizers are built.
        """
        if self.built:
            return
        for player, variables in trainable_variables.items():
            self.by_player[player].build(variables)
        self.built = True

    def gradient_norm(self, player, gradients):
        """The Euclidean length of a player's gradients, before its optimizer takes them.

        A `LossScaleOptimizer` leaves out a step whose scaled gradients overflow, and tries a
        smaller scale: such a step counts as 0.
        """
        squares = [ops.sum(ops.square(ops.cast(g, "float32"))) for g in gradients if g is not None]
        optimizer = self.by_player[player]
        norm = ops.sqrt(sum(squares))
        if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
            scale = ops.cast(optimizer.dynamic_scale, "float32")
            norm = ops.where(ops.isfinite(norm), norm / scale, 0.0)
        return norm

    @property
    def learning_rate(self):
        """The first player's learning rate; the others keep their ratio to it when it is set."""
        return next(iter(self.by_player.values())).learning_rate

    @learning_rate.setter
    def learning_rate(self, value):
        for optimizer, ratio in zip(self.by_player.values(), self._ratios, strict=True):
            optimizer.learning_rate = float(value) * ratio

    @property
    def variables(self):
        own = [self.iterations]
        return own + [v for optimizer in self.by_player.values() for v in optimizer.variables]

    def save_own_variables(self, store):
        store["iterations"] = self.iterations.numpy()  # the players' optimizers save themselves

    def load_own_variables(self, store):
        self.iterations.assign(store["iterations"])

    def finalize_variable_values(self, var_list):
        """Does nothing: moving averages are kept beside the weights by `Game`, not in them."""

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {
            "by_player": {name: serialize(o) for name, o in self.by_player.items()},
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        deserialize = keras.saving.deserialize_keras_object
        config["by_player"] = {
            name: deserialize(o, custom_objects) for name, o in config["by_player"].items()
        }
        return cls(**config)
