"""From a config to a model and its data, for `train.py` and `eval.py` alike."""

import collections
import contextlib
import dataclasses

import keras
from ml_collections import ConfigDict

from bms_keras import data, methods, metrics, networks
from bms_keras.errors import BadInput
from bms_keras.game import Game
from bms_keras.optimizers import HoldThenDecay

JIT_COMPILE = {"auto": "auto", "on": True, "off": False}
PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}


def default_config(method, **objective):
    """The fields that every config has, for a file in `configs/` to fill in.

    Args:
        method: Name in the registry.
        **objective: What a data set asks of the objective; fields that the method lacks are
            left out.

    Raises:
        BadInput: If the method is unknown.
    """
    entry = methods.get(method)
    known = {key: value for key, value in objective.items() if key in entry.objective}
    return ConfigDict(
        {
            "method": method,
            "seed": 0,
            "steps": 100_000,
            "batch_size": 64,
            "samples": entry.samples or 1,
            "gradient": "selected",
            "precision": "float32",
            "ema": 0.0,
            "data": {
                "source": "",  # "grid", "ring", "tfds:NAME", an .npz or a folder of images
                "resolution": 0,  # 0: as the source has it
                "channels": 0,
                "crop": 0,  # side of the central square that is kept; 0: the largest
                "held_out": 0.1,  # share kept for the metrics where there is no test split
                "skip_broken": False,  # leave out, and count, files that are no images
            },
            "networks": {"family": "", "latent_dim": 100},
            "objective": entry.objective | known,
            "optimizer": {
                "learning_rate": 2e-4,  # of R and G
                "image_critic_learning_rate": 2e-4,
                "latent_critic_learning_rate": 2e-4,
                "beta_1": 0.0,
                "beta_2": 0.9,
                "hold": 1.0,  # share of the steps at the full rate; then linearly to
                "final": 0.0,  # this share of the rate
            },
            "checkpoint_every": 1000,
            "keep": 3,  # so many of the last checkpoints
            "best_by": "",  # and the best: "max:NAME" or "min:NAME" of what is measured in training
            "on_nan": "stop",  # or "rollback": to the last checkpoint, with new noise,
            "max_rollbacks": 3,  # so many times
            "eval_every": 0,  # 0: not while training
            "eval_metrics": (),  # what is measured then; `eval.py` measures whatever applies
            "protocol": dataclasses.asdict(metrics.Protocol()),
            "strategy": "none",
            "steps_per_execution": 1,
            "jit_compile": "auto",
        }
    )


def validate(config):
    """Checks what can be checked before anything is built or written.

    Raises:
        BadInput: Naming the field, what was received and what would be right.
    """

    def require(condition, field, expected):
        if not condition:
            value = config
            for part in field.split("."):
                value = value[part]
            raise BadInput(f"config.{field} must be {expected}. Received: {value!r}")

    if missing := _missing(config):
        raise BadInput(f"the config lacks {', '.join(missing)}")
    methods.get(config.method)
    for field in (
        "steps",
        "batch_size",
        "samples",
        "checkpoint_every",
        "steps_per_execution",
        "keep",
    ):
        require(_is_int(config[field]) and config[field] >= 1, field, "an integer of at least 1")
    for field in ("seed", "eval_every", "max_rollbacks"):
        require(_is_int(config[field]) and config[field] >= 0, field, "an integer of at least 0")
    require(config.gradient in ("selected", "all"), "gradient", "'selected' or 'all'")
    require(config.precision in PRECISIONS, "precision", f"one of {', '.join(PRECISIONS)}")
    require(config.on_nan in ("stop", "rollback"), "on_nan", "'stop' or 'rollback'")
    best_by = config.best_by.partition(":")
    require(
        not config.best_by or (best_by[0] in ("max", "min") and best_by[2]),
        "best_by",
        "'' or 'max:NAME' or 'min:NAME'",
    )
    if config.best_by and not (config.eval_every and config.eval_metrics):
        raise BadInput("config.best_by needs config.eval_every and config.eval_metrics")
    require(config.strategy == "none", "strategy", "'none'")
    require(config.jit_compile in JIT_COMPILE, "jit_compile", f"one of {', '.join(JIT_COMPILE)}")
    require(0 <= config.ema < 1, "ema", "in [0, 1), 0 for none")
    for field in ("hold", "final"):
        require(0 <= config.optimizer[field] <= 1, f"optimizer.{field}", "in [0, 1]")
    for name in config.eval_metrics:
        metrics.get(name)
    for field in ("real", "generated", "ivom_images"):
        value = config.protocol[field]
        require(_is_int(value) and value >= 2, f"protocol.{field}", "an integer of at least 2")
    require(0 < config.data.held_out < 1, "data.held_out", "in (0, 1)")
    for field in ("resolution", "crop"):
        require(
            _is_int(config.data[field]) and config.data[field] >= 0, f"data.{field}", "0 or more"
        )
    require(config.data.channels in (0, 1, 3), "data.channels", "1, 3, or 0 for the source's")
    for field in ("beta_1", "beta_2"):
        require(0 <= config.optimizer[field] < 1, f"optimizer.{field}", "in [0, 1)")
    for field, value in config.networks.items():
        sizes = value if isinstance(value, (tuple, list)) else (value,)
        positive = all(isinstance(size, str) or size > 0 for size in sizes)
        require(positive, f"networks.{field}", "above 0")
    for field in config.optimizer:
        if field.endswith("learning_rate"):
            require(config.optimizer[field] > 0, f"optimizer.{field}", "above 0")


def _is_int(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _missing(config):
    """The fields that every config has and this one lacks; one that was read may lack any."""
    every = default_config(next(iter(methods.METHODS)))
    parts = [("", every, config)]
    parts += [(f"{name}.", every[name], config.get(name, {})) for name in ("data", "optimizer")]
    return [prefix + name for prefix, there, here in parts for name in there if name not in here]


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A compiled model and its data."""

    model: Game
    data: object


def build(config):
    """Builds what a config describes.

    Args:
        config: A `ConfigDict` as `default_config` makes them.

    Returns:
        An `Experiment`.

    Raises:
        BadInput: If a value is out of range or values do not fit each other.
    """
    validate(config)
    keras.utils.set_random_seed(config.seed)  # the initial weights
    method = methods.get(config.method)
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
    if fields.hold < 1:
        rate = HoldThenDecay(rate, turns * config.steps, fields.hold, fields.final)
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
