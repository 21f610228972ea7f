"""README and docs: links lead somewhere, commands are ones that the program takes, Python runs."""

import contextlib
import importlib
import pathlib
import re
import shlex
import shutil
import sys

import helpers
import keras
import pytest

import bms_keras.configs.ring
from bms_keras import methods, metrics
from bms_keras.runs import named_configs
from bms_keras.runs.config import complete

ROOT = pathlib.Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "results").glob("*.md"))]
IDS = [str(page.relative_to(ROOT)) for page in PAGES]


@pytest.mark.neutral
def test_the_readme_is_one_page():
    assert len(README.read_text().splitlines()) <= 150


@pytest.mark.neutral
@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if not target.startswith(("http://", "https://")):
            path, _, anchor = target.partition("#")
            there = (page.parent / path).resolve() if path else page
            assert there.exists(), target
            assert not anchor or anchor in _anchors(there), target


def _anchors(page):
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title).lower().replace(" ", "-") for title in titles}


@pytest.mark.neutral
def test_every_page_is_linked_from_the_readme():
    linked = set(re.findall(r"\]\(docs/(\w+)\.md\)", README.read_text()))
    assert linked == {page.stem for page in PAGES if page.parent.name == "docs"}


def commands():
    """The command lines of the pages that begin with `python`, as (page, list of arguments)."""
    for page, name in zip(PAGES, IDS, strict=True):
        if page.stem == "extending":  # test_extending.py runs its commands
            continue
        text = re.sub(r"\\\n\s*", "", page.read_text())
        blocks = re.findall(r"(?:^(?: {4}|\$ ).*$\n?)+", text, re.MULTILINE)
        blocks += re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
        for line in "\n".join(blocks).splitlines():
            for part in line.split("&&"):
                if not re.match(r"\s*(\S+=\S*\s+)*(\S*/)?python3? ", part):
                    continue
                words = shlex.split(part, comments=True)
                while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
                    words = words[1:]
                yield name, words[1:]


def _flags(arguments):
    """Flags as a dictionary; a lone one is on."""
    pairs = (argument.lstrip("-").partition("=") for argument in arguments)
    return {name: value if given else True for name, given, value in pairs}


@pytest.mark.neutral
@pytest.mark.parametrize(("page", "words"), list(commands()), ids=lambda value: " ".join(value))
def test_commands_are_taken(page, words):
    script, flags = words[0], _flags(words[1:])
    if script == "train.py":
        check_config(flags.pop("config", "my_run"), flags)
    if script in ("train.py", "eval.py"):
        text = (ROOT / script).read_text()
        known = set(re.findall(r'(?:DEFINE_\w+|Answer)\(\s*"([\w-]+)"', text))
        known |= set(metrics.options())
        assert {name for name in flags if not name.startswith("config.")} <= known
    elif script == "-m" and words[1] == "bms_keras.tables":
        text = (ROOT / "bms_keras" / "tables" / "__main__.py").read_text()
        known = set(re.findall(r'DEFINE_\w+\(\s*"(\w+)"', text)) | set(metrics.options())
        assert set(_flags(words[2:])) <= known
    elif script != "-m":
        assert (ROOT / script).exists(), f"{page}: {script}"


def check_config(text, flags):
    """A config of this checkout, with fields that it takes."""
    path, _, method = text.partition(":")
    if not (ROOT / path).exists() and path not in named_configs.names():
        assert path.startswith("my_"), path  # a user's own
        return
    module = importlib.import_module("configs." + pathlib.Path(path).stem)
    config = module.get_config(*[method] if method else [])
    config.lock()
    for name, value in flags.items():
        if name.startswith("config."):
            field = name.removeprefix("config.")
            before = _value(config, field)
            kind = type(before)
            value = tuple(value.split(",")) if kind is tuple else kind(value)
            config.update_from_flattened_dict({field: value})
    complete(config)


def _value(config, name):
    for part in name.split("."):
        config = config[part]
    return config


def python_of(page):
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


@pytest.mark.neutral
def test_the_python_of_the_page_on_python_runs(tmp_path, monkeypatch):
    (code,) = python_of("docs/python.md")
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(code, names)
    assert names["x"].shape == (64, 2)
    assert names["best"].shape == (64, 2)
    assert (tmp_path / "m.keras").exists()


def test_the_python_of_the_readme_runs_on_a_trained_run(tmp_path, monkeypatch):
    (code,) = python_of("README.md")
    monkeypatch.chdir(tmp_path)
    run = f"run_{keras.backend.backend()}"
    shutil.copytree(ROOT / "tests" / "fixtures" / run, tmp_path / "runs" / "grid")
    names = {}
    exec(code, names)
    assert names["x"].shape == (64, 2)
    assert (tmp_path / "m.keras").exists()


@pytest.mark.neutral
def test_every_method_has_its_row_in_the_table():
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \|", README.read_text(), re.MULTILINE)
    expected = {name: method.samples or 1 for name, method in methods.METHODS.items()}
    assert {name: int(samples) for name, samples in rows} == expected


@pytest.mark.neutral
@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_what_pages_import_is_public(page):
    """From `bms_keras` or one of its modules, no deeper."""
    modules = re.findall(r"^(?:from|import) (bms_keras\S*)", page.read_text(), re.MULTILINE)
    assert [module for module in modules if module.count(".") > 1] == []


@pytest.mark.neutral
@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_files_that_are_named_are_there(page):
    """Those of this checkout, by their path in backticks."""
    rooms = "bms_keras|benchmarks|configs|docs|examples|results|tests"
    named = re.findall(rf"`((?:{rooms})/[\w./-]+)`", page.read_text())
    assert [path for path in named if not (ROOT / path).exists()] == []


class Tracker:
    """Stands for mlflow, with what the page calls of it."""

    def __init__(self):
        self.start_run = contextlib.nullcontext
        self.parameters, self.logs = {}, {}
        self.log_params = self.parameters.update

    def log_metrics(self, metrics, step):
        self.logs |= {(name, step): float(value) for name, value in metrics.items()}


@pytest.fixture
def page_on_trackers(tmp_path, monkeypatch):
    """Runs the Python of the page on monitoring, on a run of three epochs of two steps."""
    (code,) = python_of("docs/monitoring.md")
    fields = {"steps": 6, "eval_every": 2, "checkpoint_every": 2, "eval_metrics": ("modes",)}
    small = helpers.config(batch_size=8, **fields)
    monkeypatch.setattr(bms_keras.configs.ring, "get_config", lambda: small)
    monkeypatch.chdir(tmp_path)
    return lambda: exec(code, {})


@pytest.mark.neutral
def test_a_tracker_is_told_all_that_is_logged_and_measured(page_on_trackers, monkeypatch):
    tracker = Tracker()
    monkeypatch.setitem(sys.modules, "mlflow", tracker)
    page_on_trackers()
    assert tracker.parameters == {"method": "bms_vae_gan", "samples": 10}
    assert {step for _, step in tracker.logs} == {0, 1, 2}
    assert {"generator/loss", "eval/modes"} <= {name for name, _ in tracker.logs}


@pytest.mark.neutral
def test_mlflow_is_told_without_a_network(page_on_trackers, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    import mlflow

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # its database is not in mlflow-skinny
    mlflow.set_tracking_uri((tmp_path / "mlruns").as_uri())
    page_on_trackers()
    (run,) = mlflow.search_runs(output_format="list")
    assert run.data.params["method"] == "bms_vae_gan"
    assert {"generator/loss", "eval/modes"} <= set(run.data.metrics)
