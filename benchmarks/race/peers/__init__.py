"""The solvers of the race, one small adapter for each package; every package is imported only when it runs."""

from __future__ import annotations

from benchmarks.race.peers import celer_, cyanure, liblinear_official, scikit_learn, skglm_, snap_ml
from benchmarks.race.peers.base import Fit, Solve, Solver
from benchmarks.race.peers.ours import ENGINE, ESTIMATOR, Engine

__all__ = ["ENGINE", "ESTIMATOR", "PEERS", "Engine", "Fit", "Solve", "Solver"]

PEERS: tuple[Solver, ...] = (
    *scikit_learn.SOLVERS,
    *liblinear_official.SOLVERS,
    *cyanure.SOLVERS,
    *snap_ml.SOLVERS,
    *celer_.SOLVERS,
    *skglm_.SOLVERS,
)
