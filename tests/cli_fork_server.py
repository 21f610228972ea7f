"""Runs command lines, each in a fork of a process that has imported everything already.

Reads lines of JSON: what would follow `python` on a command line, changes to the environment, and
a folder to look at, or null. Answers each with a line: exit status, standard output, standard
error, and whether what lies in the folder has changed. Neither TensorFlow nor JAX is used before
the fork, only imported: their threads would not survive it. Pictures show fewer latents.
"""

import contextlib
import functools
import json
import os
import pathlib
import runpy
import sys
import tempfile

ROOT = pathlib.Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import helpers  # noqa: E402

with contextlib.suppress(ImportError):  # where it is, Keras imports it to set a seed, on JAX too
    import tensorflow  # noqa: F401

from benchmarks.fuzz.harness import forked, script  # noqa: E402
from bms_keras.runs import evaluation, training  # noqa: E402, F401  (the imports that are spared)
from bms_keras.tables import report, runs  # noqa: E402, F401

helpers.draw_few_latents()


def content(folder):
    """What a folder holds, or a file; `None` where there is nothing."""
    path = pathlib.Path(folder)
    if path.is_dir():
        return {p: p.is_file() and p.read_bytes() for p in sorted(path.rglob("*"))}
    return path.read_bytes() if path.exists() else None


def play(errors, environment, arguments):
    """Does in a fork what `python` does with the arguments."""
    os.dup2(errors.fileno(), 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.update(environment)
    name, *flags = arguments
    if name != "-m":
        script(name, *flags)
    sys.argv = flags
    runpy.run_module(flags[0], run_name="__main__", alter_sys=True)


answers, sys.stdout = sys.stdout, sys.stderr
for line in sys.stdin:
    arguments, environment, folder = json.loads(line)
    before = folder and content(folder)
    with tempfile.TemporaryFile() as errors:
        outcome = forked(functools.partial(play, errors, environment, arguments), seconds=600)
        errors.seek(0)
        text = errors.read().decode(errors="replace")
    changed = folder and content(folder) != before
    print(json.dumps([outcome.status, outcome.text, text, changed]), file=answers, flush=True)
