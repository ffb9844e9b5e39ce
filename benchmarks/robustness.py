r"""What each optimizer does where training goes wrong: probes of ours, torch's and installed packages'.

"works": as it should. "refuses": an error that says why, parameters and state bitwise unchanged. "fails": anything else.

    python -m benchmarks.robustness [--only WORD,...] [--json FILE]
    python -m benchmarks.robustness --show FILE [--page]
"""

from __future__ import annotations

import argparse
import sys
import warnings
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import torch

from benchmarks.options import chosen, save, stored, target
from benchmarks.robust.makers import OURS, PEERS
from benchmarks.robust.models import Make, mlp
from benchmarks.robust.page import markdown, page
from benchmarks.robust.probes import PROBES, outcome

__all__ = ["main", "matrix"]


def matrix(makers: dict[str, Make], probes: tuple[str, ...]) -> dict[str, Any]:
    """Outcomes by optimizer and probe; absent packages with their reason."""
    found: dict[str, Any] = {"outcomes": {}, "absent": {}}
    for name, make in makers.items():
        try:
            make(mlp())
        except ImportError as error:
            found["absent"][name] = str(error)
            continue
        except Exception:
            pass  # it cannot take a model with biases: the probes will say so
        found["outcomes"][name] = {each: list(outcome(each, make)) for each in probes}
        bad = [each for each, (kind, _) in found["outcomes"][name].items() if kind == "fails"]
        print(f"{name}: {len(bad)} of {len(probes)} fail", file=sys.stderr, flush=True)
    return found


def main(arguments: list[str] | None = None) -> int:
    """Run the probes, print the matrix, and write JSON when asked."""
    parser = argparse.ArgumentParser(description="What each optimizer does where training goes wrong.")
    parser.add_argument("--only", help="optimizers whose name has one of these words, separated by commas")
    parser.add_argument("--json", type=target, help="write the outcomes to this file")
    parser.add_argument("--show", type=stored("outcomes"), help="print the matrix of a file, run nothing")
    parser.add_argument("--page", action="store_true", help="with --show: the whole of docs/robustness.md")
    options = parser.parse_args(arguments)
    if options.show:
        print((page if options.page else markdown)(options.show))
        return 0
    torch.set_num_threads(1)
    makers = OURS | PEERS
    makers = {name: makers[name] for name in chosen("--only", options.only, makers)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = matrix(makers, tuple(PROBES))
    found["versions"] = {name: version(name) for name in ("torch", "pytorch_optimizer") if find_spec(name)}
    if options.json:
        save(options.json, found)
    print(markdown(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
