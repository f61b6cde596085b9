"""Moderated variances: that of each case is drawn towards one that all share.

Ten blocks give a case's own variance within a factor of two. Cases of one suite on one machine have similar noise. All
of them together show how similar it is.

Source: Smyth 2004, "Linear models and empirical Bayes methods for assessing differential expression in microarray
    experiments", section 6.2 (moments of the log variances). Checked in the tests against limma, the author's own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

Values = NDArray[np.float64]

NEWTON_STEPS = 50
"""Most Newton steps for the inverse of trigamma; it converges in about five."""
SMALLEST = 1e-18
"""Smallest variance of a log ratio. A smaller one is raised to it: no standard deviation is below 1e-9."""


def prior(variances: Values, degrees: Values) -> tuple[Values, Values]:
    """Degrees of freedom and value of the prior variance, which all cases share.

    Args:
        variances: (..., M) of M cases.
        degrees: (M,) of freedom of each, above 0.

    Returns:
        Degrees (...) and values (...). Degrees are infinite if the variances differ no more than by chance, and 0 for
        fewer than two cases.
    """
    variances = np.maximum(variances, SMALLEST)
    pooled: Values = np.sum(variances * degrees, axis=-1) / np.sum(degrees)
    count = variances.shape[-1]
    if count < 2:
        return np.zeros_like(pooled), pooled
    logs = np.log(variances) - special.digamma(degrees / 2) + np.log(degrees / 2)
    excess = np.var(logs, axis=-1, ddof=1) - np.mean(special.polygamma(1, degrees / 2))
    more = excess > 0
    own = np.where(more, 2 * trigamma_inverse(np.where(more, excess, 1.0)), np.inf)
    half = np.where(more, own / 2, 1.0)
    value = np.where(more, np.exp(np.mean(logs, axis=-1) + special.digamma(half) - np.log(half)), pooled)
    return own, value


def moderated(variances: Values, degrees: Values) -> tuple[Values, Values]:
    """Variances (..., M) drawn towards their prior, and their degrees of freedom.

    The degrees (..., M) are at most the sum of those of all cases.
    """
    own, value = prior(variances, degrees)
    own, value = own[..., None], value[..., None]
    finite = np.where(np.isfinite(own), own, 0.0)
    drawn = (finite * value + degrees * variances) / (finite + degrees)
    total = np.minimum(own + degrees, np.sum(degrees))
    return np.maximum(np.where(np.isfinite(own), drawn, value), SMALLEST), total


def trigamma_inverse(values: Values) -> Values:
    """The numbers whose trigamma is `values`, above 0.

    Source: Smyth 2004, appendix "Inversion of the trigamma function" (Newton's method on its reciprocal).
    """
    found: Any = 0.5 + 1 / values
    for _ in range(NEWTON_STEPS):
        trigamma = special.polygamma(1, found)
        change = trigamma * (1 - trigamma / values) / special.polygamma(2, found)
        found = found + change
        if np.max(-change / found, initial=0.0) < 1e-10:
            break
    result: Values = np.asarray(found, dtype=np.float64)
    return result
