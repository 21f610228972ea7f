"""Several devices, processes and hosts, as `config.strategy` asks for them.

"none" is one device; "mirrored" all devices of this host, on TensorFlow; "data_parallel" all
devices of all processes, on JAX. How is in `bms_keras.distribution.tensorflow` and `parallel`.
"""

import contextlib
import math

import keras

from bms_keras import distribution
from bms_keras.errors import BadInput

BACKENDS = {"mirrored": "TensorFlow", "data_parallel": "JAX"}
NAMES = ("none", *BACKENDS)


def scope(config, coupled):
    """A context in which an experiment is built and trained.

    Args:
        config: A valid `ConfigDict`.
        coupled: Whether the method's losses need the whole batch; see `methods.Method`.

    Raises:
        BadInput: If the backend lacks the strategy, if the devices cannot share a batch evenly,
            or if the method needs a batch in one piece and would not get it.
    """
    name, n = config.strategy, len(distribution.devices())
    if name == "none":
        if distribution.is_alone():
            return contextlib.nullcontext()
        raise BadInput("several processes need --config.strategy=data_parallel. Received: 'none'")
    if name != distribution.STRATEGY:
        raise BadInput(
            f"config.strategy={name!r} needs the {BACKENDS[name]} backend; on "
            f"{keras.backend.backend()} it is 'none' or {distribution.STRATEGY!r}"
        )
    parts = {}  # into which each device divides its own rows
    if n > 1 and not distribution.WHOLE_BATCH:
        names = "pack", "posterior_stride"
        parts = {name: config.objective.get(name, 1) for name in names}
    if config.batch_size % (n * math.prod(parts.values())):
        times = [f", times objective.{name}, {part}" for name, part in parts.items() if part > 1]
        raise BadInput(
            f"config.batch_size must be a multiple of {n}, the number of devices{''.join(times)}. "
            f"Received: {config.batch_size}"
        )
    if coupled and n > 1 and not distribution.WHOLE_BATCH:
        raise BadInput(
            f"config.strategy={name!r} cannot play {config.method!r}, whose loss needs the batch "
            "in one piece; on JAX 'data_parallel' can"
        )
    return distribution.scope()


def within_limits(config):
    """The config with what the strategy cannot do left out: fields of speed, not of results."""
    config = config.copy_and_resolve_references()
    config.update(distribution.LIMITS if config.strategy != "none" else {})
    return config


class GlobalEvent:
    """An event that is set for all processes when it is set in one.

    Args:
        event: A `threading.Event` of this process.
    """

    def __init__(self, event):
        self.event = event

    def is_set(self):
        """Whether it is set anywhere; every process must ask, and at the same steps."""
        return distribution.any_process(self.event.is_set())


@contextlib.contextmanager
def on_first_process(context):
    """Enters a context in the first process, for all of them.

    Raises:
        BadInput: In every process, if the first cannot enter.
    """
    with contextlib.ExitStack() as stack:
        refusal = None
        try:
            if distribution.is_first():
                stack.enter_context(context)
        except BadInput as error:
            refusal = error
        if distribution.any_process(refusal is not None):
            raise refusal or BadInput("the first process has given up; see what it says")
        yield
