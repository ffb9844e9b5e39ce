r"""Ten thousand steps of every root rule and option on streams whose axes turn: does the direction hold throughout?

.. math::
    \cos_t = \frac{\langle P_tG_t,\, L_t^{-1/4}G_t\rangle}{|P_tG_t|\,|L_t^{-1/4}G_t|}, \qquad
    |R_t|_F = |P_t^2L_tP_t^2 - I|_F

every tenth step, P in float32 by the optimizers' own code, :math:`L_t` and its root in float64. A rule that no longer takes
gradients in has a perfect cosine to the root of its own L, so two roots that do not know its :math:`\beta_2` stand beside: of
the average with :math:`\beta_2 = 0.99`, and of the covariance that the gradients are drawn from; and what the exact root of L
would have had against the first of them.

The least cosine is that of all steps: nothing is left out as a warm-up, since :math:`P_0` is the root of :math:`L_0`. Medians are
over the second half, where for :math:`\beta_2 \le 0.99` nothing is left of :math:`L_0`: :math:`0.99^{5000} < 10^{-21}`.

Source: the rule is the Jorge paper's (jorge); streams and the sandwich rule are derived here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from experiments.spec import Experiment, Progress, Result, RunSpec, quiet
from experiments.suite.root_streams import gaussian

__all__ = ["DEFAULTS", "OTHERS", "SETTINGS", "LongRootStreams"]

CONDITIONS = (1e1, 1e3, 1e5)
EVERY = 10  # steps between records
FIXED = 0.99  # β₂ of the average that no rule has a say in
SIZES: dict[str, dict[str, Any]] = {  # steps of the settings that the claim is about, and of the others
    "ci": {"steps": 300, "others": 300, "seeds": 2, "sizes": (32,)},
    "laptop": {"steps": 10_000, "others": 1500, "seeds": 2, "sizes": (32,)},
    "paper": {"steps": 10_000, "others": 10_000, "seeds": 10, "sizes": (8, 32, 48)},
}

PLAIN = {"root": "sandwich", "order": 2, "beta2": None, "ridge": 0.0, "refresh": 1, "eps": None}
SETTINGS: dict[str, dict[str, Any]] = {  # options of `optimizers.Jorge` and `optimizers.Shampoo`
    "Jorge, published": {"root": "jorge"},
    "sandwich": {},
    "sandwich, ridge=0.01": {"ridge": 1e-2},
    "sandwich, beta2=0.99": {"beta2": 0.99},
}
OTHERS: dict[str, dict[str, Any]] = {
    "Jorge, ridge=0.01": {"root": "jorge", "ridge": 1e-2},
    "Jorge, beta2=0.999": {"root": "jorge", "beta2": 0.999},
    "sandwich, order=1": {"order": 1},
    "sandwich, order=3": {"order": 3},
    "sandwich, beta2=0.999": {"beta2": 0.999},
    "sandwich, certificate": {"refresh": "certificate", "threshold": 0.5, "probes": 4},
}
DEFAULTS: dict[str, tuple[str, dict[str, Any]]] = {  # as the optimizers come
    "Jorge()": ("Jorge", {}),
    "Jorge(rule='sandwich')": ("Jorge", {"rule": "sandwich"}),
    "Shampoo(root='sandwich')": ("Shampoo", {"root": "sandwich"}),
}


class LongRootStreams(Experiment):
    """One run for each setting and size; the conditions and the seeds are its batch."""

    id = "long_root_streams"
    title = "Ten thousand steps of inverse roots by series"
    claim = (
        "On turning streams up to condition 1e5, in float32 and over 10,000 steps, the sandwich rule keeps to its own L's "
        "direction with a cosine of 0.99 throughout with the defaults of Jorge and Shampoo, with the ridge alone, or with a β₂ "
        "of at least 0.99; with none of these it falls to 0.98 at 1e5. Jorge's rule, as published or by default, loses the "
        "direction from 1e3 on."
    )
    requires = ("torch",)

    def runs(self, scale: str) -> list[RunSpec]:
        size = SIZES[scale]
        names = dict.fromkeys((*SETTINGS, *DEFAULTS), size["steps"]) | dict.fromkeys(OTHERS, size["others"])
        return [
            self.spec(setting=name, n=n, conditions=list(CONDITIONS), steps=steps, seeds=size["seeds"])
            for n in size["sizes"]
            for name, steps in names.items()
        ]

    def execute(self, spec: RunSpec, progress: Progress = quiet) -> Result:
        params = spec.params
        stream = gaussian(params["steps"], np.array(params["conditions"]), True, params["seeds"], params["n"])
        chosen = options(params["setting"])
        arrays, refreshes = followed(chosen, stream, params["steps"], progress)
        shape = (-1, len(params["conditions"]), params["seeds"])
        arrays = {name: array.reshape(shape) if array.ndim > 1 else array for name, array in arrays.items()}
        late = 2 * arrays["step"] > params["steps"]
        found = {
            "options": chosen,
            "refreshes": refreshes.reshape(shape[1:]).mean(axis=1).tolist(),
            "least_cosine": arrays["cosine"].min(axis=(0, 2)).tolist(),
        }
        medians = {name: np.median(arrays[name][late], axis=(0, 2)).tolist() for name in arrays if name != "step"}
        return Result(arrays, found | {f"median_{name}": values for name, values in medians.items()})


def options(setting: str) -> dict[str, Any]:
    """The options of a parameter group that a root rule looks at."""
    if setting not in DEFAULTS:
        return PLAIN | (SETTINGS | OTHERS)[setting]
    import torch

    import optimizers

    name, given = DEFAULTS[setting]
    group = getattr(optimizers, name)([torch.nn.Parameter(torch.zeros(2, 2))], **given).param_groups[0]
    return {key: group[key] for key in (*PLAIN, "threshold", "probes")}


def followed(
    chosen: dict[str, Any],
    stream: Iterator[tuple[np.ndarray, np.ndarray]],  # (conditions, seeds, n, n) twice
    steps: int,
    progress: Progress,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """What is recorded every tenth step, (records, conditions · seeds) each, and the number of exact roots taken."""
    import torch

    from experiments.suite._followed_roots import FollowedRoot

    rows: list[dict[str, np.ndarray]] = []
    follower: FollowedRoot | None = None
    fixed = torch.zeros(0)
    for t, (gradients, known) in enumerate(stream, start=1):
        G = torch.from_numpy(gradients).flatten(0, 1)
        D = G.double()
        if follower is None:
            follower = FollowedRoot(chosen, G)
            fixed = follower.L.clone()
        GG = D @ D.mT
        follower.take(G, GG)
        fixed.lerp_(GG, 1.0 - FIXED)
        if t % EVERY == 0:
            rows.append({"step": np.array(t), **quality(follower, fixed, D, torch.from_numpy(known).flatten(0, 1))})
        if t % 1000 == 0:
            progress(t, steps)
    assert follower is not None
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}, follower.refreshes.numpy()


def quality(follower: Any, fixed: Any, G: Any, known: Any) -> dict[str, np.ndarray]:  # torch tensors (b, n, n)
    """Cosines of P G, the residual, β₂, and the condition number of L; each (b,)."""
    P, L = follower.P, follower.L
    (own, other), condition = inverse_fourth_roots(L, fixed)
    PG, exact, square = P @ G, own @ G, P @ P
    R = square @ L @ square - follower.eye
    found = {
        "cosine": cosine(PG, exact),
        "cosine_to_fixed": cosine(PG, other @ G),
        "exact_to_fixed": cosine(exact, other @ G),
        "cosine_to_current": cosine(PG, known @ G),
        "exact_to_current": cosine(exact, known @ G),
        "residual": R.square().sum((1, 2)).sqrt(),
        "beta2": follower.beta2[:, 0, 0],
        "condition": condition,
    }
    return {name: value.numpy() for name, value in found.items()}


def inverse_fourth_roots(*Ls: Any) -> tuple[Any, Any]:  # (b, n, n) each -> (len(Ls), b, n, n), (b,)
    """Their roots, eigenvalues at least 1e-12 of the largest; the condition number of the first."""
    import torch

    values, vectors = torch.linalg.eigh(torch.stack(Ls))
    values = torch.maximum(values, 1e-12 * values[..., -1:])
    return (vectors * values[..., None, :] ** -0.25) @ vectors.mT, values[0, :, -1] / values[0, :, 0]


def cosine(A: Any, B: Any) -> Any:  # (b, n, m) -> (b,)
    """0 where one is not finite or zero."""
    return ((A * B).sum((1, 2)) / (A.norm(dim=(1, 2)) * B.norm(dim=(1, 2)))).nan_to_num(0.0, 0.0, 0.0)
