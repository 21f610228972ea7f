"""The workdir refuses what would overwrite, and writes whole files or none."""

import errno
import fcntl
import json
import os
import stat
import subprocess
import sys

import pytest
from helpers import config

from bms_keras import files
from bms_keras.errors import BadInput
from bms_keras.files import write_atomically
from bms_keras.runs.workdir import Workdir

pytestmark = pytest.mark.neutral


def claim(workdir, **fields):
    with workdir.claimed(config(**fields)):
        pass


def test_claim_writes_the_config_and_reads_it_back(tmp_path):
    workdir = Workdir(tmp_path / "run")
    claim(workdir)
    assert workdir.config().networks.generator == [8]
    claim(workdir)  # again: the same run


def test_claim_refuses_another_config_and_names_the_fields(tmp_path):
    workdir = Workdir(tmp_path)
    claim(workdir)
    before = workdir.config_file.read_bytes()
    lines = r"networks.generator: \[8\] there, \[8, 3\] now; seed: 0 there, 1 now"
    with pytest.raises(BadInput, match=lines):
        claim(workdir, seed=1, **{"networks.generator": (8, 3)})
    assert workdir.config_file.read_bytes() == before


def test_claim_admits_more_steps(tmp_path):
    workdir = Workdir(tmp_path)
    claim(workdir)
    claim(workdir, steps=20)
    assert workdir.config().steps == 20


def test_no_run(tmp_path):
    with pytest.raises(BadInput, match="holds no run"):
        Workdir(tmp_path).config()


@pytest.mark.parametrize("content", ['{"method": ', "[1, 2]", b"\xff\x00"])
def test_a_config_that_is_not_json(tmp_path, content):
    content = content.encode() if isinstance(content, str) else content
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(BadInput, match="is not the JSON of a config"):
        Workdir(tmp_path).config()


def test_log_appends_lines(tmp_path):
    workdir = Workdir(tmp_path)
    workdir.log({"a": 1})
    workdir.log({"a": 2})
    lines = workdir.metrics_file.read_text().splitlines()
    assert [json.loads(line)["a"] for line in lines] == [1, 2]


def test_a_record_after_one_that_was_cut_is_whole(tmp_path, capsys):
    workdir = Workdir(tmp_path)
    assert workdir.records() == []
    workdir.log({"a": 1})
    with workdir.metrics_file.open("ab") as file:
        file.write(b'{"a": 2, "b')  # and killed
    workdir.log({"a": 3})
    with workdir.metrics_file.open("ab") as file:
        file.write(b'[4]\n\xff\n5\n{"a": 6}\n')
    assert workdir.records() == [{"a": 1}, {"a": 3}, {"a": 6}]
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(",")[1] for line in lines] == [f" line {n}" for n in (2, 4, 5, 6)]
    assert all("metrics.jsonl" in line and "is skipped: " in line for line in lines)


def test_a_record_on_a_full_disk_is_missed_with_a_word(tmp_path, capsys, monkeypatch):
    workdir = Workdir(tmp_path)
    workdir.log({"a": 1})
    regular = files._regular
    full = lambda path, *given, **kwargs: regular("/dev/full", *given, **kwargs)  # noqa: E731
    monkeypatch.setattr(files, "_regular", full)
    monkeypatch.setattr(stat, "S_ISREG", lambda mode: True)
    workdir.log({"b": 1})
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"{workdir.metrics_file} cannot be written: No space left on device"
    assert workdir.metrics_file.read_text() == '{"a": 1}\n'


def test_a_record_is_written_to_no_device(tmp_path, capsys):
    workdir = Workdir(tmp_path)
    workdir.metrics_file.symlink_to("/dev/null")
    workdir.log({"a": 1})
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"{workdir.metrics_file} cannot be written: it is no regular file"


def test_what_is_no_evaluation_counts_as_none(tmp_path):
    workdir = Workdir(tmp_path)
    assert workdir.evaluated_step() == 0
    workdir.write_evaluation(40, {"modes": 8, "mode_kl": None})
    assert workdir.evaluated_step() == 40
    content = json.loads(workdir.evaluated_file.read_text())
    assert content == {"step": 40, "modes": 8, "mode_kl": None}
    for damaged in (b'{"step": 4', b"[]", b'{"step": "4"}', b"{}", b"\xff"):
        workdir.evaluated_file.write_bytes(damaged)
        assert workdir.evaluated_step() == 0


def test_a_start_sweeps_what_was_killed(tmp_path):
    workdir = Workdir(tmp_path)
    places = [tmp_path, workdir.checkpoints, workdir.tensorboard / "projector", workdir.samples]
    for place in places:
        place.mkdir(parents=True, exist_ok=True)
        (place / ".best.npz.deadbeef").touch()
    (workdir.tensorboard / ".projector_config.pbtxt.deadbeef").touch()
    claim(workdir)
    assert [path for path in tmp_path.rglob(".*") if path.is_file()] == []


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, b"old")
    with pytest.raises(TypeError):
        write_atomically(path, "not bytes")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


HOLDER = """
import sys, time
from configs import grid
from bms_keras.runs.workdir import Workdir
with Workdir(sys.argv[1]).claimed(grid.get_config()):
    print("held", flush=True)
    time.sleep(60)
"""


def test_one_process_at_a_time(tmp_path):
    """And a process that is killed lets go."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(BadInput, match="is in use: another process trains in it"):
            claim(Workdir(tmp_path))
        assert Workdir(tmp_path).config().method == "bms_vae_gan"
        holder.kill()
    (tmp_path / "config.json").unlink()
    claim(Workdir(tmp_path))


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK])
def test_where_nothing_can_be_locked_a_run_is_warned(tmp_path, monkeypatch, capsys, number):
    def flock(handle, operation):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    (tmp_path / ".config.json.deadbeef").touch()  # of whom, nobody can tell
    claim(Workdir(tmp_path))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"--workdir={tmp_path} cannot be locked ({os.strerror(number)}): ")
    assert Workdir(tmp_path).config().method == "bms_vae_gan"
    assert (tmp_path / ".config.json.deadbeef").exists()


@pytest.mark.parametrize("path", ["gs://bucket/run", "", "a\0b"])
def test_a_workdir_that_is_no_path(path):
    with pytest.raises(BadInput, match="--workdir must be a path"):
        Workdir(path)


def test_a_folder_that_cannot_be_made():
    with pytest.raises(BadInput, match=r"--workdir=/proc/run cannot be used: "):
        claim(Workdir("/proc/run"))


@pytest.mark.parametrize("beside", [True, False])
def test_the_closing_lines_name_what_measures_from_here(tmp_path, monkeypatch, beside):
    checkout, here = tmp_path / "my checkout", tmp_path / "here"
    for folder in (checkout, here):
        folder.mkdir()
    if beside:
        (checkout / "eval.py").touch()
    monkeypatch.chdir(here)
    monkeypatch.setattr(sys, "argv", [str(checkout / "train.py")])
    command = f"python '{checkout}/eval.py'" if beside else "bms-eval"
    assert Workdir("run").closing()[-1] == f"measure it    {command} --workdir=run"
