"""An upper confidence bound of a mean of numbers in [0, 1], for any distribution."""

from __future__ import annotations

import math

from scipy.optimize import brentq
from scipy.special import betaincinv

_ROUNDING = 1e-9  # a mean of n numbers that were counted, times n, comes out a rounding error beside the count


def upper_bound(mean: float, n: int, delta: float) -> float:
    """Return what the expectation exceeds with a probability of at most delta.

    S. Bates, A. Angelopoulos, L. Lei, J. Malik, M. Jordan, Distribution-free, risk-controlling prediction sets, Journal
    of the ACM 68, 43 (2021), proposition 7: the largest R with min(exp(-n h(mean, R)), e P(Bin(n, R) <= ceil(n mean)))
    >= delta. h is the relative entropy of coin tosses. Both terms fall with R, so the bound is the smaller of the two
    that each gives: Hoeffding's is nearer for a small mean, Bentkus's for a larger one.

    Parameters
    ----------
    mean
        Of n independent observations of one distribution, each in [0, 1].
    n
        How many.
    delta
        Probability that the expectation may exceed the bound, in (0, 1).

    Raises
    ------
    ValueError
        An argument is out of its range.
    """
    if not 0 <= mean <= 1 or n < 1 or not 0 < delta < 1:
        raise ValueError(f"got mean {mean}, n {n}, delta {delta}; expected [0, 1], at least 1, and (0, 1)")
    return min(hoeffding_bound(mean, n, delta), bentkus_bound(mean, n, delta))


def hoeffding_bound(mean: float, n: int, delta: float) -> float:
    """Return the R above the mean with exp(-n h(mean, R)) = delta."""
    highest = math.nextafter(1, 0)

    def excess(R: float) -> float:
        return n * _relative_entropy(mean, R) + math.log(delta)

    if mean >= highest or excess(highest) <= 0:
        return 1.0
    if mean == 0:
        return 1 - delta ** (1 / n)
    return float(brentq(excess, mean, highest))


def bentkus_bound(mean: float, n: int, delta: float) -> float:
    """Return the R with e P(Bin(n, R) <= ceil(n mean)) = delta: the Clopper-Pearson bound at delta / e."""
    k = math.ceil(n * mean - _ROUNDING)
    return 1.0 if k >= n else float(betaincinv(k + 1, n - k, 1 - delta / math.e))


def _relative_entropy(a: float, b: float) -> float:
    first = a * math.log(a / b) if a > 0 else 0.0
    return first + ((1 - a) * math.log((1 - a) / (1 - b)) if a < 1 else 0.0)
