"""An `.npz` is believed only as far as its bytes go, and lies in memory once."""

import io
import struct
import tracemalloc
import types
import zipfile

import numpy as np
import pytest

import bms_keras
from bms_keras import data
from bms_keras.data import archives

pytestmark = pytest.mark.neutral


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BMS_KERAS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.npz"


def load(path, **fields):
    config = {"resolution": 0, "channels": 0, "crop": 0, "held_out": 0.25, "background": 255}
    config["flip"] = False
    return data.load(types.SimpleNamespace(source=str(path), **config | fields), 2, seed=0)


def noise(n, side=8):
    return np.random.default_rng(n).integers(0, 256, (n, side, side, 3), "uint8")


def header(shape, descr="|u1", fortran=False):
    buffer = io.BytesIO()
    fields = {"descr": descr, "fortran_order": fortran, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, fields)
    return buffer.getvalue()


def write(path, content, compression=zipfile.ZIP_STORED, name="x_train.npy"):
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr(name, content)


HUGE = {
    "12 GB that are not there": lambda path: write(path, header((1000, 2000, 2000, 3)) + bytes(99)),
    "12 GB that are not there, compressed": lambda path: write(
        path, header((1000, 2000, 2000, 3)) + bytes(99), zipfile.ZIP_DEFLATED
    ),
    "more than there are bytes in the world": lambda path: write(path, header((10**30, 8, 8, 3))),
    "a negative number": lambda path: write(path, header((-4, -8, 8, 3)) + bytes(768)),
    "too few": lambda path: write(path, header((100, 8, 8, 3)) + bytes(99)),
    "too many": lambda path: write(path, header((1, 8, 8, 3)) + bytes(99_999)),
    "objects": lambda path: write(path, header((4,), "|O") + bytes(99)),
    "records": lambda path: write(path, header((4, 8, 8), [("r", "|u1"), ("g", "|u1")])),
    "another compression": lambda path: write(
        path, header((4, 8, 8, 3)) + bytes(768), zipfile.ZIP_LZMA
    ),
}


@pytest.mark.parametrize("name", HUGE)
def test_what_a_header_claims_is_not_believed(path, name):
    HUGE[name](path)
    tracemalloc.start()
    try:
        with pytest.raises(bms_keras.BadInput, match=r"some\.npz cannot be read") as error:
            load(path)
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()
    assert "\n" not in str(error.value)


def test_a_size_that_a_whole_archive_claims_is_not_believed(path):
    """The zip's own directory says that the few bytes unpack to 12 GB, and so does the header."""
    write(path, header((1000, 2000, 2000, 3)), zipfile.ZIP_DEFLATED)
    size = len(header((1000, 2000, 2000, 3)))
    content = path.read_bytes()
    place = content.rindex(b"PK\x01\x02") + 24
    assert struct.unpack_from("<I", content, place) == (size,)
    claimed = struct.pack("<I", min(size + 1000 * 2000 * 2000 * 3, 2**32 - 1))
    path.write_bytes(content[:place] + claimed + content[place + 4 :])
    with pytest.raises(bms_keras.BadInput, match=r"some\.npz cannot be read as an \.npz"):
        load(path)


def test_a_large_compressed_array_is_refused_with_what_to_do(path, monkeypatch):
    monkeypatch.setattr(archives, "IN_MEMORY", 1000)
    np.savez_compressed(path, x_train=noise(40))
    with pytest.raises(bms_keras.BadInput, match=r"x_train is compressed .* np\.savez"):
        load(path)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_are_read_as_they_are(path, save, order):
    x = noise(5), noise(3)
    save(path, x_train=np.asarray(x[0], order=order), x_test=np.asarray(x[1], order=order))
    found = load(path)
    np.testing.assert_array_equal(found.train, x[0])
    np.testing.assert_array_equal(found.test, x[1])


@pytest.mark.parametrize("order", ["C", "F"])
def test_large_arrays_are_mapped(path, order, monkeypatch):
    monkeypatch.setattr(archives, "IN_MEMORY", 1000)
    x = noise(40)
    np.savez(path, other=np.zeros(9), x_train=np.asarray(x, order=order), x_test=x[:1])
    found = load(path)
    assert isinstance(found.train, np.memmap)
    assert not found.train.flags.writeable
    np.testing.assert_array_equal(found.train, x)


def test_a_damaged_map_is_refused(path, monkeypatch):
    monkeypatch.setattr(archives, "IN_MEMORY", 1000)
    np.savez(path, x_train=noise(40))
    content = bytearray(path.read_bytes())
    content[5000] ^= 1
    path.write_bytes(content)
    with pytest.raises(bms_keras.BadInput, match="x_train is damaged: its checksum is wrong"):
        load(path)


@pytest.mark.parametrize("test", [True, False])
@pytest.mark.parametrize("limit", [2**30, 1000])
def test_a_large_npz_lies_in_memory_once(path, test, limit, monkeypatch):
    """30 MB: once if it is read, and not at all if it is mapped."""
    monkeypatch.setattr(archives, "IN_MEMORY", limit)
    arrays = {"x_train": noise(2500, side=64)} | ({"x_test": noise(9, side=64)} if test else {})
    size = arrays["x_train"].nbytes
    np.savez(path, **arrays)
    del arrays
    tracemalloc.start()
    try:
        found = load(path)
        found.batch(0), found.points(8), found.fingerprint
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (peak > size) == (limit > size)
    assert peak < (size if limit > size else 0) + 5e6


def test_a_fitted_npz_is_mapped_and_fitted_once(path, monkeypatch):
    np.savez(path, x_train=noise(30), x_test=noise(9))
    found = load(path, resolution=4)
    assert isinstance(found.train, np.memmap)
    monkeypatch.setattr(data.decoding, "fit", lambda *_: pytest.fail("fitted again"))
    np.testing.assert_array_equal(load(path, resolution=4).train, found.train)
