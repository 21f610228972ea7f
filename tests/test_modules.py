"""Modules of a user's own are imported from the current folder, or said not to be in one line."""

import sys

import pytest
from helpers import config

from bms_keras import metrics
from bms_keras.errors import BadInput
from bms_keras.files import modules
from bms_keras.runs.config import complete, differences
from bms_keras.runs.workdir import Workdir

METRIC = """
from bms_keras import fields, metrics

metrics.register(
    "of_module",
    metrics.Metric(
        lambda model, data, options: {"a": options.power},
        options={"power": fields.Field(2, fields.integer(1), "the power")},
    ),
)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, of which nothing stays imported, registered or on the path."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    monkeypatch.setitem(metrics.METRICS, "of_module", None)
    monkeypatch.delitem(metrics.METRICS, "of_module")
    yield tmp_path
    for name in ("my_metric", "my_broken"):
        sys.modules.pop(name, None)


def test_a_config_brings_its_modules(folder):
    """Their options are its fields, also where a run of before reads without them."""
    (folder / "my_metric.py").write_text(METRIC)
    before = config()
    mine = config(imports=("my_metric,",))
    mine.protocol = {"power": 3}
    whole = complete(mine)
    assert (whole.imports, whole.protocol.power) == (("my_metric",), 3)
    assert complete(before).protocol.power == 2
    assert not differences(before, whole)
    (folder / "config.json").write_text(whole.to_json())
    read = Workdir(folder).config()
    assert (read.imports, read.protocol.power) == (("my_metric",), 3)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("my_missing",), "'my_missing' cannot be imported, .*: No module named 'my_missing'"),
        (("my_broken",), "'my_broken' cannot be imported, .*: SyntaxError: .*line 1"),
        (("my_folder",), "'my_folder' cannot be imported, .*: ImportError: a folder without"),
        (("my_parts.py/",), "config.imports must be a tuple of module names"),
        ("my_parts", "config.imports must be a tuple of module names"),
        ((1,), "config.imports must be a tuple of module names"),
    ],
)
def test_what_is_no_module_gets_one_line(folder, names, message):
    (folder / "my_broken.py").write_text("def (")
    (folder / "my_folder").mkdir()
    values = config().to_dict() | {"imports": names}
    with pytest.raises(BadInput, match=message) as error:
        complete(values)
    assert "\n" not in str(error.value)


def test_a_module_is_found_behind_all_else(folder):
    (folder / "json.py").write_text("raise ValueError")
    modules.load(["json"])
    assert sys.path[-1] == str(folder)
