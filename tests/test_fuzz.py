"""The fuzz's harness knows how a case ended; its parts in a short form."""

import os
import pathlib
import random
import shutil
import signal
import sys
import time

import pytest

from benchmarks.fuzz import fields as fuzz_fields
from benchmarks.fuzz import files as fuzz_files
from benchmarks.fuzz import harness
from bms_keras.errors import BadInput
from bms_keras.runs import checkpoint, experiment, memory, training
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


FIELD = ("ring", "bms_vae_gan", "objective.lambda_")


@pytest.fixture
def given_back(monkeypatch):
    """What the fuzz changes of the program is as it was after the test."""
    for name in ("draw", "fit", "save", "to_the_end"):
        monkeypatch.setattr(training._Run, name, getattr(training._Run, name))
    monkeypatch.setattr(memory, "machine", memory.machine)


@pytest.mark.usefixtures("given_back")
def test_flags_that_fit_are_taken(tmp_path, monkeypatch, command_line):
    """So that the fuzz finds faults of the program, not of its own."""
    lines = []
    monkeypatch.setattr(harness, "script", lambda *words: lines.append(words))
    for value in (2.0, -1.0):
        fuzz_fields.by_flags(*FIELD, value, None, False)
    taken, refused = (
        command_line(*words, f"--workdir={tmp_path / str(i)}") for i, words in enumerate(lines)
    )
    assert taken.returncode == 0, taken.stderr
    assert refused.returncode == 1
    assert "lambda_ must be" in refused.stderr


# The short form of `benchmarks/fuzz/files.py`, in this process.


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A tiny run's workdir with one checkpoint, and its experiment, into which all are restored."""
    folder = Workdir(tmp_path_factory.mktemp("run"))
    config = fuzz_fields.base("ring", "bms_vae_gan", None)
    built = experiment.build(config)
    built.model.optimizer.iterations.assign(2)  # as many as `files.STEP` names
    with folder.claimed(config):
        checkpoint.save(built.model, folder.checkpoints, config)
    return folder, built.model, config


@pytest.mark.usefixtures("given_back")
def test_files_that_fit_are_taken(run, tmp_path, monkeypatch):
    def play(name, function, *arguments):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        function(*arguments)

    spoiled = (run[0].path, fuzz_files.STEP, pathlib.Path.write_bytes)  # by what it is
    play("evaluated", fuzz_files.evaluated, *spoiled)
    play("resumed", fuzz_files.resumed, *spoiled)
    play("taken", fuzz_fields.by_file, *FIELD, 2.0, None, False)
    with pytest.raises(BadInput, match=r"lambda_ must be .*-1"):
        play("refused", fuzz_fields.by_file, *FIELD, -1.0, None, False)


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
