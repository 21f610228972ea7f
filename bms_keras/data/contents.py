"""What a data set is: not its path, but the digests of its images, from which the split follows."""

import base64
import collections
import hashlib

import numpy as np

from bms_keras.errors import BadInput, one_line, warn


def digest(content):
    """64 bits that tell an image apart, by its source's bytes: those of a file or of an array."""
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")


def of_rows(images):
    """The digests of an array's images, uint64 `(n,)`."""
    return np.array([digest(np.ascontiguousarray(image)) for image in images], "uint64")


def split(digests, held_out, name, of="images"):
    """Which images are trained on and which are held out, by nothing but what they are.

    Held out are those whose digest lies in the lowest share of all 2^64, so that an image that is
    added or removed moves no other, and copies of one image lie on one side. The share is thus met
    on the average only. However small the set, the image of the lowest digest is held out and that
    of the highest is trained on.

    Args:
        digests: uint64 `(n,)`.
        held_out: The share, in (0, 1).
        name: What to call the images in the error.
        of: What they are called there, if they are none.

    Returns:
        Two arrays of indices, of the images to train on and of those held out, each in the order
        of the digests: neither names nor places matter.

    Raises:
        BadInput: If there are fewer than two different images.
    """
    order = np.argsort(digests, kind="stable")
    ranked = digests[order]
    different = len(np.unique(ranked))
    if different < 2:
        raise BadInput(
            f"{name} must hold two different {of} at least, of which config.data.held_out="
            f"{held_out} leaves some to train on and some to measure with. Received: {different}"
        )
    lowest = np.searchsorted(ranked, ranked[0], "right")
    highest = np.searchsorted(ranked, ranked[-1], "left")
    n = np.searchsorted(ranked, np.uint64(held_out * 2**64))
    n = min(max(n, lowest), highest)
    return order[n:], order[:n]


def fingerprint(train, test, prepared):
    """A name for images that are trained on and held out in this order, prepared in this way."""
    parts = [np.asarray(digests, "<u8").tobytes() for digests in (train, test)]
    text = repr((len(train), len(test), prepared)).encode()
    return hashlib.sha256(text + b"".join(parts)).hexdigest()[:32]


def packed(digests):
    """Digests as text, by their upper 32 bits: enough to count which came and which went."""
    short = np.sort(np.asarray(digests, "uint64") >> np.uint64(32)).astype("<u4")
    return base64.b64encode(short.tobytes()).decode()


def noted(manifest):
    """What a checkpoint's manifest notes of its data; `None` if it is older than such notes.

    Raises:
        BadInput: If that is no data set's `contents`.
    """
    found = manifest.get("data")
    fits = found is None or (
        isinstance(found, dict)
        and all(isinstance(found.get(name), str) for name in ("kind", "name", "fingerprint"))
        and isinstance(found.get("images", ""), str)
        and isinstance(found.get("shape"), list)
        and all(type(side) is int and 0 < side <= 2**16 for side in found["shape"])
        and len(found["shape"])
        == {"mixture": 1, "images": 3}.get(found["kind"], len(found["shape"]))
        and _brings_back(found.get("centre"), found.get("scale"), found["shape"])
    )
    if not fits:
        raise BadInput("its note of the data that it was trained on is none")
    return found


def _brings_back(centre, scale, shape):
    """Whether a note says how points come back to their units, if it says anything of that."""
    if centre is None:
        return scale is None
    floats = isinstance(centre, list) and all(type(each) is float for each in [*centre, scale])
    return floats and [len(centre)] == shape


def check(noted, data, accept):
    """Refuses data that are not those that a run was trained on.

    Args:
        noted: What a checkpoint of the run notes of its data, `data.contents` of then; `None` if it
            notes nothing: anything will do.
        data: A data set.
        accept: `config.data.accept_changes`: whether other data are taken.

    Raises:
        BadInput: In one line that says what has changed.
    """
    changed = noted and changes(noted, data.contents)
    if changed and not accept:
        raise BadInput(
            f"{one_line(data.name)} is not what this run was trained on: {changed}. Bring that "
            "back, or go on with --config.data.accept_changes=True"
        )


def warn_of_old_split(manifest, data):
    """Says that a run is older than notes of data, and with them than the split by content."""
    if noted(manifest) is None and data.kind == "images":
        warn(
            f"this run was begun by an older version, which may have held out other images of "
            f"{data.name}: what is measured on held-out images may have been trained on"
        )


def changes(before, now):
    """What differs between two data sets' `contents`, in words; empty if nothing does.

    Raises:
        BadInput: If they are no such notes.
    """
    if before["fingerprint"] == now["fingerprint"]:
        return ""
    if (before["kind"], now["kind"]) != ("images", "images"):
        if before["name"] == now["name"]:
            return "the name is the same, and the data are others"
        return f"{one_line(before['name'])} then, {now['name']} now"
    shapes = ["x".join(map(str, each["shape"])) for each in (before, now)]
    if shapes[0] != shapes[1]:
        return f"images of {shapes[0]} then, of {shapes[1]} now"
    try:
        then, here = (collections.Counter(_unpacked(each["images"])) for each in (before, now))
    except (KeyError, ValueError):
        raise BadInput("a checkpoint's note of its images cannot be read") from None
    added, removed = (here - then).total(), (then - here).total()
    if added or removed:
        were = "image was" if added == 1 else "images were"
        return f"{added} {were} added, {removed} removed"
    return "the same images, but split, ordered or prepared otherwise"


def _unpacked(text):
    return np.frombuffer(base64.b64decode(text, validate=True), "<u4").tolist()
