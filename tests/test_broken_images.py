"""What is no image is named or skipped, and leaves nothing behind."""

import re
import struct
import threading
import time
import zlib

import numpy as np
import pytest
from helpers import load
from image_files import all_values
from PIL import Image

import bms_keras
from bms_keras.data import decoding

pytestmark = [pytest.mark.neutral, pytest.mark.usefixtures("cache")]


def truncated_jpeg(path):
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), "uint8")
    Image.fromarray(noise).save(path, "JPEG")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def bomb(path, width=60_000, height=60_000):
    """A PNG of some bytes that claims so many pixels."""

    def chunk(kind, content):
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(bytes(9))), chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


BROKEN = {
    "half.jpg": truncated_jpeg,
    "text.png": lambda path: path.write_text("Dear diary"),
    "nothing.webp": lambda path: path.write_bytes(b""),
    "dot.png": lambda path: Image.new("RGB", (1, 1)).save(path),
    "bomb.png": bomb,
    "large.png": lambda path: bomb(path, 8192, 8193),  # Pillow would decode it
    "other.png": lambda path: Image.new("RGB", (9, 9)).save(path, "PPM"),
    "other.jpg": lambda path: Image.new("RGB", (9, 9)).save(path, "TGA"),
    "other.webp": lambda path: Image.new("RGB", (9, 9)).save(path, "EPS"),
    "new\nline\x1b.png": lambda path: path.write_text("Dear diary"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_named_and_the_next_run_works(folder, cache, name):
    BROKEN[name](folder / name)
    shown = re.escape(name.replace("\n", r"\n").replace("\x1b", r"\x1b"))
    with pytest.raises(bms_keras.BadInput, match=rf"mine/{shown} .*skip_broken") as error:
        load(folder)
    assert str(error.value).isprintable()
    (folder / name).unlink()
    assert all_values(load(folder)) == [10, 20, 30, 40, 50, 60, 70, 80]


@pytest.mark.parametrize("place", range(1, 9))
def test_a_failed_load_leaves_nothing_in_the_cache(folder, cache, place):
    """Be the broken file one to train on or one that is held out."""
    (folder / f"{place}.png").write_text("Dear diary")
    with pytest.raises(bms_keras.BadInput, match=rf"/{place}\.png"):
        load(folder)
    assert [path for path in cache.rglob("*") if path.is_file()] == []


ODD_ERRORS = [
    RuntimeError("a\nb"),
    IndexError(),
    RecursionError(),
    MemoryError(),
    AssertionError("x"),
]


@pytest.mark.parametrize("error", ODD_ERRORS, ids=lambda error: type(error).__name__)
def test_whatever_a_decoder_raises_names_the_file(folder, monkeypatch, error):
    def fail(image):
        raise error

    monkeypatch.setattr(decoding, "_upright", fail)
    with pytest.raises(
        bms_keras.BadInput, match=r"mine/1\.png is no image .*skip_broken"
    ) as caught:
        load(folder)
    assert str(caught.value).isprintable()
    with pytest.raises(bms_keras.BadInput, match="none of 8 files"):
        load(folder, skip_broken=True)


def test_a_file_too_large_to_read_is_not_read(folder, monkeypatch):
    monkeypatch.setattr(decoding, "LARGEST_FILE", 10)
    with pytest.raises(bms_keras.BadInput, match=r"1\.png .*bytes, more than 10"):
        load(folder)


def test_threads_share_the_room_for_pixels():
    """However many there are, what they decode at a time is bounded."""
    room, held, most = decoding._Room(100), [], []

    def decode(pixels):
        with room.taken(pixels):
            held.append(pixels)
            most.append(sum(held))
            time.sleep(0.002)
            held.remove(pixels)

    pixels = [100, 1, 60, 50, 30, 99] * 5
    threads = [threading.Thread(target=decode, args=(n,)) for n in pixels]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(most) == len(pixels)
    assert max(most) == 100
    assert room.free == 100


def test_broken_files_are_skipped_and_counted(folder, capsys):
    for name, spoil in BROKEN.items():
        spoil(folder / name)
    found = load(folder, skip_broken=True)
    assert all_values(found) == [10, 20, 30, 40, 50, 60, 70, 80]
    used = f"8 of {8 + len(BROKEN)} files used, 8 of them cropped and 8 resized to 8x8"
    line = rf"{used}; {len(BROKEN)} skipped: \S+ \(.*\) and {len(BROKEN) - 3} more"
    assert re.search(rf"^{line}$", capsys.readouterr().err, re.MULTILINE)
    again = load(folder, skip_broken=True)
    assert re.search(rf"^{line}$", capsys.readouterr().err, re.MULTILINE)  # of the cache, too
    np.testing.assert_array_equal(again.train, found.train)
    np.testing.assert_array_equal(again.test, found.test)


def test_a_folder_of_nothing_but_broken_files(folder):
    for path in folder.iterdir():
        path.write_text("Dear diary")
    with pytest.raises(bms_keras.BadInput, match=r"none of \d files can be decoded"):
        load(folder, skip_broken=True)


def test_a_folder_without_images(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("no image")
    with pytest.raises(bms_keras.BadInput, match=r"mine holds no image; known are \.png, "):
        load(tmp_path / "mine")


def test_a_folder_named_like_an_image_is_a_folder(folder):
    (folder / "dir.png").mkdir()
    (folder / "1.png").rename(folder / "dir.png" / "1.png")
    assert all_values(load(folder)) == [10, 20, 30, 40, 50, 60, 70, 80]


def test_a_link_to_nowhere_is_a_broken_file(folder, capsys):
    (folder / "link.png").symlink_to("nowhere")
    with pytest.raises(bms_keras.BadInput, match=r"mine/link\.png .*skip_broken"):
        load(folder)
    assert all_values(load(folder, skip_broken=True)) == [10, 20, 30, 40, 50, 60, 70, 80]
    assert "1 skipped: link.png (" in capsys.readouterr().err


def test_a_tiff_of_32_bits_is_refused_however_small_its_values(folder):
    Image.fromarray(np.full((9, 9), 200, "int32")).save(folder / "deep.tif")
    with pytest.raises(bms_keras.BadInput, match=r"deep\.tif is no image .*32 bits"):
        load(folder)
