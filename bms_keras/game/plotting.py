"""Pictures of a game's samples and of its latent space, a call each."""

from bms_keras.monitoring import plots


class Plots:
    """Gives `Game` its pictures: of images as a grid, of 2D points as a scatter plot.

    Each is a `PIL.Image.Image`, which a notebook shows where it ends a cell; `.save("x.png")`
    writes it. Of 2D points `data`, a data set of `bms_keras.data`, is drawn beneath: its true modes
    or held-out points, and the picture is in its units.
    """

    def plot_samples(self, n=None, seed=0, data=None):
        """Draws G(z), z ~ p(z).

        Args:
            n: Number of samples; `None` for 100 images or 2,500 points.
            seed: Integer; `None` for fresh samples.
            data: What is drawn beneath points; `None` for nothing.

        Returns:
            A `PIL.Image.Image`.

        Raises:
            ValueError: If the data are neither images, grey or RGB, nor 2D points.

        Example:

        >>> model.plot_samples(data=data).save("samples.png")
        """
        return plots.samples(self, n, seed, data)

    def plot_interpolation(self, rows=10, seed=0, data=None):
        """Draws G(z) for z on the great circle between two samples of the prior.

        Args:
            rows: How many pairs of samples: a row of ten images, or a line of points each.
            seed: Integer seed of the samples.
            data: See `plot_samples`.

        Returns, Raises: See `plot_samples`.

        Example:

        >>> model.plot_interpolation(rows=3).save("interpolation.png")
        """
        return plots.interpolation(self, rows, seed, data)

    def plot_traversal(self, rows=10, z=None, data=None):
        """Draws G(z) for z on straight lines, along the directions in which G changes most.

        The first direction moves G(z) farthest, on the average over the prior, and so on at right
        angles to it (see `bms_keras.export.webpage.directions`); each goes two standard deviations
        of the prior to either side.

        Args:
            rows: How many directions: a row of ten images, or a line of points each.
            z: The latent `(latent_dim,)` that all go through, as `encode(x)[0][0]` is one; `None`
                for 0, the prior's mean.
            data: See `plot_samples`.

        Returns, Raises: See `plot_samples`.

        Example:

        >>> model.plot_traversal(z=model.encode(x)[0][0]).save("traversal.png")
        """
        return plots.traversal(self, rows, z, data)
