"""How training goes, on the terminal or in a log file: a line an epoch."""

import contextlib
import math
import shlex
import shutil
import sys
from time import perf_counter

import keras

WIDTH = 100  # letters of a line
REFRESH = 0.2  # seconds between two looks of the line under way


class Progress(keras.callbacks.Callback):
    """Prints a line at each epoch's end, in place of Keras's `verbose`.

    It holds the step, the milliseconds that a step of the epoch took (without the compilation),
    the time left, and numbers of the logs, as far as they fit. On a terminal a line shows the epoch
    under way; elsewhere nothing but the lines themselves is written.

    Args:
        steps: The last step.
        titles: Dictionary from a log's name to what it is called in the line.
        verbose: Whether all logs follow each line.
        stream: What to print to; `None` for standard output.

    Example:

    >>> shown = Progress(10_000, {"loss": "loss"})
    >>> history = model.fit(dataset, epochs=10, verbose=0, callbacks=[shown])
    step      1 of 10,000   ... ms/step                      loss ...
    ...
    """

    def __init__(self, steps, titles=None, verbose=False, stream=None):
        super().__init__()
        self.steps = steps
        self.titles = titles or {}
        self.verbose = verbose
        self.stream = stream or sys.stdout
        self.live = self.stream.isatty()
        self.width = min(WIDTH, shutil.get_terminal_size().columns - 1) if self.live else WIDTH
        self.start = None  # time and step at the end of the first call of the backend
        self.refreshed = -math.inf

    def on_epoch_begin(self, epoch, logs=None):
        # When the epoch began, and its first and its latest call of the backend ended, each with
        # the steps done by then. The first call may hold a compilation.
        self.calls = [(perf_counter(), 0)]

    def on_train_batch_end(self, batch, logs=None):
        now = perf_counter()
        self.calls = [*self.calls[:2], (now, batch + 1)]
        if self.start is None:
            self.start = now, self._step()
        if self.live and now - self.refreshed > REFRESH:
            self.refreshed = now
            self._write(f"\r{self._line({})}\x1b[K")

    def on_epoch_end(self, epoch, logs=None):
        logs = logs or {}
        self._write(f"\r{self._line(logs)}\x1b[K\n" if self.live else f"{self._line(logs)}\n")
        if self.verbose:
            self._write("".join(f"    {name}: {value:.5g}\n" for name, value in logs.items()))

    def _step(self):
        return int(self.model.optimizer.iterations.numpy())

    def _line(self, logs):
        step = self._step()
        digits = len(f"{self.steps:,}")
        line = f"step {step:{digits},} of {self.steps:,}   {self._pace():>9} ms/step"
        left = self._left(step)
        line += f"   {f'{left} left' if left else '':16}"
        for name, title in self.titles.items():
            part = f"   {title} {logs[name]:.4g}" if name in logs else ""
            if len(line + part) <= self.width:
                line += part
        return line.rstrip()[: self.width]

    def _pace(self):
        """Milliseconds a step of this epoch."""
        (began, first), (ended, last) = self.calls[-2:]
        return f"{1000 * (ended - began) / (last - first):.4g}"

    def _left(self, step):
        """How long the rest takes if it goes as what is done, measurements included."""
        if self.start is None or step == self.start[1]:
            return ""
        pace = (perf_counter() - self.start[0]) / (step - self.start[1])
        return duration(pace * (self.steps - step))

    def _write(self, text):
        with contextlib.suppress(OSError):  # who reads it may be gone: training goes on
            self.stream.write(text)
            self.stream.flush()


def closing(workdir):
    """Lines that say where what a run has made is, and what measures it.

    Args:
        workdir: Its `bms_keras.runs.workdir.Workdir`.
    """
    # With a name of its own: TensorBoard would call the run by the folder of its files.
    named = f"{workdir.path.resolve().name}:{workdir.tensorboard}"
    return [
        f"pictures      {workdir.samples}",
        f"checkpoints   {workdir.checkpoints}",
        f"TensorBoard   tensorboard --logdir_spec={shlex.quote(named)}",
        f"measure it    python eval.py --workdir={shlex.quote(str(workdir.path))}",
    ]


def duration(seconds):
    """A time in its two largest units.

    Example:

    >>> duration(75), duration(8000)
    ('1 min 15 s', '2 h 13 min')
    """
    seconds = round(seconds)
    minutes, hours = seconds // 60, seconds // 3600
    if minutes == 0:
        return f"{seconds} s"
    if hours == 0:
        return f"{minutes} min {seconds % 60} s"
    if hours < 24:
        return f"{hours} h {minutes % 60} min"
    return f"{hours // 24} d {hours % 24} h"
