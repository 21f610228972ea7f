"""What image critics minimise, and what bounds their slope; see `objectives`."""

import typing

import numpy as np
from keras import ops


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


def relativistic(real, fake):
    """The relativistic pairing loss, to minimise over critics (Huang et al. 2024, section 2).

        E softplus(-(log D_I(x) - log D_I(G(z))))

    Each sample is judged beside a data point. The best critic is the log-ratio of eq. 6 but for a
    constant, which no gradient sees. G minimises the same with the two exchanged.

    Args:
        real, fake: log D_I of data and of samples, `(B,)` each: the i-th are a pair.

    Returns:
        Scalar.
    """
    return ops.mean(ops.softplus(fake - real))


class CriticLoss(typing.NamedTuple):
    """What D_I minimises, and G in a plain GAN.

    Args:
        critic: Function of log D_I of data, of samples, and the hinge's margins.
        further: What a further kind of generated data adds to it; a function of the same. Where
            only differences count it is the loss against the data once more: else D would fall by
            a constant for ever, which tells nothing.
        generator: What G minimises, a function of log D_I of data and of samples.
        paired: Whether it needs log D_I of data.
        normalized: Whether D_I has the normalisation that its method gives it.
    """

    critic: typing.Callable
    further: typing.Callable
    generator: typing.Callable = lambda real, fake: ops.mean(-fake)
    paired: bool = False
    normalized: bool = True


CRITIC_LOSSES = {
    "hinge": CriticLoss(
        hinge, further=lambda real, fake, margins: ops.mean(ops.relu(margins[1] + fake))
    ),
    "cross_entropy": CriticLoss(
        lambda real, fake, margins: cross_entropy(real, fake),
        further=lambda real, fake, margins: ops.mean(ops.softplus(fake)),
        # The second of Goodfellow et al. 2014, -E log D(G(z)).
        generator=lambda real, fake: ops.mean(ops.softplus(-fake)),
    ),
    "wasserstein": CriticLoss(*2 * (lambda real, fake, margins: wasserstein(real, fake),)),
    "relativistic": CriticLoss(
        *2 * (lambda real, fake, margins: relativistic(real, fake),),
        generator=lambda real, fake: relativistic(fake, real),
        paired=True,
        normalized=False,
    ),
}


def zero_centred_penalty(slope):
    """E|grad D|^2: R1 at data, R2 at samples (Mescheder et al. 2018, section 4.1).

    Args:
        slope: The critic's gradients with respect to its input, `(B, ...)`.

    Returns:
        Scalar.
    """
    return ops.mean(ops.sum(ops.square(slope), tuple(range(1, len(slope.shape)))))


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


def _length(x):
    """Euclidean length over all but the first axis, with a gradient at 0."""
    return ops.sqrt(ops.sum(ops.square(x), tuple(range(1, len(x.shape)))) + 1e-12)
