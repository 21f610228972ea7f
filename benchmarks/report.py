"""What the benchmarks' results share."""

import json
import os
import pathlib
import re
import types

from bms_keras.backends.versions import versions
from bms_keras.errors import warn
from bms_keras.files import write_atomically
from bms_keras.tables import report

OF_A_ROW = ("data", "method", "options", "sampler", "step")  # what its runs share


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


def before(path):
    """What a record holds that is to be written again; nothing, where there is none."""
    path = pathlib.Path(path)
    return json.loads(path.read_text()) if path.exists() else {}


def joined(parts):
    """The runs of several results of tables, and the rows that they make.

    So seeds that were run elsewhere or later join those that are there. A run that is in two of
    them is that of the first.

    Args:
        parts: Dictionaries with `rows` and `runs` as `bms_keras.tables` writes them, and `commit`,
            which each run gets, or what this function returned.

    Returns:
        Dictionary: `rows` in the order in which they are met, the runs of each by seed; `runs`.
    """
    printed, lines = {}, {}
    for part in parts:
        for row in part["rows"]:
            printed.setdefault((row["data"], row["method"], row["options"]), row["paper"])
        for run in part["runs"]:
            line = lines.setdefault(tuple(run.get(name) for name in OF_A_ROW), {})
            line.setdefault(run["seed"], {"commit": part.get("commit"), **run})
    rows, runs = [], []
    for (data, method, options, *_), found in sorted(
        lines.items(), key=lambda item: [*printed].index(item[0][:3])
    ):
        about = {"config": data, "method": method, "options": options}
        records = [found[seed] for seed in sorted(found)]
        paper = printed[data, method, options]
        rows.append(report.row_of(types.SimpleNamespace(**about, paper=paper), records))
        runs += records
    return {"rows": rows, "runs": runs}


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
