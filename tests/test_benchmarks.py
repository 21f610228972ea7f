"""What the programs of benchmarks/ start lies where they look for it."""

import pathlib
import re

import pytest

pytestmark = pytest.mark.neutral
BENCHMARKS = pathlib.Path(__file__).parent.parent / "benchmarks"
NAMED = [
    (path.name, name)
    for path in sorted(BENCHMARKS.glob("*.py"))
    for name in re.findall(r'Path\(__file__\)\.parent / "([^"]+)"', path.read_text())
]


@pytest.mark.parametrize(("benchmark", "name"), NAMED, ids=map(" starts ".join, NAMED))
def test_a_side_is_there(benchmark, name):
    assert (BENCHMARKS / name).is_file()


def test_there_are_sides():
    assert len(NAMED) > 3
