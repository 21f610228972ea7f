"""Errors that a user can mend."""

import reprlib


class BadInput(ValueError):
    """Bad input: the command line prints it as one line, without a traceback."""


class NotFinite(BadInput):
    """Training came to a number that is not finite."""


def lookup(table, name, field):
    """What a registry holds under a name.

    Args:
        table: Dictionary by name.
        name: The name that was asked for.
        field: What a user calls it.

    Raises:
        BadInput: If there is none; the line lists the names there are.
    """
    if not isinstance(name, str) or name not in table:
        raise BadInput(f"{field} must be one of {', '.join(table)}. Received: {shown(name)}")
    return table[name]


def shown(value):
    """The `repr` of a value, on one line and not too long."""
    short = reprlib.Repr()
    short.maxstring = short.maxother = short.maxlong = 100
    try:
        return short.repr(value)
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
