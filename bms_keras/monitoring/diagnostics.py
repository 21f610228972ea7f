"""Numbers of a model in training that are worth watching, by the tag that they have in TensorBoard.

To look at a model changes nothing in it: no seed generator moves, no batch statistic, no `u`.
"""

import functools

import keras
import numpy as np
from keras import ops

from bms_keras import objectives
from bms_keras.backends import predict
from bms_keras.data import Dataset
from bms_keras.layers import spectrally_normalized
from bms_keras.monitoring import drawings
from bms_keras.tiling import packed


def learning_rates(model):
    """The rate of each player's next turn, by its schedule where it has one.

    Args:
        model: A compiled `Game`.

    Returns:
        Dictionary from "learning_rate/PLAYER" to a float; where a `LossScaleOptimizer` plays, also
        from "loss_scale/PLAYER".

    Example:

    >>> learning_rates(model)
    {'learning_rate/generator': 0.000..., 'learning_rate/image_critic': 0.000..., ...}
    """
    rates = {}
    for player, optimizer in model.optimizer.by_player.items():
        rates[f"learning_rate/{player}"] = _number(optimizer.learning_rate)
        if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
            rates[f"loss_scale/{player}"] = _number(optimizer.dynamic_scale)
    return rates


def sigmas(model):
    """The largest singular value of each spectrally normalised kernel, as the layer estimates it.

    Args:
        model: A `Game`.

    Returns:
        Dictionary from "sigma/NETWORK/NUMBER_LAYER" to a float; the number counts the normalised
        layers of a network from its input, since Keras's own names depend on what else was built.

    Example:

    >>> sigmas(model)
    {'sigma/image_critic/1_dense': 1..., 'sigma/image_critic/2_dense': 1...}
    """
    found = {}
    for name, network in model.networks.items():
        for number, layer in enumerate(spectrally_normalized(network), 1):
            kind = type(layer.layer).__name__.lower()
            found[f"sigma/{name}/{number}_{kind}"] = layer.measured_sigma()
    return found


def selection(model, x, seed=0):
    """What D_I says of data and of samples, and which of the T samples eq. 7 picks.

    The T samples of a data point are alike in law, so each is picked with a share of 1/T, give or
    take sqrt((1 - 1/T) / T n); anything else is a fault.

    Args:
        model: A `Game`.
        x: Data `(n, *data_shape)`, held out.
        seed: Integer seed of the samples.

    Returns:
        Two dictionaries, which hold what the method has. From "log_D/real", "log_D/posterior"
        (mean over all T samples) and "log_D/prior" to floats. And, for T above 1, from
        "selected/best" (reconstruction) and "selected/least_realistic" to shares `(T,)`.

    Example:

    >>> scores, shares = selection(model, data.points(200))
    >>> float(shares["selected/best"].sum())
    1.0
    """
    critic = _log_ratio(model)
    x = x[: len(x) // model.pack * model.pack]  # whole packs
    scores, shares = {}, {}
    if critic:
        scores["log_D/real"] = critic(x).mean()
        scores["log_D/prior"] = critic(model.sample(len(x), seed)).mean()
    if model.has_posterior and (critic or model.samples > 1):
        x_i = model.reconstructions(x, model.samples, seed)
        closest = objectives.distance(x, x_i, model.norm)
        shares["selected/best"] = _shares(ops.argmin(closest, axis=0), model.samples)
        if critic:
            realistic = critic(x_i.reshape(-1, *x.shape[1:])).reshape(len(x_i), -1)
            scores["log_D/posterior"] = realistic.mean()
            shares["selected/least_realistic"] = _shares(realistic.argmin(0), model.samples)
    several = getattr(model, "samples", 1) > 1
    return {tag: float(score) for tag, score in scores.items()}, shares if several else {}


def evenness(shares):
    """The entropy of shares `(T,)` as a share of its maximum, log T: 1 where all are equal."""
    taken = shares[shares > 0]
    return float(-np.sum(taken * np.log(taken)) / np.log(len(shares)))


def latents(model, data, n=500):
    """Held-out data and where q(z|x) puts them.

    Args:
        model: A `Game` with a recognition network.
        data: Its data set.
        n: How many points; fewer where there are fewer.

    Returns:
        The means of q(z|x), float32 `(n, latent_dim)`; labels, strings: the data set's, or numbers;
        and images to show, uint8 `(n, height, width, channels)`, or `None`.
    """
    x = data.points(n)
    mean, _ = model.encode(x)
    labels = getattr(data, "labels", functools.partial(Dataset.labels, data))
    return mean, labels(len(x)), drawings.of(data).thumbnails(x)


def _log_ratio(model, batch_size=500):
    """log D_I of an array, or of its packs, outside training; `None` if D_I has several outputs."""
    critic = model.networks.get("image_critic")
    if critic is None or critic.output_shape[-1] != 1:
        return None
    packs = lambda x: ops.convert_to_numpy(packed(x, model.pack))  # noqa: E731
    score = lambda x: objectives.log_ratio(predict(critic, packs(x), batch_size))  # noqa: E731
    return lambda x: ops.convert_to_numpy(score(x))


def _shares(index, samples):
    return np.bincount(ops.convert_to_numpy(index), minlength=samples) / len(index)


def _number(tensor):
    return float(ops.convert_to_numpy(tensor))
