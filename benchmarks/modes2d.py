"""Trains and measures methods on Grid and Ring with their default configs, several seeds each.

    python benchmarks/modes2d.py --methods=bms_vae_gan,alpha_gan_sn --seeds=1000,1001,1002

With `--jobs=2` two runs share the machine, with a core each. Runs that are done are not repeated,
so the command can be stopped and called again. The results go to `--out` as JSON (one record a
run) and to the screen as a Markdown table.
"""

import concurrent.futures
import itertools
import json
import os
import pathlib
import platform
import subprocess
import sys
import time

import numpy as np
from absl import app, flags

ROOT = pathlib.Path(__file__).parent.parent
DATA = flags.DEFINE_list("data", ["grid", "ring"], "Configs by name.")
METHODS = flags.DEFINE_list("methods", ["bms_vae_gan"], "Methods by name.")
SEEDS = flags.DEFINE_list("seeds", ["1000", "1001", "1002", "1003", "1004"], "Seeds.")
JOBS = flags.DEFINE_integer("jobs", 1, "Runs at a time.")
RUNS = flags.DEFINE_string("runs", "runs/modes2d", "Folder of the workdirs.")
OUT = flags.DEFINE_string("out", str(ROOT / "results" / "modes2d.json"), "The results, as JSON.")

COLUMNS = {
    "modes": "modes",
    "high_quality_percent": "high quality %",
    "spread_ratio": "spread ratio",
    "mode_kl": "mode KL",
    "sliced_wasserstein": "sliced W1",
    "latent_auc": "latent AUC",
    "latent_missed_percent": "p(z) missed %",
    "train_seconds": "training, s",
}


def run(data, method, seed):
    """Trains and measures one run; returns its record."""
    workdir = pathlib.Path(RUNS.value) / f"{data}_{method}_{seed}"
    done = workdir / "record.json"
    if done.exists():
        return json.loads(done.read_text())
    print(f"{workdir} ...", flush=True)
    started = time.time()
    python(
        ["train.py", f"--config={ROOT}/configs/{data}.py:{method}", f"--config.seed={seed}"],
        workdir,
    )
    seconds = time.time() - started
    record = json.loads(python(["eval.py"], workdir).splitlines()[-1])
    record = {"data": data, **record, "train_seconds": round(seconds)}
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
    lines = [
        "| data | method | seeds | " + " | ".join(COLUMNS.values()) + " |",
        "| --- | --- | --- | " + " | ".join("---" for _ in COLUMNS) + " |",
    ]
    key = lambda record: (record["data"], record["method"], record["samples"])  # noqa: E731
    for (data, method, samples), group in itertools.groupby(sorted(records, key=key), key):
        group = list(group)
        cells = []
        for column in COLUMNS:
            values = [record[column] for record in group if record.get(column) is not None]
            cell = f"{np.mean(values):.4g}" if values else ""
            cells.append(f"{cell} ± {np.std(values):.2g}" if len(values) > 1 else cell)
        lines.append(f"| {data} | {method} T={samples} | {len(group)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main(_):
    out = pathlib.Path(OUT.value)
    known = json.loads(out.read_text())["runs"] if out.exists() else []
    identity = lambda r: (r["data"], r["method"], r["samples"], r["seed"])  # noqa: E731
    records = {identity(record): record for record in known}
    if JOBS.value > 1:
        os.environ["TF_NUM_INTRAOP_THREADS"] = "1"
    seeds_first = itertools.product(SEEDS.value, DATA.value, METHODS.value)
    machine = f"{os.cpu_count()} cores, {JOBS.value} runs at a time, {platform.machine()}"
    out.parent.mkdir(parents=True, exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(JOBS.value) as pool:
        for record in pool.map(lambda job: run(job[1], job[2], job[0]), seeds_first):
            records[identity(record)] = record
            ordered = [records[key] for key in sorted(records)]
            out.write_text(json.dumps({"machine": machine, "runs": ordered}, indent=1) + "\n")
    print(table(list(records.values())))


if __name__ == "__main__":
    app.run(main)
