"""A trained run, from Python."""

import dataclasses

from ml_collections import ConfigDict

from bms_keras.game import Game
from bms_keras.runs import evaluation
from bms_keras.runs.workdir import Workdir


@dataclasses.dataclass(frozen=True)
class Run:
    """A run as it stands in its workdir.

    Args:
        config: Its `ConfigDict`.
        model: Its `Game`, with the weights of the checkpoint.
        data: Its data set; images are opened when they are asked for.
        step: The checkpoint's step.
        metrics: What `eval.py` measured: a list of dictionaries, oldest first.
    """

    config: ConfigDict
    model: Game
    data: object
    step: int
    metrics: list

    def __repr__(self):
        on = f"{self.config.method} on {self.data.name}"
        return f"<Run {on}, step {self.step:,}: config, model, data, metrics>"


def load_run(workdir, checkpoint="newest"):
    """Loads the run in a workdir; its data need not be there.

    Args:
        workdir: Path of the run's folder.
        checkpoint: "newest", "best" (by `config.best_by`) or a step.

    Returns:
        A `Run`.

    Raises:
        BadInput: If there is no run or checkpoint.

    Example:

    >>> run = load_run(workdir)
    >>> run.model.sample(4, seed=0).shape
    (4, 2)
    """
    folder = Workdir(workdir, "workdir")
    config, built, step = evaluation.load(folder, checkpoint)
    return Run(config, built.model, built.data, step, folder.records())
