"""Bad input gets one line that says what is wrong; nothing is written."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.neutral  # what is refused is refused before a backend acts
GRID = "--config=configs/grid.py"
FOLDER = (
    "--config=configs/folder.py",
    "--config.data.resolution=8",
    "--config.batch_size=4",
    "--config.data.held_out=0.5",
)
QUICK = ("--config.steps=2", "--config.checkpoint_every=2", "--config.eval_every=0")
QUICK += ("--config.jit_compile=auto",)
NEW, RUN = "new", "run"  # workdirs: one that does not exist, one of a run on Grid

# By name: the workdir, the script, its flags ("@" is the folder of bad files), the line.
CASES = {
    "no config": (
        NEW,
        "train.py",
        [],
        "--config=None: is needed to begin a run: a file, ",
    ),
    "no config of that name": (NEW, "train.py", ["--config=gird"], "grid_steep, points, ring, "),
    "no such config": (NEW, "train.py", ["--config=configs/none.py"], "configs/none.py"),
    "a config that is no Python": (NEW, "train.py", ["--config=@/bad_config.py"], "syntax"),
    "a stray word": (NEW, "train.py", [GRID, "grid"], "unexpected arguments: grid"),
    "no such flag": (NEW, "train.py", [GRID, "--wrkdir=a"], "Unknown command line flag 'wrkdir'"),
    "a misspelt method": (NEW, "train.py", [f"{GRID}:BMS-VAEGAN"], "Did you mean 'bms_vae_gan'?"),
    "a field as a flag": (NEW, "train.py", [GRID, "--T=3"], "Did you mean --config.samples?"),
    "no such method": (NEW, "train.py", [f"{GRID}:vae"], "method must be one of bms_vae_gan, "),
    "no such metric": (
        NEW,
        "eval.py",
        ["--metrics=beauty"],
        "lpips, stacked_mnist. Received: 'beauty'",
    ),
    "no run": (NEW, "eval.py", [], "holds no run"),
    "one sample for the FID": (RUN, "eval.py", ["--generated=1"], "an integer of at least 2"),
    "a step that is no number": (RUN, "eval.py", ["--checkpoint=last"], "'best' or a step"),
    "a step that is gone": (RUN, "eval.py", ["--checkpoint=99"], "the steps that are kept are 2"),
    "no best": (RUN, "eval.py", ["--checkpoint=best"], "best.npz does not exist"),
    "FID of points": (RUN, "eval.py", ["--metrics=fid"], "needs data of the kind 'images'"),
    "a runtime for no page": (RUN, "eval.py", ["--onnxruntime_web=a.tgz"], "needs a web_dir"),
    "nothing to compare with": (RUN, "eval.py", ["--compare=nowhere"], "nowhere holds no run"),
    "another config": (RUN, "train.py", [GRID, "--config.seed=1"], "seed: 0 there, 1 now"),
    "a workdir that is a file": ("@/text.png", "train.py", [GRID, *QUICK], "cannot be used: "),
    "a workdir elsewhere": (
        NEW,
        "train.py",
        [GRID, *QUICK, "--workdir=gs://a/b"],
        "--workdir must be a path of this",
    ),
    "a workdir with NUL": (NEW, "train.py", [GRID, "--flagfile=@/nul"], "without NUL. Received: "),
    "flags without an end": (NEW, "train.py", ["--flagfile=/dev/zero"], "no regular file"),
    "flags in a device in a file": (NEW, "eval.py", ["--flagfile", "@/flags"], "no regular file"),
    "flags in a pipe": (NEW, "eval.py", ["--flagfile=@/fifo"], "fifo cannot be read: it is no"),
    "a config without an end": (NEW, "train.py", ["--config=/dev/zero"], "no regular file"),
    "a digit that is no number": (RUN, "eval.py", ["--checkpoint=²"], "'best' or a step"),
    "a step beyond all": (RUN, "eval.py", ["--checkpoint=" + "9" * 5000], "'best' or a step"),
    "a runtime without an end": (
        RUN,
        "eval.py",
        ["--onnxruntime_web=/dev/zero", "--web_dir=@/web"],
        "/dev/zero cannot be read: it is no regular file",
    ),
    "a metric of other data": (
        NEW,
        "train.py",
        [GRID, "--config.eval_metrics=fid"],
        "the metric 'fid' needs data of the kind 'images'; this is 'mixture'",
    ),
    "a misspelt best": (
        NEW,
        "train.py",
        [GRID, "--config.best_by=min:mode_k1"],
        "spread_ratio, sliced_wasserstein. Received: 'mode_k1'",
    ),
    "a read-only workdir": ("/proc/new", "train.py", [GRID, *QUICK], "cannot be used: "),
    "a config.json cut short": ("@/cut", "eval.py", [], "config.json is not the JSON of a config"),
    "a config.json of numbers": ("@/list", "eval.py", [], "it holds no object"),
    "a config.json of another program": ("@/other", "eval.py", [], "must be one of bms_vae_gan, "),
    "an unknown word in config.json": ("@/word", "eval.py", [], "gradient must be 'selected'"),
    "no checkpoint": ("@/empty_run", "eval.py", [], "holds no checkpoint: train first"),
    "damaged checkpoints": ("@/damaged", "eval.py", [], "its checksum is wrong"),
    "a text for a checkpoint": ("@/text_run", "eval.py", [], "cannot be read"),
}
FIELDS = {  # FIELD=VALUE of a config on Grid, and the line
    "lamda=1": "no field 'lamda'",
    "T=30": "no field 'T'. Did you mean --config.samples?",
    "learning_rate=1e-3": "Did you mean --config.optimizer.learning_rate or ",
    "networks.width=8": "Did you mean --config.networks.generator?",
    "data=my_images": "--config.data holds fields: set one of them, as --config.data.source=VALUE",
    "objective.lamda=1": "no field 'lamda'. Did you mean --config.objective.lambda_?",
    "n_samples=3": "no field 'n_samples'. Did you mean --config.samples?",
    "data.sorce=grid": "sorce",
    "samples=0": "at least 1. Received: 0",
    "samples=many": "many",
    "batch_size=-8": "at least 1. Received: -8",
    "steps=0": "at least 1. Received: 0",
    "steps=1.5": "1.5",
    "seed=-1": "at least 0. Received: -1",
    "checkpoint_every=0": "at least 1. Received: 0",
    "keep=0": "config.keep must be an integer of at least 1. Received: 0",
    "eval_every=-1": "at least 0. Received: -1",
    "eval_metrics=beauty": "a metric must be one of modes, ",
    "best_by=modes": "'max:NAME' or 'min:NAME'. Received: 'modes'",
    "best_by=max:": "'max:NAME' or 'min:NAME'. Received: 'max:'",
    "on_nan=ignore": "'stop' or 'rollback'. Received: 'ignore'",
    "max_rollbacks=-1": "at least 0. Received: -1",
    "strategy=magic": "'mirrored' or 'data_parallel'. Received: 'magic'",
    "jit_compile=maybe": "'auto' or 'on' or 'off'. Received: 'maybe'",
    "steps_per_execution=0": "at least 1. Received: 0",
    "gradient=half": "'selected' or 'all'. Received: 'half'",
    "precision=float8": "'bfloat16' or 'float16'. Received: 'float8'",
    "ema=1.0": "[0, 1), 0 for none. Received: 1.0",
    "ema=-0.1": "[0, 1), 0 for none. Received: -0.1",
    "optimizer.learning_rate=0.0": "above 0. Received: 0.0",
    "optimizer.latent_critic_learning_rate=-1.0": "above 0. Received: -1.0",
    "optimizer.learning_rate=nan": "above 0. Received: nan",
    "optimizer.beta_1=1.5": "[0, 1). Received: 1.5",
    "optimizer.hold=2.0": "[0, 1]. Received: 2.0",
    "optimizer.final=-1.0": "[0, 1]. Received: -1.0",
    "optimizer.players.joint_critic.final=0.5": "no field 'joint_critic'",
    "optimizer.players.generator.rate=0.5": "no field 'rate'",
    "optimizer.players.generator.learning_rate=0.0": "above 0, or -1. Received: 0.0",
    "protocol.real=1": "at least 2. Received: 1",
    "data.held_out=1.0": "(0, 1). Received: 1.0",
    "data.resolution=-8": "at least 0. Received: -8",
    "data.channels=2": "1, 3, or 0 for the source's. Received: 2",
    "data.source=mars": "or of a folder of images. Received: 'mars'",
    "data.source=~/nowhere/d": "there is nothing at ~/nowhere/d: say by --config.data",
    "data.source=": "or of a folder of images. Received: ''",
    "networks.family=transformer": "one of mlp, dcgan, standard_cnn, cnn. Received: 'transformer'",
    "networks.latent_dim=0": "config.networks.latent_dim must be",
    "networks.max_gain=1.0": "above 1, or 0 for no gains. Received: 1.0",
    "optimizer.image_critic_final=2.0": "[0, 1]. Received: 2.0",
    "objective.posterior_stride=0": "posterior_stride must be an integer of at least 1",
    "objective.norm=3": "config.objective.norm must be 1 or 2. Received: 3",
    "objective.critic_loss=square": "critic_loss must be 'hinge' or ",
}
CASES |= {
    f"config.{field}": (NEW, "train.py", [GRID, f"--config.{field}"], line)
    for field, line in FIELDS.items()
}
METHODS = {
    "sn_gan --config.samples=10": "samples=1. Received: 10",
    "began": "the method 'began' needs data of the kind 'images'",
    "bms_vae_gan --config.networks.generator=0": "config.networks.generator must be",
}
CASES |= {
    f"grid:{method}": (NEW, "train.py", [f"{GRID}:{method.split()[0]}", *method.split()[1:]], line)
    for method, line in METHODS.items()
}
SOURCES = {  # a file or folder of bad images, and the line
    "empty": "empty holds no image; known are .png, .jpg",
    "truncated": "one.jpg is no image to train on",
    "text": "text.png is no image to train on",
    "tiny": "it is 1x1, less than half of config.data.resolution=8",
    "bomb": "bomb.png is no image to train on",
    "control": r"a\x1b[31m\nb.png is no image to train on",
    "few": "has 2 training images: config.batch_size must be at most that. Received: 4",
    "other.npz": "must hold x_train (or images or arr_0). Received: a",
    "floats.npz": "must be uint8 images",
    "cut.npz": "cannot be read as an .npz",
    "objects.npz": "cannot be read as an .npz",
    "small_test.npz": "x_test must be one or more images of the size of x_train",
    "text.npz": "cannot be read as an .npz",
}
CASES |= {
    f"images: {source}": (NEW, "train.py", [*FOLDER, f"--config.data.source=@/{source}"], line)
    for source, line in SOURCES.items()
}
CASES["a resolution that cannot be halved"] = (
    NEW,
    "train.py",
    [*FOLDER, "--config.data.resolution=33", "--config.data.source=@/good"],
    "4 to 7 times a power of two",
)


def jpeg(side=9, seed=0):
    buffer = io.BytesIO()
    noise = np.random.default_rng(seed).integers(0, 256, (side, side, 3), "uint8")
    Image.fromarray(noise).save(buffer, "JPEG")
    return buffer.getvalue()


def bomb(side=60_000):
    """A PNG of a few bytes that claims to be of an absurd size."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99))


