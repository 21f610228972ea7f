"""The version of this package, and of what it runs with."""

import importlib

__version__ = "0.1.0"


def versions(*modules):
    """The versions of modules, as they say themselves: a wheel may bear another name.

    Example:

    >>> versions("keras", "numpy")
    {'keras': '3.15.1', 'numpy': '2.4.4'}
    """
    return {name: importlib.import_module(name).__version__ for name in modules}
