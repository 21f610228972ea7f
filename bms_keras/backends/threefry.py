"""JAX's noise in one fused loop: on CPUs about twice as fast, and compiled sooner."""

import jax
import numpy as np

ROTATIONS = (13, 15, 26, 6), (17, 29, 16, 24)
PARITY = np.uint32(0x1BD11BDA)


def standard_normal(shape, key):
    """What `jax.random.normal(key, shape)` returns, bit for bit.

    XLA runs JAX's own rounds on CPUs as a loop of many small operations that nothing is fused
    with, which for tiny networks is a third of a step.

    Args:
        shape: Tuple of integers, of a product below 2^32.
        key: uint32 `(2,)`.

    Returns:
        float32 tensor.

    Reference: Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3".
    """
    counter = jax.lax.iota("uint32", int(np.prod(shape)))
    first, second = _threefry(key, jax.numpy.zeros_like(counter), counter)
    mantissa = ((first ^ second) >> np.uint32(9)) | np.uint32(0x3F800000)  # of a number in [1, 2)
    uniform = jax.lax.bitcast_convert_type(mantissa, "float32") - np.float32(1)
    above = np.nextafter(np.float32(-1), np.float32(0))
    uniform = jax.lax.max(above, uniform * (np.float32(1) - above) + above)  # in (-1, 1)
    return (np.float32(np.sqrt(2)) * jax.lax.erf_inv(uniform)).reshape(shape)


def _threefry(key, first, second):
    """Threefry2x32-20: 32 random bits in each place of the counter's two words."""
    words = key[0], key[1], key[0] ^ key[1] ^ PARITY
    first, second = first + words[0], second + words[1]
    for i in range(5):
        for bits in ROTATIONS[i % 2]:
            first = first + second
            second = (second << np.uint32(bits)) | (second >> np.uint32(32 - bits))
            second = second ^ first
        first = first + words[(i + 1) % 3]
        second = second + words[(i + 2) % 3] + np.uint32(i + 1)
    return first, second
