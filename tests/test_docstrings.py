"""The examples in docstrings run, and where they say what comes out, it does."""

import doctest
import importlib
import pathlib
import pkgutil
import shutil

import keras
import numpy as np
import pytest

import bms_keras
from bms_keras import data, methods, metrics, networks
from bms_keras.data.synthetic import grid

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
REGISTRIES = (data.SOURCES, methods.METHODS, metrics.METRICS, networks.FAMILIES)
SCRIPTS = ("bms_keras.commands.train", "bms_keras.commands.eval", "bms_keras.tables.__main__")
ELSEWHERE = ("bms_keras.backends.jax", "bms_keras.distribution.jax", *SCRIPTS)

pytestmark = pytest.mark.neutral


class Silent(doctest.OutputChecker):
    """Compares what an example says; one that says nothing may print."""

    def check_output(self, want, got, flags):
        return not want or super().check_output(want, got, flags)


def examples():
    """The examples of all modules, one a docstring."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    for info in pkgutil.walk_packages(bms_keras.__path__, "bms_keras."):
        if info.name in ELSEWHERE:
            continue
        module = importlib.import_module(info.name)
        yield from (test for test in finder.find(module, info.name) if test.examples)


@pytest.fixture
def names(tmp_path, tiny_networks, tiny_model):
    """What the examples take for granted."""
    shutil.copytree(FIXTURES / f"run_{keras.backend.backend()}", tmp_path / "run")
    points = grid(batch_size=8, seed=0)
    model = tiny_model()
    model.compile()
    before = [dict(registry) for registry in REGISTRIES]
    yield {
        **tiny_networks(),
        "bms_keras": bms_keras,
        "config": bms_keras.load_run(tmp_path / "run").config,
        "LSGAN": bms_keras.GAN,
        "data": points,
        "dataset": points.points(16),
        "grid": grid,
        "keras": keras,
        "model": model,
        "my_networks": networks.mlp,
        "np": np,
        "pathlib": pathlib,
        "workdir": tmp_path / "run",
        "x": points.points(8),
        "x_train": points.points(64),
        "z": np.zeros((4, model.latent_dim), "float32"),
    }
    for registry, entries in zip(REGISTRIES, before, strict=True):  # what examples register
        registry.clear()
        registry.update(entries)


@pytest.mark.parametrize("example", list(examples()), ids=lambda example: example.name)
def test_an_example_runs(example, names, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    keras.utils.set_random_seed(0)
    example.globs = {**example.globs, **names}
    runner = doctest.DocTestRunner(Silent(), verbose=False, optionflags=FLAGS)
    told = []
    runner.run(example, out=told.append)
    assert runner.failures == 0, "".join(told)
