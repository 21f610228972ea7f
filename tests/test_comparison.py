"""Two sets of images are compared wherever they lie, in Python and on the command line."""

import json
import types

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from bms_keras import metrics
from bms_keras.data.images import scaled
from bms_keras.errors import BadInput, warn_once
from bms_keras.files import cache
from bms_keras.metrics import __main__ as command
from bms_keras.metrics import feature_networks
from bms_keras.metrics.fid import fid_and_kid, kid
from bms_keras.metrics.other_features import KerasFeatures
from bms_keras.metrics.prdc import prdc

pytestmark = pytest.mark.neutral


def noise(n, seed, high=256, side=6):
    return np.random.default_rng(seed).integers(0, high, (n, side, side, 3), "uint8")


X, Y = noise(40, 0), noise(30, 1, high=200)


def means(images):
    """What the tests' network says: the channels' means, in [0, 1]."""
    return (images.astype("float32") / 255).mean((1, 2))


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """The path of a `.keras` model with three features, which takes any size."""
    path = tmp_path_factory.mktemp("networks") / "my net.keras"
    x = keras.Input((None, None, 3))
    y = layers.GlobalAveragePooling2D()(layers.Rescaling(1 / 255)(x))
    keras.Model(x, y).save(path)
    return str(path)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Paths of `X` and `Y` as folders and files, by name."""
    top = tmp_path_factory.mktemp("sources")
    for name, images in (("x", X), ("y", Y)):
        (top / name).mkdir()
        for i, image in enumerate(images):
            Image.fromarray(image).save(top / name / f"{i:03}.{'png' if i % 2 else 'bmp'}")
        np.savez(top / f"{name}.npz", arr_0=images)
        np.save(top / f"{name}.npy", images)
    (top / "mixed").mkdir()
    Image.fromarray(X[0]).save(top / "mixed" / "a.png")
    Image.fromarray(X[0][:4]).save(top / "mixed" / "b.png")
    return top


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BMS_KERAS_CACHE", str(tmp_path / "cache"))


def test_all_numbers_are_those_of_the_features(network):
    found = metrics.compare(X, Y, ("fid", "kid", "prdc"), features=network, neighbours=3)
    x, y = means(X), means(Y)
    expected = dict(zip(("fid", "kid"), fid_and_kid(x, y), strict=True)) | prdc(x, y, 3)
    expected |= {"kid_std": kid(x, y)[1], "real": 40, "generated": 30, "features": "keras_my_net"}
    assert found.pop("features") == expected.pop("features")
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_few_images_are_said_and_subsets_that_are_all_there_is_have_no_deviation(network, capsys):
    warn_once.cache_clear()
    found = metrics.compare(X[:30], Y, ("kid", "prdc"), features=network)
    assert {"kid", "recall"} < set(found)
    assert "kid_std" not in found
    said = capsys.readouterr().err
    assert "KID of 30 images has no bias, but differs much" in said
    assert "precision, recall, density and coverage of 30 images say little" in said


def test_sides_are_looked_at_before_a_network_is_fetched(monkeypatch):
    monkeypatch.setattr(feature_networks, "network", lambda *_: pytest.fail("fetched"))
    with pytest.raises(BadInput, match=r"generated must be an array of images, .*nowhere"):
        metrics.fid(X, "nowhere")


def test_each_has_a_function_of_its_own(network):
    x, y = means(X), means(Y)
    distances = metrics.fid(X, Y, features=network), metrics.kid(X, Y, features=network)
    assert distances == pytest.approx(fid_and_kid(x, y), rel=1e-4)
    found = metrics.precision_recall(X, Y, features=network)
    assert found == pytest.approx(prdc(x, y), rel=1e-4)


@pytest.mark.parametrize("kind", ["", ".npz", ".npy"])
def test_paths_are_what_lies_there(sources, network, kind):
    expected = metrics.compare(X, Y, features=network)
    found = metrics.compare(sources / f"x{kind}", str(sources / f"y{kind}"), features=network)
    assert found.pop("features") == expected.pop("features")
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("low", [-1, 0])
def test_floats_are_taken_by_their_range(network, low):
    floats = X / 255.0 * (1 - low) + low
    assert metrics.fid(floats, Y, features=network) == metrics.fid(X, Y, features=network)


def test_a_model_is_drawn_from(network, tmp_path):
    """A game, a Keras model of latents, and the file of one."""
    game = types.SimpleNamespace(sample=lambda n, seed: scaled(noise(n, seed)))
    found = metrics.compare(X, game, features=network, count=50)
    assert (found["real"], found["generated"]) == (40, 50)
    again = [metrics.fid(X, game, features=network, count=50, seed=seed) for seed in (0, 1)]
    assert found["fid"] == again[0] != again[1]
    generator = keras.Sequential(
        [keras.Input((4,)), layers.Dense(108, "tanh"), layers.Reshape((6, 6, 3))]
    )
    generator.save(tmp_path / "g.keras")
    distances = [
        metrics.fid(X, each, features=network, count=30)
        for each in (generator, tmp_path / "g.keras")
    ]
    assert distances[0] == pytest.approx(distances[1], rel=1e-5)
    with pytest.raises(BadInput, match=r"generated must be a generator, whose input is latents"):
        metrics.fid(X, keras.Sequential([keras.Input((6, 6, 3))]), features=network)


def test_a_count_is_a_sample_and_the_same_ever(sources, network):
    found = [metrics.compare(sources / "x", Y, features=network, count=20) for _ in range(2)]
    assert found[0] == found[1]
    assert (found[0]["real"], found[0]["generated"]) == (20, 20)
    whole, first = (metrics.fid(x, Y[:20], features=network) for x in (X, X[:20]))
    assert found[0]["fid"] not in (whole, first)


def test_the_features_of_real_images_are_kept(sources, network, monkeypatch):
    expected = metrics.compare(sources / "x", Y, features=network)
    assert len(list((cache.folder() / "statistics").iterdir())) == 1
    seen = []
    features = KerasFeatures.features
    monkeypatch.setattr(
        KerasFeatures,
        "features",
        lambda self, images, *args: seen.append(len(images)) or features(self, images, *args),
    )
    assert metrics.compare(sources / "x", Y, features=network) == expected
    assert seen == [30]
    metrics.compare(sources / "x", Y, features=network, count=20)  # of fewer they are others
    assert seen == [30, 20, 20]


def test_images_of_several_sizes_are_refused_or_fitted(sources, network):
    with pytest.raises(BadInput, match=r"b\.png is 6x4, where a\.png is 6x6: resolution=N"):
        metrics.fid(sources / "mixed", Y, features=network)
    found = metrics.compare(sources / "mixed", Y, features=network, resolution=4)
    assert found["real"] == 2


def test_sides_of_different_sizes_are_said(network, capsys):
    metrics.kid(X, noise(9, 2, side=8), features=network)
    assert "the images are 6x6 and 8x8: each is resized" in capsys.readouterr().err


def test_grey_is_repeated_and_other_sizes_are_resized(tmp_path):
    x = keras.Input((3, 3, 3))
    keras.Model(x, layers.Flatten()(x)).save(tmp_path / "small.keras")
    network = feature_networks.network("", str(tmp_path / "small.keras"))
    flat = np.full((2, 6, 6, 1), 90, "uint8")
    np.testing.assert_allclose(network.features(flat), np.full((2, 27), 90), rtol=1e-5)
    blocks = np.repeat(np.repeat(np.arange(9, dtype="uint8").reshape(1, 3, 3, 1), 2, 1), 2, 2)
    middle = network.features(10 * blocks).reshape(3, 3, 3)[1, 1]
    np.testing.assert_allclose(middle, 40, atol=0.1)


NO_NETWORKS = {
    "a file that is none": ("text.keras", r"features=\S+text\.keras cannot be loaded"),
    "nothing": ("missing.keras", r"missing\.keras cannot be read: No such file"),
    "a model of points": (
        "points.keras",
        r"must take images .*Received: \(None, 2\) to \(None, 2\)",
    ),
    "a name": ("resnet", "'inception', 'vgg16' or the path of a .keras model"),
}


@pytest.mark.parametrize("name", NO_NETWORKS)
def test_what_is_no_feature_network_is_refused(tmp_path, name):
    file, message = NO_NETWORKS[name]
    (tmp_path / "text.keras").write_text("no model")
    keras.Sequential([keras.Input((2,)), layers.Dense(2)]).save(tmp_path / "points.keras")
    path = str(tmp_path / file) if "." in file else file
    with pytest.raises(BadInput, match=message):
        metrics.fid(X, Y, features=path)


def test_weights_of_inception_for_another_network_are_refused(network):
    with pytest.raises(BadInput, match=r"inception='a\.npz' says which weights"):
        metrics.fid(X, Y, features=network, inception="a.npz")


NO_SIDES = {
    "objects": (object(), "real must be an array of images, a folder, .*Received: <object"),
    "one": (X[:1], "real must hold two images at least. Received: 1"),
    "range": (X / 300.0 + 0.1, r"real must be uint8 images .*converts \[0, 1\]"),
    "nothing": ("nowhere", "real must be an array of images, a folder.* Received: nowhere"),
    "points": (np.zeros((9, 2)), r"real must be uint8 images .*float64 \(9, 2\)"),
}


@pytest.mark.parametrize("name", NO_SIDES)
def test_what_are_no_images_is_refused_in_a_line(network, name):
    source, message = NO_SIDES[name]
    with pytest.raises(BadInput, match=message) as error:
        metrics.fid(source, Y, features=network)
    assert "\n" not in str(error.value)


def test_the_command_line_prints_one_object(sources, network, capsys):
    def play(*arguments):
        """Exit status, and what is printed."""
        try:
            status = command.main([f"--features={network}", *map(str, arguments)])
        except SystemExit as end:
            status = end.code
        return status, *capsys.readouterr()

    two = sources / "x", sources / "y.npz"
    status, printed, said = play("--metrics=fid,prdc", "--count=25", *two)
    assert status == 0, said
    record = json.loads(printed)
    assert "x: 40 images" in said
    expected = metrics.compare(X, Y, ("fid", "prdc"), count=25, features=network)
    assert record.pop("features") == expected.pop("features")
    assert record == pytest.approx(expected, rel=1e-4)
    refused = {
        ("nowhere", two[1]): (1, "metrics: real must be an array of images, a folder"),
        (sources / "mixed", two[1]): (1, "--resolution"),
        (*two, "--metrics=beauty"): (1, "one of fid, kid, prdc. Received"),
        (*two, "--count=1"): (2, "--count: must be an integer of at least 2"),
        (*two, "--count=many"): (2, "--count: invalid integer value: 'many'"),
        (*two, "--features=resnet"): (2, "--features: must be 'inception', 'vgg16' or the path"),
        (two[0],): (2, "metrics: the following arguments are required: GENERATED"),
        (*two, "--cuont=1"): (2, "unrecognized arguments: --cuont=1"),
    }
    for arguments, (expected, line) in refused.items():
        status, printed, said = play(*arguments)
        assert (status, printed) == (expected, ""), said
        (last,) = (each for each in said.splitlines() if each.startswith("metrics: "))
        assert line in last
