r"""Literal recursions in float64 NumPy, one file per optimizer: the independent twins of the torch classes.

.. math:: \text{twin}_t = \text{optimizer}_t \quad \text{step by step}

Source: each file names its paper.
"""
