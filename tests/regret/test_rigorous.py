"""A small run is certified at every horizon in exact arithmetic, and what is false, altered or too large never is."""

import copy
import json
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from math import sqrt
from pathlib import Path

import numpy as np
import pytest

import theory
from problems.domains import Box, L2Ball, Product, Simplex, SpectralBall
from regret import AdaptiveRegularization, GramFullMatrix, play
from regret.adversaries import FixedSequence, HardSequence, RandomSigns
from regret.theorems import rigorous, runs
from regret.theorems.exact_geometry import Balls, Point, balls_of, blocks_of, dot, root_above
from regret.theorems.rigorous import regret_certificate
from regret.theorems.structured_regret_norm import StructuredRegretNorm
from structures import Circulant, Conjugated, Diagonal, Exchangeable, Full, LeftKronecker, ModeK
from structures.registry import all_structures
from theory.certificate import NotCertified
from theory.check import CertificateError, check

ROOT = Path(theory.__file__).resolve().parents[1]


def noise(shape, horizon=20, seed=0, scale=1.0):
    return FixedSequence(scale * np.random.default_rng(seed).standard_normal((horizon, *shape)))


def played(K, domain=None, horizon=20, lr=0.7, eps=0.0, scale=1.0, **options):
    learner = AdaptiveRegularization(K, lr=lr, eps=eps, domain=domain)
    return play(learner, noise(K.shape, horizon, scale=scale), horizon, keep_history=True, **options)


def with_dead_start(comparator=None):
    """No gradient at first; with a comparator at the start, D_t = 0 until one comes."""
    gradients = np.random.default_rng(2).standard_normal((12, 3))
    gradients[:5] = 0.0
    learner = AdaptiveRegularization(Diagonal((3,)), lr=1.0, eps=0.3, domain=None if comparator is not None else Box(1.0))
    return play(learner, FixedSequence(gradients), 12, comparator=comparator, keep_history=True)


def hard_line(horizon):
    """AdaGrad on [-1, 1] against the hard sequence."""
    game = HardSequence(np.ones(1), horizon)
    learner = AdaptiveRegularization(Diagonal((1,)), lr=sqrt(2.0), domain=Box(1.0))
    return play(learner, game, horizon, x0=game.x0, keep_history=True)


def gram():
    learner = GramFullMatrix((5,), lr=sqrt(2.0), eps=0.01, domain=L2Ball(1.0), horizon=25)
    return play(learner, RandomSigns((5,)), 25, keep_history=True)


RUNS = {
    **{f"hard sequence, {name}": lambda name=name: runs.hard(name, 80, keep_history=True) for name in runs.MATCHED},
    "five kinds of layers on a product": lambda: runs.mixed_layers(30),
    "a spectral ball and a box": runs._layers_with_history if hasattr(runs, "_layers_with_history") else lambda: played(
        Diagonal((7,)), Product([(SpectralBall(1.0), (2, 2)), (Box(0.5), (3,))])
    ),
    "three rates in the whole space": lambda: runs.unconstrained("LeftKronecker", eps=0.01, keep_history=True),
}
