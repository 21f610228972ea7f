"""Files of any size, format and mode become uint8 of one size, once; what does not is named."""

import errno
import fcntl
import itertools
import os
import re
import resource
import signal
import struct
import threading
import time
import types
import zlib
from unittest.mock import Mock

import numpy as np
import pytest
from helpers import load, values
from PIL import Image, ImageOps

import bms_keras
from bms_keras.data import decoding

pytestmark = pytest.mark.neutral


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BMS_KERAS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path):
    """Eight grey images of values 10 to 80."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for i in range(1, 9):
        Image.new("RGB", (9, 12), (10 * i,) * 3).save(folder / f"{i}.png")
    return folder


def fields(**given):
    """`config.data` as `decoded` needs it."""
    config = {"resolution": 8, "channels": 3, "crop": 0, "skip_broken": False, "background": 255}
    return types.SimpleNamespace(**config | given)


def all_values(found):
    return sorted(values(found.train) + values(found.test))


def test_a_folder_of_any_formats_sizes_and_depth(tmp_path):
    folder = tmp_path / "mine"
    (folder / "sub" / "deep").mkdir(parents=True)
    names = ["a.png", "b.JPG", "sub/c.jpeg", "sub/deep/d.webp", "sub/deep/e.PNG"]
    for i, name in enumerate(names, 1):
        size = (8 + 7 * i, 30 - 4 * i)
        Image.new("RGB", size, (20 * i,) * 3).save(folder / name, quality=100, lossless=True)
    (folder / "notes.txt").write_text("no image")
    found = load(folder)
    assert found.train.dtype == np.uint8
    assert (found.shape, found.name) == ((8, 8, 3), "mine")
    np.testing.assert_allclose(all_values(found), [20, 40, 60, 80, 100], atol=1)  # JPEG rounds


def test_other_formats_are_taken_of_which_the_first_frame(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    pictures = [Image.new("RGB", (8, 8), (value,) * 3) for value in (30, 60, 90, 120)]
    pictures[0].save(folder / "a.gif", save_all=True, append_images=pictures[3:])
    pictures[1].save(folder / "b.BMP")
    pictures[2].save(folder / "c.tif", compression="tiff_lzw")
    Image.fromarray(np.full((8, 8), 120 * 257, "uint16")).save(folder / "d.tiff")
    assert all_values(load(folder)) == [30, 60, 90, 120]


@pytest.mark.parametrize(("dtype", "why"), [("float32", "floats"), ("int32", "more than 16 bits")])
def test_pixels_whose_range_nobody_knows_are_refused(folder, dtype, why):
    Image.fromarray(np.full((9, 9), 70_000, dtype)).save(folder / "deep.tif")
    with pytest.raises(bms_keras.BadInput, match=rf"deep\.tif is no image .*{why}"):
        load(folder)


def test_a_share_of_a_folder_is_held_out_once_and_for_all(folder):
    found = load(folder)
    assert 0 < len(found.test) < 8
    assert all_values(found) == [10, 20, 30, 40, 50, 60, 70, 80]
    assert values(load(folder, resolution=10).test) == values(found.test)


def test_a_folder_is_called_by_its_name(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert load(".").name == "mine"


def lanczos(signal, n):
    """A signal resized to `n` by the definition: windowed sincs, 3 lobes, stretched to fit."""
    scale = max(1, len(signal) / n)
    centres = (np.arange(n) + 0.5) * len(signal) / n
    t = (np.arange(len(signal)) + 0.5 - centres[:, None]) / scale
    weights = np.where(np.abs(t) < 3, np.sinc(t) * np.sinc(t / 3), 0)
    return weights @ signal / weights.sum(1)


@pytest.mark.parametrize("resolution", [4, 8, 12])
@pytest.mark.parametrize("crop", [0, 6])
@pytest.mark.parametrize("upright", [True, False])
def test_the_centre_is_cropped_and_resized(resolution, crop, upright):
    """Halves of 40 and 200, 14 x 8: the side is cut to 8 or 6 at the middle."""
    halves = np.repeat(np.array([40, 200], "uint8"), 7)
    picture = np.tile(halves, (8, 1))
    y = decoding.fit(Image.fromarray(picture.T if upright else picture), resolution, 1, crop)
    assert y.shape == (resolution, resolution, 1)
    assert y.dtype == np.uint8
    side = crop or 8
    expected = lanczos(np.repeat([40.0, 200.0], side // 2), resolution).clip(0, 255)
    y = y[..., 0].T if upright else y[..., 0]
    np.testing.assert_allclose(y, np.tile(expected, (resolution, 1)), atol=1)


def test_a_crop_wider_than_the_image_is_the_widest_there_is():
    picture = Image.fromarray(np.arange(8 * 8, dtype="uint8").reshape(8, 8))
    np.testing.assert_array_equal(decoding.fit(picture, 8, 1, crop=50)[..., 0], picture)


def test_photographs_are_turned_upright(tmp_path):
    """Orientation 6: the camera was held so that the picture must be turned clockwise."""
    stored = np.arange(64, dtype="uint8").reshape(8, 8)
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "turned.png"
    Image.fromarray(stored).save(path, exif=exif)
    ((y,), _) = decoding.decoded([path], fields(channels=1))
    np.testing.assert_array_equal(y[..., 0], np.rot90(stored, -1))


COLORS = np.array([[250, 10, 30], [20, 240, 60], [70, 80, 200], [128, 128, 128]], "uint8")


def picture(mode):
    """Quadrants in four colours, in a mode of Pillow's; and what they are in RGB."""
    index = np.zeros((8, 8), "uint8")
    index[:4, 4:], index[4:, :4], index[4:, 4:] = 1, 2, 3
    rgb = COLORS[index]
    grey = (rgb @ [299, 587, 114] / 1000).round()
    if mode == "P":
        image = Image.fromarray(index)
        image.putpalette(COLORS.tobytes())
        return image, rgb
    if mode == "RGBA":
        image = Image.fromarray(np.dstack([rgb, np.full((8, 8), 102, "uint8")]))
        return image, 0.4 * rgb + 0.6 * 255  # on white
    if mode == "RGB":
        return Image.fromarray(rgb), rgb
    grey_rgb = np.repeat(grey[..., None], 3, -1)
    if mode == "I;16":  # 65535 is white
        return Image.fromarray((grey * 257).astype("uint16")), grey_rgb
    if mode == "LA":
        return Image.fromarray(grey.astype("uint8")).convert("LA"), grey_rgb
    return Image.fromarray(grey.astype("uint8")), grey_rgb


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "I;16"])
@pytest.mark.parametrize("channels", [1, 3])
def test_modes_become_grey_or_rgb(tmp_path, mode, channels):
    image, rgb = picture(mode)
    image.save(tmp_path / "image.png")
    with Image.open(tmp_path / "image.png") as saved:
        assert saved.mode == mode
        y = decoding.fit(saved, 8, channels)
    expected = rgb if channels == 3 else rgb @ [[299], [587], [114]] / 1000
    np.testing.assert_allclose(y, expected, atol=1)


