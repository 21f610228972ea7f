"""Files are written whole or not at all, and read only if they are files."""

import os
import stat


def write_atomically(path, data):
    """Writes bytes to a file whole or not at all."""
    scratch = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    try:
        with scratch.open("xb") as file:  # others may read it, as the umask allows
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(scratch, path)
        _sync(path.parent)  # else the new name may be lost with the power
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise


def _sync(folder):
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read(path, largest):
    """The bytes of a regular file: nothing that would wait for ever, or never end.

    Args:
        path: Path of it.
        largest: How many bytes it may have.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is no regular file, or too large.
    """
    with _opened(path, os.O_RDONLY, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > largest:
            raise ValueError(f"it has {size:,} bytes, where at most {largest:,} can be right")
        content = file.read(size + 1)
    if len(content) != size:
        raise ValueError("it changed while it was read")
    return content


def append(path, line):
    """Appends a line of text to a regular file, which is made where it is missing.

    Raises:
        OSError: If it cannot be written.
        ValueError: If it is no regular file.
    """
    with _opened(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, "a") as file:
        file.write(f"{line}\n")


def _opened(path, flags, mode):
    """An open regular file."""
    handle = os.open(path, flags | os.O_NONBLOCK, 0o666)  # a FIFO would wait for its other end
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ValueError("it is no regular file")
        return open(handle, mode)
    except BaseException:
        os.close(handle)
        raise
