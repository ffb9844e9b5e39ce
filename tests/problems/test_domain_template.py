"""The domain of the how-to page is a domain: what a stranger copies works as it stands."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import hard_metrics
import numpy as np
import pytest

from problems import oracles, registry

TEMPLATE = Path(__file__).parents[2] / "docs" / "templates" / "domain.py"
EPS = float(np.finfo(np.float64).eps)


@pytest.fixture(scope="module")
def domain():
    spec = importlib.util.spec_from_file_location("domain_template", TEMPLATE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclass looks up the module of a class
    spec.loader.exec_module(module)
    yield module.L1Ball.examples((5,))[0].on((5,))
    del sys.modules[spec.name]


def test_its_oracles_agree_with_each_other(domain):
    S = np.random.default_rng(0).standard_normal((50, 5))
    assert np.allclose(np.sum(S * domain.lmo(-S), axis=-1), domain.support(S), rtol=16 * EPS)
    X = domain.project_euclidean(2 * S)
    assert np.allclose(np.sum((X - 2 * S) * X, axis=-1) + domain.support(2 * S - X), 0, atol=256 * EPS)


@pytest.mark.parametrize("structure", [s for s in hard_metrics.structures() if s.shape == (5,)], ids=hard_metrics.name)
def test_it_projects_in_every_metric_that_fits(domain, structure):
    factor = hard_metrics.factor(structure, "generic", batch=1)
    Y = np.random.default_rng(1).standard_normal((1, 5)) * 2
    X, gap = domain.project(Y, factor)
    assert np.sum(np.abs(X)) <= domain.r * (1 + 16 * EPS)
    assert gap[0] <= 1e-11 * np.max(factor.spectrum(0.5)) * domain.size**2
    assert structure.norm(X[0]) <= domain.radius(structure) * (1 + 64 * EPS)


def test_the_registry_finds_what_is_in_the_folders():
    assert {cls.__name__ for cls in registry.domain_classes()} >= {
        "L2Ball",
        "Box",
        "SpectralBall",
        "Simplex",
        "Product",
    }
    assert {cls.__name__ for cls in registry.loss_classes()} >= {"Logistic", "LeastSquares", "Linear", "Softmax"}
    assert all(cls.examples() for cls in registry.loss_classes())
    assert {type(domain) for domain in [*registry.domains((2, 3)), *registry.domains((5,))]} == set(
        registry.domain_classes()
    )


def test_every_domain_has_a_conic_description():
    import cvxpy as cp

    for shape in ((5,), (2, 3)):
        for domain in registry.domains(shape):
            assert oracles._constraints(domain, cp.Variable(int(np.prod(shape))), shape)
