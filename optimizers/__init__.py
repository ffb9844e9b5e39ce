r"""The published optimizers as ``torch.optim.Optimizer`` classes: the Shampoo family, Jorge, AGD, FNGD and AdaGrad's two ends.

.. math:: W_{t+1} = W_t - \eta\, P_t G_t

torch is imported when a class is first asked for: ``import optimizers`` and the theorems here do without.

Source: each file names its paper.
"""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optimizers.adagrad_norm import AdaGradNorm
    from optimizers.agd import AGD
    from optimizers.fngd import FNGD
    from optimizers.full_matrix_adagrad import FullMatrixAdaGrad
    from optimizers.jorge import Jorge
    from optimizers.learner import TorchLearner
    from optimizers.one_sided_shampoo import OneSidedShampoo
    from optimizers.shampoo import Shampoo

_LATER = MappingProxyType(
    {
        "AGD": "optimizers.agd",
        "AdaGradNorm": "optimizers.adagrad_norm",
        "FNGD": "optimizers.fngd",
        "FullMatrixAdaGrad": "optimizers.full_matrix_adagrad",
        "Jorge": "optimizers.jorge",
        "OneSidedShampoo": "optimizers.one_sided_shampoo",
        "Shampoo": "optimizers.shampoo",
        "TorchLearner": "optimizers.learner",
    }
)

__all__ = [
    "AGD",
    "FNGD",
    "AdaGradNorm",
    "FullMatrixAdaGrad",
    "Jorge",
    "OneSidedShampoo",
    "Shampoo",
    "TorchLearner",
]


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
