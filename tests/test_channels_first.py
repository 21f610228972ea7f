"""channels_first in keras.json is set right by the program and refused elsewhere."""

import keras
import numpy as np
import pytest


@pytest.fixture
def channels_first():
    keras.config.set_image_data_format("channels_first")
    yield
    keras.config.set_image_data_format("channels_last")


@pytest.mark.usefixtures("channels_first")
def test_channels_first_is_set_right_by_the_program_and_refused_elsewhere(tmp_path):
    from bms_keras import networks
    from bms_keras.metrics.inception import Inception
    from bms_keras.runs import experiment
    from configs import cifar10

    np.savez(
        tmp_path / "x.npz",
        **{f"x_{part}": np.zeros((4, 32, 32, 3), "uint8") for part in ("train", "test")},
    )
    config = cifar10.get_config("sn_gan")
    config.data.source = str(tmp_path / "x.npz")
    config.batch_size, config.networks.width = 2, 2
    with pytest.raises(ValueError, match=r"set_image_data_format\('channels_last'\)"):
        networks.build(config.networks, (32, 32, 3), ("generator",))
    with pytest.raises(ValueError, match="Received: 'channels_first'"):
        Inception({})
    assert experiment.build(config).model.data_shape == (32, 32, 3)
