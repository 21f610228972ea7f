"""One table of fields: what a config lacks, what it may hold, and what may change."""

import importlib.metadata
import json
import pathlib
import random
import shutil

import keras
import numpy as np
import pytest
from helpers import config

import bms_keras
from benchmarks.fuzz import fields as fuzz
from bms_keras import fields, methods
from bms_keras.backends import versions
from bms_keras.errors import BadInput
from bms_keras.fields import Field
from bms_keras.networks import FAMILIES, fields_of, mlp
from bms_keras.runs import checkpoint, evaluation, experiment, training
from bms_keras.runs.config import FIELDS, SECTIONS, changes, complete, default_config, differences
from bms_keras.runs.workdir import Workdir

FIXTURE = pathlib.Path(__file__).parent / "fixtures" / "ring" / "config.json"


@pytest.fixture
def tomorrow(monkeypatch):
    """Fields of a newer version: of every config, of a method, of a family of networks."""

    def arrives():
        monkeypatch.setitem(FIELDS, "optimizer.weight_decay", Field(0.0, fields.share, "decay"))
        monkeypatch.setitem(mlp.FIELDS, "dropout", Field(0.0, fields.share, "share left out"))
        entry = methods.get("bms_vae_gan")
        monkeypatch.setitem(entry.game.RULES, "focus", (fields.at_least_0, "weight"))
        monkeypatch.setitem(entry.objective, "focus", 1.0)
        build = methods.Method.build
        monkeypatch.setattr(
            methods.Method, "build", lambda *args, focus, **kwargs: build(*args, **kwargs)
        )

    return arrives


@pytest.mark.neutral
def test_a_run_of_today_goes_on_with_tomorrows_fields(tmp_path, monkeypatch, tomorrow):
    """Trained, resumed, evaluated and compared: what it lacks is at its default."""
    monkeypatch.setattr(training.drawings, "at_the_end", lambda model, data: {})
    monkeypatch.setattr(training.drawings, "while_training", lambda model, data: {})
    run = Workdir(tmp_path)
    shutil.copy(FIXTURE, run.config_file)
    training.train(run.config(), tmp_path)
    tomorrow()
    config = run.config()
    new = ("optimizer.weight_decay", 0.0), ("networks.dropout", 0.0), ("objective.focus", 1.0)
    flat = config.to_dict()
    assert all(flat[name.split(".")[0]][name.split(".")[1]] == value for name, value in new)
    config.steps = 4
    assert training.train(config, tmp_path)
    _, _, step = evaluation.load(run)
    assert step == 4
    assert json.loads(run.config_file.read_text())["networks"]["dropout"] == 0.0
    (line,) = run.history_file.read_text().splitlines()
    assert json.loads(line) == {"step": 2, "changed": {"steps": [2, 4]}}


def test_tomorrows_fields_that_differ_are_refused(tmp_path, tomorrow):
    shutil.copy(FIXTURE, tmp_path / "config.json")
    tomorrow()
    config = Workdir(tmp_path).config()
    config.optimizer.weight_decay = 0.5
    message = "another config .optimizer.weight_decay: 0.0 there, 0.5 now"
    with pytest.raises(BadInput, match=message), Workdir(tmp_path).claimed(config):
        pass


def test_a_field_of_tomorrow_is_not_read_today(tmp_path):
    """In a line that says so, of a config.json and of a checkpoint's manifest."""
    content = json.loads(FIXTURE.read_text())
    content["optimizer"]["weight_decay"] = 0.5
    (tmp_path / "config.json").write_text(json.dumps(content))
    message = "config.optimizer.weight_decay is no field .* of a newer version"
    with pytest.raises(BadInput, match=f"config.json: {message}"):
        Workdir(tmp_path).config()
    with pytest.raises(BadInput, match=message):
        differences(content, config().to_dict())


@pytest.mark.neutral
def test_configs_that_come_with_the_program_are_whole():
    for name in (
        "grid",
        "grid_steep",
        "cifar10",
        "celeba128",
        "fashion_mnist",
        "folder",
        "folder_small",
    ):
        module = importlib.import_module(f"configs.{name}")
        for method in methods.METHODS:
            config = module.get_config(method)
            assert not changes(config, complete(config))
            assert set(config.networks) == set(fields_of(config.networks.family))


