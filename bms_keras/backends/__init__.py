"""How one turn of a game is played, for each Keras backend.

A backend is a mixin, `TakesTurns`, that gives `Game` its `train_step` and `test_step`. Both
backends run the same losses; they differ only in how gradients are taken and state is kept.
"""

import keras

if keras.backend.backend() == "tensorflow":
    from bms_keras.backends.tensorflow import (
        TakesTurns,
        input_gradient,
        predict,
        result_names,
        standard_normal,
        value_and_gradient,
    )
elif keras.backend.backend() == "jax":
    from bms_keras.backends.jax import (
        TakesTurns,
        input_gradient,
        predict,
        result_names,
        standard_normal,
        value_and_gradient,
    )
else:
    raise ImportError(
        "bms_keras runs on the Keras backends 'tensorflow' and 'jax'. "
        f"Received: KERAS_BACKEND={keras.backend.backend()!r}"
    )

__all__ = [
    "TakesTurns",
    "input_gradient",
    "predict",
    "result_names",
    "standard_normal",
    "value_and_gradient",
]
