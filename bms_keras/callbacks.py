"""Keras callbacks for `fit`: what a run saves and measures, and what shows how it goes.

Example:

>>> model.fit(dataset, epochs=10, callbacks=[bms_keras.callbacks.SampleGrid(data, "tensorboard")])
"""

from bms_keras.monitoring.callbacks import (
    Projector,
    SampleGrid,
    Scalars,
    Selection,
    TrainingStats,
)
from bms_keras.monitoring.progress import Progress
from bms_keras.runs.callbacks import (
    Best,
    Checkpoint,
    Evaluate,
    Evaluated,
    Guard,
    StopWhenAsked,
)

__all__ = [
    "Best",
    "Checkpoint",
    "Evaluate",
    "Evaluated",
    "Guard",
    "Progress",
    "Projector",
    "SampleGrid",
    "Scalars",
    "Selection",
    "StopWhenAsked",
    "TrainingStats",
]
