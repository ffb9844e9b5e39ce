"""Importing the structures costs NumPy and array-api-compat, nothing heavier."""

import subprocess
import sys
from pathlib import Path

import structures

ROOT = Path(structures.__file__).resolve().parents[1]
HEAVY = "torch", "cvxpy", "matplotlib", "scipy", "sklearn", "pandas"
PROGRAM = f"import sys, structures; sys.exit(', '.join(n for n in {HEAVY!r} if n in sys.modules) or 0)"


def run(program: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def test_importing_structures_imports_nothing_heavy():
    result = run(PROGRAM)
    assert (result.returncode, result.stderr) == (0, "")


def test_the_laws_and_the_controls_import_nothing_heavy_either():
    result = run(PROGRAM.replace("import sys, structures;", "import sys, structures, structures.lemmas.monotone;"))
    assert (result.returncode, result.stderr) == (0, "")


def test_the_control_sees_a_heavy_import():
    result = run(PROGRAM.replace("import sys,", "import scipy, sys,"))
    assert result.returncode == 1 and "scipy" in result.stderr
