"""Images: batches that depend on (seed, step) alone, scaled exactly, from arrays of an `.npz`."""

import types
import zipfile

import numpy as np
import pytest
from PIL import Image

import bms_keras
from bms_keras import data
from bms_keras.data import images
from bms_keras.data.images import Images, quantized, scaled


def numbered(n, side=2, channels=1, first=0):
    """Images that are told apart by their one value."""
    values = np.arange(first, first + n, dtype="uint8")
    return np.tile(values[:, None, None, None], (1, side, side, channels))


def numbers(batch):
    batch = np.asarray(batch)
    assert (batch == batch[:, :1, :1, :1]).all()
    return batch[:, 0, 0, 0].tolist()


def visits(source, epoch):
    """The images that the four batches of an epoch hold, in their order."""
    steps = range(4 * epoch, 4 * epoch + 4)
    return numbers(np.concatenate([source.batch(step) for step in steps]))


def source(n=23, batch_size=5, seed=0):
    return Images(numbered(n), numbered(9, first=100), batch_size, seed)


def test_a_batch_is_a_function_of_seed_and_step():
    one, again = source(seed=3), source(seed=3)
    batch = one.batch(7)
    assert batch.shape == (5, 2, 2, 1)
    assert batch.dtype == np.uint8
    for step in (8, 0, 40):  # other epochs in between change nothing
        one.batch(step)
    np.testing.assert_array_equal(one.batch(7), batch)
    np.testing.assert_array_equal(again.batch(7), batch)


def test_an_epoch_visits_each_image_at_most_once_and_drops_the_rest():
    epochs = [visits(source(), epoch) for epoch in range(3)]
    for epoch in epochs:
        assert len(epoch) == len(set(epoch)) == 20
        assert set(epoch) <= set(range(23))
    assert epochs[0] != epochs[1] != epochs[2]
    assert len(set(map(frozenset, epochs))) > 1  # not the same three are always dropped


def test_an_epoch_of_whole_batches_visits_every_image():
    one = source(n=20)
    for epoch in range(2):
        assert sorted(visits(one, epoch)) == list(range(20))


def test_seeds_have_orders_of_their_own():
    assert len({tuple(visits(source(seed=seed), epoch=0)) for seed in range(5)}) == 5


@pytest.mark.parametrize("start", [0, 3])
def test_batches_are_the_scaled_batches_of_their_steps(start):
    """Bit for bit on either backend, over all 256 values, across the end of an epoch."""
    one = Images(numbered(256), numbered(1), 64, seed=1)
    batches = list(one.batches(start, 6))
    assert len(batches) == 6 - start
    for step, batch in enumerate(batches, start):
        x = np.asarray(batch[0] if isinstance(batch, tuple) else batch)
        assert x.dtype == np.float32
        np.testing.assert_array_equal(x, scaled(one.batch(step)))


def test_half_of_the_images_are_mirrored_by_seed_and_step():
    x = np.random.default_rng(0).integers(0, 256, (64, 4, 4, 3), "uint8")
    plain, one, again = (Images(x, x, 16, 0, flip=flip) for flip in (False, True, True))
    mirrored = 0
    for step in range(8):
        batch = one.batch(step)
        np.testing.assert_array_equal(batch, again.batch(step))
        for found, image in zip(batch, plain.batch(step), strict=True):
            mirrored += np.array_equal(found, image[:, ::-1])
            assert np.array_equal(found, image) or np.array_equal(found, image[:, ::-1])
    assert 40 < mirrored < 88  # of 128: four standard deviations
    assert not np.array_equal(one.batch(0), Images(x, x, 16, 1, flip=True).batch(0))
    np.testing.assert_array_equal(one.images(9), plain.images(9))
    assert one.fingerprint == plain.fingerprint
    (taken,) = one.batches(3, 4)
    taken = np.asarray(taken[0] if isinstance(taken, tuple) else taken)
    np.testing.assert_array_equal(taken, scaled(one.batch(3)))  # on either backend


