"""A client of SavedModels that knows TensorFlow and nothing of this package.

Reads lines of JSON, each a list of requests: a folder, a signature and its inputs as REST's JSON
has them. Answers each with a line, a list of what came back: a dictionary of arrays or the first
line of the error.
"""

import functools
import json
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf

load = functools.cache(tf.saved_model.load)


def answer(folder, signature, inputs):
    function = load(folder).signatures[signature]
    specs = function.structured_input_signature[1]
    try:
        tensors = {
            name: tf.constant(value, specs[name].dtype if name in specs else None)
            for name, value in inputs.items()
        }
        return {name: tensor.numpy().tolist() for name, tensor in function(**tensors).items()}
    except (tf.errors.InvalidArgumentError, TypeError, ValueError) as error:
        return f"{type(error).__name__}: {error}"


for line in sys.stdin:
    answers = [answer(*request) for request in json.loads(line)]
    assert "bms_keras" not in sys.modules
    print(json.dumps(answers), flush=True)
