"""The rows of a table, and how they are written."""

import json

import pytest

from bms_keras.tables import jobs, registry, report

RECORD = {"method": "bms_vae_gan", "samples": 10, "seed": 3, "step": 4, "modes": 8}


def test_a_row_is_the_mean_and_the_deviation_over_the_seeds():
    row = registry.Row("ring", "bms_vae_gan", {"samples": 10}, {"modes": "8"})
    records = [RECORD | {"high_quality_percent": hq, "seed": hq} for hq in (96.0, 98.0)]
    found = report.row_of(row, records)
    assert found["high_quality_percent"] == 97
    assert found["std"] == pytest.approx(2**0.5)
    assert found["seeds"] == [96, 98]
    assert (found["modes"], found["modes_std"]) == (8, 0)


def test_markdown_puts_the_papers_figures_beside_ours():
    row = registry.Row("ring", "sn_gan", {}, {"modes": "6.8 ± 1.1"})
    fid = {"method": "sn_gan", "samples": 1, "seed": 0, "step": 4, "fid_500_500_test": 12.3456}
    points = report.row_of(row, [{**RECORD, "modes": 8, "mode_kl": None}])
    images = report.row_of(registry.Row("cifar10", "sn_gan"), [fid, fid])
    text = report.markdown([points, images])
    assert text.splitlines() == [
        "| data | method | seeds | modes | FID | paper: modes |",
        "| --- | --- | --- | --- | --- | --- |",
        "| ring | sn_gan T=10 | 1 | 8 |  | 6.8 ± 1.1 |",
        "| cifar10 | sn_gan T=1 | 2 |  | 12.35 ± 0 |  |",
    ]


def test_rows_of_other_lengths_have_a_column_of_steps():
    row = registry.Row("ring", "sn_gan")
    short, long = (report.row_of(row, [RECORD | {"step": step}]) for step in (4, 25_000))
    assert " steps " not in report.markdown([short, short])
    lines = report.markdown([short, long]).splitlines()
    assert [line.split(" | ")[2] for line in lines] == ["steps", "---", "4", "25,000"]


def test_what_belongs_to_a_number_has_no_column_of_its_own():
    record = {"method": "bms_vae_gan", "samples": 30, "seed": 0, "step": 4, "ivom_test": 0.0123456}
    record["ivom_unit_test"] = 0.0030864
    beside = {
        "ivom_unit_test_error": 0.025,
        "ivom_test_error": 0.1,
        "ivom_images": 25,
        "lpips_diversity_9_vgg16_data": 0.3,
    }
    row = registry.Row("cifar10", "bms_vae_gan", {"samples": 30}, {"ivom_unit": "0.0037 ± 0.0005"})
    row = report.row_of(row, [record | beside])
    assert row.items() >= beside.items()
    assert report.markdown([row]).splitlines() == [
        "| data | method | seeds | IvOM in [-1, 1] | IvOM in [0, 1] | paper: IvOM in [0, 1] |",
        "| --- | --- | --- | --- | --- | --- |",
        "| cifar10 | bms_vae_gan T=30 | 1 | 0.01235 | 0.003086 | 0.0037 ± 0.0005 |",
    ]


def test_the_numbers_of_a_users_metric_have_columns_under_their_own_names():
    """Whatever they begin or end with; what is no number has none."""
    own = {"strays": 0.5, "modes_left": 3, "noise_images": 2.0, "width_std": 0.25, "word": "a"}
    record = RECORD | own | {"measured": ["modes", "mine"], "fid_mine_9_9_test": 7.0}
    rows = [report.row_of(registry.Row("moons", "sn_gan"), [record, record | {"seed": 4}])]
    head, _, line = report.markdown(rows).splitlines()
    names = ["modes", "fid_mine_9_9_test", "modes_left", "noise_images", "strays", "width_std"]
    assert head == f"| data | method | seeds | {' | '.join(names)} |"
    assert line.endswith("| 8 ± 0 | 7 ± 0 | 3 ± 0 | 2 ± 0 | 0.5 ± 0 | 0.25 ± 0 |")


def test_a_row_with_fields_can_be_read():
    """In the table, and as a folder's name: tuples without brackets and spaces."""
    fields = {"objective.lambda_": 40, "samples": 2, "objective.mmd_scales": (0.001, 1.0)}
    row = registry.Row("ring", "wae", fields)
    assert row.title == "wae lambda_=40 samples=2 mmd_scales=0.001,1.0"
    assert row.name == "ring_wae_objective.lambda_=40_samples=2_objective.mmd_scales=0.001,1.0"
    (*_, line) = report.markdown([report.row_of(row, [RECORD | {"samples": 2}])]).splitlines()
    assert line == "| ring | wae T=2 lambda_=40 mmd_scales=0.001,1.0 | 1 | 8 |"
    again = json.loads(json.dumps(row.fields | {"samples": 1}))  # as a run's own process gets them
    config = jobs.Job("", row.config, row.method, again, ()).full_config()
    assert config.objective.mmd_scales == (0.001, 1.0)
