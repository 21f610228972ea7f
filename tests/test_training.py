"""Runs are cut into whole epochs, whatever step they start and stop at."""

import pytest

from bms_keras.training import _segments


@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [
        (0, 30, [(0, 10, 3)]),
        (0, 25, [(0, 10, 2), (20, 5, 1)]),
        (0, 5, [(0, 5, 1)]),
        (7, 25, [(7, 3, 1), (10, 10, 1), (20, 5, 1)]),
        (7, 9, [(7, 2, 1)]),
        (7, 10, [(7, 3, 1)]),
        (10, 20, [(10, 10, 1)]),
    ],
)
def test_segments(start, stop, expected):
    segments = _segments(start, stop, epoch=10)
    assert segments == expected
    assert sum(steps * epochs for _, steps, epochs in segments) == stop - start
