"""What `train.py` and `eval.py` share: bad input ends in one line, without a traceback."""

import itertools
import os
import re
import sys

from absl import app, flags

from bms_keras import files
from bms_keras.errors import BadInput, warn


def run(main):
    """Parses the flags and calls `main()`; exits with 1 on bad input, with 2 on bad flags."""

    check_files()

    def parse(argv):
        try:
            rest = flags.FLAGS([_at_home(argument) for argument in argv])
            if rest[1:]:
                raise flags.Error(f"unexpected arguments: {' '.join(rest[1:])}")
        except (AttributeError, KeyError) as error:  # a locked config refuses a field, a section
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


def check_files():
    """Ends with 2 where the command line names a config or a file of flags that may never end."""
    try:
        _check_files(sys.argv[1:])
    except BadInput as error:
        _fail(2, error)


def _check_files(arguments, seen=()):
    """Refuses a config or a file of flags that is no regular file: a device may never end.

    Args:
        arguments: Of the command line, or the lines of a file of flags, which may name others.
        seen: Names of the files of flags that are being looked at.

    Raises:
        BadInput: If there is one.
    """
    for argument, following in itertools.zip_longest(arguments, arguments[1:], fillvalue=""):
        flag, given, value = argument.strip().partition("=")
        path = (value if given else following).strip()
        if flag.lstrip("-") == "config" and path:
            files.check_regular(files.expanded(path.partition(":")[0], "--config"))
        if flag.lstrip("-") == "flagfile" and path and path not in seen:
            lines = files.read(files.expanded(path, "--flagfile")).decode(errors="replace")
            _check_files(lines.splitlines(), (*seen, path))


def _at_home(argument):
    """An argument `--config=~/…` with the home folder's path, as a shell leaves it to us."""
    config = re.match("(--?config=)(~[^:]*)", argument)
    return argument if not config else config[1] + os.path.expanduser(argument[len(config[1]) :])


def _fail(status, error):
    text = str(error).strip() or type(error).__name__
    if not isinstance(error, BadInput):
        # ml_collections hands on what went wrong in a config file as lines; the last says it.
        text = text.splitlines()[-1].strip().removeprefix("bms_keras.errors.BadInput: ")
    warn(f"{os.path.basename(sys.argv[0])}: {text}")
    sys.exit(status)
