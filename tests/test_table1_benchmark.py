"""`benchmarks/table1.py`: runs of several files and of the record are gathered, each setting in
its table."""

import json

import pytest
from helpers import forget_flags

from benchmarks import table1

forget_flags(table1)
PAPER = {"high_quality_percent": "90.9 ± 4.0"}
pytestmark = pytest.mark.neutral


def run(data, method, seed, percent):
    what = {"data": data, "method": method, "options": "", "samples": 1, "seed": seed}
    return what | {"step": 10, "modes": 8, "high_quality_percent": percent}


@pytest.fixture
def written(tmp_path):
    def written(name, *runs):
        of = {(run["data"], run["method"]): {"data": run["data"], "options": ""} for run in runs}
        rows = [row | {"method": method, "paper": PAPER} for (_, method), row in of.items()]
        whole = {"commit": f"of {name}", "versions": {}, "rows": rows, "runs": runs}
        (tmp_path / name).write_text(json.dumps(whole))
        return str(tmp_path / name)

    return written


@pytest.fixture
def gather(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text("<!-- authors -->\n<!-- /authors -->\n<!-- relu -->\nold\n<!-- /relu -->\n")

    def gather(**given):
        value = lambda value: type("Flag", (), {"value": value})  # noqa: E731
        flags = {name: value(given.get(name, [])) for name in table1.SETTINGS}
        monkeypatch.setattr(table1, "GIVEN", flags)
        monkeypatch.setattr(table1, "OUT", value(str(tmp_path / "out.json")))
        monkeypatch.setattr(table1, "PAGE", value(str(page)))
        table1.main(None)
        return json.loads((tmp_path / "out.json").read_text()), page.read_text()

    return gather


def test_what_is_there_is_in_the_record_and_in_the_page(gather, written, tmp_path, capsys):
    authors = written(
        "a.json", *(run("grid_authors", "sn_gan", s, p) for s, p in ((1, 97), (2, 99)))
    )
    record, page = gather(authors=[authors], relu=[str(tmp_path / "none.json")])
    assert [run["commit"] for run in record["authors"]["runs"]] == ["of a.json"] * 2
    assert "relu" not in record
    assert "none.json is left out" in capsys.readouterr().err
    assert "<!-- relu -->\nold\n" in page
    (line,) = [line for line in page.splitlines() if line.startswith("| grid")]
    assert line == "| grid_authors | sn_gan T=1 | 2 | 8 ± 0 | 98 ± 1.4 | 90.9 ± 4.0 |"


def test_later_seeds_join_those_that_are_there(gather, written):
    gather(authors=[written("a.json", run("grid_authors", "sn_gan", 1, 97.0))])
    again = written(
        "b.json", run("grid_authors", "sn_gan", 1, 50.0), run("grid_authors", "sn_gan", 2, 99.0)
    )
    record, _ = gather(authors=[again, written("c.json", run("grid_authors", "sn_gan", 3, 98.0))])
    (row,) = record["authors"]["rows"]
    assert row["seeds"] == [1, 2, 3]
    assert row["high_quality_percent"] == 98
    assert [run["commit"][3:] for run in record["authors"]["runs"]] == [
        "a.json",
        "b.json",
        "c.json",
    ]
    assert gather()[0]["authors"] == record["authors"]  # nothing new, nothing lost


def test_grid_comes_before_ring_and_methods_keep_their_order(gather, written):
    rows = ("ring_authors", "veegan"), ("ring_authors", "sn_gan"), ("grid_authors", "veegan")
    _, page = gather(authors=[written("a.json", *(run(*row, 1, 90.0) for row in rows))])
    firsts = [line.split(" | ")[:2] for line in page.splitlines() if "_authors" in line]
    assert firsts == [
        ["| grid_authors", "veegan T=1"],
        ["| ring_authors", "veegan T=1"],
        ["| ring_authors", "sn_gan T=1"],
    ]
