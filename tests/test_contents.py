"""What data are, how they are split, and what is said when they change: by content alone."""

import json

import numpy as np
import pytest

import bms_keras
from bms_keras.data import contents, synthetic
from bms_keras.data.images import Images

pytestmark = pytest.mark.neutral


def digests(n, seed=0):
    return np.random.default_rng(seed).integers(2**64, size=n, dtype="uint64")


def split(ids, share=0.1):
    """The digests that train and those that are held out."""
    return [set(ids[index].tolist()) for index in contents.split(ids, share, "some")]


def test_a_digest_is_blake2b():
    assert contents.digest(b"") == int.from_bytes(bytes.fromhex("e4a6a0577479b2b4"), "little")


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5, 0.9])
def test_a_share_is_held_out(share):
    train, test = split(digests(5000), share)
    assert len(train) + len(test) == 5000
    assert len(test) / 5000 == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 5000))


def test_an_image_that_comes_or_goes_moves_no_other():
    ids = digests(300)
    train, test = split(ids)
    assert test
    for more in digests(50, seed=1):
        now = split(np.append(ids, more))
        assert train <= now[0]
        assert test <= now[1]
    for place in range(0, 300, 7):
        now = split(np.delete(ids, place))
        assert now[0] <= train
        assert now[1] <= test


def test_the_order_of_files_is_nothing():
    ids = digests(100)
    one, other = (contents.split(each, 0.2, "some") for each in (ids, ids[::-1]))
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(ids[a], ids[::-1][b])


def test_copies_lie_on_one_side():
    ids = np.repeat(digests(200), 3)
    train, test = contents.split(ids, 0.3, "some")
    assert not set(ids[train]) & set(ids[test])
    assert len(train) + len(test) == 600


@pytest.mark.parametrize("share", [1e-9, 0.5, 1 - 1e-9])
@pytest.mark.parametrize("n", [2, 3, 5])
def test_no_side_is_empty_however_few_there_are(n, share):
    for seed in range(20):
        ids = np.repeat(digests(n, seed), 2)
        train, test = contents.split(ids, share, "some")
        assert min(len(train), len(test)) >= 2
        assert not set(ids[train]) & set(ids[test])


@pytest.mark.parametrize("ids", [[], [7], [7, 7, 7]])
def test_one_image_cannot_be_split(ids):
    line = rf"some must hold two different images .*Received: {min(len(ids), 1)}"
    with pytest.raises(bms_keras.BadInput, match=line):
        contents.split(np.array(ids, "uint64"), 0.5, "some")


# What has changed.


def images(values, name="mine", side=2, test=(250,)):
    make = lambda part: np.tile(np.array(part, "uint8")[:, None, None, None], (1, side, side, 1))  # noqa: E731
    return Images(make(values), make(test), 1, 0, name)


NOW = images(range(10))
CHANGES = {
    "images of 3x3x1 then, of 2x2x1 now": images(range(10), side=3),
    "3 images were added, 1 removed": images([*range(7), 99]),
    "1 image was added, 0 removed": images(range(9)),
    "0 images were added, 2 removed": images(range(12)),
    "2 images were added, 0 removed": images(range(8)),
    "the same images, but split, ordered or prepared otherwise": images(range(9), test=(250, 9)),
    "grid then, mine now": synthetic.grid(4, 0),
}


@pytest.mark.parametrize("line", CHANGES)
def test_what_has_changed_is_said(line):
    noted = json.loads(json.dumps(CHANGES[line].contents))
    assert contents.changes(noted, NOW.contents) == line
    with pytest.raises(
        bms_keras.BadInput, match=f"mine is not .*: {line}.*accept_changes"
    ) as error:
        contents.check(noted, NOW, accept=False)
    assert "\n" not in str(error.value)
    contents.check(noted, NOW, accept=True)


@pytest.mark.parametrize("noted", [None, images(range(10), name="else").contents])
def test_the_same_data_by_another_name_are_the_same(noted):
    contents.check(noted, NOW, accept=False)


def test_mixtures_are_told_apart_by_their_modes():
    grids = [synthetic.grid(4, 0), synthetic.grid(8, 3)]
    contents.check(grids[0].contents, grids[1], accept=False)
    with pytest.raises(bms_keras.BadInput, match=r"ring is not .* grid then, ring now"):
        contents.check(grids[0].contents, synthetic.ring(4, 0), accept=False)
    with pytest.raises(bms_keras.BadInput, match="the name is the same, and the data are others"):
        contents.check(grids[0].contents | {"fingerprint": "0"}, grids[1], accept=False)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "mixture"},
        {"kind": []},
        {"kind": {}},
        {"name": 3},
        {"fingerprint": None},
        {"shape": [2, 2]},
        {"shape": [2, 2, 10**12]},
        {"shape": "8x8"},
        {"images": 7},
    ],
)
def test_a_note_of_something_else_is_refused(change):
    assert contents.noted({"data": NOW.contents}) == NOW.contents
    assert contents.noted({}) is None
    for data in (NOW.contents | change, [NOW.contents], "images"):
        with pytest.raises(bms_keras.BadInput, match="its note of the data"):
            contents.noted({"data": data})


def test_a_note_whose_images_are_garbage_is_refused():
    noted = contents.noted({"data": images(range(9)).contents | {"images": "%%%"}})
    with pytest.raises(bms_keras.BadInput, match="note of its images"):
        contents.check(noted, NOW, accept=False)


def test_a_run_that_is_older_than_such_notes_is_warned_of_its_split(capsys):
    contents.warn_of_old_split({"step": 3}, NOW)
    assert "may have been trained on" in capsys.readouterr().err
    contents.warn_of_old_split({"step": 3}, synthetic.grid(4, 0))
    contents.warn_of_old_split({"step": 3, "data": NOW.contents}, NOW)
    assert capsys.readouterr().err == ""
