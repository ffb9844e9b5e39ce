"""The learner follows its definition, on every structure and namespace, and refuses what it cannot mean."""

import copy

import array_api_strict
import numpy as np
import pytest
import torch
from dense_learner import dense_run

from problems.domains import Box, L2Ball, SpectralBall
from regret import AdaptiveRegularization
from structures import Diagonal, DirectSum, Full, LeftKronecker, RightKronecker, Scalar
from structures.arrays import to_numpy, tolerance, tree_leaves
from structures.not_structured import DiagonalLinear, MonotoneCone
from structures.registry import all_structures

ALL = pytest.mark.parametrize("K", all_structures(), ids=repr)
FORMS = [("cumulative", 1.0), ("weighted", 0.9), ("ema", 0.7)]


def gradients(K, batch=3, T=8, seed=0):
    """Gradients of mixed scale, with a zero step and a repeated one."""
    rng = np.random.default_rng(seed)
    G = rng.standard_normal((T, batch, *K.shape)) * 10.0 ** rng.uniform(-1, 1, (T, batch, *[1] * len(K.shape)))
    G[3], G[5] = 0.0, G[4]
    return G


def played(learner, G, x0):
    """All states of a game against a fixed sequence."""
    states = [learner.init(x0)]
    for g in G:
        states.append(learner.step(states[-1], g))
    return states


@ALL
@pytest.mark.parametrize(("accumulate", "beta"), FORMS)
def test_iterates_are_those_of_the_dense_definition(K, accumulate, beta):
    G = gradients(K)
    x0 = np.ones((3, *K.shape))
    learner = AdaptiveRegularization(K, lr=0.3, eps=0.05, accumulate=accumulate, beta=beta)
    states = played(learner, G, x0)
    for b in range(3):
        for state, (x, H) in zip(states[1:], dense_run(K, G[:, b], x0[b], 0.3, 0.05, accumulate, beta), strict=True):
            # ε = 0.05 beside squares up to 1e3: condition number below 1e5, and half of it under the root.
            assert np.max(np.abs(state["x"][b] - x)) <= tolerance(x, 8 * K.dim, cond=1e5)
            assert abs(state["trace_root"][b] - np.trace(H)) <= tolerance(x, 8 * K.dim) * np.trace(H) * 10


def test_a_statistic_without_the_current_gradient_is_another_algorithm():
    K, G = Diagonal((3,)), gradients(Diagonal((3,)))
    learner = AdaptiveRegularization(K, lr=0.3, eps=0.05)
    states = played(learner, G, np.ones((3, 3)))
    late = np.ones(3) - 0.3 * G[0, 0] / np.sqrt(0.05)  # H_0 instead of H_1
    assert np.max(np.abs(states[1]["x"][0] - late)) > 1e-2


@pytest.mark.parametrize("K", [Scalar((4,)), Diagonal((4,)), LeftKronecker((2, 3)), Full((3,))], ids=repr)
def test_the_pseudo_inverse_is_used_where_the_statistic_is_singular(K):
    rng = np.random.default_rng(1)
    g = rng.standard_normal((1, *K.shape))
    state = AdaptiveRegularization(K, lr=1.0).step(AdaptiveRegularization(K, lr=1.0).init(np.zeros((1, *K.shape))), g)
    # For M = g gᵀ: q = <g, H⁻¹g> = Tr H, and H⁻¹g is the step. The root turns an eigenvalue of 1e-16 into 1e-8.
    rtol = K.dim * tolerance(g, K.dim) ** 0.5
    assert np.allclose(state["q"], state["trace_root"], rtol=rtol, atol=0)
    assert np.allclose(-np.sum(g * state["x"]), state["q"][0], rtol=1e-12, atol=0)
    assert np.allclose(state["trace_root"], K.dual_norm(g), rtol=rtol, atol=0)


@ALL
def test_an_ema_is_a_weighted_sum_with_another_rate_and_damping(K):
    G, x0, beta, lr, eps = gradients(K), np.zeros((3, *K.shape)), 0.9, 0.5, 0.2
    ema = AdaptiveRegularization(K, lr=lr, eps=eps, accumulate="ema", beta=beta)
    weighted = AdaptiveRegularization(
        K, lr=lr / (1 - beta) ** 0.5, eps=eps / (1 - beta), accumulate="weighted", beta=beta
    )
    one, other = played(ema, G, x0)[-1]["x"], played(weighted, G, x0)[-1]["x"]
    assert np.max(np.abs(one - other)) <= tolerance(one, 8 * K.dim, cond=1e5)
    unscaled = AdaptiveRegularization(K, lr=lr / (1 - beta) ** 0.5, eps=eps, accumulate="weighted", beta=beta)
    assert np.max(np.abs(one - played(unscaled, G, x0)[-1]["x"])) > 1e-6


