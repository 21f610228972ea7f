"""A run knows its data by what they are: they may move, but not change unnoticed."""

import json
import os
import shutil
import signal
import sys
import time
from unittest.mock import Mock

import keras
import numpy as np
import pytest
from ml_collections import ConfigDict
from PIL import Image

import bms_keras
from benchmarks.fuzz.harness import forked
from bms_keras.data import decoding
from bms_keras.runs import checkpoint, cli, evaluation, training
from bms_keras.runs.workdir import Workdir
from configs import folder as folder_config


def add(folder, name, seed):
    noise = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), "uint8")
    Image.fromarray(noise).save(folder / name)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """`mine/`, 30 images, and `run/`, a run of one step on them."""
    top = tmp_path_factory.mktemp("trained")
    (top / "mine").mkdir()
    for i in range(30):
        add(top / "mine", f"{i}.png", i)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BMS_KERAS_CACHE", str(top / "cache"))
        patch.chdir(top)
        training.train(config("mine"), "run")
    return top


@pytest.fixture
def place(trained, tmp_path, monkeypatch):
    """A copy of both, and no cache."""
    for name in ("mine", "run"):
        shutil.copytree(trained / name, tmp_path / name)
    monkeypatch.setenv("BMS_KERAS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def config(source, **fields):
    made = folder_config.get_config("sn_gan")
    made.update(steps=1, checkpoint_every=1, batch_size=4, eval_every=0)
    made.networks = {"family": "dcgan", "latent_dim": 4, "width": 2}
    made.data.update(source=str(source), resolution=8, channels=3, held_out=0.3, **fields)
    return ConfigDict(made)


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_manifest_notes_the_data(place):
    noted = checkpoint.newest(place / "run" / "checkpoints")["data"]
    config_, built, _ = evaluation.load(Workdir("run"))
    assert noted["fingerprint"] == bms_keras.data.load(config_.data, 4, 0).fingerprint
    assert noted["shape"] == [8, 8, 3] == list(built.data.shape)


@pytest.mark.parametrize("names", [None, []])
def test_a_run_is_exported_without_its_data(place, monkeypatch, names):
    shutil.rmtree(place / "mine")
    exported = []
    monkeypatch.setattr(
        "bms_keras.export.onnx_files.export", lambda model, folder: exported.append(folder)
    )
    write = lambda model, data, folder, *_: exported.append(data.kind)  # noqa: E731
    monkeypatch.setattr("bms_keras.export.webpage.write", write)
    monkeypatch.setattr(
        bms_keras.Game, "export_saved_model", lambda self, folder, **notes: exported.append(notes)
    )
    record = evaluation.evaluate("run", names, onnx_dir="o", web_dir="w", export_dir="s")
    assert (record["step"], record["measured"]) == (1, [])
    assert exported[:2] == ["o", "images"]
    assert exported[2]["data_scale"] == 1.0
    _, built, _ = evaluation.load(Workdir("run"))
    assert built.data.shape == built.model.data_shape == (8, 8, 3)
    with pytest.raises(
        bms_keras.BadInput, match=r"an \.npy or of a folder of images\. Received: 'mine'"
    ):
        built.data.points(3)


def test_a_metric_is_refused_before_anything_is_exported(place):
    with pytest.raises(bms_keras.BadInput, match="'modes' needs data of the kind 'mixture'"):
        evaluation.evaluate("run", ["modes"], onnx_dir="o", web_dir="w", export_dir="s")
    assert not {"o", "w", "s"} & {path.name for path in place.iterdir()}


def test_an_old_run_without_the_note_is_exported_too(place):
    """The shape is known from the config."""
    shutil.rmtree(place / "mine")
    forget(place / "run")
    assert evaluation.load(Workdir("run"))[1].data.shape == (8, 8, 3)


def forget(run):
    """Makes the checkpoint one that was written before data were noted."""
    config_, built, _ = evaluation.load(Workdir(run))
    checkpoint.save(built.model, run / "checkpoints", config_)


@pytest.mark.parametrize("name", ["mine", "mine/", "./mine", "moved", "~/mine"])
def test_the_same_data_elsewhere_go_on(place, monkeypatch, name):
    if name == "moved":
        (place / "mine").rename(place / "moved")
    monkeypatch.setenv("HOME", str(place))
    trained = checkpoint.read(place / "run/checkpoints/step_000000001.npz")[1]
    monkeypatch.setattr("bms_keras.monitoring.drawings.at_the_end", lambda *_: {})
    built = training.train(config(name), "run")
    assert int(built.model.optimizer.iterations) == 1
    for variable, before in zip(built.model.variables, trained.values(), strict=False):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable), before)
    assert json.loads((place / "run/config.json").read_text())["data"]["source"] == name


