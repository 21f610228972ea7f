"""Several devices of one host on TensorFlow: `tf.distribute.MirroredStrategy`.

Each replica plays the turns on its rows of a batch. Noise, batch statistics, gradients and logs are
those of the whole batch; `u` of spectral normalisation and the moving averages are computed from
mirrored weights, so they are the same on each. What couples the rows of a batch in a loss, a
nonlinear function of batch means say, has to pass through `mean_over_replicas`.
"""

import contextlib

import tensorflow as tf

from bms_keras.errors import BadInput, without_greetings

STRATEGY = "mirrored"
WHOLE_BATCH = False  # what a loss is given: a replica's rows of the batch
# Keras cannot repeat a step of several optimizers in one call here, nor compile it with XLA.
LIMITS = {"steps_per_execution": 1, "jit_compile": "off"}


def replicas():
    """How many replicas share a batch in the strategy that is in force."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def batch_noise(draw, shape, axis):
    """Noise for a batch: of that which is drawn for the whole of it, this replica's rows.

    Args:
        draw: Function of a shape.
        shape: The shape of this replica's part; integers or scalar tensors.
        axis: The axis of `shape` that counts the data points.
    """
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return draw(shape)
    rows = shape[axis]
    whole = draw((*shape[:axis], rows * context.num_replicas_in_sync, *shape[axis + 1 :]))
    first = tf.cast(context.replica_id_in_sync_group, tf.int32) * rows
    return tf.gather(whole, first + tf.range(rows), axis=axis)


def shard(x, axis=0):
    """The tensor: a replica has its own rows only."""
    return x


def mean_over_replicas(values):
    """The mean over the replicas of each tensor of a structure, in which `None` stays."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return values
    known = [tf.convert_to_tensor(v) for v in tf.nest.flatten(values) if v is not None]
    means = iter(context.all_reduce(tf.distribute.ReduceOp.MEAN, known))
    return tf.nest.map_structure(lambda v: None if v is None else next(means), values)


def devices():
    """The devices that the strategy spreads over: all GPUs, or without one the logical CPUs."""
    with without_greetings():  # this may be what first looks for them
        found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return [device.name for device in found]


def scope():
    """A context in which models are built for all devices."""
    # Not by the collective operations of the default, which replicas may start in another order:
    # with batch normalisation they then wait for different ones.
    on_gpus = bool(tf.config.list_logical_devices("GPU"))
    reduction = tf.distribute.NcclAllReduce() if on_gpus else tf.distribute.ReductionToOneDevice()
    return tf.distribute.MirroredStrategy(devices(), reduction).scope()


# There is only one process; see `bms_keras.distribution.jax`.


@contextlib.contextmanager
def initialize(coordinator, processes, process):
    if coordinator or processes is not None or process is not None:
        raise BadInput("--coordinator needs the JAX backend: set KERAS_BACKEND=jax")
    yield


def is_alone():
    return True


def is_first():
    return True


def any_process(flag):
    return bool(flag)


def same_everywhere(number):
    return True


def local_rows(batches):
    return batches


def run_locally(callbacks):
    return callbacks


single_device = contextlib.nullcontext  # a context of a model
