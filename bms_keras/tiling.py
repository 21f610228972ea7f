"""T samples a data point, `(T, B, ...)`: as one batch, in blocks, the best of many; and packs."""

import keras
from keras import ops

from bms_keras import distribution, objectives
from bms_keras.backends import one_by_one

AT_ONCE = 10  # images; more take memory, and are no faster


def at_once(samples, shape):
    """How many of T samples of a data point are decoded at a time, where no gradient is taken.

    Example:

    >>> at_once(30, (32, 32, 3)), at_once(11, (32, 32, 3)), at_once(30, (2,))
    (10, 6, 30)
    """
    return samples if len(shape) == 1 else _shared_out(samples, AT_ONCE)


def _shared_out(samples, most):
    """The size of equal blocks of at most so many samples."""
    blocks = -(-samples // most)
    return -(-samples // blocks)


def tiled(function, x):
    """Applies a function of a batch, of one or several outputs, to `(T, B, ...)` as one batch."""

    def untiled(y):
        return distribution.shard(ops.reshape(y, (ops.shape(x)[0], -1, *y.shape[1:])), axis=1)

    outputs = function(distribution.shard(ops.reshape(x, (-1, *x.shape[2:]))))
    return keras.tree.map_structure(untiled, outputs)


def in_blocks(function, z, size, networks, outputs=1):
    """Applies a function of `(t, B, ...)`, that no gradient goes through, to blocks of T samples.

    One block follows the other, so memory grows with the block, not with T. T of at most `size` are
    one block, and the function is called as it is. Otherwise batch normalisation has the statistics
    of a block, and what the networks update is forgotten.

    Args:
        function: Function of a block that returns a tuple of tensors `(t, ...)`, float32.
        z: `(T, B, ...)`.
        size: How many samples a block has at most. They are shared out evenly; the last one is
            filled up with the first samples, once more.
        networks: Those that the function calls.
        outputs: How many tensors it returns.

    Returns:
        What the function returns, of all T samples.

    Example:

    >>> z = np.arange(6.0, dtype="float32").reshape(3, 2, 1)
    >>> (doubled,) = in_blocks(lambda z: (2 * z,), z, size=2, networks=())
    >>> np.array(doubled)[..., 0].tolist()
    [[0.0, 2.0], [4.0, 6.0], [8.0, 10.0]]
    """
    samples = z.shape[0]
    if samples <= size:
        return function(z)
    size = _shared_out(samples, size)
    blocks = -(-samples // size)
    z = ops.concatenate([z, z[: blocks * size - samples]])
    z = ops.reshape(z, (blocks, size, -1, *z.shape[2:]))
    variables = {id(v): v for network in networks for v in network.variables}.values()
    now = [(variable, ops.stop_gradient(variable.value)) for variable in variables]

    def forgetting(block):
        with keras.StatelessScope(now):
            return function(block)

    joined = lambda y: ops.reshape(y, (blocks * size, *y.shape[2:]))[:samples]  # noqa: E731
    return tuple(map(joined, one_by_one(forgetting, z, outputs)))


def packed(x, pack):
    """Packs of neighbours in a batch, side by side in their last axis (Lin et al. 2018).

    Args:
        x: Data `(B, ..., C)`.
        pack: How many make a pack, of which B is a multiple.

    Returns:
        `(B / pack, ..., pack * C)`, in the order of the batch; `x` itself for packs of 1.

    Raises:
        ValueError: If the batch cannot be divided.

    Example:

    >>> np.array(packed(np.array([[1, 2], [3, 4], [5, 6], [7, 8]]), 2)).tolist()
    [[1, 2, 3, 4], [5, 6, 7, 8]]
    """
    if pack == 1:
        return x
    if x.shape[0] is not None and x.shape[0] % pack:
        raise ValueError(
            f"what D_I judges must be a multiple of pack={pack}. Received: {x.shape[0]} data points"
        )
    *inner, channels = x.shape[1:]
    x = ops.moveaxis(ops.reshape(x, (-1, pack, *inner, channels)), 1, -2)
    return distribution.shard(ops.reshape(x, (-1, *inner, pack * channels)))


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
