"""Runs all parts of the fuzz: `python -m benchmarks.fuzz --out=results/fuzz.json`.

Each part is a module of its own, which can be run alone: `python -m benchmarks.fuzz.fields`.
`--only` takes the numbers of cases of one part, named by `--parts`. The last line is a JSON object:
the commit, the seed, the command, and for each part its counts; the exit status is 1 if a case
ended otherwise than it should.
"""

import importlib
import json
import pathlib
import sys

import bms_keras.evaluation
import bms_keras.training  # noqa: F401  (the imports that are spared)
from benchmarks.fuzz import harness
from bms_keras.tables.report import commit, versions

PARTS = [
    path.stem
    for path in sorted(pathlib.Path(__file__).parent.glob("*.py"))
    if path.stem not in ("__main__", "harness")
]


def main():
    parser = harness.parser(__doc__)
    parser.add_argument("--parts", default=",".join(PARTS), help="which, with commas")
    parser.add_argument("--out", help="where the JSON goes, beside the screen")
    options = parser.parse_args()
    record = {"commit": commit(), "versions": versions(), "seed": options.seed}
    record["command"] = " ".join(["python -m benchmarks.fuzz", *sys.argv[1:]])
    for part in options.parts.split(","):
        module = importlib.import_module(f"benchmarks.fuzz.{part}")
        record[part] = harness.run(part, module.cases, options)
    if options.out:
        pathlib.Path(options.out).write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(record))
    wrong = (record[part][kind] for part in options.parts.split(",") for kind in harness.WRONG)
    sys.exit(any(wrong))


if __name__ == "__main__":
    main()
