"""
A comparison of rulebooks as text: ranking, the sizes at which it changes, who cannot say, and what the numbers rest on.
"""

import textwrap
from collections.abc import Mapping, Sequence
from decimal import Decimal, localcontext
from itertools import pairwise

from tocsin.venues.compare import By, Comparison, Row, Silent
from tocsin.venues.compare_prices import Price
from tocsin.venues.compare_sizes import Change, SizeMap
from tocsin.venues.contract import NUMBERS
from tocsin.venues.curves import rank
from tocsin.venues.question import DOLLARS, Kind, Question
from tocsin.views.decimals import format_money, format_percent, format_places, format_price, format_share, format_size
from tocsin.views.tables import Table

DASH = "–"
_COMMON = {
    "contract": "no such contract on this coin, or none is listed",
    "maintenance_rate": "no table of rates that covers this position is shipped",
}
"""What several rulebooks lack alike, in fewer words than each says it."""


def describe_question(question: Question) -> str:
    """
    Return the question in one line: legs, prices, collateral.
    """
    legs = ", ".join(_describe_part(question, i) for i in range(len(question.parts)))
    prices = ", ".join(f"{coin} at {format_price(price)}" for coin, price in question.prices.items())
    share = f" ({format_share(question.collateral, question.notional)} of notional)" if question.notional else ""
    return f"{legs}; {prices}; collateral {format_money(question.collateral)} USD{share}"


def describe_short(question: Question) -> str:
    """
    Return the question as a heading, such as `BTC long 50 M USD`.
    """
    parts = list(question.parts)
    if len(parts) > 1:
        return f"{len(parts)} legs on {', '.join(question.prices)}, {format_size(question.notional)} USD"
    part = parts[0]
    what = "" if part.kind is Kind.PERP else f" {part.kind}"
    return f"{part.coin}{what} {'long' if part.size > 0 else 'short'} {format_size(question.notional)} USD"


def rank_table(comparison: Comparison, volatility: Mapping[str, Decimal]) -> Table:
    """
    Return the ranking as a table; a coin in brackets is the collateral's asset where it is no dollar.

    Args:
        volatility: Daily volatility by coin; the nearer distance is also given in it.
    """
    question = comparison.question
    rows = tuple(_rank_row(i, row, volatility, question.collateral) for i, row in enumerate(comparison.rows, start=1))
    margins = ("initial", "USD", "maintenance", "USD")
    columns = ("rulebook", *margins, "liquidated at", "distance", "daily vols", "rules of")
    title = f"by {comparison.by}, least first" if comparison.by is not By.DISTANCE else "by distance, farthest first"
    notes: list[str] = []
    if any(row.is_short_of_initial(question.collateral) for row in comparison.rows):
        notes.append("* The collateral is below this initial margin: the position could be kept, but not opened.")
    if not all(row.is_in_force for row in comparison.rows):
        notes.append("† Not all of these parameters are of the time asked for: the nearest are used.")
    return Table(title, columns, rows, "\n".join(notes))


def size_lines(sizes: SizeMap, asked: Decimal) -> list[str]:
    """
    Return who is cheapest at which size, and the nearest changes of order below and above the size asked.
    """
    spans = cheapest_spans(sizes)
    width = max((len(_span(low, high, sizes)) for low, high, _ in spans), default=0)
    lines = [f"  {_span(low, high, sizes).ljust(width)}  {label(sizes.names[i])}" for low, high, i in spans]
    near = nearest_changes(sizes, asked)
    if near:
        lines += ["", "Nearest changes of order:", *change_lines(sizes, near)]
    return lines


def change_lines(sizes: SizeMap, changes: Sequence[Change]) -> list[str]:
    """
    Return a line for each change of order.
    """
    names = [label(group) for group in sizes.names]
    return [f"  {format_size(c.size)}: below it {names[c.below]} asks less, above it {names[c.above]}" for c in changes]


def label(names: Sequence[str]) -> str:
    """
    Return the names of rulebooks that ask the same.
    """
    return names[0] if len(names) == 1 else f"{names[0]} (and {', '.join(names[1:])})"


def silent_lines(silent: Sequence[Silent]) -> list[str]:
    """
    Return the rulebooks that cannot say, one paragraph a reason.
    """
    reasons: dict[str, list[str]] = {}
    for one in silent:
        reasons.setdefault(_COMMON.get(one.field, one.reason), []).append(one.name)
    return _paragraphs(reasons)


