"""Training with a host that is hardly needed: many steps a call, whose batches it brings meanwhile.

The step is the program's own `train_step` and the batches are the data's own, a function of (seed,
step); only the loop is another one, so what comes out is what `train.py` trains.
"""

import dataclasses
import importlib
import pathlib

import jax
import numpy as np

from bms_keras.data.steps import of_step
from bms_keras.runs import checkpoint, experiment
from bms_keras.tables.jobs import fields_of

STEPS = 50  # steps a call of the compiled loop
PRECISIONS = {  # by name: the config's precision, and how JAX multiplies float32
    "float32": ("float32", "highest"),
    "tf32": ("float32", "tensorfloat32"),
    "bfloat16": ("bfloat16", "highest"),
}


@dataclasses.dataclass(frozen=True)
class Row:
    """A run: a config, a method and fields, as `stacked_mnist_small:bms_vae_gan+samples=30` says
    them; without a config it is `cifar10`'s."""

    module: str
    method: str
    fields: dict

    @classmethod
    def parse(cls, text):
        what, *fields = text.split("+")
        *module, method = what.split(":")
        return cls(module[0] if module else "cifar10", method, fields_of(fields))

    @property
    def name(self):
        fields = (f"{name.split('.')[-1]}{value}" for name, value in self.fields.items())
        return "_".join([*[self.module] * (self.module != "cifar10"), self.method, *fields])

    def config(self, data, precision, **common):
        """The config of `configs/` with the row's fields.

        Args:
            data: Its `data.source`.
            precision: One of `PRECISIONS`.
            **common: Fields that all rows share, by dotted name; the row's own come before them.
        """
        config = importlib.import_module(f"configs.{self.module}").get_config(self.method)
        own = {"data.source": str(data), "precision": PRECISIONS[precision][0]}
        config.update_from_flattened_dict({**own, **common, **self.fields})
        return config


class Training:
    """A model under training, whose state lies on the device.

    Args:
        config: A config of images.
        precision: One of `PRECISIONS`.
    """

    def __init__(self, config, precision):
        with jax.default_device(jax.devices("cpu")[0]):  # op by op, a GPU compiles for a minute
            built = experiment.build(config)
        self.model, self.data = built.model, built.data
        self.precision = PRECISIONS[precision][1]
        self.state = self._read()
        self.step = 0

    def lower(self):
        """The loop of `STEPS` steps, traced; to be compiled by its `compile()`."""
        with jax.default_matmul_precision(self.precision):
            loop = jax.jit(self._loop, donate_argnums=0)
            return loop.lower(self.state, self._batches())

    def flops(self):
        """The floating-point operations of a step, by XLA's count of it as it stands."""

        def shapes(tree):
            return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), tree)

        with jax.default_device(jax.devices("cpu")[0]):  # for a GPU XLA counts nothing
            lowered = jax.jit(self._loop).lower(*shapes((self.state, self._batches())))
        return lowered.cost_analysis()["flops"]  # a loop's body counts once

    def _loop(self, state, batches):
        def step(state, batch):
            x = batch.astype("float32") / 127.5 - 1
            _, state = self.model.train_step(state, (x,))
            return state, None

        return jax.lax.scan(step, state, batches)[0]

    def run(self, compiled, steps):
        """Trains; `steps` is a multiple of `STEPS`."""
        for _ in range(steps // STEPS):
            self.state = compiled(self.state, self._batches())
            self.step += STEPS

    def wait(self):
        """Waits for the device, which works behind the host's back."""
        return jax.block_until_ready(self.state)

    def resume(self, folder):
        """Goes on from the newest checkpoint of a folder, if there is one; returns the step."""
        if checkpoint.restore(self.model, pathlib.Path(folder)):
            self.state = self._read()
            self.step = int(self.model.optimizer.iterations.numpy())
        return self.step

    def pause(self):
        """Puts the state into the model's variables, to sample and to save.

        Returns:
            The means of the losses since the last pause, by name.
        """
        for variables, values in zip(self._groups(), self.state, strict=True):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        logs = {name: float(value) for name, value in self.model.get_metrics_result().items()}
        self.model.reset_metrics()
        self.state = self._read()
        return logs

    def _batches(self):
        steps, per_step = range(self.step, self.step + STEPS), self.model.batches_per_step
        return np.stack([of_step(self.data.batch, step, per_step) for step in steps])

    def _groups(self):
        model = self.model
        return (
            model.trainable_variables,
            model.non_trainable_variables,
            model.optimizer.variables,
            model.metrics_variables,
        )

    def _read(self):
        # Copies: a call of the loop takes the memory of its state for the next one.
        return tuple(
            [jax.device_put(np.asarray(v), jax.devices()[0]) for v in group]
            for group in self._groups()
        )


def keep_programs(folder):
    """Has JAX keep compiled programs in a folder, so that another process need not compile them."""
    if folder:
        jax.config.update("jax_compilation_cache_dir", folder)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
