"""What the benchmarks' results share."""

import os
from importlib.metadata import version

import numpy as np


def machine(jobs):
    """What the runs were made on, in a line."""
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    versions = ", ".join(f"{name} {version(name)}" for name in ("keras", backend))
    return f"{os.cpu_count()} cores, {jobs} runs at a time, {versions}"


def spread(values):
    """Mean +- standard deviation, of those that are numbers."""
    values = [value for value in values if value is not None]
    mean = f"{np.mean(values):.4g}" if values else ""
    return f"{mean} ± {np.std(values, ddof=1):.2g}" if len(values) > 1 else mean