@pytest.mark.neutral
def test_every_field_has_a_default_that_fits_and_a_meaning():
    tables = [FIELDS, *(fields_of(family) for family in FAMILIES)]
    tables += [method.fields() for method in methods.METHODS.values()]
    empty = ("method", "family")
    for name, field in (item for table in tables for item in table.items()):
        assert name in empty or field.rule(field.default) is None, name
        assert field.meaning, name


def test_a_method_refuses_what_its_config_may_not_hold(tiny_model):
    """Negative weights, margins of another length, a norm that is none: from Python, too."""
    bad = {"lambda_": -1.0, "alpha": float("nan"), "margins": (1.0,), "norm": True}
    for name, value in bad.items():
        with pytest.raises(BadInput, match=f"config.objective.{name} must be "):
            complete(config(**{f"objective.{name}": value}) if name != "norm" else _norm(value))
        with pytest.raises(ValueError, match=f"^{name} must be .*Received: {name}="):
            tiny_model(**{name: value})
    assert tiny_model(lambda_=np.float32(2)).lambda_ == 2


def _norm(value):
    values = config().to_dict()
    values["objective"]["norm"] = value
    return values


def with_field(name, value):
    """A config as a dictionary, in which one field is anything."""
    *path, key = name.split(".")
    values = place = config().to_dict()
    for part in path:
        place = place[part]
    place[key] = value
    return values


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("seed", True, "an integer of at least 0. Received: True"),
        ("seed", 2**32, "an integer of at most 4294967295. Received: 4294967296"),
        ("batch_size", 10**12, "an integer of at most 2147483647"),
        ("steps", 10**9, "an integer of at most 999999999"),
        ("samples", 2.0, "an integer of at least 1. Received: 2.0"),
        ("ema", None, "a finite number, in .0, 1., 0 for none. Received: None"),
        ("optimizer.learning_rate", float("inf"), "a finite number, above 0. Received: inf"),
        ("optimizer.learning_rate", 1e39, "a finite number, above 0. Received: 1e.39"),
        ("optimizer.learning_rate", 1e-320, "above 0. Received: 1e-320"),
        ("optimizer.beta_2", 1 - 1e-12, r"in \[0, 1\)"),
        ("best_by", (), r"'', 'max:NAME' or 'min:NAME'. Received: \(\)"),
        ("data.source", (), "a text of at most 4096 characters"),
        ("optimizer.players", 1e-3, "config.optimizer.players must hold fields. Received: 0.001"),
        ("optimizer.players.generator", 1e-3, "NAME has .* Received: optimizer.players.generator"),
        ("optimizer.players.joint_critic", {"beta_1": 0.5}, "generator, image_critic, latent"),
        ("optimizer.players.generator.beta_3", 0.5, "Received: optimizer.players.generator.beta_3"),
        ("optimizer.players.generator.learning_rate", 0.0, "above 0, or -1. Received: 0.0"),
        ("optimizer.players.image_critic.beta_1", -0.5, r"in \[0, 1\), or -1. Received: -0.5"),
        ("optimizer.players.latent_critic.final", 2, r"in \[0, 1\], or -1. Received: 2"),
        ("networks.generator", "8", "a tuple of integers"),
        ("networks.generator", (8, (8,)), "a tuple of integers"),
        ("networks.generator", (8,) * 65, "at most 64 of them"),
        ("networks.latent_dim", 10**12, "an integer of at most 1048576"),
        ("networks.lipschitz", float("nan"), "a finite number, above 0. Received: nan"),
        ("networks.width", 8, "config.networks.width is no field .* of the family 'mlp'"),
        ("objective.margins", (1.0, 1.0, 1.0), "two finite numbers"),
        ("objective.margins", (1.0, float("inf")), "two finite numbers"),
        ("objective.prior_weight", -0.1, "at least 0"),
        ("objective.critic_loss", ["hinge"], "'hinge' or"),
        ("data.crop", 2**64, "an integer of at most 65536"),
        ("data.source", "a\0b", "without control characters"),
        ("data.skip_broken", 1, "True or False. Received: 1"),
        ("eval_metrics", "modes", "a tuple of names"),
        ("networks", [1], "config.networks must hold fields. Received: .1."),
        ("objective", None, "config.objective must hold fields. Received: None"),
        ("method", ["wae"], "method must be one of .* Received: .'wae'."),
        ("networks.family", {}, "networks.family must be one of .* Received: {}"),
    ],
)
def test_values_are_checked_strictly(name, value, message):
    with pytest.raises(BadInput, match=message) as error:
        complete(with_field(name, value))
    assert "\n" not in str(error.value)


