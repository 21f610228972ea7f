"""What `train.py` and `eval.py` share: bad input ends in one line, without a traceback."""

import sys

from absl import app, flags

from bms_keras.errors import BadInput


def run(main):
    """Parses the flags and calls `main()`; exits with 1 on bad input, with 2 on bad flags."""

    def parse(argv):
        try:
            rest = flags.FLAGS(argv)
            if rest[1:]:
                raise flags.Error(f"unexpected arguments: {' '.join(rest[1:])}")
        except BadInput as error:
            _fail(1, error)
        except (flags.Error, AttributeError, KeyError, OSError, SyntaxError, TypeError) as error:
            _fail(2, error)
        return rest

    def guarded(_):
        try:
            main()
        except BadInput as error:
            _fail(1, error)

    app.run(guarded, flags_parser=parse)


def _fail(status, error):
    text = str(error)
    if "Traceback" in text:  # ml_collections hands on the traceback of a config file as text
        text = text.strip().splitlines()[-1].removeprefix(f"{BadInput.__module__}.BadInput: ")
    line = " ".join(text.split())
    print(f"{sys.argv[0]}: {line}", file=sys.stderr)
    sys.exit(status)
