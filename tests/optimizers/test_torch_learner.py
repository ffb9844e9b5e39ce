"""Torch's optimizers play like learners of the house: the same numbers as their twins, and a trace like any other."""

import numpy as np
import pytest
import torch

from optimizers import AGD, AdaGradNorm, FullMatrixAdaGrad
from optimizers.learner import TorchLearner
from optimizers.reference.agd import Recursion, steps
from optimizers.theorems.agd_learner import AGDLearner
from problems.domains import Box, L2Ball
from regret import AdaptiveRegularization, OnlineGradientDescent, play
from regret.adversaries import FixedSequence, RandomSigns
from regret.trace import Trace
from structures import Full, Scalar
from theory.verdict import VerdictKind

ROUNDING = 1e-11  # sixty steps on numbers of size one


def game(learner, horizon=60, **options):
    settings = {"batch": 2, "keep_history": True, **options}
    return play(learner, RandomSigns((4,)), horizon, **settings)


def close(a, b):
    np.testing.assert_allclose(a.iterates, b.iterates, rtol=ROUNDING, atol=ROUNDING)
    np.testing.assert_allclose(a.regret, b.regret, rtol=ROUNDING, atol=10 * ROUNDING)


@pytest.mark.parametrize("schedule", ["constant", "inverse_sqrt"])
@pytest.mark.parametrize("domain", [Box(0.5), L2Ball(0.5)])
def test_sgd_is_online_gradient_descent_number_by_number(schedule, domain):
    torch_run = game(TorchLearner((4,), torch.optim.SGD, 0.3, domain=domain, schedule=schedule))
    run = game(OnlineGradientDescent((4,), 0.3, domain, schedule))
    close(torch_run, run)
    np.testing.assert_allclose(torch_run.q_sum, run.q_sum, rtol=ROUNDING)
    np.testing.assert_allclose(torch_run.trace_root, run.trace_root, rtol=ROUNDING)
    np.testing.assert_allclose(torch_run.gap_sum, run.gap_sum, rtol=ROUNDING, atol=ROUNDING)


@pytest.mark.parametrize("kind", ["norm", "full"])
def test_our_adagrads_are_adaptive_regularization(kind):
    u = np.full(4, 0.1)
    if kind == "norm":
        torch_learner = TorchLearner((4,), AdaGradNorm, 0.6, {"eps": 0.04})
        learner = AdaptiveRegularization(Scalar((4,)), lr=0.3, eps=0.01)
    else:
        torch_learner = TorchLearner((4,), FullMatrixAdaGrad, 0.3, {"eps": 0.01})
        learner = AdaptiveRegularization(Full((4,)), lr=0.3, eps=0.01)
    close(game(torch_learner, comparator=u), game(learner, comparator=u))


@pytest.mark.parametrize("beta1", [0.0, 0.9])
def test_agd_with_amsgrad_and_shrinking_steps_is_the_recursion_of_the_regret_theorem(beta1):
    options = {"betas": (beta1, 0.99), "delta": 0.5, "amsgrad": True, "clip": None}
    torch_run = game(TorchLearner((4,), AGD, 0.3, options, Box(0.5), "inverse_sqrt"))
    settings = {"beta1": beta1, "beta2": 0.99, "delta": 0.5, "debias": True}
    close(torch_run, game(AGDLearner((4,), 0.3, Box(0.5), **settings)))
    rule = Recursion(
        lr=lambda t: 0.3 * t**-0.5,
        beta1=beta1,
        beta2=0.99,
        delta=0.5,
        amsgrad=True,
        project=lambda x: np.clip(x, -0.5, 0.5),
    )
    printed = [step.after for step in steps(rule, torch_run.iterates[0], lambda t, x: torch_run.gradients[t - 1], 60)]
    np.testing.assert_allclose(torch_run.iterates[1:], printed, rtol=ROUNDING, atol=ROUNDING)


@pytest.mark.parametrize(
    "optimizer", [torch.optim.Adam, torch.optim.AdamW, torch.optim.RMSprop, torch.optim.Adagrad, AGD]
)
def test_any_optimizer_has_a_trace_that_repeats(optimizer):
    learner = TorchLearner((4,), optimizer, 0.05, domain=Box(1.0))
    run = game(learner)
    assert run.identical(game(learner))
    assert run.verify("structured-regret").kind is VerdictKind.HYPOTHESIS_FAILED  # its bound is for other recursions
    alone = game(learner, batch=1, first=1)
    np.testing.assert_array_equal(alone.iterates[:, 0], run.iterates[:, 1])


