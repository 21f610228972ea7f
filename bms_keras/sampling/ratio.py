"""How likely a point is under the data rather than under a sampler, by the image critic."""

import keras
import numpy as np
from keras import ops
from sklearn.linear_model import LogisticRegression

from bms_keras.errors import BadInput
from bms_keras.methods.gan import features_of
from bms_keras.sampling.sampler import Engine

MOST_FEATURES = 1024  # of a regression: its time grows by their square
NEEDS_CRITIC = "needs an image critic that judges one point at a time"
STRENGTHS = 0.01, 1.0  # C of the regressions that are tried: less is a stronger prior


class DensityRatio:
    """log p_data(x) / p_sampler(x), from what the image critic makes of x.

    A critic is a density ratio at its optimum only, and training seldom gets there: the paper's
    log D_I is kept within the hinge's margins, say. So it is calibrated as in Turner et al. 2019,
    section 3.2, and as Azadi et al. 2019 train D on after G: a logistic regression tells held-out
    data from samples by the critic's score or by its features, the last hidden layer, whichever
    tells them better on points that it was not fitted to. Its logit is the ratio's logarithm.

    Attributes:
        name: "score" or "features".
        loss: Cross entropy on the points that it was not fitted to, in nats; log 2 tells nothing.
    """

    def fit(self, model, real, fake):
        """Fits it.

        Args:
            model: A `Game` with an image critic.
            real, fake: Held-out data and samples, `(n, *data_shape)` each.

        Raises:
            BadInput: If the game has no critic that judges one point at a time.
        """
        critic = model.networks.get("image_critic")
        if critic is None or tuple(critic.input_shape[1:]) != model.data_shape:
            raise BadInput(
                f"this sampler {NEEDS_CRITIC}, which {type(model).__name__} has not here"
            )
        n = min(len(real), len(fake))
        x, y = np.concatenate([real[:n], fake[:n]]), np.repeat([1, 0], n)
        networks = _networks(critic)
        seen = {name: _rows(model, network, x) for name, network in networks.items()}
        self.loss, self.name, strength = min(
            (_loss(rows, y, strength), name, strength)
            for name, (rows, *_) in seen.items()
            for strength in STRENGTHS
        )
        self.network = networks[self.name]
        rows, mean, scale = seen[self.name]
        found = _regression(rows, y, strength)
        self.weights = (found.coef_[0] / scale).astype("float32")
        self.bias = np.float32(found.intercept_[0] - (found.coef_[0] * mean / scale).sum())

    def attach(self, model):
        """Takes the critic of a game again, after it was unpickled."""
        self.network = _networks(model.networks["image_critic"])[self.name]

    def __getstate__(self):
        return {name: value for name, value in vars(self).items() if name != "network"}

    def about(self):
        """What a record says of it, a dictionary by name."""
        return {"sampler_ratio": self.name, "sampler_ratio_loss": self.loss}

    def of_rows(self, rows):
        """The ratio's logarithm from what `network` puts out, `(n,)`."""
        rows = ops.reshape(ops.cast(rows, "float32"), (-1, len(self.weights)))
        return ops.matmul(rows, self.weights[:, None])[:, 0] + self.bias

    def __call__(self, engine, x):
        """The ratio's logarithm at points, `(n,)`."""
        return self.of_rows(engine.call(self.network, x))


def _networks(critic):
    """The critic and, where they can be had, its features; of places in an image, their mean."""
    found = {"score": critic}
    try:
        features = features_of(critic)
    except ValueError:
        return found
    tensor = features.outputs[0]
    flatten = next((each for each in critic.layers if each.output is tensor), None)
    if isinstance(flatten, keras.layers.Flatten) and len(flatten.input.shape) == 4:
        tensor = keras.layers.GlobalAveragePooling2D(dtype="float32")(flatten.input)
    if tensor.shape[-1] > MOST_FEATURES:
        return found
    return found | {"features": keras.Model(features.inputs, tensor)}


def _rows(model, network, x):
    """What a network makes of points, brought to mean 0 and deviation 1; these two."""
    rows = Engine(model).call(network, x).reshape(len(x), -1).astype("float64")
    if not np.isfinite(rows).all():
        raise BadInput("the model's samples are not finite: its training has diverged")
    mean, scale = rows.mean(0), rows.std(0) + 1e-12
    return (rows - mean) / scale, mean, scale


def _loss(rows, y, strength):
    """Cross entropy of a regression of the even rows on the odd ones."""
    found = _regression(rows[::2], y[::2], strength)
    logits = found.decision_function(rows[1::2])
    return float(np.logaddexp(0, np.where(y[1::2] == 1, -logits, logits)).mean())


def _regression(rows, y, strength):
    """A logistic regression by Newton's steps, of which few are needed."""
    return LogisticRegression(C=strength, solver="newton-cholesky").fit(rows, y)