def save(image, path, **options):
    image.save(path, **options)
    return path


@pytest.mark.parametrize("background", [0, 255, 100])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", ["RGBA", "LA", "P", "RGB", "L", "webp"])
def test_what_is_transparent_shows_the_background(tmp_path, kind, channels, background):
    """Not the colours hidden there. Left it is opaque and 200; right transparent and 50."""
    half = np.repeat(np.array([[200] * 4 + [50] * 4], "uint8"), 8, 0)
    alpha = np.where(half == 200, 255, 0).astype("uint8")
    grey, options = Image.fromarray(half), {}
    if kind in ("RGBA", "LA", "webp"):
        image = grey.convert("RGB" if kind == "webp" else kind.removesuffix("A"))
        image.putalpha(Image.fromarray(alpha))
    elif kind == "P":
        image = Image.fromarray((half == 50).astype("uint8"))
        image.putpalette([200] * 3 + [50] * 3)
        options["transparency"] = 1
    else:
        image = grey.convert(kind)
        options["transparency"] = (50, 50, 50) if kind == "RGB" else 50
    name = "a.webp" if kind == "webp" else "a.png"
    path = save(image, tmp_path / name, **options, **({"lossless": True} if kind == "webp" else {}))
    ((y,), _) = decoding.decoded([path], fields(channels=channels, background=background))
    assert (y[:, :4] == 200).all()
    assert (y[:, 4:] == background).all()


