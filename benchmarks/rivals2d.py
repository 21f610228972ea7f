"""The methods on Grid and Ring at an equal budget: steps, batch, networks, number of trials.

    KERAS_BACKEND=jax python benchmarks/rivals2d.py --jobs=2

Every method gets four settings: that of the config, lower rates, and two of its own. Each is tried
for `--trial_steps` on Ring, on a seed of its own (as many steps on Grid tell nothing yet); the
best, by high quality times the share of the modes, is then trained for `--steps` on three new seeds
on both. What has been run is not repeated, so the command can be stopped and called again. The
trials go to `results/rivals2d_trials.json`, the results to `results/rivals2d.json` and, beside the
paper's figures, to the screen.

The config itself was found for `bms_vae_gan` (see the README): this favours the hybrids and SN-GAN,
and is why lower rates and other weights are tried for all.
"""

import importlib
import json
import multiprocessing
import os
import pathlib
import sys
import time

from absl import app, flags
from report import machine, spread

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = pathlib.Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # configs/ is no package to install
JOBS = flags.DEFINE_integer("jobs", 1, "Runs at a time.")
STEPS = flags.DEFINE_integer("steps", 6000, "Steps of the runs that count.")
TRIAL_STEPS = flags.DEFINE_integer("trial_steps", 4000, "Steps of a trial.")
OUT = flags.DEFINE_string("out", str(ROOT / "results"), "Folder of the results.")
TRIAL_SEED, SEEDS = 500, (2000, 2001, 2002)
MODES = {"grid": 25, "ring": 8}


def _rates(generator, image_critic):
    names = "optimizer.learning_rate", "optimizer.image_critic_learning_rate"
    return dict(zip(names, (generator, image_critic), strict=True))


def _each(field, *values):
    return [{f"objective.{field}": value} for value in values]


_BASE = {}, _rates(1e-3, 3e-4)
_RATES = _rates(1e-3, 1e-3), _rates(1e-3, 3e-3)
TRIALS = {  # fields of the config
    "bms_vae_gan": (*_BASE, *_each("lambda_", 1.0, 12.0)),
    "alpha_gan_sn": (*_BASE, *_each("lambda_", 1.0, 12.0)),
    "alpha_gan": (*_BASE, *_each("lambda_", 1.0, 12.0)),
    "alpha_gan_gp": (*_BASE, *_each("gradient_penalty", 0.1, 0.001)),
    "bms_vae": (*_BASE, *_each("lambda_", 40.0, 400.0)),
    "wae": (*_BASE, *_each("lambda_", 40.0, 400.0)),
    "wae_gan": (*_BASE, *_each("lambda_", 40.0, 400.0)),
    "dcgan": (*_BASE, *_RATES),
    "sn_gan": (*_BASE, *_RATES),
    "wgan_gp": (*_BASE, *_each("gradient_penalty", 0.1, 0.001)),
    "gdpp_gan": (
        *_BASE,
        *({"objective.diversity_weight": weight, **_RATES[0]} for weight in (0.1, 0.01)),
    ),
    "md_gan": (*_BASE, *_RATES),
    "dist_gan": (*_BASE, *_each("gradient_penalty", 0.1, 0.001)),
    "veegan": (*_BASE, *_each("latent_weight", 10.0, 100.0)),
}
PAPER = {  # table 1: modes and % of high quality
    ("grid", "veegan"): ("24.6", "40"),
    ("grid", "gdpp_gan"): ("24.8", "68.5"),
    ("grid", "sn_gan"): ("23.8 ± 1.5", "90.9 ± 4.0"),
    ("grid", "md_gan"): ("25", "99.3 ± 2.2"),
    ("grid", "wae"): ("25", "65.4 ± 3.8"),
    ("grid", "alpha_gan"): ("25", "70.5 ± 4.2"),
    ("grid", "bms_vae_gan"): ("25", "99.7 ± 0.2"),
    ("ring", "veegan"): ("8", "52.9"),
    ("ring", "gdpp_gan"): ("8", "71.7"),
    ("ring", "sn_gan"): ("6.8 ± 1.1", "86.6 ± 9.7"),
    ("ring", "md_gan"): ("8", "89.0 ± 3.6"),
    ("ring", "wae"): ("8", "35.8 ± 4.7"),
    ("ring", "alpha_gan"): ("8", "83.6 ± 5.3"),
    ("ring", "bms_vae_gan"): ("8", "99.6 ± 0.3"),
}


