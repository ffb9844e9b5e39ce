r"""The checker's rule for the regret of a recorded game: both sides are added up from its iterates and gradients.

The claim is, for every horizon \(t \le T\) and every comparator \(u\),

\[ \sum_{s \le t} \langle g_s, x_s - u\rangle
   \le \Bigl(\frac{D_t^2}{2\eta} + \eta\Bigr) \operatorname{Tr} A_t^{1/2} - \eta d \sqrt\varepsilon, \qquad
   A_t = \bigoplus_b I_{c_b} \otimes \Bigl(\varepsilon I + \frac1{w_b} \sum_{s \le t} Z_{b,s} Z_{b,s}^\top\Bigr), \]

where the k×w table of a block says which entries of a gradient \(Z_{b,s}\) holds: a table for each entry is AdaGrad, one
row of all entries AdaGrad-Norm, one column of them full-matrix AdaGrad, a matrix of them one-sided Shampoo. Comparators are

* a ``point`` u, and \(D_t = \max_{s \le t} \|x_s - u\|\) in \(\|z\|^2 = \max_b \lambda_{\max}(Z_b Z_b^\top)/w_b\), or
* a product of ``balls`` on consecutive entries, and \(D_t = D\) is the given ``diameter``: a ``box`` \(|u_i| \le r\), a
  ``simplex`` \(u \ge 0, \sum u_i = r\), a ``spectral`` ball \(\|U\|_{\mathrm{op}} \le r\) of matrices. Those of one column are
  Euclidean balls.

Part of the independent checker: standard library, exact rational arithmetic, no code shared with the producer.

Source: derived here; each step has its one-line proof at its function. docs/proofs/regret.md#theorem-r has the theorem.
"""

from __future__ import annotations

from fractions import Fraction

from theory.check_numbers import (
    CertificateError,
    Matrix,
    dot,
    entry,
    gram,
    integer,
    items,
    mappings,
    matrix,
    require,
    root_trace,
    shown,
    vector,
)

Table = list[list[int]]  # k rows of w positions in a gradient


def regret(inputs: dict, witness: dict) -> str:
    """A_t grows with t, and Tr sqrt(A_t) with it: a right side proved at one horizon serves until the next that is proved.

    Until a gradient comes, the inequality reads 0 <= (D^2/(2 eta)) d sqrt(eps).
    """
    g, x = matrix(inputs, "gradients"), matrix(inputs, "iterates")
    require((len(g), len(g[0])) == (len(x), len(x[0])), "gradients and iterates differ in shape")
    proved, right = _right_sides(inputs, witness, g, x), None
    won, total = Fraction(0), [Fraction(0)] * len(g[0])
    for t, (gradient, iterate) in enumerate(zip(g, x, strict=True), start=1):
        won, total = won + dot(gradient, iterate), [p + q for p, q in zip(total, gradient, strict=True)]
        right = proved.get(t, right)
        if right is None and not any(gradient):
            continue
        left = won + _support(inputs, witness, t, [-value for value in total])
        if right is None or left > right:
            bound = "no bound is proved" if right is None else f"the proved bound is {shown(right)}"
            raise CertificateError(f"at horizon {t} the regret is {shown(left)}, {bound}")
    return _statement(inputs, len(g), len(g[0]))


def _statement(inputs: dict, horizon: int, d: int) -> str:
    eta, eps = shown(entry(inputs, "eta")), shown(entry(inputs, "eps"))
    if "point" in inputs:
        against = "for the given u, D_t = max |x_s - u|"
    else:
        balls = " x ".join(f"{_name(ball)}({shown(entry(ball, 'size'))})" for ball in mappings(inputs, "balls"))
        against = f"for every u in {balls}, D_t = {shown(entry(inputs, 'diameter'))}"
    return (
        f"at every horizon t <= {horizon}, sum <g_s, x_s - u> <= (D_t^2/(2 eta) + eta) Tr sqrt(A_t) - eta d sqrt(eps) "
        f"{against}, eta = {eta}, eps = {eps}, d = {d}"
    )


def _name(ball: dict) -> str:
    return "euclidean" if ball["ball"] == "spectral" and integer(ball, "columns") == 1 else ball["ball"]


# --- the right side -------------------------------------------------------------------------------------------------------


def _right_sides(inputs: dict, witness: dict, g: Matrix, x: Matrix) -> dict[int, Fraction]:
    """A number that is not above the right side, for each horizon at which the witness has square roots."""
    d, blocks = len(g[0]), _blocks(inputs, len(g[0]))
    eta, eps, root = entry(inputs, "eta"), entry(inputs, "eps"), entry(witness, "root_eps")
    require(eta > 0 and eps >= 0, "eta must be positive and eps not negative")
    require(root >= 0 and root**2 >= eps, "root_eps is below sqrt(eps)")
    A = [[[eps * (i == j) for j in range(len(table))] for i in range(len(table))] for table, _ in blocks]
    found, seen = {}, 0
    for proof in mappings(witness, "proofs"):
        t, roots = integer(proof, "horizon"), mappings(proof, "roots", len(blocks))
        require(seen < t <= len(g), f"the horizons of the proofs must increase, up to {len(g)}")
        A = [_grown(a, table, g[seen:t]) for a, (table, _) in zip(A, blocks, strict=True)]
        traces = [copies * root_trace(a, own) for a, (_, copies), own in zip(A, blocks, roots, strict=True)]
        size = _distance_squared(inputs, proof, [table for table, _ in blocks], x[:t])
        found[t] = (size / (2 * eta) + eta) * sum(traces, Fraction(0)) - eta * d * root
        seen = t
    return found


