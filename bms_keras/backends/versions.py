"""The versions of what the program runs with."""

import importlib


def versions(*modules):
    """The versions of modules, as they say themselves: a wheel may bear another name.

    Example:

    >>> versions("keras", "numpy")
    {'keras': '3...', 'numpy': '2...'}
    """
    return {name: importlib.import_module(name).__version__ for name in modules}
