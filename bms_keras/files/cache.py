"""Where what was fetched or computed once is kept: weights, statistics, decoded images.

Every `.npz` here ends in the SHA-256 of what is before, so that no damage goes unseen.
"""

import os
import pathlib
import zipfile
import zlib

import numpy as np

from bms_keras import files
from bms_keras.errors import BadInput
from bms_keras.files import seals, write_atomically

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
    """Writes a dictionary of arrays to an `.npz` with its checksum, whole or not at all.

    Raises:
        BadInput: If it cannot be written, on a full disk say.
    """
    try:
        write_atomically(path, seals.sealed(arrays))
    except OSError as error:
        raise BadInput(
            f"{path} cannot be written ({error.strerror}): make room, or set BMS_KERAS_CACHE to "
            "another folder"
        ) from None


def load(path):
    """The arrays of an `.npz` that `save` wrote, by name.

    Raises:
        BadInput: If the file is missing, damaged or something else.
    """
    try:
        content = path.read_bytes() if path.is_file() else b""
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from None
    if not seals.is_whole(content):
        raise BadInput(f"{path} is missing, cut short or damaged: its checksum is wrong")
    return read(path)


def read(path):
    """The arrays of any `.npz`, by name.

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
