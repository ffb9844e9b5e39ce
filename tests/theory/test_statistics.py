"""Valid intervals cover where a t-interval fails, on the distributions that optimisation runs have.

There are 400 replications with fixed seeds, and levels get a slack of four standard deviations of a 5 % frequency over
them (4 * sqrt(.05 * .95 / 400) = 0.044): a correct method would fail here with probability below 1e-4.
"""

import numpy as np
import pytest
from scipy import stats

from theory.statistics import betting_upper_bound, clopper_pearson, e_process, loglog_slope

REPLICATIONS, ALPHA, SLACK = 400, 0.05, 0.044


def two_percent_bad(rng, size):
    """Samples in [0, 1]: 0.02 + noise, but 1 for 2 % of seeds; the mean is 0.0394."""
    good = 0.02 + 0.01 * (rng.random(size) - 0.5)
    return np.where(rng.random(size) < 0.02, 1.0, good)


SOURCES = {
    "2 % bad seeds": (two_percent_bad, 0.98 * 0.02 + 0.02),
    "uniform": (lambda rng, size: rng.random(size), 0.5),
    "coin": (lambda rng, size: (rng.random(size) < 0.3).astype(float), 0.3),
    "constant": (lambda rng, size: np.full(size, 0.7), 0.7),
}


def samples(name, n):
    source, mean = SOURCES[name]
    return source(np.random.default_rng([7, n]), (REPLICATIONS, n)), mean


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("n", [10, 30])
def test_the_betting_bound_covers_the_mean(name, n):
    values, mean = samples(name, n)
    misses = np.mean([betting_upper_bound(row, 0.0, 1.0, ALPHA) < mean for row in values])
    assert misses <= ALPHA + SLACK


def test_the_t_interval_misses_the_mean_with_two_percent_bad_seeds():
    """The negative control: the standard recipe, nominally 95 %, misses most of the time."""
    values, mean = samples("2 % bad seeds", 10)
    limits = values.mean(axis=1) + stats.t.ppf(1 - ALPHA, 9) * values.std(axis=1, ddof=1) / np.sqrt(10)
    assert np.mean(limits < mean) > 0.5


def test_a_bound_that_peeks_at_the_range_misses_too():
    """The range must be declared: read off the samples, the same method fails."""
    values, mean = samples("2 % bad seeds", 10)
    misses = np.mean([betting_upper_bound(row, 0.0, row.max(), ALPHA) < mean for row in values])
    assert misses > 0.5


def test_the_betting_bound_is_worth_having():
    values, mean = samples("uniform", 200)
    limits = [betting_upper_bound(row, 0.0, 1.0, ALPHA) for row in values[:50]]
    hoeffding = mean + np.sqrt(np.log(1 / ALPHA) / 400)
    assert mean < np.median(limits) < hoeffding + 0.05
    coin = np.zeros(300)
    assert betting_upper_bound(coin, 0.0, 1.0, ALPHA) < 0.025  # the exact binomial limit is 0.00994


def test_the_betting_bound_moves_with_the_units():
    row = samples("uniform", 30)[0][0]
    limit = betting_upper_bound(row, 0.0, 1.0)
    for shift, scale in [(-5.0, 3.0), (1e6, 1e-3), (0.0, 1e200)]:
        moved = betting_upper_bound(shift + scale * row, shift, shift + scale)
        assert moved == pytest.approx(shift + scale * limit, rel=1e-9)


def test_the_betting_bound_of_an_empty_range_and_of_the_top_is_the_top():
    assert betting_upper_bound(np.ones(5), 1.0, 1.0) == 1.0
    assert betting_upper_bound(np.ones(50), 0.0, 1.0) == 1.0


@pytest.mark.parametrize("name", SOURCES)
def test_the_e_process_rarely_refutes_a_true_claim_at_its_edge(name):
    values, mean = samples(name, 100)
    ever = np.mean([e_process(row, mean).max() >= 1 / ALPHA for row in values])
    assert ever <= ALPHA + SLACK


@pytest.mark.parametrize(("name", "least"), [("uniform", 0.95), ("coin", 0.25)])
def test_the_e_process_refutes_a_false_claim(name, least):
    values, mean = samples(name, 100)
    assert np.mean([e_process(row, mean / 1.5).max() >= 1 / ALPHA for row in values]) >= least


def test_the_e_process_of_a_shifted_sample_is_the_same():
    row = samples("coin", 30)[0][0]
    assert e_process(row - 7.0, 0.2 - 7.0, lower=-7.0) == pytest.approx(e_process(row, 0.2), rel=1e-9)


def test_huge_samples_do_not_overflow_the_e_process():
    assert np.isfinite(e_process(np.full(10_000, 1e300), 1e-8)).all()


