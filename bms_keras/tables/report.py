"""The results of a table: a JSON object, a Markdown table and pictures."""

import os
import pathlib
import platform
import subprocess

import keras
import numpy as np

from bms_keras.backends.versions import versions as versions_of
from bms_keras.metrics import modes
from bms_keras.monitoring import drawings, image_grids
from bms_keras.runs import evaluation
from bms_keras.runs.workdir import Workdir
from bms_keras.tables.jobs import PRIOR

COLUMNS = {  # titles of the numbers that the package measures, by what their names begin with
    "modes": "modes",
    "high_quality_percent": "HQ %",
    "spread_ratio": "spread ratio",
    "mode_kl": "mode KL",
    "stacked_modes": "modes",
    "stacked_kl": "KL",
    "fid": "FID",
    "kid": "KID",
    "ivom": "IvOM in [-1, 1]",
    "ivom_unit": "IvOM in [0, 1]",
    "lpips_diversity": "LPIPS diversity",
    "latent_auc": "latent AUC",
    "latent_missed_percent": "p(z) missed %",
    "sampler_acceptance": "acceptance",
    "sampler_scale": "scale",
}
DIFFERENCES = {  # from a perfect sampler, beside a number: their titles
    "high_quality_percent": "HQ - 98.9",
    "spread_ratio": "spread - 1",
}
BESIDE = ("_error", "_late_fall", "_images", "_starts", "_steps", "_data")  # what they end in
UNSHOWN = (
    *("sliced_wasserstein", "latent_accuracy", "latent_mmd", "stacked_classifier_percent"),
    *("mode_samples", "sampler_points", "sampler_size", "sampler_ratio_loss"),
    *("std", "obstacles"),
)
NO_NUMBERS = ("samples", "seed", "step")  # of a record, which a row has otherwise


def results(rows, records, **budget):
    """All that is kept of a table.

    Args:
        rows: The table's rows; one several times, where several samplers draw.
        records: A list of records (dictionaries of numbers) for each row, one a seed; it may be
            empty.
        **budget: What else is to be kept: the table, steps.

    Returns:
        Dictionary: `rows`, each with method, data, options, sampler, seeds, steps, the paper's
        figures and for each number its mean and, as NAME_std, the deviation over the seeds (`std`
        is that of the high quality), or as `obstacle` why there is none; `runs`, the records; the
        commit and the versions.
    """
    return {
        **budget,
        "commit": commit(),
        "versions": versions(),
        "cores": os.cpu_count(),
        "rows": [row_of(row, found) for row, found in zip(rows, records, strict=True) if found],
        "runs": [
            {"data": row.config, "options": row.options, **record}
            for row, found in zip(rows, records, strict=True)
            for record in found
        ],
    }


def row_of(row, records):
    """The mean and the deviation of a row's records, without those of which there is no number."""
    numbers = {"method": row.method, "data": row.config, "options": row.options}
    numbers["sampler"] = records[0].get("sampler") or PRIOR
    numbers["samples"] = records[0]["samples"]
    obstacles = [record["obstacle"] for record in records if "obstacle" in record]
    numbers |= {"obstacle": obstacles[0], "obstacles": len(obstacles)} if obstacles else {}
    records = [record for record in records if "obstacle" not in record]
    numbers["steps"] = sorted({record["step"] for record in records})
    numbers["seeds"] = [record["seed"] for record in records]
    for key in records[0] if records else ():
        values = [record.get(key) for record in records]
        if key in NO_NUMBERS or not all(type(value) in (int, float) for value in values):
            continue
        numbers[key] = float(np.mean(values))
        if len(values) > 1:
            numbers[f"{key}_std"] = float(np.std(values, ddof=1))
    if "high_quality_percent_std" in numbers:
        numbers["std"] = numbers["high_quality_percent_std"]
    return numbers | {"paper": dict(row.paper)}


