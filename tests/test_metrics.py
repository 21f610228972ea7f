"""The registry of metrics measures models, and says which metrics apply."""

import json

import numpy as np
import pytest
from helpers import config, image_config

from bms_keras import fields, metrics
from bms_keras.errors import BadInput
from bms_keras.fields import Field
from bms_keras.runs import cli, experiment

PROTOCOL = metrics.Protocol()


@pytest.fixture(scope="module")
def built():
    return experiment.build(config())


@pytest.fixture(scope="module")
def of_images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    return {name: experiment.build(image_config(folder, name)) for name in ("sn_gan", "wae")}


def test_modes_of_a_model_are_reproducible(built):
    measured = [metrics.measure(["modes"], built.model, built.data, PROTOCOL) for _ in range(2)]
    assert measured[0] == measured[1]
    assert set(measured[0]) >= {"modes", "high_quality_percent", "spread_ratio", "mode_kl"}


@pytest.mark.parametrize("name", ["modes", "latent"])
def test_a_metric_gives_the_numbers_that_it_names(built, name):
    measured = metrics.measure([name], built.model, built.data, PROTOCOL)
    assert list(measured) == list(metrics.get(name).keys(built.data, PROTOCOL))


def test_what_says_how_it_was_measured_is_no_finding(of_images):
    data = of_images["wae"].data
    for metric in metrics.METRICS.values():
        if metric.kind in (None, data.kind):
            assert set(metric.constants) <= set(metric.keys(data, PROTOCOL))
    numbers = {"ivom_test": 0.1, "ivom_images": 100, "ivom_steps": 500}
    assert metrics.findings(numbers) == {"ivom_test": 0.1}


def test_the_names_of_numbers_hold_the_protocol(of_images):
    given = {"generated": 7, "lpips": "~/weights_vgg16.npz"}
    named = lambda name, **kw: list(  # noqa: E731
        metrics.get(name).keys(of_images["wae"].data, metrics.Protocol(**given | kw))
    )
    assert named("fid") == ["fid_24_7_test", "kid_24_7_test"]
    assert named("fid", real=9, inception="tfhub")[0] == "fid_tfhub_9_7_test"
    assert named("lpips")[0] == "lpips_diversity_7_vgg16"
    assert named("lpips", lpips="alexnet")[1] == "lpips_diversity_7_alexnet_error"


def test_too_few_held_out_points(of_images, monkeypatch):
    built = of_images["wae"]
    monkeypatch.setattr(built.data, "test", built.data.test[:3])
    assert metrics.applicable(built.model, built.data) == ["fid", "authenticity", "ivom"]
    with pytest.raises(BadInput, match=r"'latent' needs at least 4 held-out points. Received: 3"):
        metrics.measure(["latent"], built.model, built.data, PROTOCOL)


@pytest.mark.parametrize(("mean", "auc"), [(0.0, 0.5), (3.0, 1.0)])
def test_the_latent_match_of_a_known_posterior(built, mean, auc):
    """A recognition network that always answers N(mean, 1), whatever the data."""
    *others, _ = built.model.recognition.get_weights()
    bias = np.repeat([mean, 0.0], built.model.latent_dim)
    built.model.recognition.set_weights([*(np.zeros_like(w) for w in others), bias])
    result = metrics.measure(["latent"], built.model, built.data, PROTOCOL)
    assert result["latent_auc"] == pytest.approx(auc, abs=0.03)


def test_metrics_are_measured_by_one_protocol_into_one_record(built, monkeypatch):
    """In the order that was asked for."""
    seen = []

    def fake(name):
        def function(model, data, protocol):
            assert (model, data) == (built.model, built.data)
            seen.append((name, protocol.generated))
            return {f"{name}_{protocol.generated}": 1.0}

        return metrics.Metric(function)

    for name in ("a", "b", "c"):
        monkeypatch.setitem(metrics.METRICS, name, fake(name))
    protocol = metrics.Protocol(generated=7)
    record = metrics.measure(["c", "a"], built.model, built.data, protocol)
    assert record == {"c_7": 1.0, "a_7": 1.0}
    assert seen == [("c", 7), ("a", 7)]


