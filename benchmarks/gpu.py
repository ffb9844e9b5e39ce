r"""One-sided AdaGrad at size, through the code of the theorems: step time against the linear algebra that it cannot avoid.

.. math:: M_t = \beta M_{t-1} + (1 - \beta)\, G_t G_t^\top / n, \qquad X_{t+1} = X_t - \eta\, M_t^{-1/2} G_t

on the matrix quadratic and on least squares (its normal equations), n×n each. The root is taken by `eigh`
(`AdaptiveRegularization` as the theorems run it) or tracked by matrix products (`structures.roots_iterative`); beside them
stand one product, one `eigh` and Newton-Schulz from nothing at the same size. The floor of a step is its products plus,
for `eigh`, one eigendecomposition. "Pays" is the faster of the two steps. M starts at its first gradient's outer product
plus a damping, so that a step moves it by about 1 - β. The root may take as many products as an `eigh` at this size costs.
Times are those of device events on CUDA, of the clock on a CPU.

    python -m benchmarks.gpu [--device cuda|cpu] [--sizes N,...] [--dtypes float32,float64] [--steps K] [--json FILE]

With no device named it takes CUDA where there is one, at 4096 and 8192, and the CPU at 1024 otherwise, and says so.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import torch

from benchmarks.options import save
from benchmarks.race.machine import machine
from convex.adaptive import Direct, Method
from convex.adaptive.walk import walk
from problems.matrix_quadratic import gaussian_matrix_quadratic
from problems.operators import KroneckerOperator
from problems.smooth import SmoothMatrixQuadratic, SmoothProblem, SmoothQuadratic
from regret.learners import AdaptiveRegularization, State
from structures import LeftKronecker
from structures.arrays import own
from structures.roots import inverse_root
from structures.roots_iterative import fresh_root, newton_schulz_root, refresh_root

__all__ = ["Tracked", "main", "measured"]

BETA = 0.99
DAMPING = {"float32": 1e-2, "float64": 1e-6}  # of ‖M₀‖_F: above n units of rounding, below which a root does not exist
TOLERANCES = {"float32": 1e-5, "float64": 1e-8}
PROBLEMS: dict[str, Callable[[int], SmoothProblem]] = {
    "matrix quadratic": lambda n: SmoothMatrixQuadratic(gaussian_matrix_quadratic(n)),
    "least squares": lambda n: _least_squares(n),
}


@dataclass(frozen=True)
class Tracked(Method):
    """The step of `AdaptiveRegularization` on rows with the root of `refresh_root`. Counts what it took, in its state."""

    rows: tuple[int, int]
    lr: float
    tol: float
    most: int = 8  # products before an eigendecomposition

    @property
    def shape(self) -> tuple[int, ...]:
        return self.rows

    def init(self, x0: Any) -> State:  # (1, m, n)
        return {"x": own(x0), "t": 0, "statistic": None, "root": None, "before": None, "products": 0, "fresh": 0}

    def step(self, state: State, G: Any) -> State:
        S = BETA * state["statistic"] + (1.0 - BETA) * LeftKronecker(self.rows).outer(G)
        found = refresh_root(S, state["root"], tol=self.tol, most=self.most)
        counts = {
            "products": state["products"] + found.products * (not found.fresh),
            "fresh": state["fresh"] + found.fresh,
        }
        x = state["x"] - self.lr * (found.root @ G)
        return {"x": x, "t": state["t"] + 1, "statistic": S, "root": found.state, "before": state["root"], **counts}


def measured(name: str, n: int, dtype: str, device: str, steps: int) -> dict[str, Any]:
    """One problem at one size: seconds of steps and of their parts, products, errors."""
    x = torch.zeros((1, n, n), dtype=getattr(torch, dtype), device=device)
    problem = PROBLEMS[name](n).beside(x)
    G = problem.gradient(x)
    S = LeftKronecker((n, n)).outer(G)
    S = S + DAMPING[dtype] * torch.linalg.norm(S) * torch.eye(n, dtype=x.dtype, device=device)
    lr, tol = 0.02 / n**0.5, TOLERANCES[dtype]
    core = AdaptiveRegularization(LeftKronecker((n, n)), lr, accumulate="ema", beta=BETA)
    parts = _parts(S[0], G[0], device)
    most = max(8, round(parts["eigh"] / parts["product"]))
    exact, _ = _timed(Direct(core), problem, {"statistic": S}, x, max(2, steps // 4), device)
    tracked, end = _timed(
        Tracked((n, n), lr, tol, most), problem, {"statistic": S, "root": fresh_root(S).state}, x, steps, device
    )
    products = end["products"] / max(1, steps + 1 - end["fresh"])
    refresh = _seconds(lambda: refresh_root(end["statistic"], end["before"], tol=tol, most=most), device)
    both = {
        "step_eigh": median(exact),
        "step_tracked": median(tracked),
        "step_tracked_mean": sum(tracked) / len(tracked),
    }
    gradient = _seconds(lambda: problem.gradient(x), device)
    return {
        "problem": name,
        "n": n,
        "dtype": dtype,
        "device": device,
        "steps": steps,
        **parts,
        **both,
        "refresh": refresh,
        "gradient": gradient,
        "products": products,
        "most": most,
        "fresh": end["fresh"],
        "error": _error(end),
        "floor_eigh": gradient + 3 * parts["product"] + parts["eigh"],
        "floor_tracked": gradient + (2 + products) * parts["product"],
        "refresh_to_eigh": refresh / parts["eigh"],
        "eigh_in_products": parts["eigh"] / parts["product"],
        "pays": "tracked" if both["step_tracked_mean"] < both["step_eigh"] else "eigh",
    }


def _parts(S: Any, G: Any, device: str) -> dict[str, Any]:
    """One product, one eigendecomposition, and Newton-Schulz from nothing where it gets there."""
    found: dict[str, Any] = {
        "product": _seconds(lambda: S @ G, device, 5),
        "eigh": _seconds(lambda: torch.linalg.eigh(S), device),
        "newton_schulz": None,
        "newton_schulz_products": None,
    }
    try:
        root, count = newton_schulz_root(S, 1e-4 if S.dtype == torch.float32 else 1e-8)
    except ArithmeticError:
        return found
    exact = inverse_root(S, 2)
    found["newton_schulz_error"] = float(torch.linalg.norm(root - exact) / torch.linalg.norm(exact))
    found["newton_schulz_products"] = count
    found["newton_schulz"] = _seconds(
        lambda: newton_schulz_root(S, 1e-4 if S.dtype == torch.float32 else 1e-8), device, 1
    )
    return found


def _timed(
    method: Method, problem: SmoothProblem, start: State, x: Any, steps: int, device: str
) -> tuple[list[float], State]:
    """Seconds of each step after the first, gradient included, and the last state."""
    each = walk(_Started(method, start), problem, x, [None] * (steps + 1))
    next(each)
    seconds, after = [], {}
    for _ in range(steps):
        with Stopwatch(device) as watch:
            after = next(each).after
        seconds.append(watch.seconds)
    return seconds, after


@dataclass(frozen=True)
class _Started(Method):
    """A method whose first state holds what it is given."""

    method: Method
    start: State

    @property
    def shape(self) -> tuple[int, ...]:
        return self.method.shape

    def init(self, x0: Any) -> State:
        return {**self.method.init(x0), **self.start}

    def step(self, state: State, G: Any) -> State:
        return self.method.step(state, G)


def _least_squares(n: int) -> SmoothProblem:
    """½‖AX - AX*‖²/n with Gaussian A and X*, as its normal equations."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((n, n))
    return SmoothQuadratic(KroneckerOperator(A.T @ A / n, None, (n, n)), rng.standard_normal((n, n)) / n**0.5)


