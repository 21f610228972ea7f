"""The fuzz's harness knows how a case ended; its parts in a short form."""

import os
import signal
import sys
import time

import pytest

from benchmarks.fuzz import harness
from bms_keras.errors import BadInput


def _raise(error):
    raise error


def _two_lines():
    print("train.py: one\ntrain.py: another", file=sys.stderr)
    sys.exit(1)


def _eat():
    eaten = []
    while True:
        eaten.append(os.urandom(10**6) * 30)


ENDS = {  # what a case does, and its kind
    "ok": lambda: None,
    "refused": lambda: _raise(BadInput("a must be b. Received: c")),
    "unclear": _two_lines,
    "traceback": lambda: _raise(RuntimeError("an error that nobody caught")),
    "crash": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "hang": lambda: time.sleep(60),
    "memory": _eat,
}


@pytest.mark.parametrize("kind", ENDS)
def test_the_harness_tells_how_a_case_ended(kind):
    limit = harness._resident(os.getpid()) + 2e8
    outcome = harness.play(harness.Case(kind, ENDS[kind]), 1 if kind == "hang" else 30, limit)
    assert outcome.kind == kind
    assert outcome.peak < limit + 2e8
    assert set(ENDS) == set(harness.KINDS)


def test_a_refusal_of_several_lines_is_unclear():
    case = harness.Case("", lambda: _raise(BadInput("a\nb")))
    assert harness.play(case, 30, None).kind == "unclear"
