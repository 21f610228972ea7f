"""The terms of the objectives, as pure functions of tensors in `keras.ops`.

Shapes: `B` data points, `T` samples of the posterior for each, `L` latent dimensions. Critics give
one number a data point, `(..., 1)` or `(...)`; means are taken over all of them.
"""

import math

import numpy as np
from keras import ops

LOG_VARIANCES = (-12.0, 3.0)  # of a posterior: bounded, a bad start cannot overflow
MMD_SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)  # of Tolstikhin et al. 2018, in their code


def log_ratio(critic_output):
    """log D_I, the log-likelihood ratio of real to generated: the critic's output itself, float32.

    A spectrally normalised critic estimates the ratio directly (eq. 6). A classifier's is
    log(D / (1 - D)) (eq. 2), which is the logit that it puts out: the same number either way. Only
    the critic's own loss differs, `hinge` or `cross_entropy`.

    Args:
        critic_output: Tensor `(..., 1)`.

    Returns:
        Tensor `(...)`, float32.
    """
    return ops.cast(ops.squeeze(critic_output, -1), "float32")


def hinge(real, fake, margins=(1.0, 1.0)):
    """The image critic's loss (algorithm 1, line 4).

        E_x max(0, a - log D_I(x)) + E_{z~p} max(0, b + log D_I(G(z)))

    Args:
        real: log D_I of data.
        fake: log D_I of generated data.
        margins: (a, b): log D_I of data is pushed up to a, that of generated data down to -b.
            The paper's ranges are [0, 2] on CIFAR-10, a=2 and b=0, and [-0.5, 0.5] on CelebA.

    Returns:
        Scalar.
    """
    a, b = margins
    return ops.mean(ops.relu(a - real)) + ops.mean(ops.relu(b + fake))


def cross_entropy(positive, negative):
    """A classifier's loss from its logits: -E log D(positive) - E log(1 - D(negative)).

    The image critic of alpha-GAN (Rosca et al. 2017) has data as the positives; the latent critic
    (algorithm 1, line 5) has the prior's samples.
    """
    return ops.mean(ops.softplus(-positive)) + ops.mean(ops.softplus(negative))


def wasserstein(real, fake):
    """The dual of the Wasserstein distance, to minimise over critics (Gulrajani et al. 2017)."""
    return ops.mean(fake) - ops.mean(real)


CRITIC_LOSSES = {  # functions of log D_I of data, of samples, and the margins
    "hinge": hinge,
    "cross_entropy": lambda real, fake, margins: cross_entropy(real, fake),
    "wasserstein": lambda real, fake, margins: wasserstein(real, fake),
}
GENERATED_TERMS = {  # what a further kind of generated data adds to them
    "hinge": lambda real, fake, margins: ops.mean(ops.relu(margins[1] + fake)),
    "cross_entropy": lambda real, fake, margins: ops.mean(ops.softplus(fake)),
    # Against the data once more: else D would fall by a constant for ever, which tells nothing.
    "wasserstein": lambda real, fake, margins: wasserstein(real, fake),
}


def gradient_penalty(slope):
    """E(|grad D| - 1)^2 (Gulrajani et al. 2017, eq. 3).

    Args:
        slope: The critic's gradients with respect to its input, `(B, ...)`.

    Returns:
        Scalar.
    """
    return ops.mean(ops.square(_length(slope) - 1))


