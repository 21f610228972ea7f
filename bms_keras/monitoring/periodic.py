"""What callbacks of a game share: they act every so many steps, some of them into event files."""

import keras

from bms_keras.errors import reason, warn
from bms_keras.monitoring import events


class EverySteps(keras.callbacks.Callback):
    """Calls `act(step, logs)` at the end of an epoch whose step is a multiple of `every`.

    Args:
        every: Steps; 1 for each epoch, 0 for never.
        last: A step at which it acts in any case.
    """

    essential = True  # else what fails is said, once, and training goes on

    def __init__(self, every=1, last=None):
        super().__init__()
        self.every = every
        self.last = last
        self.title = type(self).__name__  # in the line that says what failed
        self.failed = None

    def on_epoch_end(self, epoch, logs=None):
        step = int(self.model.optimizer.iterations.numpy())
        if step == self.last or (self.every and step % self.every == 0):
            self.attempt(step, logs)

    def attempt(self, step, logs=None):
        """Acts; where that fails and nothing depends on it, says so."""
        try:
            self.act(step, {} if logs is None else logs)
        except Exception as error:  # of the network, the disk, a library: anybody's guess
            if self.essential:
                raise
            if reason(error) != self.failed:
                self.failed = reason(error)
                warn(f"{self.title} is missing at step {step}: {self.failed}; training goes on")


class ToTensorBoard(EverySteps):
    """Writes to TensorBoard's event files. Callbacks of one folder share one file.

    Args:
        folder: Where the event files go; `None` for nowhere.
        every, last: See `EverySteps`.
    """

    essential = False

    def __init__(self, folder, every=1, last=None):
        super().__init__(every, last)
        self.folder = None if folder is None else str(folder)

    def write(self, step, *summaries):
        """Writes tensorboardX's summaries; what a lost run wrote from this step on is hidden."""
        if self.folder is None:
            return
        file = events.shared(self.folder, step)
        for summary in summaries:
            file.add(summary, step)
        file.flush()

    def on_train_end(self, logs=None):
        events.close(self.folder)
