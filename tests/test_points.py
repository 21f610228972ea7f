"""Points of one's own: scaled by one rule and back, split by content, trained on and measured."""

import types

import numpy as np
import pytest
from helpers import config

import bms_keras
from bms_keras import data, metrics
from bms_keras.data import contents
from bms_keras.export import webpage
from bms_keras.metrics import points as module
from bms_keras.runs import evaluation, training
from bms_keras.runs.workdir import Workdir

neutral = pytest.mark.neutral


def spiral(n=400, seed=0):
    """Far from 0, and ten times as wide as it is high."""
    t = np.random.default_rng(seed).uniform(0, 12, n)
    return np.stack([1000 + 10 * t * np.cos(t), -7 + t * np.sin(t)], -1)


@pytest.fixture
def load(tmp_path):
    def load(name="mine.npz", fields=(), **arrays):
        path = tmp_path / name
        if name.endswith(".npy"):
            np.save(path, arrays["x_train"])
        else:
            np.savez(path, **arrays)
        settings = {"resolution": 0, "channels": 0, "crop": 0, "flip": False, "held_out": 0.25}
        settings |= {"source": str(path), **dict(fields)}
        return data.load(types.SimpleNamespace(**settings), 8, seed=0)

    return load


@neutral
def test_one_scale_for_both_axes_and_back(load):
    x = spiral()
    found = load(x_train=x, x_test=spiral(50, 1))
    assert (found.kind, found.shape, found.name) == ("points", (2,), "mine")
    np.testing.assert_allclose(found.train.mean(0), 0, atol=1e-6)
    assert np.mean(np.sum(found.train.astype("float64") ** 2, -1)) == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(found.unscaled(found.train), x, atol=1e-4)
    np.testing.assert_allclose(found.unscaled(found.test), spiral(50, 1), atol=1e-4)
    stretch = np.ptp(x, 0) / np.ptp(found.train, 0)
    assert stretch[0] == pytest.approx(stretch[1], rel=1e-5)


@neutral
@pytest.mark.parametrize("name", ["mine.npz", "mine.npy"])
def test_a_share_is_held_out_by_content(load, name):
    x = spiral()
    found = load(name, x_train=x)
    assert len(found.train) + len(found.test) == 400
    assert 60 < len(found.test) < 140
    again = load(name, x_train=x[::-1])
    np.testing.assert_array_equal(again.test, found.test)
    assert again.fingerprint == found.fingerprint
    held_out = {tuple(row) for row in found.unscaled(found.test).round(3)}
    more = load(name, x_train=np.concatenate([x, spiral(100, 2)]))
    assert held_out <= {tuple(row) for row in more.unscaled(more.test).round(3)}
    assert more.fingerprint != found.fingerprint


@neutral
def test_batches_are_epochs_of_a_seed(load):
    found = load(x_train=np.arange(40.0).reshape(20, 2), x_test=np.zeros((3, 2)))
    epoch = [tuple(row) for step in range(2) for row in found.batch(step)]
    assert len(set(epoch)) == 16
    np.testing.assert_array_equal(found.batch(5), found.batch(5))
    assert not np.array_equal(found.batch(0), found.batch(2))
    assert found.batch(0).dtype == np.float32


@neutral
def test_integers_constant_columns_and_other_dimensions_are_taken(load):
    found = load(x_train=np.stack([np.arange(50), np.full(50, 3)], -1))
    np.testing.assert_allclose(found.unscaled(found.train)[:, 1], 3)
    assert found.drawing == "scatter"
    wide = load(x_train=np.random.default_rng(0).normal(size=(50, 5)))
    assert (wide.shape, wide.drawing) == ((5,), "none")


@neutral
@pytest.mark.parametrize(
    ("arrays", "fields", "message"),
    [
        ({"x_train": [[np.nan, 0]] + [[1, 2]] * 9}, {}, r"must be finite: .* Received: 1 points"),
        ({"x_train": np.ones((50, 2))}, {}, "must hold two different points at least, .*: 1$"),
        ({"x_train": np.ones((50, 2)), "x_test": np.ones((1, 2))}, {}, "two different points to"),
        ({"x_train": spiral(9)}, {}, "training points: config.batch_size must be at most that"),
        ({"x_train": spiral(), "x_test": np.ones((3, 3))}, {}, r"x_test must be .*\(n, 2\)"),
        ({"x_train": spiral(), "x_test": np.ones((0, 2))}, {}, r"x_test must be points"),
        ({"x_train": np.ones((0, 2))}, {}, r"x_train must be points.* \(0, 2\)"),
        ({"x_train": 1e200 * spiral()}, {}, "numbers below 1e150"),
        ({"x_train": np.arange(50.0)}, {}, r"x_train must be uint8 images.*float64 \(50,\)"),
        ({"x_train": spiral()}, {"flip": True}, "config.data.flip is of images, and .* points"),
    ],
    ids=["nan", "alike", "train", "few", "width", "no test", "empty", "huge", "flat", "flip"],
)
def test_what_are_no_points_is_named(load, arrays, fields, message):
    with pytest.raises(bms_keras.BadInput, match=message) as error, np.errstate(over="ignore"):
        load(fields=fields, **{name: np.asarray(x) for name, x in arrays.items()})
    assert "mine" in str(error.value)
    assert "\n" not in str(error.value)


