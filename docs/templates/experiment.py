r"""Template: does one number per coordinate pay on sparse gradients?

AdaGrad and AdaGrad-Norm play the same sparse games; the regret of each and the bound of each are stored.
"""

from __future__ import annotations

from experiments.spec import Experiment, Progress, Result, RunSpec, quiet

__all__ = ["SparseGradients"]

HORIZONS = {"ci": 50, "laptop": 1000, "paper": 20_000}


class SparseGradients(Experiment):
    """Regret of Scalar and Diagonal on gradients with few non-zero entries."""

    id = "sparse_gradients"
    title = "One step size for all, or one for each"
    claim = "Where all coordinates are equally sparse, one number for each gains nothing: bounds and regrets meet as T grows."

    def runs(self, scale: str) -> list[RunSpec]:
        return [self.spec(structure=name, horizon=HORIZONS[scale], seed=0) for name in ("Scalar", "Diagonal")]

    def execute(self, spec: RunSpec, progress: Progress = quiet) -> Result:
        import theory
        from problems import Box
        from regret import AdaptiveRegularization, Sparse, play
        from structures.registry import by_name

        structure, domain = by_name(spec.params["structure"])((20,)), Box(1.0)
        learner = AdaptiveRegularization(structure, lr=domain.diameter(structure) / 2**0.5, domain=domain)
        trace = play(
            learner, Sparse((20,), density=0.1), horizon=spec.params["horizon"], batch=8, seed=spec.params["seed"]
        )
        verdict = trace.verify("structured-regret")
        summary = {"regret": trace.regret[-1].mean(), "ratio": verdict.ratio}
        bound = theory.get("structured-regret").bound(trace)
        return Result({"regret": trace.regret, "bound": bound}, summary, [verdict])
