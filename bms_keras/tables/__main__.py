"""Trains and measures a table of the paper: `python -m bms_keras.tables --table=1 --seeds=5`.

    python -m bms_keras.tables --table=1 --seeds=5 --jobs=2 --workdir=runs/table1
    python -m bms_keras.tables --table=6 --seeds=3 --steps=2000 --data=cifar10.npz \\
        --workdir=runs/table6
    python -m bms_keras.tables --table=stacked --data=stacked_mnist:mnist.npz --workdir=runs/stacked
    python -m bms_keras.tables --rows=grid:bms_vae_gan,grid:bms_vae_gan+samples=1 --workdir=runs/t
    python -m bms_keras.tables --table=1 --metrics=modes --mode_samples=100000 \\
        --samplers=none,likelihood,likelihood+rejection --workdir=runs/table1

Each run has a folder in the workdir, with a checkpoint now and then: stopped or killed, the same
command goes on where it was, and what is done is not done again. `table1.json` (or `--out`) holds
the results so far after every run, `table1.md` beside it the table with the paper's figures, and
PNGs the pictures: on 2D data tables 2 and 3, of images samples and table 5. A run's folder is
CONFIG_METHOD_SEED, and what it says goes to `log.txt` there.

`--rows` takes rows of one's own: CONFIG:METHOD, with +FIELD=VALUE for each field to set. CONFIG is
one of this package, or one of your own in this folder.

`--samplers` measures the runs of the workdir again by each sampler (`eval.py --list` has them; none
is G(z)), and adds the differences from a perfect sampler; what is trained is not trained again. The
metrics' options (`--mode_samples`, `--generated`, ...) hold for what is measured, not for the runs.
"""

import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

try:
    from bms_keras import files, metrics
    from bms_keras.runs import cli
    from bms_keras.tables import jobs, registry, report, runs
except ImportError as error:
    sys.exit(f"tables: {error}")
from absl import flags

from bms_keras.errors import BadInput

sys.argv[0] = "tables"  # how errors begin, and by which --help knows these flags
OPTIONS = cli.define_options()  # of the metrics, each in place of the runs' own
TABLE = flags.DEFINE_enum(
    "table", None, [*map(str, registry.TABLES)], "The paper's table, 1 to 9, or stacked."
)
ROWS = flags.DEFINE_list("rows", [], "CONFIG:METHOD or CONFIG:METHOD+FIELD=VALUE+..., instead.")
ONLY = flags.DEFINE_list("only", [], "Of a table, these methods, configs or titles alone.")
METRICS = flags.DEFINE_list("metrics", [], "Metrics, in place of the table's.")
SAMPLERS = flags.DEFINE_list("samplers", [jobs.PRIOR], "What draws the samples, each in a row.")
POINTS = flags.DEFINE_integer("sampler_points", 10_000, "Data points that one is fitted to.", 20)
SEEDS = flags.DEFINE_integer("seeds", 5, "Runs of each row.", 1)
FIRST_SEED = flags.DEFINE_integer("first_seed", 1000, "The first run's seed; the rest follow.", 0)
STEPS = flags.DEFINE_integer("steps", None, "Steps of all runs, in place of the configs'.", 1)
FIELDS = flags.DEFINE_list("fields", [], "FIELD=VALUE of the config, for all rows.")
DATA = flags.DEFINE_string("data", None, "data.source of all rows: an .npz, a folder, tfds:NAME.")
JOBS = flags.DEFINE_integer("jobs", 1, "Runs at a time, with a core each.", 1)
WORKDIR = flags.DEFINE_string("workdir", None, "The folder of the runs.")
OUT = flags.DEFINE_string("out", None, "The results; WORKDIR/tableN.json, if not given.")
flags.mark_flag_as_required("workdir")


def _number():
    """The table that is asked for, as the registry has it; `None` for rows of one's own."""
    return next((name for name in registry.TABLES if str(name) == TABLE.value), None)


