"""Which files of a folder are its images."""

import os

import pytest

import bms_keras
from bms_keras.data.folders import image_files

pytestmark = pytest.mark.neutral


@pytest.fixture
def mine(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    return folder


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def names(folder):
    return [str(path.relative_to(folder)) for path in image_files(folder)]


def test_what_archives_and_editors_leave_behind_is_left_out(mine, capsys):
    touch(mine, "a.png", "deep/er/b.JPG", ".ipynb_checkpoints/a-checkpoint.png", "._a.png")
    touch(mine, "__MACOSX/a.png", "deep/.git/c.webp", "deep/notes.txt")
    assert names(mine) == ["a.png", "deep/er/b.JPG"]
    (line,) = capsys.readouterr().err.splitlines()
    left_out = "3 hidden folders, 1 hidden files, 1 of other kinds (notes.txt)"
    assert line == f"{mine}: 2 images; left out: {left_out}"


def test_a_hidden_folder_that_is_asked_for_is_read(tmp_path):
    touch(tmp_path, ".images/a.png")
    assert names(tmp_path / ".images") == ["a.png"]


def test_links_to_folders_are_followed(mine, tmp_path):
    touch(tmp_path, "elsewhere/deep/a.png")
    touch(mine, "own.png")
    (mine / "class").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert names(mine) == ["class/deep/a.png", "own.png"]


def test_loops_of_links_end_and_nothing_is_taken_twice(mine, capsys):
    touch(mine, "a/1.png", "b/2.png")
    (mine / "a" / "up").symlink_to(mine, target_is_directory=True)
    (mine / "b" / "beside").symlink_to(mine / "a", target_is_directory=True)
    (mine / "b" / "itself").symlink_to("itself")
    assert names(mine) == ["a/1.png", "b/2.png"]
    assert "left out: 2 links to folders that are in already" in capsys.readouterr().err


def test_only_regular_files_are_images(mine, capsys):
    touch(mine, "a.png", "dir.png/b.png")
    os.mkfifo(mine / "pipe.png")
    (mine / "zero.jpg").symlink_to("/dev/zero")
    assert names(mine) == ["a.png", "dir.png/b.png"]
    assert "left out: 2 pipes, sockets and devices" in capsys.readouterr().err


def test_a_folder_of_pipes_holds_no_image(mine):
    os.mkfifo(mine / "pipe.png")
    with pytest.raises(bms_keras.BadInput, match=r"holds no image; .*; left out: 1 pipes"):
        image_files(mine)


def test_a_folder_that_cannot_be_read_is_named(mine, monkeypatch):
    touch(mine, "a.png", "locked/b.png")
    scandir = os.scandir

    def refusing(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)  # root may read everything
    with pytest.raises(bms_keras.BadInput, match="mine/locked cannot be read: Permission denied"):
        image_files(mine)
