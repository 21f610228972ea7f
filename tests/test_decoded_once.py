"""Decoded images are kept, found again, and made again where they differ or are damaged."""

import errno
import fcntl
import itertools
import os
import resource
import signal
import time
from unittest.mock import Mock

import numpy as np
import pytest
from helpers import load
from image_files import all_values
from PIL import Image

import bms_keras
from bms_keras.data import decoding

pytestmark = [pytest.mark.neutral, pytest.mark.usefixtures("cache")]


@pytest.fixture
def undecodable(monkeypatch):
    return lambda: monkeypatch.setattr(decoding, "fit", lambda *_: pytest.fail("decoded again"))


def test_files_are_decoded_once(folder, undecodable):
    first = load(folder)
    undecodable()
    again = load(folder, held_out=0.25)
    np.testing.assert_array_equal(again.train, first.train)
    np.testing.assert_array_equal(again.test, first.test)
    assert isinstance(again.train.array, np.memmap)
    assert not again.train.array.flags.writeable


@pytest.mark.parametrize("suffix", ["npy", "npz"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-50],
        lambda content: content[:-70] + bytes([content[-70] ^ 1]) + content[-69:],
    ],
    ids=["cut", "one bit"],
)
def test_a_damaged_cache_is_made_again(folder, cache, suffix, damage):
    first = np.array(load(folder).train)  # a copy: the mapped file is about to change
    (file,) = cache.rglob(f"*.{suffix}")
    file.write_bytes(damage(file.read_bytes()))
    np.testing.assert_array_equal(load(folder).train, first)


@pytest.mark.parametrize("field", ["resolution", "channels", "crop"])
def test_another_size_is_decoded_again(folder, undecodable, field):
    load(folder)
    undecodable()
    with pytest.raises(pytest.fail.Exception, match="decoded again"):
        load(folder, **{field: {"channels": 1}.get(field, 6)})


def test_a_changed_file_is_decoded_again(folder):
    load(folder)
    path = folder / "1.png"
    before = path.stat()
    Image.new("RGB", (9, 12), (90,) * 3).save(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert all_values(load(folder)) == [20, 30, 40, 50, 60, 70, 80, 90]


def test_a_folder_that_has_moved_is_not_decoded_again(folder, undecodable):
    first = load(folder)
    folder = folder.rename(folder.with_name("yours"))
    undecodable()
    again = load(folder)
    assert (first.name, again.name) == ("mine", "yours")
    assert again.fingerprint == first.fingerprint
    np.testing.assert_array_equal(again.train, first.train)


def test_a_copy_under_other_names_is_the_same_data(folder):
    first = load(folder)
    for i, path in enumerate(sorted(folder.iterdir(), reverse=True)):
        path.rename(folder / f"copy{i}.png")
    again = load(folder)
    assert again.fingerprint == first.fingerprint
    np.testing.assert_array_equal(again.batch(1), first.batch(1))


@pytest.mark.parametrize("field", ["resolution", "crop", "background"])
def test_images_prepared_otherwise_are_other_data(folder, field):
    assert load(folder, **{field: 6}).fingerprint != load(folder).fingerprint


# The disk and the keyboard.


@pytest.mark.parametrize("reserved", [True, False])
def test_a_full_disk_is_one_line_and_leaves_nothing(folder, cache, monkeypatch, reserved):
    """A limit on the size of files stands in for the disk; a file system may not reserve."""

    def unsupported(*_):
        raise OSError(errno.EOPNOTSUPP, "no")

    if not reserved:
        monkeypatch.setattr(os, "posix_fallocate", unsupported)
    decode = Mock(wraps=decoding.fit)
    monkeypatch.setattr(decoding, "fit", decode)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, before[1]))
    try:
        with pytest.raises(
            bms_keras.BadInput, match=r"\.npy cannot be written \(File too"
        ) as error:
            load(folder, resolution=16)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "\n" not in str(error.value)
    assert [path for path in cache.rglob("*") if path.is_file()] == []
    assert bool(decode.called) == (not reserved)


def test_ctrl_c_ends_decoding_at_once(folder, cache, monkeypatch):
    """However many images there are yet to come."""
    for i in range(200):
        Image.new("L", (9, 9), i).save(folder / f"more{i}.png")
    fit, calls, pressed = decoding.fit, itertools.count(), []

    def slow(*given):
        if next(calls) == 3:
            pressed.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.3)
        return fit(*given)

    monkeypatch.setattr(decoding, "fit", slow)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background has none
    with pytest.raises(KeyboardInterrupt):
        load(folder)
    assert time.monotonic() - pressed[0] < 5  # the rest would take 30 seconds
    assert [path for path in cache.rglob("*") if path.is_file()] == []


def test_scratch_files_of_the_killed_are_swept_and_of_the_living_are_not(folder, cache):
    (cache / "images").mkdir(parents=True)
    dead, living = (cache / "images" / f".key.npy.{name}" for name in ("dead", "living"))
    dead.write_bytes(b"half")
    with living.open("xb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        load(folder)
        assert living.exists()
    assert not dead.exists()
