"""DASVRDA for logistic elastic net, written once more: loops over samples and coordinates, no code of the project.

`slip` names a mistake that a public implementation makes; without one this is the reference.
"""

from __future__ import annotations

from math import exp, sqrt

import numpy as np

SLIPS_OF_A_STAGE = (
    "prox from the last z",  # mirror descent in place of dual averaging
    "theta_0 = 0",  # z does not move in the first step
    "theta one step late",
    "no probabilities",  # q-sampled, but not divided by n q_i
    "sum of the batch",  # not divided by b
    "no snapshot gradient",
    "wrong index",  # every z_j is the last coordinate
)


def gradient(a, y, x):
    """∇ log(1 + exp(-y <a, x>))."""
    t = y * sum(a[j] * x[j] for j in range(len(x)))
    return np.array([-y * a[j] / (1.0 + exp(t)) for j in range(len(x))])


def full_gradient(A, y, x):
    n = len(y)
    return sum(gradient(A[i], y[i], x) for i in range(n)) / n


def prox(v, step, l1, l2):
    u = np.zeros(len(v))
    for j in range(len(v)):
        size = abs(v[j]) - step * l1
        u[j] = 0.0 if size <= 0 else (size if v[j] > 0 else -size) / (1.0 + step * l2)
    return u


def gamma(m, b, slip=None):
    return (3.0 + sqrt(9.0 + 8.0 * b / (m if slip == "8b/m" else m + 1))) / 2.0


def stage(A, y, l1, l2, ytil, xtil, eta, paths, slip=None, start=None):
    """x_m, z_m; `start` replaces z_0 (a slip of the outer loop)."""
    n, (m, b) = len(y), paths.shape
    L = [sum(a * a) / 4.0 for a in A]
    q = [value / sum(L) for value in L]
    snapshot = full_gradient(A, y, xtil)
    z0 = np.array(ytil if start is None else start)
    if slip == "wrong index":
        z0 = np.full(len(z0), z0[-1])
    x, z, mean = np.array(ytil), np.array(z0), np.zeros(len(z0))
    theta = 0.0 if slip == "theta_0 = 0" else 0.5
    for k in range(1, m + 1):
        last, theta = theta, (k + 1) / 2.0
        if slip == "theta one step late":
            theta = max(1.0, k / 2.0)
        point = (1 - 1 / theta) * x + z / theta
        g = np.zeros(len(z0))
        for i in paths[k - 1]:
            divisor = 1.0 if slip == "no probabilities" else n * q[i]
            g = g + (gradient(A[i], y[i], point) - gradient(A[i], y[i], xtil)) / divisor
        g = g / (1 if slip == "sum of the batch" else b)
        g = g if slip == "no snapshot gradient" else g + snapshot
        if slip == "prox from the last z":
            z = prox(z - eta * k / 2.0 * g, eta * k / 2.0, l1, l2)
        else:
            mean = (1 - 1 / theta) * mean + g / theta
            size = eta * theta * last
            z = z0 if size == 0 else prox(z0 - size * mean, size, l1, l2)
        x = (1 - 1 / theta) * x + z / theta
    return x, z


def run(A, y, l1, l2, x0, stages, m, b, draw, restart=None, slip=None):
    """Points x_0, ..., x_S. `restart` is None, a number of stages, "function" or "gradient"."""
    n = len(y)
    L = [sum(a * a) / 4.0 for a in A]
    g = gamma(m, b, slip)
    eta = 1.0 / ((1.0 + g * (m + 1) / b) * sum(L) / n)
    c = 1.0 - 1.0 / g
    before, x, z, last, s, points = np.array(x0), np.array(x0), np.array(x0), c, 0, [np.array(x0)]
    ytil = np.array(x0)
    for _ in range(stages):
        s = s + 1
        theta = c * (s + 2) / 2.0
        ytil = x + (last - 1) / theta * (x - before) + last / theta * (z - x)
        new, z = stage(A, y, l1, l2, ytil, x, eta, draw(m, b), start=z if slip == "z is the start" else None)
        before, x, last = x, new, theta
        points.append(x)
        following = c * (s + 3) / 2.0
        ahead = x + (theta - 1) / following * (x - before) + theta / following * (z - x)
        if (
            (restart == "gradient" and sum((ytil - x) * (ahead - x)) > 0)
            or (restart == "function" and value(A, y, l1, l2, x) > value(A, y, l1, l2, before))
            or restart == s
        ):
            before, z, last = x, x, c
            s = s if slip == "s goes on" else 0  # theta is reset for one stage only
    return points


def value(A, y, l1, l2, x):
    mean = sum(np.log1p(np.exp(-y[i] * (A[i] @ x))) for i in range(len(y))) / len(y)
    return mean + l1 * sum(abs(x)) + l2 / 2.0 * sum(x * x)
