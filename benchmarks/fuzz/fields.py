"""Every field of every config, at values that are wrong, or that nobody would expect.

    python -m benchmarks.fuzz.fields --seed=0

A value comes by the command line of `train.py` or in a `config.json`. The run is tiny; it ends as
soon as the model is built and the workdir claimed, but for one in forty cases, which trains its two
steps. The machine is one of 1 GB, as `runs.memory` sees it, so that sizes are refused beyond
that. Kinds of values: of the wrong type, out of range, huge, infinite, `None`, texts, tuples that
are empty, nested or of the wrong length.
"""

import functools
import importlib
import json
import pathlib
import random
import tempfile

import numpy as np

from benchmarks.fuzz import harness

VALUES = (
    *(None, True, False, 0, 1, 2, 3, 7, 64, -1, -(2**63), 1.0, 1.5, 0.5, -0.5, 0.0, -0.0, 1e-9),
    *(1e-320, 1e-30, 1e38, 1e39, 1e308, float("inf"), -float("inf"), float("nan"), 1 - 1e-12),
    *(999, 10**4, 10**6, 10**8, 10**9, 2**31 - 1, 2**31, 2**32, 2**53, 2**63, 2**64, 10**12),
    *(10**30, "", " ", "text", "nan", "1", "True", "None", "..", "/dev/zero", "~", "a" * 300),
    *("a\0b", "a\nb", "\ud800", "ümläut", "max:", "min:fid", "mlp", "selected", "tfds:", "[]"),
    *((), (0,), (1,), (8, 8), (1, 2, 3), (-1, 1), (0.5, 0.5), (float("nan"), 1.0), ((1,),)),
    *((None,), (True, False), ("a", "b"), (10**12,), (1.5,), (8,) * 65, (10**6, 10**6), [[[]]]),
    *({}, {"a": 1}, {"a": {"b": 1}}, [{}], ("modes",), ("fid", "modes"), 300.0, 1e6),
)
EACH = 11  # values a field, of those above
OTHERS = ["wae", "sn_gan", "wgan_gp", "bw_gan", "began", "dist_gan", "veegan", "md_gan", "gdpp_gan"]
TINY = {"steps": 2, "checkpoint_every": 2, "eval_every": 0, "batch_size": 4, "samples": 2}
POINTS = {f"networks.{name}": (4,) for name in ("recognition", "generator", "latent_critic")}
IMAGES = {"networks.width": 1, "networks.latent_critic": (4,), "networks.latent_dim": 2}
BASES = {  # what is changed of a config, by its name
    "ring": TINY | POINTS | {"networks.image_critic": (4,), "steps_per_execution": 1},
    "cifar10": TINY | IMAGES,
    "fashion_mnist": TINY | IMAGES,
}


def base(name, method, data):
    """A config that is soon trained, by the name of its file."""
    config = importlib.import_module(f"configs.{name}").get_config(method)
    fields = dict(BASES[name])
    if name != "ring":
        fields["data.source"] = f"{data}/{name}.npz"
    if method in OTHERS:
        fields["samples"] = 1
    config.update_from_flattened_dict(fields)
    return config


def targets(data):
    """(config's name, method, field) of all fields: those of methods, of one config each."""
    from bms_keras.fields import flat
    from bms_keras.runs.config import SECTIONS, complete

    found = []
    for name in BASES:
        whole = flat(complete(base(name, "bms_vae_gan", data)).to_dict(), SECTIONS)
        found += [(name, "bms_vae_gan", field) for field in whole]
    for method in OTHERS:
        name = "fashion_mnist" if method in ("began", "bw_gan") else "ring"
        objective = base(name, method, data).objective
        found += [(name, method, f"objective.{field}") for field in objective]
    return found


def with_data(folder):
    """Writes the data of the image configs, 24 images each."""
    rng = np.random.default_rng(0)
    for name, shape in (("cifar10", (32, 32, 3)), ("fashion_mnist", (28, 28, 1))):
        parts = {"x_train": 16, "x_test": 8}
        arrays = {part: rng.integers(0, 256, (n, *shape), "uint8") for part, n in parts.items()}
        np.savez(f"{folder}/{name}.npz", **arrays)


def prepared(trains):
    """Makes this process one of a machine of 1 GB and, unless it trains, one that stops soon."""
    from bms_keras.runs import memory, training

    memory.machine = lambda: 10**9
    training._Run.draw = lambda run, drawing: None
    if not trains:
        training._Run.to_the_end = lambda run: None


def by_flags(name, method, field, value, data, trains):
    """`train.py` with the field as a flag."""
    prepared(trains)
    text = value if isinstance(value, str) else repr(value)
    fields = BASES[name] | ({} if name == "ring" else {"data.source": f"{data}/{name}.npz"})
    fields |= {"samples": 1} if method in OTHERS else {}
    given = [f"--config.{key}={part}" for key, part in fields.items()]
    config = f"--config={harness.ROOT}/configs/{name}.py:{method}"
    harness.script("train.py", config, *given, "--workdir=run", f"--config.{field}={text}")


def by_file(name, method, field, value, data, trains):
    """A run that goes on from a `config.json` with the field."""
    from bms_keras.fields import flat, nested
    from bms_keras.runs import training
    from bms_keras.runs.config import SECTIONS
    from bms_keras.runs.workdir import Workdir

    prepared(trains)
    config = nested(flat(base(name, method, data).to_dict(), SECTIONS) | {field: value}, SECTIONS)
    pathlib.Path("config.json").write_text(json.dumps(config, ensure_ascii=True))
    training.train(Workdir(".").config(), ".")


def cases(seed):
    """Each field at `EACH` values, by flags or by file."""
    rng, data = random.Random(seed), tempfile.mkdtemp(prefix="fuzz_data.")
    with_data(data)
    made = []
    for name, method, field in targets(data):
        for value in rng.sample(VALUES, EACH):
            way = rng.choice((by_flags, by_file))
            trains = len(made) % 40 == 0
            play = functools.partial(way, name, method, field, value, data, trains)
            title = f"{name}:{method} {field}={value!r:.80} {way.__name__}"
            made.append(harness.Case(title, play))
    return made


if __name__ == "__main__":
    import bms_keras.runs.evaluation
    import bms_keras.runs.training  # noqa: F401  (the imports that are spared)

    harness.main("fields", cases, __doc__)
