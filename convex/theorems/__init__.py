r"""Theorems about finite-sum solvers, one file each; `theory.registry` finds them.

They speak about the records of `convex.theorems.runs` and `convex.theorems.certificates`. Proofs are in docs/proofs/dasvrda.md.
"""
