"""The command lines end to end, on the backend under test."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
from helpers import on_tensorflow
from PIL import Image

ROOT = pathlib.Path(__file__).parent.parent
TINY = [f"--config.networks.{name}=8" for name in ("generator", "recognition", "image_critic")]
QUICK = [*TINY, "--config.batch_size=8", "--config.checkpoint_every=20", "--config.eval_every=0"]
QUICK += ["--config.jit_compile=auto"]  # without XLA on TensorFlow, which takes seconds a command


def python(script, *flags, **environment):
    """What a user starts: a process of its own. The other tests fork one; see `helpers`."""
    environment = {"KERAS_BACKEND": keras.backend.backend()} | environment
    return subprocess.run(
        [sys.executable, str(ROOT / script), *flags],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def error_line(result):
    """The one line of a refusal; fails on a traceback, on more lines and on success."""
    assert result.returncode in (1, 2), result.stderr
    assert "Traceback" not in result.stderr
    (line,) = [line for line in result.stderr.splitlines() if line.startswith(("train", "eval"))]
    return line


@pytest.fixture(scope="module")
def outputs(tmp_path_factory, command_line):
    """What a short run of Grid says, which stops at step 40 and goes on to step 50."""
    workdir, outputs = tmp_path_factory.mktemp("runs") / "grid", []
    for run, steps in ((python, 40), (command_line, 50)):
        flags = ["--config=configs/grid.py", f"--workdir={workdir}", f"--config.steps={steps}"]
        result = run("train.py", *flags, *QUICK)
        assert result.returncode == 0, result.stderr
        outputs.append(result)
    assert "step 40 of 50" in result.stdout
    return workdir, outputs


@pytest.fixture(scope="module")
def workdir(outputs):
    return outputs[0]


def test_a_run_says_how_it_goes_in_short_lines_and_where_all_is(outputs):
    workdir, (whole, _) = outputs
    assert whole.stderr == ""  # no greeting of TensorFlow's, no warning
    lines = whole.stdout.splitlines()
    assert all(line.isprintable() and len(line) <= 100 + len(str(workdir)) for line in lines)
    assert [line[:13] for line in lines if "ms/step" in line] == ["step 20 of 40", "step 40 of 40"]
    assert f"{workdir / 'samples'}" in lines[-4]
    assert f"tensorboard --logdir_spec=grid:{workdir / 'tensorboard'}" in lines[-2]
    assert lines[-1].endswith(f"python eval.py --workdir={workdir}")


def test_the_workdir_is_complete(workdir):
    assert json.loads((workdir / "config.json").read_text())["steps"] == 50
    names = sorted(path.name for path in (workdir / "checkpoints").iterdir())
    assert names == [f"step_{step:09d}.npz" for step in (20, 40, 50)]
    assert list((workdir / "tensorboard").glob("events*"))
    assert (workdir / "samples" / "samples.png").read_bytes().startswith(b"\x89PNG")


def test_eval_ends_in_a_json_line(workdir, command_line):
    result = command_line("eval.py", f"--workdir={workdir}", "--metrics=modes")
    assert result.returncode == 0, result.stderr
    record = json.loads(result.stdout.splitlines()[-1])
    assert record["method"] == "bms_vae_gan"
    assert (record["step"], record["seed"], record["samples"]) == (50, 0, 10)
    assert 0 <= record["modes"] <= 25
    assert 0 <= record["high_quality_percent"] <= 100
    assert "latent_auc" not in record
    assert json.loads((workdir / "metrics.jsonl").read_text().splitlines()[-1]) == record
    for table in ("table2", "table3"):
        assert (workdir / "samples" / f"{table}.png").exists()


@on_tensorflow
def test_eval_exports_and_overwrites_nothing(workdir, tmp_path, command_line):
    folders = [f"--onnx_dir={tmp_path / 'new'}", f"--export_dir={tmp_path / 'served'}"]
    flags = [f"--workdir={workdir}", "--metrics=modes", *folders]
    result = command_line("eval.py", *flags)
    assert result.returncode == 0, result.stderr
    metadata = json.loads((tmp_path / "served" / "1" / "metadata.json").read_text())
    assert metadata["metrics"] == json.loads(result.stdout.splitlines()[-1])
    assert metadata["config"]["data"]["source"] == "grid"
    assert metadata["data_scale"] == pytest.approx(4.0, abs=0.01)
    files = {path: path.read_bytes() for path in (tmp_path / "new").iterdir()}
    assert {path.name for path in files} == {"generator.onnx", "recognition.onnx"}
    line = error_line(command_line("eval.py", *flags))
    assert "generator.onnx exists and is not overwritten" in line
    assert files == {path: path.read_bytes() for path in (tmp_path / "new").iterdir()}
    assert [path.name for path in (tmp_path / "served").iterdir()] == ["1"]


@pytest.mark.neutral
def test_eval_measures_nothing_if_told_so(workdir, command_line):
    result = command_line("eval.py", f"--workdir={workdir}", "--metrics=")
    assert result.returncode == 0, result.stderr
    record = json.loads(result.stdout.splitlines()[-1])
    assert record.pop("measured") == []
    assert set(record) == {"method", "samples", "seed", "step", "latent_missed_percent"}


@pytest.mark.neutral
def test_another_config_is_refused_and_changes_nothing(workdir, command_line):
    before = {path: path.stat().st_mtime_ns for path in workdir.rglob("*")}
    flags = ["--config=configs/grid.py", f"--workdir={workdir}", "--config.steps=60", *QUICK]
    line = error_line(command_line("train.py", *flags, "--config.samples=5"))
    assert "samples: 10 there, 5 now" in line
    assert before == {path: path.stat().st_mtime_ns for path in workdir.rglob("*")}


@pytest.mark.neutral
def test_a_workdir_alone_goes_on_with_its_own_config(outputs, command_line, tmp_path):
    run = shutil.copytree(outputs[0], tmp_path / "grid")
    result = command_line("train.py", f"--workdir={run}", "--config.steps=51")
    assert result.returncode == 0, result.stderr
    assert "step 50 of 51" in result.stdout
    before, after = (json.loads((each / "config.json").read_text()) for each in (outputs[0], run))
    assert after == before | {"steps": 51}
    line = error_line(command_line("train.py", f"--workdir={run}", "--config.samples=5"))
    assert "samples: 10 there, 5 now" in line


@pytest.mark.neutral
def test_a_config_is_taken_by_name_and_shown(command_line):
    asked = ["--config=grid:wae", "--config.eval_metrics=modes,latent", "--print_config"]
    shown = command_line("train.py", *asked)
    assert shown.returncode == 0, shown.stderr
    assert {"method = 'wae'", "eval_metrics = ('modes', 'latent')"} <= {*shown.stdout.splitlines()}
    explained = command_line("train.py", "--config", "grid", "--help-config")
    assert "    T, samples a data point; an integer of at least 1" in explained.stdout.splitlines()
    assert "  bms_vae_gan" in command_line("train.py", "--list").stdout


@pytest.mark.neutral
def test_the_help_of_the_tables_lists_its_flags(command_line):
    said = command_line("-m", "bms_keras.tables", "--help").stdout
    assert {"--table:", "--rows:", "--jobs:", "--workdir:"} <= {*said.split()}


@pytest.mark.neutral
def test_an_unknown_backend_gets_one_line():
    line = error_line(python("eval.py", "--workdir=runs/grid", KERAS_BACKEND="abacus"))
    assert "'tensorflow' or 'jax'" in line
    assert "abacus" in line


@pytest.mark.neutral
def test_runs_on_other_data_are_not_drawn_together(workdir, tmp_path, command_line):
    ring = shutil.copytree(
        ROOT / f"tests/fixtures/run_{keras.backend.backend()}", tmp_path / "ring"
    )
    flags = [f"--workdir={workdir}", f"--compare={ring}", "--metrics=modes"]
    line = error_line(command_line("eval.py", *flags))
    assert "is a run on 'ring', not on 'grid'" in line


# Images.

STEPS = (3, 4, 6)  # at which it is measured: 4 was the last step once
TINY_IMAGES = [
    "--config=configs/folder.py",
    "--config.data.resolution=8",
    "--config.data.held_out=0.25",
    "--config.networks.width=2",
    "--config.networks.latent_dim=4",
    "--config.networks.latent_critic=8",
    "--config.samples=2",
    "--config.batch_size=8",
    "--config.checkpoint_every=3",
    "--config.eval_every=3",
    "--config.eval_metrics=latent",
]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A folder of small noise, a cache, and where the flags point to both."""
    folder = tmp_path_factory.mktemp("images")
    (folder / "mine").mkdir()
    rng = np.random.default_rng(0)
    for i in range(40):
        noise = rng.integers(0, 256, (9, 10, 3), "uint8")
        Image.fromarray(noise).save(folder / "mine" / f"{i}.png")
    return folder


