"""How much memory a config asks for, at least, and how much there is: before any is taken."""

import concurrent.futures
import math
import os
import pathlib

import keras

from bms_keras import distribution, methods, networks
from bms_keras.errors import BadInput
from bms_keras.tiling import at_once

UNKNOWN = 2**40  # bytes: what is taken for the memory of a device that does not say
FLOAT = 4  # bytes
CGROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def machine():
    """The memory that there is, in bytes: this machine's, or less if a container has less.

    Accelerators have their own, which not every backend tells: `UNKNOWN` stands for it.
    """
    if not all("CPU" in str(device).upper() for device in distribution.devices()):
        return UNKNOWN
    limits = [UNKNOWN]
    if "SC_PHYS_PAGES" in os.sysconf_names:
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for path in map(pathlib.Path, CGROUPS):
        content = path.read_text().strip() if path.is_file() else ""
        limits += [int(content)] if content.isdecimal() else []
    return min(limits)


def check(config, shape):
    """Refuses what cannot fit.

    Args:
        config: A whole config; see `bms_keras.runs.config.complete`.
        shape: Shape of a data point.

    Raises:
        BadInput: With the estimate, and what there is.
    """
    asked, there = needed(config, shape), machine()
    if asked["all"] > there:
        weights, step = (f"{asked[name] / 1e9:,.1f} GB" for name in ("weights", "step"))
        raise BadInput(
            f"training takes at least {asked['all'] / 1e9:,.1f} GB, {weights} for the weights of "
            f"config.networks and their optimizers, {step} for a step of config.batch_size="
            f"{config.batch_size} and config.samples={config.samples}; {there / 1e9:,.1f} GB are "
            "there"
        )


def needed(config, shape):
    """An estimate of the bytes that training takes, from below.

    Weights count five times: themselves, two moments of Adam, a gradient and a moving average. In
    a step the widest layer counts twice, as input and output, for all that passes it at once: T
    samples a data point, or as many images of these as are decoded at a time.

    Args:
        config, shape: See `check`.

    Returns:
        Dictionary of "weights", "step" and their sum, "all".
    """
    # Keras remembers by thread which variables are yet to be initialised: this one ends, and they
    # never are.
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        parameters, widest = thread.submit(_sizes, config, shape).result()
    weights = 5 * FLOAT * parameters
    passing = config.samples
    if config.gradient == "selected":
        passing = at_once(config.samples, shape)
    numbers = max(passing * widest, config.samples * config.networks.latent_dim)
    step = 2 * FLOAT * numbers * config.batch_size
    return {"weights": weights, "step": step, "all": weights + step}


def _sizes(config, shape):
    """The parameters of all networks, and the most numbers that a layer puts out for a point."""
    asked = methods.get(config.method).networks_asked(config.objective)
    with keras.StatelessScope(initialize_variables=False):  # weights of any size cost nothing
        built = networks.build(config.networks, shape, **asked).values()
        return sum(network.count_params() for network in built), max(map(_widest, built))


def _widest(network):
    return max(
        _widest(layer) if hasattr(layer, "layers") else math.prod(layer.output.shape[1:])
        for layer in network.layers
    )
