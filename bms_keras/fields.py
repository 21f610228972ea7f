"""What a field of a config is: its default, its rule, whether it may change, and its meaning.

A rule is a function of a value that returns what would be right, in words, or `None` if the value
fits. Rules are strict about types: `True` is no integer, "1" no number, and a number is finite in
float32. Integers are bounded, so that none is too large for where it ends up.
"""

import dataclasses
from collections.abc import Callable

from bms_keras.errors import BadInput, shown

LARGEST = 2**31 - 1  # of an integer that a tensor may hold
STEPS = 10**9 - 1  # a checkpoint's name has nine digits
WIDEST = 2**20  # units of a layer, channels, latent dimensions
DEEPEST = 64  # hidden layers
FLOAT32 = 3.4e38, 1.2e-38  # the largest number, and the least above 0


@dataclasses.dataclass(frozen=True)
class Field:
    """A field of a config.

    Args:
        default: Its value at first, and where a config lacks it.
        rule: See above.
        meaning: A line that says what it does.
        may_change: Whether a run may go on with another value.
        before: What a config of before the field reads as, where that is not the default: so that
            its run goes on as it was.
    """

    default: object
    rule: Callable[[object], str | None]
    meaning: str
    may_change: bool = False
    before: object = None

    @property
    def absent(self):
        """What a config without the field reads as."""
        return self.default if self.before is None else self.before


def check(name, value, field):
    """Refuses a value that does not fit its field.

    Raises:
        BadInput: Naming the field, what was received and what would be right.
    """
    if expected := field.rule(value):
        raise BadInput(f"{name} must be {expected}. Received: {shown(value)}")


# Rules.


def integer(least, most=LARGEST):
    """An integer from `least` to `most`."""

    def rule(value):
        if type(value) is not int or value < least:
            return f"an integer of at least {least}"
        return None if value <= most else f"an integer of at most {most}"

    return rule


def number(fits, expected):
    """A finite number for which `fits(value)` holds."""

    def rule(value):
        if type(value) not in (int, float) or not abs(value) <= FLOAT32[0]:
            return f"a finite number, {expected}"
        return None if fits(value) else expected

    return rule


def one_of(choices, expected=None):
    """One of a few values, of the same type."""

    def rule(value):
        same = (type(value) is type(choice) and value == choice for choice in choices)
        return None if any(same) else expected or " or ".join(map(repr, choices))

    return rule


def boolean(value):
    """`True` or `False`."""
    return None if type(value) is bool else "True or False"


def text(value):
    """Any text that could be a path."""
    fits = type(value) is str and len(value) <= 4096 and min(value, default=" ") >= " "
    return None if fits else "a text of at most 4096 characters, without control characters"


def texts(value):
    """A tuple of texts."""
    fits = type(value) in (tuple, list) and not any(map(text, value))
    return None if fits else "a tuple of names"


def modules(value):
    """A tuple of names of modules; one text may hold several, with commas between them."""
    names = ",".join(value).split(",") if texts(value) is None else ["-"]
    fits = all(part.isidentifier() for name in names if name for part in name.split("."))
    return None if fits else "a tuple of module names, as an import statement has them"


def widths(value):
    """The widths of hidden layers."""
    size = integer(1, WIDEST)
    fits = type(value) in (tuple, list) and len(value) <= DEEPEST and not any(map(size, value))
    return None if fits else f"a tuple of integers from 1 to {WIDEST}, at most {DEEPEST} of them"


def pair(value):
    """Two finite numbers."""
    fits = type(value) in (tuple, list) and len(value) == 2 and not any(map(anything, value))
    return None if fits else "two finite numbers"


def scales(value):
    """Numbers above 0, at least one."""
    fits = type(value) in (tuple, list) and 0 < len(value) <= DEEPEST
    fits = fits and not any(map(above_0, value))
    return None if fits else f"a tuple of 1 to {DEEPEST} numbers above 0"


size = integer(1, WIDEST)
anything = number(lambda value: True, "")
above_0 = number(lambda value: value >= FLOAT32[1], "above 0")
at_least_0 = number(lambda value: value >= 0, "at least 0")
share = number(lambda value: 0 <= value <= 1, "in [0, 1]")
momentum = number(lambda value: 0 <= value <= 1 - 2**-24, "in [0, 1)")  # in float32, too
inside = number(lambda value: 0 < value < 1, "in (0, 1)")


def flat(values, sections, within=""):
    """A nested dictionary as a flat one by dotted name.

    An empty dictionary that is no section is a value, for a rule to refuse.

    Args:
        values: The dictionary.
        sections: The dotted names of those of its dictionaries that may be empty.
        within: What the names begin with.

    Raises:
        BadInput: If a section is no dictionary, or a name no text.
    """
    found = {}
    for key, value in values.items():
        if not isinstance(key, str):
            raise BadInput(f"the name of a field must be a text. Received: {shown(key)}")
        name = within + key
        if name in sections and not isinstance(value, dict):
            raise BadInput(f"config.{name} must hold fields. Received: {shown(value)}")
        if name in sections or (isinstance(value, dict) and value):
            found |= flat(value, sections, f"{name}.")
        else:
            found[name] = value
    return found


def nested(values, sections=()):
    """A flat dictionary by dotted name as one of sections, of which those named may be empty."""
    found = {}
    for name, value in [(section, {}) for section in sections] + list(values.items()):
        *path, last = name.split(".")
        place = found
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return found
