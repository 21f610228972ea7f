"""What there is to choose from, as text: methods, configs, metrics, data, networks, fields.

`python -m bms_keras.runs.listing` prints the page of all fields, `docs/fields.md`.
"""

import textwrap

from bms_keras import data, fields, methods, metrics, networks, sampling
from bms_keras.runs import named_configs
from bms_keras.runs.schema import SECTIONS, of_all, table_of

WIDTH = 100  # letters of a line


def parts():
    """What `--list` prints: everything that has a name, a user's own parts too."""
    described = {
        "methods (--config=CONFIG:METHOD)": {
            name: method.summary for name, method in methods.METHODS.items()
        },
        "configs (--config=NAME)": {
            name: named_configs.summary(name) for name in named_configs.names()
        },
        "metrics (--metrics=, --config.eval_metrics=)": {
            name: ", ".join(metric.titles.values()) for name, metric in metrics.METRICS.items()
        },
        "samplers (eval.py --sampler=)": {
            name: _first_line(sampler) for name, sampler in sampling.SAMPLERS.items()
        },
        "data (--config.data.source=)": dict.fromkeys(data.SOURCES, "")
        | {
            "PATH": "an .npz or .npy of images or points, or a folder of images",
            f"{data.TFDS}NAME": "of tensorflow-datasets",
            f"{data.STACKED}FILE": "three digits of MNIST's .npz in the colours of an image",
        },
        "networks (--config.networks.family=)": {
            name: _first_line(family) for name, family in networks.FAMILIES.items()
        },
    }
    return "\n\n".join(f"{title}\n{_columns(rows)}" for title, rows in described.items())


def of_config(config, explained=False):
    """The fields of a config, one a line: what `--print_config` and `--help-config` print.

    Args:
        config: A whole `ConfigDict`.
        explained: Whether to say below each what it means, and what else it may be.
    """
    table = table_of(config.method, config.networks.family, config.data.source)
    lines = []
    for name, value in fields.flat(config.to_dict(), SECTIONS).items():
        lines.append(f"{name} = {value!r}")
        if explained:
            meaning = textwrap.wrap(_meaning(table[name]), WIDTH - 4)
            lines += [*(f"    {line}" for line in meaning), ""]
    return "\n".join(lines)


def page():
    """Every field of every config, as a page of Markdown."""
    lines = [
        "# The fields of a config",
        "",
        "Each is set by `--config.FIELD=VALUE`; `train.py --config=grid --help-config` shows those",
        "of one config, with their values there. A run may go on with another value of those",
        "marked *. This page is what `python -m bms_keras.runs.listing` prints.",
        "",
        "| field | default | what it is |",
        "| --- | --- | --- |",
    ]
    for name, field in of_all().items():
        cells = f"`{name}`{' *' if field.may_change else ''}", f"`{field.default!r}`"
        lines.append(f"| {' | '.join((*cells, _escaped(_meaning(field))))} |")
    return "\n".join(lines)


def _meaning(field):
    """What a field means, and what fits it, in the words of its rule; any text needs none."""
    expected = field.rule is not fields.text and field.rule(object())  # which no field takes
    return f"{field.meaning}; {expected}" if expected else field.meaning


def _escaped(text):
    return text.replace("|", "\\|")


def _columns(rows):
    width = max(map(len, rows))
    return "\n".join(f"  {name:{width}}  {text}".rstrip() for name, text in rows.items())


def _first_line(part):
    return (part.__doc__ or "").strip().partition("\n")[0]


if __name__ == "__main__":
    print(page())
