"""Trains what a config describes into a workdir; called again, goes on where it stopped."""

import math
import sys

from bms_keras import callbacks, checkpoint, experiment, metrics, pictures
from bms_keras.workdir import Workdir


def train(config, workdir):
    """Trains to `config.steps`.

    Args:
        config: A `ConfigDict`; see `experiment.default_config`.
        workdir: Path of the run's folder. If it holds a run of the same config, that run goes on.

    Returns:
        The trained `Experiment`.

    Raises:
        BadInput: If the config is bad, or the workdir holds another run.
    """
    workdir = Workdir(workdir)
    built = experiment.build(config)
    workdir.claim(config)
    start = checkpoint.restore(built.model, workdir.checkpoints)
    print(f"{config.method} on {config.data.source}: step {start} of {config.steps}", flush=True)
    if start < config.steps:
        _fit(built, config, workdir, start)
    pictures.save(pictures.at_the_end(built.model, built.data), workdir)
    return built


def _fit(built, config, workdir, start):
    model, data = built.model, built.data
    every = config.eval_every or config.checkpoint_every

    def measure():
        return metrics.measure(config.eval_metrics, model, data, config.protocol)

    actions = [
        callbacks.Scalars(workdir.tensorboard),
        callbacks.Checkpoint(workdir.checkpoints, config.checkpoint_every),
        callbacks.Evaluate(measure, workdir.tensorboard, config.eval_every),
        callbacks.SampleGrid(data, workdir.tensorboard, every),
    ]
    epoch = math.gcd(config.checkpoint_every, config.eval_every)
    for first, steps, epochs in _segments(start, config.steps, epoch):
        model.steps_per_execution = math.gcd(config.steps_per_execution, steps)
        model.make_train_function(force=True)
        model.fit(
            data.batches(first, first + steps * epochs),
            steps_per_epoch=steps,
            initial_epoch=first // epoch,
            epochs=first // epoch + epochs,
            callbacks=actions,
            shuffle=False,
            verbose=1 if sys.stdout.isatty() else 2,
        )
    if config.steps % config.checkpoint_every:  # else the callback has saved this step
        checkpoint.save(model, workdir.checkpoints)


def _segments(start, stop, epoch):
    """Splits steps `start` to `stop` into what is left of an epoch, whole epochs, and the rest.

    Returns:
        List of (first step, steps an epoch, epochs).
    """
    whole = min(-(-start // epoch) * epoch, stop)
    last = max(stop // epoch * epoch, whole)
    parts = (
        (start, whole - start, 1),
        (whole, epoch, (last - whole) // epoch),
        (last, stop - last, 1),
    )
    return [part for part in parts if part[1] * part[2] > 0]
