"""Measures how fast the GPU trains, in which precision, and what it spends its time on.

    KERAS_BACKEND=jax python -m benchmarks.gpu.speed --seconds=90 --out=out

Steps a second and memory of BMS-VAE-GAN on 32 x 32 images for T = 10, 1 and 30 in three precisions,
the most telling first, as many as the seconds allow (on an H100 each takes some 20 to compile, in
float32 a minute or more); each with its share of the rate that a large matrix product reaches in
that precision, by the count of arithmetic, and of the first the kernels that take most of the time.
Writes `speed.json`, anew after each figure, and prints it.
"""

import collections
import concurrent.futures
import contextlib
import json
import os
import pathlib
import statistics
import tempfile
import time

import jax
import numpy as np
from absl import app, flags

from benchmarks.gpu import loop

SECONDS = flags.DEFINE_integer("seconds", 90, "After so many it ends.", 1)
SAMPLES = flags.DEFINE_list("samples", ["10", "1", "30"], "The T to measure.")
PRECISIONS = flags.DEFINE_list("precisions", ["bfloat16", "tf32", "float32"], "In which precision.")
IMAGES = flags.DEFINE_integer("images", 50_000, "Training images.", 1)
PRODUCT = flags.DEFINE_integer("product", 8192, "Side of the matrices of the product.", 1)
FIELDS = flags.DEFINE_list("fields", [], "Fields of the config, NAME=VALUE.")
OUT = flags.DEFINE_string("out", "out", "Folder of the result.")
CACHE = flags.DEFINE_string("cache", None, "Folder in which compiled programs are kept.")


def main(_):
    began = time.monotonic()
    left = lambda: SECONDS.value - (time.monotonic() - began)  # noqa: E731
    loop.keep_programs(CACHE.value)
    device = jax.devices()[0]
    record = {"device": device.device_kind, "jax": jax.__version__, "matrix_tflops": {}, "rows": {}}
    trainings = {}
    pool = concurrent.futures.ThreadPoolExecutor(1)  # side by side they tune against each other
    with tempfile.TemporaryDirectory() as scratch, contextlib.suppress(TimeoutError):
        data = _file(scratch)
        for precision in PRECISIONS.value:
            record["matrix_tflops"][precision] = rate = _matrix_rate(precision)
            trainings[precision] = training = _training(data, precision)
            for samples in map(int, SAMPLES.value):
                training.model.samples = samples
                program = pool.submit(training.lower().compile).result(timeout=max(left(), 0))
                name = f"T={samples} {precision}"
                record["rows"][name] = _measured(training, program, rate)
                if "kernels" not in record:
                    record["kernels"] = {"of": name, "share": _kernels(training, program)}
                record["seconds"] = time.monotonic() - began
                _write(record)
    print(json.dumps(record), flush=True)
    os._exit(0)  # a compilation that nobody waits for any more cannot be stopped otherwise


def _file(folder):
    """An `.npz` of images for the config to name; black, for what they show costs no time."""
    path = pathlib.Path(folder) / "images.npz"
    black = np.zeros((IMAGES.value, 32, 32, 3), "uint8")
    np.savez_compressed(path, x_train=black, x_test=black[:8])
    return path


def _training(data, precision):
    """A training in that precision; the one model serves all T."""
    row = loop.Row.parse("+".join(["bms_vae_gan", *FIELDS.value]))
    return loop.Training(row.config(data, precision), precision)


def _matrix_rate(precision):
    """TFLOP a second of a large product of random matrices; the median of ten."""
    n, (policy, multiplied) = PRODUCT.value, loop.PRECISIONS[precision]
    a = jax.random.normal(jax.random.key(0), (n, n), policy)
    with jax.default_matmul_precision(multiplied):
        product = jax.jit(lambda a: a @ a).lower(a).compile()
    jax.block_until_ready(product(a))
    return 2 * n**3 / 1e12 / _median_seconds(lambda: jax.block_until_ready(product(a)), 10)


def _measured(training, program, matrix_rate):
    def call():
        training.run(program, loop.STEPS)
        training.wait()

    call()
    seconds = _median_seconds(call, 3) / loop.STEPS
    memory, tflop = program.memory_analysis(), training.flops() / 1e12
    return {
        "steps_per_second": 1 / seconds,
        "tflop_per_step": tflop,
        "share_of_matrix_rate": tflop / seconds / matrix_rate,
        "peak_gib": (memory.argument_size_in_bytes + memory.temp_size_in_bytes) / 2**30,
    }


def _median_seconds(function, times):
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def _kernels(training, program, most=20):
    """The kernels that take most of the device's time, with their shares of it."""
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            training.run(program, loop.STEPS)
            training.wait()
        (path,) = pathlib.Path(folder).rglob("*.xplane.pb")
        planes = list(jax.profiler.ProfileData.from_file(str(path)).planes)
    streams = [
        line
        for plane in planes
        for line in plane.lines
        if plane.name.startswith("/device:") and line.name.startswith("Stream")
    ]
    times = collections.Counter()
    for line in streams or [line for plane in planes for line in plane.lines]:  # no GPU: the host
        for event in line.events:
            times[event.name[:100]] += event.duration_ns
    total = sum(times.values()) or 1
    return {name: time / total for name, time in times.most_common(most)}


def _write(record):
    folder = pathlib.Path(OUT.value)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "speed.json").write_text(json.dumps(record, indent=1))


if __name__ == "__main__":
    app.run(main)