def run(job):
    """Trains and measures; returns a record."""
    from bms_keras import experiment, metrics  # after the start of a process of its own

    data, method, fields, seed, steps = job
    config = importlib.import_module(f"configs.{data}").get_config(method)
    config.update_from_flattened_dict(fields)
    config.update(seed=seed, steps=steps)
    started = time.time()
    built = experiment.build(config)
    batches = built.data.batches(0, steps)
    epoch = min(1000, steps)
    built.model.fit(batches, steps_per_epoch=epoch, epochs=steps // epoch, verbose=0)
    record = {"data": data, "method": method, "samples": config.samples, "fields": fields}
    record |= {"seed": seed, "steps": steps}
    record |= metrics.measure(("modes",), built.model, built.data, config.protocol)
    return record | {"train_seconds": round(time.time() - started)}


def pin(count):
    """Gives a process one core: threads that wait for each other cost more than they bring."""
    cores = sorted(os.sched_getaffinity(0))
    with count.get_lock():
        os.sched_setaffinity(0, {cores[count.value % len(cores)]})
        count.value += 1


def done(jobs, name):
    """The records of jobs, of which those that are missing are run."""
    out = pathlib.Path(OUT.value) / f"{name}.json"
    records = json.loads(out.read_text())["runs"] if out.exists() else []
    there = [[r[key] for key in ("data", "method", "fields", "seed", "steps")] for r in records]
    missing = [job for job in jobs if list(job) not in there]
    # A process for a few runs: compiled programs pile up.
    context = multiprocessing.get_context("spawn")
    with context.Pool(JOBS.value, pin, (context.Value("i", 0),), maxtasksperchild=8) as pool:
        for record in pool.imap(run, missing):
            print(*record.values(), flush=True)
            records.append(record)
            results = {"machine": machine(JOBS.value), "runs": records}
            out.write_text(json.dumps(results, indent=1) + "\n")
    return records


def score(record):
    return record["high_quality_percent"] * record["modes"] / MODES[record["data"]]


def main(_):
    budget = TRIAL_SEED, TRIAL_STEPS.value
    settings = [(method, fields) for method, four in TRIALS.items() for fields in four]
    trials = done([("ring", *setting, *budget) for setting in settings], "rivals2d_trials")
    best = {trial["method"]: trial["fields"] for trial in sorted(trials, key=score)}
    jobs = [
        (data, method, fields, seed, STEPS.value)
        for seed in SEEDS
        for data in MODES
        for method, fields in best.items()
    ]
    print(table(done(jobs, "rivals2d")))


def table(records):
    """Ours beside the paper's, as Markdown."""
    lines = ["| data | method | modes | HQ % | mode KL | spread ratio | s | paper: modes | HQ % |"]
    lines.append("| --- " * 9 + "|")
    columns = ("modes", "high_quality_percent", "mode_kl", "spread_ratio", "train_seconds")
    for data, method in [(data, method) for data in MODES for method in TRIALS]:
        group = [r for r in records if (r["data"], r["method"]) == (data, method)]
        fields = [f"{name.split('.')[-1]}={value:g}" for name, value in group[0]["fields"].items()]
        title = " ".join([method, *fields])
        cells = [spread([record[column] for record in group]) for column in columns]
        lines.append(f"| {' | '.join([data, title, *cells, *PAPER.get((data, method), '  ')])} |")
    return "\n".join(lines)


if __name__ == "__main__":
    app.run(main)
