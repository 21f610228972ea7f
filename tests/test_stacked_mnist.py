"""Stacked MNIST: its data, its 1,000 modes on hand-made sets, its networks, configs and table."""

import types

import numpy as np
import pytest
from helpers import config, kinds, load

import bms_keras
from bms_keras import data, metrics, networks
from bms_keras.metrics import stacked_mnist
from bms_keras.metrics.stacked_mnist import digits
from bms_keras.runs import experiment
from bms_keras.tables import jobs, registry

SHAPE = (28, 28, 3)
SIDE = 12  # of the digits that these tests make


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Digits that anyone can tell: one of ten patterns of squares and some noise, with a label."""
    rng, arrays = np.random.default_rng(0), {}
    patterns = np.kron(rng.integers(0, 2, (10, 3, 3)), np.full((4, 4), 195))
    for part, n in (("train", 500), ("test", 100)):
        labels = rng.integers(0, 10, n)
        drawn = patterns[labels] + rng.integers(0, 60, (n, SIDE, SIDE))
        arrays |= {f"x_{part}": drawn.astype("uint8"), f"y_{part}": labels.astype("uint8")}
    path = tmp_path_factory.mktemp("mnist") / "mnist.npz"
    np.savez(path, **arrays)
    return path


@pytest.fixture
def stacks(path):
    return data.stacked.StackedMNIST(path, 16, seed=3)


@pytest.fixture(scope="module")
def trained(path, tmp_path_factory):
    """The classifier of these digits, from an empty cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BMS_KERAS_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(digits, "BATCH", 25)
        patch.setattr(digits, "FARTHEST", 1)
        yield digits.classifier(path)
        digits.classifier.cache_clear()


def labels_of(images, path):
    """The label of each channel of images, found among the file's digits."""
    arrays = np.load(path)
    known = {
        digit.tobytes(): label
        for part in ("train", "test")
        for digit, label in zip(arrays[f"x_{part}"], arrays[f"y_{part}"], strict=True)
    }
    channels = np.moveaxis(images, -1, 1)
    return np.array([[known[np.ascontiguousarray(d).tobytes()] for d in row] for row in channels])


# The data.


@pytest.mark.neutral
def test_a_batch_is_of_three_digits_at_random_by_seed_and_step(stacks, path):
    first, again = stacks.batch(5), data.stacked.StackedMNIST(path, 16, seed=3).batch(5)
    assert (first.shape, first.dtype) == ((16, SIDE, SIDE, 3), "uint8")
    np.testing.assert_array_equal(first, again)
    for other in (stacks.batch(6), data.stacked.StackedMNIST(path, 16, seed=4).batch(5)):
        assert np.any(first != other)
    digits = np.concatenate([labels_of(stacks.batch(step), path) for step in range(20)])
    assert len({*map(tuple, digits)}) > 200  # of 320: channels do not go together
    train = {digit.tobytes() for digit in np.load(path)["x_train"]}
    assert all(np.ascontiguousarray(c).tobytes() in train for c in np.moveaxis(first[0], -1, 0))


@pytest.mark.neutral
def test_what_is_held_out_is_every_test_digit_once_in_each_channel(stacks, path):
    held_out = stacks.images(1000)
    assert held_out.shape == (100, SIDE, SIDE, 3)
    expected = np.sort(np.load(path)["x_test"].reshape(100, -1), 0)
    for channel in np.moveaxis(held_out, -1, 0):
        np.testing.assert_array_equal(np.sort(channel.reshape(100, -1), 0), expected)
    assert np.any(held_out[..., 0] != held_out[..., 1])
    other = data.stacked.StackedMNIST(path, 8, seed=9)
    np.testing.assert_array_equal(other.images(10), held_out[:10])
    assert other.fingerprint == stacks.fingerprint
    assert stacks.points(3).shape == (3, SIDE, SIDE, 3)
    assert np.asarray(stacks.train).shape == (500, SIDE, SIDE, 3)


@pytest.mark.neutral
def test_it_is_a_source(path, tmp_path):
    source = f"stacked_mnist:{path}"
    found = load(source, resolution=SIDE)
    assert (found.name, found.kind, found.shape) == ("stacked_mnist", "images", (SIDE, SIDE, 3))
    assert data.name_of(source) == found.name
    with pytest.raises(bms_keras.BadInput, match=r"resolution=12 and channels=3.*resolution=32"):
        load(source, resolution=32)
    with pytest.raises(bms_keras.BadInput, match=r"nothing\.npz cannot be read as an \.npz"):
        load(f"stacked_mnist:{tmp_path}/nothing.npz")
    np.save(tmp_path / "lone.npy", np.zeros((2, 28, 28), "uint8"))
    with pytest.raises(bms_keras.BadInput, match=r"must hold x_train, x_test\. Received: x_train"):
        load(f"stacked_mnist:{tmp_path}/lone.npy")
    for arrays, expected in (
        ({"x_train": np.zeros((2, 28, 28), "uint8")}, "must hold x_train, x_test. Received: x_tr"),
        (dict.fromkeys(("x_train", "x_test"), np.zeros((2, 5, 5, 3), "uint8")), r"\(2, 5, 5, 3\)"),
    ):
        np.savez(tmp_path / "other.npz", **arrays)
        with pytest.raises(bms_keras.BadInput, match=expected) as error:
            load(f"stacked_mnist:{tmp_path}/other.npz")
        assert "\n" not in str(error.value)