@pytest.mark.parametrize("K", [LeftKronecker((3, 2)), RightKronecker((2, 3))], ids=repr)
def test_textbook_one_sided_shampoo_has_another_rate_and_damping(K):
    """X -= lr' · (ε'I + Σ GGᵀ)^{-1/2} G with lr' = lr √n and ε' = n ε."""
    left = isinstance(K, LeftKronecker)
    n = K.multiplicity
    G, X, L = gradients(K, batch=1), np.zeros(K.shape), 0.3 * n * np.eye(K.rank)
    learner = AdaptiveRegularization(K, lr=0.2, eps=0.3)
    final = played(learner, G, X[None])[-1]["x"][0]
    for (g,) in G:
        L = L + (g @ g.T if left else g.T @ g)
        values, vectors = np.linalg.eigh(L)
        root = (vectors / np.sqrt(values)) @ vectors.T
        X = X - 0.2 * n**0.5 * (root @ g if left else g @ root)
    assert np.allclose(final, X, rtol=0, atol=tolerance(X, 6, cond=1e4))


@ALL
def test_a_step_changes_nothing_and_shares_nothing(K):
    learner = AdaptiveRegularization(K, lr=0.3, eps=0.1)
    x0, G = np.ones((2, *K.shape)), gradients(K, batch=2)
    before = learner.step(learner.init(x0), G[0])
    kept = copy.deepcopy(before)
    g = G[1].copy()
    after = learner.step(before, g)
    for name, value in kept.items():
        assert all(np.array_equal(a, b) for a, b in zip(tree_leaves(value), tree_leaves(before[name]), strict=True))
    frozen = copy.deepcopy(after)
    for leaf in [
        g,
        *(leaf for value in before.values() for leaf in tree_leaves(value) if isinstance(leaf, np.ndarray)),
    ]:
        leaf[...] = 1e3  # whoever shares memory with it would see this
    for name, value in frozen.items():
        assert all(np.array_equal(a, b) for a, b in zip(tree_leaves(value), tree_leaves(after[name]), strict=True))


def test_the_start_is_copied():
    x0 = np.ones((1, 2))
    state = AdaptiveRegularization(Diagonal((2,)), lr=0.1).init(x0)
    x0[...] = 7.0
    assert np.array_equal(state["x"], np.ones((1, 2)))


def test_a_projected_step_is_the_projection_of_the_unconstrained_one():
    K, G = Full((3,)), gradients(Full((3,)))
    free, held = (
        AdaptiveRegularization(K, lr=5.0, eps=0.1),
        AdaptiveRegularization(K, lr=5.0, eps=0.1, domain=L2Ball(1.0)),
    )
    one, other = free.step(free.init(np.zeros((3, 3))), G[0]), held.step(held.init(np.zeros((3, 3))), G[0])
    x, gap = L2Ball(1.0).project(one["x"], K.factor(one["statistic"]))
    assert np.array_equal(other["x"], x)
    assert np.array_equal(other["gap"], gap)
    assert np.all(np.linalg.norm(other["x"], axis=1) <= 1 + 1e-12)
    assert np.max(np.abs(one["x"] - other["x"])) > 1


def test_what_the_pseudo_inverse_drops_is_reported():
    K = Full((2,))
    learner = AdaptiveRegularization(K, lr=1.0)
    state = learner.step(learner.init(np.zeros((1, 2))), np.array([[1.0, 0.0]]))
    seen = learner.step(state, np.array([[0.0, 1e-3]]))
    unseen = learner.step(state, np.array([[0.0, 1e-12]]))  # its square is below eps · λ_max
    assert seen["dropped"][0] == 0
    assert unseen["dropped"][0] == pytest.approx(1e-12, rel=1e-6)
    assert unseen["x"][0, 1] == 0


@ALL
def test_a_batch_is_its_elements_side_by_side(K):
    G, x0 = gradients(K), np.zeros((3, *K.shape))
    learner = AdaptiveRegularization(K, lr=0.3, eps=0.1)
    together = played(learner, G, x0)[-1]
    for b in range(3):
        alone = played(learner, G[:, b : b + 1], x0[b : b + 1])[-1]
        assert np.allclose(together["x"][b], alone["x"][0], rtol=0, atol=tolerance(x0, 8 * K.dim, cond=1e4))


