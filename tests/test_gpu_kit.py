"""The rehearsal of `benchmarks/gpu`: without TensorFlow, without a network, on the CPU."""

import functools
import json
import pathlib
import shutil
import tarfile

import keras
import numpy as np
import pytest
from absl.testing import flagsaver
from helpers import ForkServer

from bms_keras.metrics import feature_networks
from bms_keras.metrics.ivom import ivom

pytestmark = pytest.mark.skipif(keras.backend.backend() != "jax", reason="the kit runs on JAX")

ROOT = pathlib.Path(__file__).parent.parent
BARE = """
import socket, sys

class NoTensorFlow:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tensorflow", "tensorflow_datasets"):
            raise ImportError(f"{name} is not here")

def refuse(*args, **kwargs):
    raise OSError("there is no network")

sys.meta_path.insert(0, NoTensorFlow())
socket.socket.connect = refuse
if any("cli_fork_server" in word for word in sys.orig_argv):
    from benchmarks.gpu import loop

    loop.STEPS = 5  # a call, in place of 50: on a CPU the steps would take minutes
"""
TINY = (
    "--fields=networks.width=4,batch_size=4,networks.latent_dim=4,ema=0.5,"
    "optimizer.learning_rate=0.02"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What is there after `pack`, `speed`, `train`, and `train` again on a later machine."""
    path = tmp_path_factory.mktemp("gpu")
    (path / "sitecustomize.py").write_text(BARE)
    rng = np.random.default_rng(0)
    train, test = (rng.integers(0, 256, (n, 32, 32, 3), "uint8") for n in (220, 30))
    np.savez(path / "images.npz", x_train=train, x_test=test)
    digits = rng.integers(0, 256, (40, 28, 28), "uint8")
    np.savez(path / "mnist.npz", x_train=digits, x_test=digits)

    with ForkServer(path, PYTHONPATH=f"{path}:{ROOT}") as server:
        _rehearse(path, server)
    return path


def _rehearse(path, server):
    def run(tool, *flags):
        done = server("-m", f"benchmarks.gpu.{tool}", *flags)
        assert done.returncode == 0, done.stderr
        return done.stdout

    cache = "--cache=cache"
    run("pack", "--data=images.npz", "--out=parts", "--wheels=")
    for part in sorted((path / "parts").iterdir()):
        for file in part.iterdir():
            file.rename(path / file.name)
    run(
        "speed",
        "--seconds=600",
        "--images=20",
        "--product=32",
        "--samples=2",
        "--precisions=bfloat16",
        cache,
        TINY,
    )
    rows = ["--rows=sn_gan", "--round=5", "--samples=12", "--reserve=0", cache, TINY]
    goes_on = ["--seconds=600", "--checkpoints=checkpoints", *rows]
    run("train", "--steps=10", "--at=5", *goes_on)
    run("pack", "--data=images.npz", "--out=later", "--wheels=", "--also=checkpoints,images.npz")
    stacked = ["--data=stacked_mnist:mnist.npz", "--rows=stacked_mnist_small:dcgan", "--round=5"]
    tiny = ["--fields=batch_size=4,networks.latent_dim=4", "--samples=12", "--precision=float32"]
    run("train", "--seconds=600", "--steps=5", "--out=stacks", *stacked, *tiny)
    said = run("train", "--steps=15", "--out=out2", "--precision=bfloat16", *goes_on)
    assert "sn_gan goes on at step 10" in said


def test_the_images_arrive_as_they_were(folder):
    from benchmarks.gpu import sheets

    halves = [sheets.read(folder, f"train_{i}") for i in range(2)]
    with np.load(folder / "images.npz") as file:
        np.testing.assert_array_equal(np.concatenate(halves), file["x_train"])
        np.testing.assert_array_equal(sheets.read(folder, "test"), file["x_test"])
    index = json.loads((folder / "test.json").read_text())
    (folder / "damaged.json").write_text(json.dumps({**index, "sha256": "0" * 64}))
    shutil.copy(folder / "test_0.webp", folder / "damaged_0.webp")
    with pytest.raises(ValueError, match="not those that were packed"):
        sheets.read(folder, "damaged")


def test_speed_counts_steps_arithmetic_memory_and_kernels(folder):
    record = json.loads((folder / "out/speed.json").read_text())
    (row,) = record["rows"].values()
    assert row["steps_per_second"] > 0
    assert row["tflop_per_step"] > 1e-6
    assert row["peak_gib"] > 0
    assert 0 < row["share_of_matrix_rate"] < np.inf
    assert record["kernels"]["share"]


def test_training_keeps_samples_weights_and_losses(folder):
    record = json.loads((folder / "out/train.json").read_text())
    rounds = record["rows"]["sn_gan"]["rounds"]
    assert [each["step"] for each in rounds] == [5, 10]
    assert all(np.isfinite(each["loss"]) for each in rounds)
    names = {path.name for path in (folder / "out").iterdir()}
    kept = {
        "sn_gan.npz",
        "sn_gan_5.json",
        "sn_gan_10.json",
        "sn_gan_5_0.webp",
        "sn_gan_raw_10.json",
    }
    assert kept <= names
    later = json.loads((folder / "out2/train.json").read_text())
    assert [each["step"] for each in later["rows"]["sn_gan"]["rounds"]] == [15]
    with tarfile.open(folder / "later/part_2/also.tar.00") as archive:
        assert {"checkpoints", "images.npz"} <= set(archive.getnames())


@pytest.mark.parametrize("kept", ["sn_gan_10", "sn_gan_raw_10"])
def test_the_weights_that_are_kept_are_the_averages(folder, kept):
    from benchmarks.gpu import loop, sheets
    from bms_keras.metrics.samples import drawn
    from bms_keras.runs import experiment
    from bms_keras.tables.jobs import fields_of

    config = loop.Row.parse("sn_gan").config(
        folder / "images.npz", "bfloat16", **fields_of(TINY.removeprefix("--fields=").split(","))
    )
    config.ema = 0.0
    model = experiment.build(config).model
    with np.load(folder / "out/sn_gan.npz") as file:
        model.generator.set_weights([file[key] for key in file.files])
    same = np.array_equal(drawn(model, 12, [0, 0]), sheets.read(folder / "out", kept))
    assert same == (kept == "sn_gan_10")


def test_the_loop_is_the_programs_own_training(folder, monkeypatch):
    """Five steps, of two batches each, leave the weights of `fit`; later rounding grows."""
    from benchmarks.gpu import loop
    from bms_keras.runs import experiment

    monkeypatch.setattr(loop, "STEPS", 5)
    fields = ["networks.width=4", "batch_size=4", "networks.latent_dim=4"]
    row = loop.Row.parse("+".join(["sn_gan", "objective.critic_turns=2", *fields]))
    config = row.config(folder / "images.npz", "float32")
    fitted = experiment.build(config)
    batches = fitted.data.batches(0, 5, fitted.model.batches_per_step)
    fitted.model.fit(batches, steps_per_epoch=5, epochs=1, verbose=0)
    training = loop.Training(config, "float32")
    training.run(training.lower().compile(), 5)
    training.pause()
    for a, b in zip(fitted.model.weights, training.model.weights, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-3, atol=2e-4)


@pytest.mark.parametrize("data", ["images.npz", "."])  # at home; there, as the sheets
def test_scores(folder, monkeypatch, data):
    from benchmarks.gpu import score, sheets

    class Network:
        name = "stub"

        def features(self, images, batch_size):
            return images.reshape(len(images), -1)[:, :8].astype("float32")

    monkeypatch.setattr(feature_networks, "network", lambda source: Network())
    monkeypatch.setattr(score.ivom, "ivom", functools.partial(ivom, starts=1, steps=2))
    paths = {"data": str(folder / data), "samples": str(folder / "out")}
    paths |= {"out": str(folder / "gpu.json"), "order": ["sn_gan_10"], "ivom_images": 3}
    score.flags.FLAGS.mark_as_parsed()
    with flagsaver.flagsaver(**paths):
        score.main([])
    scores = json.loads((folder / "gpu.json").read_text())["scores"]["sn_gan_10"]
    assert sheets.read(folder / "out", "sn_gan_10").shape == (12, 32, 32, 3)
    assert scores["fid_30_12_test"] > 0
    assert 0 <= scores["coverage"] <= 1
    assert scores["ivom_images"] == 3


def test_scores_of_stacks(folder, monkeypatch):
    from benchmarks.gpu import score, sheets

    class Judge:
        percent = 99.0

        def digits(self, images):
            return (images.mean((1, 2)) // 26).astype(int)

    monkeypatch.setattr(score, "classifier", lambda path: {"mnist.npz": Judge()}[path])
    paths = {"data": "stacked_mnist:mnist.npz", "samples": str(folder / "stacks")}
    paths |= {"out": str(folder / "stacks.json"), "order": []}
    score.flags.FLAGS.mark_as_parsed()
    with flagsaver.flagsaver(**paths):
        score.main([])
    (name, scores) = next(iter(json.loads((folder / "stacks.json").read_text())["scores"].items()))
    images = sheets.read(folder / "stacks", name)
    assert images.shape == (12, 28, 28, 3)
    kinds = {tuple(digits) for digits in Judge().digits(images)}
    assert scores["stacked_modes_12"] == len(kinds)