def markdown(rows, whose="paper"):
    """A Markdown table of what `row_of` returns, mean ± deviation, and the paper's figures.

    Args:
        rows: List of dictionaries. Where a sampler draws, a column names it, others have the
            differences from a perfect sampler. Where rows differ in their steps, a column has them.
        whose: What the titles of the figures that stand beside ours begin with.

    Returns:
        Text without a line break at its end.
    """
    keys = sorted({key for row in rows for key in row if _shown(key, row)}, key=_place)
    sampled = any(row.get("sampler", PRIOR) != PRIOR for row in rows)
    printed = [start for start in COLUMNS if any(start in row["paper"] for row in rows)]
    steps = [", ".join(f"{n:,}" for n in row.get("steps", ())) for row in rows]
    differ = len({*filter(None, steps)}) > 1
    titles = ["data", "method", *["sampler"] * sampled, *["steps"] * differ, "seeds"]
    titles += [title for key in keys for title in _columns(key, sampled)]
    titles += [f"{whose}: {COLUMNS[start]}" for start in printed]
    lines = [titles, ["---"] * len(titles)]
    for row, length in zip(rows, steps, strict=True):
        options = [each for each in row["options"].split() if not each.startswith("samples=")]
        title = " ".join([row["method"], f"T={row['samples']}", *options])
        cells = [row["data"], title, *[row.get("sampler", PRIOR)] * sampled]
        cells += [*[length] * differ, str(len(row["seeds"]))]
        cells += [cell for key in keys for cell in _columns(key, sampled, row)]
        lines.append(cells + [row["paper"].get(start, "") for start in printed])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _columns(key, sampled, row=None):
    """A number's title, or its cell in a row; where samplers draw, its difference from that of a
    perfect one in a second column."""
    differs = sampled and key in DIFFERENCES
    if row is None:
        return [_title(key), *[DIFFERENCES.get(key)] * differs]
    mean = row.get(key)
    if mean is None:
        return [""] * (1 + differs) if row["seeds"] else ["n/a"] * (1 + differs)
    difference = f"{mean - modes.PERFECT.get(key, 0):+.3g}"
    return [_spread(mean, row.get(f"{key}_std")), *[difference] * differs]


def draw(runs, names, folder, prefix):
    """Draws runs on the same data side by side: all that their drawing's `of_comparison` draws.

    Args:
        runs: Dictionary from a column's title to a workdir.
        names: The metrics that were asked for.
        folder: Where the PNGs go.
        prefix: What their names begin with.

    Returns:
        The paths that were written.
    """
    models, data = {}, None
    for title, path in runs.items():
        _, built, _ = evaluation.load(Workdir(path))
        models[title], data = built.model, built.data
    # The first model decides whether latents are drawn.
    models = dict(sorted(models.items(), key=lambda item: not item[1].has_posterior))
    drawn, _ = drawings.of_comparison(models, data, names)
    paths = []
    for name, picture in drawn.items():
        path = pathlib.Path(folder) / f"{prefix}_{name}.png"
        image_grids.write(path, picture)
        paths.append(path)
    return sorted(paths)


def commit():
    """The commit of the code that runs, with "+" if it has been changed since; None outside git."""
    git = ["git", "-C", str(pathlib.Path(__file__).parent)]
    run = lambda *a: subprocess.run([*git, *a], capture_output=True, text=True, check=True)  # noqa: E731
    try:
        changed = run("status", "--porcelain", "--untracked-files=no").stdout.strip()
        return run("rev-parse", "--short", "HEAD").stdout.strip() + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def versions():
    """Versions by name."""
    found = versions_of("bms_keras", "keras", keras.backend.backend(), "numpy")
    return {"python": platform.python_version(), **found}


def _title(key):
    """The title of a number's column; its own name if it is of a user's metric; `None` for none."""
    return COLUMNS.get(_start(key)) or (None if key in UNSHOWN else key)


def _start(key):
    """What the name of a number of the package's begins with, before the protocol; else ''."""
    starts = [name for name in COLUMNS if key == name or key.startswith(f"{name}_")]
    start = max(starts, key=len, default="")
    protocol = key[len(start) + 1 :]
    fits = not protocol or protocol[0].isdigit() or start.startswith("ivom")
    return start if fits else ""


def _shown(key, row):
    """Whether a row's number has a column: deviations and what stands beside another have none."""
    if type(row[key]) not in (int, float) or (_start(key) and key.endswith(BESIDE)):
        return False
    if key in NO_NUMBERS:
        return False
    return _title(key) is not None and not (key.endswith("_std") and key[:-4] in row)


def _place(key):
    """The package's numbers first, in the order of their columns."""
    columns = [*COLUMNS]
    return columns.index(_start(key)) if _start(key) else len(columns), key


def _spread(mean, deviation):
    return f"{mean:.4g}" if deviation is None else f"{mean:.4g} ± {deviation:.2g}"
