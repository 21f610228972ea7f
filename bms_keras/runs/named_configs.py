"""The configs of this package, which `--config` takes by name: `configs/` of a checkout."""

import ast
import os
import pathlib

from bms_keras.errors import BadInput

FOLDER = pathlib.Path(__file__).parents[1] / "configs"
OF_A_RUN = pathlib.Path(__file__).with_name("config_of_run.py")


def names():
    """Their names."""
    return sorted(path.stem for path in FOLDER.glob("*.py"))


def summary(name):
    """The first line of a config's docstring."""
    text = ast.get_docstring(ast.parse((FOLDER / f"{name}.py").read_text())) or ""
    return text.partition("\n")[0]


def located(text):
    """What `--config` is given, with a path in it.

    Args:
        text: The name of a config here or the path of another, with ":METHOD" or without.

    Returns:
        The same with the path in place of the name, and of `~`.

    Raises:
        BadInput: If there is no such config; the line lists those by name.

    Example:

    >>> located("grid:wae")
    '.../configs/grid.py:wae'
    """
    name, colon, method = text.partition(":")
    path = os.path.expanduser(name)
    if name in names():
        path = str(FOLDER / f"{name}.py")
    elif not os.path.exists(path):
        raise BadInput(
            f"--config must be a file or one of {', '.join(names())}. Received: {name}, "
            "which does not exist"
        )
    return f"{path}{colon}{method}"
