"""Measures a run: `python eval.py --workdir=runs/grid --metrics=modes,latent`.

The last line printed is a JSON object, which `metrics.jsonl` in the workdir collects. Pictures
(the paper's tables 2 and 3 on 2D data) go to `samples/` there.
"""

import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

try:
    from bms_keras import cli, evaluation
except ImportError as error:
    sys.exit(f"eval.py: {error}")
from absl import flags

WORKDIR = flags.DEFINE_string("workdir", None, "The folder of the run.")
METRICS = flags.DEFINE_list("metrics", [], "Metrics by name; all that apply, if not given.")
COMPARE = flags.DEFINE_list("compare", [], "Other workdirs, to draw beside this one.")
flags.mark_flag_as_required("workdir")


def main():
    record = evaluation.evaluate(WORKDIR.value, METRICS.value, COMPARE.value)
    print(json.dumps(record))


if __name__ == "__main__":
    cli.run(main)
