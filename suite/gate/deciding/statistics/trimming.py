"""Trimmed means and their variances, for numbers of which a few were disturbed.

A block that a neighbour disturbed can be off by twenty times as much as the others. It would hide the result of nine
undisturbed blocks, through the mean and even more through the variance. The mean therefore leaves out the outermost
values of each side. The variance replaces them by the next value (winsorising).

Source: Tukey and McLaughlin 1963, "Less vulnerable confidence and significance procedures for location based on a
    single sample: trimming/Winsorization 1"; Yuen 1974. Checked in the tests against scipy's `trimmed_stde`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

SHARE = 0.2
"""Largest share of the numbers that is trimmed from each side; with fewer than five numbers none is."""


def trimmed(values: Values) -> tuple[Values, Values, int]:
    """Trimmed means, equivalent variances and degrees of freedom.

    Args:
        values: (..., N) of N numbers.

    Returns:
        Means (...), variances (...) and their degrees of freedom. A variance over N is that of the trimmed mean. It is
        NaN if N is 1.
    """
    count = values.shape[-1]
    cut = int(SHARE * count)
    left = count - 2 * cut
    ordered = np.sort(values, axis=-1)
    inner = ordered[..., cut : count - cut]
    mean = inner.mean(axis=-1)
    if count < 2:
        return mean, np.full(mean.shape, np.nan), 0
    ends = ordered[..., [cut, count - 1 - cut]]
    whole_mean = (inner.sum(axis=-1) + cut * ends.sum(axis=-1)) / count
    squares = ((inner - whole_mean[..., None]) ** 2).sum(axis=-1)
    squares += cut * ((ends - whole_mean[..., None]) ** 2).sum(axis=-1)
    return mean, squares / (count - 1) / (left / count) ** 2, left - 1
