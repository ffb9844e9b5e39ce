r"""The C library's allocator, told to keep what a process has freed.

By default glibc gives large blocks back to the system at once, and whether it does depends on what else lies in memory: the
same epoch then asks for thousands of new pages a batch, or for none. Allocators that torch's tuning guide recommends keep
memory, too.

Source: derived here; ``mallopt(3)``.
"""

from __future__ import annotations

import ctypes

__all__ = ["keep_freed_memory"]

TRIM_THRESHOLD, MMAP_MAX = -1, -4  # numbers of the parameters in malloc.h
NEVER = 2**31 - 1


def keep_freed_memory() -> bool:
    """Ask for it, for the rest of this process; False where the C library has no such switch."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # not glibc
        return False
    return bool(mallopt(TRIM_THRESHOLD, NEVER)) and bool(mallopt(MMAP_MAX, 0))
