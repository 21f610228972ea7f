"""TensorFlow's Philox noise in numpy: one seed means the same latents on both backends."""

import numpy as np

SCRAMBLER = 0x3EC8F720, 0x02461E29  # the key by which TensorFlow mixes a seed first


def standard_normal(shape, seed):
    """What `tf.random.stateless_normal(shape, [seed, 0], alg="philox")` returns, to rounding.

    Args:
        shape: Tuple of integers.
        seed: Integer of at most 64 bits.

    Returns:
        float32 array.

    Reference: Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3".
    """
    halves = [seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF, 0, 0]
    mixed = _philox(np.array([halves], "uint64"), SCRAMBLER)[0]
    size = int(np.prod(shape))
    counter = np.zeros((-(-size // 4), 4), "uint64")
    counter[:, 0] = np.arange(len(counter))
    counter[:, 2:] = mixed[2:]
    bits = _philox(counter, mixed[:2]).reshape(-1, 2)
    # The low 23 bits are the mantissa of a number in [1, 2).
    u, v = ((bits & 0x7FFFFF).astype("uint32") | 0x3F800000).view("float32").T - np.float32(1)
    radius = np.sqrt(-2 * np.log(np.maximum(u, np.float32(1e-7))))  # Box and Muller
    angle = np.float32(2 * np.pi) * v
    normal = np.stack([np.sin(angle) * radius, np.cos(angle) * radius], -1)
    return normal.reshape(-1)[:size].reshape(shape)


def _philox(counter, key):
    """Philox4x32-10: 32 random bits in each place of `counter`, uint64 `(n, 4)`."""
    a, b, c, d = counter.T
    k, m = (int(part) for part in key)
    for _ in range(10):
        x, y = a * np.uint64(0xD2511F53), c * np.uint64(0xCD9E8D57)
        low = np.uint64(0xFFFFFFFF)
        a, b, c, d = (y >> 32) ^ b ^ np.uint64(k), y & low, (x >> 32) ^ d ^ np.uint64(m), x & low
        k, m = (k + 0x9E3779B9) & 0xFFFFFFFF, (m + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack([a, b, c, d], -1)
