"""Measures the run in a workdir, and draws it, alone or beside others."""

from bms_keras import board, checkpoint, experiment, metrics, pictures
from bms_keras.errors import BadInput
from bms_keras.workdir import Workdir


def evaluate(workdir, names=(), compare=(), which="newest", **protocol):
    """Measures a checkpoint of a run.

    Args:
        workdir: Path of the run's folder.
        names: Names of metrics; all that apply, if empty.
        compare: Paths of other runs on the same data, to draw beside this one.
        which: Which checkpoint: "newest", "best" (by `config.best_by`) or a step.
        **protocol: Fields of `metrics.Protocol`, in place of the config's.

    Returns:
        A dictionary: the numbers, and the method, step, samples and seed. It is also appended to
        the workdir's `metrics.jsonl`.

    Raises:
        BadInput: If there is no run or checkpoint, or a metric does not exist or apply.
    """
    for name in names:
        metrics.get(name)
    folder = Workdir(workdir)
    config, built, step = _load(folder, which)
    names = names or metrics.applicable(built.model, built.data)
    record = {key: config[key] for key in ("method", "samples", "seed")} | {"step": step}
    measured = metrics.Protocol(**{**config.protocol, **protocol})
    numbers = metrics.measure(names, built.model, built.data, measured)
    board.evaluated(folder.tensorboard, numbers, step)
    record |= numbers
    models = {config.method: built.model}
    for path in compare:
        models |= _other(Workdir(path), config, models)
    drawn, shares = pictures.of_comparison(models, built.data, names)
    pictures.save(drawn, folder)
    folder.log(record | shares)
    return record | shares


def _load(folder, which="newest"):
    config = folder.config()
    built = experiment.build(config)
    manifest = checkpoint.restore(built.model, folder.checkpoints, config, which)
    if manifest is None:
        raise BadInput(f"{folder.checkpoints} holds no checkpoint: train first")
    return config, built, manifest["step"]


def _other(folder, config, taken):
    """The model of another run on the same data, by the title of its column."""
    other, built, _ = _load(folder)
    if other.data.to_dict() != config.data.to_dict():
        raise BadInput(
            f"{folder.path} is a run on {other.data.source!r}, not on {config.data.source!r}, or "
            "prepares it otherwise"
        )
    return {_title(other, taken): built.model}


def _title(config, taken):
    """The method's name; with the samples and the seed where that name is taken."""
    name = config.method
    return f"{name} T={config.samples} seed {config.seed}" if name in taken else name
