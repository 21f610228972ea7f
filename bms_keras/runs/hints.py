"""What to say of a field that is no field, or no value of one: which was meant."""

import re

from bms_keras.runs.starting import load_keras


def no_field(cause, typed):
    """What to say of a field that a config lacks.

    Args:
        cause: A text of ml_collections that begins with the last part of its name, quoted.
        typed: The names of the flags of the command line.
    """
    text = " ".join(str(cause.args[0] if isinstance(cause, KeyError) else cause).split())
    word = re.match(r"'([^']*)'", text)
    line = f"the config has no field {word[0] if word else text}"
    return f"{line}{meant(word[1], typed) if word else ''}"


def meant(word, typed):
    """A question after the fields that a word may stand for, or nothing."""
    load_keras()
    from bms_keras.runs import schema

    fields = [f"--config.{name}" for name in schema.meant(word)]
    fields = [flag for flag in fields if flag.removeprefix("--") not in typed]
    return f". Did you mean {' or '.join(fields)}?" if fields else ""


def no_section(text):
    """What to say of a value that does not fit its flag, or is given to a section of a config."""
    section = re.match(r"flag --config\.([\w.]+)=.* as a ConfigDict", text)
    if not section:
        return text
    from bms_keras.runs import schema

    first = next(name for name in schema.of_all() if name.startswith(f"{section[1]}."))
    return f"--config.{section[1]} holds fields: set one of them, as --config.{first}=VALUE"
