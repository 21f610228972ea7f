"""Trains a method: `python train.py --config=configs/grid.py:bms_vae_gan --workdir=runs/grid`.

The part after the colon is the method. Any field of the config can be set, as in
`--config.samples=30 --config.seed=3`. Called again with the same workdir, training goes on.
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's greetings hide the progress bar

try:
    from bms_keras import cli, training
except ImportError as error:
    sys.exit(f"train.py: {error}")
from absl import flags
from ml_collections import config_flags

CONFIG = config_flags.DEFINE_config_file("config", None, "A file in configs/, :method.")
WORKDIR = flags.DEFINE_string("workdir", None, "The folder of the run.")
flags.mark_flags_as_required(["config", "workdir"])

if __name__ == "__main__":
    cli.run(lambda: training.train(CONFIG.value, WORKDIR.value))
