"""A user's own modules, which add their parts to the registries when they are imported."""

import importlib
import os
import sys

from bms_keras.errors import BadInput, reason, shown


def load(names):
    """Imports modules, from the current folder or the python path.

    Args:
        names: A sequence of dotted names, or of several with commas between them: `config.imports`.

    Raises:
        BadInput: If one cannot be imported.
    """
    for name in (name for text in names for name in text.split(",") if name):
        search_current_folder()
        try:
            if getattr(importlib.import_module(name), "__file__", name) is None:
                raise ImportError("a folder without __init__.py, which holds nothing to import")
        except Exception as error:  # a module is a program, which may raise anything
            raise BadInput(
                f"config.imports: {shown(name)} cannot be imported, from {os.getcwd()} or the "
                f"python path: {reason(error)}"
            ) from None


def search_current_folder():
    """Puts the current folder on the python path, behind all else, as scripts lack it."""
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.append(os.getcwd())
