"""The parts that docs/extending.md builds go through train.py, eval.py and the tables, as there."""

import json
import pathlib
import re
import shlex

import helpers
import keras
import pytest

ROOT = pathlib.Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "extending.md").read_text()
SMALL = {  # what a command of the page is given beside its own flags
    "train.py": ["--config.steps=2", "--config.checkpoint_every=2", "--config.eval_every=2"],
    "eval.py": [],
    "-m": ["--steps=2", "--fields=eval_every=0"],
}
pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "jax", reason="the seams are the same on both backends"
)


def block(name, language):
    (code,) = re.findall(rf"<!-- {name} -->\n```{language}\n(.*?)```", PAGE, re.DOTALL)
    return code


def command(line):
    """A line of the page as `play` takes it: workdir, script, what follows."""
    _, *arguments = shlex.split(line.replace("configs/", f"{ROOT}/configs/"))
    (workdir,) = (flag.partition("=")[2] for flag in arguments if flag.startswith("--workdir="))
    return [workdir, *arguments, *SMALL[arguments[0]]]


def play(commands, folder):
    """What command lines that are given in a folder say: status, text, whether a run changed."""
    outcomes = []
    with helpers.ForkServer(folder) as run:
        for workdir, *arguments in commands:
            found = run(*arguments, folder=folder / workdir, PYTHONPATH=str(ROOT))
            outcomes.append((found.returncode, found.stderr + found.stdout, found.changed))
    return outcomes


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where a user has the two files of the page."""
    folder = tmp_path_factory.mktemp("user")
    for name in ("my_parts.py", "my_config.py"):
        (folder / name).write_text(block(name, "python"))
    return folder


@pytest.fixture(scope="module")
def said(folder):
    """What each command of the page said, by its workdir."""
    lines = block("commands", "bash").replace("\\\n", "").splitlines()
    commands = [command(line) for line in lines]
    outcomes = play(commands, folder)
    for (status, text, _), (workdir, *_) in zip(outcomes, commands, strict=True):
        assert status == 0, (workdir, text)
    names = [f"{workdir} {script}" for workdir, script, *_ in commands]
    return dict(zip(names, (text for _, text, _ in outcomes), strict=True))


def test_a_run_keeps_what_is_false_and_0(said, folder):
    config = json.loads((folder / "runs/moons/config.json").read_text())
    assert config["imports"] == ["my_parts"]
    assert (config["networks"]["residual"], config["networks"]["dropout"]) == (False, 0.0)
    assert config["protocol"]["stray"] == 0.2
    assert (folder / "runs/moons/samples/samples.png").read_bytes().startswith(b"\x89PNG")
    numbers = json.loads((folder / "runs/moons/evaluated.json").read_text())
    assert set(numbers) == {"step", "mean_distance", "strays_percent"}


def test_a_metric_is_measured_by_its_option(said):
    record = json.loads(said["runs/moons eval.py"].splitlines()[-1])
    assert record["measured"] == ["nearness"]
    assert 0 < record["mean_distance"] < 100
    assert 0 <= record["strays_percent"] <= 100
    assert (record["method"], record["step"]) == ("ls_gan", 2)


def test_the_projector_shows_the_labels(said, folder):
    labels = (folder / "runs/moons_bms/tensorboard/projector/labels.tsv").read_text().split()
    assert len(labels) == 500
    assert set(labels) == {"upper", "lower"}


def test_a_table_has_the_metrics_keys_as_columns(said, folder):
    (row,) = json.loads((folder / "runs/table/rows.json").read_text())["rows"]
    assert (row["method"], row["data"], row["steps"]) == ("ls_gan", "my_config", [2])
    table = (folder / "runs/table/rows.md").read_text()
    title = "| data | method | seeds | mean_distance | strays_percent |"
    assert table.splitlines()[0] == title


def test_the_options_are_flags_and_are_checked(said, folder):
    """Of a run's metrics: in one line, and nothing is written."""
    run = ["runs/moons", "eval.py", "--workdir=runs/moons", "--metrics=nearness"]
    refused = {
        "--stray=-1": "flag --stray=-1.0: must be above 0",
        "--imports=my_missing": "'my_missing' cannot be imported",
        "--stay=1": "Unknown command line flag 'stay'",
    }
    *outcomes, (_, listed, _) = play([[*run, flag] for flag in (*refused, "--help")], folder)
    assert "--stray: distance from which a sample is a stray." in listed
    for outcome, line in zip(outcomes, refused.values(), strict=True):
        status, text, changed = outcome
        assert (status, changed) == (2, False), text
        assert "Traceback" not in text
        (found,) = (each for each in text.splitlines() if each.startswith("eval.py: "))
        assert line in found
