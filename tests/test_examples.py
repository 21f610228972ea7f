"""The idea in one file: short, plain Keras, and it runs."""

import os
import pathlib
import subprocess
import sys

import pytest
from PIL import Image

pytestmark = pytest.mark.neutral  # it chooses TensorFlow itself

ONE_FILE = pathlib.Path(__file__).parent.parent / "examples" / "one_file.py"


def test_the_idea_fits_a_page_without_this_package():
    text = ONE_FILE.read_text()
    assert len(text.splitlines()) <= 150
    assert "bms_keras" not in text


def test_it_trains_and_draws(tmp_path):
    environment = os.environ | {"STEPS": "20", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, ONE_FILE, "2"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "T=2: " in done.stdout
    assert "of 25 modes" in done.stdout
    assert len(set(Image.open(tmp_path / "one_file.png").convert("L").getdata())) > 10
