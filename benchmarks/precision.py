"""What precision and compilation buy, by backend: seconds of a step.

    python benchmarks/precision.py --out=results/precision_tensorflow.json
    KERAS_BACKEND=jax python benchmarks/precision.py --out=results/precision_jax.json

float32 and bfloat16, with XLA and without (JAX always compiles), for the standard CNN at T = 10 and
for Grid. All sides must first have computed the same losses, bfloat16 to 3 %. The last line is a
JSON object of ratios to float32 without XLA (on JAX, float32): below 1 is faster.
"""

import os
import pathlib

from absl import app, flags
from timing import Side, agree, ratio, table, take_turns, write

BATCH_SIZE = flags.DEFINE_integer("batch_size", 8, "Images a step.", 1)
SIDES = pathlib.Path(__file__).parent / "implementations.py"
BACKEND = os.environ.get("KERAS_BACKEND", "tensorflow")
JIT = {"tensorflow": ("off", "on"), "jax": ("on",)}[BACKEND]
TASKS = {  # by name: a config and its fields
    "standard_cnn": ("cifar10", {"samples": 10}),
    "grid": ("grid", {}),
}


def compared(task):
    """Times a task; returns the seconds of each side by name."""
    config, fields = TASKS[task]
    sides, expected = {}, None
    for precision in ("float32", "bfloat16"):
        for jit in JIT:
            own = {"precision": precision, "jit_compile": jit}
            if config != "grid":
                own["batch_size"] = BATCH_SIZE.value
            spec = {"side": "ours", "config": config, "method": "bms_vae_gan"}
            side = Side(SIDES, spec | {"set": fields | own})
            name = f"{task} {precision}" + " XLA" * (jit == "on")
            values = side.ask("check")
            expected = expected or values
            agree(name, values, expected, 2e-3 if precision == "float32" else 3e-2)
            sides[name] = side
    take_turns(sides)
    for side in sides.values():
        side.close()
    return {name: side.seconds for name, side in sides.items()}


def main(_):
    record, rows, all_seconds = {"backend": BACKEND}, [], {}
    for task in TASKS:
        seconds = compared(task)
        first = next(iter(seconds))
        for name, own in seconds.items():
            middle, low, high = ratio(own, seconds[first])
            record[name.replace(" ", "_")] = middle
            rows.append({"side": name, "over the first": f"{middle} ({low} to {high})"})
        all_seconds |= seconds
        print(table(rows), flush=True)
    write(record | {"seconds": all_seconds})


if __name__ == "__main__":
    app.run(main)
