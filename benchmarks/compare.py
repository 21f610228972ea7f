"""Trains and measures methods by configs, over several seeds each, as a user would.

    python benchmarks/compare.py --rows=grid:bms_vae_gan,ring:sn_gan --out=results/modes2d.json
    python benchmarks/compare.py --out=results/gradient.json \\
        --rows=fashion_mnist:bms_vae_gan,fashion_mnist:bms_vae_gan+gradient=all \\
        --train=data.source=fashion_mnist.npz,steps=800 --eval=--metrics=fid

A row is a config, a method and fields set for that row alone; `--train` sets fields for all rows.
With `--jobs=2` two runs share the machine, with a core each. Runs that are done are not repeated,
so the command can be stopped and called again. The results go to `--out` as JSON (one record a
run) and to the screen as a Markdown table.
"""

import concurrent.futures
import itertools
import json
import os
import pathlib
import subprocess
import sys
import time

from absl import app, flags
from report import machine, spread

ROOT = pathlib.Path(__file__).parent.parent
ROWS = flags.DEFINE_list("rows", None, "CONFIG:METHOD or CONFIG:METHOD+FIELD=VALUE+..., by name.")
SEEDS = flags.DEFINE_list("seeds", ["1000", "1001", "1002", "1003", "1004"], "Seeds.")
TRAIN = flags.DEFINE_list("train", [], "FIELD=VALUE of the config, for all rows.")
EVAL = flags.DEFINE_multi_string("eval", [], "A flag of eval.py, such as --eval=--metrics=fid.")
JOBS = flags.DEFINE_integer("jobs", 1, "Runs at a time.")
RUNS = flags.DEFINE_string("runs", "runs/compare", "Folder of the workdirs.")
OUT = flags.DEFINE_string("out", None, "The results, as JSON; what is there already is kept.")
flags.mark_flags_as_required(["rows", "out"])

COLUMNS = {
    "modes": "modes",
    "high_quality_percent": "high quality %",
    "spread_ratio": "spread ratio",
    "mode_kl": "mode KL",
    "fid": "FID",
    "kid": "KID",
    "ivom": "IvOM",
    "lpips": "LPIPS diversity",
    "latent_auc": "latent AUC",
    "latent_missed_percent": "p(z) missed %",
    "train_seconds": "training, s",
}


def run(row, seed):
    """Trains and measures one run; returns its record."""
    config, *options = row.split("+")
    data, method = config.split(":")
    workdir = pathlib.Path(RUNS.value) / f"{row.replace(':', '_')}_{seed}"
    trained, done = workdir / "seconds.txt", workdir / "record.json"
    if done.exists():
        return json.loads(done.read_text())
    print(f"{workdir} ...", flush=True)
    if not trained.exists():
        started = time.time()
        fields = [f"--config.{field}" for field in (f"seed={seed}", *TRAIN.value, *options)]
        python(["train.py", f"--config={ROOT}/configs/{data}.py:{method}", *fields], workdir)
        trained.write_text(str(round(time.time() - started)))
    record = json.loads(python(["eval.py", *EVAL.value], workdir).splitlines()[-1])
    names = {"data": data, "options": " ".join(options)}
    record = names | record | {"train_seconds": int(trained.read_text())}
    done.write_text(json.dumps(record))
    return record


def python(arguments, workdir):
    command = [sys.executable, str(ROOT / arguments[0]), *arguments[1:], f"--workdir={workdir}"]
    workdir.mkdir(parents=True, exist_ok=True)
    with (workdir / "log.txt").open("a") as log:
        return subprocess.run(
            command, check=True, text=True, stdout=subprocess.PIPE, stderr=log
        ).stdout


def table(records):
    """A Markdown table of mean +- standard deviation over the seeds."""
    columns = {
        key: title
        for start, title in COLUMNS.items()
        for key in dict.fromkeys(key for record in records for key in record)
        if key == start or (key.startswith(f"{start}_") and key.split("_")[1].isdigit())
    }
    lines = [
        "| data | method | seeds | " + " | ".join(columns.values()) + " |",
        "| --- | --- | --- | " + " | ".join("---" for _ in columns) + " |",
    ]
    for (data, method, samples, options), group in itertools.groupby(
        sorted(records, key=_row), _row
    ):
        group = list(group)
        cells = [spread([record.get(column) for record in group]) for column in columns]
        title = " ".join([f"{method} T={samples}", *options.split()])
        lines.append(f"| {data} | {title} | {len(group)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _row(record):
    return record["data"], record["method"], record["samples"], record.get("options", "")


def main(_):
    out = pathlib.Path(OUT.value)
    known = json.loads(out.read_text())["runs"] if out.exists() else []
    records = {(*_row(record), record["seed"]): record for record in known}
    if JOBS.value > 1:
        os.environ["TF_NUM_INTRAOP_THREADS"] = "1"
    out.parent.mkdir(parents=True, exist_ok=True)
    seeds_first = itertools.product(SEEDS.value, ROWS.value)
    with concurrent.futures.ThreadPoolExecutor(JOBS.value) as pool:
        for record in pool.map(lambda job: run(job[1], job[0]), seeds_first):
            records[(*_row(record), record["seed"])] = record
            ordered = [records[key] for key in sorted(records)]
            out.write_text(
                json.dumps({"machine": machine(JOBS.value), "runs": ordered}, indent=1) + "\n"
            )
    print(table(list(records.values())))


if __name__ == "__main__":
    app.run(main)
