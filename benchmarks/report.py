"""What the benchmarks' results share."""

import json
import os
import pathlib
import re

from bms_keras.backends.versions import versions
from bms_keras.errors import warn
from bms_keras.files import write_atomically


def machine(jobs):
    """What the runs were made on, in a line."""
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    by = ", ".join(f"{name} {version}" for name, version in versions("keras", backend).items())
    return f"{os.cpu_count()} cores, {jobs} runs at a time, {by}"


def read(path, *keys):
    """What a table's JSON file holds under some keys; `None`, with a word, if it does not."""
    try:
        whole = json.loads(pathlib.Path(path).read_text())
        return {key: whole[key] for key in keys}
    except (OSError, ValueError, KeyError) as error:
        warn(f"{path} is left out: {error}")
        return None


def publish(record, tables, out, page):
    """Writes a record as JSON, and its tables, Markdown by name, to the screen and into a page."""
    write_atomically(pathlib.Path(out), f"{json.dumps(record, indent=1)}\n".encode())
    for name, table in tables.items():
        print(f"{name}\n\n{table}\n")
    if page:
        page = pathlib.Path(page)
        write_atomically(page, filled(page.read_text(), tables).encode())


def filled(page, tables):
    """A page with what stands between <!-- NAME --> and <!-- /NAME --> replaced, for each name."""
    for name, table in tables.items():
        part = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        page = part.sub(lambda found, table=table: f"{found[1]}{table}\n{found[2]}", page)
    return page
