"""How a game is trained by the verbs of Keras: compile, fit, evaluate."""

import collections
import contextlib
import signal

import keras
import numpy as np
from keras import ops

from bms_keras import distribution, signals
from bms_keras.backends import GRADIENT_NORM, result_names
from bms_keras.backends.nonfinite import FirstNonFinite, WarnNotFinite
from bms_keras.game.optimizers import for_players
from bms_keras.monitoring.progress import Progress

LARGEST = 10.0  # of images: beyond it they are not in [-1, 1], nor near it


class Fits:
    """What Keras's `compile`, `fit` and `evaluate` are of a game of several players."""

    def compile(
        self,
        optimizers=None,
        optimizer=None,
        auto_scale_loss=True,
        jit_compile="auto",
        steps_per_execution=1,
        run_eagerly=False,
        **unknown,
    ):
        """Configures the players' optimizers.

        Args:
            optimizers: Dictionary from each player's name to a `keras.optimizers.Optimizer` or its
                name; one optimizer or name, of which each player gets a copy; or `None` for the
                paper's Adam with a rate of 2e-4, beta_1 = 0, beta_2 = 0.9.
            optimizer: The same, by the name that Keras gives it.
            auto_scale_loss: Whether float16 networks get a `LossScaleOptimizer` around each
                player's optimizer, without which small gradients are lost.
            jit_compile, steps_per_execution, run_eagerly: As in `keras.Model.compile`.

        Raises:
            ValueError: If the names are not those of the players, or if a loss or metrics are
                given: the players bring their own.

        Example:

        >>> model.compile("adam")
        >>> model.compile({"generator": keras.optimizers.Adam(1e-4), "image_critic": "adam",
        ...                "latent_critic": "adam"})
        """
        if unknown:
            raise ValueError(
                "the losses and what is logged are the players' own: compile takes optimizers, "
                "auto_scale_loss, jit_compile, steps_per_execution and run_eagerly. "
                f"Received: {', '.join(unknown)}"
            )
        if optimizers is not None and optimizer is not None:
            raise ValueError("optimizers and optimizer are two names of one argument: give one")
        players = {player.name: player for player in self.players()}
        given = optimizers if optimizer is None else optimizer
        optimizers = for_players(given, players, scaled=auto_scale_loss and self._is_float16())
        optimizers.build({name: player.trainable_variables for name, player in players.items()})
        super().compile(
            optimizer=optimizers,
            auto_scale_loss=False,
            jit_compile=jit_compile,
            steps_per_execution=steps_per_execution,
            run_eagerly=run_eagerly,
        )
        names = self._log_names()
        self.trackers = {name: keras.metrics.Mean(name=name) for name in names}
        self.first_nonfinite = FirstNonFinite(names)

    def _is_float16(self):
        """Whether any layer computes in float16."""
        layers = [layer for each in self.networks.values() for layer in each._flatten_layers()]
        return any(layer.compute_dtype == "float16" for layer in layers)

    def compile_from_config(self, config):
        config = keras.saving.deserialize_keras_object(config)
        names = ("jit_compile", "steps_per_execution", "run_eagerly")
        self.compile(config["optimizer"], **{k: config[k] for k in names if k in config})

    @property
    def batch_multiple(self):
        """What the size of a batch must be a multiple of: whole packs."""
        return self.pack

    def _log_names(self):
        """The names of the logs, found by playing one step on paper: nothing is updated."""
        x = np.zeros((2 * self.batch_multiple, *self.data_shape), "float32")
        names = ["loss"]
        with keras.StatelessScope():
            for player in {player.name: player for player in self.players()}.values():
                terms = [*result_names(player.loss, x), "loss", GRADIENT_NORM]
                names += [f"{player.name}/{term}" for term in terms]
        return names

    def fit(
        self, x=None, y=None, batch_size=None, epochs=1, verbose="auto", callbacks=None, **kwargs
    ):
        """Trains, as `keras.Model.fit` does; a loss that is not finite is warned of.

        Args:
            x: Data: an array, a `tf.data.Dataset`, a generator or what else Keras takes. A data set
                or a generator gives all that a step takes at once: `batches_per_step` batches.
            y: Labels, which nothing learns from.
            batch_size: Data points of an array that a turn takes, 32 by default; a step takes
                `batches_per_step` times as many.
            verbose: "auto" for a line an epoch, on the terminal and in a notebook (see
                `bms_keras.callbacks.Progress`); 0, 1 and 2 as in `keras.Model.fit`.
            epochs, callbacks, **kwargs: As in `keras.Model.fit`.

        Returns:
            A `keras.callbacks.History`.

        Ctrl-C, or a notebook's button, ends it after the step under way; the game is then what it
        has come to, and may be used and trained on.

        Raises:
            ValueError: If data come with sample or class weights, or are integers, as images in
                0..255 are.

        Example:

        >>> history = model.fit(x_train, batch_size=64, epochs=10)
        step 1 of 10 ... ms/step ... generator ...
        """
        _refuse_weights(**kwargs)
        theirs = isinstance(callbacks, keras.callbacks.CallbackList)
        if not theirs:
            callbacks = [*_listed(callbacks), WarnNotFinite()]
            if any(isinstance(each, keras.callbacks.SwapEMAWeights) for each in callbacks):
                raise ValueError(
                    "SwapEMAWeights needs averages in the optimizer, where a game keeps none: its "
                    "own (ema=0.999, say) serve in sample, encode and reconstruct by themselves"
                )
            if verbose == "auto":
                shown = any(isinstance(each, Progress) for each in callbacks)
                callbacks, verbose = [*callbacks, *([] if shown else [Progress()])], 0
        if hasattr(x, "shape"):
            _refuse_unscaled(x)
            batch_size = (batch_size or 32) * self.batches_per_step
        # To a `CallbackList` nothing is added that could act on what is held back.
        with contextlib.nullcontext() if theirs else _interruptible(callbacks):
            return super().fit(x, y, batch_size, epochs, verbose, callbacks, **kwargs)

    def evaluate(self, x=None, y=None, batch_size=None, verbose="auto", **kwargs):
        """The losses on data, as `keras.Model.evaluate` gives them; weights are refused."""
        _refuse_weights(**kwargs)
        return super().evaluate(x, y, batch_size, verbose, **kwargs)

    @property
    def batches_per_step(self):
        """How many batches a step takes: one for each turn of the player that has most of them."""
        return max(collections.Counter(player.name for player in self.players()).values())

    def turns(self, x):
        """The players in the order of their turns, each with the batch that its turn takes.

        The i-th turn of a player takes the i-th of the step's batches, so that those who have one
        turn take the first, and a critic that has five sees as many data as it has turns.

        Args:
            x: What a step takes, as `data.steps.of_step` lays it; of any number of rows.
        """
        n, played = self.batches_per_step, collections.Counter()
        for player in self.players():
            first = played[player.name] % ops.shape(x)[0]  # of fewer rows than turns, one again
            yield player, x if n == 1 else distribution.shard(x[first::n])
            played[player.name] += 1

    def points(self, data):
        """The data points of what Keras hands a step.

        Raises:
            ValueError: If they come with weights, or are integers.
        """
        x, _, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        _refuse_weights(sample_weight=sample_weight)
        _refuse_integers(x)
        return x


