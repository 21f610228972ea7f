"""T samples a data point: tensors of shape `(T, B, ...)`, as one batch and as the best of many."""

from keras import ops

from bms_keras import distribution, objectives


def tiled(function, x):
    """Applies a function of a batch to `(T, B, ...)`, as one batch of T * B."""
    outputs = function(distribution.shard(ops.reshape(x, (-1, *x.shape[2:]))))
    return distribution.shard(
        ops.reshape(outputs, (ops.shape(x)[0], -1, *outputs.shape[1:])), axis=1
    )


def best_of(x, x_i, norm):
    """The closest of T reconstructions of each data point.

    Args:
        x: Data `(B, ...)`.
        x_i: Reconstructions `(T, B, ...)`.
        norm: See `objectives.distance`.

    Returns:
        The best reconstructions `(B, ...)`, and their distances `(B,)`.
    """
    distances = objectives.distance(x, x_i, norm)
    index = ops.reshape(ops.argmin(distances, axis=0), (1, -1, *[1] * (len(x.shape) - 1)))
    return ops.take_along_axis(x_i, index, axis=0)[0], ops.min(distances, axis=0)


def pick(z, index):
    """z_i of each data point, `(1, B, latent_dim)`, for z `(T, B, latent_dim)` and i `(B,)`."""
    return ops.take_along_axis(z, index[None, :, None], axis=0)
