"""What the benchmarks' results share."""

import os
import re

from bms_keras.backends.versions import versions


def machine(jobs):
    """What the runs were made on, in a line."""
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    by = ", ".join(f"{name} {version}" for name, version in versions("keras", backend).items())
    return f"{os.cpu_count()} cores, {jobs} runs at a time, {by}"


def filled(page, tables):
    """A page with what stands between <!-- NAME --> and <!-- /NAME --> replaced, for each name."""
    for name, table in tables.items():
        part = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        page = part.sub(lambda found, table=table: f"{found[1]}{table}\n{found[2]}", page)
    return page
