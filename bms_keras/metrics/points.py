"""How close samples come to points whose modes nobody knows: held-out points stand for the truth.

The sliced Wasserstein distance sees where the mass lies, precision, recall, density and coverage
(`prdc`) fidelity and diversity apart. There are as many samples as held-out points, at most 2,500.
"""

from bms_keras.metrics.metric import Metric
from bms_keras.metrics.modes import SAMPLES, sliced_wasserstein
from bms_keras.metrics.prdc import NEIGHBOURS, PRDC, prdc, refuse_few


def point_statistics(samples, held_out, training, k=5):
    """Compares samples with held-out points.

    Args:
        samples, held_out, training: Arrays `(n, d)` in the data's own units.
        k: Which neighbour `prdc` goes by.

    Returns:
        Dictionary of floats: `sliced_wasserstein`, in the data's units; `sliced_wasserstein_data`,
        the same of the training points, which a perfect sampler reaches; and what `prdc` returns.
    """
    distances = {
        "sliced_wasserstein": sliced_wasserstein(samples, held_out),
        "sliced_wasserstein_data": sliced_wasserstein(training, held_out),
    }
    return distances | prdc(held_out, samples, k)


def _keys(data, options):
    n = len(data.points(SAMPLES))
    names = (f"sliced_wasserstein_{n}_test", f"sliced_wasserstein_{n}_test_data")
    return *names, *(f"{name}_{n}_{n}_test" for name in PRDC)


def _obstacle(data):
    """Why it does not apply: it compares points with those of training."""
    fits = len(data.shape) == 1 and hasattr(data, "seen")
    return None if fits else "needs points (d,), and those of training by `seen`"


def _measure(model, data, options):
    held_out = data.unscaled(data.points(SAMPLES))
    n = len(held_out)
    samples = data.unscaled(model.sample(n, seed=0))
    training = data.unscaled(data.seen(n))
    found = point_statistics(samples, held_out, training, options.neighbours)
    return dict(zip(_keys(data, options), found.values(), strict=True))


METRIC = Metric(
    _measure,
    _keys,
    {"neighbours": NEIGHBOURS},
    kind="points",
    points=6,
    fetch=lambda data, options: refuse_few(len(data.points(SAMPLES)), options),
    fits=_obstacle,
    titles={"sliced_wasserstein": "SW", "precision": "precision", "recall": "recall"},
)
