"""`benchmarks/coverage.py`: what is there is gathered, what is missing is said."""

import json

import pytest
from helpers import forget_flags

from benchmarks import coverage, report

forget_flags(coverage)


pytestmark = pytest.mark.neutral
RECORD = {"method": "sn_gan", "samples": 1, "step": 4, "modes": 8, "mode_kl": 0.01}
POINTS = RECORD | {"high_quality_percent": 98.0, "spread_ratio": 0.5, "mode_samples": 100}


@pytest.fixture
def part():
    """Two seeds of a run, measured by G(z) and by a sampler, and one that another cannot draw."""
    records = [
        POINTS | {"high_quality_percent": 97.0},
        POINTS | {"sampler": "likelihood", "sampler_scale": 0.1},
        POINTS | {"sampler": "rejection"},
    ]
    row = {"data": "grid_density", "method": "sn_gan", "options": ""}
    runs = [row | {"seed": seed} | record for record in records for seed in (1, 2)]
    runs[0]["high_quality_percent"] = 100.0
    nothing = {"sampler": "rejection", "samples": 1, "step": 4, "obstacle": "it keeps nothing"}
    runs[-1] = row | {"seed": 2} | nothing
    return {"commit": "abc", "rows": [row | {"paper": {}}], "runs": runs}


def test_rows_are_by_sampler(part):
    joined = report.joined([part])
    assert [(row["sampler"], row["seeds"]) for row in joined["rows"]] == [
        ("none", [1, 2]),
        ("likelihood", [1, 2]),
        ("rejection", [1]),
    ]
    assert joined["rows"][2]["obstacles"] == 1
    assert joined["rows"][0]["high_quality_percent"] == 98.5
    assert joined["rows"][1]["sampler_scale"] == pytest.approx(0.1)
    assert {run["commit"] for run in joined["runs"]} == {"abc"}


def test_later_seeds_join_and_the_first_of_a_run_stays(part):
    before = report.joined([part])
    assert report.joined([before, part]) == before
    run = part["runs"][0]
    later = part | {"commit": "def", "runs": [run | {"modes": 1}, run | {"seed": 3}]}
    row, *others = report.joined([before, later])["rows"]
    assert row["seeds"] == [1, 2, 3]
    assert row["modes"] == 8
    assert others == before["rows"][1:]


def test_runs_of_other_lengths_are_another_row(part):
    longer = [run | {"step": 8, "high_quality_percent": 99.0} for run in part["runs"][:2]]
    rows = report.joined([part, part | {"runs": longer}])["rows"]
    found = [(row["steps"], row["high_quality_percent"]) for row in rows if row["seeds"] == [1, 2]]
    assert found == [([4], 98.5), ([4], 98.0), ([8], 99.0)]


def test_what_others_print_of_stacked_mnist_stands_beside_ours():
    run = {"data": "stacked_mnist_half", "method": "dcgan", "options": "", "samples": 1}
    run |= {"step": 5000, "seed": 1, "stacked_modes_26000": 34, "stacked_kl_26000": 5.8}
    row = {name: run[name] for name in ("data", "method", "options")} | {"paper": {}}
    given = {"commit": "abc", "rows": [row], "runs": [run]}
    (row,) = report.joined([coverage.published(), given])["rows"]
    head, _, line = coverage.markdown("stacked", [row]).splitlines()
    assert head.endswith("| modes | KL | published: modes | published: KL |")
    assert "| 34 | 5.8 | 628.0 ± 140.9" in line


def test_the_record_grows_by_what_is_given(part, tmp_path, monkeypatch):
    value = lambda value: type("Flag", (), {"value": value})  # noqa: E731
    for name, text in (
        ("OUT", tmp_path / "out.json"),
        *((name, None) for name in ("PAGE", "PICTURE", "RUN")),
    ):
        monkeypatch.setattr(coverage, name, value(text and str(text)))
    counts = []
    for runs in (part["runs"][:2], part["runs"][2:]):
        (tmp_path / "given.json").write_text(json.dumps(part | {"runs": runs}))
        monkeypatch.setattr(coverage, "TABLES", value([str(tmp_path / "given.json")]))
        coverage.main(None)
        counts.append(len(json.loads((tmp_path / "out.json").read_text())["runs"]))
    assert counts == [2, 6]


def test_a_table_that_is_not_there_yet_is_left_out(tmp_path, capsys):
    assert report.read(tmp_path / "none.json", "rows") is None
    assert "none.json is left out" in capsys.readouterr().err


def test_a_page_keeps_what_stands_around_its_tables(part):
    page = "before\n<!-- points -->\nold\n<!-- /points -->\nafter\n<!-- stacked -->\nto be run\n"
    page += "<!-- /stacked -->\n"
    rows = report.joined([part])["rows"]
    found = report.filled(page, {"points": coverage.markdown("points", rows)})
    assert found.startswith("before\n<!-- points -->\n| data | method | sampler |")
    assert "old" not in found
    assert found.endswith(
        "<!-- /points -->\nafter\n<!-- stacked -->\nto be run\n<!-- /stacked -->\n"
    )
    assert report.filled(found, {}) == found


def test_a_picture_takes_what_there_is(part):
    stacked = RECORD | {"data": "stacked_mnist", "options": "", "seeds": [1]}
    stacked |= {"stacked_modes_26000": 900.0, "stacked_modes_26000_std": 9.0}
    stacked["stacked_kl_26000"] = 0.3
    nothing = {"data": "grid", "options": "", "sampler": "mh", "seeds": [], "method": "wae"}
    points = [*report.joined([part])["rows"][:2], nothing]
    drawn = coverage.picture({"points": points, "stacked": [stacked]})
    of_points, of_modes = (
        [each.get_offsets() for each in drawn.axes[i].collections] for i in (1, 3)
    )
    assert [dots[0, 0] for dots in of_points] == pytest.approx([0.5, 0.5])
    assert of_modes[0][0, 0] == 900
    assert not coverage.picture({"points": [], "stacked": []}).axes
