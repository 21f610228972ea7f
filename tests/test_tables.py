"""The paper's tables: what they hold, how their runs go on, and how they are written."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import keras
import pytest

from bms_keras import methods, metrics
from bms_keras.errors import BadInput
from bms_keras.tables import jobs, registry, runs

ROOT = pathlib.Path(__file__).parent.parent
TINY = {
    "networks.generator": 8,
    "networks.recognition": 8,
    "networks.image_critic": 8,
    "networks.latent_critic": 8,
    "networks.latent_dim": 4,
    "batch_size": 8,
    "checkpoint_every": 2,
    "eval_every": 0,
    "steps_per_execution": 1,
    "jit_compile": "auto",  # on TensorFlow without XLA
}


def command(folder, *flags):
    """What follows `python` on a command line of small runs."""
    fields = ",".join(f"{name}={value}" for name, value in TINY.items())
    return (
        "-m",
        "bms_keras.tables",
        f"--workdir={folder}",
        "--steps=4",
        f"--fields={fields}",
        *flags,
    )


def job(folder, seed=1000, method="bms_vae_gan", steps=4, names=("modes",)):
    fields = {**TINY, "steps": steps, "seed": seed}
    return jobs.Job(f"{folder}/ring_{method}_{seed}", "ring", method, fields, names)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A finished run, and one of a method without q(z|x) as it would be."""
    folder = tmp_path_factory.mktemp("table")
    job(folder).play()
    other = job(folder, method="sn_gan")
    record = json.dumps({"step": 4, "measured": ["modes"], "modes": 8})
    for name, text in (("config.json", other.full_config().to_json()), ("metrics.jsonl", record)):
        path = pathlib.Path(other.folder, name)
        path.parent.mkdir(exist_ok=True)
        path.write_text(text + "\n")
    return folder


@pytest.mark.neutral
def test_every_row_is_a_config_that_holds_together():
    for table in registry.TABLES.values():
        assert len({(row.name, str(row.paper)) for row in table.rows}) == len(table.rows)
        for row in table.rows:
            assert row.method in methods.METHODS
            jobs.Job("", row.config, row.method, row.fields, table.metrics).full_config()
            posterior = methods.get(row.method).game.has_posterior
            assert any(posterior or not metrics.get(name).posterior for name in table.metrics)


@pytest.mark.neutral
def test_a_run_that_is_done_is_not_done_again(folder):
    done = job(folder)
    assert done.record()["step"] == 4
    config = pathlib.Path(done.folder, "config.json")
    before = config.stat().st_mtime_ns
    assert list(runs.play([done], 1)) == [(done, {"none": done.record()})]
    assert config.stat().st_mtime_ns == before


@pytest.mark.neutral
def test_what_is_left_to_do_is_seen(folder):
    assert job(folder, seed=1001).record() is None  # never begun
    assert job(folder, steps=6).record() is None  # trained too little
    assert job(folder, names=("modes", "latent")).record() is None  # not all is measured
    assert job(folder, method="sn_gan", names=("modes", "latent")).record()  # the latter never is
    assert job(folder, names=("modes", "fid")).record()  # which needs images
    with pytest.raises(BadInput, match=r"other metrics\. Received: fid"):
        job(folder, seed=1001, names=("fid",)).play()
    assert not (folder / "ring_bms_vae_gan_1001").exists()


@pytest.mark.neutral
def test_a_table_from_the_command_line(folder, tmp_path, command_line):
    """Two runs are there; the third is trained in a process of its own."""
    (folder / "ring_bms_vae_gan_1001").mkdir()
    out = tmp_path / "table.json"
    flags = ("--rows=ring:bms_vae_gan", "--seeds=2", f"--out={out}", "--jobs=2")
    result = command_line(*command(folder, *flags))
    assert result.returncode == 0, result.stderr
    assert "2 of 2" in result.stdout
    results = json.loads(out.read_text())
    (row,) = results["rows"]
    assert (row["method"], row["data"], row["seeds"]) == ("bms_vae_gan", "ring", [1000, 1001])
    assert row["steps"] == [4]
    assert {"modes", "high_quality_percent", "std"} <= set(row)
    assert {"commit", "versions", "fields"} <= set(results)
    assert result.stdout.endswith(out.with_suffix(".md").read_text())
    for picture in ("table2", "table3"):
        png = tmp_path / f"table_ring_{picture}.png"
        assert png.read_bytes().startswith(b"\x89PNG")


@pytest.mark.neutral
def test_a_field_comes_before_the_tables_protocol(tmp_path, command_line):
    fields = "--fields=protocol.generated=-1"  # refused, naming the value that was taken
    flags = ["--table=7", fields, f"--workdir={tmp_path}", "--only=sn_gan", "--data=none.npz"]
    run = command_line("-m", "bms_keras.tables", *flags)
    assert run.returncode == 1
    assert "config.protocol.generated" in run.stdout + run.stderr


