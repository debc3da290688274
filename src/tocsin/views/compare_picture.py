"""
Picture: what each rulebook asks at every size, and where each liquidates at the size asked. Wide, or for a phone.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tocsin.venues.compare import By, Comparison, Row
from tocsin.venues.compare_sizes import SizeMap
from tocsin.venues.contract import NoPrice
from tocsin.venues.curves import Piece
from tocsin.views.compare_text import cheapest_spans, describe_short, format_distance, reason_of
from tocsin.views.decimals import format_money, format_percent, format_price, format_share, format_size
from tocsin.views.svg import FAINT, GREY, INK, MUTED, Canvas, Scale, compute_text_width, wrap

_PALETTE = (
    "#1d4ed8", "#b45309", "#047857", "#b91c1c", "#6d28d9", "#0e7490", "#be185d", "#4d7c0f", "#7c2d12", "#334155",
    "#a21caf", "#0369a1",
)  # fmt: skip
_BAND = "#fde68a"
_TICKS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)


@dataclass(frozen=True, slots=True)
class _Line:
    """
    A curve with the names that share it, its colour, and its points as (USD, percent).
    """

    names: tuple[str, ...]
    colour: str
    points: tuple[tuple[float, float], ...]


def draw_comparison(
    comparison: Comparison, sizes: SizeMap | None, volatility: Mapping[str, Decimal], *, is_narrow: bool = False
) -> str:
    """
    Draw the comparison as SVG: rates over size above (where sizes are given), a row a rulebook below.

    Args:
        volatility: Daily volatility by coin, for the caption.
        is_narrow: Draw 400 pixels wide with names below, not 900 wide with names beside the lines.
    """
    width = 400 if is_narrow else 900
    lines = _group(comparison, sizes) if sizes is not None else []
    head = wrap(_subtitle(comparison), size=12, width=width - 40)
    notes = wrap(_caption(comparison, volatility), size=11, width=width - 40)
    panel = (240 if is_narrow else 340) if lines else 0
    row_height = 40 if is_narrow else 24
    top = 40 + 16 * len(head)
    rows_top = top + (panel + 62 if panel else 12)
    height = rows_top + 30 + row_height * len(comparison.rows) + 15 * len(notes) + 24
    title = describe_short(comparison.question)
    canvas = Canvas(width, height, title, _describe(comparison))
    canvas.text(20, 28, title, size=17, bold=True)
    for i, words in enumerate(head):
        canvas.text(20, 48 + 16 * i, words, size=12, fill=MUTED)
    if sizes is not None and lines:
        _draw_sizes(canvas, comparison, sizes, lines, top=top + 16, base=top + panel, is_narrow=is_narrow)
    colours = {name: line.colour for line in lines for name in line.names}
    _draw_rows(canvas, comparison, colours, top=rows_top, step=row_height, is_narrow=is_narrow)
    for i, note in enumerate(notes):
        canvas.text(20, height - 12 - 15 * (len(notes) - 1 - i), note, size=11, fill=MUTED)
    return canvas.render()


def _group(comparison: Comparison, sizes: SizeMap) -> list[_Line]:
    """
    Return one line for all rulebooks that ask the same at every size, in the order of the ranking.
    """
    places = {row.name: i for i, row in enumerate(comparison.rows)}
    order = sorted(range(len(sizes.names)), key=lambda i: min(places[name] for name in sizes.names[i]))
    colours = [*_PALETTE, *[GREY] * len(order)]
    return [_Line(sizes.names[i], colour, _sample(sizes.curves[i])) for i, colour in zip(order, colours, strict=False)]


def _sample(pieces: Sequence[Piece]) -> tuple[tuple[float, float], ...]:
    """
    Return points of amount over notional in percent, nine a piece.
    """
    points: list[tuple[float, float]] = []
    for piece in pieces:
        a, b, c, low, high = (float(v) for v in (piece.a, piece.b, piece.c, piece.low, piece.high))
        for k in range(9):
            size = low * (high / low) ** (k / 8)
            points.append((size, 100 * (a / size + b + c * size)))
    return tuple(dict.fromkeys(points))


def _draw_sizes(
    canvas: Canvas,
    comparison: Comparison,
    sizes: SizeMap,
    lines: Sequence[_Line],
    *,
    top: float,
    base: float,
    is_narrow: bool,
) -> None:
    left, right = (48.0, canvas.width - 16.0) if is_narrow else (64.0, canvas.width - 190.0)
    low, high = float(sizes.low), float(sizes.high)
    across = Scale(math.log(low), math.log(high), left, right)
    rates = [rate for line in lines for _, rate in line.points if rate > 0]
    ticks = [t for t in _TICKS if min(rates) / 2 < t < max(rates) * 2] or [min(rates)]
    floor, ceiling = min([*rates, *ticks]) / 1.1, max([*rates, *ticks]) * 1.1
    up = Scale(math.log(floor), math.log(ceiling), base, top)
    for tick in ticks:
        y = up.at(math.log(tick))
        canvas.line(left, y, right, y, stroke=FAINT)
        canvas.text(left - 6, y + 4, f"{tick:g} %", size=11, fill=MUTED, anchor="end")
    first = math.ceil(math.log10(low) - 1e-9)
    for power in range(first, math.floor(math.log10(high) + 1e-9) + 1):
        x = across.at(power * math.log(10))
        canvas.line(x, base, x, base + 4, stroke=GREY)
        text = format_size(Decimal(10) ** power)
        anchor = "end" if x > right - 12 and is_narrow else "middle"
        canvas.text(x, base + 18, text, size=11, fill=MUTED, anchor=anchor)
    canvas.text((left + right) / 2, base + 36, "size of the position, USD", size=11, fill=MUTED, anchor="middle")
    _draw_cheapest(canvas, sizes, across, up)
    asked = across.at(math.log(float(comparison.question.notional)))
    canvas.line(asked, top, asked, base, stroke=INK)
    for line in lines:
        points = [(across.at(math.log(x)), up.at(math.log(y))) for x, y in line.points if y > 0]
        canvas.polyline(points, stroke=line.colour, width=2)
    words = f"asked: {format_size(comparison.question.notional)}"
    end = "end" if asked > right - compute_text_width(words, 11) - 8 else "start"
    canvas.text(asked + (-5 if end == "end" else 5), top + 2, words, size=11, anchor=end, halo=True)
    if not is_narrow:
        _draw_names(canvas, lines, across, up, right=right, top=top, base=base)


def _draw_cheapest(canvas: Canvas, sizes: SizeMap, across: Scale, up: Scale) -> None:
    """
    Draw a pale band along the least rate, with a dot where another rulebook becomes the cheapest.
    """
    last: tuple[float, float] | None = None
    dots: list[tuple[float, float]] = []
    for low, high, i in cheapest_spans(sizes):
        inside = [(x, y) for x, y in _sample_between(sizes.curves[i], float(low), float(high)) if y > 0]
        points = [(across.at(math.log(x)), up.at(math.log(y))) for x, y in inside]
        if points:
            canvas.polyline(points, stroke=_BAND, width=9)
            dots += [points[0]] if last is not None else []
            last = points[-1]
    for x, y in dots:
        canvas.dot(x, y, 5, fill=INK)


def _sample_between(pieces: Sequence[Piece], low: float, high: float) -> list[tuple[float, float]]:
    points: list[tuple[float, float]] = []
    for piece in pieces:
        start, end = max(low, float(piece.low)), min(high, float(piece.high))
        if start < end:
            cut = piece._replace(low=Decimal(start), high=Decimal(end))
            points += _sample((cut,))
    return points


def _draw_names(
    canvas: Canvas, lines: Sequence[_Line], across: Scale, up: Scale, *, right: float, top: float, base: float
) -> None:
    """
    Write each line's name at its right end, moved apart where ends are close, with a thin lead.
    """
    step = 14.0
    ends: list[tuple[float, int]] = []
    for i, line in enumerate(lines):
        size, rate = line.points[-1]
        x, y = across.at(math.log(size)), up.at(math.log(rate)) if rate > 0 else base
        if x < right - 40:
            # The venue has no answer for larger sizes: its line and its name end there.
            canvas.dot(x, y, 3, fill=line.colour)
            canvas.text(x + 6, y - 5, _shorten(line.names), size=11.5, fill=line.colour, halo=True)
        else:
            ends.append((y, i))
    ends.sort()
    places: list[float] = []
    for y, _ in ends:
        places.append(max(y, places[-1] + step) if places else max(y, top + 4))
    over = places[-1] - (base + 4) if places else 0
    if over > 0:
        places[-1] -= over
        for k in range(len(places) - 2, -1, -1):
            places[k] = min(places[k], places[k + 1] - step)
    for place, (y, i) in zip(places, ends, strict=True):
        line = lines[i]
        canvas.line(right, y, right + 14, place, stroke=line.colour, width=0.7)
        canvas.text(right + 18, place + 4, _shorten(line.names), size=11.5, fill=line.colour)


def _shorten(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} + {len(names) - 1}"


def _draw_rows(
    canvas: Canvas, comparison: Comparison, colours: Mapping[str, str], *, top: float, step: float, is_narrow: bool
) -> None:
    """
    Draw a row a rulebook: name, initial, maintenance, and a bar as long as the price may move before liquidation.
    """
    reach = max((float(row.nearest) for row in comparison.rows if row.nearest is not None), default=1.0)
    start = 36.0 if is_narrow else 400.0
    room = max((compute_text_width(_move_words(row), 11) for row in comparison.rows), default=0) + 14
    scale = Scale(0, reach, start, canvas.width - 20 - room)
    columns = (250.0, canvas.width - 20.0) if is_narrow else (290.0, 380.0)
    for x, words in zip(columns, ("initial", "maintenance"), strict=True):
        canvas.text(x, top + 12, words, size=11, fill=MUTED, anchor="end")
    if not is_narrow:
        canvas.text(start, top + 12, "move to liquidation", size=11, fill=MUTED)
    for i, row in enumerate(comparison.rows):
        y = top + 34 + i * step
        colour = colours.get(row.name, GREY)
        canvas.line(20, y - 16, canvas.width - 20, y - 16, stroke=FAINT)
        canvas.dot(26, y - 4, 5, fill=colour)
        canvas.text(36, y, row.name, size=12.5)
        for x, amount in zip(columns, (row.initial, row.maintenance), strict=True):
            text = "–" if amount is None else format_share(amount, row.notional)
            is_short = x == columns[0] and row.is_short_of_initial(comparison.question.collateral)
            canvas.text(x, y, f"* {text}" if is_short else text, size=12, anchor="end")
        _draw_move(canvas, row, scale, colour, y=y + 17 if is_narrow else y)


def _draw_move(canvas: Canvas, row: Row, scale: Scale, colour: str, *, y: float) -> None:
    nearest = row.nearest
    if nearest is None:
        canvas.text(scale.start, y, _no_price(row), size=11, fill=MUTED)
        return
    end = scale.at(float(nearest))
    canvas.rect(scale.start, y - 9, end - scale.start, 9, fill=colour, radius=1.5)
    canvas.text(end + 6, y, _move_words(row), size=11)


def _move_words(row: Row) -> str:
    if row.nearest is None:
        return ""
    prices, distances = format_distance(row)
    return f"{prices} ({distances})"


def _no_price(row: Row) -> str:
    reason = reason_of(row)
    if reason == NoPrice.ALREADY_BELOW.value:
        return "liquidated at once: the collateral is too little"
    return "no price: " + (reason if len(reason) <= 46 else "see the table")


def _subtitle(comparison: Comparison) -> str:
    question = comparison.question
    what = "distance" if comparison.by is By.DISTANCE else f"{comparison.by} margin in percent of the position"
    prices = ", ".join(f"{coin} at {format_price(price)}" for coin, price in question.prices.items())
    return f"Ranked by {what}; {prices}; collateral {format_money(question.collateral)} USD"


def _caption(comparison: Comparison, volatility: Mapping[str, Decimal]) -> str:
    dates = sorted({row.dates[-10:] for row in comparison.rows if row.dates})
    parts = ["Pale band: the least at that size; dot: where another becomes the least."]
    if comparison.by is By.DISTANCE:
        parts = []
    if any(row.is_short_of_initial(comparison.question.collateral) for row in comparison.rows):
        parts.append("* More than the collateral: it could be kept, not opened.")
    parts += [f"{coin} moves {format_percent(v)} on a usual day." for coin, v in volatility.items()]
    if dates:
        parts.append(f"Newest parameters of a row: {dates[0]} to {dates[-1]}.")
    if comparison.silent:
        parts.append(f"Cannot say: {', '.join(s.name for s in comparison.silent)}.")
    return " ".join(parts)


def _describe(comparison: Comparison) -> str:
    told: list[str] = []
    for row in comparison.rows:
        prices, distances = format_distance(row)
        maintenance = "unknown" if row.maintenance is None else format_share(row.maintenance, row.notional)
        told.append(f"{row.name}: maintenance {maintenance}, liquidated at {prices} ({distances})")
    return "; ".join(told)
