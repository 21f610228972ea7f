"""A line an epoch says how far training has come: short, and plain where it is no terminal's."""

import io
import os
import types

import pytest

from bms_keras import metrics
from bms_keras.monitoring import progress
from bms_keras.monitoring.progress import Progress, duration

pytestmark = pytest.mark.neutral

LOGS = {"loss": 0.5, "eval/modes": 25, "eval/high_quality_percent": 97.6123, "eval/mode_kl": 1}
TITLES = {"eval/modes": "modes", "eval/high_quality_percent": "HQ %"}


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def play(monkeypatch):
    """Plays epochs of 1,000 steps, 100 a call, of 2 ms each; the first call takes 30 s more."""

    def play(stream, epochs=(LOGS,), steps=60_000, **kwargs):
        shown, now = Progress(steps, TITLES, stream=stream, **kwargs), [0.0]
        monkeypatch.setattr(progress, "perf_counter", lambda: now[0])
        counter = types.SimpleNamespace(numpy=lambda: done[0])
        model = types.SimpleNamespace(optimizer=types.SimpleNamespace(iterations=counter))
        done = [0]
        shown.set_model(model)
        for epoch, logs in enumerate(epochs):
            shown.on_epoch_begin(epoch)
            for call in range(10):
                now[0] += 0.2 + 30 * (done[0] == 0)
                done[0] += 100
                shown.on_train_batch_end(100 * call + 99)
            shown.on_epoch_end(epoch, logs)
        return stream.getvalue()

    return play


def test_an_epoch_is_a_line_without_control_characters(play):
    lines = play(io.StringIO(), [LOGS, {"loss": 0.5}]).splitlines()
    first, second = (" ".join(line.split()) for line in lines)
    assert first == "step 1,000 of 60,000 2 ms/step 1 min 58 s left modes 25 HQ % 97.61"
    assert second == "step 2,000 of 60,000 2 ms/step 1 min 56 s left"
    assert all(line.isprintable() and len(line) <= 100 for line in lines)


def test_numbers_that_do_not_fit_are_left_out(play, monkeypatch):
    monkeypatch.setitem(TITLES, "eval/mode_kl", "a title that takes more room than there is")
    (line,) = play(io.StringIO(), steps=999_999_999).splitlines()
    assert line.endswith("modes 25  HQ % 97.61")


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (80, "step 1,000 of 60,000  2 ms/step  1 min 58 s left  modes 25  HQ % 97.61"),
        (70, "1,000/60,000  2 ms  1 min 58 s left  modes 25  HQ % 97.61"),
        (40, "1,000/60,000  2 ms  1 min 58 s left"),
        (10, "1,000/60,"),
    ],
)
def test_columns_and_words_make_room_for_numbers(play, monkeypatch, columns, line):
    size = os.terminal_size((columns, 24))
    monkeypatch.setattr(progress.shutil, "get_terminal_size", lambda: size)
    assert play(Terminal()).split("\r")[-1] == f"{line}\x1b[K\n"


def test_a_first_call_has_no_pace_and_a_long_step_no_exponent(play):
    compiling, first, *_ = play(Terminal(), steps=60_000).split("\r")[1:]
    assert compiling.startswith("the first step is compiled")
    assert first.split()[4:] == ["-", "ms/step\x1b[K"]
    slow = Progress(stream=io.StringIO())
    slow.calls, slow.compiling = [(0.0, 0), (35.78, 1)], False
    assert slow._pace() == "35,780"


def test_a_line_under_way_that_is_broken_off_stands_alone():
    stream = Terminal()
    shown = Progress(60_000, TITLES, stream=stream)
    shown.page.under_way("step 1")
    shown.break_off()
    shown.break_off()  # once is enough
    assert stream.getvalue() == "\rstep 1\x1b[K\n"


def test_an_epoch_without_data_has_no_pace():
    shown = Progress(stream=io.StringIO())
    counter = types.SimpleNamespace(numpy=lambda: 1200)
    shown.set_model(types.SimpleNamespace(optimizer=types.SimpleNamespace(iterations=counter)))
    shown.set_params({"epochs": 5, "steps": None})
    shown.on_epoch_begin(0)
    shown.on_epoch_end(0, {"generator/loss": 2.0, "loss": 3.0})
    line = shown.page.stream.getvalue().split()
    assert line == ["step", "1,200", "-", "ms/step", "generator", "2"]


def test_the_last_step_is_what_fit_is_asked_for():
    shown = Progress(stream=io.StringIO())
    counter = types.SimpleNamespace(numpy=lambda: 30)
    shown.set_model(types.SimpleNamespace(optimizer=types.SimpleNamespace(iterations=counter)))
    shown.set_params({"epochs": 5, "steps": 10})  # as `fit(epochs=5, initial_epoch=3)` has it
    shown.on_epoch_begin(3)
    assert shown.steps == 50


def test_verbose_shows_all_logs(play):
    _, *all_logs = play(io.StringIO(), verbose=True).splitlines()
    assert [line.split(":")[0].strip() for line in all_logs] == [*LOGS]


def test_on_a_terminal_the_line_under_way_is_one_line(play, monkeypatch):
    monkeypatch.setattr(progress.shutil, "get_terminal_size", lambda: os.terminal_size((60, 24)))
    text = play(Terminal())
    *under_way, last = text.split("\r")[1:]
    assert under_way
    assert not any("\n" in line for line in under_way)
    assert last.endswith("\x1b[K\n")
    assert all(len(line.removesuffix("\n").removesuffix("\x1b[K")) < 60 for line in under_way)


def test_a_reader_who_is_gone_stops_nothing(play):
    class Closed(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    assert play(Closed()) == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59.6, "1 min 0 s"),
        (3599, "59 min 59 s"),
        (8000, "2 h 13 min"),
        (200_000, "2 d 7 h"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds, text):
    assert duration(seconds) == text


def test_what_a_line_shows_of_the_metrics():
    options = metrics.Protocol(generated=100, real=50)
    data = types.SimpleNamespace(points=lambda n: range(n), test=range(1000), train=range(1000))
    shown = {name: each.shown(data, options) for name, each in metrics.METRICS.items()}
    assert shown["modes"] == {"modes": "modes", "high_quality_percent": "HQ %"}
    assert list(shown["fid"].values()) == ["FID"]
    assert all(set(each) <= set(metrics.get(n).keys(data, options)) for n, each in shown.items())
    own = metrics.Metric(lambda *_: {}, keys=lambda *_: ("width", "height"))
    assert own.shown(data, options) == {"width": "width", "height": "height"}
