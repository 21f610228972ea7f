"""What the benchmarks' results share."""

import os

from bms_keras.backends.versions import versions


def machine(jobs):
    """What the runs were made on, in a line."""
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    by = ", ".join(f"{name} {version}" for name, version in versions("keras", backend).items())
    return f"{os.cpu_count()} cores, {jobs} runs at a time, {by}"
