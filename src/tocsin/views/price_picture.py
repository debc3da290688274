"""
Picture: what the price did, when accounts were called, and what was liquidated, on one time axis.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tocsin.views.numbers import format_compact, format_time
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
    compute_time_ticks,
    thin_line,
    wrap,
)

_LEFT, _RIGHT_GAP = 84, 28
_BAR_COLOURS = (RED, BLUE, INK)


@dataclass(frozen=True, slots=True)
class Events:
    """
    Things that happened, each with a time and a size.

    Attributes:
        name: What they are, as the panel's heading, such as `Liquidated under venue-style rules`.
        times_s: Unix seconds, any order.
        sizes: As many integers >= 0: counts, or amounts in whole currency units.
        total: Text that stands beside the name, such as `12.3 M USDT, 412 accounts`; may be empty.
    """

    name: str
    times_s: Sequence[int]
    sizes: Sequence[int]
    total: str = ""


def draw_price_with_events(
    *,
    title: str,
    subtitle: str,
    caption: str,
    price_name: str,
    times_s: Sequence[int],
    prices: Sequence[float],
    calls: Events,
    liquidations: Sequence[Events],
    bin_s: int = 60,
    width: int = 900,
    height: int = 480,
) -> str:
    """
    Draw calls above, the price in the middle, liquidations below, as SVG.

    Args:
        times_s: Unix seconds of the price line, rising, at least two.
        prices: As many prices, > 0.
        calls: Bars in the top strip, summed over `bin_s`.
        liquidations: One panel each, at most three, all on one scale so that they compare.
        bin_s: Seconds summed in one bar.

    Returns:
        SVG text; times are UTC. Complexity: O(points + events).
    """
    assert len(times_s) == len(prices) >= 2
    assert len(liquidations) <= len(_BAR_COLOURS)
    canvas = Canvas(width, height, title, f"{subtitle} {caption}")
    right = width - _RIGHT_GAP
    time = Scale(times_s[0], times_s[-1], _LEFT, right)
    canvas.text(24, 32, title, size=18, bold=True)
    canvas.text(24, 52, subtitle, size=12.5, fill=MUTED)

    notes = wrap(caption, size=11, width=width - 48)
    axis = height - 22 - 15 * len(notes)
    for i, note in enumerate(notes):
        canvas.text(24, height - 12 - 15 * (len(notes) - 1 - i), note, size=11, fill=MUTED)

    strip_top, strip_base = 86, 122
    bars_height = 64 if len(liquidations) > 1 else 92
    price_top = strip_base + 34
    price_base = axis - 18 - len(liquidations) * (bars_height + 24)
    _draw_time_axis(canvas, time, top=strip_top, base=axis - 18)
    _draw_bars(canvas, time, calls, strip_top, strip_base, AMBER, bin_s, _peak(calls, bin_s))
    _draw_price(canvas, time, price_name, times_s, prices, price_top, price_base)
    peak = max((_peak(events, bin_s) for events in liquidations), default=0)
    for i, events in enumerate(liquidations):
        base = price_base + (i + 1) * (bars_height + 24)
        _draw_bars(canvas, time, events, base - bars_height + 18, base, _BAR_COLOURS[i], bin_s, peak)
    return canvas.render()


def _bin(events: Events, bin_s: int) -> dict[int, int]:
    """
    Return the sum of sizes by start of bin.
    """
    sums: dict[int, int] = {}
    for time_s, size in zip(events.times_s, events.sizes, strict=True):
        start = time_s // bin_s * bin_s
        sums[start] = sums.get(start, 0) + size
    return sums


def _peak(events: Events, bin_s: int) -> int:
    return max(_bin(events, bin_s).values(), default=0)


def _draw_time_axis(canvas: Canvas, time: Scale, *, top: float, base: float) -> None:
    for i, tick in enumerate(compute_time_ticks(int(time.low), int(time.high), count=10)):
        x = time.at(tick)
        canvas.line(x, top, x, base, stroke=FAINT)
        label = format_time(tick)
        canvas.text(x, base + 15, label if i else f"{label} UTC", size=11, fill=MUTED, anchor="middle")


def _draw_bars(
    canvas: Canvas, time: Scale, events: Events, top: float, base: float, fill: str, bin_s: int, peak: int
) -> None:
    """
    Draw one panel of bars with its name above, its peak on the left and its total beside the name.
    """
    sums = _bin(events, bin_s)
    canvas.rect(_LEFT, top - 16, 9, 9, fill=fill, radius=2)
    words = [events.total] if events.total else []
    if sums:
        most = max(sums, key=lambda start: (sums[start], -start))
        words.append(f"peak {format_compact(sums[most], unit=1)} at {format_time(most)}")
    canvas.text(_LEFT + 15, top - 8, events.name, size=12, bold=True, halo=True, tail=", ".join(words))
    canvas.line(time.start, base, time.end, base, stroke="#9ca3af")
    canvas.text(_LEFT - 8, base, "0", size=11, fill=MUTED, anchor="end")
    if peak:
        canvas.line(time.start, top, time.end, top, stroke=FAINT)
        canvas.text(_LEFT - 8, top + 8, format_compact(peak, unit=1), size=11, fill=MUTED, anchor="end")
        height = Scale(0, peak, 0, base - top)
        step = time.at(time.low + bin_s) - time.start
        gap = 1 if step > 3 else 0
        bars: list[tuple[float, float, float]] = []
        for start, size in sorted(sums.items()):
            left = max(time.at(start), time.start)
            bar = min(time.at(start + bin_s), time.end) - left - gap
            # The smallest bar is still seen: what happened is never drawn as nothing.
            bars.append((left, max(bar, 1), max(height.at(size), 1.2) if size else 0))
        canvas.columns(bars, base, fill=fill)


def _draw_price(
    canvas: Canvas,
    time: Scale,
    name: str,
    times_s: Sequence[int],
    prices: Sequence[float],
    top: float,
    base: float,
) -> None:
    low, high = min(prices), max(prices)
    span = high - low or high
    scale = Scale(low - span * 0.17, high + span * 0.05, base, top)
    canvas.rect(_LEFT, top - 16, 9, 9, fill=INK, radius=2)
    canvas.text(_LEFT + 15, top - 8, name, size=12, bold=True, halo=True)
    for tick in compute_ticks(scale.low, scale.high, count=max(2, int((base - top) // 34))):
        y = scale.at(tick)
        canvas.line(time.start, y, time.end, y, stroke=FAINT)
        canvas.text(_LEFT - 8, y + 4, _format_price(tick), size=11, fill=MUTED, anchor="end")
    xs = [time.at(t) for t in times_s]
    ys = [scale.at(p) for p in prices]
    canvas.polyline(thin_line(xs, ys), stroke=INK, width=1.4)

    at = min(range(len(prices)), key=prices.__getitem__)
    label = f"low {_format_price(low)} at {format_time(times_s[at], seconds=True)}"
    room_right = xs[at] + 10 + compute_text_width(label, 11.5) < time.end
    canvas.dot(xs[at], ys[at], 3.6, fill=RED)
    x, anchor = (xs[at] + 7, "start") if room_right else (xs[at] - 7, "end")
    canvas.text(x, ys[at] + 14, label, size=11.5, fill=RED, anchor=anchor, bold=True, halo=True)


def _format_price(price: float) -> str:
    decimals = 0 if price >= 1000 else 2 if price >= 1 else 5
    return f"{price:,.{decimals}f}"
