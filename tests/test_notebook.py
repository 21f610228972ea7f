"""In a notebook training shows a few lines and its pictures in place, and elsewhere nothing."""

import io
import sys
import types

import pytest
from PIL import Image

from bms_keras import callbacks
from bms_keras.data import synthetic
from bms_keras.monitoring import notebook

pytestmark = pytest.mark.neutral


class Kernel:
    """Stands for IPython: keeps what each output shows, and how often it changed."""

    version_info = (9, 0)  # which matplotlib looks at

    def __init__(self):
        self.outputs = []
        self.changes = 0
        self.display = types.SimpleNamespace(display=self._display)

    def get_ipython(self):
        return types.SimpleNamespace(kernel=self)

    def _display(self, thing, raw, display_id):
        assert display_id
        i = len(self.outputs)
        self.outputs.append(thing)
        return types.SimpleNamespace(update=lambda new, raw: self._update(i, new))

    def _update(self, i, thing):
        self.outputs[i] = thing
        self.changes += 1


@pytest.fixture
def kernel(monkeypatch):
    kernel = Kernel()
    monkeypatch.setitem(sys.modules, "IPython", kernel)
    return kernel


def test_fit_shows_its_lines_and_pictures_each_in_one_output(kernel, tiny_model, capsys):
    data = synthetic.grid(8, seed=0)
    grid = callbacks.SampleGrid(data, every=2)
    tiny_model().fit(data.batches(0, 6), steps_per_epoch=2, epochs=3, callbacks=[grid])
    lines, picture = kernel.outputs
    assert isinstance(picture, Image.Image)
    first, second, third = lines["text/plain"].splitlines()
    assert first.split()[:4] == ["step", "2", "of", "6"]
    assert second.split()[:4] == ["step", "4", "of", "6"]
    assert third.split()[:4] == ["step", "6", "of", "6"]
    assert {"generator", "image_critic"} < set(third.split())
    assert "\x1b" not in lines["text/plain"]
    assert kernel.changes >= 4
    assert capsys.readouterr().out == ""


def test_lines_that_would_be_many_leave_at_the_top(kernel):
    cell = callbacks.Progress().page
    for i in range(1000):
        cell.under_way("under way")
        cell.done([f"line {i}"])
    (shown,) = kernel.outputs
    lines = shown["text/plain"].splitlines()
    assert lines[-1] == "line 999"
    assert len(lines) < 100


def test_a_stream_that_is_given_is_printed_to(kernel):
    shown = callbacks.Progress(stream=io.StringIO())
    shown.page.done(["a line"])
    assert shown.page.stream.getvalue() == "a line\n"
    assert kernel.outputs == []


@pytest.mark.parametrize("shell", [None, types.SimpleNamespace()], ids=["none", "terminal"])
def test_ipython_without_a_notebook_shows_nothing(monkeypatch, shell):
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    assert not notebook.is_running()
    notebook.Output().show("a", "text")  # and asks for no display, which there is none of


def test_nothing_is_imported_to_find_out(monkeypatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert not notebook.is_running()
    assert "IPython" not in sys.modules
