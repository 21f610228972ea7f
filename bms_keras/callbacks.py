"""Keras callbacks: TensorBoard on both backends, checkpoints, plots, metrics.

Each acts at the end of an epoch and counts in steps of the game.
"""

import itertools
import os

import keras
from tensorboardX import SummaryWriter

from bms_keras import checkpoint, pictures

_WRITERS = {}
_COUNT = itertools.count()


class _EverySteps(keras.callbacks.Callback):
    """Calls `act(step, logs)` at the end of an epoch whose step is a multiple of `every`.

    Args:
        every: Steps; 1 for each epoch, 0 for never.
    """

    def __init__(self, every=1):
        super().__init__()
        self.every = every

    def on_epoch_end(self, epoch, logs=None):
        step = int(self.model.optimizer.iterations)
        if self.every and step % self.every == 0:
            self.act(step, logs or {})


class _ToTensorBoard(_EverySteps):
    """Writes to TensorBoard's event files. Callbacks of one folder share one file.

    Args:
        folder: Where the event files go.
        every: See `_EverySteps`.
    """

    def __init__(self, folder, every=1):
        super().__init__(every)
        self.folder = str(folder)

    @property
    def writer(self):
        if self.folder not in _WRITERS:  # tensorboardX names files by the second: add what differs
            suffix = f".{os.getpid()}.{next(_COUNT)}"
            _WRITERS[self.folder] = SummaryWriter(
                self.folder, flush_secs=10, filename_suffix=suffix
            )
        return _WRITERS[self.folder]

    def on_train_end(self, logs=None):
        if self.folder in _WRITERS:
            _WRITERS.pop(self.folder).close()  # `flush` would not wait for the writer's queue


class Scalars(_ToTensorBoard):
    """Writes the logs of each epoch as TensorBoard scalars. Needs no TensorFlow.

    Args:
        folder: Where the event files go.
    """

    def act(self, step, logs):
        for name, value in logs.items():
            self.writer.add_scalar(name, value, step)


class Checkpoint(_EverySteps):
    """Saves the whole state of the game. See `bms_keras.checkpoint`.

    Args:
        folder: A `pathlib.Path`.
        every: Steps between checkpoints, a multiple of the epoch's length.
    """

    def __init__(self, folder, every=1):
        super().__init__(every)
        self.folder = folder

    def act(self, step, logs):
        checkpoint.save(self.model, self.folder)


class SampleGrid(_ToTensorBoard):
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
        for name, picture in pictures.while_training(self.model, self.data).items():
            self.writer.add_image(name, picture, step, dataformats="HWC")


class Evaluate(_ToTensorBoard):
    """Measures the model during training; the numbers go to TensorBoard, as eval/NAME.

    Args:
        measure: Function without arguments that returns a dictionary of numbers.
        folder: Where the event files go.
        every: Steps between measurements.
    """

    def __init__(self, measure, folder, every=1):
        super().__init__(folder, every)
        self.measure = measure

    def act(self, step, logs):
        for name, value in self.measure().items():
            if value is not None:
                self.writer.add_scalar(f"eval/{name}", value, step)