@neutral
def test_the_metric_tells_a_good_sampler_from_a_collapsed_one(load):
    found = load(x_train=spiral(4000))

    def measured(x):
        model = types.SimpleNamespace(sample=lambda n, seed: x[:n])
        return metrics.get("points").function(model, found, metrics.Protocol())

    n = len(found.test)
    good, bad = measured(found.train), measured(np.repeat(found.train[:1], n, 0))
    assert list(good) == list(metrics.get("points").keys(found, metrics.Protocol()))
    distance = f"sliced_wasserstein_{n}_test"
    floor = good[f"{distance}_data"]
    assert good[distance] < 2 * floor < 0.2 * bad[distance]
    assert good[f"recall_{n}_{n}_test"] > 0.9
    assert bad[f"recall_{n}_{n}_test"] == 0


@neutral
def test_the_distance_is_in_the_datas_units():
    x = np.random.default_rng(0).normal(size=(500, 1))
    found = module.point_statistics(x + 3, x, x)
    assert found["sliced_wasserstein"] == pytest.approx(3)
    assert found["sliced_wasserstein_data"] == 0


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of two steps with a config of Grid, whose metric is `modes`."""
    top = tmp_path_factory.mktemp("points")
    np.savez(top / "mine.npz", x_train=spiral())
    fields = {"data.source": str(top / "mine.npz"), "steps": 2, "checkpoint_every": 2}
    fields |= {"batch_size": 8, "eval_every": 2, "eval_metrics": ("modes",)}
    training.train(config("wae", **fields), top / "run")
    return top


def test_what_knows_no_modes_is_measured_in_training(trained):
    n = len(evaluation.load(Workdir(trained / "run"))[1].data.test)
    evaluated = (trained / "run" / "evaluated.json").read_text()
    assert f"sliced_wasserstein_{n}_test" in evaluated
    assert (trained / "run" / "samples" / "samples.png").exists()
    record = evaluation.evaluate(trained / "run")
    assert record["measured"] == ["points", "latent"]
    with pytest.raises(bms_keras.BadInput, match="'modes' needs data of the kind 'mixture'; this"):
        evaluation.evaluate(trained / "run", ["modes"])


def test_a_run_is_exported_in_its_units_without_its_data(trained, monkeypatch):
    exported = []
    monkeypatch.setattr(
        bms_keras.Game, "export_saved_model", lambda self, folder, **notes: exported.append(notes)
    )
    (trained / "mine.npz").rename(trained / "gone.npz")
    try:
        evaluation.evaluate(trained / "run", [], export_dir=trained / "saved")
        _, built, _ = evaluation.load(Workdir(trained / "run"))
        page = webpage._info(built.model, built.data)
    finally:
        (trained / "gone.npz").rename(trained / "mine.npz")
    (notes,) = exported
    x = evaluation.load(Workdir(trained / "run"))[1].data
    assert notes["data_scale"] == x.scale
    np.testing.assert_array_equal(notes["data_centre"], x.centre)
    assert abs(notes["data_centre"][0] - 1000) < 50
    assert (page["centre"], page["scale"]) == (notes["data_centre"], notes["data_scale"])
    samples = x.unscaled(built.model.sample(1000, seed=0)) - x.centre
    assert 1 < page["reach"] / np.abs(samples).max() < 2


@neutral
@pytest.mark.parametrize("centre", [[1.0], "far", [1.0, None]])
def test_a_note_of_a_centre_that_is_none_is_refused(centre):
    note = {"kind": "points", "name": "a", "fingerprint": "b", "shape": [2], "scale": 1.0}
    assert contents.noted({"data": note | {"centre": [1.0, 2.0]}})
    with pytest.raises(bms_keras.BadInput, match="its note of the data"):
        contents.noted({"data": note | {"centre": centre}})
