"""A SavedModel does what the model does, in programs that do not know this package."""

import contextlib
import functools
import json
import os
import pathlib
import re
import subprocess
import sys

import keras
import numpy as np
import pytest
from helpers import EAGERLY, TENSORFLOW, config, image_config, on_tensorflow

from bms_keras import __version__
from bms_keras.data.images import quantized
from bms_keras.errors import BadInput
from bms_keras.export import saved_model
from bms_keras.runs import experiment

pytest.importorskip("tensorflow")
TESTS = pathlib.Path(__file__).parent
CASES = [("bms_vae_gan", "images")]
if TENSORFLOW:  # on JAX each export starts a process of its own, for the same code
    CASES += [("bms_vae_gan", "points"), ("dist_gan", "points"), ("sn_gan", "images")]


class Served:
    """A trained model, some of its data, and the SavedModel."""

    def __init__(self, folder, method, data):
        self.data = data
        made = {"points": config, "images": lambda *args, **kw: image_config(folder, *args, **kw)}
        built = experiment.build(made[data](method, batch_size=8, ema=0.5))
        built.model.run_eagerly = EAGERLY
        built.model.fit(built.data.batches(0, 2), steps_per_epoch=2, verbose=0)
        self.model, self.x = built.model, built.data.points(6)
        self.path = built.model.export_saved_model(folder / "served", note="a note")

    def requests(self):
        """Each signature's inputs, and what the model makes of them, by output."""
        model, x = self.model, self.x
        z = np.random.default_rng(0).standard_normal((5, model.latent_dim)).astype("float32")
        seed = 2**40 + 3
        drawn = {"n": 7, "seed": seed}
        requests = {
            "serving_default": ({"z": z}, {self.data: keras.ops.convert_to_numpy(model(z))}),
            "sample": (drawn, {self.data: model.sample(7, seed=seed)}),
        }
        if self.data == "images":
            requests["sample_uint8"] = (drawn, {"images": quantized(model.sample(7, seed=seed))})
        if model.has_posterior:
            mean, log_variance = model.encode(x)
            posterior = {"mean": mean, "log_variance": log_variance}
            best = model.reconstruct(x, samples=3, seed=1)
            axes = tuple(range(1, x.ndim))
            error = np.abs(x - best) if model.norm == 1 else np.square(x - best)
            requests["encode"] = ({self.data: x}, posterior)
            if self.data == "images":
                requests["encode_uint8"] = ({"images": quantized(x)}, posterior)
            requests["reconstruct"] = (
                {self.data: x, "samples": 3, "seed": 1},
                {self.data: best, "distance": error.mean(axes)},
            )
        log_ratio = model.image_critic.predict(x, verbose=0)[:, 0]
        requests["score"] = ({self.data: x}, {"log_ratio": log_ratio})
        return requests


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    return {case: Served(tmp_path_factory.mktemp("-".join(case)), *case) for case in CASES}


