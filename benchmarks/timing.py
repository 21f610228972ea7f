"""Fair timing: the sides of a comparison are processes that take turns (A B A B ...).

What counts is by default the CPU time of a process that has one thread: others on the machine make
it wait, which does not count, and threads that wait for each other by spinning, as those of
PyTorch, TensorFlow and XLA do, have nobody to wait for. `--threads=2 --clock=wall` times what a
user of an idle machine sees.

A side is a process of its own, so that its peak memory is its own, and it is there during the whole
comparison, so that a neighbour's load on the machine hits all sides alike. `Side` starts one and
speaks to it in lines of JSON; `serve` is what runs in it.
"""

import contextlib
import json
import os
import pathlib
import resource
import subprocess
import sys
import time

import numpy as np
from absl import flags
from report import machine

THREADS = flags.DEFINE_integer("threads", 1, "Threads that each side computes with.", 1)
CLOCK = flags.DEFINE_enum("clock", "cpu", ["cpu", "wall"], "What is counted: see timing.py.")
ROUNDS = flags.DEFINE_integer("rounds", 5, "Times that the sides take turns.", 1)
OUT = flags.DEFINE_string("out", None, "Where the results go as JSON, beside the screen.")
CLOCKS = {"cpu": time.process_time, "wall": time.perf_counter}


def environment():
    """Environment variables of a side: its threads, and no chatter."""
    one = str(THREADS.value)
    xla = f"--xla_cpu_multi_thread_eigen={'false' if one == '1' else 'true'}"
    names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
    return dict.fromkeys(names, one) | {"TF_CPP_MIN_LOG_LEVEL": "3", "XLA_FLAGS": xla}


def before_tensorflow():
    """Call it first where PyTorch is used: CUDA's triton, loaded after TensorFlow, would crash."""
    with contextlib.suppress(ImportError):
        import triton  # noqa: F401


class Side:
    """One side of a comparison, in a process of its own.

    Args:
        script: Path of a script that calls `serve`.
        spec: What the script is told, as JSON.
        env: Further environment variables.
    """

    def __init__(self, script, spec, env=None):
        self.seconds = []
        self.process = subprocess.Popen(
            [sys.executable, str(script), json.dumps({"clock": CLOCK.value, **spec})],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment(), **(env or {})},
        )
        self.ready = self._answer()

    def ask(self, command, *arguments):
        self.process.stdin.write(json.dumps([command, *arguments]) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self):
        for line in self.process.stdout:  # a library may print lines of its own
            if line.startswith("answer "):
                return json.loads(line.removeprefix("answer "))
        raise RuntimeError(f"a side of the comparison ended: {self.process.args[1:]}")

    def measure(self, steps=1):
        """Times so many steps; `seconds` collects the time of one."""
        self.seconds.append(self.ask("steps", steps) / steps)

    def close(self):
        """Ends the process; returns the peak of its resident memory and that before a step, MiB."""
        peak, before = self.ask("memory")
        self.process.stdin.close()
        self.process.wait()
        return peak, before


def serve(make):
    """Answers a `Side` until it closes.

    Args:
        make: Function of the spec; returns an object with `step()`, which does one step to its
            end, and methods that a benchmark asks for by name, as `check()` for named numbers.
    """

    def answer(value):
        print("answer " + json.dumps(value), flush=True)

    spec = json.loads(sys.argv[1])
    clock = CLOCKS[spec["clock"]]
    side = make(spec)
    before = peak_mib()
    answer("ready")
    for line in sys.stdin:
        command, *arguments = json.loads(line)
        if command == "steps":
            started = clock()
            for _ in range(arguments[0]):
                side.step()
            answer(clock() - started)
        elif command == "memory":
            answer([peak_mib(), before])
        else:
            answer(getattr(side, command)())


def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def take_turns(sides, steps=1):
    """Times all sides in turns, `--rounds` times; a first step, which compiles, is not kept.

    Args:
        sides: Dictionary of `Side`s by name.
        steps: Steps a turn.
    """
    for side in sides.values():
        side.ask("steps", 1)
    for _ in range(ROUNDS.value):
        for side in sides.values():
            side.measure(steps)


def ratio(above, below):
    """The median over the rounds of a ratio of two sides, each round by itself, and its spread.

    Args:
        above, below: Times of the two sides, one a round.

    Returns:
        Median, lower and upper quartile.
    """
    ratios = np.asarray(above) / np.asarray(below)
    return tuple(round(float(q), 3) for q in np.percentile(ratios, (50, 25, 75)))


def agree(name, values, expected, tolerance=2e-3):
    """Refuses to compare sides that do not compute the same.

    Args:
        name: Of the side.
        values, expected: Dictionaries of numbers; every name in `values` must be in `expected`.
        tolerance: Relative to the larger of 1 and the expected number.

    Raises:
        AssertionError: If a number is another.
    """
    assert values, f"{name} computed nothing"
    for key, value in values.items():
        off = abs(value - expected[key]) / max(1, abs(expected[key]))
        assert off < tolerance, f"{name}: {key} is {value}, not {expected[key]}"


def table(rows):
    """A Markdown table of dictionaries with the same keys."""
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(row.values() for row in rows)]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def write(record):
    """Prints the numbers of a record as the last line; all of it goes to `--out`."""
    record = {"machine": machine(1), "threads": THREADS.value, "clock": CLOCK.value, **record}
    if OUT.value:
        pathlib.Path(OUT.value).write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps({k: v for k, v in record.items() if not isinstance(v, (list, dict))}))
