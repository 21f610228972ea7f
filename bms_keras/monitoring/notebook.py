"""What a cell of a notebook shows while it runs. Nothing is imported that a notebook has not."""

import sys


def is_running():
    """Whether this process is the kernel of a notebook, which shows pictures."""
    shell = "IPython" in sys.modules and sys.modules["IPython"].get_ipython()
    return bool(shell) and hasattr(shell, "kernel")  # IPython in a terminal has none


class Output:
    """Shows things in a cell, each in place of the one of that name before: so a saved notebook
    holds the last one, however many there were. Where there is no notebook, it shows nothing.

    Example:

    >>> output = Output()
    >>> output.show("samples", model.plot_samples())
    """

    def __init__(self):
        self._shown = {}  # IPython's handles by name

    def show(self, name, thing):
        """Shows a text, as it is, or what IPython can display, as a `PIL.Image` is."""
        if not is_running():
            return
        raw = isinstance(thing, str)
        thing = {"text/plain": thing} if raw else thing
        if name in self._shown:
            self._shown[name].update(thing, raw=raw)
        else:
            display = sys.modules["IPython"].display.display
            self._shown[name] = display(thing, raw=raw, display_id=True)