def test_scaling_spans_minus_one_to_one_and_quantizing_undoes_it():
    values = np.arange(256, dtype="uint8")
    x = scaled(values)
    assert x.dtype == np.float32
    np.testing.assert_allclose(x, np.linspace(-1, 1, 256), atol=1e-7)
    np.testing.assert_array_equal(quantized(x), values)
    np.testing.assert_array_equal(quantized([-7.0, -1.001, 1.001, 7.0]), [0, 0, 255, 255])
    np.testing.assert_array_equal(quantized([0.0031, 0.0047]), [128, 128])  # to the nearest
    assert quantized(x).dtype == np.uint8


def test_a_few_images_are_a_sample_of_their_split():
    """Not the first ones, which would be of one class where the data lie sorted."""
    one = source()
    assert one.shape == (2, 2, 1)
    held_out = numbers(one.images(50))
    assert sorted(held_out) == list(range(100, 109))
    assert numbers(one.images(3)) == held_out[:3] != [100, 101, 102]
    assert numbers(source(seed=5).images(3)) == held_out[:3]  # every run is measured on the same
    assert sorted(numbers(one.images(23, "train"))) == list(range(23))
    np.testing.assert_array_equal(one.points(4), scaled(one.images(4)))
    assert len(one.points(50)) == 9


def test_a_sample_of_sorted_data_is_of_all_classes():
    """150 of 10,000 images of ten classes, as an MNIST sorted by class has them."""
    labels = np.repeat(np.arange(10, dtype="uint8"), 1000)[:, None, None, None]
    sample = Images(labels, labels, 2, 0).images(150).ravel()
    counts = np.bincount(sample, minlength=10)
    assert counts.min() >= 5
    assert counts.max() <= 27  # 15 each, give or take three standard deviations


def test_a_fingerprint_tells_data_sets_apart():
    def fingerprint(train, test, name="images", seed=0):
        return Images(train, test, 2, seed, name).fingerprint

    train, test = numbered(20), numbered(5)
    changed = test.copy()
    changed[3, 1, 1, 0] += 1
    different = [
        fingerprint(train, test),
        fingerprint(train, changed),
        fingerprint(train[::-1], test),
        fingerprint(numbered(20, side=4), numbered(5, side=4)),
        fingerprint(train[:-1], test),
    ]
    assert len(set(different)) == len(different)
    assert fingerprint(train.copy(), test.copy(), seed=1) == different[0]
    assert fingerprint(train, test, name="others") == different[0]  # what data are is not a name


def test_a_fingerprint_sees_every_held_out_image():
    """The real side of an FID is cached under it."""
    many = np.zeros((3000, 2, 2, 1), "uint8")
    changed = many.copy()
    changed[1, 0, 0, 0] = 9
    a, b = (Images(numbered(20), test, 2, 0).fingerprint for test in (many, changed))
    assert a != b


def test_fewer_images_than_a_batch():
    with pytest.raises(bms_keras.BadInput, match=r"4 training images: .*batch_size .*Received: 5"):
        source(n=4)


# Of an .npz.


@pytest.fixture
def load(tmp_path):
    def load(arrays=None, **fields):
        path = tmp_path / "some.npz"
        if arrays is not None:
            np.savez(path, **arrays)
        config = {"resolution": 0, "channels": 0, "crop": 0, "held_out": 0.25, "background": 255}
        config |= {"flip": False} | fields
        return data.load(types.SimpleNamespace(source=str(path), **config), 2, seed=0)

    return load


def test_an_npz_is_taken_as_it_is(load):
    x_train, x_test = numbered(6, side=3, channels=3), numbered(4, side=3, channels=3)
    found = load({"x_train": x_train, "x_test": x_test, "y_train": np.zeros(6)})
    assert isinstance(found, images.Images)
    assert found.name == "some"
    np.testing.assert_array_equal(found.train, x_train)
    np.testing.assert_array_equal(found.test, x_test)


def test_grey_images_need_no_axis_of_channels(load):
    assert load({"x_train": numbered(8)[..., 0]}).shape == (2, 2, 1)


def test_without_a_test_split_a_share_is_held_out(load):
    found = load({"x_train": numbered(250)})
    train, test = numbers(found.train), numbers(found.test)
    assert len(test) == pytest.approx(0.25 * 250, abs=3 * np.sqrt(250 * 0.25 * 0.75))
    assert sorted(train + test) == list(range(250))
    assert numbers(load().test) == test  # once and for all