@pytest.mark.parametrize("colours", [0, 1])
def test_no_channels_are_those_of_the_files(folder, colours):
    """Grey if all are."""
    for path in folder.iterdir():
        save(Image.open(path).convert("L"), path)
    for i in range(colours):
        save(Image.new("RGB", (8, 8), (99, 99, 99)), folder / f"colour{i}.png")
    (folder / "broken.jpg").write_bytes(b"no image")
    found = load(folder, channels=0, skip_broken=True)
    assert found.shape == (8, 8, 3 if colours else 1)


# EXIF.


def exif(*entries, order="<"):
    """EXIF data of entries (tag, type, count, value as four bytes)."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    body = b"".join(struct.pack(order + "HHI", *entry[:3]) + entry[3] for entry in entries)
    head = mark + struct.pack(order + "IH", 8, len(entries))
    return b"Exif\0\0" + head + body + bytes(4)


def sixth(order="<"):
    return (0x0112, 3, 1, struct.pack(order + "HH", 6, 0))


ODD = [  # what stands beside the orientation
    *[
        (tag, kind, 1, b"\1\0\0\0")
        for tag in (0x011A, 0x8769, 0x8825, 0x927C)
        for kind in range(14)
    ],
    (0x011A, 5, 1, b"\xff\xff\xff\xff"),  # a fraction that lies nowhere
    (0x011A, 5, 2**32 - 1, b"\x08\0\0\0"),
    (0x9286, 7, 2**31, b"\x08\0\0\0"),
    (0x8769, 4, 1, b"\x08\0\0\0"),  # points to itself
]


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_of_exif_the_orientation_is_read_and_nothing_else(tmp_path, suffix):
    stored = np.repeat(np.repeat(np.array([[10, 90], [170, 250]], "uint8"), 8, 0), 8, 1)
    files = []
    for i, odd in enumerate(ODD):
        options = {"exif": exif(sixth(), odd), "quality": 100, "lossless": True}
        files.append(save(Image.fromarray(stored), tmp_path / f"{i}.{suffix}", **options))
    found, _ = decoding.decoded(files, fields(resolution=16, channels=1))
    expected = np.rot90(stored, -1).astype(int)
    assert len(found) == len(ODD)
    assert np.abs(found[..., 0] - expected).max() <= 3  # JPEG rounds


@pytest.mark.parametrize(
    "data",
    [
        exif((0x0112, 3, 1, b"\x09\0\0\0")),  # there is no orientation 9
        exif((0x0112, 2, 4, b"six\0")),
        exif((0x0112, 5, 1, b"\xff\xff\xff\xff")),
        exif(sixth())[:14],
        b"Exif\0\0" + bytes(99),
        b"Exif\0\0II*\0\xff\xff\xff\xff",
    ],
)
def test_a_damaged_orientation_turns_nothing(tmp_path, data):
    stored = np.repeat(np.repeat(np.array([[10, 90], [170, 250]], "uint8"), 8, 0), 8, 1)
    path = save(Image.fromarray(stored), tmp_path / "a.png", exif=data)
    ((y,), _) = decoding.decoded([path], fields(resolution=16, channels=1))
    np.testing.assert_array_equal(y[..., 0], stored)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("order", "<>")
def test_every_orientation_is_turned_as_pillow_does(tmp_path, orientation, order):
    stored = np.arange(64, dtype="uint8").reshape(8, 8)
    entry = (0x0112, 3, 1, struct.pack(order + "HH", orientation, 0))
    path = save(Image.fromarray(stored), tmp_path / "a.png", exif=exif(entry, order=order))
    ((y,), _) = decoding.decoded([path], fields(channels=1))
    with Image.open(path) as image:
        np.testing.assert_array_equal(y[..., 0], ImageOps.exif_transpose(image))


# What is no image.


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


# The cache.


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
