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
    PosixPath('/home/me/runs/grid')
    """
    text = os.fspath(path)
    if not text or "\0" in text:
        raise BadInput(f"{name} must be a path, not empty and without NUL. Received: {text!r}")
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text):
        raise BadInput(f"{name} must be a path of this machine, not of another. Received: {text}")
    return pathlib.Path(os.path.expanduser(text))


def read(path, most=2**28):
    """The bytes of a regular file.

    Args:
        path: A `pathlib.Path`.
        most: How many bytes it may have.

    Raises:
        BadInput: If it is missing, larger, or something else.
    """
    try:
        check_regular(path)
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from None
    if len(content) > most:
        raise BadInput(f"{path} cannot be read: it has more than {most:,} bytes")
    return content


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
