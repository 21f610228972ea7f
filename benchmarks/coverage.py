"""Gathers what is measured of coverage and density: tables and picture of results/coverage.md.

    python -m benchmarks.coverage --out=results/coverage.json --page=results/coverage.md \\
        --picture=docs/coverage.png --run=runs/density/grid_density_bms_vae_gan_9100 \\
        --tables=runs/density/rows_samplers.json,runs/stacked.json

`--tables` are results of `python -m bms_keras.tables`. What `--out` holds already is kept: seeds
that are run elsewhere or later join those that are there. In the page, what stands between
<!-- NAME --> and <!-- /NAME --> is replaced.
"""

import pathlib

import numpy as np
from absl import app, flags
from matplotlib.figure import Figure

from benchmarks.report import before, joined, machine, publish, read
from bms_keras import sampling
from bms_keras.metrics.modes import PERFECT
from bms_keras.monitoring import figures, image_grids
from bms_keras.runs import evaluation
from bms_keras.runs.workdir import Workdir
from bms_keras.tables import registry, report

TABLES = flags.DEFINE_list("tables", [], "JSON files of bms_keras.tables.")
OUT = flags.DEFINE_string("out", "coverage.json", "Where the record goes.")
PAGE = flags.DEFINE_string("page", None, "A Markdown page whose tables are replaced.")
PICTURE = flags.DEFINE_string("picture", None, "Where the picture goes.")
RUN = flags.DEFINE_string(
    "run", None, "A run on Grid, of which density.png beside it shows four modes."
)
SHOWN = 40_000  # samples in a picture
POINTS = 40_000  # that its samplers are fitted to, as those of the table
CLOSE = -0.15, 0.65  # its edges: four modes
KINDS = {  # tables of the page, by what the names of their numbers begin with
    "points": "high_quality_percent",
    "stacked": "stacked_modes",
    "images": "fid",
}


def main(_):
    given = [read(path, "commit", "rows", "runs") for path in TABLES.value]
    record = joined(filter(None, [published(), before(OUT.value), *given]))
    found = {
        name: [row for row in record["rows"] if of_kind(row, start)]
        for name, start in KINDS.items()
    }
    tables = {name: markdown(name, rows) for name, rows in found.items() if rows}
    publish({"machine": machine(1), **record}, tables, OUT.value, PAGE.value)
    if PICTURE.value:
        path = pathlib.Path(PICTURE.value)
        image_grids.write(path, figures.pixels(picture(found)))
        if RUN.value:
            beside = path.with_name("density.png")
            image_grids.write(beside, figures.pixels(samples_of(RUN.value)))


def published():
    """What others print of Stacked MNIST, by row, which `--rows` of the tables leaves out."""
    rows = [
        {"data": row.config, "method": row.method, "options": row.options, "paper": row.paper}
        for row in registry.TABLES["stacked"].rows
    ]
    return {"rows": rows, "runs": []}


def of_kind(row, start):
    """Whether a row holds such numbers, or belongs beside those that do."""
    numbers = [key for key in row if key.startswith(start)]
    return bool(numbers) or ("obstacle" in row and start == KINDS["points"])


def markdown(name, rows):
    return report.markdown(rows, "published" if name == "stacked" else "paper")


def picture(found):
    """How far 2D samplers are from a perfect one, and what is found of Stacked MNIST's modes; a
    panel for each number that there is."""
    points = [row for row in found["points"] if row["seeds"]]
    stacked = found["stacked"]
    distance = lambda key: lambda row: abs(row[key] - PERFECT.get(key, 0))  # noqa: E731
    of_seeds = lambda start: lambda row: row[_key(row, start)]  # noqa: E731
    panels = [
        (points, distance("high_quality_percent"), "|HQ % - 98.9|"),
        (points, distance("spread_ratio"), "|spread - 1|"),
        (points, distance("mode_kl"), "mode KL"),
        (stacked, of_seeds("stacked_modes"), "Stacked MNIST: modes of 1,000"),
        (stacked, of_seeds("stacked_kl"), "KL from uniform, nats"),
    ]
    panels = [panel for panel in panels if panel[0]]
    height = 1.0 + 0.24 * max([len(_labels(rows)) for rows, *_ in panels], default=1)
    size = 1 + 2.8 * max(len(panels), 1), height
    figure = Figure(figsize=size, layout="constrained", dpi=figures.DPI)
    for i, (rows, value, title) in enumerate(panels):
        axes = figure.add_subplot(1, len(panels), i + 1)
        _dots(axes, rows, value, title, first=i == 0 or rows is not panels[i - 1][0])
    return figure


def samples_of(run):
    """Data, and a run's samples by G and by p(x|z), with and without the critic's help, close to.

    Args:
        run: Path of a workdir on 2D data.
    """
    _, built, _ = evaluation.load(Workdir(run))
    model, data = built.model, built.data
    panels = {"data": data.points(SHOWN), "G(z)": model.sample(SHOWN, seed=0)}
    for name, title in {"likelihood": "p(x|z)", "likelihood+rejection": "and rejection"}.items():
        sampling.fit(model, name, data, POINTS)
        panels[title] = model.sample(SHOWN, seed=0, sampler=name)
    figure = figures.scatter(None, panels)
    for axes in figure.axes:
        axes.set(xlim=CLOSE, ylim=CLOSE)
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


def _dots(axes, rows, value, title, first):
    """A line a method; a colour for each sampler, or for each of Stacked MNIST's configs."""
    labels, colour = _labels(rows), "data" if _is_stacked(rows[0]) else "sampler"
    for name in dict.fromkeys(row.get(colour, "none") for row in rows):
        mine = [row for row in rows if row.get(colour, "none") == name]
        x = np.maximum([value(row) for row in mine], 1e-5)
        axes.scatter(x, [labels.index(_label(row)) for row in mine], s=16, label=name, alpha=0.8)
    axes.set_yticks(range(len(labels)), labels if first else [])
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.tick_params(labelsize=6)
    axes.set_title(title, fontsize=9)
    if colour == "sampler":
        decades = np.log10(np.maximum([value(row) for row in rows], 1e-5))
        limits = 10.0 ** np.floor(decades.min()), 10.0 ** np.ceil(decades.max())
        axes.set(xscale="log", xlim=limits)
        axes.grid(axis="x", linewidth=0.4)
    if first and colour == "sampler":
        axes.figure.legend(*axes.get_legend_handles_labels(), loc="outside right", fontsize=6)
    elif first:
        axes.legend(fontsize=6)


if __name__ == "__main__":
    app.run(main)
