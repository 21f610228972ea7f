"""IvOM, inference via optimisation: how close a generator can come to held-out images.

Following the paper's section 4.2 (tables 4, 5 and 8) and Srivastava et al. 2017
(https://arxiv.org/abs/1705.07761): a generator that leaves out a part of the data cannot come
close to what lies there, however good its samples look.

The paper says neither the range of its images nor the search. The one public code that prints such
figures, GDPP's (github.com/M-Elfeki/GDPP, `evaluate_inference_via_optimization` of
`gdppgan_cifar.py`), maps images from [-1, 1] to [0, 1] for the error, so `ivom_unit_test` is what
stands beside the paper's. (That code searches by 25 steps of L-BFGS from 3 starts, for images of a
training batch, and its "+/-" is the deviation over images.)
"""

from typing import NamedTuple

import numpy as np
from keras import ops

from bms_keras import fields
from bms_keras.backends import predict, value_and_gradient
from bms_keras.data.images import scaled
from bms_keras.errors import BadInput
from bms_keras.fields import Field
from bms_keras.metrics.lbfgs import LBFGS
from bms_keras.metrics.metric import MOST, Metric

EXPLORED = 0.2  # share of the steps that every start takes; after that an image keeps its best one
KEYS = (  # what `ivom` returns
    "ivom_test",
    "ivom_test_error",
    "ivom_unit_test",
    "ivom_unit_test_error",
    "ivom_test_late_fall",
    "ivom_images",
    "ivom_starts",
    "ivom_steps",
)


class Closest(NamedTuple):
    """What the search found for n images.

    Attributes:
        errors: Least mean squared error of each image, float32 `(n,)`.
        latents: Where G reaches it, float32 `(n, latent_dim)`.
        closest: G of these latents, float32 `(n, height, width, channels)`.
        curve: Mean over the images of the least error so far, after each step: float64 `(steps,)`.
    """

    errors: np.ndarray
    latents: np.ndarray
    closest: np.ndarray
    curve: np.ndarray


def ivom(model, data, images=100, starts=5, steps=1000, seed=0, batch_size=25):
    """IvOM of held-out images: the mean of the least errors that G can reach.

    Args:
        model: A `Game`; its generator is used as `sample` uses it.
        data: What has `images(n, split=)`.
        images: How many held-out images, a sample of all; all there are, where there are fewer.
        starts, steps, seed, batch_size: See `inference_by_optimization`.

    Returns:
        Dictionary of numbers: `ivom_test`, the mean squared error a pixel and channel of images in
        [-1, 1], lower is better; `ivom_unit_test`, the same of images in [0, 1], a quarter of it;
        `ivom_test_error` and `ivom_unit_test_error`, the standard errors of these means;
        `ivom_test_late_fall`, by which share it still fell over the second half of the steps; and
        the protocol, `ivom_images`, `ivom_starts`, `ivom_steps`.

    Raises:
        BadInput: If there are fewer than two images, or what G makes is not finite.
    """
    x = data.images(images)
    if len(x) < 2:
        raise BadInput(f"IvOM needs at least two held-out images. Received: {len(x)}")
    found = inference_by_optimization(
        model, scaled(x), starts, steps, seed=seed, batch_size=batch_size
    )
    errors = found.errors.astype("float64")
    mean, error = float(errors.mean()), float(errors.std(ddof=1) / np.sqrt(len(x)))
    return {
        "ivom_test": mean,
        "ivom_test_error": error,
        "ivom_unit_test": mean / 4,  # x -> (x + 1) / 2 halves a difference
        "ivom_unit_test_error": error / 4,
        "ivom_test_late_fall": float(1 - found.curve[-1] / found.curve[(steps - 1) // 2]),
        "ivom_images": len(x),
        "ivom_starts": starts,
        "ivom_steps": steps,
    }


def inference_by_optimization(model, images, starts=5, steps=1000, batch_size=25, seed=0):
    """Searches for the latents of images: the least mean squared error of G(z) over z.

    L-BFGS on z from several draws of the prior. The errors are not convex in z, so the starts
    differ in where they end: after a fifth of the steps an image goes on from its best start only.
    The search is the same for every method; a recognition network, if there is one, has no part in
    it.

    Args:
        model: A `Game`, or what has its `inference_network("generator")` and `latent_dim`.
        images: Float array `(n, height, width, channels)`, as G makes them: in [-1, 1].
        starts: Draws of the prior for each image.
        steps: How often G and its gradient are computed for each start.
        batch_size: Images at a time, with all of their starts, which bounds the memory.
        seed: Integer seed of the starts.

    Returns:
        A `Closest`.

    Raises:
        ValueError: If the images do not have G's shape, or if a number is below 1.
        BadInput: If what G makes is not finite.
    """
    generator = model.inference_network("generator")
    images = np.asarray(images, "float32")
    if images.shape[1:] != tuple(generator.output_shape[1:]) or not len(images):
        raise ValueError(
            f"images must be of the generator's shape {generator.output_shape}. "
            f"Received: {images.shape}"
        )
    if min(starts, steps, batch_size) < 1:
        raise ValueError(
            "starts, steps and batch_size must be at least 1. "
            f"Received: starts={starts}, steps={steps}, batch_size={batch_size}"
        )
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((len(images), starts, model.latent_dim)).astype("float32")
    evaluate = value_and_gradient(generator, _squared_error)
    parts = [slice(i, i + batch_size) for i in range(0, len(images), batch_size)]
    found = [_search(evaluate, z[part], images[part], steps) for part in parts]
    errors, latents, curves = zip(*found, strict=True)
    latents = np.concatenate(latents)
    return Closest(
        np.concatenate(errors),
        latents,
        predict(generator, latents, batch_size),
        np.concatenate(curves, 1).mean(1, dtype="float64"),
    )


def _squared_error(y, x):
    """Mean squared error of each image, float32 `(b,)`."""
    return ops.mean(ops.square(ops.cast(y, "float32") - x), tuple(range(1, len(x.shape))))


def _search(evaluate, z, images, steps):
    """Least errors `(b,)`, their latents, and the least errors so far `(steps, b)`.

    Latents `z` are `(b, starts, latent_dim)`.
    """
    count, starts, latent_dim = z.shape
    descent = LBFGS(evaluate, z.reshape(-1, latent_dim), np.repeat(images, starts, 0))
    if not np.isfinite(descent.values).all():
        raise BadInput("what the generator makes is not finite: its training has diverged")
    curve = [descent.values.reshape(count, starts).min(1)]
    for step in range(1, steps):
        if step == round(EXPLORED * steps):
            best = descent.values.reshape(count, starts).argmin(1)
            descent.keep(np.arange(count) * starts + best)
        descent.step()
        curve.append(descent.values.reshape(count, -1).min(1))
    return curve[-1].astype("float32"), descent.points.astype("float32"), np.stack(curve)


METRIC = Metric(
    lambda model, data, options: ivom(model, data, options.ivom_images),
    lambda data, options: KEYS,
    {
        "ivom_images": Field(
            100, fields.integer(2, MOST), "held-out images whose closest sample is looked for"
        )
    },
    kind="images",
    points=2,
    constants=("ivom_images", "ivom_starts", "ivom_steps"),
    titles={"ivom": "IvOM"},
)
