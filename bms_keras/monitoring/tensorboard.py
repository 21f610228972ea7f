"""What TensorBoard is told about a run as a whole: hyper-parameters, networks, charts, latents.

All of it is written without TensorFlow, on both backends.
"""

import json

import numpy as np
from PIL import Image
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.plugins.graph.keras_util import keras_model_to_graph_def
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.summary import custom_scalars, hparams, scalar

from bms_keras.backends import GRADIENT_NORM, without_tensorflow
from bms_keras.errors import one_line
from bms_keras.files import write_atomically
from bms_keras.monitoring import events, image_grids
from bms_keras.monitoring.diagnostics import sigmas

ONCE = ".run"  # how the file ends that holds what is written once a run
THUMBNAIL = 64  # pixels
PROJECTOR = "projector"


def describe(folder, model, hyperparameters):
    """Writes a run's hyper-parameters, the graph of its networks and a layout of charts.

    They stand in an event file of their own, which takes the place of the one before: a run that
    goes on is still one session of the HParams page, with the config that it now has.

    Args:
        folder: A `pathlib.Path`, where the run's event files lie; made where it is missing.
        model: A `Game`.
        hyperparameters: Dictionary from names to booleans, numbers or strings.

    Example:

    >>> describe(pathlib.Path("runs/grid/tensorboard"), model, {"learning_rate": 2e-4})
    """
    for before in folder.glob(f"*.tfevents.*{ONCE}"):
        before.unlink()
    # Without the "experiment" that tensorboardX would write: TensorBoard takes one for all runs
    # of its logdir, and leaves out the fields that this run lacks.
    _, session, _ = hparams(hyperparameters, {})
    with without_tensorflow():
        networks = graph(model.networks).SerializeToString()
    _write(folder, [session, custom_scalars(layout(model))], 0, ONCE, Event(graph_def=networks))


def evaluated(folder, numbers, step):
    """Writes the numbers of an evaluation, as evaluated/NAME, which the HParams page shows too.

    Args:
        folder: See `describe`.
        numbers: Dictionary of numbers by name; `None` is left out.
        step: The step of the checkpoint that was measured.
    """
    known = {name: value for name, value in numbers.items() if value is not None}
    summaries = [scalar(f"evaluated/{name}", value) for name, value in known.items()]
    _write(folder, summaries, step, f"{events.timestamp_suffix()}.evaluated")


def graph(networks):
    """The layers of networks for the Graphs page, each network under its name.

    These are Keras's layers, not a backend's operations: so it is the same graph on both.

    Args:
        networks: Dictionary of Keras models by name.

    Returns:
        A `GraphDef` of TensorBoard's.
    """
    drawn = GraphDef()
    for name, network in networks.items():
        config = json.loads(network.to_json())
        config["config"]["name"] = name
        drawn.MergeFrom(keras_model_to_graph_def(_without_dtypes(config)))
    return drawn


def layout(model):
    """Which numbers the Custom Scalars page shows in one chart: those that are to be compared."""
    players = list(dict.fromkeys(player.name for player in model.players()))
    charts = {
        "log D_I of held-out data and of samples": ["log_D/.*"],
        "losses": [f"{player}/loss" for player in players],
        "gradient norms": [f"{player}/{GRADIENT_NORM}" for player in players],
        "learning rates": ["learning_rate/.*"],
        "sigma": ["sigma/.*"] if sigmas(model) else [],
    }
    return {"game": {title: ["Multiline", tags] for title, tags in charts.items() if tags}}


def project(folder, latents, labels, thumbnails=None):
    """Writes latents for the Projector page, in place of those before.

    Args:
        folder: See `describe`.
        latents: Array `(n, d)`.
        labels: List of `n` strings.
        thumbnails: uint8 `(n, height, width, channels)`, grey or RGB, or `None`.
    """
    place = folder / PROJECTOR
    place.mkdir(parents=True, exist_ok=True)
    lines = ["\t".join(f"{number:.6g}" for number in latent) for latent in latents]
    lines = {"latents.tsv": lines, "labels.tsv": map(one_line, labels)}
    for name, content in lines.items():
        write_atomically(place / name, "".join(f"{line}\n" for line in content).encode())
    config = f"""embeddings {{
  tensor_name: "mean of q(z|x), held-out data"
  tensor_path: "{PROJECTOR}/latents.tsv"
  metadata_path: "{PROJECTOR}/labels.tsv"
"""
    if thumbnails is not None:
        picture, (height, width) = sprite(thumbnails)
        image_grids.write(place / "sprite.png", picture)
        config += f"""  sprite {{
    image_path: "{PROJECTOR}/sprite.png"
    single_image_dim: {width}
    single_image_dim: {height}
  }}
"""
    write_atomically(folder / "projector_config.pbtxt", f"{config}}}\n".encode())


def sprite(images):
    """Images side by side without a gap, row by row, in as many columns as rows.

    Args:
        images: uint8 `(n, height, width, channels)`; those above 64 pixels are made smaller.

    Returns:
        uint8 `(side * h, side * w, 3)`, black where no image is left, and `(h, w)`.
    """
    n, height, width, channels = images.shape
    shrink = max(1.0, max(height, width) / THUMBNAIL)
    h, w = round(height / shrink), round(width / shrink)
    side = int(np.ceil(np.sqrt(n)))
    cells = np.zeros((side * side, h, w, 3), "uint8")
    for cell, image in zip(cells, images, strict=False):
        picture = Image.fromarray(image[..., 0] if channels == 1 else image).convert("RGB")
        cell[:] = picture if shrink == 1 else picture.resize((w, h))
    return cells.reshape(side, side, h, w, 3).swapaxes(1, 2).reshape(side * h, side * w, 3), (h, w)


def _write(folder, summaries, step, suffix, *more):
    file = events.EventFile(folder, suffix)
    for event in (*summaries, *more):
        file.add(event, step)
    file.close()


def _without_dtypes(layer):
    """A layer's config without its dtypes, of which TensorBoard warns where they are mixed."""
    layer["config"].pop("dtype", None)
    for each in layer["config"].get("layers", ()):
        _without_dtypes(each)
    return layer
