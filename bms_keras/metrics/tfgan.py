"""TF-GAN's own feature network, for who wants its numbers.

TF-GAN 2.1 does not import with the TensorFlow and Python of today; `module` says why and how its
parts that do are had all the same.
"""

import functools
import hashlib
import importlib
import importlib.util
import os
import sys
import types

from bms_keras.errors import BadInput
from bms_keras.metrics.batches import check_images, in_batches
from bms_keras.metrics.inception import FEATURES, SIZE


class TFHubInception:
    """TF-GAN's own network: the same Inception as a TF-Hub module, fed with TensorFlow 2's resize.

    TF-GAN leaves the resize to its callers; this one has half-pixel centres, so the FID differs
    from that of `Inception`.

    Args:
        handle: URL or folder of the module; by default TF-GAN's.

    Raises:
        BadInput: If TF-GAN is not installed or the module cannot be loaded.
    """

    name = "tfhub"

    def __init__(self, handle=None):
        metrics = module("inception_metrics")
        handle = str(handle or metrics.INCEPTION_TFHUB)
        import tensorflow as tf
        import tensorflow_hub

        try:
            hub = tensorflow_hub.load(handle)
        except (OSError, ValueError, tf.errors.OpError) as error:
            raise BadInput(
                f"TF-GAN's network {handle} could not be loaded ({str(error).splitlines()[0]}): "
                "connect, give the folder of a copy, or use the default network"
            ) from None
        self.fingerprint = f"{self.name}-{hashlib.sha256(handle.encode()).hexdigest()[:16]}"

        @tf.function(reduce_retracing=True)
        def pool3(images):
            x = tf.image.resize(tf.repeat(images, 3 // images.shape[-1], -1), (SIZE, SIZE))
            return tf.reshape(hub(x / 127.5 - 1)[metrics.INCEPTION_FINAL_POOL], (-1, FEATURES))

        self._pool3 = lambda images: pool3(tf.constant(images)).numpy()

    def features(self, images, batch_size=32, progress=None):
        """The features of images; see `Inception.features`."""
        check_images(images)
        return in_batches(self._pool3, images, FEATURES, batch_size, progress)


@functools.cache
def module(name):
    """The module `tensorflow_gan.python.eval.<name>`, without the rest of TF-GAN.

    All of TF-GAN 2.1 imports neither with TensorFlow 2.16 (`tf.estimator` is gone) nor with Python
    3.12 (`distutils` is gone). Bare packages instead of its `__init__.py` files get round that.

    Raises:
        BadInput: If TF-GAN, or something that it needs, is not installed.
    """
    if not (spec := importlib.util.find_spec("tensorflow_gan")):
        raise BadInput("TF-GAN is not installed: pip install tensorflow-gan")
    bare = {}
    for path in ("", ".python", ".python.eval"):
        if (package := f"tensorflow_gan{path}") not in sys.modules:
            bare[package] = types.ModuleType(package)
            bare[package].__path__ = [os.path.dirname(spec.origin) + path.replace(".", os.sep)]
    sys.modules.update(bare)
    try:
        return importlib.import_module(f"tensorflow_gan.python.eval.{name}")
    except ImportError as error:
        raise BadInput(f"TF-GAN cannot be used: {str(error).splitlines()[0]}") from None
    finally:
        for package in bare:  # a later `import tensorflow_gan` must not find an empty package
            sys.modules.pop(package, None)