def bad_images(folder):
    """Everything that `SOURCES` names."""
    files = {
        "truncated/one.jpg": jpeg()[:-200],
        "text/text.png": b"no image",
        "control/a\x1b[31m\nb.png": b"no image",
        "flags": b"# of a file\n--flagfile=@/zero\n".replace(b"@", os.fsencode(folder)),
        "nul": b"--workdir=a\0b\n",
        "tiny/one.jpg": jpeg(1),
        "bomb/bomb.png": bomb(),
        **{f"few/{i}.jpg": jpeg(seed=i) for i in range(4)},
        **{f"good/{i}.jpg": jpeg(40, i) for i in range(80)},
        "text.npz": b"no archive",
        "text.png": b"a file",
        "bad_config.py": b"def get_config(:",
    }
    for name, data in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / "empty").mkdir()
    os.mkfifo(folder / "fifo")
    (folder / "zero").symlink_to("/dev/zero")
    images = np.zeros((20, 8, 8, 3), "uint8")
    np.savez(folder / "other.npz", a=images)
    np.savez(folder / "floats.npz", x_train=images / 255, x_test=images)
    np.savez(folder / "objects.npz", x_train=np.array([{}], object))
    np.savez(folder / "small_test.npz", x_train=images, x_test=images[:0])
    (folder / "cut.npz").write_bytes((folder / "other.npz").read_bytes()[:-300])