@contextlib.contextmanager
def client():
    """A process that knows TensorFlow only: a function of requests that returns its answers."""
    with subprocess.Popen(
        [sys.executable, str(TESTS / "serving_client.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:

        def ask(requests):
            plain = [
                (str(folder), signature, {k: np.asarray(v).tolist() for k, v in inputs.items()})
                for folder, signature, inputs in requests
            ]
            print(json.dumps(plain), file=process.stdin, flush=True)
            return json.loads(process.stdout.readline())

        yield ask
        process.stdin.close()


@pytest.fixture(scope="module")
def ask():
    with client() as ask:
        yield ask


def test_every_signature_does_what_the_model_does(served, ask):
    asked = [(s, name, *pair) for s in served.values() for name, pair in s.requests().items()]
    requests = [(s.path, name, inputs) for s, name, inputs, _ in asked]
    first = ask(requests)
    with client() as another:
        assert another(requests) == first  # in two processes, bit for bit
    for (_, name, _, expected), outputs in zip(asked, first, strict=True):
        assert outputs.keys() == expected.keys()
        for output, value in expected.items():
            tolerance = 1 if name == "sample_uint8" else 1e-5  # at a half, rounding may differ
            found = np.array(outputs[output])
            assert found.shape == value.shape
            np.testing.assert_allclose(found, value, rtol=0, atol=tolerance, err_msg=name)


@on_tensorflow
def test_no_sample_and_many(served, ask):
    path, many = served["bms_vae_gan", "points"].path, served["bms_vae_gan", "images"]
    none, points, images = ask(
        [
            (path, "sample", {"n": 0, "seed": 0}),
            (path, "sample", {"n": 10_000, "seed": 0}),
            (many.path, "sample_uint8", {"n": 1234, "seed": 0}),
        ]
    )
    assert none == {"points": []}
    assert np.shape(points["points"]) == (10_000, 2)
    different = many.model.sample(1234, seed=0)  # in chunks of another number
    np.testing.assert_allclose(images["images"], quantized(different), atol=1)


@on_tensorflow
def test_wrong_inputs_get_tensorflows_error(served, ask):
    path = served["bms_vae_gan", "points"].path
    most = saved_model.most_samples(served["bms_vae_gan", "points"].model)
    assert json.loads((path / "metadata.json").read_text())["most_samples"] == most == 2**24
    two = [[0.0, 0.0]] * 2
    shape, kind, missing, negative, no_samples, *too_many = ask(
        [
            (path, "serving_default", {"z": [[1.0, 2.0]]}),
            (path, "serving_default", {"z": [["one"] * 4]}),
            (path, "sample", {"n": 3}),
            (path, "sample", {"n": -3, "seed": 0}),
            (path, "reconstruct", {"points": [[0.0, 0.0]], "samples": 0, "seed": 0}),
            (path, "sample", {"n": most + 1, "seed": 0}),
            (path, "reconstruct", {"points": two, "samples": most // 2 + 1, "seed": 0}),
        ]
    )
    assert "InvalidArgumentError" in shape
    assert kind.startswith(("TypeError", "ValueError"))
    assert "seed" in missing
    assert "InvalidArgumentError" in negative
    assert "samples" in no_samples
    for name, line in zip(("n", "samples"), too_many, strict=True):
        assert f"{name} must be at most {most}" in line


def cli(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", "tensorflow.python.tools.saved_model_cli", *arguments],
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@functools.cache
def shown(path):
    """The names, types and shapes that `saved_model_cli show` lists, by signature."""
    text = cli("show", "--dir", str(path), "--tag_set=serve", "--all").partition("Concrete")[0]
    listed = {}
    for block in text.split("signature_def['")[1:]:
        found = re.findall(
            r"(in|out)puts\['(\w+)'\].*?dtype: (\w+)\s+shape: (\(.*?\)|\w+)", block, re.DOTALL
        )
        listed[block.partition("'")[0]] = {
            f"{way} {name}": f"{kind} {shape}" for way, name, kind, shape in found
        }
    listed.pop("__saved_model_init_op")
    return listed


@on_tensorflow
def test_the_command_line_shows_what_is_documented(served):
    images = shown(served["bms_vae_gan", "images"].path)
    pixels, integer = "(-1, 8, 8, 3)", "DT_INT32 ()"
    given = {"in n": integer, "in seed": "DT_INT64 ()"}
    posterior = {"out mean": "DT_FLOAT (-1, 4)", "out log_variance": "DT_FLOAT (-1, 4)"}
    assert images == {
        "serving_default": {"in z": "DT_FLOAT (-1, 4)", "out images": f"DT_FLOAT {pixels}"},
        "sample": given | {"out images": f"DT_FLOAT {pixels}"},
        "sample_uint8": given | {"out images": f"DT_UINT8 {pixels}"},
        "encode": {"in images": f"DT_FLOAT {pixels}"} | posterior,
        "encode_uint8": {"in images": f"DT_UINT8 {pixels}"} | posterior,
        "reconstruct": {
            "in images": f"DT_FLOAT {pixels}",
            "in samples": integer,
            "in seed": "DT_INT64 ()",
            "out images": f"DT_FLOAT {pixels}",
            "out distance": "DT_FLOAT (-1)",
        },
        "score": {"in images": f"DT_FLOAT {pixels}", "out log_ratio": "DT_FLOAT (-1)"},
    }
    for signature in images:
        assert f"| {signature}" in saved_model.__doc__


@on_tensorflow
def test_the_command_line_runs_it(served, tmp_path):
    path = served["bms_vae_gan", "points"].path
    np.savez(tmp_path / "in.npz", n=np.int32(5), seed=np.int64(1))
    inputs = ";".join(f"{name}={tmp_path}/in.npz[{name}]" for name in ("n", "seed"))
    flags = ["--tag_set=serve", "--signature_def=sample", f"--inputs={inputs}"]
    cli("run", f"--dir={path}", *flags, f"--outdir={tmp_path}")
    expected = served["bms_vae_gan", "points"].model.sample(5, seed=1)
    np.testing.assert_allclose(np.load(tmp_path / "points.npy"), expected, atol=1e-5)


@on_tensorflow
def test_the_pages_requests_are_answered(served, ask):
    page = (TESTS.parent / "docs" / "serving.md").read_text()
    path, shape = served["bms_vae_gan", "images"].path, (8, 8, 3)
    bodies = [json.loads(body) for body in re.findall(r"curl .*?-d '(\{.*?\})'", page, re.DOTALL)]
    assert len(bodies) >= 2
    answers = ask([(path, body["signature_name"], body["inputs"]) for body in bodies])
    for body, answer in zip(bodies, answers, strict=True):
        assert np.shape(answer["images"]) == (body["inputs"]["n"], *shape)
    (grpc,) = re.findall(r"<!-- grpc -->\n```python\n(.*?)```", page, re.DOTALL)
    inputs = set(re.findall(r'request\.inputs\["(\w+)"\]', grpc))
    outputs = set(re.findall(r'\.outputs\["(\w+)"\]', grpc))
    (signature,) = re.findall(r'signature_name = "(\w+)"', grpc)
    listed = shown(path)[signature]
    assert {f"in {name}" for name in inputs} | {f"out {name}" for name in outputs} == set(listed)


@on_tensorflow
def test_versions_count_up_and_nothing_is_overwritten(served):
    one = served["bms_vae_gan", "points"]
    before = {path: path.stat().st_mtime_ns for path in one.path.rglob("*")}
    (one.path.parent / "7").mkdir()
    (one.path.parent / "²").mkdir()  # a digit, and no number
    assert one.model.export_saved_model(one.path.parent).name == "8"
    assert sorted(path.name for path in one.path.parent.iterdir()) == ["1", "7", "8", "²"]
    assert before == {path: path.stat().st_mtime_ns for path in one.path.rglob("*")}


def test_the_metadata_say_what_signatures_do_not(served):
    one = served["bms_vae_gan", "images"]
    metadata = json.loads((one.path / "metadata.json").read_text())
    assert (metadata["class"], metadata["step"], metadata["note"]) == ("BMSVAEGAN", 2, "a note")
    assert (metadata["data_shape"], metadata["data_range"]) == ([8, 8, 3], [-1, 1])
    assert metadata["averaged_weights"] == ["generator", "recognition"]
    assert metadata["versions"]["bms_keras"] == __version__


@on_tensorflow
def test_a_file_in_its_place_is_refused(served, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(BadInput, match="file cannot be written"):
        served["bms_vae_gan", "points"].model.export_saved_model(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


@on_tensorflow
def test_a_full_disk_is_one_line_and_leaves_nothing(served, tmp_path, monkeypatch):
    import tensorflow as tf

    def full(model, path, *args, **kwargs):
        (pathlib.Path(path) / "saved_model.pb").touch()
        message = "variables/variables.data; No space left on device\nand more"
        raise tf.errors.ResourceExhaustedError(None, None, message)

    monkeypatch.setattr(tf.saved_model, "save", full)
    with pytest.raises(BadInput) as error:
        served["bms_vae_gan", "points"].model.export_saved_model(tmp_path / "a" / "b")
    assert str(error.value) == (
        f"{tmp_path}/a/b cannot be written: ResourceExhaustedError: "
        "variables/variables.data; No space left on device"
    )
    assert not list(tmp_path.iterdir())


@on_tensorflow
@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_serves_float32(tmp_path, ask, precision):
    one = experiment.build(image_config(tmp_path, precision=precision)).model
    path = one.export_saved_model(tmp_path / "served")
    (answer,) = ask([(path, "sample", {"n": 3, "seed": 0})])
    np.testing.assert_allclose(answer["images"], one.sample(3, seed=0), atol=1e-5)
