"""Data sets of tensorflow-datasets by name, as it makes and keeps them."""

import keras
import numpy as np
import pytest
from test_decoding import load, values

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


def test_a_data_set_by_name(folder, monkeypatch):
    class TinyShades(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")
        pkg_dir_path = folder

        def _info(self):
            features = tfds.features.FeaturesDict({"image": tfds.features.Image(shape=(9, 12, 1))})
            return self.dataset_info_from_configs(features=features)

        def _split_generators(self, dl_manager):
            ranges = {"train": (0, 30), "test": (200, 205)}
            return {split: self._generate_examples(*ends) for split, ends in ranges.items()}

        def _generate_examples(self, start, stop):
            for i in range(start, stop):
                yield i, {"image": np.full((9, 12, 1), i, "uint8")}

    found = load("tfds:tiny_shades", channels=1)
    assert found.shape == (8, 8, 1)
    assert found.name == "tiny_shades"
    assert sorted(values(found.train)) == list(range(30))
    assert sorted(values(found.test)) == list(range(200, 205))

    monkeypatch.setattr(decoding, "fit", lambda *_: pytest.fail("decoded again"))
    again = load("tfds:tiny_shades", channels=1)
    np.testing.assert_array_equal(again.train, found.train)


def test_a_data_set_of_its_own_catalogue_can_be_prepared():
    """Where its files come from is read by `importlib_resources`, which it does not bring."""
    assert tfds.builder("cifar10").url_infos


@pytest.mark.parametrize("name", ["no_such_thing", ""])
def test_an_unknown_name(name):
    with pytest.raises(bms_keras.BadInput, match=rf"source='tfds:{name}' failed \(") as error:
        load(f"tfds:{name}")
    assert "\n" not in str(error.value)
