"""Runs command lines, each in a fork of a process that has imported everything already.

Reads a JSON list of [workdir, script, flags...] and writes one of [exit status, standard error,
whether the workdir changed].
"""

import functools
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.fuzz.harness import forked, script  # noqa: E402
from bms_keras.runs import evaluation, training  # noqa: E402, F401  (the imports that are spared)


def content(folder):
    """What a folder holds, or a file; `None` where there is nothing."""
    path = pathlib.Path(folder)
    if path.is_dir():
        return {p: p.is_file() and p.read_bytes() for p in sorted(path.rglob("*"))}
    return path.read_bytes() if path.exists() else None


results = []
for workdir, name, *flags in json.load(sys.stdin):
    before = content(workdir)
    outcome = forked(functools.partial(script, name, f"--workdir={workdir}", *flags))
    results.append([outcome.status, outcome.text, content(workdir) != before])
json.dump(results, sys.stdout)
