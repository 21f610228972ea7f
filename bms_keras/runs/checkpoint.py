"""Checkpoints: everything that the next step depends on, in one sealed `.npz` a step.

Weights, every optimizer's state, spectral-norm vectors, moving averages, a method's own state, the
logs of the epoch under way, and the seed generators, which Keras's own `.weights.h5` leaves out.
Data need no state: a batch is a function of (seed, step). Beside them lies a manifest, and the
file's last 64 bytes are the SHA-256 of what is before them, so that no damage goes unseen. Equal
states make equal files, byte for byte.

Anyone can compute that checksum, so a file is not believed for it: what it claims is checked
against its own size before memory is taken, and against the model before anything is restored.
Rates are the config's, which may change, and not a checkpoint's.
"""

import contextlib
import functools
import io
import json
import math
import re
import zipfile

import keras
import numpy as np

from bms_keras import fields, files
from bms_keras.backends.versions import versions
from bms_keras.data import contents
from bms_keras.errors import BadInput, NotFinite, first_line, optional, warn
from bms_keras.fields import Field
from bms_keras.files.seals import array_of, is_whole, members, sealed
from bms_keras.runs.config import as_read, differences

BEST = "best.npz"
MANIFEST = {  # what a manifest must hold, beside the config and notes
    "step": Field(None, fields.integer(0, fields.STEPS), "how many steps had been played"),
    "rollbacks": Field(0, fields.integer(0), "how often training had gone back"),
}
ITERATIONS = "optimizer/0000"  # the steps of the game, by their name in a file
OVERHEAD = 2**24, 2**10  # bytes a file may have beside its arrays: notes of data; and for each


def save(model, folder, config=None, keep=3, **notes):
    """Writes `folder/step_N.npz`, whole or not at all, and drops those before the last `keep`.

    Args:
        model: A compiled `Game`.
        folder: A `pathlib.Path`, made where it is missing.
        config: The run's config, a `ConfigDict`, for `restore` to compare with.
        keep: How many checkpoints stay, with this one; what cannot be read does not count.
        **notes: What else the manifest is to hold, as JSON.

    Raises:
        BadInput: If it cannot be written, on a full disk say; what was there stays.
        NotFinite: If a weight or an optimizer's state is not finite; nothing is written then.
    """
    path = _path(folder, int(model.optimizer.iterations.numpy()))
    write(model, path, config, **notes)
    with optional("room made: old checkpoints stay"):
        _prune(folder, path, keep)
    files.sweep(folder)


def _prune(folder, written, keep):
    """Keeps what was just written and, newest first, as many that can be read as make `keep`."""
    whole, largest = 1, 2 * written.stat().st_size + OVERHEAD[0]
    for path in reversed(paths(folder)):
        if path == written:
            continue
        if whole >= keep:
            path.unlink(missing_ok=True)
        elif _reads(path, largest, path.stat().st_ino, path.stat().st_mtime_ns):
            whole += 1


@functools.lru_cache(maxsize=64)  # of a file that stays as it is
def _reads(path, largest, inode, modified):
    try:
        return bool(read(path, largest))
    except BadInput:
        return False


def write(model, path, config=None, **notes):
    """Writes one checkpoint; see `save`."""
    step = int(model.optimizer.iterations.numpy())
    config = config and as_read(config)
    by = versions("keras", keras.backend.backend())
    manifest = {"step": step, "config": config, "versions": by, **notes}
    arrays = check_finite(model)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_atomically(path, _sealed(manifest, arrays))
    except OSError as error:
        there = len(paths(path.parent))
        stand = f"; the {there} before it stand" if there else ""
        raise BadInput(f"{path} cannot be written ({error.strerror}){stand}") from None


def check_finite(model):
    """Refuses a state that is not finite, which losses need not show: ReLU may hide a NaN.

    Returns:
        The state, arrays by name.

    Raises:
        NotFinite: Naming the first weight or state of an optimizer that is not finite.
    """
    variables = _state(model)
    arrays = {name: variable.numpy() for name, variable in variables.items()}
    if bad := next(_not_finite(arrays), None):
        step = int(model.optimizer.iterations.numpy())
        raise NotFinite(f"{variables[bad].path} is not finite at step {step}")
    return arrays


def paths(folder):
    """The checkpoints of a folder, oldest first."""
    return sorted(p for p in folder.glob("step_*.npz") if re.fullmatch("step_[0-9]{9}", p.stem))


def step_of(path):
    """The step of a checkpoint, by its name."""
    return int(path.stem.removeprefix("step_"))


def _path(folder, step):
    return folder / f"step_{step:09d}.npz"


