"""Errors that a user can mend."""


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


def lookup(table, name, field):
    """What a registry holds under a name.

    Args:
        table: Dictionary by name.
        name: The name that was asked for.
        field: What a user calls it.

    Raises:
        BadInput: If there is none; the line lists the names there are.
    """
    if name not in table:
        raise BadInput(f"{field} must be one of {', '.join(table)}. Received: {name!r}")
    return table[name]


def require(condition, name, expected, received):
    """Raises a `ValueError` in Keras's words unless the condition holds."""
    if not condition:
        raise ValueError(f"{name} must be {expected}. Received: {name}={received!r}")


def one_of(name, value, choices):
    """Raises a `ValueError` unless the value is one of the choices."""
    require(value in choices, name, " or ".join(repr(choice) for choice in choices), value)
