"""The diversity term of GDPP-GAN, a pure function; see `objectives`."""

from keras import ops


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
