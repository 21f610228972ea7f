"""Turns on JAX: the same losses, run inside `keras.StatelessScope`s."""

import functools

import jax
import keras

from bms_keras.backends import philox, threefry
from bms_keras.backends.executions import stacked
from bms_keras.backends.stateless import State, in_one_call


def standard_normal(shape, seed):
    """Standard normal noise, float32.

    That of an integer seed is TensorFlow's: a seed gives the same samples on both backends.

    Args:
        shape: Tuple of integers.
        seed: Integer, or a `keras.random.SeedGenerator`.
    """
    if isinstance(seed, int):
        return jax.numpy.asarray(philox.standard_normal(shape, seed))
    normal = threefry.standard_normal if on_cpus() else _usual_normal
    return normal(shape, seed.next())


def on_cpus():
    """Whether programs run on CPUs: what is fast there alone is left to JAX anywhere else."""
    return jax.default_backend() == "cpu"


def _usual_normal(shape, key):
    return jax.random.normal(key, shape, "float32")


def conv_transpose(x, kernel, strides, padding, output_padding):
    """`keras.ops.conv_transpose` that is fast on CPUs, too, as is its gradient.

    XLA takes it for a convolution of an image with zeros put in, and its kernel's gradient for one
    with zeros in the window, and has no fast code on CPUs for either. Here no sum has a zero in it:
    1 to 2 times as fast. The gradients are sums of the convolution that goes the other way, whose
    own gradients are the usual ones: 4 to 14 times as fast.

    Args:
        x: Tensor `(batch, height, width, in)`.
        kernel: Tensor `(kernel height, kernel width, out, in)`.
        strides: Pair of integers.
        padding: "same" or "valid".
        output_padding: Pair of integers, or `None`.
    """
    transposed = _in_places if on_cpus() else _whole
    return transposed(x, kernel, strides, padding, output_padding)


def _whole(x, kernel, strides, padding, output_padding):
    return keras.ops.conv_transpose(x, kernel, strides, padding, output_padding, "channels_last")


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
def _in_places(x, kernel, strides, padding, output_padding):
    whole = functools.partial(
        _whole, strides=strides, padding=padding, output_padding=output_padding
    )
    sizes = jax.eval_shape(whole, x, kernel).shape[1:3]
    cuts = [_cut(*each, padding) for each in _by_axis(kernel, strides, output_padding)]
    return _interleaved(x, kernel, strides, cuts, sizes)


