"""`benchmarks/table1.py`: the settings that are there are gathered, each in its table."""

import json

import pytest
from helpers import forget_flags

from benchmarks import table1

forget_flags(table1)
pytestmark = pytest.mark.neutral


def row(data, method):
    numbers = {"modes": 8.0, "high_quality_percent": 97.5, "high_quality_percent_std": 0.5}
    what = {"data": data, "method": method, "options": "", "samples": 1, "seeds": [1, 2]}
    return what | numbers | {"paper": {"high_quality_percent": "52.9"}}


@pytest.fixture
def steep(tmp_path):
    rows = [row("ring_steep", "veegan"), row("grid_steep", "veegan"), row("ring_steep", "wae")]
    whole = {"table": 1, "commit": "abc", "versions": {}, "cores": 2, "rows": rows, "runs": []}
    (tmp_path / "steep.json").write_text(json.dumps(whole))
    return tmp_path / "steep.json"


@pytest.fixture
def gather(tmp_path, monkeypatch, steep):
    page = tmp_path / "page.md"
    page.write_text("<!-- steep -->\n<!-- /steep -->\n<!-- relu -->\nold\n<!-- /relu -->\n")

    def gather(**given):
        paths = {"steep": steep} | given
        value = lambda path: type("Flag", (), {"value": path and str(path)})  # noqa: E731
        monkeypatch.setattr(
            table1, "GIVEN", {name: value(paths.get(name)) for name in table1.SETTINGS}
        )
        monkeypatch.setattr(table1, "OUT", value(tmp_path / "out.json"))
        monkeypatch.setattr(table1, "PAGE", value(page))
        table1.main(None)
        return json.loads((tmp_path / "out.json").read_text()), page.read_text()

    return gather


def test_what_is_there_is_in_the_record_and_in_the_page(gather, tmp_path, capsys):
    record, page = gather(relu=tmp_path / "none.json")
    assert record["steep"]["commit"] == "abc"
    assert len(record["steep"]["rows"]) == 3
    assert "relu" not in record
    assert "none.json is left out" in capsys.readouterr().err
    assert "<!-- relu -->\nold\n" in page
    (line,) = [line for line in page.splitlines() if line.startswith("| grid")]
    assert line == "| grid_steep | veegan T=1 | 2 | 8 | 97.5 ± 0.5 | 52.9 |"


def test_grid_comes_before_ring_and_methods_keep_their_order(gather):
    _, page = gather()
    firsts = [line.split(" | ")[:2] for line in page.splitlines() if "_steep" in line]
    assert firsts == [
        ["| grid_steep", "veegan T=1"],
        ["| ring_steep", "veegan T=1"],
        ["| ring_steep", "wae T=1"],
    ]
