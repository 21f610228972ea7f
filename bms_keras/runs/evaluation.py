"""Measures the run in a workdir, and draws it, alone or beside others."""

import numpy as np

from bms_keras import data, metrics, sampling
from bms_keras.errors import BadInput, optional
from bms_keras.export import onnx_files, webpage
from bms_keras.monitoring import drawings, image_grids, tensorboard
from bms_keras.runs import checkpoint, experiment
from bms_keras.runs.config import as_read
from bms_keras.runs.workdir import Workdir


def evaluate(
    workdir,
    names=None,
    compare=(),
    which="newest",
    export_dir=None,
    onnx_dir=None,
    web_dir=None,
    onnxruntime_web=None,
    sampler=None,
    sampler_points=10_000,
    pictures=True,
    **protocol,
):
    """Measures a checkpoint of a run, and exports it.

    Args:
        workdir: Path of the run's folder.
        names: Names of metrics; `None` for all that apply, or for none where it is exported.
        compare: Paths of other runs on the same data, to draw beside this one.
        which: Which checkpoint: "newest", "best" (by `config.best_by`) or a step.
        export_dir: Where a SavedModel of it goes; see `Game.export_saved_model`.
        onnx_dir: Path of a folder for the networks as ONNX; see `onnx_files.export`.
        web_dir: Path of a folder for a page that samples the model; see `webpage.write`.
        onnxruntime_web: The file of the package that runs the page, if it is not to be fetched.
        sampler: One of `sampling.SAMPLERS`: what draws the samples that are measured, and a
            signature of the SavedModel where that can be; `None` for G(z).
        sampler_points: Data points that it is fitted to, at most.
        pictures: Whether to draw, if anything is measured or nothing exported.
        **protocol: Options of the metrics, in place of the config's; see `metrics.Protocol`.

    Returns:
        A dictionary: the numbers, the method, step, samples and seed, as "measured" the names of
        the metrics, as "protocol" the options that were given, and what the sampler is. It is also
        appended to the workdir's `metrics.jsonl`.

    Raises:
        BadInput: If there is no run or checkpoint, if a metric does not exist or apply, if an
            export fails or would overwrite a file, or if `onnxruntime_web` has no page to go to.
    """
    folder = Workdir(workdir)
    folder.import_parts()
    for name in names or ():
        metrics.get(name)
    if onnxruntime_web and not web_dir:
        raise BadInput(f"onnxruntime_web={onnxruntime_web!r} needs a web_dir, where a page goes")
    config, built, step = load(folder, which)
    models = {config.method: built.model}
    for path in compare:
        models |= _other(Workdir(path, "--compare"), built.data, models)
    exports = export_dir or onnx_dir or web_dir
    if names is None:  # who exports does not wait for minutes of metrics
        names = () if exports else metrics.applicable(built.model, built.data)
    metrics.refuse(names, built.model, built.data)
    options = metrics.Protocol(**{**config.protocol, **protocol})
    sampled, about = built.model, {}
    if sampler is not None:
        about = sampling.fit(built.model, sampler, built.data, sampler_points).about()
        sampled = sampling.Sampled(built.model, sampler)
        about = {"sampler": sampler, "sampler_points": sampler_points} | about
    draws = pictures and (names or not exports)  # an export alone needs no data
    if onnx_dir:
        onnx_files.export(built.model, onnx_dir)
    if web_dir:
        title = f"{config.method} on {built.data.name}, step {step:,}"
        webpage.write(built.model, built.data, web_dir, title, onnxruntime_web)
    record = {key: config[key] for key in ("method", "samples", "seed")} | {"step": step} | about
    record["measured"] = list(names)
    record |= {"protocol": protocol} if protocol else {}
    numbers = metrics.measure(names, sampled, built.data, options)
    charted = metrics.findings(numbers)
    if sampler is not None:
        plain = sampler.replace("+", "_")  # as TensorBoard and files take names
        charted = {f"{name}_by_{plain}": value for name, value in charted.items()}
    tensorboard.evaluated(folder.tensorboard, charted, step)
    record |= numbers
    if draws:
        record |= _draw(models, built, names, folder)
    folder.log(record)
    if draws and sampler is not None:
        _draw_sampler(plain, sampled, built.data, folder)
    if export_dir:
        notes = {"metrics": record, "config": as_read(config), "data_scale": built.data.scale}
        if len(built.data.shape) == 1:  # of points
            notes["data_centre"] = built.data.unscaled(np.zeros(built.data.shape)).tolist()
        print(f"exported to {built.model.export_saved_model(export_dir, **notes)}")
    return record


def _draw(models, built, names, folder):
    """Draws the run, alone and beside others, and returns the numbers that the pictures show.

    What cannot be drawn is said, so that no measured number is lost with it.
    """
    shown = {}
    # Data that are only opened now may not be there, or be others: that is the user's to mend.
    with optional("pictures of the model", but=BadInput):
        drawn = drawings.at_the_end(built.model, built.data)
        compared, shown = drawings.of_comparison(models, built.data, names)
        image_grids.save(drawn | compared, folder)
    return shown


def _draw_sampler(name, sampled, data, folder):
    """Draws what a sampler gives, as `samples_NAME` beside `samples`."""
    with optional("a picture of the sampler"):
        drawn = drawings.while_training(sampled, data)
        image_grids.save(
            {f"samples_{name}": drawn["samples"]} if "samples" in drawn else {}, folder
        )


def load(folder, which="newest"):
    """A run as it stands in its folder.

    Args:
        folder: A `Workdir`.
        which: Which checkpoint: "newest", "best" or a step.

    Returns:
        Its config, its `Experiment` with the checkpoint's weights, and the checkpoint's step.
        Images are opened when they are needed: a run can be exported where its data are not.

    Raises:
        BadInput: If there is no run or checkpoint. When images are opened: if they cannot be, or
            are not those that the run was trained on.
    """
    config = folder.config()
    newest = checkpoint.newest(folder.checkpoints)
    built = experiment.build(config, data.of_run(config, newest))
    manifest = checkpoint.restore(built.model, folder.checkpoints, config, which)
    if manifest is None:
        raise BadInput(f"{folder.checkpoints} holds no checkpoint: train first")
    return config, built, manifest["step"]


def _other(folder, source, taken):
    """The model of another run on the same data, by a title that no other has."""
    other, built, _ = load(folder)
    if built.data.fingerprint != source.fingerprint:
        raise BadInput(
            f"{folder.path} is a run on {built.data.name!r}, not on {source.name!r}, or on other "
            "images of that name, or prepares them otherwise"
        )
    return {_title(other, folder.path, taken): built.model}


def _title(config, path, taken):
    """The method's name; where that is taken with T and the seed, the folder's name or its path."""
    full = f"{config.method} T={config.samples} seed {config.seed}"
    titles = config.method, full, f"{full} {path.name}", f"{full} {path}"
    return next((title for title in titles if title not in taken), titles[-1])
