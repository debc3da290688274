"""
The accounts of `examples/accounts_by_hand.py`: each figure of the pencil is the engine's.
"""

import runpy
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "accounts_by_hand.py"


def test_every_figure_is_the_engines(capsys: pytest.CaptureFixture[str]) -> None:
    """EQ-004, RQ-002, RQ-020, RQ-022, RQ-031 to RQ-035, LV-010 to LV-013, PR-001, PR-012, AC-041"""
    example = runpy.run_path(str(EXAMPLE))
    example["main"]()
    shown = capsys.readouterr().out
    assert [text[0] for text in shown.split("\n") if text[:2] in ("1.", "2.", "3.", "4.", "5.")] == list("12345")
    assert shown.count(" = ") >= 60
    assert max(map(len, shown.split("\n"))) <= 124
    assert shown.endswith("Every figure is the engine's.\n")


def test_a_figure_that_is_not_stops_it() -> None:
    example = runpy.run_path(str(EXAMPLE))
    with pytest.raises(SystemExit, match="equity: 1 \\+ 1 is 2 by hand, but the engine says 3"):
        example["line"]("equity", "1 + 1", 2, 3)
