"""Images side by side, as uint8 arrays `(height, width, 3)`, and how pictures are written."""

import io

import numpy as np
from PIL import Image

from bms_keras.data.images import quantized, scaled
from bms_keras.errors import reason, warn
from bms_keras.files import write_atomically
from bms_keras.metrics.ivom import inference_by_optimization
from bms_keras.monitoring import figures, latent_paths

COLUMNS, GAP = 10, 2


def save(drawn, workdir):
    """Writes pictures as PNGs into a workdir's `samples/`; says so where that cannot be done."""
    try:
        for name, picture in drawn.items():
            write(workdir.picture(name), picture)
    except OSError as error:
        warn(f"{reason(error)}: there are no pictures of the model")


def write(path, picture):
    """Writes a picture as a PNG, whole or not at all."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    write_atomically(path, buffer.getbuffer())


def grid(images, columns=COLUMNS):
    """Images side by side, on white.

    Args:
        images: uint8 `(n, height, width, channels)`, grey or RGB.
        columns: Images a row; the last row may be shorter.
    """
    n, height, width, _ = images.shape
    rows = -(-n // columns)
    shape = (rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, 3)
    canvas = np.full(shape, 255, "uint8")
    for i, image in enumerate(images):
        row, column = divmod(i, columns)
        top, left = GAP + row * (height + GAP), GAP + column * (width + GAP)
        canvas[top : top + height, left : left + width] = image  # grey spreads over the channels
    return _enlarged(canvas, height)


def pairs(above, below, columns=COLUMNS):
    """Two sets of as many images: rows of the first with the second's below them."""
    blocks = [
        part[i : i + columns] for i in range(0, len(above), columns) for part in (above, below)
    ]
    if len(above) % columns:  # a short last row is filled with white
        blocks = [_filled(block, columns) for block in blocks]
    return grid(np.concatenate(blocks), columns)


def interpolations(model, rows=COLUMNS, seed=0):
    """Rows of G(z) for z on the great circle between two samples of the prior."""
    z = latent_paths.great_circles(rows, COLUMNS, model.latent_dim, seed)
    return grid(quantized(model(z.reshape(-1, model.latent_dim))))


def comparison(models, side=6):
    """Samples of each model, for the same seed, under its title."""
    samples = {title: quantized(m.sample(side**2, seed=0)) for title, m in models.items()}
    panels = {title: grid(images, side) for title, images in samples.items()}
    return figures.pixels(figures.gallery(panels))


def closest(models, data, n=8):
    """What IvOM finds, by model.

    Args:
        models: Dictionary from a title to a `Game`.
        data: Their data set.
        n: How many of its held-out images.

    Returns:
        Dictionary of pictures: "closest" (table 5), held-out images at the left and the closest
        that each model can generate beside them; "ivom_convergence", the error over the search.
    """
    x = data.images(n)
    found = {title: inference_by_optimization(m, scaled(x)) for title, m in models.items()}
    columns = {title: quantized(result.closest) for title, result in found.items()}
    panels = {title: grid(images, 1) for title, images in {"held out": x, **columns}.items()}
    lines = {title: result.curve for title, result in found.items()}
    figure = figures.curves(lines, "steps of the search", "mean squared error")
    return {
        "closest": figures.pixels(figures.gallery(panels, len(panels))),
        "ivom_convergence": figures.pixels(figure),
    }


def neighbours(samples, train, nearest=COLUMNS - 1, block=5000):
    """Each sample at the left, and its nearest training images (in squares of pixels) beside it.

    That no neighbour equals its sample shows that G has not learnt the data by heart.

    Args:
        samples: uint8 `(n, height, width, channels)`.
        train: uint8 `(m, height, width, channels)`, which may be memory-mapped.
        nearest: How many neighbours.
        block: Training images looked at in one go.
    """
    flat = samples.reshape(len(samples), -1).astype("float32")
    distances = []
    for first in range(0, len(train), block):
        part = np.asarray(train[first : first + block]).reshape(-1, flat.shape[1]).astype("float32")
        distances.append(np.sum(part**2, 1) - 2 * flat @ part.T)
    closest = np.argsort(np.concatenate(distances, 1), axis=1)[:, :nearest]
    rows = [[x, *(train[i] for i in row)] for x, row in zip(samples, closest, strict=True)]
    return grid(np.concatenate(rows), closest.shape[1] + 1)


def _filled(images, n):
    white = np.full((n - len(images), *images.shape[1:]), 255, "uint8")
    return np.concatenate([images, white])


def _enlarged(picture, side):
    """Small images twice as large, so that a person can see them."""
    return picture.repeat(2, 0).repeat(2, 1) if side < 64 else picture
