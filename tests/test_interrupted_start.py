"""Ctrl-C during the imports ends a command line at once, with not a word."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.neutral

ROOT = pathlib.Path(__file__).parent.parent
KERAS = """
import os, signal
os.kill(os.getpid(), signal.SIGINT)
try:
    for _ in range(1000):  # a signal that Python handles comes between two lines
        pass
except BaseException:  # as libraries do with what they cannot import
    pass
raise ImportError("the signal was lost")
"""


@pytest.mark.parametrize(
    "command", [["train.py", "--list"], ["eval.py"], ["-m", "bms_keras.tables"]]
)
def test_an_import_that_is_interrupted_ends_at_once_and_says_nothing(tmp_path, command):
    (tmp_path / "keras.py").write_text(KERAS)
    paths = os.pathsep.join([str(tmp_path), str(ROOT)])
    result = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert result.returncode == -signal.SIGINT  # which a shell shows as 130
    assert result.stdout + result.stderr == ""