def test_changed_data_are_refused_in_a_line_and_taken_when_told(place, monkeypatch):
    for i in range(3):
        add(place / "mine", f"new{i}.png", 100 + i)
    (place / "mine" / "7.png").unlink()
    before = content(place / "run")
    line = "mine is not what this run was trained on: 3 images were added, 1 removed"
    with pytest.raises(bms_keras.BadInput, match=line) as error:
        training.train(config("mine"), "run")
    assert "\n" not in str(error.value)
    assert content(place / "run") == before
    with pytest.raises(bms_keras.BadInput, match=line):
        evaluation.load(Workdir("run"))[1].data.points(3)
    monkeypatch.setattr("bms_keras.monitoring.drawings.at_the_end", lambda *_: {})
    assert training.train(config("mine", accept_changes=True), "run")
    assert evaluation.load(Workdir("run"))[1].data.points(3).shape == (3, 8, 8, 3)


def test_other_data_of_the_same_name_are_refused(place):
    np.savez(
        "mine.npz", x_train=np.zeros((9, 8, 8, 3), "uint8"), x_test=np.ones((2, 8, 8, 3), "u1")
    )
    with pytest.raises(bms_keras.BadInput, match="11 images were added, 30 removed"):
        training.train(config("mine.npz"), "run")


def test_an_old_run_goes_on_with_whatever_there_is(place, monkeypatch):
    forget(place / "run")
    add(place / "mine", "new.png", 100)
    monkeypatch.setattr("bms_keras.monitoring.drawings.at_the_end", lambda *_: {})
    assert training.train(config("mine"), "run")


@pytest.mark.neutral
def test_no_held_out_image_is_trained_on_after_one_is_added(place):
    """By the split of before and that of after."""

    def split():
        found = bms_keras.data.load(config("mine").data, 4, 0)
        return [{x.tobytes() for x in np.asarray(part)} for part in (found.train, found.test)]

    train, test = split()
    for i in range(20):
        add(place / "mine", f"0{i}.png", 100 + i)  # the first by name
    train_now, test_now = split()
    assert train < train_now
    assert test <= test_now
    assert not train_now & test


@pytest.mark.neutral
def test_a_run_can_be_stopped_while_its_data_are_decoded(place, monkeypatch):
    """Signals are held back only once there is something to save."""

    def interrupt():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)  # where a signal that is held back would not be noticed
        raise AssertionError("held back")

    monkeypatch.setattr(decoding.store, "kept", lambda *_: interrupt())
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background has none
    with pytest.raises(KeyboardInterrupt):
        training.train(config("mine"), "new")
    assert not (place / "new").exists()


@pytest.mark.neutral
def test_ctrl_c_on_the_command_line_is_one_line():
    def interrupted():
        raise KeyboardInterrupt

    def play():
        sys.argv = ["train.py"]
        cli.run(interrupted)

    outcome = forked(play, seconds=60)
    assert outcome.status == 130
    assert outcome.text.splitlines()[-1] == "train.py: interrupted"
    assert "Traceback" not in outcome.text


def test_runs_are_compared_by_what_their_data_are(place, monkeypatch):
    shutil.copytree("run", "other")
    shutil.copytree("mine", "copy")
    known = json.loads((place / "other/config.json").read_text())
    known["data"]["source"] = "copy"
    (place / "other/config.json").write_text(json.dumps(known))
    drawing = Mock(return_value=({}, {}))
    monkeypatch.setattr("bms_keras.monitoring.drawings.of_comparison", drawing)
    monkeypatch.setattr("bms_keras.monitoring.drawings.at_the_end", lambda *_: {})
    evaluation.evaluate("run", [], compare=["other"])
    assert list(drawing.call_args.args[0]) == ["sn_gan", "sn_gan T=1 seed 0"]
    forget(place / "other")  # so that it is not refused for having changed itself
    add(place / "copy", "new.png", 100)
    with pytest.raises(bms_keras.BadInput, match="other is a run on 'copy', not on 'mine'"):
        evaluation.evaluate("run", [], compare=["other"])


def test_runs_that_are_alike_are_drawn_under_titles_of_their_own(place, monkeypatch):
    others = ["a", "b", "again/b"]
    for other in others:
        shutil.copytree("run", other)
    drawing = Mock(return_value=({}, {}))
    monkeypatch.setattr("bms_keras.monitoring.drawings.of_comparison", drawing)
    evaluation.evaluate("run", [], compare=others)
    alike = "sn_gan T=1 seed 0"
    assert list(drawing.call_args.args[0]) == ["sn_gan", alike, f"{alike} b", f"{alike} again/b"]
