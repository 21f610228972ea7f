"""Our transposed convolution is Keras's, and so is its gradient."""

import functools
import itertools

import keras
import numpy as np
import pytest
from keras import ops

from bms_keras.networks.transposed import Conv2DTranspose

CASES = [  # kernel, stride, padding, output_padding
    *itertools.product((3, 4, 5), (1, 2, 3), ("same", "valid"), (None,)),
    *itertools.product((3, 5), (2,), ("same",), (0, 1)),
    (4, 2, "same", 1),  # of 0 TensorFlow takes none
    (2, 3, "same", None),  # a place in a stride that no tap reaches
    (2, 3, "valid", None),
]


def _weighted(layer, x, weight):
    return ops.sum(layer(x) * weight)


@pytest.mark.parametrize(("size", "stride", "padding", "extra"), CASES)
def test_values_and_gradients_are_keras_own(size, stride, padding, extra, value_and_gradients):
    x = np.random.default_rng(0).standard_normal((2, 5, 4, 3)).astype("float32")
    found = []
    for kind in (Conv2DTranspose, keras.layers.Conv2DTranspose):
        layer = kind(2, size, stride, padding, output_padding=extra)
        layer.build(x.shape)
        rng = np.random.default_rng(1)
        layer.set_weights([rng.standard_normal(w.shape) for w in layer.get_weights()])
        points = keras.Variable(x)
        weight = np.random.default_rng(2).standard_normal(layer(x).shape).astype("float32")
        loss = functools.partial(_weighted, layer, points, weight)
        found.append(value_and_gradients(loss, [points, *layer.trainable_variables]))
    (ours, our_gradients), (known, known_gradients) = found
    np.testing.assert_allclose(ours, known, rtol=1e-5)
    for a, b in zip(our_gradients, known_gradients, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_half_precision_and_activation():
    layer = Conv2DTranspose(2, 4, 2, "same", activation="relu", dtype="mixed_bfloat16")
    y = layer(np.ones((1, 4, 4, 3), "float32"))
    assert keras.backend.standardize_dtype(y.dtype) == "bfloat16"
    assert float(ops.min(y)) >= 0


def test_a_network_of_it_is_saved_and_loaded(tmp_path):
    network = keras.Sequential([keras.Input((4, 4, 3)), Conv2DTranspose(2, 4, 2, "same")])
    network.save(tmp_path / "a.keras")
    again = keras.saving.load_model(tmp_path / "a.keras")
    assert type(again.layers[0]) is Conv2DTranspose
    x = np.ones((1, 4, 4, 3), "float32")
    np.testing.assert_array_equal(network.predict(x, verbose=0), again.predict(x, verbose=0))
