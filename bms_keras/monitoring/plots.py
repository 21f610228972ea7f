"""Pictures of a model, for a notebook: a `PIL.Image` that a cell shows, and that can be saved."""

import numpy as np
from PIL import Image

from bms_keras.backends import predict
from bms_keras.data.images import quantized
from bms_keras.monitoring import figures, image_grids, latent_paths

POINTS = 100  # on a way through 2D points; of images a row of a grid holds as many as it does


def samples(model, n=None, seed=0, data=None):
    """See `Game.plot_samples`."""
    if _of_images(model):
        return Image.fromarray(image_grids.grid(quantized(model.sample(n or 100, seed=seed))))
    return _drawn(figures.scatter(data, {"samples": model.sample(n or 2500, seed=seed)}))


def interpolation(model, rows=10, seed=0, data=None):
    """See `Game.plot_interpolation`."""
    points = _points(model)
    return _along(model, latent_paths.great_circles(rows, points, model.latent_dim, seed), data)


def traversal(model, rows=10, z=None, data=None):
    """See `Game.plot_traversal`."""
    return _along(model, latent_paths.traversals(model, rows, _points(model), z), data)


def _along(model, z, data):
    """G(z) of ways through the latent space `(rows, points, latent_dim)`."""
    x = predict(model.inference_network("generator"), z.reshape(-1, z.shape[-1]), 500)
    if _of_images(model):
        return Image.fromarray(image_grids.grid(quantized(x), z.shape[1]))
    return _drawn(figures.paths(data, x.reshape(*z.shape[:2], 2)))


def _points(model):
    return image_grids.COLUMNS if _of_images(model) else POINTS


def _of_images(model):
    """Whether the model's data are images and not 2D points.

    Raises:
        ValueError: If they are neither.
    """
    shape = model.data_shape
    if shape != (2,) and (len(shape) != 3 or shape[-1] not in (1, 3)):
        raise ValueError(
            f"pictures are made of images, grey or RGB, and of 2D points. Received: data of {shape}"
        )
    return len(shape) == 3


def _drawn(figure):
    return Image.fromarray(np.ascontiguousarray(figures.pixels(figure)))
