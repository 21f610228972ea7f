"""The feature network of FID and KID by source: the one place where it is chosen."""

import functools

from bms_keras.metrics import weights
from bms_keras.metrics.inception import Inception
from bms_keras.metrics.tfgan import TFHubInception


@functools.cache
def network(source=""):
    """The network of a name: "tfhub", the path of an `.npz`, or "" for the package index's."""
    if kind(source) is TFHubInception:
        return TFHubInception()
    return Inception(weights.load("inception", source))


def kind(source=""):
    """The class of the network of a name."""
    return TFHubInception if source == "tfhub" else Inception
