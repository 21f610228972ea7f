"""A restored game goes on to the bit; whatever is damaged is refused."""

import errno
import hashlib
import io
import json
import os
import zipfile

import keras
import numpy as np
import pytest
from helpers import config

from bms_keras.errors import BadInput
from bms_keras.files.seals import SEAL
from bms_keras.runs import checkpoint, experiment


def trained(start=0, stop=4, model=None, **fields):
    built = experiment.build(config(batch_size=8, ema=0.9, **fields))
    model = model or built.model
    model.fit(built.data.batches(start, stop), steps_per_epoch=stop - start, verbose=0)
    return model


@pytest.fixture(scope="module")
def once():
    """A model that is trained for a step, and its state."""
    model = trained(0, 1)
    variables = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
    return model, [(variable, variable.numpy()) for variable in variables]


@pytest.fixture
def model(once):
    """That model, as it was trained."""
    model, state = once
    for variable, value in state:
        variable.assign(value)
    return model


@pytest.fixture
def saved(model, tmp_path):
    """That model and its only checkpoint, that of step 1."""
    checkpoint.save(model, tmp_path)
    (path,) = checkpoint.paths(tmp_path)
    return model, path


HALF = [pytest.param(name, marks=pytest.mark.neutral) for name in ("bfloat16", "float16")]


@pytest.mark.parametrize("precision", ["float32", *HALF])
def test_resuming_is_exact(tmp_path, precision):
    whole = trained(0, 3, precision=precision)
    checkpoint.save(whole, tmp_path)
    trained(3, 8, whole)
    resumed = experiment.build(config(batch_size=8, ema=0.9, precision=precision)).model
    assert checkpoint.restore(resumed, tmp_path)["step"] == 3
    trained(3, 8, resumed)
    for a, b in zip(whole.variables, resumed.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=a.path)
    for a, b in zip(whole.optimizer.variables, resumed.optimizer.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=a.path)


def test_a_loss_scale_is_part_of_the_state(tmp_path):
    model = trained(0, 1, precision="float16")
    scale = model.optimizer["generator"].dynamic_scale
    scale.assign(123.0)
    checkpoint.save(model, tmp_path)
    scale.assign(1.0)
    checkpoint.restore(model, tmp_path)
    assert float(scale) == 123.0


def test_equal_states_make_equal_files(saved, tmp_path):
    model, path = saved
    before = path.read_bytes()
    checkpoint.save(model, tmp_path)
    assert path.read_bytes() == before


@pytest.mark.neutral
def test_the_last_few_stay_and_scratch_files_go(model, tmp_path):
    scratch = tmp_path / ".step_000000001.npz.deadbeef"
    scratch.write_bytes(b"of a process that was killed")
    for step in range(1, 6):
        model.optimizer.iterations.assign(step)
        checkpoint.save(model, tmp_path, keep=2)
    assert [int(path.stem[5:]) for path in checkpoint.paths(tmp_path)] == [4, 5]
    assert not scratch.exists()


def saved_at(model, folder, *steps, keep):
    """Saves at these steps in turn, and returns the steps that stay."""
    for step in steps:
        model.optimizer.iterations.assign(step)
        checkpoint.save(model, folder, keep=keep)
    return [checkpoint.step_of(path) for path in checkpoint.paths(folder)]


def damage(folder, *steps):
    for step in steps:
        path = folder / f"step_{step:09d}.npz"
        path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.neutral
@pytest.mark.parametrize(("keep", "expected"), [(1, [25]), (2, [10, 25]), (3, [10, 25])])
def test_damaged_checkpoints_push_out_no_good_one(model, tmp_path, keep, expected):
    """Newer ones, from which a run could not go on, and `keep` was lowered."""
    assert saved_at(model, tmp_path, 10, 30, 40, keep=3) == [10, 30, 40]
    damage(tmp_path, 30, 40)
    assert {*expected} <= {*saved_at(model, tmp_path, 25, keep=keep)}
    assert checkpoint.restore(model, tmp_path)["step"] == 25


@pytest.mark.neutral
def test_damaged_ones_go_when_there_are_enough_good_ones(model, tmp_path):
    assert saved_at(model, tmp_path, 10, 20, 30, keep=3) == [10, 20, 30]
    damage(tmp_path, 20)
    assert saved_at(model, tmp_path, 40, keep=3) == [10, 20, 30, 40]
    assert saved_at(model, tmp_path, 50, keep=3) == [30, 40, 50]


@pytest.mark.neutral
def test_an_empty_folder_has_nothing_to_restore(model, tmp_path):
    assert checkpoint.restore(model, tmp_path) is None


def test_the_manifest(model, tmp_path):
    checkpoint.save(model, tmp_path, config(), rollbacks=2)
    manifest, _ = checkpoint.read(checkpoint.paths(tmp_path)[0])
    assert (manifest["step"], manifest["rollbacks"]) == (1, 2)
    assert manifest["config"]["method"] == "bms_vae_gan"
    assert manifest["versions"]["keras"] == keras.__version__


