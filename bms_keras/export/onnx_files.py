"""The generator and the recognition network as ONNX files, which run without Keras.

Keras's own exporter makes them, by way of TensorFlow and tf2onnx. On the JAX backend a Python
process of its own does it, which reads the network from a scratch file, so that both backends
write the same graph.
"""

import functools
import importlib
import importlib.util
import logging
import pathlib
import sys
import tempfile
import warnings

import keras

from bms_keras import objectives
from bms_keras.errors import BadInput
from bms_keras.export.tensorflow_process import run_on_tensorflow
from bms_keras.files import expanded, new_folder, write_atomically

NEEDED = ("tensorflow", "tf2onnx", "onnx")
NAMES = {  # of each network's input and outputs
    "generator": ("z", "x"),
    "recognition": ("x", "mean", "log_variance"),
}


@keras.saving.register_keras_serializable("bms_keras")
class Posterior(keras.layers.Layer):
    """What a recognition network puts out, `(batch, 2 * L)`, as mean and log-variance of q(z|x).

    Args:
        log_variances: The range that the log-variance is kept within.
    """

    def __init__(self, log_variances=objectives.LOG_VARIANCES, **kwargs):
        super().__init__(**kwargs)
        self.log_variances = tuple(log_variances)

    def call(self, parameters):
        return objectives.mean_and_log_variance(parameters, self.log_variances)

    def get_config(self):
        return {**super().get_config(), "log_variances": self.log_variances}


def export(model, folder):
    """Writes `generator.onnx` and, where there is such a network, `recognition.onnx`.

    Args:
        model: A `Game`. Where it keeps moving averages, those are written.
        folder: Path of the folder, which is made.

    Raises:
        BadInput: If a file is there already, a package is missing, or a network cannot be
            converted. Nothing is written then.

    Example:

    >>> import onnxruntime
    >>> export(model, "serving")
    >>> session = onnxruntime.InferenceSession("serving/recognition.onnx")
    >>> mean, log_variance = session.run(["mean", "log_variance"], {"x": x})
    """
    folder = expanded(folder, "--onnx_dir")
    refuse_existing(folder, files(model))
    write_new(folder, {f"{name}.onnx": content for name, content in converted(model).items()})


def files(model):
    """The names of the files that `export` writes."""
    return [f"{name}.onnx" for name in NAMES if name == "generator" or model.has_posterior]


def converted(model):
    """The networks as ONNX.

    All is computed in float32, whatever the precision of training, for any number of rows.

    Args:
        model: A `Game`.

    Returns:
        Dictionary of the files' content, bytes: "generator", from `z` of shape `(batch,
        latent_dim)` to `x` of shape `(batch, *data_shape)`; and, where there is such a network,
        "recognition", from `x` to `mean` and `log_variance`, each `(batch, latent_dim)`, as
        `model.encode` returns them.

    Raises:
        BadInput: If a package is missing, or a network cannot be converted.
    """
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise BadInput(
            f"ONNX needs {' and '.join(missing)}, not installed here: pip install 'bms_keras[onnx]'"
        )
    networks = {"generator": in_float32(model.inference_network("generator"))}
    if model.has_posterior:
        recognition = in_float32(model.inference_network("recognition"))
        x = keras.Input(model.data_shape, dtype="float32")
        kept = getattr(model, "log_variances", objectives.LOG_VARIANCES)
        posterior = Posterior(kept, dtype="float32")(recognition(x))
        networks["recognition"] = keras.Model(x, posterior)
    here = keras.backend.backend() == "tensorflow"
    with tempfile.TemporaryDirectory() as scratch:
        (convert if here else _convert_in_another_process)(networks, pathlib.Path(scratch))
        return {name: _checked(name, pathlib.Path(scratch)) for name in networks}


