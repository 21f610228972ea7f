"""What only TensorFlow can do, done by a process of its own when Keras runs on another backend."""

import os
import subprocess
import sys

from bms_keras.errors import BadInput


def run_on_tensorflow(module, *arguments):
    """Runs a module, as `python -m` does, in a process whose backend is TensorFlow.

    Args:
        module: Its dotted name.
        *arguments: Strings or paths.

    Raises:
        BadInput: If it fails: the last line of what it said.
    """
    environment = {
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "",  # the accelerator is ours
        "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path),
    }
    process = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    if process.returncode:
        lines = process.stderr.strip().splitlines() or [f"{module} failed on TensorFlow"]
        raise BadInput(lines[-1])
