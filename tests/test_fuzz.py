"""The fuzz's harness knows how a case ended; its parts in a short form."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time

import helpers
import pytest

from benchmarks.fuzz import fields as fuzz_fields
from benchmarks.fuzz import files as fuzz_files
from benchmarks.fuzz import harness
from bms_keras.errors import BadInput
from bms_keras.runs import checkpoint, experiment
from bms_keras.runs.workdir import Workdir

pytestmark = pytest.mark.neutral


def _raise(error):
    raise error


def _two_lines():
    print("train.py: one\ntrain.py: another", file=sys.stderr)
    sys.exit(1)


def _eat():
    eaten = []
    while True:
        eaten.append(os.urandom(10**6) * 30)


ENDS = {  # what a case does, and its kind
    "ok": lambda: None,
    "refused": lambda: _raise(BadInput("a must be b. Received: c")),
    "unclear": _two_lines,
    "traceback": lambda: _raise(RuntimeError("an error that nobody caught")),
    "crash": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "hang": lambda: time.sleep(60),
    "memory": _eat,
}


@pytest.mark.parametrize("kind", ENDS)
def test_the_harness_tells_how_a_case_ended(kind):
    limit = harness.resident(os.getpid()) + 2e8
    outcome = harness.play(harness.Case(kind, ENDS[kind]), 1 if kind == "hang" else 300, limit)
    assert outcome.kind == kind
    assert outcome.peak < limit + 2e8
    assert set(ENDS) == set(harness.KINDS)


def test_a_refusal_of_several_lines_is_unclear():
    case = harness.Case("", lambda: _raise(BadInput("a\nb")))
    assert harness.play(case, 30, None).kind == "unclear"


TRAINED = """
import functools, pathlib, sys
from benchmarks.fuzz import fields, files, harness

def show(name, play):
    outcome = harness.play(harness.Case(name, play), 300, None)
    print(name, outcome.kind)
    print(outcome.text, file=sys.stderr)

for way in (fields.by_flags, fields.by_file):
    for value in (2.0, -1.0):
        arguments = ("ring", "bms_vae_gan", "objective.lambda_", value, None, False)
        show(f"{way.__name__} {value}", functools.partial(way, *arguments))
run = files.trained()
for way in (files.evaluated, files.resumed):
    show(way.__name__, functools.partial(way, run, files.STEP, pathlib.Path.write_bytes))
"""


def test_what_fits_is_taken():
    """So that the fuzz finds faults of the program, not of its own.

    In a process of its own: a fork of one in which JAX has computed may wait forever.
    """
    environment = os.environ | {"PYTHONPATH": str(helpers.ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", TRAINED], env=environment, capture_output=True, text=True
    )
    assert done.stdout.splitlines() == [
        "by_flags 2.0 ok",
        "by_flags -1.0 refused",
        "by_file 2.0 ok",
        "by_file -1.0 refused",
        "evaluated ok",
        "resumed ok",
    ], done.stdout + done.stderr


# The short form of `benchmarks/fuzz/files.py`, in this process.


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A tiny run's workdir with one checkpoint, and its experiment, into which all are restored."""
    folder = Workdir(tmp_path_factory.mktemp("run"))
    config = fuzz_fields.base("ring", "bms_vae_gan", None)
    built = experiment.build(config)
    with folder.claimed(config):
        checkpoint.save(built.model, folder.checkpoints, config)
    return folder, built.model, config


def _sound(function):
    """Whether a function does what it should, or refuses in one line."""
    try:
        function()
    except BadInput as error:
        return "\n" not in str(error)
    return True


def test_any_checkpoint_is_restored_or_refused_in_one_line(run, capsys):
    folder, model, config = run
    (path,) = checkpoint.paths(folder.checkpoints)
    content, before = path.read_bytes(), model.get_weights()
    tried = fuzz_files.checkpoints()[::2]
    assert len(tried) > 125
    for number, (title, change) in enumerate(tried):
        path.write_bytes(change(content, random.Random(number)))
        assert _sound(lambda: checkpoint.restore(model, folder.checkpoints, config)), title
    path.write_bytes(content)
    checkpoint.restore(model, folder.checkpoints, config)
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


def test_any_config_is_read_or_refused_in_one_line(run):
    folder, _, config = run
    text = folder.config_file.read_text()
    tried = fuzz_files.configs()
    assert len(tried) > 150
    for number, (title, change) in enumerate(tried):
        folder.config_file.write_bytes(change(text, random.Random(number)))
        assert _sound(folder.config), title
        assert _sound(lambda: folder.claimed(config).__enter__()), title
    folder.config_file.write_text(text)


@pytest.mark.parametrize("what", fuzz_files.SPECIAL)
def test_only_regular_files_are_read(run, what, capsys):
    folder, model, config = run
    (path,) = checkpoint.paths(folder.checkpoints)
    for file, use in (
        (path, lambda: checkpoint.restore(model, folder.checkpoints, config)),
        (folder.config_file, folder.config),
    ):
        content = file.read_bytes()
        file.unlink()
        fuzz_files.SPECIAL[what](file)
        with pytest.raises(BadInput, match=file.name):
            use()
        shutil.rmtree(file) if file.is_dir() else file.unlink()
        file.write_bytes(content)
