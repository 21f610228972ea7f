"""Errors that a user can mend, and what is said on standard error: one line, and little more."""

import contextlib
import difflib
import functools
import os
import re
import reprlib
import sys
import tempfile

OWN = ". One of your own comes by config.imports"  # what a registry that users add to says, too

# What TensorFlow and JAX log while they start: from TensorFlow 2.21 on, whatever
# TF_CPP_MIN_LOG_LEVEL says.
_GREETINGS = re.compile(
    r"[IWE]\d{4} \d\d:|\d{4}-\d\d-\d\d [\d:.]+: [IWE] "
    "|WARNING: All log messages before absl::|To enable the following instructions: "
)


class BadInput(ValueError):
    """Bad input: the command line prints it as one line, without a traceback."""


class NotFinite(BadInput):
    """Training came to a number that is not finite."""


def one_line(text):
    """A text whose line breaks and control characters, as names of files may hold, are escaped.

    Example:

    >>> one_line("a\\nb")
    'a\\\\nb'
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(text))


def reason(error):
    """Why something failed: the operating system's words, or the first line of the error's."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, BadInput):
        return str(error)
    first = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def warn(text):
    """Says a line on standard error, if that can be written."""
    with contextlib.suppress(OSError):
        print(one_line(text), file=sys.stderr, flush=True)


warn_once = functools.cache(warn)  # for what would be said at each measurement


@contextlib.contextmanager
def without_greetings():
    """Keeps from standard error what TensorFlow and JAX log in a `with` block that starts them.

    Other lines come when the block ends, and all of them if it fails. With TF_CPP_MIN_LOG_LEVEL=0
    nothing is held back.
    """
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "0":
        yield
        return
    try:
        before = os.dup(2)  # a library in C++ knows no `sys.stderr`
    except OSError:  # there is none
        yield
        return
    with tempfile.TemporaryFile() as held, open(before, "wb", buffering=0) as stderr:
        os.dup2(held.fileno(), 2)
        shown = bytes
        try:
            yield
            shown = _without_greetings
        finally:
            os.dup2(before, 2)
            held.seek(0)
            stderr.write(shown(held.read()))


def _without_greetings(text):
    lines = text.decode(errors="surrogateescape").splitlines(keepends=True)
    kept = "".join(line for line in lines if not _GREETINGS.match(line))
    return kept.encode(errors="surrogateescape")


@contextlib.contextmanager
def optional(what, but=()):
    """Lets a `with` block fail that nothing depends on: says so, and goes on.

    Args:
        what: What is not to be had then.
        but: A class of errors, or several, that are raised nevertheless.
    """
    try:
        yield
    except but:
        raise
    except Exception as error:  # what fails in showing a model is anybody's guess
        warn(f"no {what}: {reason(error)}")


def lookup(table, name, field, hint=""):
    """What a registry holds under a name.

    Args:
        table: Dictionary by name.
        name: The name that was asked for.
        field: What a user calls it.
        hint: What else the error says.

    Raises:
        BadInput: If there is none; the line lists the names there are.
    """
    if not isinstance(name, str) or name not in table:
        near = isinstance(name, str) and similar(name, table)
        hint = f". Did you mean {near!r}?" if near else hint
        raise BadInput(f"{field} must be one of {', '.join(table)}. Received: {shown(name)}{hint}")
    return table[name]


def similar(name, names):
    """The one of some names that a misspelt one is likely to mean, or `None`.

    Example:

    >>> similar("BMS-VAEGAN", ["bms_vae_gan", "wae"])
    'bms_vae_gan'
    """
    plain = lambda text: re.sub(r"[\W_]", "", text).lower()  # noqa: E731
    by_letters = {plain(each): each for each in names}
    found = difflib.get_close_matches(plain(name), by_letters, 1, 0.75)
    return by_letters[found[0]] if found else None


def enter(table, name, part, field):
    """Adds a user's own part to a registry; it takes the place of one of that name.

    Args:
        table: Dictionary by name.
        name: Letters, digits, "_", "-" and ".": it stands in flags and in the names of folders.
        part: What is added.
        field: What a user calls it.

    Raises:
        BadInput: If the name is none.
    """
    if not isinstance(name, str) or not re.fullmatch(r"\w[\w.-]*", name):
        raise BadInput(f"{field} must have a name of letters and digits. Received: {shown(name)}")
    table[name] = part


def shown(value):
    """The `repr` of a value, on one line and not too long."""
    short = reprlib.Repr()
    short.maxstring = short.maxother = short.maxlong = 100
    try:
        return re.sub(r"\s*\n\s*", " ", short.repr(value))  # an array's has lines
    except (ValueError, RecursionError):  # an integer of thousands of digits
        return f"{type(value).__name__} too long to show"


def first_line(error):
    """The first line of what an error says, or its name if it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:500]


def require(condition, name, expected, received):
    """Raises a `ValueError` in Keras's words unless the condition holds."""
    if not condition:
        raise ValueError(f"{name} must be {expected}. Received: {name}={received!r}")


def one_of(name, value, choices):
    """Raises a `ValueError` unless the value is one of the choices."""
    require(value in choices, name, " or ".join(repr(choice) for choice in choices), value)