def test_what_applies(built, of_images):
    def names(built):
        return metrics.applicable(built.model, built.data)

    assert names(built) == ["modes", "latent"]
    assert names(of_images["wae"]) == ["latent", "fid", "prdc", "authenticity", "ivom", "lpips"]
    assert names(of_images["sn_gan"]) == ["fid", "prdc", "authenticity", "ivom", "lpips"]


@pytest.mark.parametrize(
    ("method", "name", "message"),
    [
        ("grid", "fid", "'fid' needs data of the kind 'images'; this is 'mixture'"),
        ("wae", "modes", "'modes' needs data of the kind 'mixture'; this is 'images'"),
        ("sn_gan", "latent", "'latent' needs a method with a recognition network"),
    ],
)
def test_what_does_not_apply_is_refused_before_anything_is_measured(
    built, of_images, monkeypatch, method, name, message
):
    quick = metrics.Metric(lambda *_: pytest.fail("measured"))
    monkeypatch.setitem(metrics.METRICS, "quick", quick)
    model = of_images.get(method, built)
    with pytest.raises(BadInput, match=f"the metric {message}"):
        metrics.measure(["quick", name], model.model, model.data, PROTOCOL)


def test_a_metric_of_ones_own_brings_its_options(monkeypatch):
    """Two metrics may share one, but not a name for different things."""
    monkeypatch.setattr(metrics, "METRICS", dict(metrics.METRICS))
    power = Field(2.0, fields.above_0, "the power")
    for name in ("mine", "yours", "mine"):
        metrics.register(name, metrics.Metric(lambda *_: {}, options={"power": power}))
    assert (metrics.Protocol().power, metrics.Protocol(power=3).power) == (2.0, 3)
    assert metrics.options()["power"].may_change
    with pytest.raises(BadInput, match=r"power must be above 0\. Received: -1"):
        metrics.Protocol(power=-1)
    with pytest.raises(BadInput, match=r"an option of a metric must be one of .*real, .*'powers'"):
        metrics.Protocol(powers=3)
    other = metrics.Metric(lambda *_: {}, options={"real": power})
    with pytest.raises(BadInput, match=r"'mine' may not have the option 'real': .* 'fid' has"):
        metrics.register("mine", other)


def test_an_unknown_metric():
    known = "modes, points, latent, fid, prdc, authenticity, ivom, lpips, stacked_mnist"
    with pytest.raises(BadInput, match=rf"a metric must be one of {known}\. Received: 'beauty'"):
        metrics.get("beauty")


@pytest.mark.parametrize(
    ("returned", "number"),
    [(np.float32(0.5), 0.5), (np.array(3), 3), (np.bool_(True), 1), (2, 2), (None, None)],
)
def test_a_metric_may_return_numpys_numbers(built, monkeypatch, returned, number):
    monkeypatch.setitem(metrics.METRICS, "mine", metrics.Metric(lambda *_: {"width": returned}))
    measured = metrics.measure(["mine"], built.model, built.data, PROTOCOL)
    assert json.dumps(measured) == json.dumps({"width": number})


@pytest.mark.parametrize(
    ("returned", "line"),
    [
        ({"width": "wide"}, r"the metric 'mine' must return numbers\. Received: width='wide'"),
        ({"width": np.ones(2)}, r"must return numbers\. Received: width=array"),
        ({"step": 1.0}, "may not call a number 'step'"),
        (0.5, r"must return a dictionary\. Received: 0\.5"),
    ],
)
def test_what_a_metric_may_not_return_is_named(built, monkeypatch, returned, line):
    monkeypatch.setitem(metrics.METRICS, "mine", metrics.Metric(lambda *_: returned))
    with pytest.raises(BadInput, match=line):
        metrics.measure(["mine"], built.model, built.data, PROTOCOL)


@pytest.mark.parametrize(
    ("rule", "text", "value"),
    [
        (fields.scales, "0.1,2", (0.1, 2)),
        (fields.pair, "-1,1e3", (-1, 1000.0)),
        (fields.texts, "1,b", ("1", "b")),
        (fields.scales, "0.1,wide", ("0.1", "wide")),  # refused by the rule
    ],
)
def test_an_option_of_several_values_is_read_from_a_flag(rule, text, value):
    assert cli._Several(Field((), rule, "of a metric")).parse(text) == value
