"""Several devices, processes and hosts on JAX: `keras.distribution.DataParallel`.

The step is one program over the whole batch, whose rows lie on all devices of all processes: noise,
batch statistics, losses and gradients are the whole batch's as they stand, and the variables lie on
every device. Every process runs the same program; the first one alone writes.
"""

import contextlib
import os
import sys
import traceback

import jax
import keras
import numpy as np
from jax.experimental import multihost_utils

from bms_keras.errors import BadInput, warn, without_greetings

STRATEGY = "data_parallel"
WHOLE_BATCH = True
LIMITS = {}
LOST = ("Gloo", "UNAVAILABLE", "heartbeat")  # in what JAX says when another process is gone


def replicas():
    """1: a step sees the whole batch, on however many devices it lies."""
    return 1


def batch_noise(draw, shape, axis):
    """Noise for a batch, spread over the devices as the batch is.

    Args:
        draw: Function of a shape.
        shape: Tuple of integers.
        axis: The axis of `shape` that counts the data points.
    """
    return shard(draw(shape), axis)


def shard(x, axis=0):
    """A tensor whose rows along an axis are shared among the devices, each its part.

    The values stay. It is a hint for what does not follow from the layout of the data: of noise,
    and of a batch that is reshaped, every device would otherwise compute the whole.
    """
    distribution = keras.distribution.distribution()
    if distribution is None or x.shape[axis] % distribution.device_mesh.devices.size:
        return x
    axes = [None] * len(x.shape)
    axes[axis] = distribution.batch_dim_name
    layout = keras.distribution.TensorLayout(axes, distribution.device_mesh)
    return keras.distribution.distribute_tensor(x, layout)


def mean_over_replicas(values):
    """The values: they are means over the whole batch already."""
    return values


def devices():
    """All devices of all processes."""
    with without_greetings():  # this may be what first looks for them
        return jax.devices()


def scope():
    """A context in which models are built for all devices and trained on them."""
    return keras.distribution.DataParallel(auto_shard_dataset=False).scope()


# Several processes.


@contextlib.contextmanager
def initialize(coordinator, processes, process):
    """Makes this process one of several, for the length of a `with` block.

    Nothing may have been computed before. When an exception leaves the block the process ends at
    once with status 1: an orderly exit would wait for the others, which wait for this one.

    Args:
        coordinator: HOST:PORT where the first process listens; "auto" for what the cluster's
            environment says (Slurm, Open MPI, Kubernetes, TPU pods); `None` for a single process.
        processes: How many processes there are; `None` for what the environment says.
        process: The number of this one, from 0; `None` for what the environment says.

    Raises:
        BadInput: If a value is missing or out of range.
    """
    if not coordinator:
        if processes is not None or process is not None:
            raise BadInput("--num_processes and --process_id need --coordinator=HOST:PORT")
        yield
        return
    address = None if coordinator == "auto" else coordinator
    if address and (processes is None or process is None or not 0 <= process < processes):
        raise BadInput(
            f"--coordinator={coordinator} needs --num_processes=N and a --process_id from 0 to "
            f"N - 1. Received: {processes} and {process}"
        )
    try:
        keras.distribution.initialize(address, processes, process)
    except (ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise BadInput(
            f"--coordinator={coordinator}: the processes do not meet ({reason})"
        ) from None
    try:
        yield
    except BaseException as error:
        _tell(error)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1)


def _tell(error):
    program = os.path.basename(sys.argv[0])
    if isinstance(error, (BadInput, OSError)):
        warn(f"{program}: {error}")
    elif any(word in str(error) for word in LOST):
        reason = str(error).strip().splitlines()[0]
        warn(
            f"{program}: another process is gone ({reason}); start all of them again: the run goes "
            "on from its last checkpoint"
        )
    else:
        traceback.print_exc()


def is_alone():
    """Whether there is no other process."""
    return jax.process_count() == 1


def is_first():
    """Whether this is the process that writes."""
    return jax.process_index() == 0


def any_process(flag):
    """Whether the flag is set in any process; all of them must ask, and get the same answer."""
    if is_alone():
        return bool(flag)
    return bool(np.any(multihost_utils.process_allgather(np.array(bool(flag)))))


def same_everywhere(number):
    """Whether all processes have the same number; all of them must ask."""
    if is_alone():
        return True
    numbers = multihost_utils.process_allgather(np.array(number, "int32"))
    return bool(np.all(numbers == number))


def local_rows(batches):
    """Of the batches of `fit`, the rows that this process's devices hold."""
    for (x,) in batches:
        rows = len(x) // jax.process_count()
        yield (x[jax.process_index() * rows :][:rows],)


# A process by itself.


def run_locally(callbacks):
    """Callbacks that act at the end of an epoch, made to act by this process alone."""
    return [_Locally(callbacks)] if keras.distribution.distribution() else callbacks


@contextlib.contextmanager
def single_device(model):
    """Lets a process use a model without the others, on one of its devices, in a `with` block.

    What the model's variables are assigned in the block is forgotten after it.
    """
    distribution = keras.distribution.distribution()
    if distribution is None:
        yield
        return
    variables = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
    kept = [(variable, variable._layout, variable.value) for variable in variables]
    keras.distribution.set_distribution(None)
    for variable, _, value in kept:
        variable._layout = None
        variable.assign(np.array(value))  # a copy: `predict` gives its buffers away
    try:
        yield
    finally:
        keras.distribution.set_distribution(distribution)
        for variable, layout, value in kept:
            variable._layout, variable._value = layout, value


class _Locally(keras.callbacks.CallbackList):
    """Callbacks whose `on_epoch_end` finds the model on one device."""

    def on_epoch_end(self, epoch, logs=None):
        with single_device(self.model):
            super().on_epoch_end(epoch, logs)
