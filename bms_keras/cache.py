"""Where what was fetched or computed once is kept: weights, statistics, decoded images."""

import io
import os
import pathlib
import zipfile
import zlib

import numpy as np

from bms_keras import files
from bms_keras.errors import BadInput
from bms_keras.files import write_atomically

# What numpy raises of a file that is cut short, damaged or no .npz; TypeError: of a lone .npy.
UNREADABLE = (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error)


def folder():
    """The cache's folder, a `pathlib.Path`; it need not exist.

    `$BMS_KERAS_CACHE`, else `$XDG_CACHE_HOME/bms_keras`, else `~/.cache/bms_keras`.
    """
    if own := os.environ.get("BMS_KERAS_CACHE"):
        return files.expanded(own, "BMS_KERAS_CACHE")
    shared = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(shared) / "bms_keras"


def subfolder(name):
    """A folder in the cache, which is made.

    Raises:
        BadInput: If it cannot be.
    """
    path = folder() / name
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(
            f"the cache {path} cannot be made ({error.strerror}): "
            "set BMS_KERAS_CACHE to a folder that can be written"
        ) from None
    return path


def save(path, arrays):
    """Writes a dictionary of arrays to an `.npz`, whole or not at all."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_atomically(path, buffer.getbuffer())


def read(path):
    """The arrays of an `.npz`, by name; their checksums are verified.

    Raises:
        BadInput: If the file is missing, damaged or something else.
    """
    if not path.is_file():
        raise BadInput(f"{path} is missing, or is not a file")
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except UNREADABLE as error:
        raise BadInput(f"{path} is not a whole .npz file: {_first_line(error)}") from None


def _first_line(error):
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