def bad_runs(folder, config, checkpoint):
    """Workdirs that are spoiled copies of a run."""

    def workdir(name, text, state=None):
        (folder / name / "checkpoints").mkdir(parents=True)
        (folder / name / "config.json").write_text(text)
        if state is not None:
            (folder / name / "checkpoints" / "step_000000002.npz").write_bytes(state)

    workdir("cut", config[:100])
    workdir("list", "[1, 2]")
    workdir("other", '{"model": "gpt"}')
    workdir("word", config.replace('"selected"', '"half"'))
    workdir("empty_run", config)
    workdir("damaged", config, checkpoint[: len(checkpoint) // 2])
    workdir("text_run", config, b"no archive")


@pytest.fixture(scope="module")
def outcome(tmp_path_factory, command_line):
    """Function of a case's name: exit status, what was printed, whether the workdir changed."""
    folder, bad = tmp_path_factory.mktemp("runs"), tmp_path_factory.mktemp("bad")
    good = folder / RUN
    small = [f"--config.networks.{name}=8" for name in ("generator", "recognition")]

    def play(workdir, script, *flags):
        result = command_line(
            script, f"--workdir={workdir}", *flags, folder=workdir, BMS_KERAS_CACHE=str(cache)
        )
        return result.returncode, result.stdout + result.stderr, result.changed

    cache = folder / "cache"
    status, errors, _ = play(good, "train.py", GRID, *small, *QUICK)
    assert status == 0, errors
    (state,) = (good / "checkpoints").iterdir()
    bad_images(bad)
    bad_runs(bad, (good / "config.json").read_text(), state.read_bytes())

    def outcome(name):
        workdir, script, flags, _ = CASES[name]
        named = workdir if workdir.startswith(("@", "/")) else str(folder / workdir)
        if workdir == RUN and script == "train.py":
            flags = [*flags, *small, *QUICK]
        return play(*[part.replace("@", str(bad)) for part in (named, script, *flags)])

    return outcome


@pytest.mark.parametrize("name", CASES)
def test_one_line_and_nothing_written(outcome, name):
    script, message = CASES[name][1], CASES[name][3]
    status, errors, changed = outcome(name)
    assert status in (1, 2), errors
    assert "Traceback" not in errors
    lines = [line for line in errors.splitlines() if line.startswith(script)]
    assert len(lines) == 1, errors
    assert message in lines[0]
    assert not changed
