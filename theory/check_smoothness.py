r"""The checker's rules for adaptive smoothness: a feasible element from above, feasible multipliers from below.

A table of labels P says which matrices the structure holds: \(J = \{H = H^\top : H_{ij} = h_{P_{ij}}\), and 0 where
\(P_{ij} = -1\}\). With \(\mathcal H = J \cap S_+\),

\[ \Lambda = \min\{\operatorname{Tr} H : H \in \mathcal H, \; H \succeq A_1, \dots, A_q\} . \]

* ``smoothness-upper``: one number for each label makes an \(H\) with \(H - A_k = L D L^\top\), \(D \ge 0\), and
  \(H = L D L^\top\) itself, and \(\operatorname{Tr} H \le\) value.
* ``smoothness-lower``: with \(Z_k = W_k W_k^\top \succeq 0\) and E the mean of \(\sum_k Z_k\) over each label,
  \(I - E = L D L^\top\). For every feasible H, \(\operatorname{Tr} H \ge \langle E, H\rangle = \sum_k \langle Z_k, H\rangle
  \ge \sum_k \langle Z_k, A_k\rangle \ge\) value.

Part of the independent checker: standard library, exact rational arithmetic, no code shared with the producer.

Source: derived here; docs/proofs/adaptive-smoothness.md#duality.
"""

from __future__ import annotations

from fractions import Fraction

from theory.check_numbers import (
    CertificateError,
    Matrix,
    dot,
    entry,
    gram,
    items,
    mappings,
    matrix,
    minus,
    require,
    require_gram,
    shown,
    symmetric,
    transposed,
    vector,
)

Labels = list[list[int]]


def smoothness_upper(inputs: dict, witness: dict) -> str:
    """H is in J by construction, dominates every A and 0, and its trace is a sum."""
    labels, matrices, value = _problem(inputs)
    h = vector(witness, "H", _classes(labels))
    element = [[h[k] if k >= 0 else Fraction(0) for k in row] for row in labels]
    proofs = mappings(witness, "factors", len(matrices) + 1)
    zero = [[Fraction(0)] * len(labels) for _ in labels]
    for number, (a, proof) in enumerate(zip([*matrices, zero], proofs, strict=True)):
        require_gram(minus(element, a), proof, f"H - A_{number}")
    trace = sum((element[i][i] for i in range(len(element))), Fraction(0))
    require(trace <= value, f"Tr H = {shown(trace)} is above the claimed {shown(value)}")
    return f"Lambda <= {shown(value)} {_where(labels, matrices)}"


def smoothness_lower(inputs: dict, witness: dict) -> str:
    """The means over the labels keep the inner product with every H of J."""
    labels, matrices, value = _problem(inputs)
    factors = [matrix(part, "W") for part in mappings(witness, "multipliers", len(matrices))]
    require(all(len(w) == len(labels) for w in factors), "a multiplier has the wrong number of rows")
    total = [
        [sum(entries, Fraction(0)) for entries in zip(*rows, strict=True)]
        for rows in zip(*map(gram, factors), strict=True)
    ]
    identity = [[Fraction(i == j) for j in range(len(labels))] for i in range(len(labels))]
    require_gram(minus(identity, _means(labels, total)), witness, "I - E")
    found = Fraction(0)
    for a, w in zip(matrices, factors, strict=True):
        found += sum((dot(column, [dot(row, column) for row in a]) for column in transposed(w)), Fraction(0))
    require(found >= value, f"sum <A, Z> = {shown(found)} is below the claimed {shown(value)}")
    return f"Lambda >= {shown(value)} {_where(labels, matrices)}"


def _problem(inputs: dict) -> tuple[Labels, list[Matrix], Fraction]:
    labels, value = _labels(inputs), entry(inputs, "value")
    matrices = [symmetric(part, "A") for part in mappings(inputs, "matrices")]
    require(bool(matrices), "there is no matrix to dominate")
    require(all(len(a) == len(labels) for a in matrices), "a matrix and the table of labels differ in size")
    return labels, matrices, value


def _labels(inputs: dict) -> Labels:
    rows = items(inputs, "labels")
    for row in rows:
        if not (isinstance(row, list) and len(row) == len(rows)):
            raise CertificateError("labels is not a square table")
        require(
            all(isinstance(k, int) and not isinstance(k, bool) and k >= -1 for k in row), "a label is not -1, 0, 1, ..."
        )
    require(rows == [list(column) for column in zip(*rows, strict=True)], "the table of labels is not symmetric")
    used = {k for row in rows for k in row} - {-1}
    require(used == set(range(len(used))), "the labels are not 0, 1, ..., without a gap")
    return rows


def _classes(labels: Labels) -> int:
    return 1 + max(k for row in labels for k in row)


def _means(labels: Labels, total: Matrix) -> Matrix:
    """The projection onto J: each entry becomes the mean over its label."""
    sums, counts = [Fraction(0)] * _classes(labels), [0] * _classes(labels)
    for row, values in zip(labels, total, strict=True):
        for k, value in zip(row, values, strict=True):
            if k >= 0:
                sums[k] += value
                counts[k] += 1
    return [[sums[k] / counts[k] if k >= 0 else Fraction(0) for k in row] for row in labels]


def _where(labels: Labels, matrices: list[Matrix]) -> str:
    return (
        f"for {len(matrices)} matrix(es), {len(labels)} x {len(labels)}, in the structure of {_classes(labels)} labels"
    )
