"""Checkpoints: everything that the next step depends on, in one `.npz` a step.

Weights, every optimizer's state, spectral-norm vectors, moving averages, and the seed generators,
which Keras's own `.weights.h5` leaves out. Data need no state: a batch is a function of
(seed, step).
"""

import re

import numpy as np

from bms_keras import cache
from bms_keras.errors import BadInput


def save(model, folder, keep=3):
    """Writes `folder/step_N.npz`, whole or not at all, and drops all but the last `keep`.

    Args:
        model: A compiled `Game`.
        folder: A `pathlib.Path`, made where it is missing.
        keep: How many checkpoints stay.
    """
    folder.mkdir(parents=True, exist_ok=True)
    step = int(model.optimizer.iterations)
    arrays = {name: variable.numpy() for name, variable in _state(model).items()}
    cache.save(folder / f"step_{step:09d}.npz", arrays)
    for path in steps(folder)[:-keep]:
        path.unlink()


def steps(folder):
    """The checkpoints of a folder, oldest first."""
    return sorted(p for p in folder.glob("step_*.npz") if re.fullmatch(r"step_\d{9}", p.stem))


def restore(model, folder):
    """Restores the newest checkpoint.

    Args:
        model: A compiled `Game` of the config that wrote it.
        folder: A `pathlib.Path`.

    Returns:
        The step, or 0 if there is no checkpoint.

    Raises:
        BadInput: If the file is cut short or damaged, or belongs to another model.
    """
    paths = steps(folder)
    if not paths:
        return 0
    state = _state(model)
    try:
        with np.load(paths[-1], allow_pickle=False) as file:
            values = {name: file[name] for name in file.files}
    except cache.UNREADABLE as error:
        raise BadInput(
            f"{paths[-1]} cannot be read ({error}); remove it to go on from the one before"
        ) from None
    shapes = {name: tuple(variable.shape) for name, variable in state.items()}
    if {name: value.shape for name, value in values.items()} != shapes:
        raise BadInput(f"{paths[-1]} was written by another model: its shapes differ")
    for name, variable in state.items():
        variable.assign(values[name])
    return int(model.optimizer.iterations)


def _state(model):
    """All variables by a name that does not depend on what else the process has built."""
    groups = {"model": model.variables, "optimizer": model.optimizer.variables}
    return {
        f"{group}/{i:04d}": variable
        for group, variables in groups.items()
        for i, variable in enumerate(variables)
    }
