"""Gathers table 1 at its three settings: results/table1.json and the tables of results/README.md.

    python -m benchmarks.table1 --steep=runs/steep.json --authors=runs/authors.json \\
        --relu=runs/relu.json --out=results/table1.json --page=results/README.md

Each is what `python -m bms_keras.tables --table=1 --seeds=5 --first_seed=9000 --only=CONFIGS`
writes: of `grid_steep,ring_steep` (an equal budget), of `grid_authors,ring_authors` (the settings
of each method's authors) and of `grid,ring` (the paper's ReLU networks). What is not there yet is
said and left out; rows of fewer seeds say how many. In the page, what stands between <!-- steep -->
and <!-- /steep --> is replaced, and so for the others.
"""

from absl import app, flags

from benchmarks.report import machine, publish, read
from bms_keras.tables import report

SETTINGS = {
    "steep": "the limited gains of grid_steep and ring_steep, 30,000 steps for all",
    "authors": "each method by the settings of its authors",
    "relu": "the paper's ReLU networks, 60,000 steps",
}
GIVEN = {name: flags.DEFINE_string(name, None, f"JSON: {of}.") for name, of in SETTINGS.items()}
OUT = flags.DEFINE_string("out", "table1.json", "Where the record goes.")
PAGE = flags.DEFINE_string("page", None, "A Markdown page whose tables are replaced.")


def main(_):
    keys = "commit", "versions", "rows", "runs"
    found = {name: read(flag.value, *keys) for name, flag in GIVEN.items() if flag.value}
    found = {name: part for name, part in found.items() if part}
    record = {"table": 1, "machine": machine(1)}
    record |= {name: {"what": SETTINGS[name], **part} for name, part in found.items()}
    tables = {name: report.markdown(by_data(part["rows"])) for name, part in found.items()}
    publish(record, tables, OUT.value, PAGE.value)


def by_data(rows):
    """The rows on Grid, then those on Ring, each in the order of the table."""
    return sorted(rows, key=lambda row: row["data"])


if __name__ == "__main__":
    app.run(main)
