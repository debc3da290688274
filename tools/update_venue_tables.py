"""
Write the tables of docs/venues/README.md from the rulebooks: `python tools/update_venue_tables.py`
"""

import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec

from tocsin.core.errors import TocsinError
from tocsin.venues.contract import Evaluation, Mode, Product
from tocsin.venues.question import Kind, Part, Question, build_portfolio
from tocsin.venues.registry import NOT_COVERED, Rulebook, all_rulebooks
from tocsin.venues.volatility import known_coins, read_volatility_set

PAGE = Path(__file__).parents[1] / "docs" / "venues" / "README.md"
PRICES = {"BTC": Decimal(100_000), "ETH": Decimal(4_000)}


def list_rulebooks() -> str:
    """
    Return the table of rulebooks: name, title, page, modes, products.
    """
    lines = ["| rulebook | of | margin modes | products |", "| --- | --- | --- | --- |"]
    for book in all_rulebooks():
        title = f"[{book.title}]({book.page})" if book.page else book.title
        lines.append(f"| `{book.name}` | {title} | {_words(book.modes)} | {_words(book.products)} |")
    return "\n".join(lines)


def list_health() -> str:
    """
    Return the table of health ratios: name, worse direction, thresholds with what the venue does there.
    """
    lines = ["| rulebook | ratio | worse | at | what happens |", "| --- | --- | --- | --- | --- |"]
    for book in all_rulebooks():
        found = evaluate_sample(book)
        health = found.health if found is not None else None
        if health is None:
            lines.append(f"| `{book.name}` | – | – | – | see its page |")
            continue
        for i, threshold in enumerate(health.thresholds):
            head = f"`{book.name}` | {health.name} | {threshold.worse}" if i == 0 else " |  | "
            lines.append(f"| {head} | {_number(threshold.value)} | {threshold.effect} |")
    return "\n".join(lines)


def list_coins() -> str:
    """
    Return the coins with a shipped close and volatility, and where they come from.
    """
    found = read_volatility_set()
    return f"{', '.join(known_coins())}.\n\nWhat they are: {found.what}. Source: {found.source}."


def list_not_covered() -> str:
    """
    Return the venues asked for that have no rulebook, and why.
    """
    return "\n".join(f"- {venue}: {reason}." for venue, reason in sorted(NOT_COVERED.items()))


def evaluate_sample(book: Rulebook) -> Evaluation | None:
    """
    Return a small long position under a rulebook, rates stated as the venue's payloads do; None if it needs more.
    """
    for coin in PRICES:
        part = Part(coin=coin, size=Decimal("0.1"), kind=Kind.PERP)
        question = Question(parts=(part,), prices=PRICES, collateral=Decimal(2_000))
        for stated in ({}, {"maintenance_rate": Decimal("0.005"), "initial_rate": Decimal("0.01")}):
            try:
                portfolio = build_portfolio(book, question)
                leg = msgspec.structs.replace(portfolio.legs[0], **stated)
                found = book.run(msgspec.structs.replace(portfolio, legs=(leg,)))
            except TocsinError:
                continue
            if found.health is not None:
                return found
    return None


TABLES: dict[str, Callable[[], str]] = {
    "rulebooks": list_rulebooks,
    "health": list_health,
    "coins": list_coins,
    "not covered": list_not_covered,
}


def render_page(text: str) -> str:
    """
    Return the page with each table between its marks as it is today.
    """
    for name, table in TABLES.items():
        marks = (f"<!-- {name} -->\n", f"\n<!-- end of {name} -->")
        pattern = re.compile(re.escape(marks[0]) + ".*?" + re.escape(marks[1]), re.DOTALL)
        assert len(pattern.findall(text)) == 1, name
        text = pattern.sub(lambda _, table=table, marks=marks: f"{marks[0]}{table()}{marks[1]}", text)
    return text


def _words(values: tuple[Mode, ...] | tuple[Product, ...]) -> str:
    return ", ".join(value.value.replace("_", " ") for value in values)


def _number(value: Decimal) -> str:
    short = value.quantize(Decimal("0.0001"))
    return format(short.normalize(), "f")


if __name__ == "__main__":
    PAGE.write_text(render_page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
