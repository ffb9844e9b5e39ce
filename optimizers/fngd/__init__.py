r"""FNGD: fast natural gradient descent, layer by layer, with weights of samples that are shared over time.

.. math:: W_l \leftarrow W_l - \eta \sum_i c_{l,i}\, u_{l,i}, \qquad c_l = (n\lambda I + U_l^\top U_l)^{-1}\mathbf 1

Source: Ou, Zhu, Huang and Liu 2024 (ou2024inverse); docs/proofs/fngd.md.
"""

from optimizers.fngd.optimizer import FNGD

__all__ = ["FNGD"]
