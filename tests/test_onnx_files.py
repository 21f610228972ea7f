"""ONNX files give what the Python model gives, on networks of every family."""

import errno
import types

import keras
import numpy as np
import pytest
from helpers import on_tensorflow

import bms_keras
from bms_keras import networks, objectives
from bms_keras.errors import BadInput
from bms_keras.export import onnx_files
from bms_keras.methods.distgan import DistGAN

onnxruntime = pytest.importorskip("onnxruntime", reason="the extra 'test' is not installed")

# The same code does it on JAX, in a process of TensorFlow, which takes ten seconds.
MLP = {"recognition": (8, 8), "generator": (8, 8), "image_critic": (8,)}
SHAPES = {"mlp": (2,), "dcgan": (28, 28, 1), "standard_cnn": (32, 32, 3)}


@keras.saving.register_keras_serializable("tests")
class Cholesky(keras.layers.Layer):  # ONNX has no such operation
    def call(self, x):
        return x + keras.ops.cholesky(keras.ops.matmul(x[..., None], x[:, None]))[..., 0]


def build(family, game=bms_keras.BMSVAEGAN, names=None, normalization="spectral", **kwargs):
    """A model of a family's tiny networks, whose weights are far from their first values."""
    keras.utils.set_random_seed(0)
    config = types.SimpleNamespace(
        family=family, latent_dim=4, width=4, latent_critic=(8,), lipschitz=1.0, input_scale=1.0
    )
    vars(config).update(MLP if family == "mlp" else {})
    names = names or ("recognition", "generator", "image_critic", "latent_critic")
    model = game(**networks.build(config, SHAPES[family], names, normalization), **kwargs)
    rng = np.random.default_rng(0)
    for network in (*model.networks.values(), *model.averages.values()):
        for weight in network.weights:  # positive, as a variance must be
            weight.assign(np.abs(weight) + 0.2 * rng.random(weight.shape) - 0.1 * (weight.ndim > 1))
    return model


def ran(folder, name, **inputs):
    """What a file's network puts out: arrays by name."""
    session = onnxruntime.InferenceSession(folder / f"{name}.onnx")
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, inputs), strict=True))


def check(model, folder, tolerance=1e-4):
    """Compares both files with the model, for one row and for seven."""
    rng = np.random.default_rng(1)
    for n in (1, 7):
        z = rng.standard_normal((n, model.latent_dim)).astype("float32")
        (x,) = ran(folder, "generator", z=z).values()
        expected = keras.ops.convert_to_numpy(model(z))
        assert x.dtype == np.float32
        np.testing.assert_allclose(x, expected, atol=tolerance)
        assert expected.std() > 1e-3
        posterior = ran(folder, "recognition", x=expected)
        for name, values in zip(("mean", "log_variance"), model.encode(expected), strict=True):
            assert posterior[name].dtype == np.float32
            np.testing.assert_allclose(posterior[name], values, atol=tolerance)


IMAGES = [pytest.param(family, marks=on_tensorflow) for family in ("dcgan", "standard_cnn")]


@pytest.mark.parametrize("family", ["mlp", *IMAGES])
def test_files_agree_with_the_model(tmp_path, family):
    model = build(family)
    onnx_files.export(model, tmp_path / "new" / "folder")
    check(model, tmp_path / "new" / "folder")


@on_tensorflow
def test_averages_are_exported_where_there_are_any(tmp_path):
    model = build("mlp", ema=0.9)
    onnx_files.export(model, tmp_path)
    check(model, tmp_path)
    z = np.ones((1, 4), "float32")
    trained = keras.ops.convert_to_numpy(model.generator(z))
    assert np.abs(ran(tmp_path, "generator", z=z)["x"] - trained).max() > 1e-3


@on_tensorflow
def test_half_precision_is_exported_in_float32(tmp_path, mixed_bfloat16):
    model = build("dcgan")
    onnx_files.export(model, tmp_path)
    z = np.random.default_rng(0).standard_normal((5, 4)).astype("float32")
    (x,) = ran(tmp_path, "generator", z=z).values()
    keras.config.set_dtype_policy("float32")
    same = build("dcgan")
    np.testing.assert_allclose(x, keras.ops.convert_to_numpy(same(z)), atol=1e-4)


@on_tensorflow
def test_spectrally_normalised_networks_can_be_exported(tmp_path, mixed_bfloat16):
    names = ("generator", "image_critic", "latent_critic")
    layers = [keras.Input((2,)), bms_keras.SpectralNormalization(keras.layers.Dense(8))]
    recognition = keras.Sequential(layers)
    model = build("mlp", lambda **nets: bms_keras.BMSVAEGAN(recognition, **nets), names)
    onnx_files.export(model, tmp_path)
    x = np.float32([[1, 2], [3, 4]])
    mean, _ = objectives.mean_and_log_variance(onnx_files.in_float32(recognition)(x))
    np.testing.assert_allclose(ran(tmp_path, "recognition", x=x)["mean"], mean, atol=1e-4)


@on_tensorflow
def test_a_method_with_points_for_posteriors_keeps_them(tmp_path):
    model = build("mlp", DistGAN, ("recognition", "generator", "image_critic"), "none")
    onnx_files.export(model, tmp_path)
    check(model, tmp_path)
    assert (ran(tmp_path, "recognition", x=np.ones((3, 2), "float32"))["log_variance"] == -12).all()


@on_tensorflow
def test_log_variances_are_bounded_as_the_model_bounds_them(tmp_path):
    model = build("mlp")
    onnx_files.export(model, tmp_path)
    x = np.float32([[1e4, -1e4], [30, 30], [-30, 20], [0.1, 0.1]])
    found = ran(tmp_path, "recognition", x=x)["log_variance"]
    _, expected = model.encode(x)
    assert expected.min() < 2 < expected.max()  # as it is, and bounded
    np.testing.assert_allclose(found, expected, atol=1e-4)


@on_tensorflow
def test_without_a_recognition_network_there_is_one_file(tmp_path):
    model = build("mlp", bms_keras.methods.gan.GAN, ("generator", "image_critic"), "none")
    onnx_files.export(model, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["generator.onnx"]


@on_tensorflow
def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "recognition.onnx").write_bytes(b"mine")
    with pytest.raises(BadInput, match=r"recognition.onnx exists .* choose another folder"):
        onnx_files.export(build("mlp"), tmp_path)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"mine"]


@on_tensorflow
def test_files_are_written_together_or_not_at_all(tmp_path, monkeypatch):
    whole = onnx_files.write_atomically

    def full(path, content):
        if path.name == "b":
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        whole(path, content)

    monkeypatch.setattr(onnx_files, "write_atomically", full)
    with pytest.raises(BadInput, match=f"{tmp_path}/new/b cannot be written: No space left"):
        onnx_files.write_new(tmp_path / "new", {"a": b"a", "b": b"b"})
    assert not list(tmp_path.iterdir())


@on_tensorflow
def test_a_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_files, "NEEDED", ("tensorflow", "no_such_package"))
    with pytest.raises(BadInput, match=r"no_such_package.*pip install 'bms_keras\[onnx\]'"):
        onnx_files.export(build("mlp"), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_what_cannot_be_converted_is_named(tmp_path):
    layers = [keras.Input((4,)), Cholesky(), keras.layers.Dense(2)]
    critic = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model = bms_keras.methods.gan.GAN(generator=keras.Sequential(layers), image_critic=critic)
    with pytest.raises(BadInput, match=r"^the generator cannot be .* ONNX: .*Cholesky"):
        onnx_files.export(model, tmp_path / "new")
    assert not (tmp_path / "new").exists()