@pytest.mark.parametrize(
    ("failures", "trials"), [(0, 10), (1, 10), (5, 10), (10, 10), (3, 1000), (999, 1000), (40, 20_000)]
)
def test_clopper_pearson_agrees_with_beta_quantiles_and_never_inside(failures, trials):
    low, high = clopper_pearson(failures, trials, ALPHA)
    exact_low = stats.beta.ppf(ALPHA, failures, trials - failures + 1) if failures else 0.0
    exact_high = stats.beta.ppf(1 - ALPHA, failures + 1, trials - failures) if failures < trials else 1.0
    # 1e-6 relative: the tails are sums of up to 20 000 exponentials of logarithms near 1e5
    assert (low, high) == pytest.approx((exact_low, exact_high), rel=1e-6, abs=1e-12)


def test_clopper_pearson_covers_exactly():
    """Coverage computed, not simulated: sum the binomial probabilities of the outcomes that miss p."""
    n = 25
    limits = [clopper_pearson(k, n, ALPHA) for k in range(n + 1)]
    for p in (0.01, 0.05, 0.1, 0.37, 0.9):
        weights = stats.binom.pmf(np.arange(n + 1), n, p)
        assert sum(w for w, (_, high) in zip(weights, limits, strict=True) if high < p) <= ALPHA
        assert sum(w for w, (low, _) in zip(weights, limits, strict=True) if low > p) <= ALPHA


def walks(rng, seeds, horizons):
    """Means grow as sqrt(T): cumulative maxima of random walks share their randomness along a trajectory."""
    steps = rng.choice([-1.0, 1.0], size=(seeds, int(horizons[-1])))
    return np.maximum.accumulate(steps.cumsum(axis=1), axis=1)[:, horizons.astype(int) - 1].T + 1.0


def test_the_slope_of_a_pure_power_law_is_exact():
    t = np.array([1.0, 10.0, 100.0])
    slope = loglog_slope(t, np.outer(3 * t**0.5, [1.0, 1.0, 1.0]))
    assert (slope.exponent, slope.low, slope.high, slope.prefactor) == pytest.approx((0.5, 0.5, 0.5, 3.0))


def test_resampling_seeds_gives_honest_slopes_where_ordinary_least_squares_does_not():
    t = np.unique(np.geomspace(100, 1000, 12).astype(int)).astype(float)
    rng = np.random.default_rng(11)
    truth = loglog_slope(t, walks(rng, 8_000, t), resamples=2).exponent
    cluster = ordinary = 0
    replications = 100
    for seed in range(replications):
        y = walks(rng, 20, t)
        slope = loglog_slope(t, y, resamples=200, seed=seed)
        cluster += slope.low <= truth <= slope.high
        fit = stats.linregress(np.log(t), np.log(y.mean(axis=1)))
        ordinary += abs(fit.slope - truth) <= stats.t.ppf(0.975, t.size - 2) * fit.stderr
    assert cluster / replications >= 0.8  # nominal 0.95; twenty clusters and a percentile interval cover a little less
    assert ordinary / replications <= 0.7


def test_the_declared_start_discards_early_horizons():
    t = np.array([1.0, 2.0, 100.0, 200.0, 400.0])
    y = np.where(t[:, None] < 50, 1e6, t[:, None] * np.ones((1, 3)))
    assert loglog_slope(t, y, start=50).exponent == pytest.approx(1.0)
    assert loglog_slope(t, y).exponent < 0


def test_a_resampled_mean_without_a_logarithm_gives_no_interval():
    slope = loglog_slope(np.array([1.0, 2.0]), np.array([[9.0, -1.0, -1.0], [9.0, 9.0, 9.0]]))
    assert (slope.low, slope.high) == (-np.inf, np.inf) and np.isfinite(slope.exponent)


@pytest.mark.parametrize(
    "call",
    [
        lambda: betting_upper_bound([0.5, 2.0], 0.0, 1.0),
        lambda: betting_upper_bound([0.5], 0.0, np.inf),
        lambda: betting_upper_bound([], 0.0, 1.0),
        lambda: betting_upper_bound([0.5, np.nan], 0.0, 1.0),
        lambda: betting_upper_bound([0.5], 0.0, 1.0, alpha=1.5),
        lambda: e_process([-1.0], 1.0),
        lambda: e_process([1.0], 0.0),
        lambda: e_process([[1.0]], 2.0),
        lambda: clopper_pearson(3, 2),
        lambda: clopper_pearson(0, 0),
        lambda: loglog_slope([1.0, 2.0], [[1.0], [2.0]]),
        lambda: loglog_slope([1.0, 2.0], [[1.0, -2.0], [2.0, 2.0]]),
        lambda: loglog_slope([0.0, 2.0], [[1.0, 2.0], [2.0, 2.0]]),
        lambda: loglog_slope([1.0, 2.0], [[1.0, 2.0], [2.0, 2.0]], start=2.0),
    ],
)
def test_input_without_a_valid_answer_is_an_error(call):
    with pytest.raises(ValueError, match=r"\w"):
        call()
