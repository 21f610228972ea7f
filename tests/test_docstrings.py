"""The examples in docstrings run, and print what they say."""

import doctest
import importlib
import pathlib
import pkgutil
import shutil

import keras
import numpy as np
import pytest

import bms_keras
from bms_keras.data.synthetic import grid

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def examples():
    """The examples of all modules but those of the other backend, one a docstring."""
    other = "jax" if keras.backend.backend() == "tensorflow" else "tensorflow"
    finder = doctest.DocTestFinder(exclude_empty=True)
    for info in pkgutil.walk_packages(bms_keras.__path__, "bms_keras."):
        if info.name in (f"bms_keras.backends.{other}", f"bms_keras.distribution.{other}"):
            continue
        if info.name.endswith("__main__"):
            continue
        module = importlib.import_module(info.name)
        yield from (test for test in finder.find(module, info.name) if test.examples)


@pytest.fixture
def names(tmp_path, tiny_networks, tiny_model):
    """What the examples take for granted."""
    shutil.copytree(FIXTURES / f"run_{keras.backend.backend()}", tmp_path / "run")
    data = grid(batch_size=8, seed=0)
    model = tiny_model()
    model.compile()
    return {
        **tiny_networks(),
        "bms_keras": bms_keras,
        "config": bms_keras.load_run(tmp_path / "run").config,
        "data": data,
        "dataset": data.points(16),
        "grid": grid,
        "keras": keras,
        "model": model,
        "np": np,
        "pathlib": pathlib,
        "workdir": tmp_path / "run",
        "x": data.points(8),
        "x_train": data.points(64),
        "z": np.zeros((4, model.latent_dim), "float32"),
    }


@pytest.mark.parametrize("example", list(examples()), ids=lambda example: example.name)
def test_an_example_runs(example, names, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    keras.utils.set_random_seed(0)
    example.globs = {**example.globs, **names}
    runner = doctest.DocTestRunner(verbose=False, optionflags=FLAGS)
    told = []
    runner.run(example, out=told.append)
    assert runner.failures == 0, "".join(told)
