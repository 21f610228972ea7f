"""How one turn of a game is played, for each Keras backend.

A backend is a mixin, `TakesTurns`, that gives `Game` its `train_step` and `test_step`. Both
backends run the same losses; they differ only in how gradients are taken and state is kept.
"""

import contextlib
import sys

import keras
import numpy as np
from keras.src.utils import module_utils

if keras.backend.backend() == "tensorflow":
    from bms_keras.backends.tensorflow import (
        TakesTurns,
        compile_predict,
        conv_transpose,
        input_gradient,
        one_by_one,
        result_names,
        shared_pass,
        standard_normal,
        value_and_gradient,
    )
elif keras.backend.backend() == "jax":
    from bms_keras.backends.jax import (
        TakesTurns,
        compile_predict,
        conv_transpose,
        input_gradient,
        one_by_one,
        result_names,
        shared_pass,
        standard_normal,
        value_and_gradient,
    )
else:
    raise ImportError(
        "bms_keras runs on the Keras backends 'tensorflow' and 'jax'. "
        f"Received: KERAS_BACKEND={keras.backend.backend()!r}"
    )

STREAM = 2**32  # between the seeds of two streams of noise
GRADIENT_NORM = "gradient_norm"  # what a turn logs beside its loss and the loss's terms

__all__ = [
    "GRADIENT_NORM",
    "TakesTurns",
    "call_for_two",
    "conv_transpose",
    "input_gradient",
    "one_by_one",
    "predict",
    "result_names",
    "shifted",
    "standard_normal",
    "value_and_gradient",
    "without_tensorflow",
]


@contextlib.contextmanager
def without_tensorflow():
    """Keeps Keras from importing TensorFlow, on JAX, in a `with` block that serialises layers.

    Keras asks of each value whether it is one of TensorFlow's, and loads it, for seconds, to know;
    where nobody has imported it, none is.
    """
    lazy = module_utils.tensorflow
    if "tensorflow" in sys.modules or getattr(lazy, "_available", True) is not None:
        yield
        return
    lazy._available = False
    try:
        yield
    finally:
        lazy._available = None


def shifted(seed, streams):
    """The seed of another stream of noise; both are integers, or tensors of them."""
    if isinstance(seed, int) and isinstance(streams, int):  # wraps as a tensor does by itself
        return (seed + streams * STREAM + 2**63) % 2**64 - 2**63
    return keras.ops.cast(seed, "int64") + keras.ops.cast(streams, "int64") * STREAM


def call_for_two(network, x):
    """What a network makes of its input in training, for two readers, by one pass.

    The gradient of the first reader reaches x and the weights, that of the second the weights
    alone. They are those of two passes, one of them of `stop_gradient(x)`, at two thirds of the
    cost: going back, the weights' gradient is taken once, of the sum of both.

    Args:
        network: Built Keras model of one input and one output.
        x: Tensor `(batch, ...)`.

    Returns:
        The network's output, twice.

    Example:

    >>> z = keras.ops.zeros((8, 4))
    >>> best, least_realistic = call_for_two(generator, z)
    >>> best.shape == least_realistic.shape
    True
    """

    def call(weights, x):
        return network.stateless_call(weights, state, x, training=True)

    weights = [variable.value for variable in network.trainable_variables]
    state = [variable.value for variable in network.non_trainable_variables]
    outputs, updated = shared_pass(call, weights, x)
    for variable, value in zip(network.non_trainable_variables, updated, strict=True):
        variable.assign(value)
    return outputs


def predict(network, x, batch_size):
    """What a network makes of an array outside training.

    Args:
        network: Built Keras model of one input and one output.
        x: Array `(n, ...)`, n at least 1.
        batch_size: How many rows to take at a time, which bounds the memory.

    Returns:
        Array `(n, ...)`.
    """
    compile_predict(network)
    return network.predict(np.asarray(x, "float32"), batch_size=batch_size, verbose=0)
