"""onnxruntime-web, which runs ONNX in a browser: fetched once from the npm registry, and kept."""

import hashlib
import io
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile

from bms_keras import files
from bms_keras.errors import BadInput, warn
from bms_keras.files import cache, write_atomically

VERSION = "1.30.0"
FILE = f"onnxruntime-web-{VERSION}.tgz"
SHA256 = "d2228df7e4616bc3348bf504ee888f3bec43789a273f0a63f3e68d203ce3bf71"
MEMBERS = {
    "module": "package/dist/ort.wasm.bundle.min.mjs",
    "wasm": "package/dist/ort-wasm-simd-threaded.wasm",
}


def load(path=None):
    """The parts of onnxruntime-web that a page needs.

    Args:
        path: The package's file, read instead of the cache; unless it is empty. Without it the
            file is fetched on first use from the registry that npm is configured for.

    Returns:
        Dictionary of bytes: "module", an ES module, and "wasm", WebAssembly for one thread.

    Raises:
        BadInput: If the file is missing or is another one, or can neither be found nor fetched.
    """
    if path:
        content = files.read(files.expanded(path, "--onnxruntime_web"))
        return _members(_checked(content, path))
    file = cache.subfolder("web") / FILE
    if file.exists():
        try:
            return _members(_checked(files.read(file), file))
        except BadInput as error:
            file.unlink()
            warn(f"{error}; it is removed and fetched anew")
    content = _checked(_fetch(), "what the npm registry offers")
    write_atomically(file, content)
    return _members(content)


def _checked(content, source):
    digest = hashlib.sha256(content).hexdigest()
    if digest != SHA256:
        raise BadInput(f"{source} is not {FILE}: its sha256 must be {SHA256}. Received: {digest}")
    return content


def _members(content):
    with tarfile.open(fileobj=io.BytesIO(content)) as package:
        return {name: package.extractfile(member).read() for name, member in MEMBERS.items()}


def _fetch():
    """The package's bytes, as npm downloads them; nothing is installed or run."""
    instead = f"or give its file (--onnxruntime_web={FILE})"
    npm = shutil.which("npm")
    if npm is None:
        raise BadInput(f"onnxruntime-web is fetched by npm, not installed here: do so, {instead}")
    print(f"fetching {FILE} from the npm registry ...", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        command = [npm, "pack", f"onnxruntime-web@{VERSION}", "--ignore-scripts"]
        options = {"fetch_retries": "1", "fetch_retry_mintimeout": "1000", "loglevel": "error"}
        environment = {f"npm_config_{name}": value for name, value in options.items()}
        process = subprocess.run(
            command, cwd=scratch, env=os.environ | environment, capture_output=True, text=True
        )
        if process.returncode:
            raise BadInput(
                f"onnxruntime-web@{VERSION} could not be fetched from the npm registry "
                f"({_reason(process.stderr)}): connect to it, {instead}"
            )
        return (pathlib.Path(scratch) / FILE).read_bytes()


def _reason(stderr):
    """The line of npm's that says most."""
    lines = [line.removeprefix("npm error ") for line in stderr.splitlines() if line.strip()]
    told = [line for line in lines if "reason:" in line] or lines or ["npm failed"]
    return told[0].split("reason:")[-1].strip()