def newest(folder):
    """The manifest of the newest checkpoint that has one; empty if there is none.

    Of the file nothing else is read: how large it may be is known once there is a model.
    """
    for path in paths(folder)[::-1]:
        if not path.is_file():  # a pipe, say, which would wait for ever
            continue
        with contextlib.suppress(Exception), zipfile.ZipFile(path) as file:  # of whatever it holds
            entry = file.getinfo("manifest.npy")
            if max(entry.file_size, entry.compress_size) <= OVERHEAD[0]:
                return _manifest(array_of(io.BytesIO(file.read(entry))))
    return {}


def _manifest(array):
    """A manifest from its bytes.

    Raises:
        ValueError: If it is none; `BadInput` too.
    """
    manifest = json.loads(array.tobytes())
    if not isinstance(manifest, dict):
        raise ValueError("its manifest holds no object")
    for name, field in MANIFEST.items():
        fields.check(name, manifest.setdefault(name, field.default), field)
    contents.noted(manifest)
    return manifest


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
    refused, variables = [], _state(model)
    for path in _candidates(folder, which):
        try:
            manifest, arrays = read(path, most_bytes(model))
            _check(path, manifest, arrays, variables, config)
        except BadInput as error:
            refused.append(error)
            continue
        for error in refused:
            warn(f"{error}; going on from {path.name}")
        for name, variable in variables.items():
            if config is None or not _is_rate(name, variable):
                variable.assign(arrays[name])
        return manifest
    if refused:
        raise refused[0]
    return None


def most_bytes(model):
    """How many bytes a checkpoint of a model may have, by its variables and `OVERHEAD`."""
    sizes = [math.prod(variable.shape) * 16 for variable in _state(model).values()]  # of any dtype
    return sum(sizes) + OVERHEAD[0] + OVERHEAD[1] * len(sizes)


def read(path, largest=2**40):
    """The manifest of a checkpoint and its arrays by name.

    Args:
        path: Path of the file.
        largest: How many bytes it may have.

    Raises:
        BadInput: If the file is missing, cut short or damaged, or if it is no checkpoint.
    """
    try:
        content = files.content(path, largest)
        if not is_whole(content):
            raise ValueError("its checksum is wrong: it was cut short or damaged")
        arrays = dict(members(content))
        manifest = _manifest(arrays.pop("manifest"))
        return manifest, arrays
    except Exception as error:  # what parsers raise of bytes that somebody made up
        raise BadInput(f"{path} cannot be read ({first_line(error)})") from None


def _candidates(folder, which):
    """The files that may be restored, the first choice first."""
    if which == "newest":
        return paths(folder)[::-1]
    path = folder / BEST if which == "best" else _path(folder, which)
    if not path.exists():
        there = ", ".join(str(step_of(each)) for each in paths(folder)) or "none"
        raise BadInput(f"{path} does not exist; the steps that are kept are {there}")
    return [path]


def _check(path, manifest, arrays, variables, config):
    """Refuses a checkpoint of another config, of other shapes, or of what is not finite."""
    written = manifest.get("config")
    try:
        others = differences(written, as_read(config)) if config and written is not None else []
    except BadInput as error:
        others = [str(error)]
    if others:
        raise BadInput(f"{path} was written by another config ({'; '.join(others)})")
    shapes = {name: (tuple(v.shape), _kind(v.dtype)) for name, v in variables.items()}
    if {name: (array.shape, array.dtype.kind) for name, array in arrays.items()} != shapes:
        raise BadInput(f"{path} was written by another model: its shapes or types differ")
    if bad := next(_not_finite(arrays), None):
        raise BadInput(f"{path} cannot be used: {variables[bad].path} in it is not finite")
    if int(arrays[ITERATIONS]) != manifest["step"]:
        raise BadInput(f"{path} cannot be used: its manifest is that of another step")


def _kind(dtype):
    """Whether a variable holds floating-point numbers, integers, ...: numpy's letter for it."""
    return np.dtype(keras.backend.standardize_dtype(dtype)).kind


def _not_finite(arrays):
    """The names of arrays of the model and the optimizers that are not finite."""
    return (
        name
        for name, array in arrays.items()
        if array.dtype.kind == "f" and not name.startswith("logs/") and not np.isfinite(array).all()
    )


def _is_rate(name, variable):
    """Whether a variable is an optimizer's constant learning rate."""
    return name.startswith("optimizer/") and variable.name == "learning_rate"


def _sealed(manifest, arrays):
    """The bytes of a checkpoint."""
    text = np.frombuffer(json.dumps(manifest, sort_keys=True).encode(), "uint8")
    return sealed({"manifest": text, **arrays})


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
