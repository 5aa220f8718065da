"""How exact a share is: ratio estimates over sampling units, Student's t, many tests at once.

Samples of one request resemble each other, so the *unit* is the transaction (else a block of ten
seconds), never the sample: ``aggregator/units.py`` cuts a profile into them.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

FEWEST_UNITS = 5
"""With fewer sampling units than this, nothing is said about how exact a number is."""

CONFIDENCE = 0.95
TOO_FEW = "too few to tell"

_NORMAL = NormalDist()
_AS_NORMAL = 1e6
"""Degrees of freedom from which on Student's t is the normal distribution to seven digits."""


def ratio_error(squares: Floats, products: Floats, unit_totals: Floats, ratio: Floats) -> Floats:
    """Standard errors of ratios ``sum(y) / sum(m)`` over units (linearised variance).

    ``C/(C-1) * sum((y - ratio*m)**2) / sum(m)**2`` over the C units (Cochran, Sampling
    Techniques, 3rd ed., 6.4: the ratio estimate, without finite-population correction), from
    ``squares`` = sum(y*y), ``products`` = sum(y*m) and the m of each unit. C counts the units whose
    m is not 0. NaN below two of them.
    """
    count = int((unit_totals > 0).sum())
    whole = float(unit_totals.sum())
    if count < 2 or whole <= 0:
        return np.full(len(ratio), np.nan)
    m_squares = float((unit_totals * unit_totals).sum())
    spread = np.maximum(squares - 2 * ratio * products + ratio * ratio * m_squares, 0)
    error: Floats = np.sqrt(count / (count - 1) * spread) / whole
    return error


def effective_df(squares: Floats, sums: Floats, unit_totals: Floats) -> Floats:
    """Degrees of freedom of ratios: of the units, as many as their unequal weights are worth.

    The lesser of ``sum(m)**2 / sum(m*m)`` and ``sum(y)**2 / sum(y*y)``, less one (Kish, Survey
    Sampling, 1965, 8.2: the effective size); at least 1, rounded down so that there are few.
    """
    m_squares = float((unit_totals * unit_totals).sum())
    whole = float(unit_totals.sum())
    size = np.where(squares > 0, sums * sums / np.where(squares > 0, squares, 1), 1.0)
    df = np.minimum(size, whole * whole / m_squares if m_squares else 1.0) - 1
    step = 10.0 ** (np.floor(np.log10(np.maximum(df, 1))) - 1)
    rounded: Floats = np.maximum(np.floor(df / step) * step, 1.0)
    return rounded


def interval(
    ratio: Floats, error: Floats, units: int, df: Floats | None = None
) -> tuple[Floats, Floats]:
    """The 95 % interval of shares, between 0 and 1; NaN where there are fewer than five units.

    Symmetric in ``log(p / (1 - p))``, whose error is ``error / (p * (1 - p))``: near 0 a share is
    skewed. ``df`` is that of Student's t (else ``units - 1``).
    """
    if units < FEWEST_UNITS:
        unknown = np.full(len(ratio), np.nan)
        return unknown, unknown
    probability = (1 + CONFIDENCE) / 2
    each = np.full(len(ratio), units - 1.0) if df is None else df
    t = np.array([t_quantile(probability, value) for value in each.tolist()], np.float64)
    inside = (ratio > 0) & (ratio < 1) & (error > 0)
    p = np.where(inside, ratio, 0.5)
    odds = p / (1 - p)
    factor = np.exp(np.minimum(np.where(inside, t * error, 0) / (p * (1 - p)), 600))
    low = np.where(inside, odds / (odds + factor), ratio)
    high = np.where(inside, odds * factor / (1 + odds * factor), ratio)
    return low, high


@lru_cache(maxsize=4096)
def t_quantile(probability: float, df: float) -> float:
    """The value below which Student's t lies with this probability (df > 0)."""
    if df >= _AS_NORMAL:
        return _NORMAL.inv_cdf(probability)
    if probability < 0.5:
        return -t_quantile(1 - probability, df)
    # Newton's method from the normal quantile, which lies below: the tail is convex, so that
    # every step goes up and none goes too far.
    wanted, t = 2 * (1 - probability), _NORMAL.inv_cdf(probability)
    front = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - math.log(df * math.pi) / 2
    for _ in range(200):
        density = math.exp(front - (df + 1) / 2 * math.log1p(t * t / df))
        step = (t_two_sided(t, df) - wanted) / (2 * density)
        t += step
        if step <= 1e-14 * t:
            break
    return t


def t_two_sided(t: float, df: float) -> float:
    """Probability that Student's t is further from 0 than ``t`` (DLMF 8.17: I_x(df/2, 1/2))."""
    if not math.isfinite(t):
        return 0.0
    if df >= _AS_NORMAL:
        return math.erfc(abs(t) / math.sqrt(2))
    return _incomplete_beta(df / 2, 0.5, df / (df + t * t))


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I_x(a, b), by its continued fraction."""
    if x <= 0 or x >= 1:
        return min(max(x, 0.0), 1.0)
    if x > (a + 1) / (a + b + 2):  # DLMF 8.17.4: the fraction converges fast on the other side
        return 1 - _incomplete_beta(b, a, 1 - x)
    front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    front += a * math.log(x) + b * math.log1p(-x)
    return math.exp(front) / a / _beta_fraction(a, b, x)


def _beta_fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of DLMF 8.17.22, by Lentz's method."""
    tiny = 1e-300
    value, c, d = 1.0, 1.0, 0.0
    for step in range(1, 500):
        half = step // 2
        if step % 2:
            term = -(a + half) * (a + b + half) * x / ((a + 2 * half) * (a + 2 * half + 1))
        else:
            term = half * (b - half) * x / ((a + 2 * half - 1) * (a + 2 * half))
        d = 1 / ((1 + term * d) or tiny)
        c = (1 + term / c) or tiny
        value *= c * d
        if abs(c * d - 1) < 1e-14:
            break
    return value


def false_discovery(p_values: Floats) -> Floats:
    """Benjamini-Hochberg's adjusted p-values (J. R. Statist. Soc. B 57, 1995); NaN stays NaN.

    Calling those at or below 0.05 changed lets at most 5 % of what is called changed be noise.
    """
    adjusted = np.full(len(p_values), np.nan)
    tested = np.flatnonzero(~np.isnan(p_values))
    order = tested[np.argsort(p_values[tested], kind="stable")]
    scaled = p_values[order] * len(order) / np.arange(1, len(order) + 1)
    rising = np.minimum.accumulate(scaled[::-1])[::-1]
    adjusted[order] = np.maximum(np.minimum(rising, 1.0), p_values[order])
    return adjusted
