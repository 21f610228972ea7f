"""What a metric is: its function, its options, what it needs, and what it gives."""

import dataclasses
from collections.abc import Callable

MOST = 10**7  # samples or images that are measured


@dataclasses.dataclass(frozen=True)
class Metric:
    """A metric and what it needs.

    Args:
        function: Takes a model, a data set and the options (a `Protocol`); returns a dictionary of
            numbers by name; `None` is one that is undefined.
        keys: Takes a data set and the options; returns the names of those numbers.
        options: What it may be told, a `Field` by name: fields of `config.protocol` and flags of
            `eval.py`. Metrics with the same option share its value.
        kind: The kind of data that it needs; `None` for any.
        posterior: Whether it needs a recognition network.
        instead: By another kind of data, the name of the metric that is measured of them where a
            config asks for this one in training.
        fits: Takes a data set; returns why it does not apply to that, or `None`.
        points: How many held-out points it needs.
        fetch: Takes a data set and the options; fetches and checks what else it needs.
        constants: The names of those of its numbers that say how it was measured, not what was
            found: they stand in the record and are not charted.
        titles: What a line of training shows of it: titles by what the numbers' names begin with
            (the first that does); if it is empty, all numbers by their names.
    """

    function: Callable
    keys: Callable = lambda data, options: ()
    options: dict = dataclasses.field(default_factory=dict)
    kind: str | None = None
    instead: dict = dataclasses.field(default_factory=dict)
    posterior: bool = False
    fits: Callable = lambda data: None
    points: int = 1
    fetch: Callable = lambda data, options: None
    constants: tuple[str, ...] = ()
    titles: dict = dataclasses.field(default_factory=dict)

    def shown(self, data, options):
        """Titles by the names of the numbers that a line of training shows."""
        keys = self.keys(data, options)
        if not self.titles:
            return {key: key for key in keys}
        first = lambda start: next(key for key in keys if key.startswith(start))  # noqa: E731
        return {first(start): title for start, title in self.titles.items()}

    def obstacle(self, model, data):
        """Why it does not apply, or `None`."""
        if self.kind not in (None, data.kind):
            return f"needs data of the kind {self.kind!r}; this is {data.kind!r}"
        if self.posterior and not model.has_posterior:
            return "needs a method with a recognition network"
        if reason := self.fits(data):
            return reason
        if (found := len(data.points(self.points))) < self.points:
            return f"needs at least {self.points} held-out points. Received: {found}"
        return None
