"""The first number that is not finite is the one that is remembered."""

import numpy as np
import pytest

from bms_keras.backends.nonfinite import FirstNonFinite

NAN, INF = float("nan"), float("inf")


def played(*turns, first_step=0):
    fault = FirstNonFinite(["a", "b", "c"])
    for step, values in enumerate(turns, first_step):
        fault.update_state({name: np.float32(value) for name, value in values.items()}, step)
    return fault


def test_nothing_is_found_where_all_is_finite():
    assert played({"a": 0.0, "b": -1e30}).found() is None


@pytest.mark.parametrize(("value", "name"), [(NAN, "a"), (INF, "a"), (-INF, "a")])
def test_the_first_of_a_turn(value, name):
    assert played({"a": value, "b": NAN}).found() == (name, 1)


def test_the_first_of_several_turns():
    fault = played({"a": 1.0, "b": 2.0}, {"b": 1.0, "c": INF}, {"a": NAN, "b": NAN}, first_step=7)
    assert fault.found() == ("c", 9)


def test_it_is_forgotten_with_the_other_logs():
    fault = played({"a": NAN})
    fault.reset_state()
    assert fault.found() is None


def test_it_adds_no_log():
    assert played({"a": NAN}).result() == {}