def test_an_npz_is_brought_to_resolution_and_channels(load):
    found = load({"x_train": numbered(8, side=6)}, resolution=4, channels=3)
    assert found.shape == (4, 4, 3)
    assert sorted(numbers(found.train) + numbers(found.test)) == list(range(8))


def test_the_centre_of_an_npz_is_cropped(load):
    x = np.zeros((8, 6, 10, 1), "uint8")
    x[:, 0, 0, 0] = range(8)  # so that they differ
    x[:, 2:4, 4:6] = 200
    found = load({"x_train": x}, resolution=2, crop=2)
    assert found.shape == (2, 2, 1)
    assert (found.train[:] == 200).all()


UINT8 = np.zeros((9, 4, 4, 3), "uint8")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": UINT8, "y": UINT8}, r"must hold x_train \(or images or arr_0\)\. Received: x, y$"),
        ({"x_train": UINT8.astype("float32")}, r"x_train must be uint8 .*float32 \(9, 4, 4, 3\)"),
        ({"x_train": UINT8[..., :2]}, r"x_train must be uint8 .*uint8 \(9, 4, 4, 2\)"),
        ({"x_train": UINT8[0, 0]}, r"x_train must be uint8 .*uint8 \(4, 3\)"),
        ({"x_train": UINT8, "x_test": UINT8[..., 0, 0]}, r"x_test must be uint8 .*\(9, 4\)"),
        ({"x_train": np.array([{}])}, "cannot be read as an .npz"),
        ({"x_train": UINT8[:1]}, "two different images .*held_out=0.25.* Received: 1"),
        ({"x_train": UINT8, "x_test": UINT8[:0]}, "x_test"),
        ({"x_train": UINT8, "x_test": UINT8[:, :3, :3]}, "x_test"),
    ],
    ids=["names", "float", "channels", "flat", "test", "objects", "one", "no test", "sizes"],
)
def test_arrays_that_are_no_images(load, arrays, message):
    with pytest.raises(bms_keras.BadInput, match=rf"some\.npz.*{message}") as error:
        load(arrays)
    assert "\n" not in str(error.value)


def test_images_much_smaller_than_the_resolution(load):
    with pytest.raises(bms_keras.BadInput, match=r"x_train .*it is 4x4, less than half of .*=16"):
        load({"x_train": UINT8}, resolution=16)


@pytest.mark.parametrize("content", ["text", "nothing", "npy", "half", "damaged"])
def test_a_file_that_is_no_npz(load, tmp_path, content):
    path = tmp_path / "some.npz"
    rng = np.random.default_rng(0)
    np.savez_compressed(path, x_train=rng.integers(0, 256, (9, 8, 8, 3), "uint8"))
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes(
        {
            "text": b"x_train\n",
            "nothing": b"",
            "half": whole[:middle],
            "damaged": whole[:middle] + bytes(20) + whole[middle + 20 :],
        }.get(content, whole)
    )
    if content == "npy":
        np.save(tmp_path / "array.npy", UINT8)
        (tmp_path / "array.npy").rename(path)
    assert content != "damaged" or zipfile.is_zipfile(path)
    with pytest.raises(bms_keras.BadInput, match=r"some\.npz cannot be read as an \.npz") as error:
        load()
    assert "\n" not in str(error.value)


def test_a_source_that_is_missing(tmp_path):
    path = str(tmp_path / "missing.npz")
    with pytest.raises(
        bms_keras.BadInput, match=r"there is nothing at .*Where the data of a run"
    ) as e:
        data.load(types.SimpleNamespace(source=path), 2, seed=0)
    assert path in str(e.value)


@pytest.mark.parametrize("name", ["picture.png", ""])
def test_a_source_that_is_none(tmp_path, name):
    Image.new("L", (4, 4)).save(tmp_path / "picture.png")
    path = str(tmp_path / name) if name else ""
    with pytest.raises(
        bms_keras.BadInput, match=r"grid, ring, 'tfds:NAME', .*, or .*Received: '"
    ) as e:
        data.load(types.SimpleNamespace(source=path), 2, seed=0)
    assert path in str(e.value)
