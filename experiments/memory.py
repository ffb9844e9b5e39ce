"""Whether a problem's vectors fit into the memory of the machine, asked before the work.

Where memory is promised freely, an allocation that is too large does not fail: the process is killed without a word.

Source: derived here; the counts of vectors were measured on files with 10^6 and 10^7 features.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

__all__ = ["memory", "out_of_memory", "require_memory"]

LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # of a container
NUMBER = 8  # bytes


def memory() -> int | None:
    """Bytes of the machine, or of the container if it has fewer; None where the system does not say."""
    found = [limit for limit in map(_limit, LIMITS) if limit is not None]
    with suppress(AttributeError, ValueError, OSError):
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min((size for size in found if size > 0), default=None)


def require_memory(shape: tuple[int, ...], vectors: int) -> None:
    """Raises MemoryError when so many vectors with an entry for each feature do not fit."""
    whole, needed = memory(), NUMBER * vectors * shape[1]
    if whole is not None and needed > whole:
        raise MemoryError(f"{vectors} vectors are {_gib(needed)}, and the machine has {_gib(whole)}")


def out_of_memory(shape: tuple[int, ...], error: MemoryError) -> str:
    """What to say of it."""
    said = f" ({error})" if str(error) else ""
    return f"not enough memory for {shape[0]} rows and {shape[1]} features; is an index wrong?{said}"


def _gib(size: int) -> str:
    return f"{size / 2**30:.4g} GiB"


def _limit(path: str) -> int | None:
    try:
        text = Path(path).read_text(encoding="ascii").strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None
