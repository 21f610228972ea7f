"""Feature networks beside Inception: VGG16, and a Keras model of one's own."""

import hashlib
import pathlib
import re

import keras
import numpy as np
from keras import ops

from bms_keras.errors import BadInput, reason
from bms_keras.files import expanded, read
from bms_keras.metrics import lpips
from bms_keras.metrics.batches import check_images, in_batches

LARGEST = 2**32  # bytes of a model


class _Features:
    """A network behind a resize; one of these has `name`, `fingerprint`, `size` and `width`."""

    def __init__(self):
        self._models = {}

    def features(self, images, batch_size=32, progress=None):
        """The features of images; see `Inception.features`."""
        check_images(images)
        shape = images.shape[1:]
        if shape not in self._models:
            x = keras.Input(shape, dtype="uint8")
            self._models[shape] = keras.Model(x, self.network(self._fitted(x)))
        compiled = self._models[shape].predict_on_batch
        return in_batches(compiled, images, self.width, batch_size, progress)

    def _fitted(self, x):
        """uint8 as float32 in [0, 255], in the network's size and channels."""
        x = ops.cast(x, "float32")
        if x.shape[-1] == 1 and self.channels == 3:
            x = ops.repeat(x, 3, -1)
        if x.shape[-1] != self.channels:
            raise BadInput(f"{self.name} takes images of {self.channels} channel. Received: colour")
        if None not in self.size and self.size != x.shape[1:3]:
            x = ops.image.resize(x, self.size, interpolation="bilinear", antialias=True)
        return x


class VGG16(_Features):
    """The last convolution of VGG16 (Simonyan and Zisserman 2015), averaged over the places.

    The weights are those that LPIPS brings, trained on ImageNet; images are resized to 224 x 224,
    bilinear and antialiased.
    """

    name, size, width, channels = "vgg16", (224, 224), 512, 3

    def __init__(self):
        super().__init__()
        self._backbone = lpips.load("vgg16").backbone
        digest = hashlib.sha256(b"".join(np.asarray(w) for w in self._backbone.get_weights()))
        self.fingerprint = f"{self.name}-{digest.hexdigest()[:16]}"

    def network(self, x):
        """Features `(b, 512)` of images in [0, 255]."""
        x = (x / 127.5 - 1 - np.float32(lpips.MEAN)) / np.float32(lpips.STD)
        return ops.mean(self._backbone(x)[-1], (1, 2))


class KerasFeatures(_Features):
    """A Keras model of one's own, from its file.

    It takes float32 images in [0, 255], `(b, height, width, 1 or 3)`, as `keras.applications` do
    whose scaling is a layer, and returns features `(b, d)`. Images of another size are resized to
    that of its input, bilinear and antialiased, unless that is `None`; grey is repeated.

    Args:
        path: Path of a `.keras` file; code in it is not run.

    Raises:
        BadInput: If it is none, or takes or returns something else.
    """

    def __init__(self, path):
        super().__init__()
        self.name = self.name_of(path)
        path = expanded(path, "features")
        self.fingerprint = f"keras-{hashlib.sha256(read(path, LARGEST)).hexdigest()[:16]}"
        try:
            self.network = keras.saving.load_model(path, compile=False)
            taken, given = self.network.input_shape, self.network.output_shape
        except Exception as error:  # what is wrong with a model is anybody's guess
            raise BadInput(f"features={path} cannot be loaded: {reason(error)}") from None
        images = len(taken) == 4 and taken[-1] in (1, 3)
        if not images or len(given) != 2 or not given[-1]:
            raise BadInput(
                f"features={path} must take images (b, height, width, 1 or 3) and return features "
                f"(b, d). Received: {taken} to {given}"
            )
        self.size, self.channels, self.width = tuple(taken[1:3]), taken[-1], given[-1]

    @staticmethod
    def name_of(path):
        """What the network of a path is called in keys."""
        return f"keras_{re.sub(r'[^A-Za-z0-9]+', '_', pathlib.Path(path).stem)}"
