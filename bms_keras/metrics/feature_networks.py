"""The feature network of FID, KID, precision and recall: the one place where it is chosen."""

import functools

from bms_keras import fields
from bms_keras.errors import BadInput
from bms_keras.fields import Field
from bms_keras.metrics import weights
from bms_keras.metrics.inception import Inception
from bms_keras.metrics.other_features import VGG16, KerasFeatures
from bms_keras.metrics.tfgan import TFHubInception


def _rule(value):
    fits = not fields.text(value) and (value in ("inception", "vgg16") or value.endswith(".keras"))
    return None if fits else "'inception', 'vgg16' or the path of a .keras model"


OPTIONS = {
    "features": Field(
        "inception",
        _rule,
        "features of FID, KID, precision and recall: inception, vgg16, or a .keras model's path",
    ),
    "inception": Field(
        "", fields.text, "an .npz of the FID's network, tfhub, or '' for the usual one"
    ),
}


def network(inception="", features="inception"):
    """The network of these two options.

    Args:
        inception: Of "inception": "tfhub", the path of an `.npz` with weights, or "" for those of
            the package index.
        features: "inception", "vgg16", or the path of a `.keras` model, see `KerasFeatures`.

    Raises:
        BadInput: If `features` is none of these, if both say something, or if the network cannot be
            had.
    """
    fields.check("features", features, OPTIONS["features"])
    if features != "inception" and inception:
        raise BadInput(
            f"inception={inception!r} says which weights features='inception' has. "
            f"Received: features={features!r}"
        )
    if kind(inception, features) is KerasFeatures:
        return KerasFeatures(features)  # anew each time: the file may be another by now
    return _published(inception, features)


@functools.cache
def _published(inception, features):
    made = kind(inception, features)
    return made(weights.load("inception", inception)) if made is Inception else made()


def kind(inception="", features="inception"):
    """The class of the network of these options."""
    if features == "inception":
        return TFHubInception if inception == "tfhub" else Inception
    return VGG16 if features == "vgg16" else KerasFeatures


def of(options):
    """The network of the options of a metric."""
    return network(options.inception, options.features)


def name_of(options):
    """What `of(options)` is called in keys; it is not loaded."""
    made = kind(options.inception, options.features)
    return KerasFeatures.name_of(options.features) if made is KerasFeatures else made.name
