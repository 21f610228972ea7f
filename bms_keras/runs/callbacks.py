"""Keras callbacks of a run's life: checkpoints, measurements, and when it stops.

Those that act do so at the end of an epoch, and count in steps of the game.
"""

import keras
import numpy as np

from bms_keras.errors import BadInput, NotFinite, warn
from bms_keras.monitoring.periodic import EverySteps
from bms_keras.runs import checkpoint
from bms_keras.signals import Interrupted


class Checkpoint(EverySteps):
    """Saves the whole state of the game.

    Args:
        save: Function without arguments that does; see `bms_keras.runs.checkpoint.save`.
        every: Steps between checkpoints, a multiple of the epoch's length.
        last: The last step, which is saved in any case.

    Example:

    >>> folder = pathlib.Path("checkpoints")
    >>> Checkpoint(lambda: bms_keras.runs.checkpoint.save(model, folder), every=1000)
    """

    def __init__(self, save, every=1, last=None):
        super().__init__(every, last)
        self.save = save

    def act(self, step, logs):
        self.save()


class Best(EverySteps):
    """Keeps the checkpoint that is best by a number in the logs, as `best.npz`.

    While the number is undefined, as the modes' KL is of samples without quality, it waits.

    Args:
        folder: A `pathlib.Path`.
        by: "max:NAME" or "min:NAME", of what `Evaluate` measures, or "" for none.
        config: See `bms_keras.runs.checkpoint.save`.
    """

    def __init__(self, folder, by, config=None):
        super().__init__()
        self.path = folder / checkpoint.BEST
        self.best_is, _, self.name = by.partition(":")
        self.config = config
        self.best = None  # the best so far, once it is known

    def act(self, step, logs):
        value = logs.get(f"eval/{self.name}")
        if value is None:
            return
        if self.best is None and self.path.exists():  # of the run that this one goes on with
            self.best = self._before()
        sign = {"max": 1, "min": -1}[self.best_is]
        if self.best is None or sign * value > sign * self.best:
            checkpoint.write(self.model, self.path, self.config, **{self.name: value})
            self.best = value

    def _before(self):
        try:
            manifest, _ = checkpoint.read(self.path, checkpoint.most_bytes(self.model))
        except BadInput as error:
            warn(f"{error}; the next that is measured takes its place")
            return None
        best = manifest.get(self.name)
        return best if type(best) in (int, float) else None


class Evaluate(EverySteps):
    """Measures the model during training and adds the numbers to the logs, as eval/NAME.

    Callbacks after it find them there: `Scalars`, `Best`, Keras's own `ModelCheckpoint`. What is
    undefined is left out; where measuring fails, training goes on.

    Args:
        measure: Function without arguments that returns a dictionary of numbers.
        every: Steps between measurements.
        title: What is measured, for the line that says why it could not be.
        last: A step at which it is measured in any case.
    """

    essential = False

    def __init__(self, measure, every=1, title="Evaluate", last=None):
        super().__init__(every, last)
        self.measure = measure
        self.title = title

    def act(self, step, logs):
        measured = {name: v for name, v in self.measure().items() if v is not None}
        finite = {name: v for name, v in measured.items() if np.isfinite(v)}
        logs |= {f"eval/{name}": value for name, value in finite.items()}
        if wrong := sorted(measured.keys() - finite):
            raise BadInput(f"{' and '.join(wrong)} must be finite")


class Evaluated(EverySteps):
    """Writes down that an evaluation is complete: the last of those that act after `Evaluate`.

    Args:
        write: Function of a step and a dictionary of numbers by name.
        names: The names of all numbers; what is not in the logs is `None`.
        every: Steps between measurements.
        last: A step that is measured in any case.
    """

    essential = False

    def __init__(self, write, names, every=1, last=None):
        super().__init__(every, last)
        self.write = write
        self.names = names

    def act(self, step, logs):
        self.write(step, {name: logs.get(f"eval/{name}") for name in self.names})


class Guard(keras.callbacks.Callback):
    """Stops training between two steps: on a number that is not finite, or when asked.

    Args:
        asked: A `threading.Event` that is set when training is to stop.
        underway: What the metrics' variables held when the epoch was cut, if it was: its logs then
            are those of the whole epoch.

    Raises:
        NotFinite: If a logged number is not finite (`Game.first_nonfinite` knows the first one),
            or at the end of an epoch a weight.
        Interrupted: If training was asked to stop, unless the epoch is at its end.
    """

    def __init__(self, asked, underway=None):
        super().__init__()
        self.asked = asked
        self.underway = underway

    def on_epoch_begin(self, epoch, logs=None):
        if self.underway:
            for variable, value in zip(self.model.metrics_variables, self.underway, strict=True):
                variable.assign(value)
            self.underway = None

    def on_train_batch_end(self, batch, logs=None):
        if not np.isfinite(list(logs.values())).all():
            raise NotFinite("a loss or a gradient is not finite")
        if self.asked.is_set() and batch + 1 < self.params["steps"]:
            raise Interrupted

    def on_epoch_end(self, epoch, logs=None):
        checkpoint.check_finite(self.model)  # in every process, before one measures or writes


class StopWhenAsked(keras.callbacks.Callback):
    """Stops training at the end of an epoch when asked; the last of the callbacks.

    Args:
        asked: See `Guard`.
    """

    def __init__(self, asked):
        super().__init__()
        self.asked = asked

    def on_epoch_end(self, epoch, logs=None):
        if self.asked.is_set():
            raise Interrupted
