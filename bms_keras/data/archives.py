"""Arrays in an `.npz` or an `.npy`, of which the headers are read first."""

import math
import os
import pathlib
import zipfile
import zlib

import numpy as np

from bms_keras.errors import BadInput, one_line

IN_MEMORY = 2**30  # bytes: what is larger is mapped, or refused if it is compressed
DEFLATED = 1032  # times at most does what is deflated become smaller
CHUNK = 2**20


class Arrays(dict):
    """Arrays by name, and as `held` the names of all that their file holds."""

    def __init__(self, arrays, held):
        super().__init__(arrays)
        self.held = held


def read(path, choices):
    """Arrays of an `.npz`: of each tuple of names the first that it holds; an `.npy` has the first.

    Raises:
        BadInput: If the file is missing, cut short, damaged, or something else.
    """
    path = pathlib.Path(path)
    try:
        if path.suffix == ".npy":
            name = choices[0][0]
            return Arrays({name: _lone(path)}, [name])
        return _of_archive(path, choices)
    except Exception as error:  # what a damaged file raises is anybody's guess
        raise BadInput(
            f"{one_line(path)} cannot be read as an {path.suffix or '.npz'}: "
            f"{one_line(error) or type(error).__name__}"
        ) from None


def _of_archive(path, choices):
    """The arrays of an `.npz`.

    An array of up to 1 GiB is read into memory, once; a larger one is mapped, for which it must
    not be compressed: `np.savez` writes such a file.

    Raises:
        ValueError: If an array holds no numbers, or is not what its header says, or is too large.
        Exception: Whatever else `zipfile` raises of a file that is damaged.
    """
    with open(path, "rb") as file, zipfile.ZipFile(file) as archive:
        held = [name.removesuffix(".npy") for name in archive.namelist()]
        found = (next((name for name in names if name in held), None) for names in choices)
        return Arrays({name: _array(archive, name) for name in found if name}, held)


def _lone(path):
    """The array of an `.npy`, mapped.

    Raises:
        ValueError: If it holds no numbers, or is not what its header says.
    """
    with open(path, "rb") as file:
        shape, order, dtype, start = _header(file, "it")
    size, there = math.prod(shape) * dtype.itemsize, os.path.getsize(path) - start
    if size != there:
        raise ValueError(f"it claims {size} bytes, and has {there}")
    flat = np.memmap(path, "uint8", "r", start) if size else np.empty(0, "uint8")
    return flat.view(dtype).reshape(shape, order=order)


def _array(archive, name):
    member = archive.getinfo(f"{name}.npy")
    with archive.open(member) as file:
        shape, order, dtype, start = _header(file, name)
        size = math.prod(shape) * dtype.itemsize
        _check(archive, member, name, size, start)
        if size <= IN_MEMORY:
            array = np.empty(size, "uint8")
            _fill(array, file)
            return array.view(dtype).reshape(shape, order=order)
    return _mapped(archive, member, name, start).view(dtype).reshape(shape, order=order)


def _header(file, name):
    """Shape, order, dtype, and where the data begin."""
    version = np.lib.format.read_magic(file)
    reader = {(1, 0): "read_array_header_1_0", (2, 0): "read_array_header_2_0"}.get(version)
    if not reader:
        raise ValueError(f"{name} is of the .npy version {version}")
    shape, fortran, dtype = getattr(np.lib.format, reader)(file)
    if dtype.kind not in "uif":
        what = "Python objects" if dtype.hasobject else f"{dtype} {shape}"
        how = ": np.uint8(255 * x) makes images of truth values" if dtype.kind == "b" else ""
        raise ValueError(f"{name} must hold numbers{how}. Received: {what}")
    if min(shape, default=0) < 0:
        raise ValueError(f"{name} has the shape {shape}")
    return shape, "F" if fortran else "C", dtype, file.tell()


def _check(archive, member, name, size, start):
    """Refuses a header that claims what the file does not hold, before memory is taken for it."""
    if size + start != member.file_size:
        raise ValueError(f"{name} claims {size} bytes, and has {member.file_size - start}")
    if member.compress_type == zipfile.ZIP_STORED:
        whole = os.fstat(archive.fp.fileno()).st_size
    elif member.compress_type == zipfile.ZIP_DEFLATED:
        whole = member.compress_size * DEFLATED
    else:
        raise ValueError(f"{name} is compressed as no .npz is")
    if member.file_size > whole:
        raise ValueError(f"{name} claims {size} bytes, more than there can be")
    if size > IN_MEMORY and member.compress_type != zipfile.ZIP_STORED:
        raise ValueError(
            f"{name} is compressed and has {size} bytes, more than {IN_MEMORY}: save it with "
            "np.savez, which does not compress, so that it can be mapped"
        )


def _fill(array, file):
    """Reads a file to its end, where its checksum is verified, into an array."""
    view, done = memoryview(array), 0
    while part := file.read(CHUNK):
        view[done : done + len(part)] = part
        done += len(part)
    if done < len(array):
        raise ValueError("it is cut short")


def _mapped(archive, member, name, start):
    """A member that is not compressed, uint8 and flat, as a read-only map of the file."""
    archive.fp.seek(member.header_offset + 26)  # where a zip keeps the lengths of name and extra
    lengths = [int.from_bytes(archive.fp.read(2), "little") for _ in range(2)]
    first = member.header_offset + 30 + sum(lengths)
    whole = np.memmap(archive.fp.name, "uint8", "r", first, (member.file_size,))
    checksum = 0
    for place in range(0, len(whole), CHUNK):
        checksum = zlib.crc32(whole[place : place + CHUNK], checksum)
    if checksum != member.CRC:
        raise ValueError(f"{name} is damaged: its checksum is wrong")
    return whole[start:]
