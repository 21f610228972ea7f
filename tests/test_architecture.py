"""The rooms of docs/architecture.md: what stands where, and that imports run downward only."""

import ast
import graphlib
import pathlib
import re

import pytest

pytestmark = pytest.mark.neutral

ROOT = pathlib.Path(__file__).parent.parent
PACKAGE = ROOT / "bms_keras"
DOORS = {"callbacks", "config"}  # what users import, from the rooms where it stands
LINKS = {"configs"}  # what the package shows of the checkout around it
FILES = sorted(PACKAGE.rglob("*.py"))


def floors():
    """The rooms and modules of the package as the page lists them, from the top down."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    listed = page[page.index("    bms_keras/\n") :].split("\n\n")[0].splitlines()[1:]
    lines = [line for line in listed if re.match(r" {6}\S", line)]
    names = [re.findall(r"(\w+)(?:/|\.py)", line[:33]) for line in lines]
    return [set(each) for each in names]


def imported(path):
    """The modules and rooms of this package that a file imports, by dotted name."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names if re.match(r"bms_keras\b", a.name)}
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: an import must say from where"
            if re.match(r"bms_keras\b", node.module):
                found |= {_module(f"{node.module}.{alias.name}") for alias in node.names}
        if isinstance(node, ast.Constant) and re.fullmatch(r"bms_keras(\.\w+)+", str(node.value)):
            found.add(_module(node.value))  # for importlib, or `python -m`
    return found


def _module(name):
    """The module that a name is, or that it stands in."""
    path = ROOT / name.replace(".", "/")
    return name if path.is_dir() or path.with_suffix(".py").exists() else name.rpartition(".")[0]


def name_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def room(module):
    """The room of a module, or its own name where it stands at the root."""
    return module.split(".")[1] if "." in module else "__init__"


def test_the_page_lists_what_there_is():
    there = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    there -= {"__init__", "__pycache__"} | DOORS | LINKS
    assert set().union(*floors()) == there


def test_imports_run_downward():
    height = {name: -i for i, names in enumerate(floors()) for name in names}
    upward = [
        f"{name_of(path)} imports {module}"
        for path in FILES
        for module in imported(path)
        if (here := room(name_of(path))) not in {"__init__", *DOORS}
        and room(module) not in {here, *LINKS}  # a config is what a run is given, by its name
        and height.get(room(module), 1) >= height[here]
    ]
    assert not upward


def test_there_is_no_circle():
    graph = {name_of(path): imported(path) - {name_of(path)} for path in FILES}
    list(graphlib.TopologicalSorter(graph).static_order())  # raises where there is one


def test_files_are_short_and_the_root_is_small():
    """Every Python file of the repository: what git does not know stands in hidden folders."""
    paths = [path.relative_to(ROOT) for path in ROOT.rglob("*.py")]
    paths = [path for path in paths if not any(part.startswith(".") for part in path.parts)]
    lengths = {str(path): len((ROOT / path).read_text().splitlines()) for path in paths}
    assert len(lengths) > len(FILES)
    assert {path: n for path, n in lengths.items() if n > 300} == {}
    assert len(list(PACKAGE.glob("*.py"))) <= 8
