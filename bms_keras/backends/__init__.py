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
        result_names,
        standard_normal,
        value_and_gradient,
    )
elif keras.backend.backend() == "jax":
    from bms_keras.backends.jax import (
        TakesTurns,
        compile_predict,
        conv_transpose,
        input_gradient,
        result_names,
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
    "conv_transpose",
    "input_gradient",
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
