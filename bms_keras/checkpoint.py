"""Checkpoints: everything that the next step depends on, in one sealed `.npz` a step.

Weights, every optimizer's state, spectral-norm vectors, moving averages, a method's own state, the
logs of the epoch under way, and the seed generators, which Keras's own `.weights.h5` leaves out.
Data need no state: a batch is a function of (seed, step). Beside them lies a manifest, and the
file's last 64 bytes are the SHA-256 of what is before them, so that no damage goes unseen. Equal
states make equal files, byte for byte.
"""

import contextlib
import hashlib
import io
import json
import re
import sys
import zipfile
from importlib.metadata import version

import keras
import numpy as np

from bms_keras import cache
from bms_keras.errors import BadInput
from bms_keras.workdir import as_read, differences, write_atomically

SEAL = 64  # bytes: the hexadecimal digits of a SHA-256, as the comment of a zip archive
BEST = "best.npz"


def save(model, folder, config=None, keep=3, **notes):
    """Writes `folder/step_N.npz`, whole or not at all, and drops all but the last `keep`.

    Args:
        model: A compiled `Game`.
        folder: A `pathlib.Path`, made where it is missing.
        config: The run's config, a `ConfigDict`, for `restore` to compare with.
        keep: How many checkpoints stay.
        **notes: What else the manifest is to hold, as JSON.

    Raises:
        BadInput: If it cannot be written, on a full disk say; what was there stays.
    """
    write(model, _path(folder, int(model.optimizer.iterations.numpy())), config, **notes)
    for path in [*steps(folder)[:-keep], *folder.glob(".step_*")]:  # a killed process left these
        path.unlink()


def write(model, path, config=None, **notes):
    """Writes one checkpoint; see `save`."""
    step = int(model.optimizer.iterations.numpy())
    config = config and as_read(config)
    versions = {name: version(name) for name in ("keras", keras.backend.backend())}
    manifest = {"step": step, "config": config, "versions": versions, **notes}
    arrays = {name: variable.numpy() for name, variable in _state(model).items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, _sealed(manifest, arrays))
    except OSError as error:
        raise BadInput(
            f"{path} cannot be written ({error.strerror}); the checkpoints before it stand"
        ) from None


def steps(folder):
    """The checkpoints of a folder, oldest first."""
    return sorted(p for p in folder.glob("step_*.npz") if re.fullmatch(r"step_\d{9}", p.stem))


def step_of(path):
    """The step of a checkpoint, by its name."""
    return int(path.stem.removeprefix("step_"))


def _path(folder, step):
    return folder / f"step_{step:09d}.npz"


def newest(folder):
    """The manifest of the newest checkpoint that can be read; empty if there is none."""
    for path in steps(folder)[::-1]:
        with contextlib.suppress(BadInput):
            return read(path)[0]
    return {}


def restore(model, folder, config=None, which="newest"):
    """Restores the newest checkpoint that is whole, or the one that is asked for.

    What was refused on the way to it is then named on standard error, a line each.

    Args:
        model: A compiled `Game` of the config that wrote it.
        folder: A `pathlib.Path`.
        config: The run's config; a checkpoint of another one is refused.
        which: "newest", "best", or a step.

    Returns:
        The manifest, a dictionary with the `step`; `None` if there is no checkpoint.

    Raises:
        BadInput: If there are checkpoints, but none that can be restored: the reason why the first
            was refused. Nothing has changed then.
    """
    refused = []
    for path in _candidates(folder, which):
        try:
            manifest, arrays = read(path)
            _check(path, manifest, arrays, model, config)
        except BadInput as error:
            refused.append(error)
            continue
        for error in refused:
            print(f"{error}; going on from {path.name}", file=sys.stderr, flush=True)
        for name, variable in _state(model).items():
            variable.assign(arrays[name])
        return manifest
    if refused:
        raise refused[0]
    return None


def read(path):
    """The manifest of a checkpoint and its arrays by name.

    Raises:
        BadInput: If the file is missing, cut short or damaged.
    """
    try:
        content = path.read_bytes()
        seal = hashlib.sha256(content[:-SEAL]).hexdigest().encode()
        if content[-SEAL:] != seal:
            raise ValueError("its checksum is wrong: it was cut short or damaged")
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in file.zip.infolist()):
                raise ValueError("it is compressed, as no checkpoint is")
            arrays = {name: file[name] for name in file.files}
        return json.loads(arrays.pop("manifest").tobytes()), arrays
    except (*cache.UNREADABLE, KeyError) as error:
        raise BadInput(f"{path} cannot be read ({error})") from None


def _candidates(folder, which):
    """The files that may be restored, the first choice first."""
    if which == "newest":
        return steps(folder)[::-1]
    path = folder / BEST if which == "best" else _path(folder, which)
    if not path.exists():
        there = ", ".join(str(step_of(each)) for each in steps(folder)) or "none"
        raise BadInput(f"{path} does not exist; the steps that are kept are {there}")
    return [path]


def _check(path, manifest, arrays, model, config):
    """Refuses a checkpoint of another config, or of other shapes."""
    written = manifest.get("config")
    others = differences(written, as_read(config)) if config and written else []
    if others:
        raise BadInput(f"{path} was written by another config ({'; '.join(others)})")
    shapes = {name: tuple(variable.shape) for name, variable in _state(model).items()}
    if {name: array.shape for name, array in arrays.items()} != shapes:
        raise BadInput(f"{path} was written by another model: its shapes differ")


def _sealed(manifest, arrays):
    """The bytes of an `.npz` that ends in the checksum of all that is before."""
    buffer = io.BytesIO()
    text = np.frombuffer(json.dumps(manifest, sort_keys=True).encode(), "uint8")
    np.savez(buffer, manifest=text, **arrays)
    with zipfile.ZipFile(buffer, "a") as file:
        file.comment = b"0" * SEAL
    content = buffer.getbuffer()
    content[-SEAL:] = hashlib.sha256(content[:-SEAL]).hexdigest().encode()
    return content


def _state(model):
    """All variables by a name that does not depend on what else the process has built."""
    groups = {
        "model": model.variables,
        "optimizer": model.optimizer.variables,
        "logs": model.metrics_variables,
    }
    return {
        f"{group}/{i:04d}": variable
        for group, variables in groups.items()
        for i, variable in enumerate(variables)
    }
