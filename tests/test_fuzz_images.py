"""The fuzz of images in a short form: one case of each kind, by the command's own seed."""

import os

import pytest

from benchmarks.fuzz import harness, images

pytestmark = pytest.mark.neutral
CASES = images.cases(seed=0, count=len(images.KINDS))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_hostile_images_are_opened_or_refused(case):
    outcome = harness.play(case, seconds=60, memory=memory())
    assert outcome.kind in harness.SOUND, outcome.text


def memory():
    """2 GB beside what the tests before have left in this process, of which a fork is a copy."""
    return 2e9 + harness.resident(os.getpid())


def test_there_are_good_images_among_them():
    """Else a program that refuses all would pass; these are of the EXIF that says too much."""
    kinds = [
        harness.play(case, 60, memory()).kind for case in images.cases(0, 60) if "exif" in case.name
    ]
    assert "ok" in kinds
