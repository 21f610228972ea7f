"""A restored game goes on to the bit; a damaged file is refused."""

import numpy as np
import pytest
from test_experiment import config

from bms_keras import checkpoint, experiment
from bms_keras.errors import BadInput


def trained(start=0, stop=4, model=None, **fields):
    built = experiment.build(config(batch_size=8, ema=0.9, **fields))
    model = model or built.model
    model.fit(built.data.batches(start, stop), steps_per_epoch=stop - start, verbose=0)
    return model


def test_resuming_is_exact(tmp_path):
    whole = trained(0, 8)
    checkpoint.save(trained(0, 3), tmp_path)
    resumed = experiment.build(config(batch_size=8, ema=0.9)).model
    assert checkpoint.restore(resumed, tmp_path) == 3
    trained(3, 8, resumed)
    for a, b in zip(whole.variables, resumed.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=a.path)
    for a, b in zip(whole.optimizer.variables, resumed.optimizer.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=a.path)


def test_the_last_three_stay(tmp_path):
    model = trained(0, 1)
    for step in range(1, 6):
        model.optimizer.iterations.assign(step)
        checkpoint.save(model, tmp_path)
    assert [int(path.stem[5:]) for path in checkpoint.steps(tmp_path)] == [3, 4, 5]


def test_an_empty_folder_is_step_0(tmp_path):
    assert checkpoint.restore(trained(0, 1), tmp_path) == 0


@pytest.mark.parametrize("damage", ["cut", "flip"])
def test_a_damaged_file_is_refused_and_changes_nothing(tmp_path, damage):
    model = trained(0, 1)
    checkpoint.save(model, tmp_path)
    (path,) = checkpoint.steps(tmp_path)
    content = bytearray(path.read_bytes())
    if damage == "cut":
        content = content[: len(content) // 2]
    else:
        content[len(content) // 3] ^= 0xFF
    path.write_bytes(content)
    before = model.get_weights()
    with pytest.raises(BadInput, match=r"step_000000001.npz cannot be read"):
        checkpoint.restore(model, tmp_path)
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


def test_a_checkpoint_of_another_shape_is_refused(tmp_path):
    checkpoint.save(trained(0, 1), tmp_path)
    other = experiment.build(config(**{"networks.latent_dim": 5})).model
    with pytest.raises(BadInput, match="another model"):
        checkpoint.restore(other, tmp_path)
