r"""What a theorem is, and what it takes to say that it held on a run.

The room imports nothing of ours and, until something is computed, nothing but the standard library.
"""

from theory.citation import Citation
from theory.registry import get, theorems
from theory.theorem import Assumption, Check, Example, Kind, Theorem
from theory.verdict import Verdict, VerdictKind, verify

__all__ = [
    "Assumption",
    "Check",
    "Citation",
    "Example",
    "Kind",
    "Theorem",
    "Verdict",
    "VerdictKind",
    "get",
    "theorems",
    "verify",
]
