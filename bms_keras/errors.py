"""Errors that a user can mend."""


class BadInput(ValueError):
    """Bad input: the command line prints it as one line, without a traceback."""


class NotFinite(BadInput):
    """Training came to a number that is not finite."""


def printable(text):
    """A path or a message in one line: what would not print, a newline say, is escaped."""
    escaped = lambda letter: letter.encode("unicode_escape").decode()  # noqa: E731
    return "".join(each if each.isprintable() else escaped(each) for each in str(text))


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
