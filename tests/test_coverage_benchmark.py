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
def runs(tmp_path):
    """Two seeds of a run, each measured by G(z) of few and of many samples, and by a sampler."""
    for seed in (1, 2):
        folder = tmp_path / f"grid_density_{seed}"
        folder.mkdir()
        records = [
            POINTS | {"mode_samples": 9000, "high_quality_percent": 97.0 + seed},
            POINTS | {"sampler": "likelihood", "sampler_scale": 0.1},
            POINTS | {"high_quality_percent": 50.0},  # of fewer samples
        ]
        lines = [json.dumps({"seed": seed} | record) for record in records]
        (folder / "metrics.jsonl").write_text("\n".join(lines))
    (tmp_path / "grid_density_1.log").write_text("")
    (tmp_path / "grid_density_3").mkdir()  # under way
    return sorted(tmp_path.glob("*"))


def test_runs_are_rows_by_sampler(runs):
    rows = coverage.of_runs(runs)
    assert [(row["data"], row["sampler"], row["seeds"]) for row in rows] == [
        ("grid_density", "none", [1, 2]),
        ("grid_density", "likelihood", [1, 2]),
    ]
    assert rows[0]["high_quality_percent"] == 98.5
    assert rows[1]["sampler_scale"] == pytest.approx(0.1)


def test_a_table_that_is_not_there_yet_is_left_out(tmp_path, capsys):
    assert report.read(tmp_path / "none.json", "rows") is None
    assert "none.json is left out" in capsys.readouterr().err


def test_a_page_keeps_what_stands_around_its_tables(runs):
    page = "before\n<!-- points -->\nold\n<!-- /points -->\nafter\n<!-- stacked -->\nto be run\n"
    page += "<!-- /stacked -->\n"
    rows = coverage.of_runs(runs)
    found = report.filled(page, {"points": coverage.markdown("points", rows)})
    assert found.startswith("before\n<!-- points -->\n| data | method | sampler |")
    assert "old" not in found
    assert found.endswith(
        "<!-- /points -->\nafter\n<!-- stacked -->\nto be run\n<!-- /stacked -->\n"
    )
    assert report.filled(found, {}) == found


def test_a_picture_takes_what_there_is(runs):
    stacked = RECORD | {"data": "stacked_mnist", "options": "", "seeds": [1]}
    stacked |= {"stacked_modes_26000": 900.0, "stacked_modes_26000_std": 9.0}
    stacked["stacked_kl_26000"] = 0.3
    nothing = {"data": "grid", "options": "", "sampler": "mh", "seeds": [], "method": "wae"}
    points = [*coverage.of_runs(runs), nothing]
    drawn = coverage.picture({"points": points, "stacked": [stacked]})
    of_points, of_modes = (
        [each.get_offsets() for each in drawn.axes[i].collections] for i in (1, 3)
    )
    assert [dots[0, 0] for dots in of_points] == pytest.approx([0.5, 0.5])
    assert of_modes[0][0, 0] == 900
    assert coverage.picture({"points": [], "stacked": []}).axes
