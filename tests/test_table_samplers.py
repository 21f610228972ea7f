"""Samplers in the tables: measured on what is trained, and beside a perfect one."""

import json
import pathlib

import numpy as np
import pytest

from bms_keras import BadInput, sampling
from bms_keras.runs import evaluation
from bms_keras.tables import jobs, registry, report

pytestmark = pytest.mark.neutral
TINY = dict.fromkeys((f"networks.{name}" for name in ("generator", "image_critic")), 8)
TINY |= {"batch_size": 8, "steps": 2, "seed": 0, "eval_every": 0, "steps_per_execution": 1}


def job(folder, method="sn_gan", samplers=("none", "likelihood"), options=None, **fields):
    fields = {**TINY, **fields}
    how = {"samplers": samplers, "points": 50, "options": options or {}}
    return jobs.Job(f"{folder}/{method}", "ring", method, fields, ("modes",), **how)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A finished run, measured by G(z) alone."""
    folder = tmp_path_factory.mktemp("samplers")
    job(folder, samplers=("none",)).play()
    return folder


def test_samplers_measure_what_is_trained(folder):
    """By options that leave the run as it is; and the rows without them see only their own."""
    plain, sampled = job(folder, samplers=("none",)), job(folder, options={"mode_samples": 60})
    before, config = plain.records()["none"], pathlib.Path(plain.folder, "config.json")
    written = config.read_bytes()
    assert sampled.records() == {"none": None, "likelihood": None}
    sampled.play()
    found = sampled.records()
    for name, record in found.items():
        assert record["mode_samples"] == 60
        assert record["protocol"] == {"mode_samples": 60}
        assert record.get("sampler") == (None if name == "none" else name)
    assert found["likelihood"]["sampler_points"] == 50
    assert found["likelihood"]["sampler_scale"] > 0
    assert plain.records() == {"none": before}
    assert before["mode_samples"] == 2500
    assert config.read_bytes() == written
    assert not pathlib.Path(plain.folder, "config_history.jsonl").exists()
    other = jobs.Job(**{**vars(sampled), "points": 60})
    assert other.records()["none"]
    assert other.records()["likelihood"] is None  # fitted to other points: another number


def test_what_is_missing_is_measured_and_nothing_twice(folder, monkeypatch):
    asked = []
    monkeypatch.setattr(evaluation, "evaluate", lambda *a, sampler, **k: asked.append(sampler))
    job(folder, samplers=("none", "likelihood", "mh"), options={"mode_samples": 60}).play()
    assert asked == ["mh"]


def test_a_sampler_that_does_not_apply_is_not_tried(tmp_path):
    every = ("none", *sampling.SAMPLERS)
    no_critic = job(tmp_path, "wae_gan", every)
    packed = job(tmp_path, "sn_gan", every, **{"objective.pack": 2})
    for each in (no_critic, packed):
        reasons = {name: each.obstacle(name) for name in every}
        assert reasons.pop("none") is reasons.pop("likelihood") is None
        assert {*reasons.values()} == {"needs an image critic that judges one point at a time"}
    assert not any(map(job(tmp_path, "sn_gan").obstacle, every))
    record = no_critic.records()["mh"]
    assert record["obstacle"]
    assert (record["sampler"], record["samples"]) == ("mh", 1)
    with pytest.raises(BadInput, match="'mhh'"):
        job(tmp_path).obstacle("mhh")


def test_that_a_sampler_cannot_draw_is_a_finding(folder, monkeypatch):
    """It does not end the table, and is not tried again."""

    def fails(*_, **__):
        raise sampling.CannotDraw("rejection kept 0 of 20000 proposals")

    monkeypatch.setattr(evaluation, "evaluate", fails)
    failing = job(folder, samplers=("rejection",))
    failing.play()
    assert failing.records()["rejection"]["obstacle"].startswith("rejection kept 0")
    assert job(folder, samplers=("none",)).records()["none"]["modes"] >= 0


def test_a_table_says_how_far_from_a_perfect_sampler():
    record = {"method": "sn_gan", "samples": 1, "seed": 1, "step": 4, "mode_samples": 9}
    numbers = {"high_quality_percent": 97.0, "spread_ratio": 0.5, "mode_kl": 0.002}
    by_likelihood = {"sampler": "likelihood", "sampler_scale": 0.1, "spread_ratio": 1.04}
    row = registry.Row("grid", "sn_gan", {}, {"high_quality_percent": "90.9 ± 4.0"})
    records = [
        [record | numbers, record | numbers | {"seed": 2, "high_quality_percent": 99.0}],
        [record | numbers | by_likelihood],
        [record | {"sampler": "mh", "obstacle": "needs a critic"}],
    ]
    kept = report.results([row] * 3, records)
    assert [each["sampler"] for each in kept["rows"]] == ["none", "likelihood", "mh"]
    assert kept["rows"][2].items() >= {"seeds": [], "obstacle": "needs a critic"}.items()
    lines = [line.split(" | ")[2:] for line in report.markdown(kept["rows"]).splitlines()]
    titles = ["sampler", "seeds", "HQ %", "HQ - 98.9", "spread ratio", "spread - 1", "mode KL"]
    assert lines[0] == [*titles, "scale", "paper: HQ % |"]
    assert lines[2][:6] == ["none", "2", "98 ± 1.4", "-0.889", "0.5 ± 0", "-0.5"]
    assert lines[3][1:] == ["1", "97", "-1.89", "1.04", "+0.04", "0.002", "0.1", "90.9 ± 4.0 |"]
    assert lines[4] == ["mh", "0", *["n/a"] * 6, "90.9 ± 4.0 |"]
    json.dumps(kept)


def test_a_perfect_sampler_has_the_high_quality_of_the_closed_form():
    distances = np.linalg.norm(np.random.default_rng(0).standard_normal((10**6, 2)), axis=1)
    within = 100 * np.mean(distances <= 3)
    assert report.modes.PERFECT["high_quality_percent"] == pytest.approx(within, abs=0.03)


def test_bad_input_is_one_line(tmp_path, command_line):
    flags = ["--rows=ring:sn_gan", f"--workdir={tmp_path / 'new'}"]
    for flag, expected in (("--samplers=none,mhh", "'mhh'"), ("--mode_samples=1", "mode_samples")):
        run = command_line("-m", "bms_keras.tables", *flags, flag)
        assert run.returncode in (1, 2)
        assert "Traceback" not in run.stderr
        assert expected in run.stderr.splitlines()[-1]
    assert not (tmp_path / "new").exists()