# The metric.


@pytest.mark.neutral
def test_modes_and_kl_of_a_hand_made_set():
    digits = np.array([[0, 0, 0]] * 6 + [[1, 2, 3]] * 2)
    found = stacked_mnist.mode_coverage(digits)
    kl = 0.75 * np.log(0.75 * 1000) + 0.25 * np.log(0.25 * 1000)
    assert found == {"modes": 2, "kl": pytest.approx(kl)}
    every = np.stack(np.meshgrid(*3 * [np.arange(10)]), -1).reshape(-1, 3)
    assert stacked_mnist.mode_coverage(every) == {"modes": 1000, "kl": pytest.approx(0, abs=1e-12)}


@pytest.mark.neutral
def test_a_perfect_sampler_has_the_kl_that_the_docs_say():
    digits = np.random.default_rng(0).integers(0, 10, (26_000, 3))
    found = stacked_mnist.mode_coverage(digits)
    assert found["modes"] == 1000
    assert found["kl"] == pytest.approx(999 / 52_000, rel=0.1)


def test_the_metric_is_that_of_the_true_digits(trained, stacks, path):
    """Of a model that knows four images only."""
    assert trained.percent == 100
    images = stacks.images(4)
    model = types.SimpleNamespace(
        sample=lambda n, seed: data.images.scaled(images[np.arange(n) % 4])
    )
    found = stacked_mnist.stacked_mnist(model, stacks, samples=1500)
    expected = stacked_mnist.mode_coverage(np.tile(labels_of(images, path), (375, 1)))
    assert found == {
        "stacked_modes_1500": expected["modes"],
        "stacked_kl_1500": pytest.approx(expected["kl"]),
        "stacked_classifier_percent": 100,
    }


def test_the_classifier_is_kept(trained, stacks, monkeypatch):
    digits.classifier.cache_clear()
    monkeypatch.setattr(digits, "_train", None)  # would fail
    again = digits.classifier(stacks.mnist)
    images = stacks.images(5)
    assert again is not trained
    assert again.percent == 100
    np.testing.assert_array_equal(again.digits(images), trained.digits(images))


@pytest.mark.neutral
def test_a_classifier_that_is_often_wrong_is_warned_of(trained, stacks, monkeypatch, capsys):
    digits.classifier.cache_clear()
    monkeypatch.setattr(digits, "ACCURATE", 101)
    assert digits.classifier(stacks.mnist).percent == 100
    assert capsys.readouterr().err.startswith("the classifier of digits tells 100.00 % of the test")


@pytest.mark.neutral
def test_other_weights_in_the_cache_are_refused(trained, stacks, monkeypatch):
    digits.classifier.cache_clear()
    for arrays in ({"percent": 99.5}, {f"weight_{i}": np.zeros(3) for i in range(14)}):
        monkeypatch.setattr(digits.cache, "load", lambda file, arrays=arrays: arrays)
        with pytest.raises(bms_keras.BadInput, match=r"mnist_classifier.*remove it, and") as error:
            digits.classifier(stacks.mnist)
        assert "\n" not in str(error.value)


@pytest.mark.neutral
def test_digits_are_shifted_by_a_few_pixels_and_stay_what_they_are(monkeypatch):
    monkeypatch.setattr(digits, "FARTHEST", 2)
    images = np.zeros((200, SIDE, SIDE), "uint8")
    images[:, 5, 6] = 255
    shifted = digits._shifted(images, np.random.default_rng(0))
    assert (shifted.reshape(200, -1).sum(1) == 255).all()
    _, rows, columns = np.nonzero(shifted)
    assert {*rows} == {3, 4, 5, 6, 7}
    assert {*columns} == {4, 5, 6, 7, 8}


@pytest.mark.neutral
def test_it_is_for_these_data_alone(stacks):
    model = types.SimpleNamespace(has_posterior=False)
    metric = metrics.get("stacked_mnist")
    assert metric.obstacle(model, stacks) is None
    others = data.Images(stacks.train[:], stacks.test[:], 8, 0)
    assert "stacked_mnist:FILE" in metric.obstacle(model, others)
    assert "stacked_mnist" not in metrics.applicable(model, others)


