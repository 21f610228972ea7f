"""Of EXIF the orientation is read, and nothing else."""

import struct

import numpy as np
import pytest
from image_files import fields, save
from PIL import Image, ImageOps

from bms_keras.data import decoding

pytestmark = [pytest.mark.neutral, pytest.mark.usefixtures("cache")]


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
