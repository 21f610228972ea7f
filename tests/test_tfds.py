"""Data sets of tensorflow-datasets by name, as it makes and keeps them."""

import typing

import keras
import numpy as np
import pytest
from helpers import load, values

import bms_keras
from bms_keras.data import decoding

if keras.backend.backend() != "tensorflow":
    pytest.skip("brings TensorFlow beside JAX", allow_module_level=True)
tfds = pytest.importorskip("tensorflow_datasets")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("BMS_KERAS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path / "tfds"))
    return tmp_path


class Shades(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Images of one shade each, by split; a subclass is registered by its name."""

    VERSION = tfds.core.Version("1.0.0")
    RANGES: typing.ClassVar = {"train": (0, 30), "test": (200, 205)}
    CHANNELS = 1

    def _info(self):
        shape = (9, 12, self.CHANNELS)
        features = tfds.features.FeaturesDict({"image": tfds.features.Image(shape=shape)})
        return self.dataset_info_from_configs(features=features)

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples(*ends) for split, ends in self.RANGES.items()}

    def _generate_examples(self, start, stop):
        for i in range(start, stop):
            yield i, {"image": np.full((9, 12, self.CHANNELS), i, "uint8")}


def test_a_data_set_by_name(folder, monkeypatch):
    class TinyShades(Shades):
        pkg_dir_path = folder

    found = load("tfds:tiny_shades", channels=1)
    assert found.shape == (8, 8, 1)
    assert found.name == "tiny_shades"
    assert sorted(values(found.train)) == list(range(30))
    assert sorted(values(found.test)) == list(range(200, 205))

    monkeypatch.setattr(decoding, "fit", lambda *_: pytest.fail("decoded again"))
    again = load("tfds:tiny_shades", channels=1)
    np.testing.assert_array_equal(again.train, found.train)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_data_set_without_a_test_split(folder, channels):
    """A share is held out, as of a folder; and it has the channels that the source has."""

    class Lonely(Shades):
        pkg_dir_path = folder
        RANGES: typing.ClassVar = {"train": (0, 40), "unlabelled": (100, 105)}
        CHANNELS = channels

    found = load("tfds:lonely", channels=0)
    assert found.shape == (8, 8, channels)
    assert 0 < len(found.test) < 25
    assert sorted(values(found.train) + values(found.test)) == list(range(40))
    tfds.core.registered._DATASET_REGISTRY.pop("lonely")


def test_a_data_set_without_images_to_train_on(folder):
    class NoTraining(Shades):
        pkg_dir_path = folder
        RANGES: typing.ClassVar = {"validation": (0, 4)}

    with pytest.raises(bms_keras.BadInput, match=r"no_training' failed .*validation"):
        load("tfds:no_training")


def test_a_data_set_of_its_own_catalogue_can_be_prepared():
    """Where its files come from is read by `importlib_resources`, which it does not bring."""
    assert tfds.builder("cifar10").url_infos


@pytest.mark.parametrize("name", ["no_such_thing", ""])
def test_an_unknown_name(name):
    with pytest.raises(bms_keras.BadInput, match=rf"source='tfds:{name}' failed \(") as error:
        load(f"tfds:{name}")
    assert "\n" not in str(error.value)
