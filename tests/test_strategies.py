"""Two replicas play the game that one plays; processes stop, die and go on together."""

import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys

import keras
import numpy as np
import pytest
from helpers import config, image_config

from bms_keras import distribution, methods
from bms_keras.distribution import strategies
from bms_keras.errors import BadInput
from bms_keras.runs import checkpoint, training
from bms_keras.runs.workdir import Workdir

TESTS = pathlib.Path(__file__).parent
ON_JAX = keras.backend.backend() == "jax"
STRATEGY = "data_parallel" if ON_JAX else "mirrored"
SHORT = {"steps": 20, "batch_size": 8, "checkpoint_every": 10, "ema": 0.9}
# Best of three, spectral normalisation, and a gradient penalty, whose noise is drawn otherwise.
POINTS = {**SHORT, "samples": 3, "objective.gradient_penalty": 0.1, "steps_per_execution": 5}
# Two batches a step, one for each of the critic's turns.
IMAGES = {**SHORT, "objective.critic_turns": 2}
GAMES = {"points": ("bms_vae_gan", POINTS), "images": ("sn_gan", IMAGES)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder for all runs, in which `noise.npz` has the images."""
    folder = tmp_path_factory.mktemp("strategies")
    image_config(folder)
    return folder


def job(folder, game, name, **more):
    method, fields = GAMES[game]
    fields = {**fields, "strategy": STRATEGY, **more.pop("fields", {})}
    if game == "images":  # batch normalisation in G, spectral in D_I
        fields["data.source"] = str(folder / "noise.npz")
    return {"workdir": str(folder / name), "method": method, "fields": fields, **more}


def start(*jobs, **place):
    """A process that trains; see distributed_worker.py."""
    return subprocess.Popen(
        [sys.executable, TESTS / "distributed_worker.py", json.dumps({"jobs": jobs, **place})],
        env=os.environ | {"PYTHONPATH": f"{TESTS.parent}:{TESTS}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def results(*processes):
    """The exit status, the last line and the errors of each process."""
    ended = [process.communicate(timeout=600) for process in processes]
    return [
        (process.returncode, out.splitlines()[-1:], errors)
        for process, (out, errors) in zip(processes, ended, strict=True)
    ]


def together(first, second):
    """Two processes, each with its own list of jobs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    pair = [start(*jobs, port=port, process=i) for i, jobs in enumerate((first, second))]
    return results(*pair)


@pytest.fixture(scope="module")
def on_two(folder):
    """Both games on two replicas; on JAX then one of which the second process dies at step 13."""
    jobs = [job(folder, game, game) for game in GAMES]
    if ON_JAX:
        victim = job(folder, "images", "killed")
        return together([*jobs, victim], [*jobs, {**victim, "kill_at": 13}])
    ended = results(start(*jobs))
    assert ended[0][:2] == (0, ["[true, true]"]), ended
    return ended


@pytest.fixture(scope="module")
def on_one(folder):
    """The same games on one."""
    for game in GAMES:
        alone = job(folder, game, f"{game}_alone", fields={"strategy": "none"})
        made = image_config(folder, alone["method"]) if game == "images" else config()
        made.update_from_flattened_dict(alone["fields"])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(training.drawings, "at_the_end", lambda model, data: {})
            patch.setattr(training.drawings, "while_training", lambda model, data: {})
            training.train(made, alone["workdir"])


def newest(folder, name):
    return checkpoint.paths(Workdir(folder / name).checkpoints)[-1]


@pytest.mark.parametrize("game", GAMES)
def test_two_replicas_come_to_the_weights_of_one(folder, on_one, on_two, game):
    """Of the same global batch, to 1e-5 in 20 steps: networks, averages, sigma's u, statistics."""
    one, two = (checkpoint.read(newest(folder, name))[1] for name in (f"{game}_alone", game))
    weights = [name for name in one if name.startswith(("model/", "optimizer/"))]
    assert len(weights) > 20
    for name in weights:
        np.testing.assert_allclose(two[name], one[name], rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("game", GAMES)
def test_and_to_its_logs(folder, on_one, on_two, game):
    """Losses, terms and the norms of gradients, as sums and counts; then the first fault."""
    one, two = (checkpoint.read(newest(folder, name))[1] for name in (f"{game}_alone", game))
    names = sorted(name for name in one if name.startswith("logs/"))
    *sums, index, step = names
    assert two[index] == two[step] == 0
    for total, count in zip(sums[::2], sums[1::2], strict=True):
        mean = [arrays[total] / arrays[count] for arrays in (one, two)]
        np.testing.assert_allclose(*mean, rtol=1e-4, atol=1e-5, err_msg=total)


@pytest.mark.skipif(ON_JAX, reason="the processes' test resumes, too")
def test_a_mirrored_run_goes_on_to_the_bit(folder, on_two):
    path = newest(folder, "images")
    whole = path.read_bytes()
    path.unlink()
    assert newest(folder, "images").name == "step_000000010.npz"
    assert results(start(job(folder, "images", "images")))[0][0] == 0
    assert path.read_bytes() == whole


@pytest.mark.skipif(not ON_JAX, reason="TensorFlow runs in one process")
def test_processes_die_and_stop_together_and_go_on_to_the_bit(folder, on_two):
    """Killed, the second takes the first along; a SIGTERM to it stops both at the same step."""
    (first, _, errors), (second, _, _) = on_two
    assert second == -signal.SIGKILL
    assert first == 1
    assert "another process is gone" in errors
    assert newest(folder, "killed").name == "step_000000010.npz"

    killed, stopped = (job(folder, "images", name) for name in ("killed", "stopped"))
    apart = [job(folder, "images", name) for name in ("images", "elsewhere")]
    jobs = [killed, stopped, stopped]
    ended = together([*jobs, apart[0]], [killed, {**stopped, "stop_at": 4}, stopped, apart[1]])
    whole = newest(folder, "images").read_bytes()
    assert newest(folder, "killed").read_bytes() == whole
    assert newest(folder, "stopped").read_bytes() == whole
    steps = [path.name for path in checkpoint.paths(Workdir(folder / "stopped").checkpoints)]
    assert steps[0] == "step_000000005.npz"
    for status, _, errors in ended:  # the last job, whose processes do not share a folder
        assert status == 1
        assert "must be one folder for all processes, on a shared disk" in errors
    assert not (folder / "elsewhere").exists()


# Refusals.


def test_a_strategy_of_the_other_backend_is_refused():
    other = "mirrored" if ON_JAX else "data_parallel"
    with pytest.raises(BadInput, match=f"'{other}' needs the (JAX|TensorFlow) backend"):
        strategies.scope(config(strategy=other), False)


def test_a_batch_that_devices_cannot_share_is_refused(monkeypatch):
    monkeypatch.setattr(distribution, "devices", lambda: ["a device"] * 3)
    with pytest.raises(BadInput, match="batch_size must be a multiple of 3, the number of devices"):
        strategies.scope(config(strategy=STRATEGY, batch_size=8), False)


@pytest.mark.skipif(ON_JAX, reason="there strides and packs are taken over the whole batch")
@pytest.mark.parametrize(
    ("pack", "stride", "expected"),
    [
        (1, 4, "times objective.posterior_stride, 4."),
        (4, 1, "times objective.pack, 4."),
        (3, 4, "times objective.pack, 3, times objective.posterior_stride, 4."),
    ],
)
def test_a_part_of_a_batch_that_is_not_divided_evenly_is_refused(
    monkeypatch, pack, stride, expected
):
    monkeypatch.setattr(distribution, "devices", lambda: ["a device"] * 2)
    fields = {"objective.pack": pack, "objective.posterior_stride": stride}
    made = config(strategy="mirrored", batch_size=12, **fields)
    with pytest.raises(BadInput, match=f"multiple of 2, .* {re.escape(expected)}"):
        strategies.scope(made, False)
    made.batch_size = 24
    monkeypatch.setattr(distribution, "scope", contextlib.nullcontext)
    strategies.scope(made, False)


@pytest.mark.parametrize("method", [name for name, m in methods.METHODS.items() if m.coupled])
def test_a_loss_that_needs_the_whole_batch_is_refused_where_it_is_split(monkeypatch, method):
    monkeypatch.setattr(distribution, "devices", lambda: ["a device"] * 2)
    made = config(method, strategy=STRATEGY, batch_size=8)
    refused = contextlib.nullcontext() if ON_JAX else pytest.raises(BadInput, match="in one piece")
    monkeypatch.setattr(distribution, "scope", contextlib.nullcontext)
    with refused:
        strategies.scope(made, methods.get(method).coupled)


@pytest.mark.parametrize(
    "flags", [(None, 2, 0), (None, None, 1), ("127.0.0.1:1", 2, None), ("127.0.0.1:1", 2, 2)]
)
def test_flags_that_make_no_group_of_processes_are_refused(flags):
    with pytest.raises(BadInput, match="--coordinator"), distribution.initialize(*flags):
        pass


def test_several_processes_need_a_strategy(monkeypatch):
    monkeypatch.setattr(distribution, "is_alone", lambda: False)
    with pytest.raises(BadInput, match="several processes need"):
        strategies.scope(config(), False)


def test_what_the_first_process_refuses_ends_the_others(monkeypatch):
    monkeypatch.setattr(distribution, "is_first", lambda: False)
    monkeypatch.setattr(distribution, "any_process", lambda flag: True)
    with pytest.raises(BadInput, match="the first process"):
        strategies.on_first_process(contextlib.nullcontext()).__enter__()
