"""The terms of the objectives, as pure functions of tensors in `keras.ops`.

Shapes: `B` data points, `T` samples of the posterior for each, `L` latent dimensions. Critics give
one number a data point, `(..., 1)` or `(...)`; means are taken over all of them.
"""

import math

from keras import ops

from bms_keras.objectives.critics import (
    CRITIC_LOSSES,
    CriticLoss,
    cross_entropy,
    gradient_penalty,
    hinge,
    log_ratio,
    relativistic,
    sobolev_norm,
    wasserstein,
    zero_centred_penalty,
)
from bms_keras.objectives.diversity import gdpp

__all__ = [
    "CRITIC_LOSSES",
    "LOG_VARIANCES",
    "MMD_SCALES",
    "CriticLoss",
    "cross_entropy",
    "distance",
    "gaussian",
    "gaussian_log_density",
    "gdpp",
    "gradient_penalty",
    "hinge",
    "kl_estimate",
    "log_ratio",
    "mean_and_log_variance",
    "mmd",
    "relativistic",
    "sobolev_norm",
    "soft_clip",
    "wasserstein",
    "zero_centred_penalty",
]

LOG_VARIANCES = (-12.0, 3.0)  # of a posterior: bounded, a bad start cannot overflow
MMD_SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)  # of Tolstikhin et al. 2018, in their code


def kl_estimate(latent_logits):
    """KL(q(z|x) || p(z)) as the latent critic estimates it (section 3.3).

    D_L classifies the prior as 1 and the posterior as 0, so its logit estimates log p/q, and
    E_q[-logit] = E_q[log q/p] is the divergence.

    Args:
        latent_logits: Logits of D_L at samples of q(z|x), any shape.

    Returns:
        Scalar, in nats.
    """
    return -ops.mean(latent_logits)


def distance(x, reconstructions, norm=1):
    """|x - x_i|_n, as the mean over the dimensions of the data.

    The mean, not the sum, so that lambda means the same at every resolution.

    Args:
        x: Data `(B, ...)`.
        reconstructions: `(T, B, ...)`.
        norm: 1 for absolute, 2 for squared differences.

    Returns:
        float32 tensor `(T, B)`.
    """
    difference = ops.cast(reconstructions, "float32") - ops.cast(x, "float32")[None]
    difference = ops.abs(difference) if norm == 1 else ops.square(difference)
    return ops.mean(difference, axis=tuple(range(2, len(difference.shape))))


def gaussian(mean, log_variance, noise):
    """Samples of a diagonal Gaussian by the reparametrisation z = mean + std * noise.

    Args:
        mean, log_variance: `(B, L)`, of `mean_and_log_variance`.
        noise: Standard normal, `(T, B, L)`.

    Returns:
        `(T, B, L)` float32.
    """
    return mean + ops.exp(0.5 * log_variance) * ops.cast(noise, "float32")


def mean_and_log_variance(parameters, log_variances=LOG_VARIANCES):
    """Splits a recognition network's output; the log-variance is kept within [-12, 3].

    Outside this range the noise is nothing, or is far wider than the prior.

    Args:
        parameters: `(B, 2L)`, the mean and the log-variance side by side.
        log_variances: The range; of equal bounds, the log-variance is that constant.

    Returns:
        Two float32 tensors `(B, L)`.
    """
    mean, log_variance = ops.split(ops.cast(parameters, "float32"), 2, axis=-1)
    return mean, soft_clip(log_variance, *log_variances)


def soft_clip(x, low, high):
    """x kept within [low, high] with a gradient everywhere, which a hard clip lacks outside.

    x itself, to the last bit, where it is at least 1 from the bounds, so that what holds there is
    exact; beyond, the distance d from that core becomes d / (1 + |d|) (softsign). Its slope,
    1 / (1 + |d|)^2, begins at 1 and falls slowly: a softplus' falls as e^-|d| and is 0 in float32
    from some 100 on, where a network that starts badly would stay.

    Args:
        x: Tensor.
        low, high: Floats; where they are less than 2 apart the core is the point between them.

    Returns:
        Tensor like `x`, monotone in it.
    """
    margin = min(1.0, (high - low) / 2)
    core = ops.clip(x, low + margin, high - margin)
    return core + margin * ops.softsign(x - core)


def mmd(q, p, scales=MMD_SCALES):
    """Maximum mean discrepancy of two samples, the prior term of WAE-MMD.

    With inverse multiquadratic kernels k(a, b) = sum_s C_s / (C_s + |a - b|^2), C_s = 2 s L, and
    the unbiased estimate, which may be slightly negative (Tolstikhin et al. 2018, section 4).

    Args:
        q, p: Samples `(N, L)` and `(M, L)`. The estimate is unbiased where N and M are at least 2;
            of a single sample the mean over its pairs, of which there are none, counts as 0.
        scales: The s of the kernels; 1 suits a prior of unit variance.

    Returns:
        Scalar.
    """
    constants = [2.0 * scale * q.shape[-1] for scale in scales]

    def kernel(a, b):
        squared = (
            ops.sum(ops.square(a), -1)[:, None]
            + ops.sum(ops.square(b), -1)[None]
            - 2 * ops.matmul(a, ops.transpose(b))
        )
        squared = ops.relu(squared)
        return sum(c / (c + squared) for c in constants)

    def mean_off_diagonal(a):
        n = ops.cast(ops.shape(a)[0], a.dtype)
        pairs = ops.maximum(n * (n - 1), 1.0)  # of a single sample: none, and the sum is 0
        return (ops.sum(kernel(a, a)) - len(constants) * n) / pairs

    return mean_off_diagonal(q) + mean_off_diagonal(p) - 2 * ops.mean(kernel(q, p))


def gaussian_log_density(z, mean, log_variance):
    """log N(z; mean, exp(log_variance)), summed over the last axis; shapes broadcast."""
    squared = ops.square(z - mean) * ops.exp(-log_variance)
    return -0.5 * ops.sum(squared + log_variance + math.log(2 * math.pi), axis=-1)
