"""
Tables as plain text.
"""

import pytest

from tocsin.views.tables import Table, join_side_by_side, render_text

TABLE = Table(
    "Same accounts",
    ("", "Venue-style", "Tocsin"),
    (("Accounts",), ("called", "–", "1,284"), ("liquidated", "702", "300")),
    note="For scale.",
)


def test_a_table() -> None:
    assert render_text(TABLE) == (
        "Same accounts\n"
        "\n"
        "            Venue-style  Tocsin\n"
        "──────────  ───────────  ──────\n"
        "Accounts\n"
        "called                –   1,284\n"
        "liquidated          702     300\n"
        "\n"
        "For scale.\n"
    )


def test_blocks_side_by_side() -> None:
    assert join_side_by_side(["a\nbb\nc\n", "1\n2\n"], gap=2) == "a   1\nbb  2\nc\n"


def test_a_row_must_fit_its_columns() -> None:
    with pytest.raises(AssertionError, match="2 cells or one"):
        Table("", ("a", "b"), (("1", "2", "3"),))
