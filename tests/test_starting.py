"""What a command answers before Keras is loaded, and what it says where Keras cannot load."""

import os
import pathlib
import subprocess
import sys

import pytest

pytestmark = pytest.mark.neutral

ROOT = pathlib.Path(__file__).parent.parent


@pytest.fixture
def run(tmp_path):
    """Runs `python` with arguments, where importing Keras fails."""
    (tmp_path / "keras.py").write_text("raise ValueError('loaded')\n")

    def run(*arguments):
        paths = os.pathsep.join([str(tmp_path), str(ROOT)])
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": paths},
            capture_output=True,
            text=True,
        )

    return run


def test_help_needs_no_keras(run):
    result = run("train.py", "--help")
    assert "--config" in result.stdout
    assert not result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--confg=grid"], "Unknown command line flag 'confg'. Did you mean: config ?"),
        (["--noverbose", "--workdir", "x", "--lits"], "Unknown command line flag 'lits'. Did "),
        (["--flagfile"], "--flagfile must name a file"),
        (["--workdir", "flagfile"], "flag --config=None: is needed to begin a run"),
        (["--config.steps=3", "--workdir=x"], "flag --config=None: is needed to begin a run"),
        (["--config=grid", "--config.method=wae"], "the method is chosen by the config, as in "),
        (["--config=grit", "--workdir=x"], "--config must be a file or one of "),
        (["--num_processes=two"], "flag --num_processes=two: invalid literal"),
        (["--workdir=nosuch"], "flag --config=None: is needed to begin a run"),
    ],
)
def test_a_mistyped_flag_needs_no_keras(run, arguments, said):
    result = run("train.py", *arguments)
    assert result.returncode == 2
    assert result.stderr.startswith(f"train.py: {said}")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [["train.py", "--config=grid", "--workdir=x"], ["train.py", "--list"], ["eval.py", "--help"]],
)
def test_a_command_says_why_keras_does_not_load(run, arguments):
    result = run(*arguments)
    assert result.returncode == 1
    assert result.stderr == (
        f"{arguments[0]}: Keras could not load its backend: install it, or set KERAS_BACKEND to "
        "'tensorflow' or 'jax'. Received: loaded\n"
    )


def test_python_is_told_why_keras_does_not_load(run):
    result = run("-c", "import bms_keras")
    assert "ImportError: Keras could not load its backend" in result.stderr


def test_a_script_of_the_same_name_elsewhere_gets_all_that_is_public(tmp_path):
    script = tmp_path / "train.py"
    script.write_text("import sys, bms_keras\nprint('BMSVAEGAN' in vars(bms_keras))\n")
    command = [sys.executable, str(script)]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    assert subprocess.run(command, env=env, capture_output=True, text=True).stdout == "True\n"
