"""
The explanation pages and the term map: examples run, tables are whole.
"""

import doctest
import re
from pathlib import Path

import pytest

from tests.rules.test_examples import read_examples
from tocsin.engine import commands
from tocsin.engine.engine import Engine
from tocsin.margin.state import AccountClass, Level
from tocsin.sheet.terms import BorrowTerms

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [p for p in sorted((DOCS / "explanation").glob("*.md")) if ">>>" in p.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.stem)
def test_examples_of_the_page_run(path: Path) -> None:
    test = doctest.DocTestParser().get_doctest(read_examples(path), {}, path.stem, str(path), 0)
    said: list[str] = []
    result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test, out=said.append)
    assert result.failed == 0, "".join(said)
    assert result.attempted > 0


def test_the_pages_with_numbers_are_run() -> None:
    assert {"why-convex", "why-integers", "why-cycles"} <= {p.stem for p in PAGES}


TERMS = (DOCS / "reference" / "terms.md").read_text(encoding="utf-8")


def read_tables(text: str) -> list[list[list[str]]]:
    """Return the rows of each table, header and rule left out, cells stripped."""
    out: list[list[list[str]]] = []
    inside = False
    for line in text.splitlines():
        if not line.startswith("|"):
            inside = False
            continue
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if not inside:
            out.append([])
            inside = True
            continue
        if set(line) - set("|- "):
            out[-1].append(cells)
    return out


def test_the_term_map_is_whole() -> None:
    tables = read_tables(TERMS)
    widths = [{len(row) for row in table} for table in tables]
    assert widths == [{4}, {3}, {3}, {3}, {3}]
    assert sum(len(table) for table in tables) >= 150
    assert all(cell for table in tables for row in table for cell in row), "an empty cell says nothing"
    for table in tables[1:]:
        terms = [term for row in table for term in row[0].split(", ")]
        assert [t for t in terms if terms.count(t) > 1] == []


def test_an_ambiguous_term_has_more_than_one_meaning() -> None:
    rows = read_tables(TERMS)[0]
    names = [row[0].split(",")[0] for row in rows]
    assert {n for n in names if names.count(n) == 1} == {"epoch"}


def test_code_and_rules_named_in_the_term_map_exist() -> None:
    rulebook = "".join(p.read_text(encoding="utf-8") for p in (DOCS / "rulebook").glob("*.md"))
    assert [rule for rule in re.findall(r"[A-Z]{2}-\d{3}", TERMS) if f"**{rule}**" not in rulebook] == []
    levels = {level.name.lower() for level in Level}
    named = set(re.findall(r"(?:at|to|levels?|from) `([a-z_]+)`", TERMS))
    assert named and named <= levels
    assert hasattr(Engine, "adl_rank")
    named_commands = set(re.findall(r"`([A-Z][a-z]+(?:[A-Z][a-z]+)?)`", TERMS))
    assert {"SetMarket", "Settle", "Delist"} <= named_commands <= set(vars(commands))
    assert {"account_cap", "close_ppm"} <= set(BorrowTerms.__struct_fields__)
    assert set(re.findall(r"`([A-Z_]{5,})`", TERMS)) - {"STALE"} <= {c.name for c in AccountClass}
