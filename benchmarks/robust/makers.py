r"""How each optimizer is made for a model with its defaults: ours, torch's, and those of packages that may be installed.

Source: derived here.
"""

from __future__ import annotations

import importlib
import logging
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from benchmarks.robust.models import Make

__all__ = ["OURS", "PEERS"]


def _ours(name: str, **options: Any) -> Make:
    def make(model: nn.Module, scaler: Any = None) -> Optimizer:
        import optimizers

        if name == "FNGD":
            return optimizers.FNGD(model, scaler=scaler, **options)
        return getattr(optimizers, name)(model.parameters(), **options)

    return make


def _packaged(module: str, name: str, **options: Any) -> Make:
    def make(model: nn.Module, scaler: Any = None) -> Optimizer:
        logging.disable(logging.INFO)
        return getattr(importlib.import_module(module), name)(model.parameters(), **options)

    return make


def _torch(name: str, **options: Any) -> Make:
    return lambda model, scaler=None: getattr(torch.optim, name)(model.parameters(), **options)


def _packaged_muon(model: nn.Module, scaler: Any = None) -> Optimizer:
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    rest = [p for p in model.parameters() if p.ndim < 2]
    groups = [{"params": matrices, "use_muon": True}, {"params": rest, "use_muon": False}]
    return importlib.import_module("pytorch_optimizer").Muon([group for group in groups if group["params"]])


OURS: dict[str, Make] = {
    "AGD": _ours("AGD"),
    "AGD, one by one": _ours("AGD", foreach=False),
    "AdaGradNorm": _ours("AdaGradNorm"),
    "FNGD": _ours("FNGD"),
    "FNGD, scalar": _ours("FNGD", share="scalar", window=2),
    "FullMatrixAdaGrad": _ours("FullMatrixAdaGrad"),
    "Jorge": _ours("Jorge"),
    "Jorge, sandwich": _ours("Jorge", rule="sandwich"),
    "OneSidedShampoo": _ours("OneSidedShampoo"),
    "OneSidedShampoo, certificate": _ours("OneSidedShampoo", refresh="certificate"),
    "Shampoo": _ours("Shampoo"),
    "Shampoo, each axis": _ours("Shampoo", axes="each"),
    "Shampoo, plain": _ours("Shampoo", grafting=None, momentum=0.0, refresh=1, lr=0.01),
    "Shampoo, sandwich": _ours("Shampoo", root="sandwich"),
}

PEERS: dict[str, Make] = {
    "torch AdamW": _torch("AdamW"),
    "torch SGD": _torch("SGD", momentum=0.9),
    "torch Muon": _torch("Muon"),
    "pytorch_optimizer Shampoo": _packaged("pytorch_optimizer", "Shampoo"),
    "pytorch_optimizer ScalableShampoo": _packaged("pytorch_optimizer", "ScalableShampoo"),
    "pytorch_optimizer SOAP": _packaged("pytorch_optimizer", "SOAP"),
    "pytorch_optimizer Muon": _packaged_muon,
    "pytorch_optimizer Kron": _packaged("pytorch_optimizer", "Kron"),
}
