"""Trains a method: `python train.py --config=grid:bms_vae_gan --workdir=runs/grid`.

The config is one of this package by its name, or a file; the part after the colon is the method.
Any field of the config can be set, as in `--config.samples=30 --config.seed=3`. Called again with
the same workdir, or with `--workdir` alone, training goes on.

`--list` shows what there is; `--config=grid --help-config` the fields of a config.

Several processes, on JAX: the same command for each, with `--config.strategy=data_parallel
--coordinator=HOST:PORT --num_processes=2 --process_id=0`, or `--coordinator=auto` on a cluster.
"""

import os
import signal
import sys

signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends the imports; see `cli.run`
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # heeded by TensorFlow before 2.21

try:
    from absl import flags
    from ml_collections import config_flags

    from bms_keras.runs import cli
except ImportError as error:
    sys.exit(f"train.py: {error}")

cli.prepare()  # files of flags are read where a config is defined
CONFIG = config_flags.DEFINE_config_file("config", None, "A config's name or file, :method.")
WORKDIR = flags.DEFINE_string("workdir", None, "The folder of the run.")
COORDINATOR = flags.DEFINE_string(
    "coordinator", None, "HOST:PORT of the first process, or 'auto' on a cluster."
)
PROCESSES = flags.DEFINE_integer("num_processes", None, "How many processes train together.", 1)
PROCESS = flags.DEFINE_integer("process_id", None, "The number of this one, from 0.", 0)
VERBOSE = flags.DEFINE_boolean("verbose", False, "All that is logged, after each epoch's line.")
PRINT = flags.DEFINE_boolean("print_config", False, "Print the config, and do not train.")
EXPLAIN = flags.DEFINE_boolean("help-config", False, "Print what each field means, too.")


def listed():
    from bms_keras.runs import listing

    return listing.parts()


flags.DEFINE_flag(cli.Answer("list", "Print all methods, configs, metrics, …", listed))
cli.require_config()


def main():
    from bms_keras import distribution
    from bms_keras.runs import config, listing, training

    if PRINT.value or EXPLAIN.value:
        print(listing.of_config(config.complete(CONFIG.value), EXPLAIN.value))
        return
    with distribution.initialize(COORDINATOR.value, PROCESSES.value, PROCESS.value):
        training.train(CONFIG.value, WORKDIR.value, VERBOSE.value)


if __name__ == "__main__":
    cli.run(main, "bms_keras.runs.training")