def test_every_element_may_have_its_own_rate():
    K, G = Diagonal((2,)), gradients(Diagonal((2,)))
    rates = (0.1, 1.0, 3.0)
    together = played(AdaptiveRegularization(K, lr=rates), G, np.zeros((3, 2)))[-1]["x"]
    for b, rate in enumerate(rates):
        alone = played(AdaptiveRegularization(K, lr=rate), G[:, b : b + 1], np.zeros((1, 2)))[-1]["x"]
        assert np.array_equal(together[b], alone[0])
    with pytest.raises(ValueError, match="lr has 3 values for a batch of 2"):
        AdaptiveRegularization(K, lr=rates).step(AdaptiveRegularization(K, lr=rates).init(np.zeros((2, 2))), G[0, :2])


STRICT = array_api_strict.Device("device1")


@pytest.mark.parametrize(
    ("K", "domain"),
    [
        (Diagonal((4,)), Box(0.5)),
        (Scalar((4,)), L2Ball(0.5)),
        (LeftKronecker((2, 3)), SpectralBall(0.5)),
        (DirectSum([Full((2,)), Diagonal((2,))]), None),
    ],
    ids=repr,
)
@pytest.mark.parametrize("kind", ["torch", "strict"])
def test_every_namespace_and_device_gives_the_same_numbers(K, domain, kind):
    G, x0 = gradients(K, batch=2), np.zeros((2, *K.shape))

    def moved(a):
        return torch.asarray(a) if kind == "torch" else array_api_strict.asarray(a.tolist(), device=STRICT)

    learner = AdaptiveRegularization(K, lr=0.5, eps=0.1, domain=domain)
    here = played(learner, G, x0)[-1]
    there = played(learner, [moved(g) for g in G], moved(x0))[-1]
    assert type(there["x"]) is type(moved(x0))
    for name in ("x", *learner.scalars):
        atol = tolerance(x0, 8 * K.dim, cond=1e5) * max(1.0, float(np.max(np.abs(here[name]))))
        assert np.allclose(to_numpy(there[name]), here[name], rtol=0, atol=atol), name


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"lr": 0.0}, "lr must be a positive"),
        ({"lr": -1.0}, "lr must be a positive"),
        ({"lr": float("nan")}, "lr must be a positive"),
        ({"lr": ()}, "lr must be a positive"),
        ({"lr": [[0.1], [0.2]]}, "lr must be a positive"),
        ({"lr": "fast"}, "lr must be a positive"),
        ({"lr": None}, "lr must be a positive"),
        ({"lr": 1j}, "lr must be a positive"),
        ({"eps": None}, "eps must be a finite number ≥ 0"),
        ({"eps": -1e-9}, "eps must be a finite number ≥ 0"),
        ({"eps": float("inf")}, "eps must be a finite number ≥ 0"),
        ({"beta": 0.0, "accumulate": "ema"}, r"beta must lie in \(0, 1\]"),
        ({"beta": 1.5, "accumulate": "weighted"}, r"beta must lie in \(0, 1\]"),
        ({"beta": float("nan"), "accumulate": "weighted"}, r"beta must lie in \(0, 1\]"),
        ({"beta": 0.9}, "no effect on cumulative"),
        ({"accumulate": "ema"}, "never sees a gradient"),
        ({"accumulate": "sum"}, "accumulate must be one of"),
    ],
)
def test_wrong_settings_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        AdaptiveRegularization(**{"structure": Diagonal((2,)), "lr": 0.1, **options})


def test_a_set_that_needs_all_of_m_is_refused_and_one_with_its_own_rule_is_not():
    with pytest.raises(ValueError, match="cannot be learned from E"):
        AdaptiveRegularization(DiagonalLinear((3,)), lr=0.1)
    with pytest.raises(TypeError, match="structure must be a Structure"):
        AdaptiveRegularization("diagonal", lr=0.1)  # pyright: ignore[reportArgumentType]
    cone = MonotoneCone((2,))
    learner = AdaptiveRegularization(cone, lr=1.0)
    state = learner.step(learner.init(np.zeros((1, 2))), np.array([[0.0, 2.0]]))
    # iso(0, 4) = (2, 2): H = √2 I, where the roots of the diagonal would be (0, 2).
    assert np.allclose(state["trace_root"], 2 * 2**0.5, rtol=1e-15)
    assert np.allclose(state["x"], [[0.0, -(2**0.5)]], rtol=1e-15)