@pytest.mark.neutral
def test_the_command_says_what_is_missing(command_line):
    run = command_line("-m", "bms_keras.metrics.stacked_mnist", "--data=nothing.npz")
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1].startswith("stacked_mnist: nothing.npz cannot be read")


# The networks.


SMALL = networks.defaults("cnn", latent_dim=256)
NAMES = ("recognition", "generator", "image_critic", "latent_critic", "joint_critic")


def shapes(network):
    """What the convolutions and the reshaped dense layer put out."""
    found = [layer.output.shape[1:] for layer in network.layers]
    return [shape for shape in dict.fromkeys(found) if len(shape) == 3]


@pytest.mark.parametrize("pack", [1, 4])
def test_the_small_networks_are_those_of_unrolled_gan(pack):
    built = networks.build(types.SimpleNamespace(**SMALL), SHAPE, NAMES, "batch", pack=pack)
    assert shapes(built["generator"]) == [(4, 4, 64), (7, 7, 32), (14, 14, 16), (28, 28, 8), SHAPE]
    assert shapes(built["image_critic"]) == [(14, 14, 2), (7, 7, 4), (4, 4, 8)]
    assert shapes(built["recognition"]) == [(14, 14, 8), (7, 7, 16), (4, 4, 32)]
    assert built["image_critic"].input_shape == (None, 28, 28, 3 * pack)
    assert built["recognition"].output_shape == (None, 512)
    assert kinds(built["image_critic"])[:3] == ["Conv2D", "BatchNormalization", "LeakyReLU"]
    pair = [each.shape for each in built["joint_critic"].inputs]
    assert (pair, built["joint_critic"].output_shape) == ([(None, *SHAPE), (None, 256)], (None, 1))


def test_dcgans_networks_are_those_of_veegans_authors():
    from bms_keras.configs import stacked_mnist as veegan

    fields = veegan.get_config("dcgan").networks
    built = networks.build(fields, SHAPE, ("generator", "image_critic"), "batch")
    sizes = [(2, 2, 512), (4, 4, 256), (7, 7, 128), (14, 14, 64), SHAPE]
    assert shapes(built["generator"]) == sizes
    assert shapes(built["image_critic"]) == [(14, 14, 64), (7, 7, 128), (4, 4, 256), (2, 2, 512)]
    assert kinds(built["image_critic"])[:3] == ["Conv2D", "LeakyReLU", "Conv2D"]


@pytest.mark.neutral
def test_a_batch_of_the_table_counts_packs_as_theirs():
    """Also where a method packs without being asked to."""
    packs = {"stacked_mnist_small": 128, "stacked_mnist_half": 128, "stacked_mnist": 64}
    channels = {"stacked_mnist_small": 2, "stacked_mnist_half": 4, "stacked_mnist": 64}
    for row in registry.TABLES["stacked"].rows:
        made = jobs.Job("", row.config, row.method, row.fields, ()).full_config()
        assert made.batch_size == packs[row.config] * made.objective.get("pack", 1)
        assert made.networks.image_critic[0] == channels[row.config]


def test_a_spectrally_normalised_critic_is_so_throughout():
    critic = networks.build(types.SimpleNamespace(**SMALL), SHAPE, ("image_critic",))
    weighted = [layer for layer in critic["image_critic"].layers if layer.weights]
    assert all(isinstance(layer, bms_keras.SpectralNormalization) for layer in weighted)


@pytest.mark.neutral
@pytest.mark.parametrize(
    ("fields", "shape", "expected"),
    [({"kernel": 4}, SHAPE, "kernel must be 3 or 5"), ({"generator": ()}, SHAPE, "one integer at")],
)
def test_fields_that_do_not_fit_are_refused(fields, shape, expected):
    made = config("sn_gan")
    made.networks = networks.defaults("cnn", **fields)
    with pytest.raises(bms_keras.BadInput, match=expected):
        experiment.build(made)


def test_a_hybrid_trains_on_packs_of_stacks(path):
    """By small networks, with every option at once."""
    made = config("bms_vae_gan", samples=2, batch_size=4, eval_metrics=("stacked_mnist",))
    made.data.source = f"stacked_mnist:{path}"
    made.networks = networks.defaults(
        "cnn", latent_dim=4, generator=(4, 2, 2, 2), recognition=(2, 2), latent_critic=(4,)
    )
    made.objective.update(critic_loss="relativistic", gamma=1.0, pack=2)
    built = experiment.build(made)
    batches = built.data.batches(0, 2)
    logs = built.model.fit(batches, steps_per_epoch=2, verbose=0).history
    assert all(np.isfinite(values[-1]) for values in logs.values())
    assert {"image_critic/r1", "image_critic/r2"} <= logs.keys()
