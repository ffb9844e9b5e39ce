"""Every number that the page of proofs on series quotes is what its own formula gives."""

from pathlib import Path

import numpy as np
import pytest

from optimizers.theorems.fixed_points import one_sided_sum, sandwich_sum
from optimizers.theorems.probe_certificate import probe_factor, relative_probe_factor
from optimizers.theorems.sandwich_basin import contraction_loss, safe_step, spread_of_root
from optimizers.theorems.sandwich_positivity import largest_condition, series_range
from optimizers.theorems.truncated import gain

PAGE = " ".join((Path(__file__).parents[2] / "docs" / "proofs" / "jorge.md").read_text(encoding="utf-8").split())


def critical(total, kappa):
    """The condition number of C at which κ · total(ρ) = 2."""
    low, high = 1.0, 1e4
    for _ in range(100):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if kappa * float(total(np.float64(middle))) < 2.0 else (low, middle)
    return low**4


def dynamic(total, n):
    return critical(total, float(gain(n**-0.5, 2)))


def test_the_dynamic_rules_are_stable_up_to_these_condition_numbers():
    assert [round(dynamic(one_sided_sum, n)) for n in (64, 256, 1024)] == [46, 94, 195]
    assert "stable up to $\\operatorname{cond}(C) = 46$, 94, 195 at $n = 64$, 256, 1024" in PAGE
    assert [round(dynamic(sandwich_sum, n), -3) for n in (64, 256, 1024)] == [15e3, 58e3, 233e3]
    assert "up to 15 thousand, 58 thousand and 233 thousand at $n$ = 64, 256, 1024" in PAGE


def test_polishing_at_full_length_is_stable_up_to_58():
    assert critical(sandwich_sum, 0.25) == pytest.approx(58.1, abs=0.05)
    assert "unstable from $\\operatorname{cond}(L) = 58.1$" in PAGE


def test_the_condition_numbers_up_to_which_a_root_stays_definite():
    limits = [largest_condition(1.0, order) for order in (1, 2)]
    assert limits == pytest.approx([193.99, 1441.99], abs=0.01)
    assert [limit**4 for limit in limits] == pytest.approx([1.4e9, 4.3e12], rel=0.02)
    assert "In terms of $L$: 1.4e9 and 4.3e12" in PAGE
    widths = [(high - low) / (high + low) for low, high in (series_range(1.0, order) for order in (1, 2))]
    assert [(2.0 - t) / t for t in widths] == pytest.approx([13.0, 37.0], rel=1e-9)  # t_P + t_Q = 1
    assert "Up to $\\operatorname{cond}P = 13$ and 37" in PAGE


def test_the_sizes_of_the_basin():
    grid = np.linspace(1e-3, 0.6, 6000)

    def size(cond):
        return max(e for e in grid if e * contraction_loss(safe_step(cond, e), spread_of_root(cond, e), e) < 4.0)

    assert [size(cond) for cond in (1.0, 10.0, 100.0, 1e4)] == pytest.approx([0.44, 0.25, 0.12, 0.02], abs=0.008)
    assert (
        "contains $\\lVert R\\rVert_F\\le0.44$, 0.25, 0.12, 0.02 for $\\operatorname{cond}L$ = 1, 10, 100, 1e4" in PAGE
    )
    assert size(1.0) >= 0.44 and size(100.0) >= 0.12 and size(1e4) >= 0.02  # it is said to contain them


def test_the_factors_of_the_probes():
    assert relative_probe_factor(1024, 2, 0.01) == pytest.approx(319.0, abs=0.5)
    assert "the factor is 319" in PAGE
    assert ((2.0 * 1024.0) ** 0.5 / probe_factor(2, 0.01)) ** (1.0 / 8.0) == pytest.approx(2.0, abs=0.1)
    assert "Eight powers bring the factor to about 2" in PAGE
