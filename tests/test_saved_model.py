"""Which signatures a method has, and classes that cannot be exported."""

import keras
import pytest
from helpers import TENSORFLOW, config, on_tensorflow

import bms_keras
from bms_keras.errors import BadInput
from bms_keras.export import saved_model
from bms_keras.runs import experiment

pytest.importorskip("tensorflow")


@on_tensorflow
@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("bms_vae_gan", ["serving_default", "sample", "encode", "reconstruct", "score"]),
        ("sn_gan", ["serving_default", "sample", "score"]),
        ("veegan", ["serving_default", "sample", "encode", "reconstruct"]),
        ("md_gan", ["serving_default", "sample"]),
    ],
)
def test_only_what_applies_is_there(method, expected):
    built = experiment.build(config(method, batch_size=8))
    assert list(saved_model.signatures(built.model)) == expected


@pytest.mark.skipif(TENSORFLOW, reason="TensorFlow writes its own")
def test_a_class_that_cannot_be_imported_gets_one_line(tmp_path, tiny_model):
    @keras.saving.register_keras_serializable("nowhere")
    class Mine(bms_keras.BMSVAEGAN):
        pass

    with pytest.raises(BadInput, match=r"cannot be read by TensorFlow: .*Mine"):
        tiny_model(Mine).export_saved_model(tmp_path)
    assert not list(tmp_path.iterdir())
