"""The pictures show what they are given."""

import numpy as np
import pytest
from helpers import config

from bms_keras.data import synthetic
from bms_keras.monitoring import figures
from bms_keras.runs import experiment


def color_count(figure, color):
    rgb = tuple(int(color[i : i + 2], 16) for i in (1, 3, 5))
    return int((figures.pixels(figure) == rgb).all(-1).sum())


@pytest.mark.neutral
def test_scatter_draws_samples_over_modes():
    data = synthetic.grid(1, seed=0)
    empty = figures.scatter(data, {"nothing": np.zeros((0, 2))})
    full = figures.scatter(data, {"nothing": np.zeros((0, 2)), "target": data.points(500)})
    assert color_count(empty, figures.TRUE) > 100
    assert color_count(empty, figures.SAMPLE) == 0
    assert color_count(full, figures.SAMPLE) > 100
    assert [axes.get_title() for axes in full.axes] == ["nothing", "target"]


@pytest.mark.neutral
def test_a_long_title_stays_above_its_panel():
    title = "md_gan learning_rate=0.001 image_critic_learning_rate=0.0003"
    (axes,) = figures.scatter(synthetic.grid(1, seed=0), {title: np.zeros((0, 2))}).axes
    assert axes.get_title() == title.replace(" image", "\nimage")


def test_latent_space_marks_what_the_posterior_misses():
    built = experiment.build(config())
    figure, shares = figures.latent_space(built.data, {"untrained": built.model}, points=60)
    assert 0 < shares["untrained"] <= 100
    assert color_count(figure, figures.MISSED) > 0
    above, below = figure.axes
    assert above.get_title() == f"untrained\n{shares['untrained']:.1f} % missed"
    assert all(axes.get_ylabel() for axes in (above, below))
    (legend,) = figure.legends
    colours = {
        t.get_text(): h.get_color()
        for t, h in zip(legend.texts, legend.legend_handles, strict=True)
    }
    assert colours["p(z) that q(z) leaves out"] == figures.MISSED
    assert len(colours) == 3


@pytest.mark.neutral
def test_curves_are_labelled_and_end_where_they_should():
    figure = figures.curves(
        {"fast": np.geomspace(1, 1e-4, 9), "slow": np.ones(5)}, "steps", "error"
    )
    (axes,) = figure.axes
    assert [line.get_label() for line in axes.lines] == ["fast", "slow"]
    assert axes.lines[0].get_xydata()[-1].tolist() == [9, 1e-4]
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_yscale()) == ("steps", "error", "log")


@pytest.mark.neutral
@pytest.mark.parametrize("values", [(1e-4, 1.0), (0.021, 0.045), (0.0301, 0.0307)])
def test_a_logarithmic_axis_has_ticks_that_can_be_read(values):
    figure = figures.curves({"error": np.array(values)}, "steps", "error")
    figures.pixels(figure)
    axis = figure.axes[0].yaxis
    low, high = figure.axes[0].get_ylim()
    shown = {
        tick.get_text() for tick in axis.get_ticklabels() if low <= float(tick.get_text()) <= high
    }
    assert 3 <= len(shown) <= 14
    assert not axis.get_minorticklabels()


@pytest.mark.neutral
def test_a_gallery_shows_each_picture_under_its_title():
    panels = {f"a method and its {i} fields": np.full((20, 30, 3), i, "uint8") for i in range(5)}
    figure = figures.gallery(panels, columns=3)
    assert len(figure.axes) == 6
    for axes, (title, picture) in zip(figure.axes, panels.items(), strict=False):
        assert " ".join(axes.get_title().split()) == title
        np.testing.assert_array_equal(axes.images[0].get_array(), picture)
