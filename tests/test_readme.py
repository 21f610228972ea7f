"""The README's Python runs as it stands there, and its table of methods is complete."""

import pathlib
import re

import pytest

from bms_keras import methods

README = (pathlib.Path(__file__).parent.parent / "README.md").read_text()


def test_the_quick_start_runs(tmp_path, monkeypatch):
    code = re.search(r"^## From Python\n\n```python\n(.*?)```", README, re.DOTALL | re.MULTILINE)[1]
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(code, names)
    assert names["x"].shape == (64, 2)
    assert names["best"].shape == (64, 2)
    assert (tmp_path / "m.keras").exists()


@pytest.mark.neutral
def test_every_method_has_its_row_in_the_table():
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \|", README, re.MULTILINE)
    expected = {name: method.samples or 1 for name, method in methods.METHODS.items()}
    assert {name: int(samples) for name, samples in rows} == expected
