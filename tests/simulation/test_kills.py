"""
Real kills of a process that writes to a real disk: smoke under the simulation of test_durability.py.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import killer

KILLS_PER_PART = 100


@pytest.mark.parametrize("part", range(3))
def test_killed_writers_lose_nothing_acknowledged(part: int, tmp_path: Path) -> None:
    """JN-013: 300 kills (SIGKILL) at random moments; what was acknowledged is there, in order."""
    command = [sys.executable, killer.__file__, str(tmp_path), str(KILLS_PER_PART), str(part)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{KILLS_PER_PART} kills, ")
