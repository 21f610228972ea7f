"""What the benchmarks' tables share."""

import numpy as np


def spread(values):
    """Mean +- standard deviation, of those that are numbers."""
    values = [value for value in values if value is not None]
    mean = f"{np.mean(values):.4g}" if values else ""
    return f"{mean} ± {np.std(values, ddof=1):.2g}" if len(values) > 1 else mean
