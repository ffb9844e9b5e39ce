r"""Theorems about online games, one file each; `theory.registry` finds them.

They speak about a `regret.trace.Trace`. Proofs are in docs/proofs/regret.md and docs/proofs/lower_bounds.md.
"""
