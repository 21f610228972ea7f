"""Measures a run: `python eval.py --workdir=runs/grid --metrics=modes,latent`.

The last line printed is a JSON object, which `metrics.jsonl` in the workdir collects. Pictures
go to `samples/` there: on 2D data the paper's tables 2 and 3; of images samples, reconstructions,
interpolations, nearest training images and, with `ivom`, the closest samples (table 5).

The run is exported with `--export_dir` as a SavedModel for TF Serving, with `--onnx_dir` as ONNX,
with `--web_dir` as a web page that needs no server. An export measures and draws nothing but what
`--metrics` names, and needs no data.
"""

import json
import os
import re
import signal
import sys

signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends the imports; see `cli.run`
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

try:
    from absl import flags

    from bms_keras.runs import cli
except ImportError as error:
    sys.exit(f"eval.py: {error}")

cli.prepare()
WORKDIR = flags.DEFINE_string("workdir", None, "The folder of the run.")
METRICS = flags.DEFINE_list("metrics", None, "Names; else all that apply, for an export none.")
COMPARE = flags.DEFINE_list("compare", [], "Other workdirs, to draw beside this one.")
SAMPLER = flags.DEFINE_string("sampler", None, "Draws the samples that are measured; see --list.")
POINTS = flags.DEFINE_integer("sampler_points", 10_000, "Data points that it is fitted to.", 20)
CHECKPOINT = flags.DEFINE_string("checkpoint", "newest", "'newest', 'best' or a step.")
EXPORTS = {
    "export_dir": flags.DEFINE_string("export_dir", None, "Folder for a SavedModel: DIR/1, DIR/2."),
    "onnx_dir": flags.DEFINE_string("onnx_dir", None, "Folder for generator and recognition.onnx."),
    "web_dir": flags.DEFINE_string("web_dir", None, "Folder for a page that runs the generator."),
    "onnxruntime_web": flags.DEFINE_string("onnxruntime_web", None, "FILE.tgz, for --web_dir."),
}
flags.DEFINE_list("imports", [], "Modules of your own, beside those of the run.")
PROTOCOL = cli.define_options()  # of the metrics, each in place of the config's
flags.mark_flag_as_required("workdir")
flags.register_validator(
    "checkpoint",
    lambda which: which in ("newest", "best") or re.fullmatch("[0-9]{1,9}", which),
    "must be 'newest', 'best' or a step",
)


def main():
    from bms_keras.runs import evaluation

    given = {n: flag.value for n, flag in (EXPORTS | PROTOCOL).items() if flag.value is not None}
    which = CHECKPOINT.value if CHECKPOINT.value in ("newest", "best") else int(CHECKPOINT.value)
    given |= {"sampler": SAMPLER.value, "sampler_points": POINTS.value}
    record = evaluation.evaluate(WORKDIR.value, METRICS.value, COMPARE.value, which, **given)
    print(json.dumps(record))


if __name__ == "__main__":
    cli.run(main, "bms_keras.runs.evaluation")
