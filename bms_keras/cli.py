"""What `train.py` and `eval.py` share: bad input ends in one line, without a traceback."""

import os
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
        except AttributeError as error:  # how a locked config refuses a field, with a suggestion
            cause = error.args[0]
            hint = " ".join(str(cause.args[0] if isinstance(cause, KeyError) else cause).split())
            _fail(2, f"the config has no field {hint}")
        except Exception as error:  # a config file is a program, which may raise anything
            _fail(2, error)
        return rest

    def guarded(_):
        try:
            main()
        except (BadInput, OSError) as error:  # OSError: a missing config, a full disk
            _fail(1, error)
        except KeyboardInterrupt:  # while data are opened, say; training itself ends with a save
            _fail(130, "interrupted")

    app.run(guarded, flags_parser=parse)


def _fail(status, error):
    # ml_collections hands on what went wrong in a config file as several lines; the last says it.
    line = str(error).strip().splitlines()[-1].strip()
    print(
        f"{os.path.basename(sys.argv[0])}: {line.removeprefix('bms_keras.errors.BadInput: ')}",
        file=sys.stderr,
    )
    sys.exit(status)
