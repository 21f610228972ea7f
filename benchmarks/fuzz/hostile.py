"""Bytes of images and of archives that are cut, corrupted, mislabelled or lie about their size."""

import io
import struct
import zipfile
import zlib

import numpy as np
from PIL import Image

FORMATS = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP"}
OTHERS = "BLP AVIF EPS TIFF GIF BMP ICO PPM TGA PCX SGI DDS JPEG2000 IM PDF XBM MSP SPIDER MPO"


def picture(rng, side=24, mode="RGB"):
    return Image.fromarray(rng.integers(0, 256, (side, side, 4), "uint8")).convert(mode)


def encoded(rng, kind, mode=None, **options):
    """The bytes of an image of noise, "png", "jpg" or "webp"."""
    modes = {"png": ["RGB", "RGBA", "L", "LA", "P", "1"], "jpg": ["RGB", "L", "CMYK"]}
    mode = mode or str(rng.choice(modes.get(kind, ["RGB", "RGBA"])))
    buffer = io.BytesIO()
    picture(rng, mode=mode).save(buffer, FORMATS[kind], **options)
    return buffer.getvalue()


def any_kind(rng):
    return str(rng.choice([*FORMATS]))


def chunk(kind, content):
    check = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + check


def png(width, height, depth=8, colour=2, more=b"", pixels=bytes(99), interlace=0):
    """A PNG of a header that says so, of other chunks and of pixels."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    ends = chunk(b"IDAT", zlib.compress(pixels, 1)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + more + ends


# Files: functions of a generator that return (suffix, content).


def cut(rng):
    kind = any_kind(rng)
    content = encoded(rng, kind)
    return kind, content[: rng.integers(len(content))]


def flipped(rng):
    kind = any_kind(rng)
    content = bytearray(encoded(rng, kind, exif=exif(rng)))
    for _ in range(rng.integers(1, 40)):
        content[rng.integers(len(content))] = rng.integers(256)
    return kind, bytes(content)


def mislabelled(rng):
    """Another format under one of our names, cut now and then."""
    buffer = io.BytesIO()
    while not buffer.tell():
        kind = str(rng.choice(OTHERS.split()))
        try:
            picture(rng, mode=str(rng.choice(["RGB", "L", "P", "1"]))).save(buffer, kind)
        except Exception:  # a codec that this Pillow lacks, or a mode that the format does
            buffer = io.BytesIO()
    content = buffer.getvalue()
    return any_kind(rng), content[: rng.integers(len(content) // 2, len(content) + 1)]


def exif(rng):
    """EXIF data with an orientation, of which bytes are changed."""
    made = Image.Exif()
    made.update({0x0112: 6, 0x011A: 72.0, 0x0128: 2, 0x010F: "maker", 0x0132: "1999:01:01"})
    made.get_ifd(0x8769).update({0x9286: b"comment", 0x920A: 3.5})
    content = bytearray(made.tobytes())
    for _ in range(rng.integers(1, 12)):
        content[rng.integers(6, len(content))] = rng.choice([0, 1, 3, 5, 127, 128, 255])
    return bytes(content)


def bad_exif(rng):
    kind = any_kind(rng)
    return kind, encoded(rng, kind, exif=exif(rng))


def bad_header(rng):
    """A PNG whose header is sealed and absurd."""
    sizes = [0, 1, 24, 65_536, 2**31 - 1, 2**32 - 1]
    width, height, depth, colour, interlace = (
        int(rng.choice(values))
        for values in (sizes, sizes, [0, 1, 3, 8, 16, 255], range(8), [0, 1, 7])
    )
    return "png", png(width, height, depth, colour, interlace=interlace)


def text_bomb(rng):
    """Text, a profile or a palette that unpacks to 100 MB, or is cut."""
    packed = zlib.compress(bytes(100_000_000), 1)
    kinds = [
        chunk(b"zTXt", b"Comment\0\0" + packed),
        chunk(b"iCCP", b"profile\0\0" + packed),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + packed),
        chunk(b"tRNS", bytes(rng.integers(0, 9))) + chunk(b"PLTE", bytes(rng.integers(0, 999))),
        chunk(b"acTL", struct.pack(">II", 2**31, 0)) + chunk(b"fcTL", bytes(26)),
    ]
    more = kinds[rng.integers(len(kinds))]
    rows = (b"\0" + bytes(72)) * 24
    return "png", png(24, 24, more=more, pixels=rows)


def pixel_bomb(rng):
    """A few bytes of very many pixels, up to the limit and beyond."""
    sides = [(8192, 8192), (8192, 8193), (13_370, 13_370), (60_000, 60_000), (1, 60_000_000)]
    width, height = sides[rng.integers(len(sides))]
    way = rng.integers(4)
    if way == 0:
        vp8x = (
            b"VP8X"
            + struct.pack("<IB3x", 10, 2)
            + b"".join((min(side, 2**24) - 1).to_bytes(3, "little") for side in (width, height))
        )
        frame = encoded(rng, "webp", "RGB")[12:]
        head = struct.pack(
            "<3s3s3s3s3sB", b"", b"", (23).to_bytes(3, "little"), (23).to_bytes(3, "little"), b"", 0
        )
        anmf = b"ANMF" + struct.pack("<I", len(head) + len(frame)) + head + frame
        body = b"WEBP" + vp8x + b"ANIM" + struct.pack("<IIH", 6, 0, 0) + anmf
        return "webp", b"RIFF" + struct.pack("<I", len(body)) + body
    if way == 1:
        content = bytearray(encoded(rng, "jpg", "RGB"))
        place = content.index(b"\xff\xc0") + 5
        content[place : place + 4] = struct.pack(">HH", min(height, 65_535), min(width, 65_535))
        return "jpg", bytes(content)
    colour, channels = [(6, 4), (0, 1)][way - 2]
    rows = min(height * (1 + channels * width), 2**28 + 2**20)  # all of them up to our limit
    return "png", png(width, height, 8, colour, pixels=bytes(rows))


FILES = (cut, flipped, mislabelled, bad_exif, bad_header, text_bomb, pixel_bomb)


# Archives: functions of a generator that return the bytes of an `.npz`.


def header(shape, descr="|u1", fortran=False, version=b"\1\0"):
    text = repr({"descr": descr, "fortran_order": fortran, "shape": shape}).encode() + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text


def zipped(members, compression):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def compression(rng):
    ways = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
    return ways[rng.choice(4, p=[0.4, 0.4, 0.1, 0.1])]


def bad_array(rng):
    """A member whose header lies, or is nonsense."""
    shapes = [
        (9, 8, 8, 3),
        (4000, 1000, 1000, 3),
        (2**62, 8, 8, 3),
        (-1, 8, 8, 3),
        (),
        (0, 8, 8, 3),
    ]
    shapes += [
        (9, 0, 0, 3),
        (9, 8, 8, 2),
        (10**400,),
        (True, 8, 8),
        (1,) * 70,
        (9, 10**6, 1, 1),
        "8",
    ]
    descrs = ["|u1"] * 8 + ["|O", "<f4", "|V9", "U9", [("a", "|u1")], "|u1, |u1", ("|u1", (3,)), 7]
    shape, descr = shapes[rng.integers(len(shapes))], descrs[rng.integers(len(descrs))]
    version = [b"\1\0"] * 5 + [b"\2\0", b"\3\0", b"\xff\xff"]
    start = header(shape, descr, bool(rng.integers(2)), version[rng.integers(len(version))])
    content = rng.integers(0, 256, int(rng.choice([0, 99, 9 * 8 * 8 * 3])), "uint8").tobytes()
    name = str(rng.choice(["x_train.npy", "x_train.npy", "x_train", "../x_train.npy", "x\n.npy"]))
    members = [(name, start + content)]
    if rng.random() < 0.3:
        members.append(("x_test.npy", header((2, 8, 8, 3)) + bytes(384)))
    return zipped(members, compression(rng))


def corrupted_archive(rng):
    x = rng.integers(0, 256, (40, 8, 8, 3), "uint8")
    buffer = io.BytesIO()
    [np.savez, np.savez_compressed][rng.integers(2)](buffer, x_train=x, x_test=x[:5])
    content = bytearray(buffer.getvalue())
    for _ in range(rng.integers(0, 6)):  # where zip keeps its directory, or anywhere
        content[-rng.integers(1, [200, len(content)][rng.integers(2)])] = rng.integers(256)
    return bytes(content[: len(content) if rng.random() < 0.7 else rng.integers(len(content))])


def zero_bomb(rng):
    """A megabyte that unpacks to hundreds, as its header says, or to more, or to less."""
    start = header((int(rng.choice([30, 60, 200, 10**6])), 1000, 1000, 3))
    size = 3_000_000 * int(rng.choice([30, 60]))
    return zipped([("x_train.npy", start + bytes(size))], zipfile.ZIP_DEFLATED)


def no_archive(rng):
    whole = io.BytesIO()
    np.save(whole, np.zeros((9, 8, 8, 3), "uint8"))
    others = [b"", b"PK\x05\x06" + bytes(18), b"PK\x03\x04" + bytes(99), whole.getvalue(), b"[1]"]
    return others[rng.integers(len(others))]


ARCHIVES = (bad_array, bad_array, corrupted_archive, zero_bomb, no_archive)
