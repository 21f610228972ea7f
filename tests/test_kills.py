"""The short form of `benchmarks/kills.py`: a run that is killed ends in the same bits."""

import json
import os
import pathlib
import subprocess
import sys

import keras

ROOT = pathlib.Path(__file__).parent.parent
KILLS = 4 if keras.backend.backend() == "tensorflow" else 1  # JAX compiles anew after each


def test_a_killed_run_ends_in_the_same_bits():
    command = [sys.executable, "benchmarks/kills.py", "--kinds=tiny", f"--kills={KILLS}"]
    result = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"KERAS_BACKEND": keras.backend.backend()},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert result.returncode == 0, result.stderr
    record = json.loads(result.stdout.splitlines()[-1])["tiny"]
    assert record["identical"]
    assert record["kills"] == KILLS
    assert 0 <= record["steps_repeated"] <= KILLS * 20  # no more than `checkpoint_every` a kill