@contextlib.contextmanager
def _interruptible(callbacks):
    """Has Ctrl-C act between two steps of a `with` block that fits: in the middle of one, the
    variables' memory may have been given to it, and what it makes of them would be lost.

    Where SIGINT is not Python's to handle, as in `runs.training`, nothing is changed.

    Args:
        callbacks: List of Keras callbacks, to which what stops is added.
    """
    ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with signals.deferred([signal.SIGINT] if ours else []) as asked:
        callbacks.append(_Interrupt(asked))
        try:
            yield
        finally:
            for shown in callbacks:
                if isinstance(shown, Progress):
                    shown.break_off()
        if asked.is_set():
            raise KeyboardInterrupt


class _Interrupt(keras.callbacks.Callback):
    """Raises `KeyboardInterrupt` between two steps when asked, by an Event."""

    def __init__(self, asked):
        super().__init__()
        self.asked = asked

    def on_train_batch_end(self, batch, logs=None):
        if self.asked.is_set():
            raise KeyboardInterrupt


def _refuse_integers(x):
    kind = keras.backend.standardize_dtype(x.dtype)
    if "int" in kind or kind == "bool":
        raise ValueError(
            f"data must be floats, images in [-1, 1]: x / 127.5 - 1 of uint8. Received: {kind}"
        )


def _refuse_unscaled(x):
    """Refuses an array of integers or of images that are far from [-1, 1], by some of its rows."""
    some = np.asarray(x[:: max(1, len(x) // 100)])
    _refuse_integers(some)
    if some.ndim == 4 and np.abs(some).max(initial=0) > LARGEST:
        raise ValueError(
            "images must be in [-1, 1]: x / 127.5 - 1 of those in 0..255. "
            f"Received: numbers from {some.min():g} to {some.max():g}"
        )


def _refuse_weights(sample_weight=None, class_weight=None, **_):
    if sample_weight is not None or class_weight is not None:
        raise ValueError(
            "a game takes no sample_weight and no class_weight: each data point counts once"
        )


def _listed(callbacks):
    if callbacks is None:
        return []
    return callbacks if isinstance(callbacks, (list, tuple)) else [callbacks]
