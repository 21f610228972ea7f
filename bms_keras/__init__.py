"""Hybrid VAE-GANs in Keras 3: "Best-of-Many-Samples" Distribution Matching."""

import signal
import sys

from bms_keras.errors import CONSOLE_SCRIPTS, own_command, without_greetings

if own_command():  # Ctrl-C ends its imports; see `runs.cli.run`
    signal.signal(signal.SIGINT, signal.SIG_DFL)
try:
    with without_greetings():
        import keras  # noqa: F401  (its import loads the backend, which may be missing)
except (ImportError, ValueError) as error:
    told = (
        "Keras could not load its backend: install it, or set KERAS_BACKEND to 'tensorflow' or "
        f"'jax'. Received: {error}"
    )
    if own_command() in CONSOLE_SCRIPTS:
        sys.exit(f"{own_command()}: {told}")
    raise ImportError(told) from error

from bms_keras import callbacks, objectives
from bms_keras.errors import BadInput
from bms_keras.game import Game, Player
from bms_keras.game.optimizers import PlayerOptimizers
from bms_keras.layers import Gain, SpectralNormalization
from bms_keras.methods.gan import GAN
from bms_keras.methods.hybrid import BMSVAEGAN
from bms_keras.monitoring.drawings import Drawing
from bms_keras.runs.loading import load_run

__version__ = "0.1.0"

__all__ = [
    "BMSVAEGAN",
    "GAN",
    "BadInput",
    "Drawing",
    "Gain",
    "Game",
    "Player",
    "PlayerOptimizers",
    "SpectralNormalization",
    "__version__",
    "callbacks",
    "load_run",
    "objectives",
]