def in_float32(network):
    """The network itself if all its layers compute in float32, else a copy of it that does.

    Raises:
        BadInput: If the copy cannot be made: a layer lacks `get_config`.
    """
    layers = list(network._flatten_layers())
    if all(layer.compute_dtype == "float32" for layer in layers):
        return network
    try:
        with keras.saving.custom_object_scope(
            {type(layer).__name__: type(layer) for layer in layers}
        ):
            copy = type(network).from_config(_float32_config(network.get_config()))
    except (NotImplementedError, TypeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise BadInput(f"{network.name} cannot be rebuilt in float32: {reason}") from error
    copy.set_weights(network.get_weights())
    return copy


def _float32_config(config):
    """A serialized configuration with float32 as the dtype of every layer."""
    if isinstance(config, (list, tuple)):
        return type(config)(map(_float32_config, config))
    if not isinstance(config, dict):
        return config
    return {
        key: "float32" if key == "dtype" and "float" in str(value) else _float32_config(value)
        for key, value in config.items()
    }


def refuse_existing(folder, names):
    """Raises `BadInput` if one of the files is in the folder already."""
    for path in (pathlib.Path(folder) / name for name in names):
        if path.exists():
            raise BadInput(f"{path} exists and is not overwritten: choose another folder")


def write_new(folder, files):
    """Writes new files into a folder, which is made: all of them or none.

    Args:
        folder: A `pathlib.Path`.
        files: Dictionary from names to bytes.

    Raises:
        BadInput: If the folder cannot be written.
    """
    with new_folder(folder):
        written = []
        try:
            for name, content in files.items():
                write_atomically(folder / name, content)
                written.append(folder / name)
        except BaseException:
            for path in written:
                path.unlink()
            raise


def convert(networks, folder):
    """Keras's export of networks by name, on the TensorFlow backend, to files named like them.

    Raises:
        BadInput: If a network cannot be converted.
    """
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)  # it tells what it optimizes
    warnings.filterwarnings("ignore", "In the future `np.object`", FutureWarning)  # Keras's own
    for name, network in networks.items():
        rows = keras.InputSpec(shape=(None, *network.input_shape[1:]), dtype="float32")
        try:
            network.export(
                folder / f"{name}.onnx", format="onnx", verbose=False, input_signature=[rows]
            )
        except Exception as error:  # what a converter raises is anybody's guess
            reason = (str(error).strip() or type(error).__name__).splitlines()[-1]
            raise BadInput(f"the {name} cannot be converted to ONNX: {reason}") from error


def _convert_in_another_process(networks, folder):
    """`convert` in a process whose backend is TensorFlow."""
    modules = set()
    for name, network in networks.items():
        network.save(folder / f"{name}.keras")
        modules |= {type(layer).__module__ for layer in network._flatten_layers()}
    run_on_tensorflow(__name__, folder, *sorted(modules - {"__main__"}))


def _checked(network, folder):
    """A network's file, with names of ours for its input, its outputs and the axis of rows."""
    import onnx

    model = onnx.load(folder / f"{network}.onnx")
    ends = [*model.graph.input, *model.graph.output]
    new = dict(zip((end.name for end in ends), NAMES[network], strict=True))
    for node in model.graph.node:
        for side in (node.input, node.output):
            side[:] = [new.get(name, name) for name in side]
    for end in ends:
        end.name = new[end.name]
        end.type.tensor_type.shape.dim[0].dim_param = "batch"
    try:
        onnx.checker.check_model(model)  # the converter leaves in what ONNX does not know
    except onnx.checker.ValidationError as error:
        reason = str(error).splitlines()[0]
        raise BadInput(f"the {network} cannot be converted to ONNX: {reason}") from None
    return model.SerializeToString()


def _main(folder, *modules):
    for module in modules:  # they register the layers that the networks are made of
        importlib.import_module(module)
    folder = pathlib.Path(folder)
    load = functools.partial(keras.saving.load_model, compile=False)
    try:
        convert({path.stem: load(path) for path in sorted(folder.glob("*.keras"))}, folder)
    except BadInput as error:
        sys.exit(str(error))
    except Exception as error:  # of a class that is not registered with Keras, first of all
        sys.exit(f"the networks cannot be read by TensorFlow: {str(error).splitlines()[0]}")


if __name__ == "__main__":
    _main(*sys.argv[1:])
