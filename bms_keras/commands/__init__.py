"""The console scripts: `bms-train` and `bms-eval`, a checkout's train.py and eval.py, `bms-tables`.

Each runs a module as `python -m` would, under its own name.
"""

import ast
import importlib.util
import runpy
import sys


def train():
    """Runs `bms-train`."""
    _run("bms_keras.commands.train")


def evaluate():
    """Runs `bms-eval`."""
    _run("bms_keras.commands.eval")


def tables():
    """Runs `bms-tables`."""
    _run("bms_keras.tables.__main__")


def _run(module):
    source = importlib.util.find_spec(module).loader.get_source(module)
    sys.modules["__main__"].__doc__ = ast.get_docstring(ast.parse(source))  # which --help shows
    runpy.run_module(module, run_name="__main__")