@pytest.mark.neutral
@pytest.mark.parametrize("damage", ["cut", "flip"])
def test_damage_is_refused_wherever_it_is_and_changes_nothing(saved, tmp_path, damage, capsys):
    """A hundred copies."""
    model, path = saved
    content, rng = path.read_bytes(), np.random.default_rng(0)
    before = model.get_weights()
    for place in rng.integers(len(content), size=50):
        damaged = bytearray(content[:place] if damage == "cut" else content)
        if damage == "flip":
            damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        with pytest.raises(BadInput, match=r"step_000000001.npz cannot be read \(") as error:
            checkpoint.restore(model, tmp_path)
        assert "\n" not in str(error.value)
    assert not capsys.readouterr().err  # the error says it all
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.neutral
def test_the_one_before_is_used_and_the_line_says_so(saved, tmp_path, capsys):
    model, _ = saved
    model.optimizer.iterations.assign(2)
    checkpoint.save(model, tmp_path)
    newest = checkpoint.paths(tmp_path)[-1]
    newest.write_bytes(newest.read_bytes()[:-1])
    assert checkpoint.restore(model, tmp_path)["step"] == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "step_000000002.npz cannot be read" in line
    assert "going on from step_000000001.npz" in line


@pytest.mark.neutral
def test_a_newest_one_with_a_damaged_note_of_its_data_is_passed_over(saved, tmp_path, capsys):
    model, _ = saved
    model.optimizer.iterations.assign(2)
    checkpoint.save(model, tmp_path, data={"kind": []})
    assert checkpoint.newest(tmp_path)["step"] == 1
    assert checkpoint.restore(model, tmp_path)["step"] == 1
    assert "step_000000002.npz cannot be read (its note of the data" in capsys.readouterr().err


def resealed(content, change):
    """A checkpoint with other content, and a checksum that is right."""
    with np.load(io.BytesIO(content)) as file:
        arrays = {name: file[name] for name in file.files}
    manifest = json.loads(arrays.pop("manifest").tobytes())
    return bytes(checkpoint._sealed(manifest, change(arrays)))


def test_another_model_is_refused(saved, tmp_path):
    model, path = saved
    content = path.read_bytes()
    changes = {
        "fewer": lambda arrays: dict(list(arrays.items())[1:]),
        "more": lambda arrays: arrays | {"model/9999": np.zeros(1)},
        "longer": lambda arrays: arrays | {"model/0000": np.zeros(3)},
    }
    for change in changes.values():
        path.write_bytes(resealed(content, change))
        with pytest.raises(BadInput, match="another model: its shapes or types differ"):
            checkpoint.restore(model, tmp_path)


@pytest.mark.neutral
def test_another_config_is_refused(model, tmp_path):
    """Even where all shapes agree; what may change may differ."""
    checkpoint.save(model, tmp_path, config())
    assert checkpoint.restore(model, tmp_path, config(steps=7))["step"] == 1
    with pytest.raises(BadInput, match=r"another config \(seed: 0 there, 1 now\)"):
        checkpoint.restore(model, tmp_path, config(seed=1))
    with pytest.raises(BadInput, match="method: 'bms_vae_gan' there, 'alpha_gan_sn' now"):
        checkpoint.restore(model, tmp_path, config("alpha_gan_sn"))


@pytest.mark.neutral
def test_no_pickle_is_read(saved, tmp_path):
    model, path = saved
    objects = {"model/0000": np.array([{}], object)}
    path.write_bytes(resealed(path.read_bytes(), lambda arrays: arrays | objects))
    with pytest.raises(BadInput, match="allow_pickle"):
        checkpoint.restore(model, tmp_path)


@pytest.mark.neutral
def test_nothing_compressed_is_read(saved, tmp_path):
    """A few bytes could otherwise fill the memory."""
    model, path = saved
    buffer = io.BytesIO()
    np.savez_compressed(buffer, a=np.zeros(10**6))
    with zipfile.ZipFile(buffer, "a") as file:
        file.comment = b"0" * SEAL
    content = buffer.getvalue()[:-SEAL]
    path.write_bytes(content + hashlib.sha256(content).hexdigest().encode())
    with pytest.raises(BadInput, match="compressed"):
        checkpoint.restore(model, tmp_path)


@pytest.mark.neutral
def test_which(saved, tmp_path):
    model, _ = saved
    checkpoint.write(model, tmp_path / checkpoint.BEST)
    model.optimizer.iterations.assign(2)
    checkpoint.save(model, tmp_path)
    for which, step in (("newest", 2), (1, 1), (2, 2), ("best", 1)):
        assert checkpoint.restore(model, tmp_path, which=which)["step"] == step
    with pytest.raises(BadInput, match="the steps that are kept are 1, 2"):
        checkpoint.restore(model, tmp_path, which=3)


@pytest.mark.neutral
def test_a_full_disk_leaves_what_there_was(saved, tmp_path, monkeypatch):
    model, path = saved
    before = path.read_bytes()

    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    model.optimizer.iterations.assign(2)
    with pytest.raises(BadInput, match=r"step_000000002.npz cannot be written \(No space left"):
        checkpoint.save(model, tmp_path)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == before
