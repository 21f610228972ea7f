"""What `train.py` and `eval.py` share: bad input ends in one line, without a traceback.

What loads Keras is imported where it is needed: `--help` and a mistyped flag need none of it.
"""

import ast
import functools
import importlib
import itertools
import os
import re
import signal
import sys

from absl import app, flags

from bms_keras import files
from bms_keras.errors import BadInput, similar, warn, without_greetings
from bms_keras.files import modules
from bms_keras.runs import hints, named_configs
from bms_keras.runs.starting import load_keras

flags.disclaim_key_flags()  # what is defined here is listed by the --help of the script that asks


def run(main, *needs):
    """Parses the flags and calls `main()`; exits with 1 on bad input, with 2 on bad flags.

    Args:
        main: Function without arguments.
        *needs: Names of modules that it imports: meanwhile Ctrl-C ends the program at once.
    """

    prepare()

    def parse(argv):
        try:
            arguments = flags.FLAGS.read_flags_from_files(argv[1:], force_gnu=False)
            _check_names(arguments)
            if "config" in flags.FLAGS:
                arguments = _with_config(arguments)
            rest = flags.FLAGS([argv[0], *arguments])
            if rest[1:]:
                raise flags.Error(f"unexpected arguments: {' '.join(rest[1:])}")
        except (AttributeError, KeyError) as error:  # a locked config refuses a field, a section
            _fail(2, hints.no_field(error.args[0], _typed()))
        except flags.IllegalFlagValueError as error:
            _fail(2, hints.no_section(str(error)))
        except Exception as error:  # a config file is a program, which may raise anything
            _fail(2, error)
        load_keras()
        for module in needs:
            importlib.import_module(module)
        if "tensorflow" in sys.modules:  # it looks for GPUs, and says so, before `main` is called
            with without_greetings():
                sys.modules["tensorflow"].config.list_physical_devices()
        return rest

    def guarded(_):
        signal.signal(signal.SIGINT, signal.default_int_handler)  # until here it ended all at once
        try:
            main()
        except (BadInput, OSError) as error:  # OSError: a missing config, a full disk
            _fail(1, error)
        except KeyboardInterrupt:  # while data are opened, say; training itself ends with a save
            _fail(130, "interrupted")

    app.run(guarded, flags_parser=parse)


def prepare():
    """Checks the files that the command line names, and imports the user's own modules.

    This comes before flags are defined and parsed: a config file looks up a method, and the options
    of metrics are flags.
    """
    modules.search_current_folder()  # a config file may import from there
    try:
        given = [*_given(sys.argv[1:])]
        for flag, value in given:
            if flag == "workdir":
                _import_parts_of(value)
            if flag in ("config.imports", "imports"):
                load_keras()
                modules.load([value])
    except BadInput as error:
        _fail(2, error)


def _import_parts_of(path):
    """Imports what the run in a folder asks for; what is wrong with the path is said later."""
    try:
        run = _run_in(path)
    except BadInput:
        return
    if run:
        run.import_parts()


def _run_in(path):
    """The `Workdir` of a folder that is there, else `None`: for that Keras need not be loaded."""
    if not files.expanded(path, "--workdir").is_dir():
        return None
    load_keras()
    from bms_keras.runs.workdir import Workdir

    return Workdir(path)


def _given(arguments, seen=()):
    """The flags that are given and their values, in files of flags too.

    Refuses a config or a file of flags that is no regular file: a device may never end.

    Args:
        arguments: Of the command line, or the lines of a file of flags, which may name others.
        seen: Names of the files of flags that are being looked at.

    Yields:
        Pairs of a flag's name and its value.

    Raises:
        BadInput: If there is such a file.
    """
    for argument, following in itertools.zip_longest(arguments, arguments[1:], fillvalue=""):
        if not argument.lstrip().startswith("-"):  # a value, whatever it reads like
            continue
        flag, given, value = argument.strip().partition("=")
        flag, value = flag.lstrip("-"), (value if given else following).strip()
        yield flag, value
        if flag == "config" and value:
            path, _, _ = named_configs.located(value).partition(":")
            files.check_regular(files.expanded(path, "--config"))
        if flag == "flagfile" and not value:
            raise BadInput("--flagfile must name a file")
        if flag == "flagfile" and value not in seen:
            lines = files.read(files.expanded(value, "--flagfile")).decode(errors="replace")
            yield from _given(lines.splitlines(), (*seen, value))


def _typed():
    """The names of the flags of the command line."""
    return {flag for flag, _ in _given(sys.argv[1:])}


