"""A small run is certified at every horizon in exact arithmetic, and what is false, altered or too large never is."""

import copy
import json
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from itertools import accumulate
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import theory
from problems.domains import Box, L2Ball, Product, Simplex, SpectralBall
from regret import AdaptiveRegularization, GramFullMatrix, play
from regret.adversaries import FixedSequence, HardSequence, RandomSigns
from regret.theorems import rigorous, runs
from regret.theorems.exact_geometry import Balls, Point, balls_of, blocks_of, dot, root_above
from regret.theorems.rigorous import regret_certificate
from structures import Circulant, Conjugated, Diagonal, Exchangeable, Full, LeftKronecker, ModeK
from structures.registry import all_structures
from theory.certificate import NotCertified
from theory.check import CertificateError, check

ROOT = Path(theory.__file__).resolve().parents[1]


def played(K, domain=None, horizon=20, eps=0.0, scale=1.0, keep_history=True, **options):
    learner = AdaptiveRegularization(K, lr=0.7, eps=eps, domain=domain)
    game = FixedSequence(scale * np.random.default_rng(0).standard_normal((horizon, *K.shape)))
    return play(learner, game, horizon, keep_history=keep_history, **options)


def dead_start(domain=None, **options):
    """No gradient at first; against a comparator at the start, D_t = 0 until one comes."""
    gradients = np.random.default_rng(2).standard_normal((12, 3))
    gradients[:5] = 0.0
    learner = AdaptiveRegularization(Diagonal((3,)), lr=1.0, eps=0.3, domain=domain)
    return play(learner, FixedSequence(gradients), 12, keep_history=True, **options)


def hard_line(horizon):
    """AdaGrad on [-1, 1] against the hard sequence."""
    game = HardSequence(np.ones(1), horizon)
    learner = AdaptiveRegularization(Diagonal((1,)), lr=sqrt(2.0), domain=Box(1.0))
    return play(learner, game, horizon, x0=game.x0, keep_history=True)


def gram():
    learner = GramFullMatrix((5,), lr=sqrt(2.0), eps=0.01, domain=L2Ball(1.0), horizon=25)
    return play(learner, RandomSigns((5,)), 25, keep_history=True)


def far_comparator():
    """A comparator outside of the domain, where the bound is false."""
    learner = runs.tuned(Diagonal((1,)), Box(1.0))
    return play(learner, FixedSequence(-np.ones((60, 1))), 60, comparator=np.array([10.0]), keep_history=True)


def judged(run, **options):
    return run.verify("structured-regret", rigorous=True, **options)


def document(run):
    return json.loads(regret_certificate(run).to_json())


HARD = {f"hard sequence, {name}": lambda name=name: runs.hard(name, 80, keep_history=True) for name in runs.MATCHED}
RUNS = {
    **HARD,
    "five kinds of layers on a product of balls": lambda: runs.mixed_layers(30),
    "three rates in the whole space": lambda: runs.unconstrained("LeftKronecker", eps=0.01, keep_history=True),
    "full matrix in the whole space": lambda: played(Full((2, 2)), comparator=np.ones((2, 2))),
    "a tensor": lambda: played(ModeK((2, 3, 2), 1), L2Ball(1.0)),
    "circulant on a simplex": lambda: played(Circulant((4,)), Simplex(2.0), eps=1e-3),
    "full matrix in Gram form": gram,
    "singular statistics": lambda: played(Full((6,)), horizon=4, comparator=np.ones(6)),
    "no gradient at first, comparator at the start": lambda: dead_start(comparator=np.zeros(3)),
    "no gradient at first, best in hindsight": lambda: dead_start(Box(1.0)),
    "scale 1e-120": lambda: played(Full((3,)), L2Ball(1.0), scale=1e-120),
    "scale 1e120": lambda: played(LeftKronecker((2, 3)), SpectralBall(1.0), scale=1e120),
}


@pytest.mark.parametrize("name", RUNS)
def test_a_small_run_with_its_history_is_verified_rigorously(name):
    run = RUNS[name]()
    assert run.verify("structured-regret").kind == "VERIFIED"
    verdict = judged(run)
    assert verdict.kind == "VERIFIED_RIGOROUS" and verdict.certificate is not None
    assert check(json.loads(verdict.certificate.to_json())) == verdict.evidence["certificate"]
    assert f"every horizon t <= {run.horizon}" in verdict.evidence["certificate"]