def table_asked():
    """The table of the flags, as (name, rows, metrics, fields for all rows)."""
    fields = jobs.fields_of(FIELDS.value)
    fields |= {"steps": STEPS.value} if STEPS.value else {}
    fields |= {"data.source": DATA.value} if DATA.value else {}
    if bool(ROWS.value) == (TABLE.value is not None):
        raise BadInput("either --table or --rows is needed")
    if ROWS.value:
        return "rows", [row_asked(text) for text in ROWS.value], METRICS.value or ["modes"], fields
    table = registry.TABLES[_number()]
    print(f"table {TABLE.value}: {table.summary}", flush=True)
    rows = [
        row
        for row in table.rows
        if not ONLY.value or {row.method, row.config, row.title} & {*ONLY.value}
    ]
    fields = {f"protocol.{name}": value for name, value in table.protocol.items()} | fields
    return f"table{TABLE.value}", rows, METRICS.value or table.metrics, fields


def row_asked(text):
    """A row of `--rows`."""
    first, *fields = text.split("+")
    config, _, method = first.partition(":")
    return registry.Row(config, method or "bms_vae_gan", jobs.fields_of(fields))


def jobs_asked(folder, rows, fields, names):
    """The runs of the rows, by the row's name and the seed.

    Raises:
        BadInput: If one does not fit, before anything is trained.
    """
    options = {name: flag.value for name, flag in OPTIONS.items() if flag.value is not None}
    how = {"samplers": tuple(SAMPLERS.value), "points": POINTS.value, "options": options}
    asked = {
        (row.name, seed): jobs.job(folder, row, fields, seed, names, **how)
        for seed in seeds()
        for row in rows
    }
    for job in asked.values():
        job.full_config()
        for sampler in job.samplers:
            job.obstacle(sampler)  # refuses one that there is none of
    for metric in names:
        metrics.get(metric)
    return asked


def seeds():
    """The runs' seeds."""
    return range(FIRST_SEED.value, FIRST_SEED.value + SEEDS.value)


def main():
    name, rows, names, fields = table_asked()
    folder = files.expanded(WORKDIR.value, "--workdir")
    asked = jobs_asked(folder, rows, fields, names)
    sampled = SAMPLERS.value != [jobs.PRIOR]
    name += "_samplers" * sampled
    out = files.expanded(OUT.value or folder / f"{name}.json", "--out")
    out.parent.mkdir(parents=True, exist_ok=True)
    found, lines = {}, [(row, sampler) for row in rows for sampler in SAMPLERS.value]
    for job, records in runs.play(list(asked.values()), JOBS.value):
        found[job] = records
        for record in records.values():
            print(f"{len(found)} of {len(asked)}: {job.folder}: {json.dumps(record)}", flush=True)
        of_row = lambda row: filter(found.get, (asked[row.name, seed] for seed in seeds()))  # noqa: E731
        records = [[found[job][sampler] for job in of_row(row)] for row, sampler in lines]
        kept = report.results([row for row, _ in lines], records, table=_number(), fields=fields)
        files.write_atomically(out, (json.dumps(kept, indent=1) + "\n").encode())
    table = registry.TABLES.get(_number(), registry.Table("", (), ()))
    text = "\n\n".join(filter(None, [report.markdown(kept["rows"], table.whose), table.note]))
    files.write_atomically(out.with_suffix(".md"), f"{text}\n".encode())
    if not sampled:  # else they are those of the runs' own table
        draw(rows, asked, names, out)
    print(text)


def draw(rows, asked, names, out):
    """The pictures of the first seed's runs, of each config."""
    for config in dict.fromkeys(row.config for row in rows):
        of_config = [row for row in rows if row.config == config]
        paths = {row.title: asked[row.name, seeds()[0]].folder for row in of_config}
        report.draw(paths, names, out.parent, f"{out.stem}_{config}")


def stoppable():
    """`main`, which SIGTERM and Ctrl-C end without a traceback."""
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("tables: stopped; the same command goes on")


if __name__ == "__main__":
    cli.run(stoppable)
