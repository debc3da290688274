"""
Picture: equity and requirement of an account as one coin's price moves, with the mark and the liquidation price.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from tocsin.views.decimals import format_percent, format_price
from tocsin.views.margin_text import format_amount
from tocsin.views.svg import (
    AMBER,
    BLUE,
    FAINT,
    INK,
    MUTED,
    RED,
    Canvas,
    Scale,
    compute_text_width,
    compute_ticks,
    thin_line,
    wrap,
)


@dataclass(frozen=True, slots=True)
class Curve:
    """
    What the picture shows: points (price, equity, initial, maintenance), the mark, liquidation prices, words.
    """

    title: str
    unit: str
    coin: str
    mark: Decimal
    points: tuple[tuple[Decimal, Decimal, Decimal | None, Decimal | None], ...]
    liquidations: tuple[Decimal, ...]
    caption: str = ""


def draw_curve(curve: Curve, *, width: int = 900) -> str:
    """
    Draw equity, initial and maintenance over the price as SVG.
    """
    height = 460
    left, right, top, base = 90.0, width - 150.0, 64.0, height - 112.0
    prices = [float(p[0]) for p in curve.points]
    values = [float(v) for p in curve.points for v in p[1:] if v is not None] + [0.0]
    margin = (max(values) - min(values) or 1.0) * 0.05
    across = Scale(prices[0], prices[-1], left, right)
    up = Scale(min(values) - margin, max(values) + margin, base, top)
    where = ", ".join(format_price(p) for p in curve.liquidations) or "none on the path"
    text = f"Equity and requirements over the price of {curve.coin}; liquidation price {where}."
    canvas = Canvas(width, height, curve.title, text)
    canvas.text(20, 28, curve.title, size=17, bold=True)
    canvas.text(20, 48, f"in {curve.unit}, as the price of {curve.coin} moves and all else stands still", fill=MUTED)
    for tick in compute_ticks(up.low, up.high, count=6):
        y = up.at(tick)
        canvas.line(left, y, right, y, stroke=INK if tick == 0 else FAINT)
        canvas.text(left - 8, y + 4, format_amount(_round(tick)), size=11, fill=MUTED, anchor="end")
    for tick in compute_ticks(across.low, across.high, count=7):
        x = across.at(tick)
        canvas.line(x, base, x, base + 5, stroke=MUTED)
        canvas.text(x, base + 18, format_price(_round(tick)) if tick else "0", size=11, fill=MUTED, anchor="middle")
    _draw_lines(canvas, curve, across, up, right)
    _draw_marks(canvas, curve, across, top, base)
    for i, line in enumerate(wrap(curve.caption, size=11, width=width - 40)[:2]):
        canvas.text(20, height - 28 + 15 * i, line, size=11, fill=MUTED)
    return canvas.render()


def _draw_lines(canvas: Canvas, curve: Curve, across: Scale, up: Scale, right: float) -> None:
    named = (("equity", 1, BLUE), ("initial", 2, AMBER), ("maintenance", 3, RED))
    ends: list[tuple[float, str, str]] = []
    for name, k, colour in named:
        found = [(float(p[0]), float(v)) for p in curve.points if isinstance(v := p[k], Decimal)]
        if not found:
            continue
        points = thin_line([across.at(x) for x, _ in found], [up.at(y) for _, y in found])
        canvas.polyline(points, stroke=colour, width=2)
        ends.append((points[-1][1], name, colour))
    for y, name, colour in _spread(ends):
        canvas.text(right + 8, y + 4, name, size=12, fill=colour, bold=True)


def _draw_marks(canvas: Canvas, curve: Curve, across: Scale, top: float, base: float) -> None:
    x = across.at(float(curve.mark))
    canvas.line(x, top, x, base, stroke=MUTED)
    canvas.text(x, base + 38, f"mark {format_price(curve.mark)}", size=12, anchor="middle", fill=MUTED)
    for price in curve.liquidations:
        if not across.low <= float(price) <= across.high:
            continue
        x = across.at(float(price))
        canvas.line(x, top, x, base, stroke=RED, width=1.5)
        share = format_percent(price / curve.mark - 1)
        words = f"liquidation {format_price(price)} ({share})"
        half = compute_text_width(words, 12) / 2
        x = min(max(x, half + 8), canvas.width - half - 8)
        canvas.text(x, base + 56, words, size=12, anchor="middle", fill=RED, bold=True, halo=True)


def _spread(ends: Sequence[tuple[float, str, str]]) -> list[tuple[float, str, str]]:
    """
    Return the names' heights at least 16 pixels apart, order kept.
    """
    out: list[tuple[float, str, str]] = []
    for y, name, colour in sorted(ends):
        out.append((max(y, out[-1][0] + 16) if out else y, name, colour))
    return out


def _round(value: float) -> Decimal:
    return Decimal(f"{value:.10g}")