def _paragraphs(reasons: Mapping[str, Sequence[str]]) -> list[str]:
    lines: list[str] = []
    for reason, names in sorted(reasons.items(), key=lambda item: len(item[1])):
        words = f"{', '.join(names)}: {reason}"
        lines += textwrap.wrap(words, 110, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
    return lines


def cheapest_spans(sizes: SizeMap) -> list[tuple[Decimal, Decimal, int]]:
    """
    Return stretches of size, rising, each with the number of the curve that asks least there.
    """
    ends = sorted({sizes.low, sizes.high, *(change.size for change in sizes.changes), *_domain_ends(sizes)})
    out: list[tuple[Decimal, Decimal, int]] = []
    for low, high in pairwise(ends):
        with localcontext(NUMBERS):
            order = rank(sizes.curves, (low + high) / 2)
        if not order:
            continue
        if out and out[-1][2] == order[0] and out[-1][1] == low:
            out[-1] = (out[-1][0], high, order[0])
        else:
            out.append((low, high, order[0]))
    return out


def nearest_changes(sizes: SizeMap, asked: Decimal, *, count: int = 2) -> list[Change]:
    """
    Return the nearest changes of order, so many on each side of the size asked, rising.
    """
    below = [c for c in sizes.changes if c.size <= asked]
    above = [c for c in sizes.changes if c.size > asked]
    return below[-count:] + above[:count]


def explain_lines(row: Row) -> list[str]:
    """
    Return what one rulebook's numbers rest on: formula, parameters with date and source, assumptions.
    """
    lines = [f"{row.name}: {row.title}; {', '.join(row.symbols)}"]
    for basis in row.bases:
        lines.append(f"  {basis.formula}")
        lines.append(f"    {basis.params} of {basis.params_date}; {basis.source}")
        lines += [f"    note: {note}" for note in basis.notes]
    return lines


def format_distance(row: Row) -> tuple[str, str]:
    """
    Return the liquidation prices and the distances to them; what cannot be reached is a dash.
    """
    found = [p for p in (row.below, row.above) if p.price is not None]
    if not found:
        return DASH, DASH
    named = row.is_on_several_coins
    return " / ".join(_price_text(p, named=named) for p in found), " / ".join(_distance_text(p) for p in found)


def unreached_lines(rows: Sequence[Row]) -> list[str]:
    """
    Return the rulebooks without a liquidation price, one line a reason.
    """
    reasons: dict[str, list[str]] = {}
    for row in rows:
        if reason_of(row):
            reasons.setdefault(reason_of(row), []).append(row.name)
    return _paragraphs(reasons)


def reason_of(row: Row) -> str:
    """
    Return why a row has no liquidation price, "" if it has one.
    """
    if row.nearest is not None:
        return ""
    return row.below.reason or row.above.reason


def _rank_row(place: int, row: Row, volatility: Mapping[str, Decimal], collateral: Decimal) -> tuple[str, ...]:
    prices, distances = format_distance(row)
    nearest = row.nearest_price
    daily = None if nearest is None else volatility.get(nearest.coin)
    days = DASH if daily is None or row.nearest is None else format_places(NUMBERS.divide(row.nearest, daily), 1)
    name = row.name if row.settle in DOLLARS else f"{row.name} ({row.settle})"
    cells = [f"{place:>2}  {name}"]
    for amount in (row.initial, row.maintenance):
        none = (DASH, DASH)
        cells += none if amount is None else (format_share(amount, row.notional), format_money(amount))
    if row.is_short_of_initial(collateral):
        cells[1] = f"* {cells[1]}"
    months = _months(row) if row.is_in_force else f"† {_months(row)}"
    return (*cells, prices, distances, days, months)


def _months(row: Row) -> str:
    """
    Return the months from which the oldest and the newest parameters of a row are valid.
    """
    found = sorted({b.params_date[:7] for b in row.bases if b.params_date})
    return DASH if not found else found[0] if len(found) == 1 else f"{found[0]}/{found[-1]}"


def _describe_part(question: Question, i: int) -> str:
    part = question.parts[i]
    side = "long" if part.size > 0 else "short"
    size = format_price(abs(part.size))
    what = "" if part.kind is Kind.PERP else f" {part.kind}"
    if part.strike is None:
        worth = format_money(NUMBERS.multiply(abs(part.size), question.prices[part.coin]))
        return f"{part.coin}{what} {side} {worth} USD ({size} {part.coin})"
    assert part.days is not None and part.vol is not None
    vol = format_percent(part.vol, places=0)
    return f"{part.coin}{what} {side} {size} (strike {format_price(part.strike)}, {part.days} days, volatility {vol})"


def _domain_ends(sizes: SizeMap) -> set[Decimal]:
    return {x for curve in sizes.curves for x in (curve[0].low, curve[-1].high)}


def _span(low: Decimal, high: Decimal, sizes: SizeMap) -> str:
    if low == sizes.low and high == sizes.high:
        return f"{format_size(low)} to {format_size(high)} USD"
    if low == sizes.low:
        return f"up to {format_size(high)}"
    if high == sizes.high:
        return f"from {format_size(low)}"
    return f"{format_size(low)} to {format_size(high)}"


def _price_text(price: Price, *, named: bool) -> str:
    assert price.price is not None
    return f"{price.coin} {format_price(price.price)}" if named else format_price(price.price)


def _distance_text(price: Price) -> str:
    assert price.distance is not None
    return f"{'+' if price.distance > 0 else ''}{format_percent(price.distance, places=1)}"
