"""
The rows of `docs/architecture.md`: a file imports only from rows nearer the core.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
# The console script may lie outside PATH; the function behind it does not.
RUN = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def test_layers_hold() -> None:
    run = subprocess.run(
        [sys.executable, "-c", RUN, "--no-cache", "--no-logo"], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "0 broken" in run.stdout
