"""onnxruntime-web is fetched, checked and kept."""

import hashlib

import pytest

from bms_keras.errors import BadInput
from bms_keras.export.webpage import runtime

pytestmark = pytest.mark.neutral


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BMS_KERAS_CACHE", str(tmp_path / "cache"))
    return tmp_path


def test_without_npm_the_line_says_what_to_do(own_cache, monkeypatch):
    monkeypatch.setenv("PATH", str(own_cache))
    with pytest.raises(BadInput, match=r"fetched by npm, not installed .*--onnxruntime_web=onnx"):
        runtime.load()


def test_without_a_network_the_line_says_what_to_do(own_cache, monkeypatch):
    if runtime.shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:1/")
    monkeypatch.setenv("npm_config_cache", str(own_cache / "npm"))
    with pytest.raises(BadInput, match=r"could not be fetched .*ECONNREFUSED.*--onnxruntime_web"):
        runtime.load()
    assert not list((own_cache / "cache" / "web").iterdir())


def test_another_file_is_refused(own_cache):
    with pytest.raises(BadInput, match="cannot be read: No such file"):
        runtime.load(own_cache / "none.tgz")
    (own_cache / "other.tgz").write_bytes(b"other")
    digest = hashlib.sha256(b"other").hexdigest()
    with pytest.raises(BadInput, match=rf"other.tgz is not onnxruntime.*Received: {digest}"):
        runtime.load(own_cache / "other.tgz")


def test_a_damaged_file_in_the_cache_is_fetched_anew(own_cache, monkeypatch, capsys):
    file = own_cache / "cache" / "web" / runtime.FILE
    file.parent.mkdir(parents=True)
    file.write_bytes(b"damaged")
    monkeypatch.setattr(runtime, "_fetch", lambda: b"also damaged")
    with pytest.raises(BadInput, match="what the npm registry offers is not"):
        runtime.load()
    assert "is removed and fetched anew" in capsys.readouterr().err
    assert not file.exists()
