"""The first number of a training that is not finite, by name and step."""

import warnings

import keras
from keras import ops


class FirstNonFinite(keras.metrics.Metric):
    """Remembers which of the numbers that are logged was the first that is not finite.

    One step later nothing is finite, and a step may be one of many that the host sees at once: so
    this is kept beside the logs, on the device.

    Args:
        names: The names that numbers may have.
    """

    def __init__(self, names, name="first_nonfinite"):
        super().__init__(name=name)
        self.names = list(names)
        # Alike on all replicas, which see the same numbers: a sum over them would mean nothing.
        kwargs = {"dtype": "int32", "aggregation": "only_first_replica"}
        self.index = self.add_variable((), "zeros", name="index", **kwargs)  # from 1; 0 for none
        self.step = self.add_variable((), "zeros", name="step", **kwargs)

    def update_state(self, values, step):
        """Looks at one turn.

        Args:
            values: Dictionary of scalars by name, in the order in which they were computed.
            step: The step that is being played, from 0.
        """
        finite = ops.isfinite(ops.stack([ops.cast(v, "float32") for v in values.values()]))
        indices = ops.convert_to_tensor([self.names.index(name) + 1 for name in values], "int32")
        index = ops.take(indices, ops.argmin(ops.cast(finite, "int32")))
        known = [ops.convert_to_tensor(variable) for variable in (self.index, self.step)]
        first = ops.logical_and(known[0] == 0, ops.logical_not(ops.all(finite)))
        self.index.assign(ops.where(first, index, known[0]))
        self.step.assign(ops.where(first, ops.cast(step, "int32") + 1, known[1]))

    def found(self):
        """The name of the first number that was not finite and its step, from 1; or `None`."""
        index = int(self.index.numpy())
        known = 0 < index <= len(self.names)  # a checkpoint may claim anything
        return (self.names[index - 1], int(self.step.numpy())) if known else None

    def result(self):
        return {}  # no log of its own


class WarnNotFinite(keras.callbacks.Callback):
    """Warns once, at the end of an epoch, of the first logged number that is not finite."""

    warned = False

    def on_epoch_end(self, epoch, logs=None):
        found = self.model.first_nonfinite.found()
        if found and not self.warned:
            self.warned = True
            warnings.warn(
                f"{found[0]} is not finite at step {found[1]}, and nothing after it will be: lower "
                "a learning rate, and look for data points that are not finite",
                stacklevel=2,
            )
