"""The latent's leading directions: those along which the generator's output changes most."""

import numpy as np

from bms_keras.backends import predict


def leading_directions(model, n=8, samples=16, step=0.5, seed=0):
    """Orthonormal directions in the latent space, found without data.

    They are the leading eigenvectors of E_z[J^T J], J being the Jacobian of G at a sample z of
    the prior: of all directions, the first moves G(z) farthest, on the average and in squares, and
    so on at right angles to it. (Other definitions look at the weights of G's first layer, and
    cannot see what the next layers make of it; or at R, which not every method has.) The
    derivatives are differences over a step as wide as a slider's movement, because a generator of
    narrow modes is flat almost everywhere and steep in between: of its derivatives at a point,
    few would see the steps.

    Args:
        model: A `Game`.
        n: How many directions at most; there are no more than latent dimensions.
        samples: How many samples of the prior to average over, at `2 * latent_dim` calls of G.
        step: Half the width of the differences, in standard deviations of the prior.
        seed: Integer; the same seed gives the same directions.

    Returns:
        float32 `(min(n, latent_dim), latent_dim)`, and the share of each in the trace of
        E_z[J^T J], float64, falling. Signs are such that the largest entry is positive.

    Example:

    >>> directions, shares = leading_directions(model)
    >>> z = z + 2 * directions[0]
    """
    latent = model.latent_dim
    generator = model.inference_network("generator")
    moves = step * np.concatenate([np.eye(latent), -np.eye(latent)])
    metric = np.zeros((latent, latent))
    for z in np.random.default_rng(seed).standard_normal((samples, latent)):
        x = predict(generator, z + moves, 2 * latent)
        forward, backward = np.asarray(x, "float64").reshape(2, latent, -1)
        columns = (forward - backward) / (2 * step)
        metric += columns @ columns.T / samples
    values, vectors = np.linalg.eigh(metric)
    values, vectors = values[::-1][:n], vectors.T[::-1][:n]
    largest = np.argmax(np.abs(vectors), axis=1)
    signs = np.sign(vectors[np.arange(len(vectors)), largest])
    return (signs[:, None] * vectors).astype("float32"), values / max(np.trace(metric), 1e-12)
