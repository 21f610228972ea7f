"""Gathers table 1 at its three settings: results/table1.json and the tables of results/README.md.

    python -m benchmarks.table1 --steep=runs/steep.json --authors=runs/authors.json \\
        --relu=runs/relu.json --out=results/table1.json --page=results/README.md

Each is what `python -m bms_keras.tables --table=1 --seeds=5 --first_seed=9000 --only=CONFIGS`
writes: of `grid_steep,ring_steep` (an equal budget), of `grid_authors,ring_authors` (the settings
of each method's authors) and of `grid,ring` (the paper's ReLU networks), or several such files, of
some seeds each. What `--out` holds already is kept, so that seeds that were run elsewhere or later
join those that are there; a run that is in two of them is the one of the first file that has it. In
the page, what stands between <!-- steep --> and <!-- /steep --> is replaced, and so for the others.
"""

from absl import app, flags

from benchmarks.report import before, joined, machine, publish, read
from bms_keras.tables import report

SETTINGS = {
    "steep": "the limited gains of grid_steep and ring_steep, 30,000 steps for all",
    "authors": "each method by the settings of its authors",
    "relu": "the paper's ReLU networks, 60,000 steps",
}
GIVEN = {name: flags.DEFINE_list(name, [], f"JSON files: {of}.") for name, of in SETTINGS.items()}
OUT = flags.DEFINE_string("out", "table1.json", "Where the record goes.")
PAGE = flags.DEFINE_string("page", None, "A Markdown page whose tables are replaced.")


def main(_):
    there = before(OUT.value)
    parts = {name: gathered(there.get(name), GIVEN[name].value) for name in SETTINGS}
    parts = {name: part for name, part in parts.items() if part["runs"]}
    record = {"table": 1, "machine": machine(1)}
    record |= {name: {"what": SETTINGS[name], **part} for name, part in parts.items()}
    tables = {name: report.markdown(by_data(part["rows"])) for name, part in parts.items()}
    publish(record, tables, OUT.value, PAGE.value)


def gathered(there, paths):
    """The runs of a setting that are in the record and in files, and the rows that they make.

    Args:
        there: What the record has of the setting, or `None`.
        paths: Of what `bms_keras.tables` wrote.
    """
    keys = "commit", "versions", "rows", "runs"
    parts = [part for part in (there, *(read(path, *keys) for path in paths)) if part]
    return {"versions": parts[-1]["versions"] if parts else {}, **joined(parts)}


def by_data(rows):
    """The rows on Grid, then those on Ring, each in the order of the table."""
    return sorted(rows, key=lambda row: row["data"])


if __name__ == "__main__":
    app.run(main)
