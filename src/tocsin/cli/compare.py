"""
`tocsin compare`: one position under every venue's rules.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from tocsin.cli.output import Exit, UsageError, print_error, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from tocsin.venues.compare import By, Comparison
    from tocsin.venues.compare_sizes import SizeMap
    from tocsin.venues.question import Question
    from tocsin.venues.registry import Rulebook

LOW, HIGH = 10_000, 1_000_000_000
_OPTIONS = ("collateral", "price", "product", "rules", "by", "at", "jurisdiction", "explain", "changes", "svg", "phone")


def compare(
    *words: Annotated[str, Parameter(allow_leading_hyphen=True)],
    collateral: str = "",
    price: str = "",
    product: str = "",
    rules: str = "all",
    by: str = "maintenance",
    at: str = "",
    jurisdiction: str = "",
    explain: bool = False,
    changes: bool = False,
    svg: Path | None = None,
    phone: bool = False,
    json: Annotated[bool, Parameter(name="--json")] = False,
) -> int:
    """
    Compare what venues ask for one position: initial, maintenance, liquidation price, ranked, with the sizes at which
    the ranking changes. `tocsin compare BTC long 50M`, `tocsin compare ETH short 1000ETH`, `tocsin compare legs.json`.

    Parameters
    ----------
    words:
        Coin, side and size (50M and 250k are USD, 10BTC are coins), or a file of legs, options too
        (docs/how-to/compare-venues.md); - reads it from standard input.
    collateral:
        What stands behind it: a share of the notional such as 10%, or USD such as 5M. Default 10%.
    price:
        Price in USD (default: the shipped close of the coin). For several coins: BTC=100000,ETH=4000.
    product:
        perp (linear where a venue has it, else inverse), linear or inverse.
    rules:
        Rulebooks such as okx-cross, or venues (all rulebooks of it), separated by commas; or all.
    by:
        What to rank by: maintenance, initial or distance.
    at:
        Take the parameters valid at this date (default: the latest).
    jurisdiction:
        Print the leverage caps that are known for clients there (EU, UK, JP), beside those of the venues.
    explain:
        Print what each number rests on: formula, parameters, date, source.
    changes:
        Print every change of order with its size, not only the nearest.
    svg:
        Write the picture to this file.
    phone:
        Draw the picture for a narrow screen.
    json:
        Print one JSON document.
    """
    from tocsin.venues.compare import By, compare
    from tocsin.venues.compare_sizes import map_sizes

    chosen = _choose_by(by)
    question = _read_question(words, collateral=collateral, price=price, product=product, at=at)
    books = _choose_books(rules)
    found = compare(question, books, by=chosen)
    sizes = None
    if chosen is not By.DISTANCE:
        sizes = map_sizes(question, _answering(found, books), by=chosen, low=_low(question), high=_high(question))
    if svg is not None:
        _write_picture(svg, found, sizes, phone=phone)
    if json:
        from tocsin.views.compare_json import comparison_value

        print_json(comparison_value(found, sizes, _volatilities(question)))
    else:
        _print(found, sizes, explain=explain, changes=changes)
        if jurisdiction:
            _print_caps(books, jurisdiction.upper(), at)
    if not found.rows:
        _complain(question)
    return Exit.OK if found.rows else Exit.DATA


def _complain(question: "Question") -> None:
    from tocsin.venues.params import suggest
    from tocsin.venues.volatility import known_coins

    known = known_coins()
    unknown = [coin for coin in question.prices if coin not in known]
    hints = [f"{coin} is not among the coins that are known{suggest(coin, known)}" for coin in unknown]
    print_error("no rulebook that was asked can answer; each says why", hints)


def _print(found: "Comparison", sizes: "SizeMap | None", *, explain: bool, changes: bool) -> None:
    from tocsin.views.compare_text import (
        change_lines,
        describe_question,
        explain_lines,
        rank_table,
        silent_lines,
        size_lines,
        unreached_lines,
    )
    from tocsin.views.decimals import format_size
    from tocsin.views.tables import render_text

    question = found.question
    print(describe_question(question))
    print()
    if found.rows:
        print(render_text(rank_table(found, _volatilities(question))), end="")
    unreached = unreached_lines(found.rows)
    if unreached:
        print("\nNo liquidation price:")
        print("\n".join(unreached))
    if sizes is not None and sizes.names:
        print(f"\nLeast {found.by} by size, {format_size(sizes.low)} to {format_size(sizes.high)} USD:")
        print("\n".join(size_lines(sizes, question.notional)))
        if changes:
            print("\nEvery change of order:")
            print("\n".join(change_lines(sizes, sizes.changes)))
    if explain:
        for row in found.rows:
            print()
            print("\n".join(explain_lines(row)))
    if found.silent:
        print("\nCannot say:")
        print("\n".join(silent_lines(found.silent)))


def _print_caps(books: "Sequence[Rulebook]", jurisdiction: str, at: str) -> None:
    """
    Print the leverage caps known for clients of a jurisdiction and for the venues compared.
    """
    from tocsin.venues.caps import find_caps

    names = sorted({book.venue for book in books})
    caps = {cap for name in names for cap in find_caps(venue=name, jurisdiction=jurisdiction, at=at)}
    if not any(cap.jurisdiction == jurisdiction for cap in caps):
        print(f"\nNo leverage cap is known for {jurisdiction}: that is no permission.")
    if caps:
        print("\nLeverage caps beside the rulebooks (docs/venues/leverage-caps.md):")
    for cap in sorted(caps, key=lambda c: (c.venue, c.jurisdiction, c.cap)):
        limit = "not to be sold" if cap.cap == 0 else f"at most {cap.cap}x"
        place = "everywhere" if cap.jurisdiction == "*" else cap.jurisdiction
        whose = "every venue" if cap.venue == "*" else cap.venue
        what = "all products" if cap.product == "*" else cap.product
        who = "all clients" if cap.client == "*" else cap.client
        print(f"  {whose}, {place}, {who}, {what}: {limit} since {cap.valid_from}")


def _read_question(words: tuple[str, ...], *, collateral: str, price: str, product: str, at: str) -> "Question":
    from tocsin.core.errors import ConfigError
    from tocsin.venues.params import parse_time, suggest
    from tocsin.venues.question_text import read_file, read_words

    for word in words:
        if word.startswith("--"):
            raise UsageError(f"unknown option {word!r}{suggest(word.removeprefix('--'), _OPTIONS)}")
    if at:
        parse_time(at)
    if len(words) == 1 and (words[0] == "-" or words[0].endswith(".json") or Path(words[0]).is_file()):
        if product:
            raise UsageError("--product is for a position in words; a file says it by leg (kind)")
        raw = sys.stdin.buffer.read() if words[0] == "-" else Path(words[0]).read_bytes()
        return read_file(raw, prices=_read_prices(price), collateral=collateral, at=at)
    try:
        return read_words(words, price=price, collateral=collateral, kind=product, at=at)
    except ConfigError as error:
        raise UsageError(str(error)) from None


def _read_prices(text: str) -> dict[str, str]:
    out: dict[str, str] = {}
    for item in filter(None, text.split(",")):
        coin, equals, value = item.partition("=")
        if not equals:
            raise UsageError(f"--price of a file names its coins, such as BTC=100000,ETH=4000; was {text!r}")
        out[coin.strip().upper()] = value
    return out


def _choose_by(text: str) -> "By":
    from tocsin.venues.compare import By

    for by in By:
        if by.value == text.lower():
            return by
    raise UsageError(f"--by must be one of {', '.join(By)}, was {text!r}")


def _choose_books(text: str) -> "tuple[Rulebook, ...]":
    from tocsin.core.errors import ConfigError
    from tocsin.venues.registry import all_rulebooks, find_rulebook

    every = all_rulebooks()
    if text == "all":
        return every
    out: list[Rulebook] = []
    for name in filter(None, (part.strip().lower() for part in text.split(","))):
        exact = [book for book in every if book.name == name]
        try:
            found = exact or [book for book in every if book.venue == name] or [find_rulebook(name)]
        except ConfigError as error:
            raise UsageError(str(error)) from None
        out += [book for book in found if book not in out]
    if not out:
        raise UsageError("--rules must name a rulebook or a venue, or all")
    return tuple(out)


def _answering(found: "Comparison", books: "tuple[Rulebook, ...]") -> "list[Rulebook]":
    names = {row.name for row in found.rows}
    return [book for book in books if book.name in names]


def _low(question: "Question") -> "Decimal":
    from decimal import Decimal

    return min(Decimal(LOW), question.notional / 10)


def _high(question: "Question") -> "Decimal":
    from decimal import Decimal

    return max(Decimal(HIGH), question.notional * 10)


def _volatilities(question: "Question") -> "dict[str, Decimal]":
    from tocsin.venues.volatility import find_coin_day

    found = {coin: find_coin_day(coin) for coin in question.prices}
    return {coin: day.daily_volatility for coin, day in found.items() if day is not None}


def _write_picture(path: Path, found: "Comparison", sizes: "SizeMap | None", *, phone: bool) -> None:
    from tocsin.views.compare_picture import draw_comparison

    path.write_text(draw_comparison(found, sizes, _volatilities(found.question), is_narrow=phone), encoding="utf-8")
