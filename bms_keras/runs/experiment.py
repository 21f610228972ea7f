"""From a config to a model and its data, for `train.py` and `eval.py` alike."""

import collections
import contextlib
import dataclasses
import random

import keras
import numpy as np

from bms_keras import data, methods, networks
from bms_keras.errors import BadInput
from bms_keras.game import Game
from bms_keras.game.optimizers import HoldThenDecay
from bms_keras.runs import memory
from bms_keras.runs.config import complete
from bms_keras.runs.schema import JIT_COMPILE, PRECISIONS


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A compiled model and its data."""

    model: Game
    data: object


def build(config, source=None):
    """Builds what a config describes.

    Args:
        config: A `ConfigDict` as `bms_keras.runs.config.default_config` makes them.
        source: Its data set; opened if it is not given.

    Returns:
        An `Experiment`.

    Raises:
        BadInput: If a value is out of range or values do not fit each other.
    """
    config = complete(config)
    keras.config.set_image_data_format("channels_last")  # as data are, whatever keras.json says
    method = methods.get(config.method)
    declared = None
    if source is None:
        if declared := data.declared(config.data):
            _check(config, *declared)  # before data are decoded, which may take long
        source = data.load(config.data, config.batch_size, config.seed)
    if (source.kind, source.shape) != declared:
        _check(config, source.kind, source.shape)
    model = _game(config, source.shape)
    if config.batch_size % model.batch_multiple:
        raise BadInput(
            "config.batch_size must be a multiple of objective.pack, times posterior_stride where "
            f"there is one: of {model.batch_multiple}. Received: {config.batch_size}"
        )
    turns = collections.Counter(player.name for player in model.players())
    if turns.keys() != {*method.players}:  # else what a config sets of a player is dropped
        raise BadInput(
            f"the method {config.method!r} must name its players by turns=({', '.join(turns)}). "
            f"Received: {', '.join(method.players)}"
        )
    model.compile(
        {player: _optimizer(config, player, count) for player, count in turns.items()},
        jit_compile=JIT_COMPILE[config.jit_compile],
        steps_per_execution=config.steps_per_execution,
    )
    return Experiment(model, source)


def _game(config, shape):
    """The game that a config describes, with networks for data of a shape."""
    method = methods.get(config.method)
    with _seeded(config.seed), _dtype_policy(PRECISIONS[config.precision]):
        nets = networks.build(config.networks, shape, **method.networks_asked(config.objective))
    try:
        return method.build(
            nets,
            samples=config.samples,
            gradient=config.gradient,
            steps=config.steps,
            **config.objective.to_dict(),
            ema=config.ema,
            seed=config.seed,
        )
    except ValueError as error:
        raise BadInput(f"config.objective does not fit: {error}") from error


@contextlib.contextmanager
def _seeded(seed):
    """Draws initial weights by a seed; what a user has seeded goes on as it was.

    Keras's initializers and seed generators draw their own seeds from Python's. It is done without
    `keras.utils.set_random_seed`, which imports TensorFlow, on JAX, too: seconds at each start.
    """
    states = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(seed)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])


def _check(config, kind, shape):
    """Refuses data that are not for the method, and networks for them that cannot fit."""
    needed = methods.get(config.method).kind
    if needed not in (None, kind):
        raise BadInput(f"the method {config.method!r} needs data of the kind {needed!r}")
    memory.check(config, shape)


def _optimizer(config, player, turns):
    """The optimizer of a player that has so many turns a step."""
    fields = config.optimizer
    own = fields.players.get(player, {})
    player = "image_critic" if player == "joint_critic" else player  # it, too, judges data
    values = {
        "learning_rate": fields.get(f"{player}_learning_rate", fields.learning_rate),
        "beta_1": fields.beta_1,
        "beta_2": fields.beta_2,
        "final": max(fields.final, fields.get(f"{player}_final", 0.0)),
    }
    values |= {name: value for name, value in own.items() if value >= 0}
    rate = values["learning_rate"]
    if fields.hold < 1:
        rate = HoldThenDecay(rate, turns * config.steps, fields.hold, values["final"])
    return keras.optimizers.Adam(rate, values["beta_1"], values["beta_2"])


@contextlib.contextmanager
def _dtype_policy(policy):
    """Keras's global dtype policy, for the length of a `with` block."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
