"""Runs all parts of the fuzz: `python -m benchmarks.fuzz --out=results/fuzz.json`.

`--parts` names some of them, and `--only` takes the numbers of cases of one. The last line is a
JSON object: for each part the commit, the seed, the command and the counts, which take the place of
that part's in `--out`. The exit status is 1 if a case ended otherwise than it should.
"""

import importlib
import json
import pathlib
import sys

import bms_keras.runs.evaluation
import bms_keras.runs.training  # noqa: F401  (the imports that are spared)
from benchmarks.fuzz import harness
from bms_keras.tables.report import commit, versions

PARTS = ("fields", "files", "images")


def main():
    parser = harness.parser(__doc__)
    parser.add_argument("--parts", default=",".join(PARTS), help="which, with commas")
    parser.add_argument("--out", help="where the JSON goes, beside the screen")
    options = parser.parse_args()
    about = {"commit": commit(), "seed": options.seed, "versions": versions()}
    chosen = [flag for flag in sys.argv[1:] if not flag.startswith(("--out", "--failures"))]
    about["command"] = " ".join(["python -m benchmarks.fuzz", *chosen])
    record = {}
    for part in options.parts.split(","):
        module = importlib.import_module(f"benchmarks.fuzz.{part}")
        record[part] = about | harness.run(part, module.cases, options)
    if options.out:
        out = pathlib.Path(options.out)
        kept = json.loads(out.read_text()) if out.exists() else {}
        out.write_text(json.dumps(kept | record, indent=1) + "\n")
    print(json.dumps(record))
    sys.exit(any(counts[kind] for counts in record.values() for kind in harness.WRONG))


if __name__ == "__main__":
    main()
