"""Archives of arrays that end in the SHA-256 of what is before, so that no damage goes unseen."""

import hashlib
import io
import math
import zipfile

import numpy as np

SEAL = 64  # bytes: the hexadecimal digits of a SHA-256, as the comment of a zip archive


def sealed(arrays):
    """The bytes of an `.npz` of arrays by name, which end in their checksum."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    with zipfile.ZipFile(buffer, "a") as file:
        file.comment = b"0" * SEAL
    content = buffer.getbuffer()
    content[-SEAL:] = _checksum(content)
    return content


def is_whole(content):
    """Whether bytes end in the checksum of what is before."""
    return content[-SEAL:] == _checksum(content)


def members(content):
    """The arrays of an `.npz` by name; none takes more memory than the bytes that there are.

    Raises:
        ValueError: If an array is compressed, holds objects, or is not as long as it claims.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        entries = file.infolist()
        if sum(max(entry.file_size, entry.compress_size) for entry in entries) > len(content):
            raise ValueError("its arrays claim more bytes than it has")
        for entry in entries:
            if entry.compress_type != zipfile.ZIP_STORED:
                raise ValueError("it is compressed, as no checkpoint is")
            yield entry.filename.removesuffix(".npy"), array_of(io.BytesIO(file.read(entry)))


def array_of(member):
    """The array of an `.npy`, which takes no memory beside the file's."""
    if np.lib.format.read_magic(member) != (1, 0):
        raise ValueError("an array in it is of another version of .npy")
    shape, in_columns, dtype = np.lib.format.read_array_header_1_0(member)
    if dtype.hasobject:
        raise ValueError("it holds objects, and allow_pickle is off")
    data = member.getbuffer()[member.tell() :]
    if len(data) != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"an array in it is not of the shape {shape} that it claims")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if in_columns else "C")


def _checksum(content):
    return hashlib.sha256(memoryview(content)[:-SEAL]).hexdigest().encode()
