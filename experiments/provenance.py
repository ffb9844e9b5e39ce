"""Where a stored number came from: sources, versions, machine, threads, seeds, time, and the commit if there is one."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from experiments.sources import ROOT
from experiments.spec import RunSpec

__all__ = ["commit", "provenance"]

_PACKAGES = ("numpy", "scipy", "torch", "numba", "scikit-learn", "array-api-compat", "joblib")
_MODULES = {"scikit-learn": "sklearn", "array-api-compat": "array_api_compat"}


def provenance(
    spec: RunSpec,
    sources: str,  # digest of the source files, computed before the run began
    seconds: float,  # wall time of the run, s
    git: Mapping[str, Any] | None = None,  # of `commit`, asked once per sweep
) -> dict[str, Any]:
    """What is recorded beside a result or a failure; call it inside the process that computed the run."""
    return {
        "sources": sources,
        "versions": versions(),
        "machine": machine(spec.device),
        "threads": threads(),
        "seeds": {name: value for name, value in spec.params.items() if "seed" in name},
        "seconds": seconds,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "git": dict(git) if git else None,
    }


def versions() -> dict[str, str]:
    """Python and the numerical packages that are loaded in this process."""
    loaded = [name for name in _PACKAGES if _MODULES.get(name, name) in sys.modules]
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in loaded}}


def machine(device: str) -> dict[str, str]:
    """Platform, processor, and the accelerator when the run used one."""
    found = {"platform": platform.platform(), "processor": _processor()}
    # A run that failed for want of the accelerator must still be recorded, so nothing here may raise.
    torch = sys.modules.get("torch")
    if device.startswith("cuda") and torch is not None and torch.cuda.is_available():
        found["accelerator"] = torch.cuda.get_device_name(device)
    return found


def threads() -> list[dict[str, Any]]:
    """The linear-algebra and OpenMP libraries of this process with their thread counts right now."""
    from threadpoolctl import threadpool_info

    fields = ("user_api", "internal_api", "version", "num_threads")
    return [{name: pool.get(name) for name in fields} for pool in threadpool_info()]


def commit(folder: Path = ROOT) -> dict[str, Any] | None:
    """The commit that is checked out and whether files differ from it; None without git or without a commit."""
    head = _git(folder, "rev-parse", "HEAD")
    if head is None:
        return None
    changes = _git(folder, "status", "--porcelain")
    return {"commit": head.strip(), "dirty": bool(changes and changes.strip())}


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _processor() -> str:
    try:  # platform.processor() is empty or "x86_64" on most Linux systems
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
