"""Hybrid VAE-GANs in Keras 3: "Best-of-Many-Samples" Distribution Matching."""

import importlib
import signal

from bms_keras.runs import starting

__version__ = "0.1.0"

_HOMES = {  # of what is public
    "BMSVAEGAN": "bms_keras.methods.hybrid",
    "GAN": "bms_keras.methods.gan",
    "BadInput": "bms_keras.errors",
    "Drawing": "bms_keras.monitoring.drawings",
    "Gain": "bms_keras.layers",
    "Game": "bms_keras.game",
    "Player": "bms_keras.game",
    "PlayerOptimizers": "bms_keras.game.optimizers",
    "SpectralNormalization": "bms_keras.layers",
    "load_run": "bms_keras.runs.loading",
}
_MODULES = "callbacks", "objectives"

__all__ = ["__version__", *_HOMES, *_MODULES]


def __getattr__(name):
    """What is public, when it is first asked for."""
    if name in _MODULES:
        return importlib.import_module(f"bms_keras.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return globals().setdefault(name, getattr(importlib.import_module(_HOMES[name]), name))


if starting.own_command():  # Ctrl-C ends its imports; see `runs.cli.run`
    signal.signal(signal.SIGINT, signal.SIG_DFL)
if starting.own_command() not in starting.SCRIPTS:  # these read their flags first
    starting.load_keras()
    for _name in (*_HOMES, *_MODULES):  # Keras loads from a file what classes are imported for
        __getattr__(_name)
