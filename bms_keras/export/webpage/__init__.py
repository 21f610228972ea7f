"""A web page that runs a generator in the browser: one file, which needs no server, no network.

The networks (ONNX), onnxruntime-web and its WebAssembly lie in the page itself, compressed, so it
works from a disk, where a page may not fetch its neighbours, as well as from a server.
"""

import base64
import gzip
import html
import importlib.resources
import json
import re

import numpy as np

from bms_keras.errors import BadInput
from bms_keras.export import onnx_files
from bms_keras.export.webpage import runtime
from bms_keras.export.webpage.directions import leading_directions
from bms_keras.files import expanded

INDEX = "index.html"
SCRIPTS = ("networks.js", "images.js", "points.js", "page.js")


def write(model, data, folder, title, onnxruntime_web=None):
    """Writes `index.html`, which samples a model in the browser.

    It has sliders along the latent's leading directions; of images a grid of samples and, where
    there is a recognition network, reconstructions of one's own images; of 2D data the samples
    over the true modes, where they are known. The page's script documents what else `window.bms`
    offers to scripts.

    Args:
        model: A `Game`.
        data: Its data set.
        folder: Path of the folder, which is made.
        title: The page's title, a line.
        onnxruntime_web: See `runtime.load`.

    Raises:
        BadInput: If there is such a file already, a package is missing, a network cannot be
            converted to ONNX, or onnxruntime-web cannot be had. Nothing is written then.

    Example:

    >>> write(model, grid(128, seed=0), "page", "BMS-VAE-GAN on Grid")
    """
    folder = expanded(folder, "--web_dir")
    onnx_files.refuse_existing(folder, [INDEX])
    if len(model.data_shape) != 3 and model.data_shape != (2,):
        raise BadInput(f"a page shows images or 2D points. Received: {model.data_shape}")
    parts = runtime.load(onnxruntime_web)
    networks = onnx_files.converted(model)
    if len(model.data_shape) != 3:  # nobody has a picture of a point
        networks.pop("recognition", None)
    embedded = {"ort-module": parts["module"], "ort-wasm": parts["wasm"]} | networks
    page = _filled(
        "page.html",
        title=html.escape(title),
        css=_text("page.css"),
        js="\n".join(map(_text, SCRIPTS)),
        version=runtime.VERSION,
        info=_json(_info(model, data)),
        parts="\n".join(map(_embedded, embedded, embedded.values())),
    )
    onnx_files.write_new(folder, {INDEX: page.encode()})


def _info(model, data):
    """What the page must know of a model and its data, as JSON."""
    directions, shares = leading_directions(model)
    info = {
        "kind": "images" if len(model.data_shape) == 3 else "points",
        "shape": model.data_shape,
        "latent_dim": model.latent_dim,
        "directions": directions.tolist(),
        "shares": shares.tolist(),
        "samples": getattr(model, "samples", 1),  # the T and the n of a game with R
        "norm": getattr(model, "norm", 1),
    }
    return info if info["kind"] == "images" else info | _plane(model, data)


def _plane(model, data):
    """What the page draws samples over: the true modes, where they are known; data need not be
    there, so that of one's own points the samples themselves say how far the page reaches."""
    if data.kind == "mixture":
        modes, shown = {"modes": data.means.tolist(), "std": data.std}, data.means
    else:
        modes, shown = {"modes": [], "std": 0.0}, data.unscaled(model.sample(1000, seed=0))
    centre = data.unscaled(np.zeros(2))
    reach = 1.3 * float(np.abs(shown - centre).max())
    return modes | {"scale": data.scale, "centre": centre.tolist(), "reach": reach}


def _embedded(name, content):
    """Bytes in an element that the browser does not run; mtime=0: the same page every time."""
    text = base64.b64encode(gzip.compress(content, mtime=0)).decode()
    return f'<script type="text/plain" id="{name}">{text}</script>'


def _json(info):
    return json.dumps(info).replace("<", "\\u003c")  # no name may close the script


def _text(name):
    return (importlib.resources.files(__name__) / name).read_text("utf-8")


def _filled(name, **values):
    """A template with each `{{name}}` replaced, once: what is filled in is not looked at again."""
    return re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], _text(name))
