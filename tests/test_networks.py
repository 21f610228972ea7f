"""Families of networks of one's own: their fields are checked, and one they lack is refused."""

import types

import pytest
from helpers import config

from bms_keras import fields, networks
from bms_keras.errors import BadInput
from bms_keras.fields import Field
from bms_keras.networks import mlp
from bms_keras.runs.config import complete


@pytest.fixture
def family(monkeypatch):
    """One with a boolean and a field that may be 0; notes what it is asked to build."""
    monkeypatch.setitem(networks.FAMILIES, "mine", None)  # to be gone afterwards
    family = types.SimpleNamespace(
        FIELDS={
            "residual": Field(False, fields.boolean, "whether layers add to their input"),
            "dropout": Field(0.5, fields.share, "share of units left out"),
        },
        build=lambda config, *wanted: {"asked": (config, *wanted)},
    )
    networks.register("mine", family)
    return family


def test_what_is_false_or_0_is_no_default(family):
    asked = types.SimpleNamespace(family="mine", residual=False, dropout=0.0)
    values, *wanted = networks.build(asked, (2,), ("asked",))["asked"]
    assert (values.residual, values.dropout, values.latent_dim) == (False, 0.0, 100)
    assert wanted == [(2,), ("asked",), "spectral", 1]
    assert networks.defaults("mine", dropout=0.0)["dropout"] == 0.0


def test_its_fields_are_those_of_the_config(family):
    mine = config()
    mine.networks = networks.defaults("mine", residual=True, dropout=0)
    whole = complete(mine).networks
    assert (whole.residual, whole.dropout) == (True, 0.0)
    mine.networks = networks.defaults("mine", residual=1)
    with pytest.raises(BadInput, match=r"config\.networks\.residual must be True or False"):
        complete(mine)
    mine.networks = networks.defaults("mine") | {"lipschitz": 1.0}
    with pytest.raises(BadInput, match=r"config\.networks\.lipschitz is no field .* family 'mine'"):
        complete(mine)


def test_a_field_that_all_families_have_is_not_declared_again():
    mine = types.SimpleNamespace(FIELDS={"latent_dim": mlp.FIELDS["lipschitz"]})
    with pytest.raises(BadInput, match="may not have a field 'latent_dim': all have it"):
        networks.register("mine", mine)


@pytest.mark.parametrize("name", ["mlp", "mine"])
def test_a_network_that_a_family_lacks_is_named(family, name):
    asked = types.SimpleNamespace(family=name)
    with pytest.raises(BadInput, match=f"family '{name}' has no network 'student'"):
        networks.build(asked, (2,), ("student",))


def test_what_fails_in_a_family_is_not_taken_for_a_missing_network(family, monkeypatch):
    monkeypatch.setattr(family, "build", lambda *_: {}["width"])
    with pytest.raises(KeyError, match="width"):
        networks.build(types.SimpleNamespace(family="mine"), (2,), ("student",))
