"""The methods on Grid and Ring at an equal budget: steps, batch, networks, number of trials.

    KERAS_BACKEND=jax python benchmarks/rivals2d.py --jobs=2 --workdir=runs/rivals

Every method gets four settings: that of the config, lower rates, and two of its own. Each is tried
for `--trial_steps` on Ring, on a seed of its own (as many steps on Grid tell nothing yet); the
best, by high quality times the share of the modes, is then trained for `--steps` on three new seeds
on both. What has been run is not repeated, so the command can be stopped and called again (see
`bms_keras.tables`). The trials go to `results/rivals2d_trials.json`, the results to
`results/rivals2d.json` and, beside the paper's figures, to the screen.

The config itself was found for `bms_vae_gan` (results/relu.md): this favours the hybrids and
SN-GAN, and is why lower rates and other weights are tried for all.
"""

import json
import os
import pathlib
import sys

from absl import app, flags

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))  # configs/ is no package to install

from bms_keras.tables import registry, report, runs

JOBS = flags.DEFINE_integer("jobs", 1, "Runs at a time.")
STEPS = flags.DEFINE_integer("steps", 6000, "Steps of the runs that count.")
TRIAL_STEPS = flags.DEFINE_integer("trial_steps", 4000, "Steps of a trial.")
WORKDIR = flags.DEFINE_string("workdir", "runs/rivals", "Folder of the runs.")
OUT = flags.DEFINE_string("out", "results", "Folder of the results.")
TRIAL_SEED, SEEDS = 500, (2000, 2001, 2002)
MODES = {"grid": 25, "ring": 8}
PAPER = {(row.config, row.method): row.paper for row in registry.TABLES[1].rows}


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
    "bms_vae": (*_BASE, *_each("lambda_", 4.0, 400.0)),
    "wae": (*_BASE, *_each("lambda_", 4.0, 400.0)),
    "wae_gan": (*_BASE, *_each("lambda_", 4.0, 400.0)),
    "dcgan": (*_BASE, *_RATES),
    "sn_gan": (*_BASE, *_RATES),
    "wgan_gp": (*_BASE, *_each("gradient_penalty", 0.1, 0.001)),
    "gdpp_gan": (
        *_BASE,
        *({"objective.diversity_weight": weight, **_RATES[0]} for weight in (0.1, 0.01)),
    ),
    "md_gan": (*_BASE, *_RATES),
    "dist_gan": (*_BASE, *_each("gradient_penalty", 0.1, 0.001)),
    # 10 and 100 of the mean over 32 dimensions that the term was when these were run.
    "veegan": (*_BASE, *_each("latent_weight", 0.625, 6.25)),
}


def played(rows, seeds, steps, name):
    """The records of rows, a list of one a seed for each; they are written to a file, too."""
    jobs = [
        runs.job(WORKDIR.value, row, {"steps": steps, "checkpoint_every": steps}, seed, ("modes",))
        for seed in seeds
        for row in rows
    ]
    found = {job: record for job, record in runs.play(jobs, JOBS.value)}
    records = [[found[job] for job in jobs[i :: len(rows)]] for i in range(len(rows))]
    results = report.results(rows, records, trial_steps=TRIAL_STEPS.value)
    path = pathlib.Path(OUT.value) / f"{name}.json"
    path.write_text(json.dumps(results, indent=1) + "\n")
    return results


def score(row):
    return row["high_quality_percent"] * row["modes"] / MODES[row["data"]]


def main(_):
    settings = [(method, fields) for method, four in TRIALS.items() for fields in four]
    rows = [registry.Row("ring", *setting) for setting in settings]
    trials = played(rows, (TRIAL_SEED,), TRIAL_STEPS.value, "rivals2d_trials")["rows"]
    pairs = sorted(zip(trials, settings, strict=True), key=lambda pair: score(pair[0]))
    best = {method: fields for _, (method, fields) in pairs}
    rows = [
        registry.Row(data, method, best[method], PAPER.get((data, method), {}))
        for data in MODES
        for method in TRIALS
    ]
    print(report.markdown(played(rows, SEEDS, STEPS.value, "rivals2d")["rows"]))


if __name__ == "__main__":
    app.run(main)
