"""The wheel is whole: where nothing of the checkout is, it trains, measures, makes tables."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib

import pytest
from helpers import ROOT

pytestmark = pytest.mark.neutral

SOURCES = ("bms_keras", "configs", "requirements")
FILES = ("pyproject.toml", "README.md", "LICENSE", "train.py", "eval.py")
SMALL = ["--config.steps=2", "--config.batch_size=8", "--config.steps_per_execution=1"]


def pip(*arguments):
    command = [sys.executable, "-m", "pip", *arguments, "--quiet", "--no-deps"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Runs what is installed from the wheel, in an empty folder."""
    folder = tmp_path_factory.mktemp("wheel")
    source, target, away = folder / "source", folder / "target", folder / "away"
    for name in SOURCES:
        leave = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=leave)
    for name in FILES:
        shutil.copy(ROOT / name, source)
    away.mkdir()
    pip("wheel", str(source), "--no-build-isolation", f"--wheel-dir={folder}")
    (wheel,) = folder.glob("*.whl")
    pip("install", str(wheel), f"--target={target}", "--no-compile")

    def run(script, *arguments, status=0):
        environment = os.environ | {"PYTHONPATH": str(target)}
        script = [str(target / "bin" / script)] if script else []
        command = [sys.executable, *script, *arguments]
        done = subprocess.run(command, cwd=away, env=environment, capture_output=True, text=True)
        assert done.returncode == status, done.stderr
        return done.stdout

    run.folder = away
    return run


def test_a_run_is_trained_and_measured(installed):
    found = "import importlib.util as u; print(u.find_spec('bms_keras').origin)"
    assert str(installed.folder.parent) in installed(None, "-c", found)
    said = installed("bms-train", "--config=ring", "--workdir=run", *SMALL)
    assert "bms-eval --workdir=run" in said
    assert (installed.folder / "run" / "samples" / "samples.png").exists()
    record = json.loads(installed("bms-eval", "--workdir=run", "--metrics=modes").splitlines()[-1])
    assert record["step"] == 2
    assert record["measured"] == ["modes"]


def test_the_tables_list_their_flags(installed):
    text = installed(None, "-m", "bms_keras.tables", "--help", status=1)  # as absl has it
    assert "--first_seed" in text


def _names(lines):
    stripped = (line.partition("#")[0].strip() for line in lines)
    return {re.split(r"[<>=\[]", line)[0] for line in stripped if line}


def test_jax_alone_needs_all_but_what_tensorflow_brings():
    """One list a backend, from which both ways to install are made."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    files = project["tool"]["setuptools"]["dynamic"]["dependencies"]["file"]
    common, tensorflow, jax = (
        (ROOT / "requirements" / f"{name}.txt").read_text().splitlines()
        for name in ("common", "tensorflow", "jax")
    )
    assert files == ["requirements/common.txt", "requirements/tensorflow.txt"]
    assert "-r common.txt" in jax
    assert not _names(common) & _names(tensorflow)
