"""How training goes, on the terminal or in a log file: a line an epoch."""

import contextlib
import math
import shutil
import sys
from time import perf_counter

import keras

from bms_keras.monitoring import notebook

WIDTH = 100  # letters of a line
REFRESH = 0.2  # seconds between two looks of the line under way
KEPT = 40  # lines that stand in a notebook, where they would be many


class Progress(keras.callbacks.Callback):
    """Prints a line at each epoch's end, in place of Keras's `verbose`.

    It holds the step, the milliseconds that a step of the epoch took (without the compilation),
    the time left, and numbers of the logs, as far as they fit: in columns, or where these leave no
    room for a number, without. On a terminal and in a notebook a line shows the epoch under
    way; elsewhere nothing but the lines themselves is written.

    Args:
        steps: The last step; `None` for what `fit` is asked for, as far as it is known.
        titles: Dictionary from a log's name to what it is called in the line; `None` for the
            players' losses.
        verbose: Whether all logs follow each line.
        stream: What to print to; `None` for a notebook's cell, or standard output.

    Example:

    >>> shown = Progress(10_000, {"loss": "loss"})
    >>> history = model.fit(dataset, epochs=10, verbose=0, callbacks=[shown])
    step      1 of 10,000   ... ms/step                      loss ...
    ...
    """

    def __init__(self, steps=None, titles=None, verbose=False, stream=None):
        super().__init__()
        self.asked = steps
        self.titles = titles
        self.verbose = verbose
        in_notebook = stream is None and notebook.is_running()
        self.page = _Cell() if in_notebook else _Stream(stream or sys.stdout)
        self.start = None  # time and step at the end of the first call of the backend
        self.refreshed = -math.inf

    def on_epoch_begin(self, epoch, logs=None):
        # When the epoch began, and its first and its latest call of the backend ended, each with
        # the steps done by then. The first call may hold a compilation.
        self.calls = [(perf_counter(), 0)]
        self.compiling = self.start is None  # in the first call of all
        self.steps = self.asked
        if self.steps is None and self.params.get("steps"):
            self.steps = self._step() + (self.params["epochs"] - epoch) * self.params["steps"]
        if self.compiling and self.page.live:
            self.page.under_way(
                "the first step is compiled, which may take a minute"[: self.page.width]
            )

    def on_train_batch_end(self, batch, logs=None):
        now = perf_counter()
        self.calls = [*self.calls[:2], (now, batch + 1)]
        if self.start is None:
            self.start = now, self._step()
        if self.page.live and now - self.refreshed > REFRESH:
            self.refreshed = now
            self.page.under_way(self._line({}))

    def on_epoch_end(self, epoch, logs=None):
        logs = logs or {}
        rest = [f"    {name}: {value:.5g}" for name, value in logs.items()] if self.verbose else []
        self.page.done([self._line(logs), *rest])

    def break_off(self):
        """Leaves the line under way as it stands, so that what is printed next has its own."""
        self.page.break_off()

    def _step(self):
        return int(self.model.optimizer.iterations.numpy())

    def _line(self, logs):
        step, width = self._step(), self.page.width
        of = f" of {self.steps:,}" if self.steps else ""
        pace, left = self._pace(), self._left(step) if self.steps else ""
        titles = _losses(logs) if self.titles is None else self.titles
        numbers = [f"{title} {logs[name]:.4g}" for name, title in titles.items() if name in logs]
        forms = (
            ("   ", f"step {step:{max(len(of) - 4, 1)},}{of}", f"{pace:>9} ms/step", f"{left:16}"),
            ("  ", f"step {step:,}{of}", f"{pace} ms/step", left),
            ("  ", f"{step:,}{of.replace(' of ', '/')}", f"{pace} ms", left),
        )
        for gap, *parts in forms:
            line = gap.join([each for each in (*parts, *numbers) if each]).rstrip()
            if len(line) <= width:
                return line
        line = parts.pop(0)
        for each in filter(None, (*parts, *numbers)):
            line += f"  {each}" if len(f"{line}  {each}") <= width else ""
        return line[:width]

    def _pace(self):
        """Milliseconds a step of this epoch, as far as it is known without the compilation."""
        calls = self.calls[1:] if self.compiling else self.calls
        if len(calls) < 2:
            return "-"
        (began, first), (ended, last) = calls[-2:]
        pace = 1000 * (ended - began) / (last - first)
        return f"{pace:.4g}" if pace < 1000 else f"{pace:,.0f}"

    def _left(self, step):
        """How long the rest takes if it goes as what is done, measurements included."""
        if self.start is None or step == self.start[1]:
            return ""
        pace = (perf_counter() - self.start[0]) / (step - self.start[1])
        return f"{duration(pace * (self.steps - step))} left"


class _Stream:
    """Lines on a terminal, where the last is the one under way, or in a file."""

    def __init__(self, stream):
        self.stream = stream
        self.live = stream.isatty()
        self.open = False  # whether the last line is one under way
        self.width = min(WIDTH, shutil.get_terminal_size().columns - 1) if self.live else WIDTH

    def under_way(self, line):
        self.open = True
        self._write(f"\r{line}\x1b[K")

    def break_off(self):
        if self.open:
            self.open = False
            self._write("\n")

    def done(self, lines):
        if self.live:
            self.under_way(lines.pop(0))
            self.break_off()
        self._write("".join(f"{line}\n" for line in lines))

    def _write(self, text):
        with contextlib.suppress(OSError):  # who reads it may be gone: training goes on
            self.stream.write(text)
            self.stream.flush()


class _Cell:
    """The newest lines in a notebook's cell, as one output that changes in place."""

    live, width = True, WIDTH

    def __init__(self):
        self.lines = []
        self.output = notebook.Output()

    def under_way(self, line):
        self.output.show("lines", "\n".join([*self.lines, line]))

    def break_off(self):
        """Leaves it to the cell: what is printed has an output of its own."""

    def done(self, lines):
        self.lines = [*self.lines, *lines][-KEPT:]
        self.output.show("lines", "\n".join(self.lines))


def _losses(logs):
    """What the players' losses are called in a line, those on held-out data among them."""
    return {name: name.removesuffix("/loss") for name in logs if name.endswith("/loss")}


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
