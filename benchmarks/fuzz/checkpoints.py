"""Checkpoints that are none: functions of the bytes of a good one and a random generator.

`files.py` plays with them. But for those that are cut or whose bytes are flipped, their checksum is
right and their content is not.
"""

import hashlib
import io
import json
import zipfile

import numpy as np

SEAL = 64
ODD = (
    *(None, True, [], [[]], {}, {"a": {}}, "", "text", -1, 0, 1, 3, 1.5, 2.0, 1e39, 10**12, 2**64),
    *(float("nan"), float("inf"), "2", [2], {"step": 2}, "a" * 10**5, [0] * 10**4),
)
DEEP = 10**5


def sealed(content):
    """An archive's bytes with a comment that is the checksum of all before it."""
    return content + hashlib.sha256(content).hexdigest().encode()


def archive(members, compression=zipfile.ZIP_STORED):
    """A checkpoint of (name, bytes of an .npy) pairs, in which names may come twice."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, data in members:
            with file.open(zipfile.ZipInfo(f"{name}.npy"), "w") as member:
                member.write(data)
        file.comment = b"0" * SEAL
    return sealed(buffer.getvalue()[:-SEAL])


def npy(array):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asarray(array))
    return buffer.getvalue()


def claiming(header, data=b"", version=(1, 0)):
    """An .npy with a header of any text."""
    text = header.encode()
    length = len(text).to_bytes(2 if version == (1, 0) else 4, "little")
    return b"\x93NUMPY" + bytes(version) + length + text + data


def members_of(content):
    """The (name, .npy) pairs of a checkpoint."""
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return [(entry.filename[:-4], file.read(entry)) for entry in file.infolist()]


def manifest(change):
    """A checkpoint with another manifest: `change(old)` returns JSON text or an object."""

    def made(content, rng):
        pairs = dict(members_of(content))
        old = json.loads(np.load(io.BytesIO(pairs["manifest"])).tobytes())
        new = change(old)
        text = (new if isinstance(new, str) else json.dumps(new)).encode("utf8", "surrogatepass")
        pairs["manifest"] = npy(np.frombuffer(text, "uint8"))
        return archive(pairs.items())

    return made


def member(change):
    """A checkpoint in which one array, drawn at random, is what `change(name, bytes)` returns."""

    def made(content, rng):
        pairs = members_of(content)
        place = rng.randrange(1, len(pairs))
        pairs[place : place + 1] = change(*pairs[place])
        return archive(pairs)

    return made


def claim(shape, descr="<f4", data=b"", version=(1, 0)):
    header = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}\n"
    return member(lambda name, old: [(name, claiming(header, data, version))])


def of_dtype(dtype):
    def change(name, old):
        array = np.load(io.BytesIO(old))
        return [(name, npy(np.zeros(array.shape, dtype)))]

    return member(change)


def filled(value):
    def change(name, old):
        array = np.load(io.BytesIO(old))
        with np.errstate(invalid="ignore", over="ignore"):
            return [(name, npy(np.full(array.shape, value).astype(array.dtype)))]

    return member(change)


def bytes_changed(count, resealed=True):
    """Random bytes of the file, of its directory or of its headers are others."""

    def made(content, rng):
        damaged = bytearray(content[:-SEAL])
        heads = [i for i in range(len(damaged)) if damaged[i : i + 2] == b"PK"]
        for _ in range(count):
            place = rng.choice(heads) + rng.randrange(60) if rng.random() < 0.7 else None
            place = rng.randrange(len(damaged)) if place is None else min(place, len(damaged) - 1)
            damaged[place] = rng.randrange(256)
        return sealed(bytes(damaged)) if resealed else bytes(damaged) + content[-SEAL:]

    return made


def cut(content, rng):
    return sealed(content[: rng.randrange(len(content))])


def prefixed(content, rng):
    return sealed(bytes(rng.randrange(256) for _ in range(100)) + content[:-SEAL])


def overlapping(content, rng):
    """A directory whose entries all point at the same, largest member, thousands of times."""
    pairs = members_of(content)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("manifest.npy", pairs[0][1])
        file.writestr("model/0000.npy", npy(np.zeros(10**6, "f4")))
        first = file.infolist()[1]
        for i in range(3000):
            entry = zipfile.ZipInfo(f"model/{i + 1:04d}.npy")
            for key in ("header_offset", "CRC", "compress_size", "file_size", "external_attr"):
                setattr(entry, key, getattr(first, key))
            file.filelist.append(entry)
        file.comment = b"0" * SEAL
    return sealed(buffer.getvalue()[:-SEAL])


def compressed(content, rng):
    pairs = [("manifest", members_of(content)[0][1]), ("model/0000", npy(np.zeros(10**7, "f4")))]
    return archive(pairs, zipfile.ZIP_DEFLATED)


def nested(opening, closing, depth=DEEP):
    return opening * depth + closing * depth


def checkpoints():
    """(title, function of the good bytes and a generator) of all that is tried."""
    tried = [("bytes_changed", bytes_changed(n)) for n in (1, 1, 1, 2, 2, 4, 8, 30) * 9]
    tried += [("damaged", bytes_changed(1, False))] * 6 + [("cut", cut)] * 10
    tried += [("prefixed", prefixed), ("overlapping", overlapping), ("compressed", compressed)]
    whole = [*ODD, nested("[", "]"), nested('{"a":', "}"), "{", "NaN", "9" * 5000, "\ud800"]
    tried += [(f"manifest {v!r:.40}", manifest(lambda old, v=v: v)) for v in whole]
    for key in ("step", "rollbacks", "config", "versions"):
        for v in (*ODD, 10**9):
            change = manifest(lambda old, key=key, v=v: old | {key: v})
            tried.append((f"manifest[{key}] = {v!r:.40}", change))
    for key in ("seed", "steps", "networks", "optimizer", "method", "unheard_of", "a.b"):
        for v in ODD[:12]:
            change = manifest(lambda old, key=key, v=v: old | {"config": old["config"] | {key: v}})
            tried.append((f"manifest[config][{key}] = {v!r:.40}", change))
    deep = manifest(lambda old: json.dumps(old)[:-1] + ', "config": ' + nested("[", "]") + "}")
    tried.append(("a deep config", deep))
    shapes = ["(10**10,)", "(10000000000,)", "(100000, 100000)", "(-1,)", "(-1, -1)", "()"]
    shapes += ["(1.5,)", "(True,)", "(1,) * 100", "(0,)", "(" + "1," * 3000 + ")"]
    shapes += [nested("[", "]", 2000)]
    tried += [(f"claims {shape:.30}", claim(shape)) for shape in shapes]
    tried += [(f"version {v}", claim("(1,)", version=v)) for v in ((2, 0), (3, 0), (9, 9))]
    descrs = [
        "|O",
        "|S0",
        "|V0",
        "<U9",
        "nonsense",
        ">f4",
        "<f8",
        "<c8",
        [("a", "<f4")],
        "|S99999999",
    ]
    tried += [(f"descr {d!r:.30}", claim("(1,)", d, bytes(4))) for d in descrs]
    dtypes = ("f8", "f2", "i4", "i8", "u1", "?", "c8", "S4", "U1", "V4", "M8[s]", ">f4")
    tried += [(f"dtype {d}", of_dtype(d)) for d in dtypes for _ in range(2)]
    values = (float("nan"), float("inf"), -1, 10**9, 3e38, 0)
    tried += [(f"filled with {v}", filled(v)) for v in values for _ in range(5)]
    tried += [
        ("a member less", member(lambda name, old: [])),
        ("twice", member(lambda name, old: [(name, old)] * 2)),
        ("another name", member(lambda name, old: [("../../a", old)])),
        ("an empty name", member(lambda name, old: [("", old)])),
        ("no .npy", member(lambda name, old: [(name, b"no array")])),
        ("an empty .npy", member(lambda name, old: [(name, b"")])),
        ("longer", member(lambda name, old: [(name, old + bytes(4))])),
        ("shorter", member(lambda name, old: [(name, old[:-1])])),
        ("empty", lambda content, rng: b""),
        ("only a seal", lambda content, rng: sealed(b"")),
        ("no members", lambda content, rng: archive([])),
        ("zeros", lambda content, rng: sealed(bytes(10**6))),
    ]
    return tried
