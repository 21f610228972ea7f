"""Trains what a config describes into a workdir; called again, goes on where it stopped."""

import functools
import math
import sys

import keras
import numpy as np

from bms_keras import distribution, methods, metrics, signals
from bms_keras.data import contents
from bms_keras.distribution import strategies
from bms_keras.errors import BadInput, NotFinite, one_line, optional
from bms_keras.monitoring import drawings, events, image_grids, progress, tensorboard
from bms_keras.monitoring.callbacks import (
    Projector,
    SampleGrid,
    Scalars,
    Selection,
    TrainingStats,
)
from bms_keras.runs import checkpoint, experiment
from bms_keras.runs.callbacks import Best, Checkpoint, Evaluate, Evaluated, Guard, StopWhenAsked
from bms_keras.runs.config import complete, hyperparameters
from bms_keras.runs.workdir import Workdir

EARLY = (100, 300, 1000)  # steps at which a run is drawn before it is measured


def train(config, workdir, verbose=False, callbacks=()):
    """Trains to `config.steps`.

    SIGTERM and SIGINT end it after the step under way, with a checkpoint; while data are opened, at
    once. Of several processes, all of which must see the same workdir, the first writes; a signal
    to one ends all.

    Args:
        config: A `ConfigDict`; see `bms_keras.runs.config.default_config`.
        workdir: Path of the run's folder. If it holds a run of the same config, that run goes on.
        verbose: Whether all logs of each epoch are printed, and not those alone that are measured.
        callbacks: Keras callbacks of one's own: an epoch's logs hold what it measured, too. Of
            several processes the first calls them.

    Returns:
        The trained `Experiment`; `None` if the run was asked to stop before its end.

    Raises:
        BadInput: If the config is bad, if a metric cannot be had, if the workdir holds another run,
            is in use or cannot be written, if none of its checkpoints can be read, or if several
            processes do not see the same ones.
        NotFinite: If a loss or a gradient is not finite, and `config.on_nan` does not help.
    """
    config = complete(config)
    workdir = Workdir(workdir)
    workdir.check_config(config)  # before data are opened, which may take long
    strategy = strategies.scope(config, methods.get(config.method).coupled)
    with strategy:
        built = experiment.build(strategies.within_limits(config))  # a signal ends it at once
        drawings.of(built.data)  # refuses a drawing that there is none of, before anything is done
        with distribution.single_device(built.model):
            numbers = metrics.prepare(config, built.model, built.data)
        same_data = functools.partial(_check_data, built.data, config, workdir)
        claim = strategies.on_first_process(workdir.claimed(config, same_data))
        with signals.deferred() as asked, claim:
            asked = strategies.GlobalEvent(asked)
            run = _Run(built, config, workdir, asked, numbers, verbose, callbacks)
            try:
                run.to_the_end()
            except signals.Interrupted:
                run.save()
                run.say(f"stopped at step {run.step} of {config.steps}; the same command goes on")
                run.draw(drawings.while_training)
                run.say(*workdir.closing())
                return None
            finally:
                events.close(workdir.tensorboard)
            run.draw(drawings.at_the_end)
            run.say(*workdir.closing())
    return built