def test_it_is_saved_and_checked_again_with_the_standard_library(tmp_path):
    verdict = judged(hard_line(40))
    assert verdict.certificate is not None and "verdict.certificate.save" in verdict.evidence["check_again"]
    path = verdict.certificate.save(tmp_path / "proof.json")
    command = [sys.executable, "-S", "-W", "error", "-m", "theory.check"]
    result = subprocess.run([*command, str(path)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stderr) == (0, "") and "every horizon t <= 40" in result.stdout
    assert theory.Verdict.from_json(verdict.to_json()) == verdict  # the certificate is no part of the record


def test_the_checker_adds_up_the_numbers_of_the_run_itself():
    run = runs.hard("one-sided Shampoo", 30, keep_history=True)
    inputs = document(run)["inputs"]
    for name, kept in (("gradients", run.gradients), ("iterates", run.iterates[:-1])):
        stated = [[float(theory.check.number(value, name)) for value in row] for row in inputs[name]]
        assert np.array_equal(stated, kept.reshape(30, 6))
    assert theory.check.number(inputs["eta"], "eta") == Fraction(run.lr)


# --- the sharpness of the proof -------------------------------------------------------------------------------------------


def exact_ratio(run):
    """max L_t / ((D²/2η + η) √v_t) of AdaGrad on [-1, 1], by summing up fractions."""
    g = [Fraction(float(value)) for value in run.gradients.reshape(-1)]
    x = [Fraction(float(value)) for value in run.iterates.reshape(-1)]
    won = accumulate(p * q for p, q in zip(g, x, strict=False))
    regret = [a + abs(s) for a, s in zip(won, accumulate(g), strict=True)]
    squares = [float(value) for value in accumulate(value * value for value in g)]
    eta = Fraction(run.lr)
    return max(float(r / (2 / eta + eta)) / sqrt(v) for r, v in zip(regret, squares, strict=True))


@pytest.mark.parametrize("room", [1e-9, -1e-9])  # the diameter gives away 2⁻⁴⁰ = 1e-12
def test_the_certified_bound_is_the_exact_one_and_not_a_better_one(monkeypatch, room):
    run = hard_line(60)
    factor = Fraction(exact_ratio(run) * (1 + room))
    assert 0.5 < factor < 1
    monkeypatch.setattr(rigorous, "weight", lambda square, eta: factor * (square / (2 * eta) + eta))
    if room > 0:
        regret_certificate(run)
    else:
        with pytest.raises(NotCertified, match="above the proved bound"):
            regret_certificate(run)


@pytest.mark.parametrize("name", runs.MATCHED)
def test_half_of_the_bound_is_not_certified_on_the_hard_sequence(monkeypatch, name):
    run = runs.hard(name, 60, keep_history=True)
    regret_certificate(run)
    monkeypatch.setattr(rigorous, "weight", lambda square, eta: (square / (2 * eta) + eta) / 2)
    with pytest.raises(NotCertified, match="above the proved bound"):
        regret_certificate(run)
    assert judged(run).kind == "VERIFIED"


@given(st.fractions(min_value=0))
def test_a_root_from_above_is_close_and_exact_for_squares(q):
    root = root_above(q)
    assert root**2 >= q >= (root * (1 - Fraction(1, 2**62))) ** 2
    assert root_above(q * q) == q


# --- structures and domains in exact form -----------------------------------------------------------------------------------


@pytest.mark.parametrize("K", all_structures(), ids=repr)
def test_blocks_are_those_of_the_structure_or_there_is_no_certificate(K):
    gradients = np.random.default_rng(1).standard_normal((3, *K.shape))
    if isinstance(K, (Exchangeable, Conjugated)):
        with pytest.raises(NotCertified, match="no exact form"):
            blocks_of(K)
        verdict = judged(played(K, comparator=np.ones(K.shape)))
        assert verdict.kind == "VERIFIED" and "no exact form" in verdict.evidence["certificate"]
        return
    g, blocks = gradients.reshape(3, -1), blocks_of(K)
    norm, trace = 0.0, 0.0
    for block in blocks:
        Z = np.concatenate(list(g[:, block.table]), axis=-1) / len(block.table[0]) ** 0.5
        trace += block.copies * np.linalg.svd(Z, compute_uv=False).sum()
        norm = np.maximum(norm, block.norm(g))
    np.testing.assert_allclose(norm, K.norm(gradients), rtol=1e-7)  # K takes roots of eigenvalues: √u
    assert trace == pytest.approx(float(K.adaptive_norm(gradients)), rel=1e-7)
    assert sum(len(block.table) * block.copies for block in blocks) == K.dim


DOMAINS = [
    Box(0.7).on((6,)), L2Ball(1.5).on((2, 3)), SpectralBall(1.3).on((2, 3)), Simplex(2.0).on((6,)),
    Product([(L2Ball(0.8), (2,)), (SpectralBall(0.4), (2, 2))]),
]  # fmt: skip


@pytest.mark.parametrize("domain", DOMAINS, ids=repr)
def test_a_support_function_is_bounded_from_above_and_closely(domain):
    balls = Balls(balls_of(domain), 1.0)
    for seed in range(4):
        s = np.random.default_rng(seed).integers(-8, 9, 6) / 8 * 10.0 ** (60 * (seed - 1))
        exact = [Fraction(float(value)) for value in s]
        bound, _ = balls.support(exact)
        about = float(domain.support(s.reshape(domain.parameter_shape)))
        assert float(bound) == pytest.approx(about, rel=1e-12)
        vertex = domain.lmo(-s.reshape(domain.parameter_shape)).reshape(-1)
        inside = [Fraction(float(value)) * (1 - Fraction(1, 2**48)) for value in vertex]  # its rounding may lie outside
        assert bound >= dot(exact, inside)


def test_a_distance_is_bounded_from_below_and_closely():
    x = np.random.default_rng(3).standard_normal((9, 6))
    u = np.ones(6)
    for K in (Diagonal((6,)), LeftKronecker((2, 3)), Circulant((6,)), Full((6,))):
        point = Point(u, x, blocks_of(K))
        for t in (1, 4, 9):
            square, _ = point.distance_squared(t)
            about = float(np.max(K.norm((x[:t] - u).reshape(-1, *K.shape))))
            assert sqrt(square) == pytest.approx(about, rel=1e-12)
    exact, _ = Point(u, x, blocks_of(Diagonal((6,)))).distance_squared(9)
    assert exact == max((Fraction(float(value)) - 1) ** 2 for value in x.reshape(-1))


# --- what gets no certificate -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (lambda: played(Diagonal((3,)), Box(1.0), keep_history=False), "history was not kept"),
        (lambda: played(Diagonal((300,)), Box(1.0), horizon=14), "4200 numbers"),
        (lambda: played(Full((17,)), horizon=3, comparator=np.ones(17)), "17 x 17"),
    ],
)
def test_a_run_that_is_too_large_or_not_recorded_stays_verified_and_says_why(run, words):
    verdict = judged(run())
    assert verdict.kind == "VERIFIED" and words in verdict.evidence["certificate"] and verdict.certificate is None