def define_options():
    """Defines a flag for each option of each metric.

    Returns:
        Dictionary from an option's name to its absl flag, whose value is `None` unless it is given.
    """
    define = {
        bool: flags.DEFINE_boolean,
        int: flags.DEFINE_integer,
        float: flags.DEFINE_float,
        str: flags.DEFINE_string,
    }
    load_keras()
    from bms_keras import metrics

    options = {}
    for name, field in metrics.options().items():
        try:
            kind = define.get(type(field.default), functools.partial(flags.DEFINE, _Several(field)))
            options[name] = kind(name, None, f"{field.meaning}.")
        except flags.DuplicateFlagError:
            _fail(2, f"the option {name!r} of a metric has the name of another flag")
        flags.register_validator(name, functools.partial(_validate, field))
    return options


class _Several(flags.ListParser):
    """Reads the values of a field with commas between them, as numbers where it wants numbers."""

    def __init__(self, field):
        super().__init__()
        self.field = field

    def parse(self, argument):
        texts = tuple(super().parse(argument))
        if not self.field.rule(texts):
            return texts
        try:
            return tuple(ast.literal_eval(text) for text in texts)
        except (SyntaxError, ValueError):  # for the rule to refuse
            return texts


def require_config():
    """Requires `--config`, or the workdir of a run, and a workdir unless something is printed."""
    flags.register_validator(
        "config",
        lambda config: config is not None,
        f"is needed to begin a run: a file, or one of {', '.join(named_configs.names())}",
    )
    printed = lambda: any(flags.FLAGS[name].value for name in ("print_config", "help-config"))  # noqa: E731
    flags.register_validator(
        "workdir",
        lambda workdir: workdir is not None or printed(),
        "is needed, the folder of the run",
    )


def _validate(field, value):
    """Whether the value of a flag fits its field, in absl's terms."""
    expected = value is not None and field.rule(value)
    if expected:
        raise flags.ValidationError(f"must be {expected}")
    return True


class Answer(flags.BooleanFlag):
    """A flag that is answered at once, whatever else is missing, as `--help` is.

    Args:
        name, meaning: The flag's.
        answer: Function without arguments that returns what is printed.
    """

    def __init__(self, name, meaning, answer):
        super().__init__(name, False, meaning)
        self._answer = answer

    def parse(self, argument):
        if self._parse(argument):
            load_keras()
            print(self._answer())
            sys.exit(0)


def _check_names(arguments):
    """Refuses a flag that does not exist; what is set in a config is known when that is loaded."""
    rest = iter(arguments)
    for argument in rest:
        name, equals, _ = argument.lstrip("-").partition("=")
        if not argument.startswith("-") or name in ("", "undefok"):
            return  # for absl to read
        if name == "config.method" and "config" in flags.FLAGS:
            raise BadInput("the method is chosen by the config, as in --config=grid:wae")
        if name.startswith("config."):
            continue
        known = next(filter(flags.FLAGS.__contains__, (name, name.removeprefix("no"))), None)
        if known is None:
            near = similar(name, flags.FLAGS)
            line = str(flags.UnrecognizedFlagError(name, argument, near and [near]))
            elsewhere = not near and "config" in flags.FLAGS
            raise BadInput(f"{line}{hints.meant(name, _typed()) if elsewhere else ''}")
        if not equals and not flags.FLAGS[known].boolean:
            next(rest, None)


def _with_config(arguments):
    """The arguments with a path for `--config`, whose value may be a name.

    Where there is none, but a run in the workdir, it is that of the run.
    """
    given = dict(_given(arguments))
    if "config" not in given:
        path = given.get("workdir")
        run = _run_in(path) if path else None
        if run and run.config_file.exists():
            return [f"--config={named_configs.OF_A_RUN}:{path}", *arguments]
        # Without those of its fields: what is missing is the config.
        return [each for each in arguments if not re.match("--?config\\.", each)]
    load_keras()  # before the config does
    found = []
    for before, argument in itertools.pairwise(["", *arguments]):
        flag, equals, value = argument.partition("=")
        if re.fullmatch("--?config", flag) and equals:
            argument = f"--config={named_configs.located(value)}"
        elif re.fullmatch("--?config", before):
            argument = named_configs.located(argument)
        found.append(argument)
    return found


def _fail(status, error):
    text = str(error).strip() or type(error).__name__
    if not isinstance(error, BadInput):
        # ml_collections hands on what went wrong in a config file as lines; the last says it.
        text = text.splitlines()[-1].strip().removeprefix("bms_keras.errors.BadInput: ")
    warn(f"{os.path.basename(sys.argv[0])}: {text}")
    sys.exit(status)
