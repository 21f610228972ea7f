"""Files: paths as users give them, whole writes, and what a killed process left behind."""

import contextlib
import errno
import fcntl
import functools
import os
import pathlib
import re
import stat

from bms_keras.errors import BadInput, reason, warn

# What a file system answers that does not know an operation, as network and user-space ones do.
UNSUPPORTED = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF}
_SCRATCH = re.compile(r"\.[\w.-]+\.(npz|json|jsonl|png|pbtxt|tsv)\.[0-9a-f]{8}")


def expanded(path, name="the path"):
    """A path of this machine, in which `~` is the home folder.

    Args:
        path: What the user gave.
        name: What the user calls it, as "--workdir".

    Returns:
        A `pathlib.Path`.

    Raises:
        BadInput: If it is empty, holds a NUL byte, or is the URL of some other machine.

    Example:

    >>> expanded("~/runs/grid")
    PosixPath('.../runs/grid')
    """
    text = os.fspath(path)
    if not text.strip() or "\0" in text:
        raise BadInput(f"{name} must be a path, not empty and without NUL. Received: {text!r}")
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text):
        raise BadInput(f"{name} must be a path of this machine, not of another. Received: {text}")
    return pathlib.Path(os.path.expanduser(text))


def read(path, most=2**28):
    """The bytes of a regular file; see `content`.

    Raises:
        BadInput: If it is missing, larger, or something else.
    """
    try:
        return content(path, most)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise BadInput(f"{path} cannot be read: {why}") from None


def content(path, most):
    """The bytes of a regular file: nothing that would wait for ever, or never end.

    Args:
        path: Path of it.
        most: How many bytes it may have.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is no regular file, or too large.
    """
    with _regular(path, os.O_RDONLY, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise ValueError(f"it has {size:,} bytes, where at most {most:,} can be right")
        found = file.read(size + 1)
    if len(found) != size:
        raise ValueError("it changed while it was read")
    return found


def append(path, line):
    """Appends a line of text to a regular file, which is made where it is missing.

    A line that a killed process left half written is ended first; on a full disk no half of this
    one stays.

    Raises:
        OSError: If it cannot be written.
        ValueError: If it is no regular file.
    """
    line = f"{line}\n".encode()
    with _regular(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, "r+b", buffering=0) as file:
        end = file.seek(0, os.SEEK_END)
        if end and os.pread(file.fileno(), 1, end - 1) != b"\n":
            line = b"\n" + line
        if file.write(line) != len(line):
            file.truncate(end)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _regular(path, flags, mode, **kwargs):
    """An open regular file."""
    handle = os.open(path, flags | os.O_NONBLOCK, 0o666)  # a FIFO would wait for its other end
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ValueError("it is no regular file")
        return open(handle, mode, **kwargs)
    except BaseException:
        os.close(handle)
        raise


def check_regular(path):
    """Refuses what is there and is no regular file: a device or a pipe may never end.

    Raises:
        BadInput: If it is something else.
    """
    if path.exists() and not path.is_file():
        raise BadInput(f"{path} cannot be read: it is no regular file")


@contextlib.contextmanager
def new_folder(path):
    """Makes a folder for what a `with` block writes, and takes it back if the block fails.

    Raises:
        BadInput: If it cannot be made, or the block cannot write.
    """
    missing = []
    try:
        missing = [each for each in (path, *path.parents) if not each.exists()]
        path.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException as error:
        with contextlib.suppress(OSError):  # it may hold what others have written since
            for each in missing:
                each.rmdir()
        if isinstance(error, OSError):
            why = error.strerror or reason(error)
            raise BadInput(f"{error.filename or path} cannot be written: {why}") from None
        raise


def write_atomically(path, data):
    """Writes bytes to a file whole or not at all.

    A link is replaced, and what it points to stays.

    Raises:
        OSError: With the file's name, if it cannot be written.
    """
    scratch = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    try:
        with scratch.open("xb") as file:  # others may read it, as the umask allows
            with contextlib.suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX)  # for `sweep`: its process lives
            file.write(data)
            file.flush()
            _sync(file.fileno(), path.parent)
            os.replace(scratch, path)
        with _opened(path.parent) as folder:  # else the new name may be lost with the power
            _sync(folder, path.parent)
    except BaseException as error:
        scratch.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise


def sweep(folder):
    """Removes the scratch files of writes that were killed, and no file of a process that lives."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if _SCRATCH.fullmatch(path.name) and stat.S_ISREG(path.lstat().st_mode):
                with contextlib.suppress(OSError), path.open("rb") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink()


@contextlib.contextmanager
def _opened(folder):
    handle = os.open(folder, os.O_RDONLY)
    try:
        yield handle
    finally:
        os.close(handle)


def _sync(handle, folder):
    """Waits until the disk has a file or a folder, where the file system can tell."""
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        _warn_unsynced(folder, reason(error))


@functools.cache  # once a folder
def _warn_unsynced(folder, why):
    warn(f"{folder} cannot be synced ({why}): what is written last may be lost with the power")
