"""The page runs in a browser without a network, and generates what the Python model does."""

import functools
import http.server
import importlib.resources
import json
import pathlib
import re
import shutil
import threading
import types

import browser
import keras
import numpy as np
import pytest
from helpers import on_tensorflow
from PIL import Image

import bms_keras
from bms_keras import data, networks
from bms_keras.data.images import Images, quantized, scaled
from bms_keras.errors import BadInput
from bms_keras.export import webpage
from bms_keras.runs import evaluation

RUN = pathlib.Path(__file__).parent / "fixtures" / "run_tensorflow"
needs_chromium = pytest.mark.skipif(
    browser.CHROMIUM is None, reason=f"none of {', '.join(browser.NAMES)} is installed"
)


@pytest.mark.neutral
def test_the_page_sends_nothing():
    """A page's policy: no request, no form, no other base for links."""
    page = importlib.resources.files(webpage).joinpath("page.html").read_text()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    directives = dict(each.strip().split(" ", 1) for each in policy.split(";"))
    for name in ("default-src", "form-action", "base-uri"):
        assert directives[name] == "'none'"


# On JAX a page is written by the same code in a process of its own: one of points shows it.
IMAGES = [pytest.param(kind, marks=on_tensorflow) for kind in ("grey", "colour")]


def model_and_data(kind):
    """A tiny model, its last layer such that outputs differ, and its data."""
    keras.utils.set_random_seed(0)
    if kind == "points":
        config = types.SimpleNamespace(
            family="mlp", latent_dim=4, recognition=(8,), generator=(16,), image_critic=(8,),
            latent_critic=(8,), lipschitz=1.0, input_scale=1.0,
        )  # fmt: skip
        source = data.synthetic.grid(8, seed=0)
    else:
        config = types.SimpleNamespace(family="dcgan", latent_dim=4, width=4, latent_critic=(8,))
        shape = (8, 8, 3) if kind == "colour" else (8, 8, 1)
        pixels = np.random.default_rng(0).integers(0, 256, (20, *shape), "uint8")
        source = Images(pixels, pixels, 8, seed=0)
    names = ("recognition", "generator", "image_critic", "latent_critic")
    model = bms_keras.BMSVAEGAN(**networks.build(config, source.shape, names), samples=3)
    for network in (model.generator, model.recognition):
        for weight in network.trainable_weights:
            weight.assign(10 * weight if kind != "points" else 2 * weight)
    return model, source


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Function of a kind of data: the model, its data and the path of its page."""

    @functools.cache
    def page(kind):
        folder = tmp_path_factory.mktemp(kind)
        model, source = model_and_data(kind)
        webpage.write(model, source, folder, f"<b> & {kind}")
        return model, source, folder / "index.html"

    return page


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with browser.chromium(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture(params=[*IMAGES, "points"])
def opened(request, pages, chromium):
    model, source, path = pages(request.param)
    chromium.errors.clear()
    chromium.open(path.as_uri())
    yield types.SimpleNamespace(model=model, data=source, browser=chromium, kind=request.param)
    assert not chromium.errors


PIXELS = """(() => {
  const canvas = document.getElementById("%s");
  return Array.from(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data);
})()"""


def pixels(page, canvas):
    """The colours on a canvas, `(n, 4)`."""
    return np.array(page.run(PIXELS % canvas), "uint8").reshape(-1, 4)


def call(page, function, *arrays):
    """What a function of `bms` gives for arrays: a list, or a dictionary of lists."""
    given = ", ".join(json.dumps(array.ravel().tolist()) for array in arrays)
    return page.run(
        f"bms.{function}({given}).then((result) => JSON.parse(JSON.stringify(result, "
        "(key, value) => ArrayBuffer.isView(value) ? Array.from(value) : value)))"
    )


@needs_chromium
def test_it_generates_what_the_model_does(opened):
    z = np.random.default_rng(0).standard_normal((3, 4)).astype("float32")
    expected = keras.ops.convert_to_numpy(opened.model(z))
    generated = np.float32(call(opened.browser, "generate", z)).reshape(expected.shape)
    assert np.ptp(expected, axis=0).max() > 0.1
    np.testing.assert_allclose(generated, expected, atol=1e-4)
    opened.browser.run(f"bms.show({z[1].tolist()})")
    if opened.data.kind == "images":
        drawn = pixels(opened.browser, "sample")[:, :3].reshape(8, 8, 3)
        np.testing.assert_allclose(
            drawn, np.broadcast_to(quantized(expected[1]), (8, 8, 3)), atol=1
        )
    else:
        point = opened.data.unscaled(expected[1])
        text = opened.browser.run("document.getElementById('place').textContent")
        assert text == f"x = ({point[0]:.2f}, {point[1]:.2f})"


@on_tensorflow
@needs_chromium
def test_it_draws_and_says_so(opened):
    assert len(np.unique(pixels(opened.browser, "sample"), axis=0)) > 3
    assert opened.browser.run("document.getElementById('status').textContent").startswith("Ready")
    assert opened.browser.run("document.title") == f"<b> & {opened.kind}"
    if opened.data.kind == "images":  # the grid is drawn by and by
        opened.browser.run(
            "new Promise((done) => { const look = () => document.getElementById('grid').lastChild"
            ".onclick ? done() : setTimeout(look, 20); look(); })"
        )
        before = pixels(opened.browser, "sample")
        opened.browser.run("document.getElementById('grid').firstChild.click()")
        opened.browser.run("new Promise((done) => setTimeout(done, 200))")
        assert (pixels(opened.browser, "sample") != before).any()


@on_tensorflow
@needs_chromium
def test_a_slider_moves_by_keyboard_along_its_direction(opened):
    z = np.random.default_rng(1).standard_normal(4).astype("float32")
    z *= 1.5 / np.linalg.norm(z)
    opened.browser.run(f"bms.show({z.tolist()})")
    opened.browser.run("document.querySelector('#sliders input').focus()")
    before = float(opened.browser.run("document.activeElement.value"))
    directions = np.array(opened.browser.run("bms.info.directions"))
    np.testing.assert_allclose(before, z @ directions[0], atol=0.006)
    for _ in range(50):
        opened.browser.press("ArrowRight", 39)
    after = float(opened.browser.run("document.activeElement.value"))
    assert after == pytest.approx(before + 0.5, abs=1e-6)
    text = opened.browser.run("document.activeElement.getAttribute('aria-valuetext')")
    assert float(text) == pytest.approx(after, abs=0.006)
    expected = z + (after - z @ directions[0]) * directions[0]
    shown = keras.ops.convert_to_numpy(opened.model(np.float32([expected])))[0]
    opened.browser.run("new Promise((done) => setTimeout(done, 200))")
    if opened.data.kind == "images":
        drawn = pixels(opened.browser, "sample")[:, :3].reshape(8, 8, 3)
        np.testing.assert_allclose(drawn, np.broadcast_to(quantized(shown), (8, 8, 3)), atol=1)
    else:
        text = opened.browser.run("document.getElementById('place').textContent")
        found = np.array([float(part) for part in text[5:-1].split(",")])
        np.testing.assert_allclose(found, opened.data.unscaled(shown), atol=0.006)


@on_tensorflow
@needs_chromium
@pytest.mark.parametrize("kind", IMAGES)
def test_it_reconstructs_a_file(kind, pages, chromium, tmp_path):
    model, source, path = pages(kind)
    chromium.errors.clear()
    chromium.open(path.as_uri())
    x = source.images(1)
    encoded = call(chromium, "encode", scaled(x))
    for name, values in zip(("mean", "log_variance"), model.encode(scaled(x)), strict=True):
        np.testing.assert_allclose(np.float32([encoded[name]]), values, atol=1e-4)
    wide = np.pad(np.broadcast_to(x[0], (8, 8, 3)), ((0, 0), (5, 5), (0, 0)))
    Image.fromarray(wide).save(tmp_path / "wide.png")
    chromium.choose("#file", tmp_path / "wide.png")
    chromium.run(
        "new Promise((done) => { const look = () => document.getElementById('distance').textContent"
        " ? done() : setTimeout(look, 20); look(); })"
    )
    shown = pixels(chromium, "input")[:, :3].reshape(8, 8, 3)
    assert (shown == np.broadcast_to(x[0], (8, 8, 3))).all()  # the centre, as it was
    best = scaled(pixels(chromium, "best")[:, :3].reshape(8, 8, 3))
    text = chromium.run("document.getElementById('distance').textContent")
    assert "best of 3 samples" in text
    distance = float(text.split(":")[0].removeprefix("Distance "))
    assert distance == pytest.approx(np.abs(best - scaled(x[0])).mean(), abs=0.01)
    (tmp_path / "none.png").write_bytes(b"no image")
    chromium.choose("#file", tmp_path / "none.png")
    chromium.run("new Promise((done) => setTimeout(done, 200))")
    text = chromium.run("document.getElementById('distance').textContent")
    assert text == "none.png is no image that this browser can read."
    assert not chromium.errors


@on_tensorflow
@needs_chromium
def test_it_works_from_a_server_too(pages, chromium):
    _, _, path = pages("points")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=path.parent)

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        chromium.errors.clear()
        chromium.open(f"http://127.0.0.1:{server.server_port}/index.html")
        server.shutdown()
    assert not chromium.errors


def test_the_leading_direction_is_that_of_a_linear_generator():
    model, _ = model_and_data("points")
    A = np.float32([[3, 0], [0, 0], [0, 1], [0, 0]])
    linear = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    linear.set_weights([A, np.float32([1, 2])])
    model.networks["generator"] = model.generator = linear
    directions, shares = webpage.leading_directions(model, n=3, samples=2)
    assert directions.shape == (3, 4)
    np.testing.assert_allclose(directions[:2], np.eye(4)[[0, 2]], atol=1e-5)
    np.testing.assert_allclose(shares, [0.9, 0.1, 0], atol=1e-5)


@on_tensorflow
def test_a_run_becomes_a_page(tmp_path):
    run = shutil.copytree(RUN, tmp_path / "run")
    evaluation.evaluate(run, ["modes"], web_dir=tmp_path / "page")
    page = (tmp_path / "page" / "index.html").read_text()
    assert "<title>bms_vae_gan on ring, step 6</title>" in page
    assert "{{" not in page
    for mode in ("src=", 'href="http', "@import"):
        assert mode not in page


@on_tensorflow
def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "index.html").write_text("mine")
    with pytest.raises(BadInput, match=r"index.html exists and is not overwritten"):
        webpage.write(*model_and_data("points"), tmp_path, "title")
    assert (tmp_path / "index.html").read_text() == "mine"
