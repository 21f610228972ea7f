"""The methods on Grid and Ring at an equal budget: steps, batch, networks, number of trials.

    KERAS_BACKEND=jax python benchmarks/rivals2d.py --jobs=2

Every method gets four settings on each data set: that of the config, lower rates, and two of its
own. Each is tried for `--trial_steps` on a seed of its own; the best, by high quality times the
share of the modes, is then trained for `--steps` on three new seeds. What has been run is not
repeated. The trials go to `results/rivals2d_trials.json`, the results to `results/rivals2d.json`
and, beside the paper's figures, to the screen.

The config itself was found for `bms_vae_gan` (see the README): this favours the hybrids and SN-GAN,
and is why lower rates and other weights are tried for all.
"""

import json
import os
import pathlib
import subprocess
import sys

from absl import app, flags
from report import spread

ROOT = pathlib.Path(__file__).parent.parent
JOBS = flags.DEFINE_integer("jobs", 1, "Runs at a time.")
STEPS = flags.DEFINE_integer("steps", 10_000, "Steps of the runs that count.")
TRIAL_STEPS = flags.DEFINE_integer("trial_steps", 2000, "Steps of a trial.")
RUNS = flags.DEFINE_string("runs", "runs/rivals2d", "Folder of the workdirs.")
OUT = flags.DEFINE_string("out", str(ROOT / "results"), "Folder of the results.")
TRIAL_SEED, SEEDS = "500", "2000,2001,2002"
MODES = {"grid": 25, "ring": 8}

_BASE = "", "optimizer.learning_rate=1e-3+optimizer.image_critic_learning_rate=3e-4"
_LAMBDA = "objective.lambda_=1", "objective.lambda_=12"
_RATES = (
    "optimizer.learning_rate=1e-3+optimizer.image_critic_learning_rate=1e-3",
    "optimizer.learning_rate=1e-3+optimizer.image_critic_learning_rate=3e-3",
)
TRIALS = {  # fields of the config, joined by "+"
    "bms_vae_gan": (*_BASE, *_LAMBDA),
    "alpha_gan_sn": (*_BASE, *_LAMBDA),
    "alpha_gan": (*_BASE, *_LAMBDA),
    "alpha_gan_gp": (*_BASE, "objective.gradient_penalty=0.1", "objective.gradient_penalty=0.001"),
    "bms_vae": (*_BASE, "objective.lambda_=40", "objective.lambda_=400"),
    "wae": (*_BASE, "objective.lambda_=40", "objective.lambda_=400"),
    "wae_gan": (*_BASE, "objective.lambda_=40", "objective.lambda_=400"),
    "dcgan": (*_BASE, *_RATES),
    "sn_gan": (*_BASE, *_RATES),
    "wgan_gp": (*_BASE, "objective.gradient_penalty=0.1", "objective.gradient_penalty=0.001"),
    "gdpp_gan": (*_BASE, *_RATES),
    "md_gan": (*_BASE, *_RATES),
    "dist_gan": (*_BASE, "objective.gradient_penalty=0.1", "objective.gradient_penalty=0.001"),
    "veegan": (*_BASE, "objective.latent_weight=10", _RATES[0]),
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


def compare(rows, seeds, steps, name):
    """Runs `compare.py`; returns its records."""
    out = pathlib.Path(OUT.value) / f"{name}.json"
    command = [sys.executable, str(ROOT / "benchmarks/compare.py"), f"--rows={','.join(rows)}"]
    command += [f"--seeds={seeds}", f"--train=steps={steps},eval_every=0", "--eval=--metrics=modes"]
    command += [f"--jobs={JOBS.value}", f"--runs={RUNS.value}/{name}", f"--out={out}"]
    subprocess.run(command, check=True, env=os.environ)
    return json.loads(out.read_text())["runs"]


def row(data, method, options):
    return f"{data}:{method}" + (f"+{options}" if options else "")


def score(record):
    return record["high_quality_percent"] * record["modes"] / MODES[record["data"]]


def main(_):
    games = [(data, method) for data in MODES for method in TRIALS]
    rows = [row(*game, options) for game in games for options in TRIALS[game[1]]]
    trials = compare(rows, TRIAL_SEED, TRIAL_STEPS.value, "rivals2d_trials")
    best = {}
    for trial in sorted(trials, key=score):
        best[trial["data"], trial["method"]] = "+".join(trial["options"].split())
    records = compare([row(*game, best[game]) for game in games], SEEDS, STEPS.value, "rivals2d")
    print(table(records))


def table(records):
    """Ours beside the paper's, as Markdown."""
    lines = ["| data | method | modes | HQ % | mode KL | spread ratio | s | paper: modes | HQ % |"]
    lines.append("| --- " * 9 + "|")
    columns = ("modes", "high_quality_percent", "mode_kl", "spread_ratio", "train_seconds")
    for data, method in [(data, method) for data in MODES for method in TRIALS]:
        group = [r for r in records if (r["data"], r["method"]) == (data, method)]
        title = " ".join([method, *group[0]["options"].split()])
        cells = [spread([record[column] for record in group]) for column in columns]
        lines.append(f"| {' | '.join([data, title, *cells, *PAPER.get((data, method), '  ')])} |")
    return "\n".join(lines)


if __name__ == "__main__":
    app.run(main)
