"""Hostile folders and archives of images, each opened as data in a fork.

    python -m benchmarks.fuzz.images --cases=150 --seed=0

Files that are cut, corrupted or of other types than their names say; EXIF, chunks and headers that
lie; bombs of pixels, of text and of zeros; pipes, devices, loops of links, names that do not print;
an `.npz` that is none. A case ends well if the data are opened and a batch is drawn, or if they are
refused in one line, within 20 seconds and 2 GB. The last line is JSON: see `harness.py`.
"""

import functools
import json
import os
import pathlib
import socket
import sys
import types

import numpy as np

from benchmarks.fuzz import harness
from benchmarks.fuzz.hostile import ARCHIVES, FILES, any_kind, encoded
from bms_keras import data

NAMES = ("new\nline.png", "esc\x1b[2J.png", "\r.jpg", "tab\t.png", "-rf.png", "*.png", " .webp")


# Folders: functions of a generator and a folder that is theirs.


def with_file(make, rng, folder):
    """A few good images and one or more that are not."""
    for i in range(int(rng.integers(0, 4))):
        kind = any_kind(rng)
        (folder / f"good{i}.{kind}").write_bytes(encoded(rng, kind))
    for i in range(int(rng.integers(1, 4))):
        kind, content = make(rng)
        (folder / f"bad{i}.{kind}").write_bytes(content)


def odd_entries(rng, folder):
    """Names, links and things that are no files."""
    for i in range(4):
        (folder / f"good{i}.png").write_bytes(encoded(rng, "png"))
    for name in rng.choice(NAMES, 3, replace=False):
        (folder / str(name)).write_bytes(encoded(rng, "png")[: int(rng.choice([9, 10**6]))])
    if rng.random() < 0.3:
        (pathlib.Path(os.fsdecode(bytes(folder) + b"/\xff\xfe.png"))).write_bytes(b"text")
    os.mkfifo(folder / "pipe.png")
    ways = [
        lambda: (folder / "itself.png").symlink_to("itself.png"),
        lambda: (folder / "nowhere.jpg").symlink_to("nowhere"),
        lambda: (folder / "up").symlink_to(folder, target_is_directory=True),
        lambda: (folder / "all").symlink_to("/dev", target_is_directory=True),
        lambda: (folder / "zero.png").symlink_to("/dev/zero"),
        lambda: (folder / "memory.png").symlink_to("/proc/self/mem"),
        lambda: socket.socket(socket.AF_UNIX).bind("images/socket.png"),
        lambda: (folder / "/".join(["deep"] * 300)).mkdir(parents=True),
        lambda: os.truncate(os.open(folder / "sparse.png", os.O_CREAT | os.O_RDWR), 2**40),
    ]
    for i in rng.choice(len(ways), 4, replace=False):
        ways[i]()


def odd_paths(rng):
    """A source that is a path of something else."""
    os.mkfifo("pipe.npz")
    pathlib.Path("zero.npz").symlink_to("/dev/zero")
    pathlib.Path("loop.npz").symlink_to("loop.npz")
    pathlib.Path("folder.npz").mkdir()
    names = ["pipe.npz", "zero.npz", "loop.npz", "folder.npz", "a\0b.npz", "a/" * 3000, "~nobody/x"]
    return str(rng.choice([*names, "x" * 400, "\udcff.npz", "/dev", "/proc/self/fd", " "]))


# Cases.


def opened(rng, source):
    """Opens data, and draws what training and the metrics would."""
    config = types.SimpleNamespace(
        source=source,
        resolution=int(rng.choice([8, 16])),
        channels=int(rng.choice([0, 1, 3])),
        crop=int(rng.choice([0, 0, 5, 10**9])),
        held_out=0.3,
        skip_broken=bool(rng.integers(2)),
        background=255,
        accept_changes=False,
        flip=bool(rng.integers(2)),
    )
    found = data.load(config, 1, 0)
    json.dumps(found.contents)
    found.batch(0), found.points(5)


def play_folder(fill, seed):
    rng = np.random.default_rng(seed)
    folder = pathlib.Path("images")
    folder.mkdir()
    fill(rng, folder.absolute())
    opened(rng, "images")


def play_archive(make, seed):
    rng = np.random.default_rng(seed)
    pathlib.Path("images.npz").write_bytes(make(rng))
    opened(rng, "images.npz")


def play_path(seed):
    rng = np.random.default_rng(seed)
    opened(rng, odd_paths(rng))


KINDS = (
    *((make, functools.partial(play_folder, functools.partial(with_file, make))) for make in FILES),
    *((make, functools.partial(play_archive, make)) for make in ARCHIVES),
    (odd_entries, functools.partial(play_folder, odd_entries)),
    (odd_paths, play_path),
)


def cases(seed, count=150):
    """So many cases, of each kind in turn."""
    found = []
    for i in range(count):
        make, play = KINDS[i % len(KINDS)]
        found.append(harness.Case(f"{make.__name__} {i}", functools.partial(play, [seed, i])))
    return found


def main():
    parser = harness.parser(__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=150, help="how many cases")
    parser.set_defaults(seconds=20)
    options = parser.parse_args()
    record = harness.run("images", functools.partial(cases, count=options.cases), options)
    print(json.dumps({"images": record, "seed": options.seed}))
    sys.exit(any(record[kind] for kind in harness.WRONG))


if __name__ == "__main__":
    main()
