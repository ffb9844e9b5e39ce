r"""Valid statistics for few, heavy-tailed seeds: betting bounds, e-processes, Clopper-Pearson, log-log slopes.

For samples in \([0, 1]\) with mean \(\mu\) and any fixed \(f \in (0, 1)\), the wealth of a gambler who bets on small values,

\[ W_n(m) = \prod_{i \le n} \Bigl( 1 + f \, \frac{m - X_i}{1 - m} \Bigr), \]

is a nonnegative supermartingale when \(\mu \ge m\), so \(P(\sup_n W_n(\mu) \ge 1/\alpha) \le \alpha\) (Ville). Each factor
grows with \(m\), hence \(\{m : \sup_n W_n(m) < 1/\alpha\}\) is an interval and its right end bounds \(\mu\) at every sample
size at once. No distribution is assumed, only the range. A t-interval assumes much more and misses the mean of a
distribution with 2 % bad seeds more often than not.

Source: Waudby-Smith & Ramdas (2024), Theorem 3 and Section 4 (remembered); Clopper & Pearson (1934).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

Array = Any

# Fractions of the largest safe stake. A mixture costs log(number of fractions); factors of about 1.6 lose little growth.
_FRACTIONS = tuple(0.95 * 0.62**k for k in range(14))
_BISECTIONS = 50  # fewer than the 53 after which a midpoint rounds to one


def betting_upper_bound(
    samples: Array,  # (n,) in [lower, upper]
    lower: float,
    upper: float,
    alpha: float = 0.05,
) -> float:
    """An upper bound on the mean that is wrong with probability at most `alpha`, at all sample sizes at once.

    `lower` and `upper` bound every sample deterministically; they are not read off the samples. Raises ValueError when a
    sample lies outside of them.
    """
    import numpy as np

    x = _samples(samples)
    if not (math.isfinite(lower) and math.isfinite(upper) and lower <= x.min() and x.max() <= upper):
        raise ValueError(f"samples lie in [{x.min()}, {x.max()}], outside of the declared range [{lower}, {upper}]")
    _require_alpha(alpha)
    if upper == lower:
        return upper
    unit = ((x - lower) / (upper - lower)).clip(0.0, 1.0)
    inside, outside = 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = (inside + outside) / 2
        gains = (middle - unit) / (1 - middle)
        excluded = _log_wealth(np.clip(gains, -1.0, None)).max() >= math.log(1 / alpha)
        inside, outside = (inside, middle) if excluded else (middle, outside)
    return min(upper, math.nextafter(lower + outside * (upper - lower), math.inf))


def e_process(
    samples: Array,  # (n,) each at least `lower`
    bound: float,
    lower: float = 0.0,
) -> Array:
    r"""Evidence (n,) against ``E sample <= bound`` after each sample; values of 1/alpha or more refute it at level alpha.

    \[ e_n = \operatorname{mean}_\lambda \prod_{i \le n} \Bigl(1 + \lambda \Bigl(\frac{X_i - l}{b - l} - 1\Bigr)\Bigr) \]

    needs a deterministic lower end \(l\) only and may be watched while seeds arrive. Raises ValueError for a sample below
    `lower` or a bound not above it.
    """
    import numpy as np

    x = _samples(samples)
    if not (math.isfinite(lower) and math.isfinite(bound) and lower < bound and lower <= x.min()):
        raise ValueError(f"an e-process needs lower < bound and samples >= lower; got {lower}, {bound}, {x.min()}")
    with np.errstate(over="ignore"):
        # A gain that overflows is cut: a smaller gain is evidence that is still valid, an infinite one would become a NaN.
        gains = np.minimum((x - lower) / (bound - lower) - 1, 1e300)
        return np.exp(np.minimum(_log_wealth(gains), 709.0))


def clopper_pearson(failures: int, trials: int, alpha: float = 0.05) -> tuple[float, float]:
    """One-sided limits (lower, upper) for a failure probability, each wrong with probability at most `alpha`.

    Raises ValueError unless 0 <= failures <= trials and trials >= 1.
    """
    if not 0 <= failures <= trials or trials < 1:
        raise ValueError(f"{failures} failures in {trials} trials is not a count")
    _require_alpha(alpha)
    # The limits solve P(X >= k; low) = alpha and P(X <= k; high) = alpha. The outer end of each bisection is returned, for
    # a level reduced by more than the rounding error of the tails, so that rounding can only widen the interval.
    level = alpha * (1 - 1e-9)
    low = 0.0 if failures == 0 else _crossing(lambda p: _lower_tail(trials - failures, trials, 1 - p) >= level)[0]
    high = 1.0 if failures == trials else _crossing(lambda p: _lower_tail(failures, trials, p) <= level)[1]
    return low, high


@dataclass(frozen=True)
class Slope:
    """A power law ``prefactor * T**exponent`` with a percentile interval for the exponent over resampled seeds."""

    exponent: float
    low: float
    high: float
    prefactor: float
    method: str = "least squares on log mean, percentile bootstrap over seeds (heuristic)"


def loglog_slope(
    horizons: Array,  # (k,) positive, k >= 2
    values: Array,  # (k, n) one column per seed
    alpha: float = 0.05,
    start: float = 0.0,
    resamples: int = 500,
    seed: int = 0,
) -> Slope:
    """The growth exponent of the mean over seeds, with whole seeds as the resampled clusters.

    Points of one trajectory are dependent, so ordinary least-squares intervals are far too short. `start` discards
    horizons below it and must be declared before looking. When a resampled mean is not positive its logarithm does not
    exist and the interval is the whole line. An upper-bound theorem implies nothing about the exponent.

    Raises ValueError for fewer than two horizons or seeds, or a mean that is not positive.
    """
    import numpy as np

    t, y = np.asarray(horizons, dtype=float), np.asarray(values, dtype=float)
    if y.ndim != 2 or t.shape != y.shape[:1] or y.shape[1] < 2:
        raise ValueError(f"expected values (k, n) with n >= 2 seeds for k horizons, got {y.shape} for {t.shape}")
    _require_alpha(alpha)
    t, y = t[t >= start], y[t >= start]
    if t.size < 2 or not (t > 0).all() or not (y.mean(axis=1) > 0).all():
        raise ValueError(
            f"a slope needs two positive horizons >= {start} and positive means, got means {y.mean(axis=1)}"
        )
    exponent, intercept = np.polyfit(np.log(t), np.log(y.mean(axis=1)), 1)
    picks = np.random.default_rng(seed).integers(y.shape[1], size=(resamples, y.shape[1]))
    means = y[:, picks].mean(axis=2)  # (k, resamples)
    low, high = -math.inf, math.inf
    if (means > 0).all():
        slopes = np.polyfit(np.log(t), np.log(means), 1)[0]
        low, high = np.quantile(slopes, [alpha / 2, 1 - alpha / 2])
    return Slope(float(exponent), float(low), float(high), float(np.exp(intercept)))


def _log_wealth(gains: Array) -> Array:
    """Log of the mean wealth after each of the gains (>= -1), over all stakes: (n,)."""
    import numpy as np

    logs = np.cumsum(np.log1p(np.multiply.outer(np.array(_FRACTIONS), gains)), axis=1)
    top = logs.max(axis=0)
    return top + np.log(np.exp(logs - top).mean(axis=0))


def _samples(samples: Array) -> Array:
    import numpy as np

    x = np.asarray(samples, dtype=float)
    if x.ndim != 1 or x.size == 0 or not np.isfinite(x).all():
        raise ValueError(f"expected finite samples of shape (n,) with n >= 1, got shape {x.shape}")
    return x


def _require_alpha(alpha: float) -> None:
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is an error probability in (0, 1), not {alpha}")


def _crossing(beyond: Any) -> tuple[float, float]:
    """A bracket of the point in [0, 1] from which `beyond` is true."""
    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if beyond(middle) else (middle, high)
    return low, high


def _lower_tail(k: int, n: int, p: float) -> float:
    """P(X <= k) for X binomial(n, p)."""
    if p <= 0 or p >= 1:
        return 1.0 if p <= 0 or k >= n else 0.0
    fact = math.lgamma
    whole, a, b = fact(n + 1), math.log(p), math.log1p(-p)
    return math.fsum(math.exp(whole - fact(j + 1) - fact(n - j + 1) + j * a + (n - j) * b) for j in range(k + 1))