@pytest.mark.neutral
def test_a_table_that_is_stopped_goes_on(tmp_path):
    """SIGTERM reaches the run, which saves; the same command would go on from there."""
    flags = ("--rows=ring:sn_gan", "--seeds=1", "--fields=checkpoint_every=100000")
    process = subprocess.Popen(
        [sys.executable, *command(tmp_path, *flags, "--steps=1000000")],
        cwd=ROOT,
        env=os.environ | {"KERAS_BACKEND": keras.backend.backend()},
        text=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    log = tmp_path / "ring_sn_gan_1000" / "log.txt"
    while not (log.exists() and "step 0 of" in log.read_text()) and process.poll() is None:
        time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 1
    assert error.splitlines()[-1] == "tables: stopped; the same command goes on"
    assert "the same command goes on" in log.read_text()
    assert list((tmp_path / "ring_sn_gan_1000" / "checkpoints").glob("*.npz"))


@pytest.mark.neutral
@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--rows=ring:bms_vae_gan+lambda=1"], "lambda=1 does not fit configs/ring.py"),
        (["--rows=nowhere:sn_gan"], "no configs/nowhere.py"),
        (["--rows=ring:sn_gan", "--table=1"], "either --table or --rows"),
    ],
)
def test_bad_input_is_one_line(flags, expected, tmp_path, command_line):
    result = command_line(*command(tmp_path / "new", *flags))
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert expected in result.stderr.splitlines()[-1]
    assert not (tmp_path / "new").exists()


@pytest.mark.neutral
def test_a_job_that_fails_says_why(tmp_path, monkeypatch):
    """Its own last line, not that of the attempt before."""
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho tables: the metric is unwell >&2\nexit 3\n")
    script.chmod(0o755)
    monkeypatch.setattr(runs.sys, "executable", str(script))
    (failing,) = [job(tmp_path)]
    pathlib.Path(failing.folder).mkdir()
    pathlib.Path(failing.folder, "log.txt").write_text("tables: the attempt before\n")
    with pytest.raises(BadInput, match=r"status 3 and no record: the metric is unwell$"):
        list(runs.play([failing], 1))
    script.write_text("#!/bin/sh\nkill -9 $$\n")
    with pytest.raises(BadInput, match=r"status -9 and no record: it said nothing$"):
        list(runs.play([failing], 1))


@pytest.mark.neutral
def test_a_run_ends_with_the_process_that_began_it(tmp_path):
    """Even where that is killed: the pipe between them ends."""
    reading, writing = os.pipe()
    process = os.fork()
    if not process:
        os.dup2(reading, 0)
        os.close(writing)
        sys.stdin = open(0)  # noqa: SIM115  (pytest has one of its own)
        runs._end_with_the_parent()
        time.sleep(60)
        os._exit(0)
    assert os.waitpid(process, os.WNOHANG) == (0, 0)
    os.close(writing)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGKILL
    os.close(reading)


@pytest.mark.neutral
def test_a_record_is_found_among_wrong_lines(folder, capsys):
    done = job(folder)
    path, record = pathlib.Path(done.folder, "metrics.jsonl"), done.record()
    before = path.read_bytes()
    try:
        path.write_bytes(before + b'[]\n{"step": 4}\n{"modes": 8}\n{"step": 4, "mod')
        assert done.record() == record
        assert capsys.readouterr().err.count("is skipped") == 2
    finally:
        path.write_bytes(before)


@pytest.mark.neutral
def test_a_record_says_what_was_measured(tmp_path):
    """By the metrics' names, whatever their keys; one of an older version by its keys."""
    done = jobs.Job(str(tmp_path), "ring", "sn_gan", {"steps": 4}, ("modes",))
    (tmp_path / "config.json").write_text(done.full_config().to_json())
    for record, fits in (
        ({"measured": ["latent", "modes"], "strays": 1}, True),
        ({"measured": ["latent"], "modes": 8}, False),
        ({"modes": 8}, True),
    ):
        (tmp_path / "metrics.jsonl").write_text(json.dumps({"step": 4} | record) + "\n")
        assert bool(done.record()) == fits


def test_fields_from_texts():
    fields = jobs.fields_of(["samples=30", "objective.lambda_=0.5", "gradient=all"])
    assert fields == {"samples": 30, "objective.lambda_": 0.5, "gradient": "all"}
    with pytest.raises(BadInput, match="NAME=VALUE"):
        jobs.fields_of(["samples"])


@pytest.mark.neutral
def test_a_run_on_other_data_is_not_done(tmp_path):
    """What its data are is not compared as a field; whether they are the same, training decides."""
    made, other, same = (
        jobs.Job(str(tmp_path), "ring", "sn_gan", {"steps": 4} | fields, ("modes",))
        for fields in ({}, {"data.source": "grid"}, {"checkpoint_every": 2})
    )
    (tmp_path / "config.json").write_text(made.full_config().to_json())
    (tmp_path / "metrics.jsonl").write_text('{"step": 4, "modes": 8}\n')
    assert made.record() == same.record() == {"step": 4, "modes": 8}
    assert other.record() is None
