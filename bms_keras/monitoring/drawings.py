"""How data and a model of them are drawn: what a data set's `drawing` names, or an object of yours.

A picture is a uint8 array `(height, width, 3)`.
"""

from bms_keras.data.images import quantized, scaled
from bms_keras.errors import lookup
from bms_keras.metrics.modes import SAMPLES
from bms_keras.monitoring import figures, image_grids
from bms_keras.monitoring.image_grids import COLUMNS


class Drawing:
    """Draws nothing; a drawing of one's own derives from this and defines what it draws."""

    def while_training(self, model, data):
        """Pictures worth drawing again and again, a dictionary by name."""
        return {}

    def at_the_end(self, model, data):
        """Pictures of a trained model, a dictionary by name."""
        return self.while_training(model, data)

    def of_comparison(self, models, data, names):
        """Pictures of models side by side, as `eval.py` and the tables draw them.

        Args:
            models: Dictionary from a title to a `Game`; the first is the run that is evaluated, and
                may be the only one.
            data: Their data set.
            names: The metrics that were asked for.

        Returns:
            Dictionary of pictures, and a dictionary of numbers that the pictures show of the first.
        """
        return {}, {}

    def thumbnails(self, x):
        """Data points as small images for the Projector, uint8, or `None`."""
        return None


class Scatter(Drawing):
    """2D points over the true modes or, where the data do not know theirs, over the data."""

    def while_training(self, model, data):
        """Draws "samples"."""
        figure = figures.scatter(data, {"samples": model.sample(SAMPLES, seed=0)})
        return {"samples": figures.pixels(figure)}

    def of_comparison(self, models, data, names):
        """Draws "table2" (samples) and "table3" (latents that q(z) leaves out, and their share)."""
        samples = {title: model.sample(SAMPLES, seed=0) for title, model in models.items()}
        figure = figures.scatter(data, {"target": data.points(SAMPLES)} | samples)
        drawn, numbers = {"table2": figures.pixels(figure)}, {}
        encoders = {title: model for title, model in models.items() if model.has_posterior}
        title = next(iter(models))
        if title in encoders:
            figure, shares = figures.latent_space(data, encoders)
            drawn["table3"] = figures.pixels(figure)
            numbers["latent_missed_percent"] = shares[title]
        return drawn, numbers


class ImageGrids(Drawing):
    """Images side by side, of data with `images(n)` and `train`."""

    def while_training(self, model, data):
        """Draws "samples" and, where there is a recognition network, "reconstructions": data above,
        what G makes of them (the best of T) below."""
        drawn = {"samples": image_grids.grid(quantized(model.sample(COLUMNS**2, seed=0)))}
        if model.has_posterior:
            x = data.images(5 * COLUMNS)
            found = quantized(model.reconstruct(scaled(x), seed=0))
            drawn["reconstructions"] = image_grids.pairs(x, found)
        return drawn

    def at_the_end(self, model, data):
        """Draws "interpolations" and "neighbours", too."""
        samples = quantized(model.sample(COLUMNS, seed=0))
        return self.while_training(model, data) | {
            "interpolations": image_grids.interpolations(model),
            "neighbours": image_grids.neighbours(samples, data.train),
        }

    def of_comparison(self, models, data, names):
        """Draws "comparison", samples of several models, and, with the metric "ivom", "closest"
        (table 5) and "ivom_convergence"."""
        drawn = {"comparison": image_grids.comparison(models)} if len(models) > 1 else {}
        return drawn | (image_grids.closest(models, data) if "ivom" in names else {}), {}

    def thumbnails(self, x):
        """The images themselves."""
        return quantized(x)


DRAWINGS = {"none": Drawing(), "scatter": Scatter(), "images": ImageGrids()}


def of(data):
    """The drawing of a data set; of one that says nothing, nothing is drawn."""
    chosen = getattr(data, "drawing", "none")
    return lookup(DRAWINGS, chosen, "data.drawing") if isinstance(chosen, str) else chosen


def while_training(model, data):
    """See `Drawing.while_training`."""
    return of(data).while_training(model, data)


def at_the_end(model, data):
    """See `Drawing.at_the_end`."""
    return of(data).at_the_end(model, data)


def of_comparison(models, data, names):
    """See `Drawing.of_comparison`."""
    return of(data).of_comparison(models, data, names)
