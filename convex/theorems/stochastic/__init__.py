r"""Theorems on adaptive methods for smooth stochastic problems: stochastic AdaGrad, acceleration, steepest descent.

Source: docs/proofs/stochastic.md.
"""
