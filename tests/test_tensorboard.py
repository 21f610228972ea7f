"""TensorBoard's own readers find in the files of a short run all that is promised."""

import itertools
import logging
import re

import keras
import numpy as np
import pytest
from helpers import config, content, image_config
from ml_collections import ConfigDict
from PIL import Image
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.custom_scalar.layout_pb2 import Layout
from tensorboard.plugins.hparams import api_pb2, get_experiment, list_session_groups
from tensorboard.plugins.hparams.backend_context import Context
from tensorboard.plugins.projector.projector_plugin import ProjectorPlugin, _read_tensor_tsv_file
from tensorboardX import event_file_writer

from bms_keras import callbacks, networks
from bms_keras.monitoring import callbacks as show
from bms_keras.monitoring import diagnostics, tensorboard
from bms_keras.runs import evaluation, experiment, training

pytestmark = pytest.mark.neutral

SAMPLES = 3
STEPS = 20


def points(**fields):
    fields = {"steps": STEPS, "batch_size": 8, "samples": SAMPLES, **fields}
    fields |= {"checkpoint_every": 10, "eval_every": 10, "eval_metrics": ("modes",)}
    return config(steps_per_execution=5, **{"optimizer.hold": 0.5}, **fields)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The folder of two runs of points, one of which went on and was evaluated, and of images."""
    folder = tmp_path_factory.mktemp("runs")
    training.train(points(), folder / "a")
    built = training.train(points(steps=STEPS + 10), folder / "a")
    record = evaluation.evaluate(folder / "a", ["modes"])
    other = training.train(points(method="sn_gan", samples=1, objective={}), folder / "b")
    fields = {"steps": 4, "checkpoint_every": 2, "samples": SAMPLES, "precision": "bfloat16"}
    images = training.train(image_config(folder, **fields), folder / "images")
    return folder, {"a": built, "b": other, "images": images}, record


def events(folder, run):
    size = {"scalars": 0, "images": 0, "histograms": 0, "tensors": 0}
    return EventAccumulator(str(folder / run / "tensorboard"), size).Reload()


def context(folder):
    multiplexer = EventMultiplexer().AddRunsFromDirectory(str(folder)).Reload()
    provider = MultiplexerDataProvider(multiplexer, str(folder))
    return TBContext(data_provider=provider, logdir=str(folder), multiplexer=multiplexer)


def scalars(events, tag):
    return {event.step: event.value for event in events.Scalars(tag)}


# Numbers.


def test_all_that_is_promised_is_there(runs):
    players = ("generator", "image_critic", "latent_critic")
    expected = {f"{player}/{name}" for player in players for name in ("loss", "gradient_norm")}
    expected |= {f"learning_rate/{player}" for player in players}
    expected |= {f"log_D/{name}" for name in ("real", "posterior", "prior")}
    expected |= {"generator/divergence", "image_critic/real", "image_critic/fake"}
    expected |= {"steps_per_second", "selected/best_evenness", "selected/least_realistic_evenness"}
    for run, kind in (("a", "dense"), ("images", "conv2d")):
        tags = events(runs[0], run).Tags()
        assert expected | {f"sigma/image_critic/1_{kind}"} <= set(tags["scalars"])
        assert set(tags["histograms"]) == {"selected/best", "selected/least_realistic"}
        assert tags["graph"]
    assert {"eval/modes", "evaluated/modes"} <= set(events(runs[0], "a").Tags()["scalars"])
    assert set(events(runs[0], "images").Tags()["images"]) == {"samples", "reconstructions"}


def test_the_last_numbers_are_those_of_the_model(runs):
    found, built = events(runs[0], "a"), runs[1]["a"]
    model, data = built.model, built.data
    last = STEPS + 10
    scores, shares = diagnostics.selection(model, data.points(200), seed=last)
    numbers = scores | diagnostics.sigmas(model) | diagnostics.learning_rates(model)
    for tag, value in numbers.items():
        written = scalars(found, tag)
        assert list(written) == [10, 20, 30]
        np.testing.assert_allclose(written[last], value, rtol=1e-5, atol=1e-12)
    for tag, each in shares.items():
        written = found.Histograms(tag)
        assert [event.step for event in written] == [10, 20, 30]
        histogram = written[-1].histogram_value
        np.testing.assert_allclose(histogram.bucket, each)
        np.testing.assert_allclose(histogram.bucket_limit, [1.5, 2.5, 3.5])
        assert sum(histogram.bucket) == pytest.approx(1)


def test_rates_are_those_of_the_schedule(runs):
    """Of 20 steps, then of 30: held for half of them, then linearly to 0."""
    written = scalars(events(runs[0], "a"), "learning_rate/generator")
    np.testing.assert_allclose(list(written.values()), [2e-4, 0, 0], atol=1e-10)
    written = scalars(events(runs[0], "images"), "learning_rate/generator")
    np.testing.assert_allclose(list(written.values()), [2e-4, 2e-4], rtol=1e-5)


def test_speed_is_that_of_training_alone(tmp_path, monkeypatch):
    clock = iter([0.0, 1.0, 4.0])
    monkeypatch.setattr(show.time, "perf_counter", lambda: next(clock))
    stats = callbacks.TrainingStats(tmp_path / "tensorboard")
    stats.set_model(experiment.build(points()).model)
    stats.on_epoch_begin(0)
    stats.on_train_batch_end(9)
    stats.on_train_batch_end(19)
    monkeypatch.setattr(show.time, "perf_counter", lambda: 100.0)  # what comes at the end
    stats.on_epoch_end(0)
    stats.on_train_end()
    assert scalars(events(tmp_path, "."), "steps_per_second") == {0: 5.0}


def test_speed_is_above_nothing(runs):
    assert all(speed > 0 for speed in scalars(events(runs[0], "a"), "steps_per_second").values())


def test_an_evaluation_is_written_at_its_step(runs):
    found, record = events(runs[0], "a"), runs[2]
    for name in ("modes", "high_quality_percent"):
        assert scalars(found, f"evaluated/{name}") == {STEPS + 10: pytest.approx(record[name])}


def test_an_evaluation_in_the_second_of_its_training_is_not_taken_for_lost(tmp_path, monkeypatch):
    """A new writer hides what was written from its step on; TensorBoard reads by file names."""
    monkeypatch.setattr(event_file_writer.time, "time", lambda: 1.8e9)
    folder = tmp_path / "tensorboard"
    for step in (10, 20, 30):
        training = callbacks.Scalars(folder)
        training.act(step, {"loss": 1.0})
        training.on_train_end()
        tensorboard.evaluated(folder, {"modes": float(step)}, step)
    assert scalars(events(tmp_path, "."), "evaluated/modes") == {10: 10, 20: 20, 30: 30}


def test_what_cannot_be_measured_is_left_out(tmp_path):
    tensorboard.evaluated(tmp_path / "tensorboard", {"a": 1.0, "b": None}, 3)
    assert events(tmp_path, ".").Tags()["scalars"] == ["evaluated/a"]


# Hyper-parameters.


def experiment_and_sessions(folder):
    reader = Context(context(folder))
    metadata = reader.hparams_metadata(RequestContext(), "")
    request = api_pb2.GetExperimentRequest(include_metrics=True)
    fields = get_experiment.Handler(RequestContext(), reader, "", request).run()
    infos = [api_pb2.ColParams(metric=info.name) for info in fields.metric_infos]
    request = api_pb2.ListSessionGroupsRequest(
        start_index=0,
        slice_size=10,
        allowed_statuses=[status for status in api_pb2.Status.values()],
        col_params=infos,
    )
    groups = list_session_groups.Handler(RequestContext(), reader, "", request).run()
    assert len(metadata) == len(groups.session_groups)
    return fields, {group.name: group for group in groups.session_groups}


def test_runs_are_compared_by_their_hyper_parameters(runs):
    """A run that went on is one session, with the number of steps that it now has."""
    fields, sessions = experiment_and_sessions(runs[0])
    assert set(sessions) == {"a/tensorboard", "b/tensorboard", "images/tensorboard"}
    a, b = (sessions[f"{name}/tensorboard"].hparams for name in "ab")
    assert a["steps"].number_value == STEPS + 10
    assert a["optimizer.hold"].number_value == 0.5
    assert (a["method"].string_value, b["method"].string_value) == ("bms_vae_gan", "sn_gan")
    assert a["networks.generator"].string_value == "[8]"
    assert a["objective.critic_to_recognition"].bool_value is False
    assert not {"keep", "eval_every", "protocol.real", "on_nan"} & set(a)
    differ = {info.name for info in fields.hparam_infos if info.differs}
    assert {"steps", "samples", "method", "networks.family"} <= differ
    assert "seed" not in differ


def test_the_final_metrics_stand_beside_them(runs):
    fields, sessions = experiment_and_sessions(runs[0])
    names = {info.name.tag for info in fields.metric_infos}
    assert {"eval/modes", "evaluated/high_quality_percent", "log_D/real"} <= names
    (session,) = sessions["a/tensorboard"].sessions
    values = {each.name.tag: each.value for each in session.metric_values}
    assert values["evaluated/modes"] == runs[2]["modes"]


# Graph and charts.


def test_the_graph_has_every_layer_of_every_network(runs):
    model = runs[1]["images"].model
    nodes = {node.name: node for node in events(runs[0], "images").Graph().node}
    for name, network in model.networks.items():
        layers = [f"{name}/{layer.name}" for layer in network.layers]
        assert set(layers) <= set(nodes)
        for before, after in itertools.pairwise(layers):
            assert nodes[after].input == [before]
    assert {name.split("/")[0] for name in nodes} == set(model.networks)


@pytest.mark.parametrize("family", ["mlp", "standard_cnn"])
def test_graphs_of_branching_networks(family, caplog):
    """A critic of pairs, networks in networks, mixed dtypes: all without a warning."""
    fields = config("veegan" if family == "mlp" else "bms_vae_gan").networks.to_dict()
    fields |= {"family": family, "width": 2}
    shape = (2,) if family == "mlp" else (32, 32, 3)
    names = ("generator", "joint_critic") if family == "mlp" else ("generator", "image_critic")
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        built = networks.build(ConfigDict(fields), shape, names)
    finally:
        keras.config.set_dtype_policy("float32")
    with caplog.at_level(logging.WARNING):
        nodes = {node.name: node for node in tensorboard.graph(built).node}
    assert not caplog.records
    assert {name.split("/")[0] for name in nodes} == set(names)
    for node in nodes.values():
        assert set(node.input) <= set(nodes), node.name


def test_the_charts_show_numbers_that_exist(runs):
    found = events(runs[0], "a")
    (event,) = found.Tensors("custom_scalars__config__")
    layout = Layout.FromString(event.tensor_proto.string_val[0])
    charts = {chart.title: list(chart.multiline.tag) for chart in layout.category[0].chart}
    assert len(charts) == 5
    tags = found.Tags()["scalars"]
    for patterns in charts.values():
        for pattern in patterns:
            assert any(re.fullmatch(pattern, tag) for tag in tags), pattern
    model = runs[1]["b"].model
    assert "sigma" in tensorboard.layout(model)["game"]


# Latents.


def test_the_projector_finds_the_latents(runs):
    folder, built, _ = runs
    plugin = ProjectorPlugin(context(folder))
    plugin._update_configs()
    assert set(plugin._configs) == {"a/tensorboard", "images/tensorboard"}  # sn_gan has none
    for run, n in (("a", 500), ("images", 24)):
        (embedding,) = plugin._configs[f"{run}/tensorboard"].embeddings
        place = folder / run / "tensorboard"
        mean, labels, _ = diagnostics.latents(built[run].model, built[run].data)
        assert list(embedding.tensor_shape) == [n, mean.shape[1]]
        latents = _read_tensor_tsv_file(str(place / embedding.tensor_path))
        np.testing.assert_allclose(latents, mean, rtol=1e-4, atol=1e-5)
        assert (place / embedding.metadata_path).read_text().split() == labels
        assert bool(embedding.sprite.image_path) == (run == "images")


def test_thumbnails_are_the_images(runs):
    folder, built, _ = runs
    picture = np.asarray(Image.open(folder / "images/tensorboard/projector/sprite.png"))
    assert picture.shape == (40, 40, 3)  # 24 images of 8 x 8 in five rows of five
    for i, image in enumerate(built["images"].data.images(24)):
        row, column = divmod(i, 5)
        cell = picture[8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
        np.testing.assert_array_equal(cell, image)
    assert not picture[32:, 32:].any()


def test_a_sprite_of_large_grey_images():
    picture, size = tensorboard.sprite(np.full((3, 128, 96, 1), 7, "uint8"))
    assert size == (64, 48)
    assert picture.shape == (128, 96, 3)
    assert np.all(picture[:64] == 7)
    assert np.all(picture[64:, :48] == 7)
    assert not picture[64:, 48:].any()


# What it costs.


def test_a_run_is_the_same_unwatched(tmp_path, monkeypatch):
    training.train(points(), tmp_path / "watched")
    for name in ("Scalars", "TrainingStats", "SampleGrid", "Selection", "Projector"):
        monkeypatch.setattr(getattr(callbacks, name), "act", lambda self, step, logs: None)
    training.train(points(), tmp_path / "unwatched")
    assert content(tmp_path / "watched") == content(tmp_path / "unwatched")
