"""What the benchmarks' results share."""

import os
from importlib.metadata import version


def machine(jobs):
    """What the runs were made on, in a line."""
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    versions = ", ".join(f"{name} {version(name)}" for name in ("keras", backend))
    return f"{os.cpu_count()} cores, {jobs} runs at a time, {versions}"
