"""Runs command lines, each in a fork of a process that has imported everything already.

Reads a JSON list of [workdir, script, flags...] and writes one of [exit status, standard error,
whether the workdir changed].
"""

import json
import os
import pathlib
import runpy
import sys
import tempfile
import traceback

ROOT = pathlib.Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from bms_keras import evaluation, training  # noqa: E402, F401  (the imports that are spared)


def content(folder):
    """What a folder holds, or a file; `None` where there is nothing."""
    path = pathlib.Path(folder)
    if path.is_dir():
        return {p: p.is_file() and p.read_bytes() for p in sorted(path.rglob("*"))}
    return path.read_bytes() if path.exists() else None


def status_of(script):
    """Runs a script as `python` would, and returns its exit status."""
    status = 0
    try:
        runpy.run_path(str(ROOT / script), run_name="__main__")
    except SystemExit as end:
        status = end.code or 0
        if isinstance(status, str):
            print(status, file=sys.stderr)
            status = 1
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return status


results = []
for workdir, script, *flags in json.load(sys.stdin):
    before = content(workdir)
    with tempfile.TemporaryFile() as errors:
        process = os.fork()
        if not process:
            os.dup2(errors.fileno(), 1)
            os.dup2(errors.fileno(), 2)
            sys.argv = [script, f"--workdir={workdir}", *flags]
            os._exit(status_of(script))  # tearing TensorFlow down would take seconds
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        errors.seek(0)
        text = errors.read().decode(errors="replace")
    results.append([status, text, content(workdir) != before])
json.dump(results, sys.stdout)
