"""The transposed convolution of the generators."""

import keras
from keras import ops

from bms_keras.backends import conv_transpose


@keras.saving.register_keras_serializable("bms_keras")
class Conv2DTranspose(keras.layers.Conv2DTranspose):
    """Keras's layer, whose gradient is fast on JAX's CPUs, too; see `backends.conv_transpose`.

    Args:
        *args, **kwargs: As of `keras.layers.Conv2DTranspose`, of channels last and no dilation.

    Example:

    >>> tuple(Conv2DTranspose(3, 4, 2, "same")(np.zeros((1, 8, 8, 6), "float32")).shape)
    (1, 16, 16, 3)
    """

    def call(self, inputs):
        y = conv_transpose(
            ops.convert_to_tensor(inputs),
            ops.convert_to_tensor(self.kernel),
            tuple(self.strides),
            self.padding,
            self.output_padding and tuple(self.output_padding),
        )
        y = ops.add(y, self.bias) if self.use_bias else y
        return y if self.activation is None else self.activation(y)
