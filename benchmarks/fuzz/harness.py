"""Plays cases, each in a fork of a process that has imported everything, and says how each ended.

A part of the fuzz is a module with a function `cases(seed)` that returns a list of `Case`. A case
ends as "ok"; "refused", with exit status 1 or 2 and one line that says why; "unclear", refused
otherwise; "traceback"; "crash", by a signal; "hang", beyond the time limit; or "memory", beyond the
memory limit. The first two are as they should be. Each of the others is kept as a line of JSON in a
file, with its number, by which `--only=N,M` plays it again and prints all that it says.

The memory limit is one of resident memory, which is looked at every 10 ms: TensorFlow and JAX
reserve address space by the gigabyte that they never touch, so that RLIMIT_AS would say nothing.
"""

import argparse
import collections
import dataclasses
import json
import os
import pathlib
import runpy
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable

ROOT = pathlib.Path(__file__).parents[2]
SOUND = ("ok", "refused")
REFUSALS = ("train.py: ", "eval.py: ", "tables: ", "refused: ")  # how the one line begins
WRONG = ("unclear", "traceback", "crash", "hang", "memory")
KINDS = (*SOUND, *WRONG)


@dataclasses.dataclass(frozen=True)
class Case:
    """One attack.

    Args:
        name: What is tried, in a few words.
        play: Function without arguments, called in a fork whose working directory is a new, empty
            folder (the repository's root is on `sys.path`). It refuses by raising `BadInput`, or as
            a script does; see `script`.
    """

    name: str
    play: Callable


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a fork ended.

    Args:
        status: Its exit status, negative for the number of a signal.
        text: What it wrote to standard output and standard error.
        killed: "hang" or "memory", the limit for which it was killed; else `None`.
        peak: The largest resident memory, in bytes.
    """

    status: int
    text: str
    killed: str | None
    peak: int

    @property
    def kind(self):
        """One of `KINDS`."""
        if self.killed:
            return self.killed
        if "Traceback (most recent call last)" in self.text:
            return "traceback"
        if self.status < 0:
            return "crash"
        if self.status == 0:
            return "ok"
        lines = [line for line in self.text.splitlines() if line.startswith(REFUSALS)]
        return "refused" if self.status in (1, 2) and len(lines) == 1 else "unclear"


def script(name, *flags):
    """Runs a script of the repository's root with flags, as `python` would; never returns.

    Raises:
        SystemExit: Always.
    """
    sys.argv = [name, *flags]
    runpy.run_path(str(ROOT / name), run_name="__main__")
    raise SystemExit(0)


def forked(play, seconds=300, memory=None):
    """Calls a function without arguments in a fork.

    Args:
        play: The function.
        seconds: How long it may take.
        memory: Bytes of resident memory that it may take; `None` for no limit.

    Returns:
        Its `Outcome`.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    with tempfile.TemporaryFile() as output:
        process = os.fork()
        if not process:
            os.setsid()  # so that what it starts can be killed with it
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
            sys.stdout = os.fdopen(1, "w", 1)  # whatever they were: pytest's own, say
            sys.stderr = os.fdopen(2, "w", 1, errors="backslashreplace")
            os._exit(_status(play))  # tearing TensorFlow down would take seconds
        status, killed, peak = _watched(process, seconds, memory)
        output.seek(0)
        return Outcome(status, output.read().decode(errors="replace"), killed, peak)


def _status(play):
    """Calls a function and returns the exit status that a script of it would have."""
    from bms_keras.errors import BadInput

    status = 0
    try:
        play()
    except SystemExit as end:
        status = end.code or 0
        if isinstance(status, str):
            print(status, file=sys.stderr)
            status = 1
    except BadInput as error:
        print(f"refused: {error}", file=sys.stderr)
        status = 1 if "\n" not in str(error) else 3
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return status


def _watched(process, seconds, memory):
    """Waits for a process, and kills it at a limit: its status, the limit, its peak in bytes."""
    end, killed = time.monotonic() + seconds, None
    while True:
        done, status, usage = os.wait4(process, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status), killed, usage.ru_maxrss * 1024
        if not killed:
            if time.monotonic() > end:
                killed = "hang"
            elif memory and resident(process) > memory:
                killed = "memory"
            if killed:
                os.killpg(process, signal.SIGKILL)
        time.sleep(0.01)


def resident(process):
    """The resident memory of a process in bytes; 0 once it has ended."""
    try:
        pages = pathlib.Path(f"/proc/{process}/statm").read_text().split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def play(case, seconds, memory):
    """Plays a case in a new, empty folder, which then goes; returns its `Outcome`."""

    def in_folder():
        sys.path.insert(0, str(ROOT))
        os.chdir(folder)
        os.environ["BMS_KERAS_CACHE"] = f"{folder}/cache"
        case.play()

    with tempfile.TemporaryDirectory(prefix="fuzz.", ignore_cleanup_errors=True) as folder:
        return forked(in_folder, seconds, memory)


def run(part, cases, options):
    """Plays the cases of a part and prints how far it has come.

    Args:
        part: The part's name.
        cases: Function of a seed that returns a list of `Case`.
        options: What `parser` reads.

    Returns:
        A dictionary: the number of cases, of each kind how many, the peak in bytes, the seconds.
    """
    started, all_cases = time.time(), cases(options.seed)
    numbers = options.only or range(0, len(all_cases), options.stride)
    counts, peak, failures = collections.Counter(dict.fromkeys(KINDS, 0)), 0, []
    for done, number in enumerate(numbers, 1):
        case = all_cases[number]
        outcome = play(case, options.seconds, options.memory)
        counts[outcome.kind] += 1
        peak = max(peak, outcome.peak)
        if outcome.kind not in SOUND:
            failure = {"part": part, "number": number, "case": case.name, "kind": outcome.kind}
            failures.append(failure | {"text": outcome.text[-2000:]})
            print(f"{part} {number}: {outcome.kind}: {case.name}", flush=True)
        if options.only:
            print(f"{part} {number}: {outcome.kind}: {case.name}\n{outcome.text}", flush=True)
        elif done % 100 == 0:
            print(f"{part}: {done} of {len(numbers)}, {dict(counts)}", flush=True)
    if not options.only:
        lines = "".join(json.dumps(failure) + "\n" for failure in failures)
        pathlib.Path(options.failures.format(part=part)).write_text(lines)
    seconds = round(time.time() - started, 1)
    return {"cases": len(numbers), **counts, "peak_bytes": peak, "seconds": seconds}


def parser(description):
    """The command line of a part: an `argparse.ArgumentParser`."""
    numbers = lambda text: [int(part) for part in text.split(",")]  # noqa: E731
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--only", type=numbers, help="the numbers of cases to play, with commas")
    made.add_argument("--stride", type=int, default=1, help="plays one in so many cases")
    made.add_argument("--seconds", type=float, default=120, help="time limit of a case")
    made.add_argument("--memory", type=float, default=2e9, help="memory limit of a case, bytes")
    made.add_argument("--failures", default="fuzz_{part}.jsonl", help="where failures go")
    return made


def main(part, cases, description):
    """Runs one part: its last line is JSON, and its exit status 1 if a case ended otherwise than
    "ok" or "refused"."""
    options = parser(description).parse_args()
    record = run(part, cases, options)
    print(json.dumps({part: record, "seed": options.seed}))
    sys.exit(any(record[kind] for kind in WRONG))
