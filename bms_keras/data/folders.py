"""The image files of a folder."""

import collections
import os
import pathlib
import stat
import sys

from bms_keras.errors import BadInput, one_line

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")
LEFT_OUT = "__MACOSX"  # besides whatever begins with a dot: what archives and editors leave behind


def image_files(folder):
    """The image files of a folder and of the folders in it, in the order of their names.

    Links are followed, into each folder once. Hidden files and folders, `__MACOSX`, and what is no
    regular file (a pipe, a device) are left out; a line on standard error counts all, and names a
    few of the files of other kinds.

    Raises:
        BadInput: If a folder cannot be read, or if there is no image.
    """
    found, left_out, seen, others = [], collections.Counter(), set(), []
    for path, folders, names in os.walk(folder, onerror=_refuse, followlinks=True):
        status = os.stat(path)
        if (place := (status.st_dev, status.st_ino)) in seen:
            left_out["links to folders that are in already"] += 1
            folders.clear()
            continue
        seen.add(place)
        hidden = [name for name in folders if name.startswith(".") or name == LEFT_OUT]
        left_out["hidden folders"] += len(hidden)
        folders[:] = sorted({*folders} - {*hidden})
        for name in names:
            if not name.lower().endswith(SUFFIXES):
                others += [] if name.startswith(".") else [one_line(name)]
            elif name.startswith("."):
                left_out["hidden files"] += 1
            elif _is_special(file := pathlib.Path(path, name)):
                left_out["pipes, sockets and devices"] += 1
            else:
                found.append(file)
    if others:
        left_out[f"of other kinds ({some(sorted(others))})"] = len(others)
    said = ", ".join(f"{count} {what}" for what, count in left_out.items() if count)
    said = f"; left out: {said}" if said else ""
    if not found:
        raise BadInput(f"{one_line(folder)} holds no image; known are {', '.join(SUFFIXES)}{said}")
    print(f"{one_line(folder)}: {len(found)} images{said}", file=sys.stderr, flush=True)
    return sorted(found)


def some(names, most=3):
    """The first few of many names, and how many more there are.

    Example:

    >>> some(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _is_special(path):
    """Whether it is there and neither a regular file nor a folder."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:  # a link that leads nowhere is a broken image
        return False


def _refuse(error):
    raise BadInput(f"{one_line(error.filename)} cannot be read: {error.strerror}")
