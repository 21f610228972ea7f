"""Compares two sets of images: `python -m bms_keras.metrics --metrics=fid,kid REAL GENERATED`.

REAL and GENERATED are folders of images, whoever made them, .npz or .npy files, or a .keras file of
a generator. The last line printed is a JSON object.
"""

import argparse
import json
import signal
import sys

from bms_keras import errors, fields
from bms_keras.metrics import comparison, feature_networks, prdc

NAME = "python -m bms_keras.metrics"


class Parser(argparse.ArgumentParser):
    """Refuses flags in one line."""

    def error(self, message):
        errors.warn(f"metrics: {message}")
        sys.exit(2)


def _checked(field):
    """A type of argparse for a field's rule."""

    def parse(text):
        value = int(text) if type(field.default) is int else text
        if expected := field.rule(value):
            raise argparse.ArgumentTypeError(f"must be {expected}")
        return value

    parse.__name__ = "integer"  # how argparse calls what `int` refuses
    return parse


COUNT = fields.Field(0, fields.integer(2), "images of each side at most; of a model: 5,000")
FIELDS = {
    "count": COUNT,
    "resolution": fields.Field(
        0, fields.integer(1, 2**13), "crop and resize images of a folder to this; 0: as they are"
    ),
    "batch_size": fields.Field(32, fields.integer(1, 2**16), "images at a time"),
    **feature_networks.OPTIONS,
    "neighbours": prdc.NEIGHBOURS,
    "seed": fields.Field(0, fields.integer(0, 2**32 - 1), "of a model's samples, and of KID"),
}


def arguments(argv):
    """The arguments of the command line."""
    parser = Parser(NAME, description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("real", metavar="REAL", help="a folder, an .npz, .npy or .keras file")
    parser.add_argument("generated", metavar="GENERATED", help="the same")
    known = ", ".join(comparison.METRICS)
    parser.add_argument("--metrics", default="fid,kid", help=f"of {known}; fid,kid if not given")
    for name, field in FIELDS.items():
        help_ = field.meaning.replace("%", "%%")
        parser.add_argument(f"--{name}", type=_checked(field), default=field.default, help=help_)
    return parser.parse_args(argv)


def main(argv):
    signal.signal(signal.SIGINT, signal.default_int_handler)  # until here it ended all at once
    given = vars(arguments(argv))
    names = [name for name in given.pop("metrics").split(",") if name]
    try:
        print(json.dumps(comparison.compare(metrics=names, **given)))
    except (errors.BadInput, OSError) as error:
        errors.warn(f"metrics: {errors.reason(error)}")
        return 1
    except KeyboardInterrupt:
        errors.warn("metrics: interrupted")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
