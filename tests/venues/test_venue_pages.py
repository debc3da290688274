"""
The page of all venues: its tables are the rulebooks'.
"""

from tocsin.venues.registry import all_rulebooks
from tools.update_venue_tables import PAGE, render_page


def test_the_tables_are_what_the_rulebooks_say() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert render_page(page) == page, "run `python tools/update_venue_tables.py`"
    assert all(f"`{book.name}`" in page for book in all_rulebooks())
