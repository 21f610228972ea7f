"""What a table of runs is: its rows, its metrics, and the figures printed beside them."""

import dataclasses

from bms_keras.runs.schema import PLAYERS


@dataclasses.dataclass(frozen=True)
class Row:
    """A line of a table.

    Args:
        config: Name of a file in `configs/`.
        method: Name in the registry of methods.
        fields: Fields of the config set for this row, by dotted name.
        paper: The paper's figures as printed, by metric: "modes", "high_quality_percent", "fid",
            "ivom_unit" (in [0, 1]) or "lpips_diversity"; of a table that is not the paper's, what
            others have published; empty where there is nothing.
    """

    config: str
    method: str
    fields: dict = dataclasses.field(default_factory=dict)
    paper: dict = dataclasses.field(default_factory=dict)

    @property
    def options(self):
        """The fields in words: "lambda_=1 samples=30 mmd_scales=0.1,1 joint_critic.final=0.1"."""
        names = {
            name: name.removeprefix(PLAYERS) if name.startswith(PLAYERS) else name.split(".")[-1]
            for name in self.fields
        }
        return " ".join(f"{names[name]}={_text(value)}" for name, value in self.fields.items())

    @property
    def title(self):
        """The method and the fields."""
        return f"{self.method} {self.options}".strip()

    @property
    def name(self):
        """A name for files that no row of another config, method or fields has."""
        fields = [f"{name}={_text(value)}" for name, value in self.fields.items()]
        return "_".join([self.config, self.method, *fields]).replace("/", "-").replace(" ", "")


def _text(value):
    """A field's value as names and titles have it: a tuple without brackets and spaces."""
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of the paper.

    Args:
        summary: What it shows, in a line.
        rows: Its lines.
        metrics: Names of the metrics that fill it, where they apply to a method.
        protocol: Fields of `metrics.Protocol` that it asks for.
        whose: Whose the figures beside ours are: "paper", or "published" by others.
        note: What else is to be said below it.
    """

    summary: str
    rows: tuple[Row, ...]
    metrics: tuple[str, ...]
    protocol: dict = dataclasses.field(default_factory=dict)
    whose: str = "paper"
    note: str = ""
