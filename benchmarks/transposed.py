"""What G's pass costs by our transposed convolution on JAX's CPUs, over XLA's own.

    KERAS_BACKEND=jax python benchmarks/transposed.py --out=results/transposed.json

Forward alone, as the selection among T samples takes it. The two take turns in one process of one
thread, whose CPU time counts; a ratio is that of their medians, with the quartiles of the rounds'
ratios. That the values agree is asserted first.
"""

import os

os.environ["XLA_FLAGS"] = (
    "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1 "
    + os.environ.get("XLA_FLAGS", "")
)

import functools
import time

import jax
import keras
import numpy as np
from absl import app
from timing import ROUNDS, write

from bms_keras import backends

CASES = [  # images, side, channels in and out, kernel; the stride is 2
    *((1280, 4, 64, 32, 3), (1280, 7, 32, 16, 3), (1280, 14, 16, 8, 3)),  # Stacked MNIST, T = 10
    *((640, 4, 128, 64, 4), (640, 8, 64, 32, 4), (640, 16, 32, 16, 4)),  # standard CNN, a quarter
    *((640, 4, 512, 256, 4), (640, 8, 256, 128, 4), (640, 16, 128, 64, 4)),  # standard CNN
]


def compared(images, side, channels_in, channels_out, size):
    """The seconds of each turn, ours and XLA's."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((images, side, side, channels_in)).astype("float32")
    kernel = rng.standard_normal((size, size, channels_out, channels_in)).astype("float32")
    given = {"strides": (2, 2), "padding": "same", "output_padding": None}
    ours = jax.jit(lambda x, kernel: backends.conv_transpose(x, kernel, *given.values()))
    xla = jax.jit(functools.partial(keras.ops.conv_transpose, **given, data_format="channels_last"))
    np.testing.assert_allclose(ours(x[:8], kernel), xla(x[:8], kernel), rtol=1e-3, atol=1e-3)
    x, kernel = map(jax.device_put, (x, kernel))
    for each in (ours, xla):
        jax.block_until_ready(each(x, kernel))
    turns = [(seconds(ours, x, kernel), seconds(xla, x, kernel)) for _ in range(ROUNDS.value)]
    return np.array(turns)


def seconds(function, *arguments):
    start = time.process_time()
    jax.block_until_ready(function(*arguments))
    return time.process_time() - start


def main(_):
    rows = []
    for case in CASES:
        ours, xla = compared(*case).T
        low, high = np.quantile(ours / xla, (0.25, 0.75))
        ratio = float(np.median(ours) / np.median(xla))
        rows.append({"case": case, "ratio": ratio, "quartiles": [float(low), float(high)]})
        print(f"{case}: {ratio:.2f} ({low:.2f} to {high:.2f})", flush=True)
    write({"rows": rows})


if __name__ == "__main__":
    app.run(main)
