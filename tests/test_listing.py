"""What there is to choose from is said, and the page of fields is the program's."""

import pathlib

import pytest
from helpers import config

from bms_keras import data, fields, methods, metrics, networks
from bms_keras.errors import BadInput
from bms_keras.runs import listing, named_configs, schema
from bms_keras.runs.config import complete
from bms_keras.sampling import SAMPLERS

pytestmark = pytest.mark.neutral

ROOT = pathlib.Path(__file__).parent.parent


def test_the_page_of_fields_is_what_the_program_prints():
    assert (ROOT / "docs" / "fields.md").read_text() == listing.page() + "\n"


def test_the_list_names_all_there_is(monkeypatch):
    monkeypatch.setitem(metrics.METRICS, "beauty", metrics.Metric(lambda *_: {}))
    names = {line.split()[0] for line in listing.parts().splitlines() if line.startswith("  ")}
    registries = methods.METHODS, metrics.METRICS, data.SOURCES, networks.FAMILIES, SAMPLERS
    assert names == {*named_configs.names(), "PATH", "tfds:NAME", "stacked_mnist:FILE"}.union(
        *registries
    )


def test_a_config_is_printed_with_its_values_and_what_they_mean():
    whole = complete(config(samples=7))
    assert "samples = 7" in listing.of_config(whole).splitlines()
    explained = listing.of_config(whole, explained=True)
    assert "samples = 7\n    T, samples a data point; an integer of at least 1\n" in explained
    assert all(len(line) <= 100 for line in explained.splitlines())


def test_so_is_a_field_of_a_source_of_ones_own(monkeypatch):
    field = fields.Field(0.1, fields.at_least_0, "how far points stray")
    monkeypatch.setitem(data.FIELDS, "grid", {"noise": field})
    explained = listing.of_config(complete(config()), explained=True)
    assert "data.noise = 0.1\n    how far points stray; a finite number, at least 0\n" in explained


def test_words_that_people_type_stand_for_fields_that_there_are():
    known = schema.of_all()
    for word, names in schema.WORDS.items():
        assert word not in known
        assert set(names) <= set(known)
        assert schema.meant(word)[: len(names)] == list(names)
    assert schema.meant("learning_rate")[0] == "optimizer.learning_rate"
    assert schema.meant("nonsense") == []


def test_a_config_is_found_by_name_and_by_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.py").touch()
    grid = str(named_configs.FOLDER / "grid.py")
    assert named_configs.located("grid") == grid
    assert named_configs.located("grid:wae") == f"{grid}:wae"
    assert named_configs.located("mine.py:wae") == "mine.py:wae"
    assert named_configs.located("~/mine.py") == f"{tmp_path}/mine.py"
    with pytest.raises(
        BadInput, match=r"one of celeba128, .* Received: gird, which does not exist"
    ):
        named_configs.located("gird:wae")


def test_every_config_by_name_has_a_summary():
    assert {path.stem for path in (ROOT / "configs").glob("*.py")} == {*named_configs.names()}
    assert all(map(named_configs.summary, named_configs.names()))
