"""Checkpoints whose checksum is right and whose content is not, and `config.json`s of any content.

    python -m benchmarks.fuzz.files --seed=0

A tiny run on Ring is trained once. Each case plays with a copy of its workdir in which one file is
another: it is evaluated (as far as the model is built and the checkpoint restored), or training
goes on from it (as far as there). What is tried: manifests and configs of any JSON; arrays of other
names, numbers, types and shapes, or of sizes that no file has; archives that lie; bytes flipped or
cut, with a new checksum; a FIFO, a device, a folder or a file of six gigabytes in the file's place.
"""

import functools
import json
import os
import pathlib
import random
import shutil
import tempfile

from benchmarks.fuzz import fields, harness
from benchmarks.fuzz.checkpoints import ODD, checkpoints, nested

STEP = "checkpoints/step_000000002.npz"
BEST = "checkpoints/best.npz"
# Configs, as functions of a good one and a random generator, which return text.


def configs():
    """(title, function of a good config's text and a generator) of all that is tried."""

    def flipped(text, rng):
        data = bytearray(text.encode())
        for _ in range(rng.choice((1, 1, 2, 5))):
            data[rng.randrange(len(data))] = rng.randrange(256)
        return bytes(data)

    def with_field(section, key, value):
        def made(text, rng):
            config = json.loads(text)
            (config[section] if section else config)[key] = value
            return json.dumps(config).encode()

        return made

    tried = [("flipped", flipped)] * 60
    tried += [("cut", lambda text, rng: text[: rng.randrange(len(text))].encode())] * 6
    whole = [json.dumps(value) for value in ODD]
    whole += [nested("[", "]"), nested('{"a":', "}"), nested('{"data":', "}"), '{"data": ']
    tried += [(f"{v:.40}", lambda text, rng, v=v: v.encode()) for v in whole]
    sections = ("data", "networks", "objective", "optimizer", "protocol")
    tried += [(f"{s} = {v!r:.30}", with_field("", s, v)) for s in sections for v in ODD[:9]]
    for place in ("", *sections):
        for key in ("unheard_of", "a.b", "", "__class__", "to_dict", "\ud800"):
            tried.append((f"{place}.{key!r} = 1", with_field(place, key, 1)))
    deep = nested("[", "]")
    tried += [
        ("a deep field", lambda text, rng: text.replace('"ring"', deep, 1).encode()),
        ("twice", lambda text, rng: ("{" + '"seed": 1,' * 9 + text[1:]).encode()),
        ("a mark", lambda text, rng: b"\xef\xbb\xbf" + text.encode()),
        ("utf-16", lambda text, rng: text.encode("utf-16")),
        ("spaces", lambda text, rng: text.encode() + b" " * 10**8),
        ("digits", lambda text, rng: text.replace('"seed": 0', f'"seed": {"9" * 10**5}').encode()),
        ("empty", lambda text, rng: b""),
    ]
    return tried


# What is in a file's place.


def fifo(path):
    os.mkfifo(path)


def huge(path):
    with path.open("wb") as file:
        file.truncate(6 * 10**9)


SPECIAL = {
    "a FIFO": fifo,
    "a folder": pathlib.Path.mkdir,
    "six gigabytes": huge,
    "/dev/zero": lambda path: path.symlink_to("/dev/zero"),
    "/dev/full": lambda path: path.symlink_to("/dev/full"),
    "/dev/stdin": lambda path: path.symlink_to("/dev/stdin"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link to nothing": lambda path: path.symlink_to("nowhere"),
}


def trained():
    """The workdir of a tiny run of two steps, and its checkpoint also as the best."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="fuzz_run."))

    def train():
        from bms_keras.runs import training

        training._Run.draw = lambda run, drawing: None
        training.train(fields.base("ring", "bms_vae_gan", None), folder / "run")

    outcome = harness.forked(train, 300)
    if outcome.status:
        raise RuntimeError(outcome.text)
    shutil.copy(folder / "run" / STEP, folder / "run" / "checkpoints" / "best.npz")
    return folder / "run"


def evaluated(run, name, spoil):
    """Loads the run with one file spoiled, as `eval.py` does."""
    from bms_keras.runs import evaluation
    from bms_keras.runs.workdir import Workdir

    _copied(run, name, spoil)
    evaluation.load(Workdir("run"), "best" if "best" in name else "newest")


def resumed(run, name, spoil):
    """Goes on with the run with one file spoiled, as `train.py` does, up to its first step."""
    from bms_keras.runs import training

    _copied(run, name, spoil)
    training._Run.fit = lambda run: run.model.optimizer.iterations.assign(run.config.steps)
    training._Run.draw = training._Run.save = lambda run, *drawing: None
    training.train(fields.base("ring", "bms_vae_gan", None), "run")


def _copied(run, name, spoil):
    shutil.copytree(run, "run")
    path = pathlib.Path("run") / name
    content = path.read_bytes() if path.exists() else b""
    path.unlink(missing_ok=True)
    spoil(path, content)


def cases(seed):
    """Each file spoiled in every way, for evaluation or for training to go on."""
    run, made = trained(), []
    rng = random.Random(seed)

    def add(title, name, spoil):
        way = rng.choice((evaluated, resumed))
        name = name if way is resumed or rng.random() < 0.8 else name.replace(STEP, BEST)
        play = functools.partial(way, run, name, spoil)
        made.append(harness.Case(f"{name}: {title} {way.__name__}", play))

    def written(change, number, as_text=False):
        def spoil(path, content):
            content = content.decode() if as_text else content
            path.write_bytes(change(content, random.Random(f"{seed} {number}")))

        return spoil

    for number, (title, change) in enumerate(checkpoints()):
        add(title, STEP, written(change, number))
    for number, (title, change) in enumerate(configs()):
        add(title, "config.json", written(change, number, as_text=True))
    for title, put in SPECIAL.items():
        for name in (STEP, BEST, "config.json", "config_history.jsonl"):
            for way in (evaluated, resumed):
                spoil = lambda path, content, put=put: put(path)  # noqa: E731
                play = functools.partial(way, run, name, spoil)
                made.append(harness.Case(f"{name}: {title} {way.__name__}", play))
    return made


if __name__ == "__main__":
    import bms_keras.runs.evaluation
    import bms_keras.runs.training  # noqa: F401  (the imports that are spared)

    harness.main("files", cases, __doc__)