def sobolev_norm(x, s, c=5.0):
    """|x|_W^{s,2}: the length of x with its spectrum weighted by (1 + c |xi|^2)^(s/2).

    xi runs from 0 to 1 at the highest frequency of each axis (Adler & Lunz 2018, section 3.2; c is
    that of their code). s = 0 is the ordinary length.

    Args:
        x: Images `(B, height, width, channels)`.
        s: Order of the space; the dual of W^{s,2} is W^{-s,2}.

    Returns:
        float32 `(B,)`.
    """
    x = ops.transpose(ops.cast(x, "float32"), (0, 3, 1, 2))
    rows, columns = (np.minimum(np.arange(n), n - np.arange(n)) / (n // 2) for n in x.shape[2:])
    weight = (1 + c * (rows[:, None] ** 2 + columns[None] ** 2)) ** (s / 2)
    weight = weight.astype("float32") / np.sqrt(weight.size).astype("float32")  # Parseval
    real, imaginary = ops.fft2((x, ops.zeros_like(x)))
    return _length(ops.stack([real * weight, imaginary * weight], 1))


def gdpp(real, fake, magnitude_weight=1e-4):
    """The generalised determinantal point process loss (Elfeki et al. 2019, eqs. 5 and 6).

    The kernels of two batches of (normalised) features shall have the same eigenvalues, and
    eigenvectors along the same lines, the more so the larger the eigenvalue of the data. (An
    eigenvector's sign means nothing, and one whose eigenvalue is next to nothing is noise, whose
    gradient would drown that of the others: both are left out, unlike in the authors' code.)

    Args:
        real, fake: Features `(B, d)` of data and of samples.
        magnitude_weight: Weight of the eigenvalues' part, that of the authors' code.

    Returns:
        Scalar.
    """
    (real_values, real_vectors), (fake_values, fake_vectors) = _spectrum(real), _spectrum(fake)
    magnitude = ops.mean(ops.square(real_values - fake_values))
    low, high = ops.min(real_values), ops.max(real_values)
    weights = (real_values - low) / ops.maximum(high - low, 1e-12)  # a batch of one has one value
    weights = ops.where(weights > 1e-3, weights, 0.0)
    cosines = ops.abs(ops.sum(real_vectors * fake_vectors, 0))
    return magnitude_weight * magnitude - ops.sum(weights * cosines)


def _spectrum(features):
    """Eigenvalues, ascending, and eigenvectors (columns) of the cosines of features `(B, d)`.

    Where d < B at most d eigenvalues are not 0, and they are those of the d x d matrix of the same
    features, which takes (d / B)^3 of the time: v = features w / sqrt(value) for its vectors w. The
    eigenvectors of the others, of which any basis would do, are 0.
    """
    features = ops.cast(features, "float32")
    features = features / (ops.norm(features, axis=-1, keepdims=True) + 1e-6)
    batch, d = features.shape
    if batch is None or batch <= d:
        count = ops.cast(ops.shape(features)[0], "float32")  # a last batch is smaller
        return _eigen(ops.matmul(features, ops.transpose(features)), count)
    values, axes = _eigen(ops.matmul(ops.transpose(features), features), float(batch))
    known = values > 1e-6 * batch
    vectors = ops.matmul(features, axes) / ops.sqrt(ops.where(known, values, 1.0))
    vectors = ops.where(known, vectors, 0.0)
    rest = batch - d
    return ops.pad(values, [[rest, 0]]), ops.pad(vectors, [[0, 0], [rest, 0]])


def _eigen(matrix, trace):
    """Eigenvalues and eigenvectors of a symmetric matrix of that trace.

    Their gradient is that of first-order perturbation. Eigenvectors have none where eigenvalues are
    equal, as the zeros of few features are: pairs that only rounding tells apart are left out.
    """
    values, vectors = ops.linalg.eigh(ops.stop_gradient(matrix))
    change = ops.matmul(matrix - ops.stop_gradient(matrix), vectors)  # 0, but for its gradient
    change = ops.matmul(ops.transpose(vectors), change)
    gaps = values[None] - values[:, None]
    apart = ops.abs(gaps) > 1e-6 * trace
    rates = ops.where(apart, 1 / ops.where(apart, gaps, 1.0), 0.0)
    return values + ops.diag(change), vectors + ops.matmul(vectors, rates * change)


def _length(x):
    """Euclidean length over all but the first axis, with a gradient at 0."""
    return ops.sqrt(ops.sum(ops.square(x), tuple(range(1, len(x.shape)))) + 1e-12)


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
