"""Keras callbacks that show how training goes, in TensorBoard, on both backends.

Each acts at the end of an epoch and counts in steps of the game.
"""

import pathlib
import time

import numpy as np
from PIL import Image
from tensorboardX.summary import histogram_raw, image, scalar

from bms_keras import distribution
from bms_keras.monitoring import diagnostics, drawings, notebook, tensorboard
from bms_keras.monitoring.periodic import ToTensorBoard


class Scalars(ToTensorBoard):
    """Writes the logs of each epoch as TensorBoard scalars. Needs no TensorFlow.

    Args:
        folder: Where the event files go.
    """

    def act(self, step, logs):
        self.write(step, *(scalar(name, value) for name, value in logs.items()))


class TrainingStats(ToTensorBoard):
    """Writes at each epoch's end how fast the game is played, at which rates, and each sigma.

    As steps_per_second (of the epoch's training, without what callbacks do at its end; the first
    has the compilation in it), learning_rate/PLAYER and sigma/NETWORK/LAYER.

    Args:
        folder: Where the event files go.

    Example:

    >>> model.fit(dataset, epochs=10, callbacks=[TrainingStats("tensorboard")])
    """

    steps = 0

    def on_epoch_begin(self, epoch, logs=None):
        self.began = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.steps, self.ended = batch + 1, time.perf_counter()

    def act(self, step, logs):
        numbers = diagnostics.learning_rates(self.model) | diagnostics.sigmas(self.model)
        if self.steps:  # none, where a run goes on with what was due at its checkpoint
            numbers["steps_per_second"] = self.steps / (self.ended - self.began)
        self.write(step, *(scalar(name, value) for name, value in numbers.items()))


class _OfData(ToTensorBoard):
    """Shows a model beside its data set, `data`."""

    def __init__(self, data, folder, every=1, last=None):
        super().__init__(folder, every, last)
        self.data = data


class SampleGrid(_OfData):
    """Draws samples as the data set is drawn, a grid of images or 2D points: into TensorBoard and,
    in a notebook, into the cell, each picture in place of the one before.

    Args:
        data: A data set; see `bms_keras.data`.
        folder: Where the event files go; `None` for none.
        every: Steps between pictures.
        last: A step of which there are pictures in any case.
        early: Steps at which there are pictures before that, in the middle of an epoch: after the
            call of the backend in which they are done.
        save: Function of a step and a dictionary of pictures by name, which keeps them elsewhere.

    Example:

    >>> model.fit(dataset, epochs=3, callbacks=[SampleGrid(data, every=2)])
    """

    def __init__(self, data, folder=None, every=1, last=None, early=(), save=None):
        super().__init__(data, folder, every, last)
        self.output = notebook.Output()
        self.early = sorted(early)
        self.save = save
        self.drawn = None  # the last step of which there are pictures

    def on_epoch_begin(self, epoch, logs=None):
        self.began = int(self.model.optimizer.iterations.numpy())
        self.early = [step for step in self.early if step > self.began]

    def on_train_batch_end(self, batch, logs=None):
        step = self.began + batch + 1
        if self.early and self.early[0] <= step:
            self.early = [later for later in self.early if later > step]
            with distribution.single_device(self.model):
                self.attempt(step)

    def act(self, step, logs):
        if step == self.drawn:
            return
        self.drawn = step
        drawn = drawings.while_training(self.model, self.data)
        if self.save:
            self.save(step, drawn)
        for name, picture in drawn.items():
            self.output.show(name, Image.fromarray(np.ascontiguousarray(picture)))
        self.write(step, *(image(name, each, dataformats="HWC") for name, each in drawn.items()))


class Selection(_OfData):
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
        super().__init__(data, folder, every)
        self.decoded = decoded

    def act(self, step, logs):
        samples = getattr(self.model, "samples", 1)
        points = self.data.points(max(1, min(200, self.decoded // samples)))
        scores, shares = diagnostics.selection(self.model, points, seed=step)
        scores |= {f"{name}_evenness": diagnostics.evenness(each) for name, each in shares.items()}
        self.write(step, *(scalar(name, value) for name, value in scores.items()))
        i = np.arange(1, samples + 1)
        for name, each in shares.items():
            sums = (1.0, each @ i, each @ i**2)  # of the weights, of i and of its square
            bars = histogram_raw(name, 0.5, samples + 0.5, *sums, list(i + 0.5), list(each))
            self.write(step, bars)


class Projector(_OfData):
    """Writes the latents of held-out data, with their pictures, for TensorBoard's Projector.

    The last ones take the place of those before. A method without a recognition network has none.

    Args:
        data: A data set; see `bms_keras.data`.
        folder: Where the event files go.
        every: Steps between writes.
    """

    def act(self, step, logs):
        if self.model.has_posterior:
            tensorboard.project(
                pathlib.Path(self.folder), *diagnostics.latents(self.model, self.data)
            )
