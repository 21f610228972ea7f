"""Turns on TensorFlow: a gradient tape under `tf.function`."""

import keras
import tensorflow as tf

from bms_keras import distribution
from bms_keras.backends.executions import stacked


def standard_normal(shape, seed):
    """Standard normal noise, float32.

    Philox by name, because the automatic choice of `keras.random` depends on the device (the same
    seed would give other samples elsewhere) and under XLA on a CPU takes 30 times as long.

    Args:
        shape: Tuple of integers or scalar tensors.
        seed: Integer, or a scalar tensor, or a `keras.random.SeedGenerator`.
    """
    if isinstance(seed, keras.random.SeedGenerator):
        seed = tf.cast(seed.next(), tf.int32)
    else:
        seed = tf.stack([tf.cast(seed, tf.int64), 0])
    return tf.random.stateless_normal(shape, seed, alg="philox")


def conv_transpose(x, kernel, strides, padding, output_padding):
    """`keras.ops.conv_transpose`, whose gradient TensorFlow has its own code for."""
    return keras.ops.conv_transpose(x, kernel, strides, padding, output_padding, "channels_last")


def one_by_one(function, x, outputs):
    """What a function returns of each part of `x` along its first axis, stacked: one in memory.

    Args:
        function: Function of a tensor that returns a tuple of tensors, float32; no gradient is
            taken through it.
        x: Tensor.
        outputs: How many tensors it returns.
    """
    kinds = (tf.float32,) * outputs
    return tf.map_fn(function, x, parallel_iterations=1, fn_output_signature=kinds)


def result_names(function, x):
    """The keys of the dictionary that comes second in what `function(x)` returns."""
    return list(function(x)[1])


def input_gradient(function, x):
    """The gradient of the sum of what `function(x)` returns, itself differentiable.

    Args:
        function: Function of a tensor that updates no variable (no batch normalisation).
        x: Tensor.

    Returns:
        Tensor like `x`.
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        y = function(x)
    return tape.gradient(y, x)


def shared_pass(call, weights, x):
    """What `call(weights, x)` returns first, twice, and its state; see `backends.call_for_two`."""
    state = None

    @tf.custom_gradient
    def twice(x, *weights):
        nonlocal state
        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            tape.watch([x, *weights])
            y, state = call(list(weights), x)

        def gradient(first, second):
            of_weights = tape.gradient(y, list(weights), first + second)
            return tape.gradient(y, x, first), *of_weights

        return (tf.identity(y), tf.identity(y)), gradient

    return twice(x, *map(tf.convert_to_tensor, weights)), state


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

    @tf.function
    def compiled(x, *tensors):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            value = loss(network(x, training=False), *tensors)
        return value, tape.gradient(value, x)

    return lambda *tensors: compiled(*map(tf.convert_to_tensor, tensors))


def compile_predict(network):
    """Compiles a network's `predict` once, for batches of any size.

    Keras would trace it again for each size that it meets, and TensorFlow warn of that.

    Args:
        network: Built Keras model of one input and one output.
    """
    if network.predict_function is None and network.distribute_strategy.num_replicas_in_sync == 1:
        network.make_predict_function()
        batch = tf.TensorSpec((None, *network.input_shape[1:]), "float32")
        if not network.run_eagerly:
            network.predict_function = network.predict_function.get_concrete_function([batch])


class TakesTurns:
    """Gives `Game` its steps on the TensorFlow backend."""

    def train_step(self, data):
        x = self.points(data)
        replicas = distribution.replicas()
        for player, batch in self.turns(x):
            self.begin_turn(player)
            variables = player.trainable_variables
            optimizer = self.optimizer[player.name]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch([variable.value for variable in variables])
                loss, terms = player.loss(batch)
                scaled_loss = optimizer.scale_loss(loss)
            gradients = tape.gradient(scaled_loss, [variable.value for variable in variables])
            # Of the whole batch before the optimizer looks whether they are finite, and before
            # their length is logged; Keras then sums what the replicas hand it.
            loss, terms, gradients = distribution.mean_over_replicas((loss, terms, gradients))
            optimizer.apply(_divided(gradients, replicas), variables)
            self.track(player, loss, terms, gradients)
        self.end_step()
        return self.get_metrics_result()

    def make_train_function(self, force=False):
        """As Keras's trainer has it, but with XLA several steps an execution are one program.

        Keras calls a program of one step in a loop, and each call hands over every variable: a
        quarter of what a tiny game's step takes. A step is the same to the last bit, however many
        a call has.
        """
        simple = self.run_eagerly or self.jit_compile is not True or distribution.replicas() > 1
        own = type(self).train_step is TakesTurns.train_step
        if self.steps_per_execution == 1 or simple or not own:
            return super().make_train_function(force)
        if self.train_function is None or force:
            self.train_function = self._in_one_call()

    def _in_one_call(self):
        """A function of an iterator of batches that takes `steps_per_execution` steps."""

        @tf.function(jit_compile=True, reduce_retracing=True)
        def several(batches, count):
            def step(i):
                self.train_step((batches[i],))
                return (i + 1,)

            tf.while_loop(lambda i: i < count, step, (0,))
            return self.get_metrics_result()

        def play(iterator):
            for stack, count in stacked(map(self.points, iterator), self.steps_per_execution):
                logs = several(tf.constant(stack), tf.constant(count))
            return logs

        return play

    def test_step(self, data):
        x = self.points(data)
        for player in self.players():
            with keras.StatelessScope():  # what a loss updates in training is forgotten
                loss, terms = player.loss(x)
            self.track(player, loss, terms)
        return self.evaluated()


def _divided(gradients, replicas):
    if replicas == 1:
        return gradients
    return [None if gradient is None else gradient / replicas for gradient in gradients]
