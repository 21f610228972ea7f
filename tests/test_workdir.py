"""The workdir refuses what would overwrite, and writes whole files or none."""

import json

import pytest
from ml_collections import ConfigDict

from bms_keras.errors import BadInput
from bms_keras.workdir import Workdir, write_atomically

CONFIG = {"method": "a", "steps": 10, "networks": {"widths": (1, 2)}}


def test_claim_writes_the_config_and_reads_it_back(tmp_path):
    workdir = Workdir(tmp_path / "run")
    workdir.claim(ConfigDict(CONFIG))
    assert workdir.config().networks.widths == [1, 2]
    workdir.claim(ConfigDict(CONFIG))  # again: the same run


def test_claim_refuses_another_config_and_names_the_fields(tmp_path):
    workdir = Workdir(tmp_path)
    workdir.claim(ConfigDict(CONFIG))
    before = workdir.config_file.read_bytes()
    with pytest.raises(BadInput, match=r"method: 'a' there, 'b' now; networks.widths"):
        workdir.claim(ConfigDict(CONFIG | {"method": "b", "networks": {"widths": (1, 3)}}))
    assert workdir.config_file.read_bytes() == before


def test_claim_admits_more_steps(tmp_path):
    workdir = Workdir(tmp_path)
    workdir.claim(ConfigDict(CONFIG))
    workdir.claim(ConfigDict(CONFIG | {"steps": 20}))
    assert workdir.config().steps == 20


def test_no_run(tmp_path):
    with pytest.raises(BadInput, match="holds no run"):
        Workdir(tmp_path).config()


def test_a_config_that_is_not_json(tmp_path):
    (tmp_path / "config.json").write_text('{"method": ')
    with pytest.raises(BadInput, match="is not JSON"):
        Workdir(tmp_path).config()


def test_log_appends_lines(tmp_path):
    workdir = Workdir(tmp_path)
    workdir.log({"a": 1})
    workdir.log({"a": 2})
    lines = workdir.metrics_file.read_text().splitlines()
    assert [json.loads(line)["a"] for line in lines] == [1, 2]


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, b"old")
    with pytest.raises(TypeError):
        write_atomically(path, "not bytes")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
