"""The middle of some numbers, and how well it is known, where a few of them were disturbed.

A block that a neighbour disturbed can be off by twenty times what the others are. It would hide what nine quiet blocks
say, through the mean and even more through the variance. The outermost of each side are therefore not believed: they
count for the mean as if they were not there, for the variance as if they were no further off than the next.

Source: Tukey and McLaughlin 1963, "Less vulnerable confidence and significance procedures for location based on a
    single sample: trimming/Winsorization 1"; Yuen 1974. Checked in the tests against scipy's `trimmed_stde`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

SHARE = 0.2
"""Share of the numbers that is trimmed from either side, at most; of fewer than five none is."""


def trimmed(values: Values) -> tuple[Values, Values, int]:
    """Means of what is left, and the variances that numbers would have whose plain means were known as well.

    Args:
        values: (..., N) of N numbers.

    Returns:
        Means (...), variances (...) such that a mean's own is one of them over N, and their degrees of freedom. A
        variance is NaN where N is 1.
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
