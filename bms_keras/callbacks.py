"""Keras callbacks: TensorBoard on both backends, checkpoints, plots, metrics.

Each acts at the end of an epoch and counts in steps of the game.
"""

import pathlib
import time

import keras
import numpy as np
from tensorboardX.summary import histogram_raw, image, scalar

from bms_keras import board, checkpoint, pictures, watching
from bms_keras.errors import BadInput, NotFinite, warn
from bms_keras.interruption import Interrupted
from bms_keras.periodic import EverySteps, ToTensorBoard


class Scalars(ToTensorBoard):
    """Writes the logs of each epoch as TensorBoard scalars. Needs no TensorFlow.

    Args:
        folder: Where the event files go.
    """

    def act(self, step, logs):
        self.write(step, *(scalar(name, value) for name, value in logs.items()))


class Vitals(ToTensorBoard):
    """Writes at each epoch's end how fast the game is played, at which rates, and each sigma.

    As steps_per_second (of the epoch's training, without what callbacks do at its end; the first
    has the compilation in it), learning_rate/PLAYER and sigma/NETWORK/LAYER.

    Args:
        folder: Where the event files go.

    Example:

    >>> model.fit(dataset, epochs=10, callbacks=[Vitals("tensorboard")])
    """

    steps = 0

    def on_epoch_begin(self, epoch, logs=None):
        self.began = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.steps, self.ended = batch + 1, time.perf_counter()

    def act(self, step, logs):
        numbers = watching.learning_rates(self.model) | watching.sigmas(self.model)
        if self.steps:  # none, where a run goes on with what was due at its checkpoint
            numbers["steps_per_second"] = self.steps / (self.ended - self.began)
        self.write(step, *(scalar(name, value) for name, value in numbers.items()))


class Checkpoint(EverySteps):
    """Saves the whole state of the game.

    Args:
        save: Function without arguments that does; see `bms_keras.checkpoint.save`.
        every: Steps between checkpoints, a multiple of the epoch's length.
        last: The last step, which is saved in any case.

    Example:

    >>> folder = pathlib.Path("checkpoints")
    >>> Checkpoint(lambda: bms_keras.checkpoint.save(model, folder), every=1000)
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
        config: See `bms_keras.checkpoint.save`.
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


class Guard(keras.callbacks.Callback):
    """Stops training between two steps: on a number that is not finite, or when asked.

    Args:
        asked: A `threading.Event` that is set when training is to stop.
        underway: What the metrics' variables held when the epoch was cut, if it was: its logs then
            are those of the whole epoch.

    Raises:
        NotFinite: If a logged number is not finite, of which `Game.first_fault` knows the first,
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


class SampleGrid(ToTensorBoard):
    """Draws samples into TensorBoard: a grid of images, or 2D points over the true modes.

    Args:
        data: A data set; see `bms_keras.data`.
        folder: Where the event files go.
        every: Steps between pictures.
    """

    def __init__(self, data, folder, every=1):
        super().__init__(folder, every)
        self.data = data

    def act(self, step, logs):
        drawn = pictures.while_training(self.model, self.data)
        self.write(step, *(image(name, each, dataformats="HWC") for name, each in drawn.items()))


class Selection(ToTensorBoard):
    """Writes what D_I says of held-out data, and how often each of the T samples is selected.

    As log_D/real, log_D/posterior and log_D/prior; as histograms selected/best and
    selected/least_realistic, the share of each index from 1 to T; and as selected/best_evenness
    and selected/least_realistic_evenness how even those shares are, 1 at best.

    Args:
        data: A data set; see `bms_keras.data`.
        folder: Where the event files go.
        every: Steps between looks.
        decoded: How many samples are drawn for a look, for all data points together.
    """

    def __init__(self, data, folder, every=1, decoded=2000):
        super().__init__(folder, every)
        self.data = data
        self.decoded = decoded

    def act(self, step, logs):
        samples = getattr(self.model, "samples", 1)
        points = self.data.points(max(1, min(200, self.decoded // samples)))
        scores, shares = watching.selection(self.model, points, seed=step)
        scores |= {f"{name}_evenness": watching.evenness(each) for name, each in shares.items()}
        self.write(step, *(scalar(name, value) for name, value in scores.items()))
        i = np.arange(1, samples + 1)
        for name, each in shares.items():
            sums = (1.0, each @ i, each @ i**2)  # of the weights, of i and of its square
            bars = histogram_raw(name, 0.5, samples + 0.5, *sums, list(i + 0.5), list(each))
            self.write(step, bars)


class Projector(ToTensorBoard):
    """Writes the latents of held-out data, with their pictures, for TensorBoard's Projector.

    The last ones take the place of those before. A method without a recognition network has none.

    Args:
        data: A data set; see `bms_keras.data`.
        folder: Where the event files go.
        every: Steps between writes.
    """

    def __init__(self, data, folder, every=1):
        super().__init__(folder, every)
        self.data = data

    def act(self, step, logs):
        if "recognition" in self.model.networks:
            board.project(pathlib.Path(self.folder), *watching.latents(self.model, self.data))


class Evaluate(EverySteps):
    """Measures the model during training and adds the numbers to the logs, as eval/NAME.

    Callbacks after it find them there: `Scalars`, `Best`, Keras's own `ModelCheckpoint`. What is
    undefined is left out; where measuring fails, training goes on.

    Args:
        measure: Function without arguments that returns a dictionary of numbers.
        every: Steps between measurements.
        title: What is measured, for the line that says why it could not be.
    """

    essential = False

    def __init__(self, measure, every=1, title="Evaluate"):
        super().__init__(every)
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
    """

    essential = False

    def __init__(self, write, names, every=1):
        super().__init__(every)
        self.write = write
        self.names = names

    def act(self, step, logs):
        self.write(step, {name: logs.get(f"eval/{name}") for name in self.names})
