"""JAX's steps as functions of a model's values: `State`, and several steps in one call."""

import copy

import jax
import keras


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


def in_one_call(step, logs_of):
    """A function that takes several steps in one call of JAX.

    Keras's trainer calls a step at a time, and each call hands over every array of the state: a
    quarter of what a tiny game's step takes. Here a loop takes them, of as many turns as there are
    batches, so that a step is the same program, to the last bit, whatever they are.

    Args:
        step: Takes the state and a batch; returns logs and the next state.
        logs_of: Takes the state; returns the logs.

    Returns:
        Function of the state, a stack of batches and how many of them count that returns logs and
        the next state. The state's memory is given to it.
    """

    def several(state, batches, count):
        play = lambda i, state: step(state, (batches[i],))[1]  # noqa: E731
        state = jax.lax.fori_loop(0, count, play, state)
        return logs_of(state), state

    return jax.jit(several, donate_argnums=0)
