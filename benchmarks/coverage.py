"""Gathers what is measured of coverage and density: tables and picture of results/coverage.md.

    python -m benchmarks.coverage --out=results/coverage.json --page=results/coverage.md \\
        --picture=docs/coverage.png --tables=runs/density/rows_samplers.json,runs/stacked.json

`--tables` are results of `python -m bms_keras.tables`. What `--out` holds already is kept: seeds
that are run elsewhere or later join those that are there. In the page, what stands between
<!-- NAME --> and <!-- /NAME --> is replaced.
"""

import json
import pathlib

import numpy as np
from absl import app, flags
from matplotlib.figure import Figure

from benchmarks.report import joined, machine, publish, read
from bms_keras.metrics.modes import PERFECT
from bms_keras.monitoring import figures, image_grids
from bms_keras.tables import report

TABLES = flags.DEFINE_list("tables", [], "JSON files of bms_keras.tables.")
OUT = flags.DEFINE_string("out", "coverage.json", "Where the record goes.")
PAGE = flags.DEFINE_string("page", None, "A Markdown page whose tables are replaced.")
PICTURE = flags.DEFINE_string("picture", None, "Where the picture goes.")
KINDS = {  # tables of the page, by what the names of their numbers begin with
    "points": "high_quality_percent",
    "stacked": "stacked_modes",
    "images": "fid",
}


def main(_):
    out = pathlib.Path(OUT.value)
    there = [json.loads(out.read_text())] if out.exists() else []
    given = [read(path, "commit", "rows", "runs") for path in TABLES.value]
    record = joined([*there, *filter(None, given)])
    found = {
        name: [row for row in record["rows"] if of_kind(row, start)]
        for name, start in KINDS.items()
    }
    tables = {name: markdown(name, rows) for name, rows in found.items() if rows}
    publish({"machine": machine(1), **record}, tables, out, PAGE.value)
    if PICTURE.value:
        image_grids.write(pathlib.Path(PICTURE.value), figures.pixels(picture(found)))


def of_kind(row, start):
    """Whether a row holds such numbers, or belongs beside those that do."""
    numbers = [key for key in row if key.startswith(start)]
    return bool(numbers) or ("obstacle" in row and start == KINDS["points"])


def markdown(name, rows):
    return report.markdown(rows, "published" if name == "stacked" else "paper")


def picture(found):
    """How far 2D samplers are from a perfect one, and what is found of Stacked MNIST's modes."""
    points = [row for row in found["points"] if row["seeds"]]
    stacked = found["stacked"]
    height = 1.2 + 0.24 * max(len(_labels(points)), len(_labels(stacked)), 4)
    figure = Figure(figsize=(15, height), layout="constrained", dpi=figures.DPI)
    axes = figure.subplots(1, 5)
    panels = {"high_quality_percent": "|HQ % - 98.9|", "spread_ratio": "|spread - 1|"}
    for place, (key, title) in zip(axes, (panels | {"mode_kl": "mode KL"}).items(), strict=False):
        value = lambda row, key=key: abs(row[key] - PERFECT.get(key, 0))  # noqa: E731
        _dots(place, points, value, lambda row: row.get("sampler", "none"), title)
        place.set_xscale("log")
    of_seeds = lambda start: lambda row: row[_key(row, start)]  # noqa: E731
    of_data = lambda row: row["data"]  # noqa: E731
    _dots(axes[3], stacked, of_seeds("stacked_modes"), of_data, "Stacked MNIST: modes of 1,000")
    _dots(axes[4], stacked, of_seeds("stacked_kl"), of_data, "KL from uniform, nats")
    return figure


def _key(row, start):
    return next(key for key in row if key.startswith(start) and not key.endswith("_std"))


def _label(row):
    data = "" if _is_stacked(row) else f" on {row['data']}"
    return f"{row['method']} {row['options']}".strip() + data


def _is_stacked(row):
    return any(key.startswith("stacked") for key in row)


def _labels(rows):
    return list(dict.fromkeys(map(_label, rows)))


def _dots(axes, rows, value, colour, title):
    """A line a method, a colour for each sampler or data set."""
    labels = _labels(rows)
    for name in dict.fromkeys(map(colour, rows)):
        mine = [row for row in rows if colour(row) == name]
        x = np.maximum([value(row) for row in mine], 1e-5)
        axes.scatter(x, [labels.index(_label(row)) for row in mine], s=16, label=name, alpha=0.8)
    first = axes.get_subplotspec().colspan.start in (0, 3)
    axes.set_yticks(range(len(labels)), labels if first else [])
    axes.tick_params(labelsize=6)
    axes.set_title(title, fontsize=9)
    axes.grid(axis="x", linewidth=0.4)
    axes.invert_yaxis()
    if rows and first:
        axes.legend(fontsize=6)


if __name__ == "__main__":
    app.run(main)