def _error(end: State) -> float:
    """Of the tracked root beside an eigendecomposition's, after the last step."""
    if end["root"] is None:
        return float("nan")
    basis = end["root"].basis
    root, exact = basis @ end["root"].root @ basis.mT, inverse_root(end["statistic"], 2)
    return float(torch.linalg.norm(root - exact) / torch.linalg.norm(exact))


def _seconds(call: Callable[[], Any], device: str, repeats: int = 3) -> float:
    """The median, after a call that is not counted."""
    call()
    times = []
    for _ in range(repeats):
        with Stopwatch(device) as watch:
            call()
        times.append(watch.seconds)
    return median(times)


class Stopwatch:
    """Seconds of its block: by device events on CUDA, where the host runs ahead of the work; by the clock on a CPU."""

    def __init__(self, device: str) -> None:
        self.seconds, self._cuda = float("nan"), device == "cuda"

    def __enter__(self) -> Stopwatch:
        if self._cuda:
            self._begin, self._end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            torch.cuda.synchronize()
            self._begin.record()
        self._since = perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = perf_counter() - self._since
        if self._cuda:
            self._end.record()
            torch.cuda.synchronize()
            self.seconds = 1e-3 * self._begin.elapsed_time(self._end)


def line(cell: dict[str, Any]) -> str:
    """One cell for who waits."""
    ms = {name: 1e3 * cell[name] for name in ("eigh", "step_eigh", "step_tracked_mean")}
    over = {
        kind: cell[name] / cell[f"floor_{kind}"]
        for kind, name in (("eigh", "step_eigh"), ("tracked", "step_tracked_mean"))
    }
    return (
        f"{cell['problem']:>16} {cell['n']:5d} {cell['dtype']}: "
        f"eigh {ms['eigh']:.1f} ms, {cell['eigh_in_products']:.1f} products; "
        f"refresh {cell['refresh_to_eigh']:.2f} of it, {cell['products']:.1f} products, "
        f"{cell['fresh']} fresh in {cell['steps']} steps, error {cell['error']:.1e}; "
        f"step with eigh {ms['step_eigh']:.1f} ms ({over['eigh']:.2f} x floor), "
        f"tracked {ms['step_tracked_mean']:.1f} ms ({over['tracked']:.2f} x floor): {cell['pays']} pays"
    )


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """The command line, with what depends on the device filled in."""
    parser = argparse.ArgumentParser(description="One-sided AdaGrad at size: eigh against a root tracked by products.")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--sizes", help="of the square parameters, separated by commas (4096,8192; 1024 on a CPU)")
    parser.add_argument("--dtypes", default="float32,float64")
    parser.add_argument("--problems", default=",".join(PROBLEMS))
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, help="of the CPU (torch's own choice)")
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    options = parser.parse_args(arguments)
    options.sizes = options.sizes or ("4096,8192" if options.device == "cuda" else "1024")
    return options


def main(arguments: list[str] | None = None) -> int:
    """Measure, print a line for each cell, and write JSON when asked."""
    options = parsed(arguments)
    if options.device == "cuda" and not torch.cuda.is_available():
        print("no CUDA device is available to torch", file=sys.stderr)
        return 2
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.backends.cuda.matmul.allow_tf32 = False
    where = machine()
    where["device"] = torch.cuda.get_device_name() if options.device == "cuda" else "CPU, no GPU was used"
    facts = {**where, "threads_used": torch.get_num_threads(), "load": os.getloadavg()[0]}
    results: dict[str, Any] = {"machine": facts, "cells": []}
    print(f"measured on: {where['device']}")
    for name in options.problems.split(","):
        for n in (int(size) for size in options.sizes.split(",")):
            for dtype in options.dtypes.split(","):
                results["cells"].append(measured(name, n, dtype, options.device, options.steps))
                print(line(results["cells"][-1]), flush=True)
                if options.json:
                    save(options.json, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
