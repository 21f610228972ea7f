"""JAX's steps as functions of a model's values: `State`, and several steps in one call."""

import copy
import itertools

import jax
import keras
import numpy as np


class State:
    """The current values of a model's variables, kept outside the variables themselves.

    Args:
        values: Tuple of lists of arrays, as Keras hands them to a step.
        groups: The lists of variables that these arrays belong to.
    """

    def __init__(self, values, *groups):
        self.groups = groups
        self.variables = [variable for group in groups for variable in group]
        self.position = {id(variable): i for i, variable in enumerate(self.variables)}
        self.current = [value for group in values for value in group]

    def copy(self):
        branch = copy.copy(self)
        branch.current = list(self.current)
        return branch

    def read(self, variables):
        return [self.current[self.position[id(variable)]] for variable in variables]

    def assign(self, variables, values):
        for variable, value in zip(variables, values, strict=True):
            self.current[self.position[id(variable)]] = value

    def values(self):
        return tuple(self.read(group) for group in self.groups)

    def run(self, function, *args):
        """Calls `function` with these values in the variables, and keeps what it assigned."""
        with keras.StatelessScope(list(zip(self.variables, self.current, strict=True))) as scope:
            result = function(*args)
        self.current = [scope.get_current_value(variable) for variable in self.variables]
        return result


def in_one_call(step, logs_of, most):
    """A function that takes up to so many steps in one call of JAX.

    Keras's trainer calls a step at a time, and each call hands over every array of the state: a
    quarter of what a tiny game's step takes. Here a loop takes them, of as many turns as there are
    batches, so that a step is the same program, to the last bit, whatever they are.

    Args:
        step: Takes the state and a batch; returns logs and the next state.
        logs_of: Takes the state; returns the logs.
        most: Function that returns how many steps.

    Returns:
        Function of the state and an iterator of batches that returns logs and the next state. The
        state's memory is given to it.
    """

    def several(state, batches, count):
        batch = lambda i: jax.tree.map(lambda stack: stack[i], batches)  # noqa: E731
        state = jax.lax.fori_loop(0, count, lambda i, state: step(state, batch(i))[1], state)
        return logs_of(state), state

    several, one = (jax.jit(each, donate_argnums=0) for each in (several, step))

    def play(state, iterator):
        batches = list(itertools.islice(iterator, most()))
        if not batches:
            raise StopIteration
        shapes = [jax.tree.map(np.shape, batch) for batch in batches]
        whole = batches if shapes[-1] == shapes[0] else batches[:-1]
        if whole:
            padded = whole + whole[-1:] * (most() - len(whole))
            stacks = jax.tree.map(lambda *parts: np.stack(parts), *padded)
            logs, state = several(state, stacks, len(whole))
        for batch in batches[len(whole) :]:  # the last of an array may have fewer rows
            logs, state = one(state, batch)
        return logs, state

    return play
