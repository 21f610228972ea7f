"""Images of one size, kept in the cache as a file that later runs map, with what tells them apart.

`KEY.npy` holds the images; `KEY.npz`, written after it, the digest of each one's source and the
SHA-256 of all, which is checked whenever they are opened (a second or so for a GB).
"""

import contextlib
import errno
import fcntl
import hashlib
import math
import os
import struct
import sys

import numpy as np

from bms_keras.errors import BadInput, warn
from bms_keras.files import cache

HEADER = 128  # bytes before the images in an `.npy`, room enough for any number of them


def kept(key, n, make):
    """The images of a key and the digests of their sources; they are made if the cache lacks them.

    Args:
        key: What the images depend on; its `repr` names them.
        n: How many there are, with those that will be left out.
        make: Function without arguments that returns an image's shape, a generator of (uint8
            array of this shape, digest), or of `None` for an image that is left out, and a function
            that says in a line, once all are made, what is to be reported of them; it is kept, and
            said whenever the images are opened, unless it is empty.

    Returns:
        uint8 `(m, *shape)`, read-only and memory-mapped, and uint64 `(m,)`.

    Raises:
        BadInput: If all are left out, or if the cache cannot be written, on a full disk say.
            Nothing is left in it then.
    """
    folder = cache.subfolder("images")
    path = folder / f"{hashlib.sha256(repr(key).encode()).hexdigest()[:24]}.npy"
    with contextlib.suppress(BadInput):  # missing or damaged: made (again)
        return _opened(path)
    _sweep(folder)
    shape, rows, report = make()
    try:
        _write(path, rows, n, shape, report)
    except OSError as error:
        size = n * math.prod(shape) / 1e6
        raise BadInput(
            f"{path} cannot be written ({error.strerror}): {n} images need {size:,.1f} MB there. "
            "Make room, or set BMS_KERAS_CACHE to another folder"
        ) from None
    finally:
        rows.close()
    return _opened(path)


def _opened(path):
    index = cache.load(path.with_suffix(".npz"))
    try:
        images = np.load(path, mmap_mode="r")
        whole = hashlib.sha256(images).digest() == index["sha256"].tobytes()
    except (*cache.UNREADABLE, KeyError) as error:
        raise BadInput(f"{path} cannot be read ({error})") from None
    if not whole:
        raise BadInput(f"{path} is damaged: its checksum is wrong")
    if report := str(index.get("report", "")):  # an older version kept none
        warn(report)
    return images, index["digests"]


def _write(path, rows, n, shape, report):
    """Writes the images to `path` and what tells of them beside it, whole or not at all."""
    scratch = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    try:
        with scratch.open("xb") as file:
            _locked(file)
            _reserve(file, HEADER + n * math.prod(shape))
            digests, checksum = [], hashlib.sha256()
            file.seek(HEADER)
            for done, found in enumerate(rows, 1):
                if found is not None:
                    row, digest = found
                    file.write(np.ascontiguousarray(row))
                    checksum.update(np.ascontiguousarray(row))
                    digests.append(digest)
                if done % 5000 == 0 or done == n:
                    print(f"decoded {done} of {n} images", file=sys.stderr, flush=True)
            if not digests:
                raise BadInput(f"none of {n} files can be decoded as an image")
            file.truncate(HEADER + len(digests) * math.prod(shape))
            file.seek(0)
            file.write(_header((len(digests), *shape)))
            file.flush()
            os.fsync(file.fileno())
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)
    index = {
        "digests": np.array(digests, "uint64"),
        "sha256": np.frombuffer(checksum.digest(), "uint8"),
        "report": np.array(report()),
    }
    cache.save(path.with_suffix(".npz"), index)


def _header(shape):
    """The header of an `.npy` of uint8, filled up with blanks."""
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".encode()
    start = b"\x93NUMPY\x01\x00" + struct.pack("<H", HEADER - 10)
    return start + text.ljust(HEADER - 11) + b"\n"


def _reserve(file, size):
    """Takes the space of a file before an hour's work is written to it.

    Where a file system cannot, writing fails when the disk is full, with the same error.
    """
    if not hasattr(os, "posix_fallocate"):
        return
    try:
        os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
            raise


def _locked(file):
    """Marks a scratch file as that of a living process; whether it was not marked before."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # held by another process, or no file system to lock on
        return False
    return True


def _sweep(folder):
    """Removes the scratch files of processes that were killed."""
    for path in folder.glob(".*.npy.*"):
        with contextlib.suppress(OSError), path.open("rb") as file:
            if _locked(file):
                path.unlink()
