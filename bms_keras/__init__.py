"""Hybrid VAE-GANs in Keras 3: "Best-of-Many-Samples" Distribution Matching."""

import os
import signal
import sys

from bms_keras.errors import without_greetings

# Of `python -m bms_keras.…` and the console scripts Ctrl-C ends the imports; see `runs.cli.run`.
if sys.argv[:1] == ["-m"] or os.path.basename(*sys.argv[:1] or [""]).startswith("bms-"):
    signal.signal(signal.SIGINT, signal.SIG_DFL)
try:
    with without_greetings():
        import keras  # noqa: F401  (its import loads the backend, which may be missing)
except (ImportError, ValueError) as error:
    raise ImportError(
        "Keras could not load its backend: install it, or set KERAS_BACKEND to 'tensorflow' or "
        f"'jax'. Received: {error}"
    ) from error

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
