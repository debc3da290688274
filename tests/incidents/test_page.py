"""
The page of incidents names every file here, every incident from R1 to R21, and only rules that the rulebook has.
"""

import re
from pathlib import Path

HERE = Path(__file__).parent
DOCS = HERE.parents[1] / "docs"
PAGE = (DOCS / "explanation" / "incidents.md").read_text(encoding="utf-8")
LATER = {6, 10, 12}


def test_every_file_is_named_and_every_name_is_a_file() -> None:
    files = {path.stem for path in HERE.glob("test_r[0-9]*.py")}
    assert set(re.findall(r"`(test_r\d\d_\w+)`", PAGE)) == files


def test_every_incident_has_a_row_and_a_file_or_is_said_to_be_missing() -> None:
    replayed, missing = PAGE.split("## Not answered yet")
    rows = [int(n) for part in (replayed, missing) for n in re.findall(r"^\| R(\d+) \|", part, re.MULTILINE)]
    assert sorted(rows) == list(range(1, 22))
    assert {int(n) for n in re.findall(r"^\| R(\d+) \|", missing, re.MULTILINE)} == LATER
    files = {int(path.stem[6:8]) for path in HERE.glob("test_r[0-9]*.py")}
    assert set(range(1, 22)) - LATER <= files
    listed = (HERE / "README.md").read_text(encoding="utf-8")
    assert {int(n) for n in re.findall(r"^- R(\d+)", listed, re.MULTILINE)} == LATER


def test_every_rule_named_exists() -> None:
    rulebook = "\n".join(path.read_text(encoding="utf-8") for path in (DOCS / "rulebook").glob("*.md"))
    named = set(re.findall(r"\b[A-Z]{2}-\d{3}\b", PAGE))
    assert sorted(rule for rule in named if f"**{rule}**" not in rulebook) == []


def test_every_header_tells_its_incident() -> None:
    for path in sorted(HERE.glob("test_r[0-9]*.py")):
        number = int(path.stem[6:8])
        header = path.read_text(encoding="utf-8").split('"""')[1]
        assert header.strip().startswith(f"R{number}"), path.name
        assert re.search(r"\d", header.split("\n\n", 1)[1]), f"{path.name}: no figure, date or number of an issue"