def test_a_domain_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="shape|axes|matrix"):
        AdaptiveRegularization(Diagonal((4,)), lr=0.1, domain=SpectralBall(1.0))
    with pytest.raises(ValueError, match="has 3 parameters, but the learner's shape is"):
        AdaptiveRegularization(Diagonal((4,)), lr=0.1, domain=L2Ball(1.0).on((3,)))
    assert AdaptiveRegularization(Diagonal((4,)), lr=0.1, domain=L2Ball(1.0).on((2, 2))).domain == L2Ball(1.0).on((4,))
    for domain in ("ball", L2Ball):
        with pytest.raises(TypeError, match="domain must be None or a Domain"):
            AdaptiveRegularization(Diagonal((4,)), lr=0.1, domain=domain)  # pyright: ignore[reportArgumentType]


def test_a_rate_of_any_library_without_axes_is_one_number():
    for rate in (np.float32(0.5), np.asarray(0.5), torch.tensor(0.5), 1):
        lr = AdaptiveRegularization(Diagonal((2,)), lr=rate).lr  # pyright: ignore[reportArgumentType]
        assert type(lr) is float and lr == float(rate)
    assert AdaptiveRegularization(Diagonal((2,)), lr=np.array([0.5, 1.0])).lr == (0.5, 1.0)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("x0", "error", "words"),
    [
        (np.zeros(2), ValueError, r"x0 has shape \(2,\), expected \(batch, 2\)"),
        (np.zeros((1, 3)), ValueError, "x0 has shape"),
        (np.zeros((0, 2)), ValueError, "empty batch"),
        (np.zeros((1, 2), dtype=np.int64), TypeError, "x0 has dtype int64"),
        (np.array([[0.0, np.inf]]), ValueError, "x0 is not finite"),
    ],
)
def test_a_start_that_means_nothing_is_refused(x0, error, words):
    with pytest.raises(error, match=words):
        AdaptiveRegularization(Diagonal((2,)), lr=0.1).init(x0)


@pytest.mark.parametrize(
    ("G", "error", "words"),
    [
        (
            np.array([[1.0, 2.0], [np.nan, 0.0]]),
            ValueError,
            r"step 2 is not finite: batch element 1, entry \(0,\) is nan",
        ),
        (np.array([[1.0, -np.inf], [0.0, 0.0]]), ValueError, r"batch element 0, entry \(1,\) is -inf"),
        (np.zeros((2, 3)), ValueError, r"shape \(2, 3\), expected \(2, 2\)"),
        (np.zeros((1, 2)), ValueError, r"shape \(1, 2\), expected \(2, 2\)"),
        (np.zeros((2, 2), dtype=np.float32), TypeError, "is float32, but the state is float64"),
        (torch.zeros((2, 2), dtype=torch.float64), TypeError, "is a torch.Tensor, but the state holds numpy.ndarray"),
        ([[0.0, 0.0], [0.0, 0.0]], TypeError, "is a builtins.list"),
    ],
)
def test_a_bad_gradient_is_refused_before_anything_changes(G, error, words):
    learner = AdaptiveRegularization(Diagonal((2,)), lr=0.1)
    state = learner.step(learner.init(np.zeros((2, 2))), np.ones((2, 2)))
    kept = copy.deepcopy(state)
    with pytest.raises(error, match=words):
        learner.step(state, G)
    assert all(np.array_equal(state[name], kept[name]) for name in kept)


def test_a_gradient_on_another_device_is_refused():
    learner = AdaptiveRegularization(Diagonal((2,)), lr=0.1)
    state = learner.init(array_api_strict.zeros((1, 2), device=STRICT))
    with pytest.raises(ValueError, match="the gradient is on"):
        learner.step(state, array_api_strict.zeros((1, 2)))


@pytest.mark.parametrize("scale", [1e-150, 1e150])
def test_the_step_does_not_depend_on_the_scale_of_the_gradients(scale):
    K = Diagonal((3,))
    learner = AdaptiveRegularization(K, lr=0.3)
    G = gradients(K)
    plain, scaled = played(learner, G, np.zeros((3, 3)))[-1], played(learner, G * scale, np.zeros((3, 3)))[-1]
    assert np.allclose(plain["x"], scaled["x"], rtol=1e-10, atol=0)
