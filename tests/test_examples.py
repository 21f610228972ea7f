"""The examples run: the idea in one file, short and plain Keras, and the notebook."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import keras
import pytest
from PIL import Image

pytestmark = pytest.mark.neutral  # the file chooses TensorFlow itself

EXAMPLES = pathlib.Path(__file__).parent.parent / "examples"
ONE_FILE = EXAMPLES / "one_file.py"
NOTEBOOK = json.loads((EXAMPLES / "quickstart.ipynb").read_text())


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


def cells(kind):
    return [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == kind]


def test_the_notebook_runs_from_top_to_bottom(monkeypatch, tmp_path):
    """Its cells in order, as a kernel runs them, with fewer steps."""
    monkeypatch.setenv("STEPS", "100")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    names = {}
    for cell in cells("code"):
        exec("".join(cell["source"]), names)
    assert names["run"].step == names["config"].steps == 33
    assert names["best"].shape == (500, 2)
    assert len(names["history"].epoch) == 10
    keras.saving.load_model(names["folder"] / "digits.keras")


def test_the_notebook_is_kept_without_what_came_out():
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells("code"))
    assert cells("markdown")
