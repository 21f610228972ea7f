"""How the cost of a step grows with T, the batch, the width and the resolution.

    python benchmarks/growth.py --out=results/growth.json --plot=docs/growth.png

Each point is a process of its own: its time a step and the peak of its memory. Beside the time the
count of multiply-adds stands as the floor: what the step would take if all of it ran at the fastest
rate seen at any point. Standard CNN, width 32, T = 10, batch 4, unless it is that which grows;
resolutions by DCGAN's networks. The last line is a JSON object: `over_floor` is the largest ratio
of a time to its floor, `t64_over_t1` and `t64_memory_over_t1` what 64 samples cost.
"""

import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))  # configs/ is no package to install

import keras
import numpy as np
from absl import app, flags
from implementations import configured, image_shape
from timing import Side, table, take_turns, write

from bms_keras import networks
from bms_keras.layers import SpectralNormalization

PLOT = flags.DEFINE_string("plot", None, "Where the plot goes, a PNG.")
SIDES = pathlib.Path(__file__).parent / "implementations.py"
SMALL = {"samples": 10, "batch_size": 4, "networks.width": 32}
AXES = {  # by what grows: the field, its values, further fields
    "T": ("samples", (1, 2, 4, 8, 16, 32, 64), {}),
    "batch": ("batch_size", (2, 4, 8, 16, 32), {}),
    "width": ("networks.width", (16, 32, 64), {}),
    "resolution": ("data.resolution", (16, 32, 64), {"networks.family": "dcgan"}),
}


def multiply_adds(network):
    """Of a forward pass of one input."""
    total = 0
    for layer in network.layers:
        inner = layer.layer if isinstance(layer, SpectralNormalization) else layer
        if hasattr(inner, "kernel"):
            upward = isinstance(inner, keras.layers.Conv2DTranspose)
            shape = (layer.input if upward else layer.output).shape[1:-1]
            total += int(np.prod(inner.kernel.shape)) * int(np.prod(shape))
    return total


def step_multiply_adds(config):
    """Of a step of BMS-VAE-GAN, by the selected samples.

    A forward pass counts 1, one with a gradient through weights 3, through inputs only 2. G: the
    selection, the best, the least realistic, the prior's, the critic's turn. D_I: the selection,
    the least realistic, the prior's, the critic's two. R: both turns of the posterior. D_L: all T,
    and its own two.
    """
    T, shape = config.samples, image_shape(config)
    names = ("recognition", "generator", "image_critic", "latent_critic")
    built = networks.build(config.networks, shape, names)
    r, g, d, latent = (multiply_adds(built[name]) for name in names)
    select = T if T > 1 else 0
    passes = (select + 10) * g + (select + 10) * d + 4 * r + (2 * T + 6) * latent
    return config.batch_size * passes


def measured(axis):
    """The points of an axis: dictionaries with value, seconds, MiB and multiply-adds."""
    field, values, fields = AXES[axis]
    points = []
    for value in values:
        print(f"{axis} = {value} ...", file=sys.stderr, flush=True)
        own = SMALL | fields | {field: value}
        spec = {"side": "ours", "config": "cifar10", "method": "bms_vae_gan", "set": own}
        side = Side(SIDES, spec)
        take_turns({axis: side})
        peak, before = side.close()
        points.append(
            {
                "axis": axis,
                "value": value,
                "seconds": round(float(np.median(side.seconds)), 4),
                "quartiles": np.percentile(side.seconds, (25, 75)).round(4).tolist(),
                "peak_mib": round(peak),
                "growth_mib": round(peak - before),
                "multiply_adds": step_multiply_adds(configured(spec)),
            }
        )
    return points


def draw(points, path):
    from matplotlib.figure import Figure

    figure = Figure((12, 3.2), layout="constrained")
    for place, axis in zip(figure.subplots(1, len(AXES)), AXES, strict=True):
        own = [point for point in points if point["axis"] == axis]
        x = [point["value"] for point in own]
        place.plot(x, [point["seconds"] for point in own], "o-", label="seconds a step")
        place.plot(x, [point["floor_s"] for point in own], "k--", label="count of arithmetic")
        memory = [point["peak_mib"] / 1024 for point in own]
        place.plot(x, memory, "s:", label="peak memory, GiB", color="tab:orange")
        place.set(xlabel=axis, xscale="log", yscale="log", xticks=x, xticklabels=x)
        place.minorticks_off()
    place.legend(fontsize=8)
    figure.savefig(path, dpi=110)


def main(_):
    points = [point for axis in AXES for point in measured(axis)]
    fastest = max(point["multiply_adds"] / point["seconds"] for point in points)
    for point in points:
        point["floor_s"] = round(point["multiply_adds"] / fastest, 4)
    print(table(points))
    if PLOT.value:
        draw(points, PLOT.value)
    by_t = {point["value"]: point for point in points if point["axis"] == "T"}
    record = {
        "over_floor": round(max(p["seconds"] / p["floor_s"] for p in points), 2),
        "t64_over_t1": round(by_t[64]["seconds"] / by_t[1]["seconds"], 2),
        "t64_memory_over_t1": round(by_t[64]["peak_mib"] / by_t[1]["peak_mib"], 2),
        "giga_multiply_adds_per_second": round(fastest / 1e9, 1),
    }
    write(record | {"points": points})


if __name__ == "__main__":
    app.run(main)
