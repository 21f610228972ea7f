"""From a config to a model and its data, for `train.py` and `eval.py` alike."""

import collections
import contextlib
import dataclasses

import keras

from bms_keras import data, methods, networks
from bms_keras.config import JIT_COMPILE, PRECISIONS, validate
from bms_keras.errors import BadInput
from bms_keras.game import Game
from bms_keras.optimizers import HoldThenDecay


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A compiled model and its data."""

    model: Game
    data: object


def build(config, source=None):
    """Builds what a config describes.

    Args:
        config: A `ConfigDict` as `bms_keras.config.default_config` makes them.
        source: Its data set; opened if it is not given.

    Returns:
        An `Experiment`.

    Raises:
        BadInput: If a value is out of range or values do not fit each other.
    """
    validate(config)
    keras.utils.set_random_seed(config.seed)  # the initial weights
    method = methods.get(config.method)
    if source is None:
        source = data.load(config.data, config.batch_size, config.seed)
    if method.kind not in (None, source.kind):
        raise BadInput(f"the method {config.method!r} needs data of the kind {method.kind!r}")
    wanted = (method.networks, method.normalization, method.outputs)
    with _dtype_policy(PRECISIONS[config.precision]):
        nets = networks.build(config.networks, source.shape, *wanted)
    try:
        model = method.build(
            nets,
            samples=config.samples,
            gradient=config.gradient,
            **config.objective.to_dict(),
            ema=config.ema,
            seed=config.seed,
        )
    except ValueError as error:
        raise BadInput(f"config.objective does not fit: {error}") from error
    turns = collections.Counter(player.name for player in model.players())
    model.compile(
        {player: _optimizer(config, player, count) for player, count in turns.items()},
        jit_compile=JIT_COMPILE[config.jit_compile],
        steps_per_execution=config.steps_per_execution,
    )
    return Experiment(model, source)


def _optimizer(config, player, turns):
    """The optimizer of a player that has so many turns a step."""
    fields = config.optimizer
    rate = fields.get(f"{player}_learning_rate", fields.learning_rate)
    final = max(fields.final, fields.get(f"{player}_final", 0.0))
    if fields.hold < 1:
        rate = HoldThenDecay(rate, turns * config.steps, fields.hold, final)
    optimizer = keras.optimizers.Adam(rate, fields.beta_1, fields.beta_2)
    if config.precision == "float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


@contextlib.contextmanager
def _dtype_policy(policy):
    """Keras's global dtype policy, for the length of a `with` block."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