def _interleaved(x, kernel, strides, cuts, sizes):
    """A transposed convolution as one convolution for each place that an output has in a stride."""
    room = [(0, max(0, n - size)) for n, size in zip(strides, kernel.shape[:2], strict=True)]
    kernel = jax.numpy.pad(kernel, (*room, (0, 0), (0, 0)))  # so that each place has a tap
    counts = [-(-size // stride) for size, stride in zip(sizes, strides, strict=True)]

    def outputs(*places):
        taps, pads = kernel, []
        for axis, (place, cut, stride) in enumerate(zip(places, cuts, strides, strict=True)):
            skipped, first = divmod(place + cut, stride)
            taps = jax.lax.slice_in_dim(taps, first, taps.shape[axis], stride, axis)
            reach = taps.shape[axis] - 1
            before = reach - skipped
            pads.append((before, counts[axis] + reach - x.shape[axis + 1] - before))
        axes = ("NHWC", "HWOI", "NHWC")
        taps = taps[::-1, ::-1]
        return jax.lax.conv_general_dilated(x, taps, (1, 1), pads, dimension_numbers=axes)

    rows, columns = map(range, strides)
    y = [jax.numpy.stack([outputs(i, j) for j in columns], axis=3) for i in rows]
    y = jax.numpy.stack(y, axis=2)  # (batch, counts[0], strides[0], counts[1], strides[1], out)
    y = y.reshape(len(x), counts[0] * strides[0], counts[1] * strides[1], -1)
    return y[:, : sizes[0], : sizes[1]]


def _in_places_forward(x, kernel, strides, padding, output_padding):
    return _in_places(x, kernel, strides, padding, output_padding), (x, kernel)


def _in_places_backward(strides, padding, output_padding, tensors, gradient):
    x, kernel = tensors
    pads = []
    for axis, (size, stride, extra) in enumerate(_by_axis(kernel, strides, output_padding)):
        first = _cut(size, stride, extra, padding)
        last = (x.shape[axis + 1] - 1) * stride + size - gradient.shape[axis + 1] - first
        pads.append((first, last))

    def narrowing(kernel):
        axes = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(gradient, kernel, strides, pads, dimension_numbers=axes)

    of_x, pull_back = jax.vjp(narrowing, kernel)
    return of_x, pull_back(x)[0]


def _by_axis(kernel, strides, output_padding):
    """The kernel's size, the stride and the output padding of each axis."""
    return zip(kernel.shape[:2], strides, output_padding or (None, None), strict=True)


def _cut(size, stride, output_padding, padding):
    """What Keras cuts off a transposed convolution's first side, of a kernel of that size."""
    if padding == "valid":
        return 0
    extra = stride - size % 2 if output_padding is None else output_padding
    kept = size + size % 2 - 2 + extra
    return size - 1 - min(kept // 2 + kept % 2, size - 1)


_in_places.defvjp(_in_places_forward, _in_places_backward)


def one_by_one(function, x, outputs):
    """What a function returns of each part of `x` along its first axis, stacked: one in memory."""
    return jax.lax.map(function, x)


def result_names(function, x):
    """The keys of the dictionary that comes second in what `function(x)` returns."""
    return list(jax.eval_shape(function, x)[1])  # abstractly: op by op, JAX takes seconds


def input_gradient(function, x):
    """The gradient of the sum of what `function(x)` returns, itself differentiable.

    Args:
        function: Function of a tensor that updates no variable (no batch normalisation).
        x: Tensor.

    Returns:
        Tensor like `x`.
    """
    return jax.grad(lambda x: keras.ops.sum(function(x)))(x)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def shared_pass(call, weights, x):
    """What `call(weights, x)` returns first, twice, and its state; see `backends.call_for_two`."""
    y, state = call(weights, x)
    return (y, y), state


def _shared_pass_forward(call, weights, x):
    y, pull_back, state = jax.vjp(call, weights, x, has_aux=True)
    return ((y, y), state), pull_back


def _shared_pass_backward(call, pull_back, gradients):
    (first, second), _ = gradients
    return pull_back(first + second)[0], pull_back(first)[1]  # XLA leaves out the other halves


shared_pass.defvjp(_shared_pass_forward, _shared_pass_backward)


def value_and_gradient(network, loss):
    """Compiles a loss of what a network makes of its input, and its gradient with respect to that.

    For use outside training: the network runs with `training=False` and nothing is updated. What
    its variables hold counts at each call, not what they held when this was compiled.

    Args:
        network: Built Keras model of one input and one output.
        loss: Function of the network's output and of further tensors; returns a tensor.

    Returns:
        Function of the network's input and the further tensors, arrays or tensors. It returns the
        loss and, in the shape of the input, the gradient of its sum, both as tensors.
    """

    def total(x, trainable, non_trainable, tensors):
        output, _ = network.stateless_call(trainable, non_trainable, x, training=False)
        value = loss(output, *tensors)
        return value.sum(), value

    # The variables are arguments: XLA would take those it sees as constants into the program.
    compiled = jax.jit(jax.value_and_grad(total, has_aux=True))

    def function(x, *tensors):
        variables = network.trainable_variables, network.non_trainable_variables
        values = [[variable.value for variable in group] for group in variables]
        (_, value), gradient = compiled(x, *values, tensors)
        return value, gradient

    return function


def compile_predict(network):
    """Does nothing: JAX compiles for each size of a batch, and says nothing of it."""


class TakesTurns:
    """Gives `Game` its steps on the JAX backend, in the form that Keras's JAX trainer expects."""

    def train_step(self, state, data):
        x = self.points(data)
        trained = (self.trainable_variables, self.non_trainable_variables)
        state = State(state, *trained, self.optimizer.variables, self.metrics_variables)
        for player, batch in self.turns(x):
            state.run(self.begin_turn, player)
            turn = _take_turn(player, self.optimizer[player.name], state, batch)
            state.run(self.track, player, *turn)
        state.run(self.end_step)
        return state.run(self.get_metrics_result), state.values()

    def test_step(self, state, data):
        x = self.points(data)
        trained = (self.trainable_variables, self.non_trainable_variables)
        state = State(state, *trained, self.metrics_variables)
        for player in self.players():
            loss, terms = state.copy().run(player.loss, x)  # what it updates is forgotten
            state.run(self.track, player, loss, terms)
        return state.run(self.evaluated), state.values()

    def make_train_function(self, force=False):
        """As Keras's trainer has it, but for several steps an execution: these are one call."""
        simple = self.run_eagerly or not self.jit_compile or keras.distribution.distribution()
        own = type(self).train_step is TakesTurns.train_step
        if self.steps_per_execution == 1 or simple or not own:
            return super().make_train_function(force)
        if self.train_function is not None and not force:
            return None
        several = in_one_call(self.train_step, self._logs_of)

        def play(state, iterator):
            for stack, count in stacked(map(self.points, iterator), self.steps_per_execution):
                logs, state = several(state, stack, count)
            return logs, state

        self.train_function = play

    def _logs_of(self, values):
        groups = (self.trainable_variables, self.non_trainable_variables)
        state = State(values, *groups, self.optimizer.variables, self.metrics_variables)
        return state.run(self.get_metrics_result)

    def _purge_model_variables(self, **groups):
        """Leaves the variables what they hold, which Keras's trainer takes from them at a first
        step: an error there would leave a game without weights. The step takes their memory."""


def _take_turn(player, optimizer, state, x):
    """Updates the player's variables in `state`; returns its loss and terms."""
    variables = player.trainable_variables

    def scaled_loss(weights):
        branch = state.copy()
        branch.assign(variables, weights)
        loss, terms = branch.run(player.loss, x)
        return branch.run(optimizer.scale_loss, loss), (loss, terms, branch.current)

    weights = state.read(variables)
    gradients, (loss, terms, current) = jax.grad(scaled_loss, has_aux=True)(weights)
    state.current = current  # what the loss itself updated: seeds, moving averages
    weights, optimizer_values = optimizer.stateless_apply(
        state.read(optimizer.variables), gradients, weights
    )
    state.assign(variables, weights)
    state.assign(optimizer.variables, optimizer_values)
    return loss, terms, gradients