def _refusal(values):
    """What `complete` says of a config, or nothing."""
    try:
        complete(values)
    except BadInput as error:
        return str(error)
    return ""


@pytest.mark.neutral
def test_any_value_fits_or_is_refused_in_one_line():
    """The short form of `benchmarks/fuzz/fields.py`: all values of all fields, up to the build."""
    rng, refused, bases = random.Random(0), 0, ("bms_vae_gan", "wgan_gp", "veegan", "md_gan", "wae")
    for method in bases:
        whole = complete(config(method)).to_dict()
        flat = fields.flat(whole, SECTIONS)
        for name in flat:
            for value in rng.sample(fuzz.VALUES, 40):
                line = _refusal(fields.nested(flat | {name: value}, SECTIONS))
                assert "\n" not in line
                refused += bool(line)
    assert refused > 1000


def test_an_integer_of_thousands_of_digits_is_not_shown():
    message = "an integer of at most 2147483647. Received: int too long to show"
    with pytest.raises(BadInput, match=message):
        complete(with_field("samples", 10**5000))


def test_an_integer_will_do_for_a_number():
    """Keras's optimizers would not take it."""
    values = with_field("optimizer.learning_rate", 1)
    values["networks"]["lipschitz"] = 2
    whole = complete(values)
    assert (whole.optimizer.learning_rate, whole.networks.lipschitz) == (1.0, 2.0)
    assert {type(v) for v in (whole.optimizer.learning_rate, whole.networks.lipschitz)} == {float}
    experiment.build(whole)


def test_what_may_change_does():
    old, new = config().to_dict(), config().to_dict()
    new["optimizer"].update(learning_rate=1e-5, final=0.5, image_critic_final=0.1)
    new.update(steps=3, keep=9, protocol={"real": 5})
    assert set(changes(old, new)) == {
        *("optimizer.learning_rate", "optimizer.final", "optimizer.image_critic_final"),
        *("steps", "keep", "protocol.real"),
    }
    assert not differences(old, new)
    new["optimizer"]["beta_1"] = 0.5
    assert differences(old, new) == ["optimizer.beta_1: 0.0 there, 0.5 now"]


def test_objective_fields_that_a_method_lacks_are_left_out():
    assert "margins" not in default_config("wae", margins=(1.0, 1.0)).objective
    assert default_config("wae", lambda_=7.0).objective.lambda_ == 7.0


# The empty path, and versions.


@pytest.mark.parametrize("path", ["", " "])
def test_an_empty_workdir_is_refused(path):
    with pytest.raises(BadInput, match="--workdir must be a path, not empty"):
        Workdir(path)
    with pytest.raises(BadInput, match="--workdir must be a path, not empty"):
        evaluation.evaluate(path)


def test_versions_come_from_the_modules(tmp_path, monkeypatch):
    """A TensorFlow from a wheel of another name has no metadata under its own."""

    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    checkpoint.save(experiment.build(config()).model, tmp_path)
    manifest, _ = checkpoint.read(checkpoint.paths(tmp_path)[0])
    backend = keras.backend.backend()
    module = importlib.import_module(backend)
    assert manifest["versions"] == {"keras": keras.__version__, backend: module.__version__}
    assert versions.versions("bms_keras") == {"bms_keras": bms_keras.__version__}


def test_metrics_in_training_are_taken_as_on_the_command_line():
    one = config()
    for given, names in ((("modes,latent",), ["modes", "latent"]), (("",), [])):
        one.eval_metrics = given
        assert list(complete(one).eval_metrics) == names
