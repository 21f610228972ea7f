"""SavedModels that TF Serving loads: what a trained game can do, without this package.

The signatures, for data of shape `data_shape` and latents of L dimensions. Images are called
`images`, 2D points `points`; both in the units of training, images in [-1, 1].

| signature | inputs | outputs |
| --- | --- | --- |
| serving_default | z float32 (b, L) | images float32 (b, *data_shape) |
| sample | n int32, seed int64 | images float32 (n, *data_shape) |
| sample_uint8 (images only) | n int32, seed int64 | images uint8, 0 to 255 |
| encode (with R) | images float32 | mean, log_variance float32 (b, L) |
| encode_uint8 (with R, images only) | images uint8 | mean, log_variance |
| reconstruct (with R) | images float32, samples int32, seed int64 | images, distance float32 (b,) |
| score (with a D_I that puts out one number) | images float32 | log_ratio float32 (b,): log D_I |
| sample_likelihood, sample_mh, sample_likelihood_mh, each and with _uint8 (of the samplers that \
were fitted; see `bms_keras.sampling`) | n int32, seed int64 | as of sample |

`sample` draws at most `most_samples(model)` at once, which `metadata.json` holds: the numbers of a
request, data or latents, are at most 2^26. So are those of `reconstruct`, which gives the best of
`samples` and its distance. The averages of R and G serve, where there are any. Networks compute in
the precision of training, as `model.sample` does; what goes in and comes out is float32.
"""

import contextlib
import importlib
import json
import os
import pathlib
import pickle
import re
import shutil
import sys
import tempfile

import keras
from keras import ops

from bms_keras import files
from bms_keras.backends.versions import versions
from bms_keras.errors import BadInput, reason
from bms_keras.export.served import Served, most_samples
from bms_keras.export.tensorflow_process import run_on_tensorflow

SAMPLERS = "samplers.pickle"  # beside the model on its way to another process
VERSIONS = "versions.json"  # on its way to metadata.json


def export_saved_model(model, folder, **metadata):
    """Writes a SavedModel into the first free `folder/1`, `folder/2`, …, whole or not at all.

    On JAX a second process does it, with TensorFlow: the SavedModel holds no trace of JAX.

    Args:
        model: A `Game`; see `Game.export_saved_model`.
        folder: Path; made where it is missing. Nothing in it is changed.
        **metadata: What else `metadata.json` in the new folder shall hold.

    Returns:
        `pathlib.Path` of the new version.

    Raises:
        BadInput: If the folder cannot be written, or if TensorFlow is missing or fails.
    """
    folder = files.expanded(folder, "--export_dir")
    with files.new_folder(folder), _scratch(folder) as scratch:
        write = _write if keras.backend.backend() == "tensorflow" else _write_in_another_process
        write(model, scratch)
        about = _metadata(model, json.loads((scratch / VERSIONS).read_text()), metadata)
        (scratch / VERSIONS).unlink()
        (scratch / "metadata.json").write_text(json.dumps(about, indent=2))
        return _as_next_version(scratch, folder)


@contextlib.contextmanager
def _scratch(folder):
    """A new folder in a folder, which is removed unless it gets another name."""
    scratch = pathlib.Path(tempfile.mkdtemp(dir=folder, prefix=".version."))
    try:
        scratch.chmod(0o755)  # of a scratch folder 0o700, which a server may not read
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _metadata(model, by, more):
    """What a client needs to know that the signatures do not say."""
    images = len(model.data_shape) == 3
    step = int(model.optimizer.iterations.numpy()) if getattr(model, "optimizer", None) else None
    return {
        "class": type(model).__name__,
        "most_samples": most_samples(model),
        "step": step,
        "latent_dim": model.latent_dim,
        "data_shape": model.data_shape,
        "latents": "standard normal",
        "data_range": [-1, 1] if images else None,  # of points: x * data_scale + data_centre
        "averaged_weights": sorted(model.averages),
        "versions": by,
        **more,
    }


def _as_next_version(scratch, folder):
    """Gives a finished folder the next number; another process may take it first."""
    while True:
        names = [path.name for path in folder.iterdir()]
        taken = [int(name) for name in names if re.fullmatch("[0-9]{1,18}", name)]
        path = folder / str(max(taken, default=0) + 1)
        with contextlib.suppress(FileExistsError):
            path.mkdir()  # claims the number
            os.replace(scratch, path)  # a folder may replace an empty one
            return path


