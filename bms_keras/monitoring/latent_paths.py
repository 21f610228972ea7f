"""Ways through the latent space, to see what G makes of them."""

import numpy as np

from bms_keras.export.webpage.directions import leading_directions

REACH = 2.0  # standard deviations of the prior that a traversal goes to either side


def great_circles(paths, points, latent_dim, seed=0):
    """Ways from one sample of the prior to another, on which samples are as likely as its own.

    Args:
        paths: How many.
        points: Latents on each, at equal angles, the ends among them.
        latent_dim: Dimensions of the latent space.
        seed: Integer seed of the ends.

    Returns:
        float32 array `(paths, points, latent_dim)`.

    Example:

    >>> great_circles(3, 5, latent_dim=4).shape
    (3, 5, 4)
    """
    a, b = np.random.default_rng(seed).standard_normal((2, paths, 1, latent_dim))
    angle = np.linspace(0, np.pi / 2, points)[None, :, None]
    # The ends are independent, so nearly at right angles.
    return (np.cos(angle) * a + np.sin(angle) * b).astype("float32")


def traversals(model, paths, points, z=None):
    """Straight ways through a latent, along the directions in which G changes most.

    Args:
        model: A `Game`.
        paths: How many directions, at most as many as there are latent dimensions.
        points: Latents on each.
        z: The latent `(latent_dim,)` that all go through; `None` for 0, the prior's mean.

    Returns:
        float32 array `(paths, points, latent_dim)`.

    Example:

    >>> traversals(model, 2, 5).shape
    (2, 5, 4)
    """
    directions, _ = leading_directions(model, paths)
    z = np.zeros(model.latent_dim) if z is None else np.asarray(z)
    way = np.linspace(-REACH, REACH, points)[None, :, None]
    return (z + way * directions[:, None]).astype("float32")