class _Run:
    """A run: an experiment, its place in a workdir, and how far it has come."""

    def __init__(self, built, config, workdir, asked, numbers=(), verbose=False, callbacks=()):
        self.model, self.data = built.model, built.data
        self.config = config
        self.workdir = workdir
        self.asked = asked  # an Event: whether to stop
        self.numbers = numbers  # the names of what an evaluation measures
        self.verbose = verbose
        self.own = [*callbacks]
        self.shown = None  # the lines of training, once it has begun
        self.rollbacks = 0
        self.steps_per_execution = built.model.steps_per_execution

    @property
    def step(self):
        return int(self.model.optimizer.iterations.numpy())

    @property
    def evaluating(self):
        """Steps between evaluations; 0 for none."""
        return self.config.eval_every if self.config.eval_metrics else 0

    def to_the_end(self):
        config = self.config
        self.restore()
        if distribution.is_first():
            described = optional("description of the run in TensorBoard")
            with distribution.single_device(self.model), described:
                tensorboard.describe(self.workdir.tensorboard, self.model, hyperparameters(config))
        self.say(f"{config.method} on {config.data.source}: step {self.step} of {config.steps}")
        self.make_up()
        while self.step < config.steps:
            try:
                self.fit()
                if config.steps % config.checkpoint_every or self.model.stop_training:
                    self.save()  # else the callback has saved this step
                if self.model.stop_training:
                    return self.say(f"a callback ends the run at step {self.step}")
            except NotFinite as fault:
                self.roll_back(fault)

    def make_up(self):
        """Evaluates the checkpoint that the run goes on from, if it was lost while it did so.

        What acts after `Checkpoint` finds the logs that it found then: they are part of the state.
        """
        every, last = self.evaluating, self.config.steps
        due = every and self.step and (self.step % every == 0 or self.step == last)
        if due and self.workdir.evaluated_step() < self.step:
            self.say(f"the evaluation at step {self.step} is made up for")
            acting = keras.callbacks.CallbackList(
                distribution.run_locally(self.showing()), model=self.model
            )
            acting.on_epoch_end(0, self.model.get_metrics_result())

    def fit(self):
        model, config = self.model, self.config
        epoch = math.gcd(config.checkpoint_every, config.eval_every)
        underway = [v.numpy() for v in model.metrics_variables] if self.step % epoch else None
        for first, steps, epochs in _segments(self.step, config.steps, epoch):
            model.steps_per_execution = math.gcd(self.steps_per_execution, steps)
            model.make_train_function(force=True)
            stop = first + steps * epochs
            model.fit(
                distribution.local_rows(self.data.batches(first, stop, model.batches_per_step)),
                steps_per_epoch=steps,
                initial_epoch=first // epoch,
                epochs=first // epoch + epochs,
                callbacks=self.callbacks(underway),
                shuffle=False,
                verbose=0,
            )
            underway = None
            if model.stop_training:  # as EarlyStopping asks
                break

    def callbacks(self, underway):
        """What acts at the end of an epoch: first a checkpoint is written, then it is measured."""
        every, last = self.config.checkpoint_every, self.config.steps
        acting = [Checkpoint(self.save, every, last), *self.showing()]
        acting += [self.progress(), *self.own] if distribution.is_first() else []
        guard, stop = Guard(self.asked, underway), StopWhenAsked(self.asked)
        return [guard, *distribution.run_locally(acting), stop]

    def showing(self):
        """What measures and shows the state of a checkpoint, in this order.

        Every process measures, so that none has to wait for long, and the first one writes.
        """
        config, folder, every = self.config, self.workdir.tensorboard, self.config.eval_every
        last = config.steps if self.evaluating else None  # it is measured in any case
        measuring = [
            Evaluate(functools.partial(self.measure, name), every, f"the metric {name!r}", last)
            for name in metrics.in_training(config, self.data)
        ]
        if not distribution.is_first():
            return measuring
        now_and_then = every or config.checkpoint_every
        return [
            *measuring,
            Scalars(folder),
            TrainingStats(folder),
            Best(self.workdir.checkpoints, config.best_by, config),
            SampleGrid(self.data, folder, now_and_then, config.steps, EARLY, self.keep_pictures),
            Selection(self.data, folder, now_and_then),
            Projector(self.data, folder, now_and_then),
            Evaluated(self.workdir.write_evaluation, self.numbers, self.evaluating, last),
        ]

    def progress(self):
        config = self.config
        measured = [metrics.get(name) for name in metrics.in_training(config, self.data)]
        titles = [metric.shown(self.data, config.protocol) for metric in measured]
        titles = {f"eval/{key}": title for each in titles for key, title in each.items()}
        self.shown = progress.Progress(config.steps, titles, self.verbose)
        return self.shown

    def measure(self, name):
        found = metrics.measure([name], self.model, self.data, self.config.protocol)
        return metrics.findings(found)

    def say(self, *lines):
        if distribution.is_first():
            if self.shown:
                self.shown.break_off()
            print(*map(one_line, lines), sep="\n", flush=True)

    def save(self):
        if distribution.is_first():
            checkpoint.save(
                self.model,
                self.workdir.checkpoints,
                self.config,
                self.config.keep,
                rollbacks=self.rollbacks,
                data=self.data.contents,
            )

    def keep_pictures(self, step, drawn):
        """Writes pictures of a step as PNGs, NAME_STEP.png."""
        image_grids.save({f"{name}_{step:09d}": each for name, each in drawn.items()}, self.workdir)

    def draw(self, drawing):
        """Writes the pictures of the model as it is that a function of `drawings` makes."""
        if distribution.is_first():
            with distribution.single_device(self.model), optional("pictures of the model"):
                image_grids.save(drawing(self.model, self.data), self.workdir)

    def newest(self):
        """The step of the newest checkpoint; 0 if there is none."""
        return max(map(checkpoint.step_of, checkpoint.paths(self.workdir.checkpoints)), default=0)

    def restore(self):
        """Goes to the newest checkpoint, if there is one."""
        newest = self.newest()
        if not distribution.same_everywhere(newest):
            raise BadInput(
                f"--workdir={self.workdir.path} must be one folder for all processes, on a shared "
                f"disk: they see different checkpoints, this one step {newest}"
            )
        manifest = checkpoint.restore(self.model, self.workdir.checkpoints, self.config)
        self.rollbacks = max(self.rollbacks, (manifest or {}).get("rollbacks", 0))
        return manifest

    def roll_back(self, fault):
        """Goes back to the last checkpoint with a new noise seed, if the config says so.

        Raises:
            NotFinite: If not, if it has been done too often, or if there is no checkpoint.
        """
        config, found = self.config, self.model.first_nonfinite.found()
        wrong = f"{found[0]} is not finite at step {found[1]}" if found else str(fault)
        self.rollbacks += 1
        lower = "the same command with a lower --config.optimizer.learning_rate (or a critic's)"
        newest = self.newest()
        if not newest:
            raise NotFinite(f"{wrong}, before the first checkpoint: {lower} starts anew") from fault
        if config.on_nan != "rollback":
            raise NotFinite(
                f"{wrong}: {lower}, or with --config.on_nan=rollback, goes on from step {newest}"
            ) from fault
        if self.rollbacks > config.max_rollbacks:
            raise NotFinite(
                f"{wrong}, after config.max_rollbacks={config.max_rollbacks} rollbacks: {lower} "
                f"goes on from step {newest}"
            ) from fault
        self.restore()
        self.model.reseed(int(np.random.default_rng([config.seed, self.rollbacks]).integers(2**31)))
        print(f"{wrong}; rolled back to step {self.step} with new noise", file=sys.stderr)


def _check_data(data, config, workdir):
    """Refuses data that are not those that the run in a workdir was trained on."""
    manifest = checkpoint.newest(workdir.checkpoints)
    contents.check(contents.noted(manifest), data, config.data.accept_changes)
    if manifest:
        contents.warn_of_old_split(manifest, data)


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