def run_on_images(run, script, images, workdir, *flags):
    if script == "train.py":
        flags = [*TINY_IMAGES, f"--config.data.source={images / 'mine'}", *flags]
    return run(script, f"--workdir={workdir}", *flags, BMS_KERAS_CACHE=str(images / "cache"))


@pytest.fixture(scope="module")
def image_workdir(images, command_line):
    workdir = images / "run"
    for steps in (4, 6):
        result = run_on_images(command_line, "train.py", images, workdir, f"--config.steps={steps}")
        assert result.returncode == 0, result.stderr
    assert "step 4 of 6" in result.stdout
    assert "decoded" not in result.stderr  # the first run did
    return workdir


@pytest.mark.neutral
def test_a_folder_is_trained_on_and_drawn(image_workdir):
    names = sorted(path.name for path in (image_workdir / "checkpoints").iterdir())
    assert names == [f"step_{step:09d}.npz" for step in (3, 4, 6)]
    pictures = {path.name: path for path in (image_workdir / "samples").iterdir()}
    at_the_end = {"samples.png", "reconstructions.png", "neighbours.png", "interpolations.png"}
    steps = {f"{name}_{step:09d}.png" for name in ("samples", "reconstructions") for step in STEPS}
    assert set(pictures) == at_the_end | steps
    for path in pictures.values():
        with Image.open(path) as picture:
            assert np.asarray(picture).std() > 0


@pytest.mark.neutral
def test_the_trained_images_are_evaluated(images, image_workdir, command_line):
    result = run_on_images(command_line, "eval.py", images, image_workdir, "--metrics=latent")
    assert result.returncode == 0, result.stderr
    record = json.loads(result.stdout.splitlines()[-1])
    assert (record["method"], record["step"], record["samples"]) == ("bms_vae_gan", 6, 2)
    assert 0 <= record["latent_auc"] <= 1
    assert "fid" not in " ".join(record)
    assert json.loads((image_workdir / "metrics.jsonl").read_text()) == record


@pytest.mark.neutral
def test_a_broken_folder_gets_one_line_and_writes_nothing(images, tmp_path, command_line):
    (images / "mine" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    mine = images / "mine"  # the cache beside it is there from the first command on
    try:
        before = sorted(mine.rglob("*"))
        line = error_line(run_on_images(command_line, "train.py", images, tmp_path / "new"))
        assert "mine/broken.jpg is no image to train on" in line
        assert not (tmp_path / "new").exists()
        assert sorted(mine.rglob("*")) == before
    finally:
        (images / "mine" / "broken.jpg").unlink()