def test_a_theorem_that_says_something_else_does_not_borrow_the_certificate():
    run = runs.hard("AdaGrad", 60, keep_history=True)
    for other in ("structured-regret-norm", "adagrad-regret"):
        verdict = run.verify(other, rigorous=True)
        assert verdict.kind == "VERIFIED" and verdict.evidence["certificate"] == "none offered"


def test_a_false_inequality_is_not_certified():
    verdict = judged(far_comparator(), ignoring=("comparator",))
    assert verdict.kind == "VIOLATED" and "above the proved bound" in verdict.evidence["certificate"]


@pytest.mark.parametrize("field", ["gradients", "iterates", "regret", "trace_root"])
def test_a_trace_whose_numbers_disagree_is_not_certified(field):
    run = hard_line(40)
    changed = {field: 1.5 * getattr(run, field)} | (
        {"regret_lower": 1.5 * run.regret_lower} if field == "regret" else {}
    )
    tampered = replace(run, **changed)
    assert judged(tampered).kind == "HYPOTHESIS_FAILED"
    verdict = judged(tampered, ignoring=("faithful", "feasible", "cumulative"))
    assert verdict.kind != "VERIFIED_RIGOROUS" and "not found: horizon" in verdict.evidence["certificate"]


def test_a_history_that_is_not_finite_is_not_certified():
    run = hard_line(10)
    for field in ("gradients", "iterates"):
        with pytest.raises(NotCertified, match="finite"):
            regret_certificate(replace(run, **{field: np.full_like(getattr(run, field), np.nan)}))
    with pytest.raises(NotCertified, match="beyond float64"):
        regret_certificate(
            replace(runs.hard("AdaGrad-Norm", 10, keep_history=True), gradients=np.full((10, 1, 4), 1.7e308))
        )


# --- what the checker refuses -----------------------------------------------------------------------------------------------