def _write_in_another_process(model, path):
    """`_write` in a process whose backend is TensorFlow."""
    with tempfile.TemporaryDirectory() as scratch:
        saved = pathlib.Path(scratch) / "model.keras"
        model.save(saved)
        saved.with_name(SAMPLERS).write_bytes(pickle.dumps(_exported(model)))
        layers = (each for net in model.networks.values() for each in net._flatten_layers())
        used = {type(each).__module__ for each in (model, *layers)} - {"__main__"}
        run_on_tensorflow(__name__, saved, path, *sorted(used))


def _write(model, path):
    import tensorflow as tf

    archive = keras.export.ExportArchive()
    used = {*model.networks, *model.averages}
    for name in used:
        archive.track(model.inference_network(name))
    for name, (function, inputs) in signatures(model).items():
        archive.add_endpoint(name, function, inputs)
    try:
        archive.write_out(str(path), verbose=False)
    except tf.errors.OpError as error:  # a full disk, say, of which TensorFlow tells at length
        folder = pathlib.Path(path).parent
        raise BadInput(f"{folder} cannot be written: {reason(error)}") from None
    by = versions("bms_keras", "keras", "tensorflow")  # known where TensorFlow is
    (pathlib.Path(path) / VERSIONS).write_text(json.dumps(by))


def signatures(model):
    """The signatures of a game that runs on TensorFlow.

    Args:
        model: A `Game`.

    Returns:
        Dictionary from a signature's name to its function and the list of its `tf.TensorSpec`s;
        the function returns a dictionary of tensors.
    """
    import tensorflow as tf

    images = len(model.data_shape) == 3
    data = "images" if images else "points"
    spec = {
        "z": tf.TensorSpec((None, model.latent_dim), tf.float32, "z"),
        "n": tf.TensorSpec((), tf.int32, "n"),
        "samples": tf.TensorSpec((), tf.int32, "samples"),
        "seed": tf.TensorSpec((), tf.int64, "seed"),
        "data": tf.TensorSpec((None, *model.data_shape), tf.float32, data),
        "uint8": tf.TensorSpec((None, *model.data_shape), tf.uint8, data),
    }
    served = Served(model)
    table = {"serving_default": (lambda z: {data: served.decode(z)}, ["z"])}
    for name, sampler in {"": None, **_exported(model)}.items():
        name = f"sample_{name.replace('+', '_')}".rstrip("_")
        draw = served.drawing(sampler)
        table[name] = (_named(data, draw), ["n", "seed"])
        if images:
            table[f"{name}_uint8"] = (_named(data, draw, _quantized), ["n", "seed"])
    if model.has_posterior:
        table["encode"] = (served.encode, ["data"])
        if images:
            table["encode_uint8"] = (lambda x: served.encode(_scaled(x)), ["uint8"])

        def reconstruct(x, samples, seed):
            best, distance = served.reconstruct(x, samples, seed)
            return {data: best, "distance": distance}

        table["reconstruct"] = (reconstruct, ["data", "samples", "seed"])
    critic = model.networks.get("image_critic")
    if critic is not None and critic.output_shape[-1] == 1:
        table["score"] = (served.score, ["data"])
    return {
        name: (function, [spec[field] for field in fields])
        for name, (function, fields) in table.items()
    }


def _named(name, draw, then=lambda x: x):
    """A function of n and a seed, for a signature of that output."""
    return lambda n, seed: {name: then(draw(n, seed))}


def _exported(model):
    """The samplers of a game that a SavedModel can draw from, by name."""
    return {name: sampler for name, sampler in model.samplers.items() if sampler.exported}


def _scaled(images):
    """uint8 as float32 in [-1, 1]; see `bms_keras.data.images`."""
    return ops.cast(images, "float32") / 127.5 - 1


def _quantized(x):
    """Numbers in [-1, 1] as uint8; see `bms_keras.data.images`."""
    return ops.cast(ops.round(ops.clip(x + 1, 0, 2) * 127.5), "uint8")


def _main(saved, path, *modules):
    for module in modules:  # they register what the model is made of
        importlib.import_module(module)
    try:
        model = keras.saving.load_model(saved, compile=False)
    except (TypeError, ValueError) as error:  # of a class that is not registered with Keras
        sys.exit(f"the model cannot be read by TensorFlow: {str(error).splitlines()[0]}")
    model.samplers = pickle.loads(pathlib.Path(saved).with_name(SAMPLERS).read_bytes())
    for sampler in model.samplers.values():
        sampler.attach(model)
    try:
        _write(model, path)
    except BadInput as error:
        sys.exit(str(error))


if __name__ == "__main__":
    _main(*sys.argv[1:])
