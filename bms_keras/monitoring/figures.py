"""Figures: samples over the true modes (table 2), the latent space (table 3), curves, panels."""

import textwrap

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import AutoLocator, LogLocator, NullLocator
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from bms_keras.metrics.latent import missed_by_posterior, posterior_sample

DPI = 150
PANEL = 34  # letters of a title above a panel 3.2 inches wide
POINTS = 2500  # that stand for the truth where the modes are not known
TRUE, SAMPLE, MISSED = "#c8ccd0", "#1f6fb4", "#d1343a"


def scatter(data, samples):
    """Samples over the true modes, or over data, a panel each.

    Args:
        data: A data set of 2D points; `None` for nothing beneath the samples.
        samples: Dictionary from a panel's title to scaled samples `(n, 2)`.

    Returns:
        A matplotlib `Figure`.
    """
    figure = Figure(figsize=(3.2 * len(samples), 3.6), layout="constrained", dpi=DPI)
    for axes, (title, points) in zip(_row(figure, len(samples)), samples.items(), strict=True):
        _truth(axes, data)
        x, y = _unscaled(data, points).T
        axes.scatter(x, y, s=2, color=SAMPLE, linewidths=0)
        axes.set_title(textwrap.fill(title, PANEL))
    return figure


def paths(data, points):
    """Ways through a space of 2D points, a colour each, over the true modes or over data.

    Args:
        data: See `scatter`.
        points: Scaled points `(paths, points a path, 2)`.

    Returns:
        A matplotlib `Figure`.
    """
    figure = Figure(figsize=(3.6, 3.6), layout="constrained", dpi=DPI)
    (axes,) = _row(figure, 1)
    _truth(axes, data)
    for path in _unscaled(data, points):
        axes.plot(*path.T, marker=".", markersize=3, linewidth=0.8)
    return figure


def latent_space(data, models, points=1000, seed=0):
    """The paper's table 3: where q(z) leaves out the prior, and what G makes of it.

    Above, by t-SNE, samples of q(z) (grey) and of p(z) (blue); in red those of p(z) that have a
    low density under q(z) (see `missed_by_posterior`). Below, the data G makes of the latter two.

    Args:
        data: A data set of 2D points.
        models: Dictionary from a column's title to a model with a recognition network.
        points: Samples drawn of each distribution.
        seed: Seed of the latents and of t-SNE.

    Returns:
        A matplotlib `Figure`, and a dictionary from a title to the share of red points in percent.
    """
    figure = Figure(figsize=(3.2 * len(models), 6.9), layout="constrained", dpi=DPI)
    grid = figure.subplots(2, len(models), squeeze=False)
    shares = {}
    for column, (title, model) in zip(grid.T, models.items(), strict=True):
        rng = np.random.default_rng(seed)
        mean, log_variance = model.encode(data.points(10_000))
        z = rng.standard_normal((points, model.latent_dim))
        q = posterior_sample(mean, log_variance, rng)[:points]
        missed = missed_by_posterior(z, mean, log_variance)
        shares[title] = 100 * float(missed.mean())
        with threadpool_limits(1):  # its threads wait by spinning, which hurts on busy machines
            embedded = TSNE(random_state=seed).fit_transform(np.concatenate([q, z]))
        x = data.unscaled(model(z.astype("float32")))
        top, bottom = column
        _truth(bottom, data)
        top.scatter(*embedded[: len(q)].T, s=3, color=TRUE, linewidths=0)
        for axes, at in ((top, embedded[len(q) :]), (bottom, x)):
            axes.scatter(*at[~missed].T, s=3, color=SAMPLE, linewidths=0)
            axes.scatter(*at[missed].T, s=4, color=MISSED, linewidths=0)
            axes.set(xticks=[], yticks=[])
        top.set_title(f"{textwrap.fill(title, PANEL)}\n{shares[title]:.1f} % missed")
    above, below = grid[:, 0]
    above.set_ylabel("latents, by t-SNE")
    below.set_ylabel("what G makes of p(z)")
    colours = {"q(z)": TRUE, "p(z)": SAMPLE, "p(z) that q(z) leaves out": MISSED}
    handles = [Line2D([], [], color=c, marker="o", ls="", label=n) for n, c in colours.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    return figure, shares


def curves(lines, x, y):
    """Curves on a logarithmic axis.

    Args:
        lines: Dictionary from a label to an array `(n,)` of positive numbers.
        x, y: What the axes show.

    Returns:
        A matplotlib `Figure`.
    """
    figure = Figure(figsize=(4.8, 3.4), layout="constrained", dpi=DPI)
    axes = figure.subplots()
    for label, values in lines.items():
        axes.semilogy(np.arange(1, len(values) + 1), values, label=label)
    _readable(axes.yaxis, *axes.get_ylim())
    axes.set(xlabel=x, ylabel=y)
    axes.legend(frameon=False)
    return figure


def gallery(pictures, columns=4):
    """Pictures under their titles, in rows of so many.

    Args:
        pictures: Dictionary from a title to a uint8 array `(height, width, 3)`, of one shape.
        columns: Pictures a row.

    Returns:
        A matplotlib `Figure`.
    """
    height, width, _ = next(iter(pictures.values())).shape
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    wide, high = max(width / DPI * 1.1, 1.0), height / DPI * 1.05 + 0.4  # inches a panel
    figure = Figure(figsize=(columns * wide, rows * high), layout="constrained", dpi=DPI)
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in panels:
        axes.axis("off")
    for axes, (title, picture) in zip(panels, pictures.items(), strict=False):
        axes.imshow(picture)
        axes.set_title(textwrap.fill(title, int(14 * wide)), fontsize=8)
    return figure


def pixels(figure):
    """A figure as a uint8 array `(height, width, 3)`."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def _readable(axis, low, high):
    """Gives a logarithmic axis ticks with plain numbers, some of them however short it is."""
    decades = high / low > 10
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)) if decades else AutoLocator())
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(lambda value, _: f"{value:.3g}")


def _unscaled(data, points):
    return points if data is None else data.unscaled(points)


def _row(figure, n):
    return figure.subplots(1, n, squeeze=False)[0]


def _truth(axes, data):
    """The true modes as circles of 3 standard deviations, within which samples count as good; or
    points that training never sees, where the data do not know their modes."""
    axes.set(aspect="equal", xticks=[], yticks=[])
    if data is None:
        return
    if getattr(data, "means", None) is None:
        x = data.unscaled(data.points(POINTS))
        axes.scatter(*x.T, s=2, color=TRUE, linewidths=0)
        centre, reach = (x.max(0) + x.min(0)) / 2, 0.625 * np.ptp(x, 0).max()
        low, high = centre - reach, centre + reach
        axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
        return
    angle = np.linspace(0, 2 * np.pi, 60)
    circle = 3 * data.std * np.stack([np.cos(angle), np.sin(angle)], -1)
    for mean in data.means:
        axes.fill(*(mean + circle).T, color=TRUE, linewidth=0)
    limit = 1.25 * np.abs(data.means).max()
    axes.set(xlim=(-limit, limit), ylim=(-limit, limit))