def _blocks(inputs: dict, d: int) -> list[tuple[Table, int]]:
    """The tables with their numbers of copies, which together fill d dimensions."""
    found = []
    for block in mappings(inputs, "blocks"):
        table, copies = matrix(block, "table"), integer(block, "copies")
        require(copies > 0, "the copies of a block must be at least one")
        inside = all(place.denominator == 1 and 0 <= place < d for row in table for place in row)
        require(inside, f"a table holds positions from 0 to {d - 1}")
        found.append(([[int(place) for place in row] for row in table], copies))
    filled = sum(len(table) * copies for table, copies in found)
    require(filled == d, f"the blocks fill {filled} of {d} dimensions")
    return found


def _grown(a: Matrix, table: Table, gradients: Matrix) -> Matrix:
    """A + sum of Z Z'/w over these gradients."""
    rows = [[gradient[place] for gradient in gradients for place in row] for row in table]
    return [[p + q / len(table[0]) for p, q in zip(r, s, strict=True)] for r, s in zip(a, gram(rows), strict=True)]


def _distance_squared(inputs: dict, proof: dict, tables: list[Table], x: Matrix) -> Fraction:
    """D^2 of a domain; for a point at most D_t^2, since |x_s - u|^2 >= |Z'v|^2/(w |v|^2) for every s <= t, block and vector v."""
    if "point" not in inputs:
        return entry(inputs, "diameter") ** 2
    step, block = integer(proof, "step"), integer(proof, "block")
    require(0 < step <= len(x) and 0 <= block < len(tables), "the distance needs a step up to its horizon, and a block")
    z = [p - q for p, q in zip(x[step - 1], vector(inputs, "point", len(x[0])), strict=True)]
    table = tables[block]
    v = vector(proof, "vector", len(table))
    require(any(v), "the vector of a distance is zero")
    columns = ([z[row[k]] for row in table] for k in range(len(table[0])))
    return sum((dot(v, column) ** 2 for column in columns), Fraction(0)) / (len(table[0]) * dot(v, v))


# --- the comparators ------------------------------------------------------------------------------------------------------


def _support(inputs: dict, witness: dict, t: int, s: list[Fraction]) -> Fraction:
    """A number that is not below max <s, u> over the comparators."""
    if "point" in inputs:
        return dot(s, vector(inputs, "point", len(s)))
    balls, polars = mappings(inputs, "balls"), items(witness, "polars")
    require(len(polars) >= t, f"no decomposition at horizon {t}")
    own = mappings({"polars": polars[t - 1]}, "polars", len(balls))
    total, start = Fraction(0), 0
    for ball, polar in zip(balls, own, strict=True):
        m, n = integer(ball, "rows"), integer(ball, "columns")
        require(m > 0 and n > 0 and start + m * n <= len(s), "the balls do not fit the entries of a gradient")
        part = [s[start + i * n : start + (i + 1) * n] for i in range(m)]
        total, start = total + _support_of(ball, part, polar), start + m * n
    require(start == len(s), f"the balls hold {start} of {len(s)} entries")
    return total


def _support_of(ball: dict, s: Matrix, polar: dict) -> Fraction:
    """Over a box r sum |s_ij|, over a simplex r max s_ij, over a spectral ball r |S|_*."""
    kind, size = ball.get("ball"), entry(ball, "size")
    require(size > 0 and kind in ("box", "simplex", "spectral"), f"{kind!r} with size {shown(size)} is no ball")
    entries = [value for row in s for value in row]
    if kind == "simplex":
        return size * max(entries)
    return size * (sum(map(abs, entries), Fraction(0)) if kind == "box" else _nuclear_norm(s, polar))


def _nuclear_norm(s: Matrix, polar: dict) -> Fraction:
    """|S|_* <= sum_k |a_k| |b_k| + sum |R_ij| with R = S - sum_k a_k b_k', as |ab'|_* = |a| |b| and |R|_* is at most the sum."""
    rest, total = [list(row) for row in s], Fraction(0)
    for term in mappings(polar, "terms"):
        a, b, size = vector(term, "a", len(s)), vector(term, "b", len(s[0])), entry(term, "size")
        require(size >= 0 and size**2 >= dot(a, a) * dot(b, b), "the size of a term is below |a| |b|")
        rest = [[value - p * q for value, q in zip(row, b, strict=True)] for row, p in zip(rest, a, strict=True)]
        total += size
    return total + sum((abs(value) for row in rest for value in row), Fraction(0))
