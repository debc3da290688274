"""
The guide to a new venue, followed word by word in a copy of the package.
"""

from pathlib import Path

from tools.follow_venue_guide import COMMAND, FILE, PAGE, build, render_page


def test_the_guide_leads_from_nothing_to_compare_margin_and_check(tmp_path: Path) -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert len(FILE.findall(text)) == 8
    build(text, tmp_path)
    shown = render_page(text, tmp_path)
    commands = [match[1].split()[1] for match in COMMAND.finditer(shown)]
    assert commands == ["compare", "compare", "margin", "desk"]
    printed, compared, margin, check = (match[0] for match in COMMAND.finditer(shown))
    assert printed in text and compared in text, "run `python tools/follow_venue_guide.py`"
    assert " 1  quayside   2.00 %  40,000       0.75 %  15,000       90,702.4" in printed
    assert "14,600" in margin and "90,702.4" in margin
    assert check.rstrip("`").rstrip().endswith("2 passed, 0 failed, 0 skipped")
