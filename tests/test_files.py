"""Paths are taken as users mean them; files are written whole, and what was killed is swept."""

import errno
import fcntl
import os
import pathlib

import pytest

from bms_keras import files
from bms_keras.errors import BadInput, one_line, reason

pytestmark = pytest.mark.neutral


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("~", "/home/me"),
        ("~/runs/a", "/home/me/runs/a"),
        (pathlib.Path("~/runs"), "/home/me/runs"),
        ("runs/~a", "runs/~a"),
        ("tfds:mnist", "tfds:mnist"),
        ("/a/b://c", "/a/b://c"),
    ],
)
def test_the_home_folder_is_expanded(monkeypatch, given, expected):
    monkeypatch.setenv("HOME", "/home/me")
    assert files.expanded(given) == pathlib.Path(expected)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("", "--out must be a path, not empty and without NUL. Received: ''"),
        ("a\0b", r"without NUL. Received: 'a\x00b'"),
        (
            "gs://bucket/a",
            "must be a path of this machine, not of another. Received: gs://bucket/a",
        ),
        ("s3://b", "of this machine"),
        ("file:///tmp", "of this machine"),
    ],
)
def test_what_is_no_path_of_this_machine_is_refused(given, message):
    with pytest.raises(BadInput) as error:
        files.expanded(given, "--out")
    assert message in str(error.value)


def test_only_regular_files_are_read(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name in ("fifo", "zero", "."):
        with pytest.raises(BadInput, match="cannot be read: it is no regular file"):
            files.read(tmp_path / name)
    with pytest.raises(BadInput, match="none cannot be read: No such file or directory"):
        files.read(tmp_path / "none")
    (tmp_path / "file").write_bytes(b"12345")
    assert files.read(tmp_path / "file", most=5) == b"12345"
    with pytest.raises(BadInput, match="it has 5 bytes, where at most 4 can be right"):
        files.read(tmp_path / "file", most=4)


def test_what_does_not_print_is_escaped():
    assert one_line("a\nb\r\x1b[31m\x00\u2028\x9b é\udcff") == (
        r"a\nb\r\x1b[31m\x00\u2028\x9b é\udcff"
    )


def test_a_reason_is_one_line_and_names_the_file():
    assert reason(FileNotFoundError(2, "No such file", "a")) == "a: No such file"
    assert reason(OSError(28, "No space left")) == "No space left"
    assert reason(BadInput("said")) == "said"
    assert reason(RuntimeError("first\nsecond")) == "RuntimeError: first"
    assert reason(KeyError()) == "KeyError"


# Writing.


def test_a_link_is_replaced_and_its_target_stays(tmp_path):
    (tmp_path / "target").write_bytes(b"mine")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    files.write_atomically(tmp_path / "link", b"new")
    assert (tmp_path / "target").read_bytes() == b"mine"
    assert (tmp_path / "link").read_bytes() == b"new"
    assert not (tmp_path / "link").is_symlink()


def fsync_that_raises(monkeypatch, number, on):
    """Makes `fsync` fail of folders or of files."""
    own = os.fsync

    def fsync(handle):
        folder = os.path.isdir(f"/proc/self/fd/{handle}")
        if on == ("folder" if folder else "file"):
            raise OSError(number, os.strerror(number))
        own(handle)

    monkeypatch.setattr(os, "fsync", fsync)


@pytest.mark.parametrize("on", ["folder", "file"])
@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])
def test_a_file_system_that_cannot_sync_is_written_with_one_warning(
    tmp_path, monkeypatch, capsys, number, on
):
    fsync_that_raises(monkeypatch, number, on)
    for content in (b"a", b"b"):
        files.write_atomically(tmp_path / "file", content)
    assert (tmp_path / "file").read_bytes() == b"b"
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{tmp_path} cannot be synced ({os.strerror(number)}): ")


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_a_disk_that_fails_is_an_error_that_names_the_file(tmp_path, monkeypatch, number):
    files.write_atomically(tmp_path / "file", b"old")
    fsync_that_raises(monkeypatch, number, "file")
    with pytest.raises(OSError, match=f"{os.strerror(number)}.*{tmp_path}/file'"):
        files.write_atomically(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_new_folder_is_taken_back(tmp_path):
    @files.new_folder(tmp_path / "a" / "b")
    def fail(error):
        raise error

    with pytest.raises(BadInput, match=f"{tmp_path}/a/b cannot be written: full"):
        fail(OSError(errno.ENOSPC, "full"))
    assert not list(tmp_path.iterdir())
    with pytest.raises(RuntimeError, match="a converter"):
        fail(RuntimeError("a converter"))
    assert not list(tmp_path.iterdir())


def test_what_others_wrote_into_a_new_folder_stays(tmp_path):
    @files.new_folder(tmp_path / "a")
    def fail():
        (tmp_path / "a" / "mine").touch()
        raise OSError(errno.ENOSPC, "full")

    with pytest.raises(BadInput):
        fail()
    assert (tmp_path / "a" / "mine").exists()


def test_the_dead_are_swept_and_no_others(tmp_path):
    dead = [".best.npz.0123abcd", ".step_000000001.npz.00000000", ".latents.tsv.deadbeef"]
    dead += [".projector_config.pbtxt.deadbeef", ".samples.png.deadbeef", ".config.json.deadbeef"]
    others = ["best.npz", ".best.npz", ".best.npz.0123ABCD", ".best.npz.0123abc", ".git.deadbeef"]
    others += ["best.npz.0123abcd", ".bashrc", ".secret.txt.deadbeef"]
    for name in (*dead, *others, ".alive.npz.deadbeef"):
        (tmp_path / name).touch()
    (tmp_path / ".folder.npz.deadbeef").mkdir()
    os.mkfifo(tmp_path / ".fifo.npz.deadbeef")
    (tmp_path / ".link.npz.deadbeef").symlink_to(tmp_path / "best.npz")
    kept = {*others, ".alive.npz.deadbeef"}
    kept |= {f".{name}.npz.deadbeef" for name in ("folder", "fifo", "link")}
    with (tmp_path / ".alive.npz.deadbeef").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        files.sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == kept
    files.sweep(tmp_path / "none")


def test_what_is_being_written_is_not_swept(tmp_path, monkeypatch):
    own = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (files.sweep(tmp_path), own(handle)))
    files.write_atomically(tmp_path / "best.npz", b"whole")
    assert (tmp_path / "best.npz").read_bytes() == b"whole"
