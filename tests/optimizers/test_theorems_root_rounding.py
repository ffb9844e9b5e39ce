"""Theorems on inverse roots where rounding is large: true statements are not refuted, and false ones still are."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from optimizers.theorems.fixed_point_cases import basis, series_point
from optimizers.theorems.fixed_points import FixedPointRun
from optimizers.theorems.jorge_interval import JorgeInterval, _driven
from optimizers.theorems.loewner_certificate import LoewnerCertificate, RootPairs, perturbed, relative_spectrum
from optimizers.theorems.newton_instability import NewtonAmplification
from optimizers.theorems.probe_certificate import ProbeCertificate, _flat, _rank_one, probes
from optimizers.theorems.rules import newton, one_sided, sandwich
from optimizers.theorems.sandwich_stability import SandwichAmplification
from optimizers.theorems.series_stability import JorgeAmplification
from optimizers.theorems.truncated import fixed_error
from theory import verify

HONEST = ("VERIFIED", "INCONCLUSIVE")
SERIES = {one_sided: JorgeAmplification(), sandwich: SandwichAmplification()}


def rotated(values: np.ndarray, seed: int) -> np.ndarray:  # (n,) -> (n, n)
    V = basis(len(values), seed)
    A = (V * values) @ V.T
    return 0.5 * (A + A.T)


# The certificate


@pytest.mark.parametrize("cond", [3.0, 10.0, 1e2, 1e3])
def test_a_badly_conditioned_root_of_the_identity_refutes_no_certificate(cond):
    """The bracket is tight there: R has the eigenvalues p⁴ - 1, and its ends are those of P⁻¹."""
    P = np.stack([rotated(np.logspace(0.0, np.log10(cond), n), seed) for seed in range(40) for n in (3,)])
    assert verify(LoewnerCertificate(), RootPairs(P, np.stack([np.eye(3)] * 40))).kind in HONEST


def test_a_spectrum_beside_a_badly_conditioned_matrix_keeps_the_digits_that_it_has():
    """Diagonal up to one rotation: the eigenvalues of P⁻¹Q are known, and lose cond(P) roundings."""
    p, mu = np.logspace(0.0, 6.0, 4), np.array([0.5, 0.7, 1.1, 1.3])
    V = basis(4, 3)
    P, Q = (V * p) @ V.T, (V * p * mu) @ V.T
    found = relative_spectrum(0.5 * (Q + Q.T), 0.5 * (P + P.T))
    np.testing.assert_allclose(found, mu, rtol=16.0 * 4.0 * 1e6 * np.finfo(float).eps)
    assert np.all(np.isnan(relative_spectrum(np.eye(2), np.diag([1.0, -1.0]))))


def test_a_bracket_that_is_a_millionth_too_narrow_is_still_refuted():
    class Narrow(LoewnerCertificate):
        def bound(self, run: RootPairs) -> np.ndarray:
            return (1.0 - 1e-6) * super().bound(run)

    p = np.array([1.0, 3.0, 10.0])
    run = RootPairs(np.diag(p)[None], np.eye(3)[None])
    assert verify(LoewnerCertificate(), run).kind in HONEST
    assert verify(Narrow(), run).kind == "VIOLATED"


@pytest.mark.parametrize("n", [1, 2, 5])
@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_a_pair_that_is_not_finite_is_refused(n, number):
    good = perturbed(0, 10.0, 0.01, n=n, B=2)
    for name in ("P", "L"):
        broken = getattr(good, name).copy()
        broken[1, 0, 0] = number
        verdict = verify(LoewnerCertificate(), replace(good, **{name: broken}))
        assert verdict.kind == "HYPOTHESIS_FAILED" and "not finite" in verdict.evidence["reason"]


# The interval


@pytest.mark.parametrize(("order", "end"), [(1, 4.0), (2, 1.6), (3, 2.1665779631), (4, 1.3991436893)])
@pytest.mark.parametrize("short", [1e-5, 1e-3, 2.5e-3, 5e-3, 7.5e-3, 2.5e-2, 0.1])
def test_steps_near_the_end_of_their_range_refute_no_interval(order, end, short):
    """q_k, or 1 - q_k, is small beside its terms there, and a recorded step may be beyond the end by what that magnifies."""
    s = end * (1.0 - short)
    start = float(fixed_error(np.array(s), order))
    for horizon in (1, 2, 3):
        run = _driven(np.full((horizon, 4), s), np.full(horizon, 0.7), order, np.full(4, start))
        verdict = verify(JorgeInterval(), run)
        beyond = verdict.evidence.get("failed") == ["series-range"]
        assert verdict.kind in HONEST or (beyond and short < 2.5e-3)


def test_an_interval_is_decided_close_to_the_end_of_its_range_and_a_smaller_one_is_refuted():
    class Small(JorgeInterval):
        def bound(self, run):
            return (1.0 - 1e-6) * super().bound(run)

    def run(long_steps: int):
        wanted = np.concatenate([np.full((1, 2), 0.1), np.full((long_steps, 2), 3.96)])
        return _driven(wanted, np.full(len(wanted), 0.5), 1, np.full(2, 0.1))

    assert verify(JorgeInterval(), run(1)).kind == "VERIFIED"
    assert verify(JorgeInterval(), run(3)).kind in HONEST  # by then the end is reached
    assert verify(Small(), run(3)).kind == "VIOLATED"


# Probes


@pytest.mark.parametrize(("size", "power"), [(1e-42, 4), (1e-163, 1), (1e-300, 8), (1e-320, 1), (1e163, 1), (1e42, 8)])
def test_a_probe_of_a_residual_of_any_size_is_an_upper_estimate(size, power):
    run = probes(size * _flat(12), 500, 2, 0.05, power=power)
    assert verify(ProbeCertificate(), run).kind == "CONFIRMED"
    theorem = ProbeCertificate()
    if size > 1e-300:
        unit = replace(run, R=_flat(12))
        np.testing.assert_allclose(theorem.bound(run), size * theorem.bound(unit), rtol=1e-12)


@pytest.mark.parametrize("size", [1e-163, 1.0, 1e163])
def test_a_probe_that_halves_its_estimate_is_refuted_at_any_size(size):
    class Halved(ProbeCertificate):
        def bound(self, run):
            return 0.5 * super().bound(run)

    assert verify(Halved(), probes(size * _rank_one(12), 500, 2, 0.05)).kind == "REFUTED"


# Amplification


def newton_at(scale: float, left: int, said: int | None = None) -> FixedPointRun:
    values, V = np.array([1.0, 2.0, 5.0]) * scale, basis(3)
    L = (V * values) @ V.T
    return FixedPointRun(partial(newton, L=L, left=left), values, V, 1.0, left if said is None else said, 1.0)


@pytest.mark.parametrize("left", range(6))
@pytest.mark.parametrize("scale", [1e-300, 1e-190, 1e-165, 1.0, 1e165, 1e170, 1e190, 1e250])
def test_newton_s_factors_are_the_same_at_every_scale(left, scale):
    theorem = NewtonAmplification()
    assert verify(theorem, newton_at(scale, left)).kind == "VERIFIED"
    other = newton_at(scale, left, said=(left + 1) % 6)
    assert verify(theorem, other).kind == "HYPOTHESIS_FAILED"
    same = {left, (left + 1) % 6} == {2, 3}  # ρ and 1/ρ change places, entry by entry
    assert same or verify(theorem, other, ignoring=("newton",)).kind == "VIOLATED"


@pytest.mark.parametrize("rule", SERIES)
@pytest.mark.parametrize("scale", [1e-300, 1e-200, 1e200, 1e260, 1e285, 1e300])
def test_no_scale_refutes_the_factors_of_a_series(rule, scale):
    point = series_point(rule, 2, 0.2, 10.0, V=basis(4))
    C = point.C * scale
    beta2 = point.step.keywords["beta2"]
    moved = replace(point, step=lambda P: rule(P, C, beta2, 2), spectrum=point.spectrum * scale)
    with np.errstate(all="ignore"):
        kind = verify(SERIES[rule], moved).kind
    assert kind == "VERIFIED" if scale <= 1e260 else kind in HONEST


@pytest.mark.parametrize("rule", SERIES)
@pytest.mark.parametrize(
    "change", [{"size": 0.0}, {"size": -0.2}, {"size": np.nan}, {"size": 1e200}, {"order": 0}], ids=str
)
def test_a_series_that_stands_nowhere_still_is_refused(rule, change):
    with np.errstate(all="ignore"):
        verdict = verify(SERIES[rule], replace(series_point(rule, 2, 0.2, 10.0), **change))
    assert verdict.kind == "HYPOTHESIS_FAILED" and "stands still" in verdict.evidence["reason"]


def test_a_step_at_which_the_series_vanishes_is_refused():
    verdict = verify(JorgeAmplification(), replace(series_point(one_sided, 1, 0.2, 10.0), size=4.0))
    assert verdict.kind == "HYPOTHESIS_FAILED"
