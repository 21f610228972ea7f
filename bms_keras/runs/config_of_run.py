"""The config of the run in a workdir, as a config file: what `train.py --workdir=X` alone takes."""

from bms_keras.runs.workdir import Workdir


def get_config(workdir):
    return Workdir(workdir).config()
