"""What is said on standard error is one line, and no library's greetings."""

import os

import numpy as np
import pytest

from bms_keras.errors import shown, similar, without_greetings

pytestmark = pytest.mark.neutral

GREETINGS = """\
WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1795717790.006731   19968 cudart_stub.cc:31] Could not find cuda drivers
E0000 00:00:1795717823.017176   19968 cuda_platform.cc:52] failed call to cuInit: INTERNAL
2026-11-26 18:25:31.840086: I tensorflow/core/platform/cpu_feature_guard.cc:210] This binary
To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow
"""
WORDS = "numpy 1 and 2 do not go together\nI am no greeting\n"


def say(text):
    os.write(2, text.encode())


@pytest.fixture(autouse=True)
def _by_default(monkeypatch):
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)


def test_greetings_are_held_back_and_nothing_else(capfd):
    with without_greetings():
        say(GREETINGS + WORDS)
        assert capfd.readouterr().err == ""
    say("after")
    assert capfd.readouterr().err == WORDS + "after"


def test_all_is_shown_where_the_start_fails(capfd):
    def fail():
        say(GREETINGS)
        raise ImportError

    with pytest.raises(ImportError), without_greetings():
        fail()
    assert capfd.readouterr().err == GREETINGS


def test_all_is_shown_to_who_asks(capfd, monkeypatch):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    with without_greetings():
        say(GREETINGS)
    assert capfd.readouterr().err == GREETINGS


def test_bytes_that_are_no_text_and_lines_without_an_end_pass(capfdbinary):
    with without_greetings():
        os.write(2, b"\xff\xfe, and no end")
    assert capfdbinary.readouterr().err == b"\xff\xfe, and no end"


def test_a_value_is_shown_on_one_line():
    assert "\n" not in shown(np.zeros((20, 20)))


@pytest.mark.parametrize(
    ("name", "near"),
    [("bmsvaegan", "bms_vae_gan"), ("WAE-GAN", "wae_gan"), ("transformer", None), ("", None)],
)
def test_a_misspelt_name_is_told_from_another_word(name, near):
    assert similar(name, ["bms_vae_gan", "wae", "wae_gan"]) == near
