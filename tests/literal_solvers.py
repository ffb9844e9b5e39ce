"""The baselines of DASVRDA, written once more in loops: one run, NumPy, no code of the project's solvers.

A problem here is (gradients, prox, value): `gradients(x)` is the (n, d) array of all component gradients.
"""

from __future__ import annotations

from math import sqrt

import numpy as np


def estimate(G, y, snapshot, batch, q):
    """The variance-reduced gradient."""
    at, there, n = G(y), G(snapshot), len(q)
    total = np.zeros_like(y)
    for i in batch:
        total = total + (at[i] - there[i]) / (n * q[i])
    return total / len(batch) + there.mean(axis=0)


def svrg(G, prox, x0, stages, eta, q, draw):
    points, snapshot = [x0], x0
    for _ in range(stages):
        x, seen = snapshot, []
        for batch in draw():
            x = prox(x - eta * estimate(G, x, snapshot, batch, q), eta)
            seen.append(x)
        snapshot = sum(seen) / len(seen)
        points.append(snapshot)
    return points


def saga(G, prox, x0, stages, eta, draw):
    table, x, points = G(x0).copy(), x0, [x0]
    for _ in range(stages):
        for batch in draw():
            new = G(x)
            g = sum(new[i] - table[i] for i in batch) / len(batch) + table.mean(axis=0)
            x = prox(x - eta * g, eta)
            for i in batch:
                table[i] = new[i]
        points.append(x)
    return points


def katyusha(G, prox, x0, stages, M, mu, m, q, draw, second_prox=True):
    snapshot = y = z = x0
    points = [x0]
    for s in range(stages):
        tau1 = min(sqrt(m * mu / M), 0.5) if mu > 0 else 2 / (s + 4)
        alpha, seen = 1 / (tau1 * M), []
        for batch in draw():
            x = tau1 * z + 0.5 * snapshot + (0.5 - tau1) * y
            g = estimate(G, x, snapshot, batch, q)
            new = prox(z - alpha * g, alpha)
            y = prox(x - g / M, 1 / M) if second_prox else x + tau1 * (new - z)
            z = new
            seen.append(y)
        weights = [(1 + alpha * mu) ** j for j in range(m)]
        snapshot = sum(w * v for w, v in zip(weights, seen, strict=True)) / sum(weights)
        points.append(snapshot)
    return points


def fista(G, prox, value, x0, steps, step, restart=None):
    x, y, t, points = x0, x0, 1.0, [x0]
    for _ in range(steps):
        new = prox(y - step * G(y).mean(axis=0), step)
        if (restart == "function" and value(new) > value(x)) or (restart == "gradient" and (y - new) @ (new - x) > 0):
            y, t = new, 1.0
        else:
            following = (1 + sqrt(1 + 4 * t * t)) / 2
            y, t = new + (t - 1) / following * (new - x), following
        x = new
        points.append(x)
    return points


def acc_prox_svrg(G, prox, x0, stages, eta, mu, draw):
    n = len(G(x0))
    beta = (1 - sqrt(mu * eta)) / (1 + sqrt(mu * eta))
    snapshot, points = x0, [x0]
    for _ in range(stages):
        x = y = snapshot
        for batch in draw():
            new = prox(y - eta * estimate(G, y, snapshot, batch, np.full(n, 1 / n)), eta)
            y, x = new + beta * (new - x), new
        snapshot = x
        points.append(x)
    return points
