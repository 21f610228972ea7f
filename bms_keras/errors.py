"""Errors that a user can mend."""


class BadInput(ValueError):
    """Bad input: the command line prints it as one line, without a traceback."""
