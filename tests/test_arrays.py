"""Arrays of images as others save them: floats, other names, an `.npy`."""

import re
import types

import numpy as np
import pytest

import bms_keras
from bms_keras import data
from bms_keras.data.images import as_uint8

pytestmark = pytest.mark.neutral


@pytest.fixture
def load(tmp_path):
    def load(arrays, name="some.npz"):
        """The images of a file of some arrays, or of one."""
        path = tmp_path / name
        if name.endswith(".npz"):
            np.savez(path, **arrays)
        elif arrays is not None:
            np.save(path, arrays)
        config = {"resolution": 0, "channels": 0, "crop": 0, "held_out": 0.25, "background": 255}
        config |= {"source": str(path), "flip": False}
        return data.load(types.SimpleNamespace(**config), 2, seed=0)

    return load


def noise(n=8, side=3):
    return np.random.default_rng(n).integers(0, 256, (n, side, side, 3), "uint8")


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4"])
@pytest.mark.parametrize("low", [-1, 0])
def test_floats_are_taken_by_their_range(load, dtype, low):
    x = noise(40)
    x[0, 0, 0] = [0, 255, 0]
    found, expected = (
        load({"x_train": each}) for each in ((x / 255 * (1 - low) + low).astype(dtype), x)
    )
    np.testing.assert_array_equal(found.train, expected.train)
    assert found.fingerprint == expected.fingerprint


@pytest.mark.parametrize(
    ("x", "how"),
    [
        (np.linspace(0.2, 0.9, 48), r"np\.uint8\(255 \* x \+ 0\.5\) converts \[0, 1\], .*to 0\.9$"),
        (np.linspace(-3, 3, 48), r"np\.uint8\(127\.5 \* x \+ 128\) \[-1, 1\]"),
        (np.linspace(0, 255, 48), r"np\.uint8\(x\.round\(\)\) converts them"),
        (np.arange(48), r"np\.uint8\(x\.round\(\)\) converts them"),
        (np.full(48, np.nan), "from nan to nan"),
    ],
    ids=["ambiguous", "wide", "255", "int64", "nan"],
)
def test_floats_of_which_nobody_knows_are_refused_with_the_line_that_converts(load, x, how):
    x = x.reshape(3, 4, 4)
    with pytest.raises(bms_keras.BadInput, match=f"some.npz:x_train must be uint8 images.*{how}"):
        load({"x_train": x})


def test_the_lines_that_convert_do():
    x = np.arange(256)
    for convert, floats in (
        (lambda x: np.uint8(255 * x + 0.5), x / 255),
        (lambda x: np.uint8(127.5 * x + 128), x / 127.5 - 1),
        (lambda x: np.uint8(x.round()), x + 0.2),
    ):
        np.testing.assert_array_equal(convert(floats.astype("float32")), x)


@pytest.mark.parametrize(
    ("shape", "converted"),
    [
        ((9, 8, 8, 4), (9, 8, 8, 3)),
        ((9, 8, 8, 2), (9, 8, 8, 1)),
        ((9, 3, 8, 8), (9, 8, 8, 3)),
        ((9, 784), (9, 28, 28)),
        ((9, 3072), (9, 32, 32, 3)),
    ],
    ids=str,
)
def test_another_shape_is_refused_with_the_line_that_converts(load, shape, converted):
    x = np.zeros(shape, "uint8")
    with pytest.raises(bms_keras.BadInput, match=r"x[.\[]") as refused:
        load({"x_train": x})
    line = re.search(r": (x[.\[].*?[\])]) ", str(refused.value))[1]
    assert eval(line).shape == converted
    assert str(refused.value).endswith(f"Received: uint8 {shape}")


def test_truth_values_are_refused_with_the_line_that_converts(load):
    x = np.random.default_rng(0).random((8, 3, 3)) > 0.5
    for refused in (lambda: load({"x_train": x}), lambda: as_uint8(x, "mine")):
        with pytest.raises(bms_keras.BadInput, match=r"np\.uint8\(255 \* x\).*Received: bool"):
            refused()
    assert set(as_uint8(np.uint8(255 * x), "mine").ravel()) == {0, 255}


def test_channels_in_front_are_told_from_those_behind(load):
    with pytest.raises(bms_keras.BadInput, match=r"x\.transpose\(0, 2, 3, 1\) brings channels"):
        load({"x_train": np.zeros((9, 3, 8, 8), "uint8")})


@pytest.mark.parametrize("key", ["images", "arr_0"])
def test_an_array_may_have_the_names_that_others_give(load, key):
    expected = load({"x_train": noise()})
    np.testing.assert_array_equal(load({key: noise()}).train, expected.train)
    both = load({key: noise(9), "x_train": noise()})
    np.testing.assert_array_equal(both.train, expected.train)


def test_an_npy_is_trained_on(load, tmp_path):
    found, expected = load(noise(), "some.npy"), load({"x_train": noise()})
    assert (found.name, found.fingerprint) == ("some", expected.fingerprint)
    np.testing.assert_array_equal(found.train, expected.train)
    path = tmp_path / "some.npy"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(
        bms_keras.BadInput, match=r"cannot be read as an \.npy: it claims 216 bytes"
    ):
        load(None, "some.npy")


@pytest.mark.parametrize(
    ("x", "how"),
    [
        (np.zeros(500, "float32"), r"x\[:, None\] makes points"),
        (np.zeros((500, 2), "uint8"), r'x\.astype\("float32"\) makes points'),
        (np.zeros((5, 784), "uint8"), r"x\.reshape\(-1, 28, 28\) makes images"),
    ],
)
def test_what_is_neither_images_nor_points_gets_what_makes_it_so(x, how):
    with pytest.raises(bms_keras.BadInput, match=how):
        as_uint8(x, "x_train")
