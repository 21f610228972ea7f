"""Data by source. A source is a function of the config that returns a `Dataset`.

A data set states its whole contract: its `kind` and `name`; the `shape` of a data point and the
`scale` that brings it back to its own units; `batches(start, stop, per_step)` to train on, of which
a step takes `per_step`, and `points(n)` that training never sees; how it is drawn; its
`fingerprint`, and the `contents` that a checkpoint notes. What a step takes is a function of (seed,
step), so that a run can go on at any step; what a data set is does not depend on its path.
"""

import functools
import inspect
import pathlib

from bms_keras.data import contents, sources, stacked
from bms_keras.data.dataset import Dataset
from bms_keras.data.images import Images
from bms_keras.data.points import Points
from bms_keras.data.synthetic import grid, ring
from bms_keras.errors import OWN, BadInput, enter, one_line

__all__ = [
    "SOURCES",
    "Dataset",
    "Images",
    "Points",
    "declared",
    "fields_of",
    "grid",
    "load",
    "name_of",
    "of_run",
    "register",
    "ring",
]

SOURCES = {  # by name; all others are paths, or names of tensorflow-datasets
    "grid": lambda config, batch_size, seed: grid(batch_size, seed),
    "ring": lambda config, batch_size, seed: ring(batch_size, seed),
}
FIELDS = {}  # of sources that have some of their own: by source, a `Field` by name
TFDS = "tfds:"
ARRAYS = (".npz", ".npy")
STACKED = f"{stacked.NAME}:"
CONTRACT = (
    *("kind", "name", "shape", "scale", "batches", "points", "unscaled"),
    *("fingerprint", "contents"),
)
OF_IMAGES = ("train", "test", "images")  # what those of the kind "images" have beside that


def register(name, function, fields=None):
    """Adds a source of one's own, for `config.data.source`.

    Args:
        name: Its name; one that is taken is replaced.
        function: Takes `config.data`, the size of a batch and a seed; returns a `Dataset`, of
            images an `Images`, or what has all that one has.
        fields: The fields of `config.data` that it reads beside `source`, a
            `bms_keras.fields.Field` by name.

    Raises:
        BadInput: If the name is none.

    Example:

    >>> register("moons", lambda config, batch_size, seed: Moons(batch_size, seed))
    """
    enter(SOURCES, name, function, "a source of data")
    FIELDS[name] = dict(fields or {})


def fields_of(source):
    """The fields of `config.data` that a source has of its own, by name."""
    return FIELDS.get(source, {}) if isinstance(source, str) else {}


def load(config, batch_size, seed):
    """Opens a data set.

    Args:
        config: `config.data`: `source` and the source's own fields.
        batch_size: Data points a batch.
        seed: Integer seed of the order and of synthetic samples.

    Raises:
        BadInput: If the source is unknown, or if its data cannot be read.
    """
    source = config.source
    if source in SOURCES:
        return _whole(SOURCES[source](config, batch_size, seed), source)
    if source.startswith(STACKED):
        path = pathlib.Path(source.removeprefix(STACKED)).expanduser()
        return stacked.load(config, path, batch_size, seed)
    path = _path(source)
    if source.startswith(TFDS) or (path and path.is_dir()):
        if not config.resolution:
            raise BadInput(
                f"config.data.resolution must say the size of images from {source}. Received: 0"
            )
        if source.startswith(TFDS):
            return sources.from_tfds(config, source.removeprefix(TFDS), batch_size, seed)
        return sources.from_folder(config, path, batch_size, seed)
    if path and path.is_file() and path.suffix in ARRAYS:
        return sources.from_arrays(config, path, batch_size, seed)
    meant = source.endswith(ARRAYS) or any(mark in source for mark in "/~\\")
    if source and not path and meant:
        raise BadInput(
            f"config.data.source: there is nothing at {one_line(source)}: say by "
            "--config.data.source=PATH where your data are. Where the data of a run have moved, "
            "the run goes on with them, and notes it"
        )
    raise BadInput(
        f"config.data.source must be one of {', '.join(SOURCES)}, '{TFDS}NAME', '{STACKED}FILE', "
        f"or the path of an .npz, an .npy or of a folder of images. Received: {source!r}{OWN}"
    )


def _whole(found, source):
    """A data set that has all that is asked of one; nothing is computed to find out."""
    asked = CONTRACT + (OF_IMAGES if getattr(found, "kind", None) == "images" else ())
    missing = [name for name in asked if inspect.getattr_static(found, name, None) is None]
    if missing:
        raise BadInput(
            f"config.data.source={source!r} must give a data set with {', '.join(asked)}. "
            f"It lacks {', '.join(missing)}"
        )
    return found


def declared(config):
    """The kind and the shape of images as far as `config.data` tells them, before anything is
    opened, which may take long; else `None`."""
    side = config.resolution
    if config.source in SOURCES or not side:
        return None
    return "images", (side, side, config.channels or 1)


def _path(source):
    """A source as a path, with `~` for the home; `None` if it cannot be one."""
    try:
        path = pathlib.Path(source).expanduser()
        path.stat()
    except (OSError, RuntimeError, ValueError):  # nothing there; no such user; a NUL byte
        return None
    return path if source else None


def name_of(source):
    """What a source's data set is called, by its path or name alone."""
    if source in SOURCES:
        return source
    if source.startswith(STACKED):
        return stacked.NAME
    if source.startswith(TFDS):
        return source.removeprefix(TFDS)
    path = pathlib.Path(source).resolve()
    return path.stem if path.suffix in ARRAYS else path.name


class Unopened:
    """Data that are opened when more is asked of them than what is known without.

    Args:
        kind: Of the data.
        shape: Of a data point.
        name: What they are called.
        opened: Function without arguments that opens them.
        scale, centre: What bring a data point to its own units.
    """

    unscaled = Dataset.unscaled

    def __init__(self, kind, shape, name, opened, scale=1.0, centre=0.0):
        self.kind = kind
        self.shape = tuple(shape)
        self.name = name
        self.scale, self.centre = scale, centre
        self._open = opened

    @functools.cached_property
    def _data(self):
        return self._open()

    def __getattr__(self, name):  # of what is not found otherwise
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._data, name)


def of_run(config, manifest):
    """The data set of a run; images and one's own points are opened when they are needed.

    Args:
        config: The run's config.
        manifest: That of a checkpoint, which notes what the data were; empty if there is none.

    Raises:
        BadInput: At once or when they are opened: see `load`, and `contents.check`.
    """

    noted = contents.noted(manifest)

    def opened():
        found = load(config.data, config.batch_size, config.seed)
        contents.check(noted, found, config.data.accept_changes)
        if manifest:
            contents.warn_of_old_split(manifest, found)
        return found

    fields = config.data
    side = fields.resolution
    known = noted or {"kind": "images", "shape": (side, side, fields.channels)}
    brings_back = {key: known[key] for key in ("scale", "centre") if key in known}
    enough = known["kind"] == "images" or brings_back
    if fields.source in SOURCES or not enough or not all(known["shape"]):
        return opened()
    return Unopened(known["kind"], known["shape"], name_of(fields.source), opened, **brings_back)
