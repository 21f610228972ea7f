"""Measures the run in a workdir and draws the paper's tables 2 and 3."""

from bms_keras import checkpoint, experiment, metrics, plots
from bms_keras.errors import BadInput
from bms_keras.workdir import Workdir


def evaluate(workdir, names=(), compare=()):
    """Measures a run's newest checkpoint.

    Args:
        workdir: Path of the run's folder.
        names: Names of metrics; all that apply, if empty.
        compare: Paths of other runs on the same data, to draw beside this one.

    Returns:
        A dictionary: the numbers, and the method, step, samples and seed. It is also appended to
        the workdir's `metrics.jsonl`.

    Raises:
        BadInput: If there is no run or checkpoint, or a metric does not exist or apply.
    """
    functions = [metrics.get(name) for name in names]
    folder = Workdir(workdir)
    config, built, step = _load(folder)
    functions = functions or [metrics.get(n) for n in metrics.applicable(built.model, built.data)]
    record = {key: config[key] for key in ("method", "samples", "seed")} | {"step": step}
    for function in functions:
        record |= function(built.model, built.data)
    if hasattr(built.data, "means"):
        record |= _draw(folder, config, built, [Workdir(path) for path in compare])
    folder.log(record)
    return record


def _load(folder):
    config = folder.config()
    built = experiment.build(config)
    step = checkpoint.restore(built.model, folder.checkpoints)
    if not step:
        raise BadInput(f"{folder.checkpoints} holds no checkpoint: train first")
    return config, built, step


def _draw(folder, config, built, others):
    """Saves the pictures of tables 2 and 3; returns the share of table 3's red points."""
    models = {config.method: built.model}
    for other in others:
        other_config, other_built, _ = _load(other)
        if other_config.data.source != config.data.source:
            raise BadInput(
                f"{other.path} is a run on {other_config.data.source!r}, not on "
                f"{config.data.source!r}"
            )
        models[_title(other_config, models)] = other_built.model
    samples = {title: model.sample(metrics.SAMPLES_2D, seed=0) for title, model in models.items()}
    target = {"target": built.data.points(metrics.SAMPLES_2D)}
    plots.scatter(built.data, target | samples).savefig(folder.picture("table2"), dpi=150)
    encoders = {title: m for title, m in models.items() if "recognition" in m.networks}
    if config.method not in encoders:
        return {}
    figure, shares = plots.latent_space(built.data, encoders)
    figure.savefig(folder.picture("table3"), dpi=150)
    return {"latent_missed_percent": shares[config.method]}


def _title(config, taken):
    """The method's name; with the samples and the seed where that name is taken."""
    name = config.method
    return f"{name} T={config.samples} seed {config.seed}" if name in taken else name
