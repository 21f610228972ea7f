"""How a command starts: it reads its flags before Keras is loaded, which takes seconds."""

import os
import pathlib
import sys

from bms_keras.errors import without_greetings

CHECKOUT = pathlib.Path(__file__).parents[2]
MODULES = "bms-tables", "-m"  # they import all they need, and then read their flags
SCRIPTS = "train.py", "eval.py", "bms-train", "bms-eval"


def own_command():
    """What is being run, if it is of this package: its script, or "-m" with a module."""
    script = os.path.basename(sys.argv[0]) if sys.argv else ""
    if script == "-m":
        return script if any(each.startswith("bms_keras.") for each in sys.orig_argv) else None
    if not script.endswith(".py"):
        return script if script in SCRIPTS + MODULES else None
    try:
        return script if os.path.samefile(CHECKOUT / script, sys.argv[0]) else None
    except OSError:  # there is none: a wheel's scripts have no such names
        return None


def load_keras():
    """Imports Keras, and so its backend, which may be missing.

    Raises:
        ImportError: If Keras cannot load; a script of this package says so, and exits.
    """
    if "keras" in sys.modules:
        return
    try:
        with without_greetings():
            import keras  # noqa: F401
    except (ImportError, ValueError) as error:
        told = (
            "Keras could not load its backend: install it, or set KERAS_BACKEND to 'tensorflow' or "
            f"'jax'. Received: {error}"
        )
        if own_command() not in (None, "-m"):
            sys.exit(f"{own_command()}: {told}")
        raise ImportError(told) from error
