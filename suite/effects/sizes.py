"""The size of an effect: a difference of responses with its interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

from suite.analysis.estimates import CONFIDENCE, student_between


@dataclass(frozen=True, slots=True)
class Size:
    """A difference of responses with its interval at 95 %.

    Attributes:
        low, high: None where no replicate shows the noise.
    """

    middle: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Contrast:
    """A weighted sum of responses, and the source of its interval.

    An effect has its interval at once; each of its pairs, which may be thousands, has one when it is asked for.

    Attributes:
        middle: the sum itself.
        variance: sum of the cases' variances; None where no replicate shows the noise.
        spread: sum of each case's variance over the root of its degrees of freedom.
    """

    middle: float
    variance: float | None = None
    spread: float = 0.0

    @property
    def size(self) -> Size:
        """The sum with the interval of Student's t.

        Variances of cases were pooled, and so are not independent. Degrees of freedom are those of fully dependent
        variances: the fewest possible.
        """
        if self.variance is None:
            return Size(self.middle)
        degrees = (self.variance / self.spread) ** 2 if self.variance else 1.0
        reach = student_between((1 + CONFIDENCE) / 2, degrees) * math.sqrt(self.variance)
        return Size(self.middle, self.middle - reach, self.middle + reach)
