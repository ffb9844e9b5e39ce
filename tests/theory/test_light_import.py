"""The room imports the standard library alone until something is computed."""

import subprocess
import sys
from pathlib import Path

import pytest

import theory

ROOT = Path(theory.__file__).resolve().parents[1]
PROGRAM = """
import sys, theory, theory.check, theory.certificate, theory.statistics, theory.verified_cholesky
foreign = {name.split(".")[0] for name in sys.modules} - set(sys.stdlib_module_names) - {"theory", "__main__"}
heavy = foreign & {"numpy", "scipy", "torch", "structures", "problems", "regret", "convex", "experiments"}
sys.exit(", ".join(sorted(heavy)) or 0)
"""


@pytest.mark.parametrize("flags", [["-S"], []])
def test_importing_theory_imports_nothing_heavy(flags):
    result = subprocess.run(
        [sys.executable, *flags, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")


def test_the_control_sees_a_heavy_import():
    program = PROGRAM.replace("import sys,", "import numpy, sys,", 1)
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 1 and "numpy" in result.stderr


def test_every_exported_name_exists_and_has_a_docstring():
    for name in theory.__all__:
        assert getattr(theory, name).__doc__
