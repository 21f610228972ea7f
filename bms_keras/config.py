"""The fields of a config, what they are at first, and what they may be."""

import dataclasses

from ml_collections import ConfigDict

from bms_keras import methods, metrics, strategies
from bms_keras.errors import BadInput

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
                "background": 255,  # grey level that shows through transparent images
                "accept_changes": False,  # go on with other data than a run was trained on
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
                "image_critic_final": 0.0,  # the image critic's falls no further than to this
            },
            "checkpoint_every": 1000,
            "keep": 3,  # so many of the last checkpoints
            "best_by": "",  # and the best: "max:NAME" or "min:NAME" of what is measured in training
            "on_nan": "stop",  # or "rollback": to the last checkpoint, with new noise,
            "max_rollbacks": 3,  # so many times
            "eval_every": 0,  # 0: not while training
            "eval_metrics": (),  # what is measured then; `eval.py` measures whatever applies
            "protocol": dataclasses.asdict(metrics.Protocol()),
            "strategy": "none",  # or, over several devices, "mirrored" or "data_parallel"
            "steps_per_execution": 1,
            "jit_compile": "auto",
        }
    )


def validate(config):
    """Checks what can be checked before anything is built or written.

    Raises:
        BadInput: Naming the field, what was received and what would be right.
    """
    if missing := _missing(config):
        raise BadInput(f"the config lacks {', '.join(missing)}")
    methods.get(config.method)
    for name in config.eval_metrics:
        metrics.get(name)
    rules = RULES | {f"networks.{name}": NETWORKS.get(name, SIZES) for name in config.networks}
    for field, (fits, expected) in rules.items():
        value = config
        for part in field.split("."):
            value = value[part]
        if not fits(value):
            raise BadInput(f"config.{field} must be {expected}. Received: {value!r}")
    if config.best_by and not (config.eval_every and config.eval_metrics):
        raise BadInput("config.best_by needs config.eval_every and config.eval_metrics")


def _missing(config):
    """The fields that every config has and this one lacks; one that was read may lack any."""
    every = default_config(next(iter(methods.METHODS)))
    parts = [("", every, config)]
    parts += [
        (f"{name}.", every[name], config.get(name, {}))
        for name in ("data", "optimizer", "protocol")
    ]
    return [prefix + name for prefix, there, here in parts for name in there if name not in here]


# What a field may be: a function that says whether a value fits, and what would be right.


def _integer(least):
    fits = lambda value: type(value) is int and value >= least  # noqa: E731  (no bool)
    return fits, f"an integer of at least {least}"


def _one_of(choices):
    return lambda value: value in choices, " or ".join(map(repr, choices))


def _sizes(value):
    sizes = value if isinstance(value, (tuple, list)) else (value,)
    return all(isinstance(size, str) or size > 0 for size in sizes)


def _best_by(value):
    best_is, _, name = value.partition(":")
    return not value or (best_is in ("max", "min") and bool(name))


SIZES = _sizes, "above 0"
# Fields of networks that are no sizes.
NETWORKS = {"max_gain": (lambda value: value == 0 or value > 1, "above 1, or 0 for no gains")}
ABOVE_0 = lambda value: value > 0, "above 0"
SHARE = lambda value: 0 <= value <= 1, "in [0, 1]"
MOMENTUM = lambda value: 0 <= value < 1, "in [0, 1)"
RULES = {
    "seed": _integer(0),
    "steps": _integer(1),
    "batch_size": _integer(1),
    "samples": _integer(1),
    "gradient": _one_of(("selected", "all")),
    "precision": _one_of(PRECISIONS),
    "ema": (MOMENTUM[0], "in [0, 1), 0 for none"),
    "data.resolution": _integer(0),
    "data.channels": (lambda value: value in (0, 1, 3), "1, 3, or 0 for the source's"),
    "data.crop": _integer(0),
    "data.background": (lambda value: type(value) is int and 0 <= value <= 255, "in 0 to 255"),
    "data.accept_changes": _one_of((True, False)),
    "data.held_out": (lambda value: 0 < value < 1, "in (0, 1)"),
    "optimizer.learning_rate": ABOVE_0,
    "optimizer.image_critic_learning_rate": ABOVE_0,
    "optimizer.latent_critic_learning_rate": ABOVE_0,
    "optimizer.beta_1": MOMENTUM,
    "optimizer.beta_2": MOMENTUM,
    "optimizer.hold": SHARE,
    "optimizer.final": SHARE,
    "optimizer.image_critic_final": SHARE,
    "checkpoint_every": _integer(1),
    "keep": _integer(1),
    "best_by": (_best_by, "'', 'max:NAME' or 'min:NAME'"),
    "on_nan": _one_of(("stop", "rollback")),
    "max_rollbacks": _integer(0),
    "eval_every": _integer(0),
    "protocol.real": _integer(2),
    "protocol.generated": _integer(2),
    "protocol.ivom_images": _integer(2),
    "strategy": _one_of(strategies.NAMES),
    "steps_per_execution": _integer(1),
    "jit_compile": _one_of(JIT_COMPILE),
}
