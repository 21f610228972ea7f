"""A run of an earlier version (commit 6e3bce6) is evaluated, goes on, and is exported.

A checkpoint is one of its backend, so each has its own.
"""

import json
import pathlib
import shutil

import keras
import pytest

import bms_keras
from bms_keras.export import webpage
from bms_keras.runs import evaluation, training
from bms_keras.runs.workdir import Workdir

RUN = pathlib.Path(__file__).parent / "fixtures" / f"run_{keras.backend.backend()}"


@pytest.fixture
def run(tmp_path):
    shutil.copytree(RUN, tmp_path / "run")
    return tmp_path / "run"


def test_it_is_measured_as_it_was(run):
    """As that version wrote to metrics.jsonl."""
    (before,) = map(json.loads, (RUN / "metrics.jsonl").read_text().splitlines())
    now = evaluation.evaluate(run, ["modes"])
    for name in ("method", "samples", "seed", "step", "modes"):
        assert now[name] == before[name]
    for name in ("high_quality_percent", "mode_kl", "spread_ratio", "sliced_wasserstein"):
        known = before[name] is not None  # without a sample of quality some are undefined
        assert now[name] == (pytest.approx(before[name], rel=1e-3) if known else None)


def test_it_goes_on(run):
    config = Workdir(run).config()
    config.steps = 9
    assert training.train(config, run)
    assert bms_keras.load_run(run).step == 9
    assert "step 9: config, model" in repr(bms_keras.load_run(run))
    changed = json.loads((run / "config_history.jsonl").read_text())["changed"]
    assert changed == {"steps": [6, 9]}


def test_it_is_exported(run, tmp_path, monkeypatch):
    monkeypatch.setattr(webpage, "write", lambda *_: None)  # its runtime is fetched
    evaluation.evaluate(run, [], export_dir=tmp_path / "saved", web_dir=tmp_path / "page")
    assert (tmp_path / "saved" / "1" / "saved_model.pb").exists()
    assert bms_keras.load_run(run, "best").step in (3, 6)
