"""Data are drawn as they say they are, and data that say nothing train, and are measured, too."""

import json
import shutil
import types

import helpers
import keras
import numpy as np
import pytest
from helpers import config

from bms_keras import data, fields, metrics
from bms_keras.data.dataset import Dataset
from bms_keras.errors import BadInput
from bms_keras.export import webpage
from bms_keras.fields import Field
from bms_keras.monitoring import diagnostics, drawings, figures
from bms_keras.runs import evaluation, experiment, training
from bms_keras.runs.config import complete


class Cloud(Dataset):
    """Normal points of some dimensions, far from 0, labelled by a sign."""

    scale = 2.0

    def __init__(self, batch_size, seed, dimensions=2):
        self.name, self.shape, self.batch_size, self.seed = "cloud", (dimensions,), batch_size, seed

    def batch(self, number):
        rng = np.random.default_rng([self.seed, number])
        return rng.standard_normal((self.batch_size, *self.shape), "float32") + 9

    def points(self, n):
        return np.random.default_rng(1).standard_normal((300, *self.shape), "float32")[:n] + 9

    def labels(self, n):
        return ["right" if x[0] > 9 else "left" for x in self.points(n)]


@pytest.fixture
def cloud(monkeypatch):
    """A function of dimensions and a drawing that builds an experiment on such points."""

    def built(dimensions, **attributes):
        def source(config, batch_size, seed):
            found = Cloud(batch_size, seed, dimensions)
            vars(found).update(attributes)
            return found

        data.register("cloud", source)
        mine = config(batch_size=8)
        mine.data.source = "cloud"
        return experiment.build(mine)

    monkeypatch.setitem(data.SOURCES, "cloud", None)  # to be gone afterwards
    return built


def test_data_of_five_dimensions_are_drawn_as_nothing(cloud):
    built = cloud(5)
    built.model.fit(built.data.batches(0, 2), steps_per_epoch=2, verbose=0)
    assert drawings.at_the_end(built.model, built.data) == {}
    assert drawings.of_comparison({"a": built.model}, built.data, ["latent"]) == ({}, {})
    assert metrics.applicable(built.model, built.data) == ["points", "latent"]
    mean, labels, pictures = diagnostics.latents(built.model, built.data, 40)
    assert (len(mean), labels, pictures) == (40, built.data.labels(40), None)
    assert {"left", "right"} == set(labels)
    with pytest.raises(BadInput, match=r"a page shows images or 2D points\. Received: \(5,\)"):
        webpage.write(built.model, built.data, "page", "five dimensions")


def test_points_without_known_modes_are_drawn_over_the_data(cloud):
    built = cloud(2, drawing="scatter")
    drawn = drawings.at_the_end(built.model, built.data)
    assert drawn["samples"].shape[-1] == 3
    (axes,) = figures.scatter(built.data, {"held out": built.data.points(100)}).axes
    truth, shown = (each.get_offsets() for each in axes.collections)
    np.testing.assert_allclose(truth, 2.0 * built.data.points(2500))
    np.testing.assert_allclose(shown, 2.0 * built.data.points(100))
    low, high = zip(axes.get_xlim(), axes.get_ylim(), strict=True)
    assert (truth.min(0) > low).all()
    assert (truth.max(0) < high).all()
    page = webpage._info(built.model, built.data)
    assert (page["kind"], page["modes"], page["std"]) == ("points", [], 0.0)
    samples = 2.0 * built.model.sample(1000, seed=0)  # by which a page needs no data
    np.testing.assert_allclose(page["reach"], 1.3 * np.abs(samples).max())


def test_a_drawing_of_ones_own(cloud):
    class Mine(drawings.Drawing):
        def while_training(self, model, data):
            return {data.name: np.zeros((1, 1, 3), "uint8")}

    built = cloud(3, drawing=Mine())
    assert list(drawings.at_the_end(built.model, built.data)) == ["cloud"]
    drawn, numbers = drawings.of_comparison({"a": built.model}, built.data, [])
    assert (drawn, numbers) == ({}, {})
    built.data.drawing = "oil"
    with pytest.raises(BadInput, match=r"none, scatter, images\. Received: 'oil'"):
        drawings.of(built.data)


def test_a_source_must_give_all_of_a_data_set(monkeypatch):
    part = types.SimpleNamespace(kind="points", name="part", shape=(2,), scale=1.0)
    monkeypatch.setitem(data.SOURCES, "part", lambda *_: part)
    mine = config()
    mine.data.source = "part"
    line = "It lacks batches, points, unscaled, fingerprint, contents"
    with pytest.raises(BadInput, match=line):
        experiment.build(mine)


def test_what_a_data_set_is_does_not_depend_on_the_seed():
    first, other = Cloud(8, 0), Cloud(4, 1)
    assert first.contents == other.contents
    assert first.contents["shape"] == [2]
    assert Cloud(8, 0, 3).fingerprint != first.fingerprint


def test_numbers_are_not_lost_with_a_picture(tmp_path, monkeypatch, capsys):
    def broken(*_):
        raise ZeroDivisionError("of mine")

    fixture = helpers.ROOT / "tests" / "fixtures" / f"run_{keras.backend.backend()}"
    shutil.copytree(fixture, tmp_path / "run")
    monkeypatch.setattr(drawings, "at_the_end", broken)
    record = evaluation.evaluate(tmp_path / "run", ["modes"])
    assert record["measured"] == ["modes"]
    assert "no pictures of the model: ZeroDivisionError: of mine" in capsys.readouterr().err
    assert json.loads((tmp_path / "run/metrics.jsonl").read_text().splitlines()[-1]) == record


def test_a_drawing_that_there_is_none_of_is_refused_before_training(cloud, tmp_path, monkeypatch):
    built = cloud(2, drawing="oil")
    monkeypatch.setattr(training.experiment, "build", lambda _: built)
    with pytest.raises(BadInput, match="Received: 'oil'"):
        training.train(helpers.config(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_images_of_ones_own_have_what_is_asked_of_images(cloud):
    with pytest.raises(BadInput, match="It lacks train, test, images"):
        cloud(2, kind="images")


def test_a_source_has_fields_of_its_own(monkeypatch):
    seen = []

    def source(config, batch_size, seed):
        seen.append(config.noise)
        return Cloud(batch_size, seed)

    monkeypatch.setitem(data.SOURCES, "noisy", None)  # to be gone afterwards
    monkeypatch.setitem(data.FIELDS, "noisy", None)
    data.register("noisy", source, {"noise": Field(0.5, fields.at_least_0, "of the points")})
    mine = config()
    mine.data.source = "noisy"
    experiment.build(mine)
    mine.data.noise = 0
    experiment.build(mine)
    assert seen == [0.5, 0.0]
    mine.data.noise = -1
    with pytest.raises(BadInput, match=r"config\.data\.noise must be at least 0"):
        complete(mine)
    mine.data.source = "grid"
    with pytest.raises(BadInput, match=r"config\.data\.noise is no field"):
        complete(mine)


def test_a_source_may_not_have_a_field_of_all(monkeypatch):
    monkeypatch.setitem(data.FIELDS, "grid", {"crop": Field(1, fields.integer(0), "mine")})
    with pytest.raises(BadInput, match=r"'grid' may not have a field config\.data\.crop"):
        complete(config())