def test_its_regret_is_judged_and_plotted_beside_a_bound():
    import matplotlib as mpl

    mpl.use("Agg")
    options = {"delta": 1.0, "amsgrad": True, "clip": None}
    run = game(TorchLearner((4,), AGD, 1.0, options, Box(1.0), "inverse_sqrt"))
    assert run.verify("agd-regret-sharp").kind is VerdictKind.VERIFIED
    axes = run.plot(theorem="agd-regret-sharp")
    assert len(axes.lines) >= 2
    import matplotlib.pyplot as plt

    plt.close("all")


def test_the_default_clip_and_other_schedules_are_not_the_theorem_s():
    for learner in (
        TorchLearner((4,), AGD, 1.0, {"amsgrad": True}, Box(1.0), "inverse_sqrt"),
        TorchLearner((4,), AGD, 1.0, {"amsgrad": True, "clip": None}, Box(1.0)),
        TorchLearner((4,), AGD, 1.0, {"clip": None}, Box(1.0), "inverse_sqrt"),
        TorchLearner((4,), torch.optim.Adam, 1.0, {"amsgrad": True}, Box(1.0), "inverse_sqrt"),
    ):
        assert game(learner).verify("agd-regret").kind is VerdictKind.HYPOTHESIS_FAILED


def test_a_trace_of_it_is_stored_and_comes_back(tmp_path):
    run = game(TorchLearner((4,), AGD, (0.1, 0.2), {"betas": (0.5, 0.9), "delta": 0.1}, Box(1.0)))
    run.save(tmp_path / "run.npz")
    assert Trace.load(tmp_path / "run.npz").identical(run)


def test_torch_iterates_stay_torch_and_each_element_has_its_own_rate():
    x0 = torch.zeros(2, 3, dtype=torch.float64)
    learner = TorchLearner((3,), torch.optim.SGD, (0.1, 0.4))
    state = learner.step(learner.init(x0), torch.ones(2, 3, dtype=torch.float64))
    assert torch.equal(state["x"], torch.tensor([[-0.1] * 3, [-0.4] * 3], dtype=torch.float64))


def test_a_schedule_may_be_a_function_of_the_step():
    rows = np.ones((4, 1))
    run = play(
        TorchLearner((1,), torch.optim.SGD, 1.0, schedule=lambda t: 1.0 / t**2), FixedSequence(rows), 4, comparator=np.zeros(1),
        keep_history=True,
    )  # fmt: skip
    np.testing.assert_allclose(run.iterates[:, 0, 0], -np.cumsum([0, 1, 1 / 4, 1 / 9, 1 / 16]), rtol=1e-14)


def test_a_state_can_be_stepped_once():
    learner = TorchLearner((2,), torch.optim.SGD, 0.1)
    state, g = learner.init(np.zeros((1, 2))), np.ones((1, 2))
    learner.step(state, g)
    with pytest.raises(ValueError, match="can be stepped once"):
        learner.step(state, g)


def test_what_is_no_optimizer_or_no_schedule_is_refused():
    with pytest.raises(TypeError, match="must be a class"):
        TorchLearner((2,), lambda params: None, 0.1)
    with pytest.raises(TypeError, match="no torch optimizer"):
        TorchLearner((2,), torch.nn.Linear, 0.1).init(np.zeros((1, 2)))
    with pytest.raises(TypeError, match="no torch optimizer that is loaded"):
        TorchLearner((2,), "antigravity:fly", 0.1)
    with pytest.raises(ValueError, match="schedule must be"):
        TorchLearner((2,), torch.optim.SGD, 0.1, schedule="cosine")
    with pytest.raises(ValueError, match="lr has 3 values for a batch of 2"):
        TorchLearner((2,), torch.optim.SGD, (0.1, 0.2, 0.3)).init(np.zeros((2, 2)))


def test_a_package_names_the_class_of_its_module():
    """By the package's name the optimizer played, and the theorems of AGD refused its trace."""
    named, given = (TorchLearner((2,), optimizer, 0.1) for optimizer in ("optimizers:AGD", AGD))
    assert named.optimizer == given.optimizer == "optimizers.agd:AGD"