def leaves(node, path=()):
    """Paths to everything that is not a container."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield from leaves(child, (*path, key))
    if not isinstance(node, (dict, list)):
        yield path


def altered(certificate, path, change):
    copied = copy.deepcopy(certificate)
    place = copied
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = change(place[path[-1]])
    return copied


def plus(shift):
    def change(value):
        number = theory.check.number(value, "entry") + shift
        return f"{hex(number.numerator)}/{hex(number.denominator)}"

    return change


SMALL = {
    "domain": lambda: played(LeftKronecker((2, 2)), SpectralBall(1.0), horizon=3, eps=0.1),
    "point": lambda: played(LeftKronecker((2, 2)), horizon=3, eps=0.1, comparator=np.eye(2)),
}


@pytest.mark.parametrize("name", SMALL)
def test_no_number_of_a_root_can_be_altered(name):
    certificate = document(SMALL[name]())
    check(certificate)
    paths = [path for path in leaves(certificate["witness"]["proofs"]) if "roots" in path]
    assert len(paths) > 6
    for path in paths:
        with pytest.raises(CertificateError):
            check(altered(certificate, ("witness", "proofs", *path), plus(Fraction(1, 2**20))))


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("junk", [None, "x", 0.5, [], {}, True])
def test_what_is_not_an_exact_number_is_refused_everywhere(name, junk):
    certificate = document(SMALL[name]())
    for path in leaves({key: certificate[key] for key in ("inputs", "witness")}):
        with pytest.raises(CertificateError):
            check(altered(certificate, path, lambda _: junk))


@pytest.mark.parametrize("name", SMALL)
def test_nothing_can_be_left_out(name):
    certificate = document(SMALL[name]())
    for part in ("inputs", "witness"):
        for key in certificate[part]:
            if part == "witness" and key == "polars" and name == "point":
                continue  # a point needs none
            with pytest.raises(CertificateError):
                check({**certificate, part: {k: v for k, v in certificate[part].items() if k != key}})


SHAMPOO = runs.hard("one-sided Shampoo", 40, keep_history=True)


@pytest.mark.parametrize(
    ("path", "change", "words"),
    [
        (("inputs", "gradients", 0, 0), plus(1), "differs"),  # the root is that of another matrix
        (("inputs", "gradients", 39, 0), plus(50), "horizon 40"),  # more regret
        (("inputs", "iterates", 38, 0), plus(-200), "horizon 39"),
        (("inputs", "diameter"), lambda _: "1/4", "at horizon"),  # a smaller bound
        (("inputs", "balls", 0, "size"), lambda _: 3, "at horizon"),  # a larger domain
        (("inputs", "balls", 0, "ball"), lambda _: "ball", "is no ball"),
        (("inputs", "balls", 0, "rows"), lambda _: 3, "fit"),
        (("inputs", "balls", 0, "rows"), lambda _: 1, "entries"),
        (("inputs", "blocks", 0, "copies"), lambda _: 4, "fill"),
        (("inputs", "blocks", 0, "copies"), lambda _: -3, "at least one"),
        (("inputs", "blocks", 0, "table", 0, 0), lambda _: 5, "differs"),
        (("inputs", "blocks", 0, "table", 0, 0), lambda _: -1, "positions"),
        (("inputs", "eta"), lambda _: 0, "positive"),
        (("inputs", "eps"), lambda _: "1/2", "root_eps"),
        (("inputs", "eps"), lambda _: -1, "not negative"),
        (("witness", "proofs", 0, "horizon"), lambda _: 2, "differs"),
        (("witness", "proofs", 1, "horizon"), lambda _: 1, "increase"),
        (("witness", "proofs"), lambda proofs: proofs[:-1], "at horizon"),
        (("witness", "proofs"), lambda _: [], "no bound is proved"),
        (("witness", "polars", 39, 0, "terms", 0, "size"), lambda _: 0, "below"),
        (("witness", "polars"), lambda polars: polars[:-1], "decomposition"),
    ],
)  # fmt: skip
def test_an_altered_certificate_is_refused_with_the_reason(path, change, words):
    certificate = document(SHAMPOO)
    assert len(certificate["witness"]["proofs"]) > 1
    with pytest.raises(CertificateError, match=words):
        check(altered(certificate, path, change))


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [("vector", [0, 0], "zero"), ("step", 4, "step"), ("block", 1, "block"), ("block", -1, "block")],
)
def test_a_distance_of_a_certificate_is_one_that_was_reached(key, value, words):
    certificate = document(SMALL["point"]())
    with pytest.raises(CertificateError, match=words):
        check(altered(certificate, ("witness", "proofs", 0, key), lambda _: value))
