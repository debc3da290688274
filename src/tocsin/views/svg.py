"""
Small drawing helpers: a canvas of SVG elements, scales, ticks and text that fits.

Only presentation attributes are written, no `style`, script or link, so that a drawing may stand inside
a page with a strict content security policy. Pixels are rounded to a tenth: same input, same bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', Arial, sans-serif"
INK, MUTED, FAINT, PAPER = "#111827", "#4b5563", "#e5e7eb", "#ffffff"
AMBER, RED, BLUE, GREY = "#b45309", "#b91c1c", "#1d4ed8", "#9ca3af"


@dataclass(frozen=True, slots=True)
class Scale:
    """
    A straight map of values to pixels; `low` and `high` differ.
    """

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """
        Return the pixel of a value; values outside are not clipped.
        """
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


@dataclass(slots=True)
class Canvas:
    """
    A drawing of fixed size with a title and a description for those who do not see it.
    """

    width: int
    height: int
    title: str
    description: str
    _parts: list[str] = field(default_factory=list[str])

    def rect(self, x: float, y: float, width: float, height: float, *, fill: str, radius: float = 0) -> None:
        """
        Draw a filled rectangle; one without area is left out.
        """
        if width > 0 and height > 0:
            corner = f' rx="{px(radius)}"' if radius else ""
            box = f'x="{px(x)}" y="{px(y)}" width="{px(width)}" height="{px(height)}"'
            self._parts.append(f'<rect {box}{corner} fill="{fill}"/>')

    def line(self, x1: float, y1: float, x2: float, y2: float, *, stroke: str, width: float = 1) -> None:
        """
        Draw a straight line.
        """
        ends = f'x1="{px(x1)}" y1="{px(y1)}" x2="{px(x2)}" y2="{px(y2)}"'
        self._parts.append(f'<line {ends} stroke="{stroke}" stroke-width="{px(width)}"/>')

    def polyline(self, points: Sequence[tuple[float, float]], *, stroke: str, width: float) -> None:
        """
        Draw a line through points.
        """
        path = "M" + "L".join(f"{px(x)} {px(y)}" for x, y in points)
        self._parts.append(
            f'<path d="{path}" fill="none" stroke="{stroke}" stroke-width="{px(width)}"'
            ' stroke-linejoin="round" stroke-linecap="round"/>'
        )

    def columns(self, bars: Sequence[tuple[float, float, float]], base: float, *, fill: str) -> None:
        """
        Draw many upright bars (left, width, height) on one base line as a single path.
        """
        steps = [f"M{px(x)} {px(base)}v{px(-h)}h{px(w)}v{px(h)}z" for x, w, h in bars if h > 0]
        if steps:
            self._parts.append(f'<path d="{"".join(steps)}" fill="{fill}"/>')

    def dot(self, x: float, y: float, radius: float, *, fill: str) -> None:
        """
        Draw a dot with a rim of paper, so that it stands off a line.
        """
        self._parts.append(
            f'<circle cx="{px(x)}" cy="{px(y)}" r="{px(radius)}" fill="{fill}" stroke="{PAPER}" stroke-width="1.5"/>'
        )

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = 12,
        fill: str = INK,
        anchor: str = "start",
        bold: bool = False,
        halo: bool = False,
        tail: str = "",
    ) -> None:
        """
        Write one line on the base line `y`.

        Args:
            anchor: Which end of the line stands at `x`: start, middle or end.
            halo: Whether a rim of paper keeps the line off what is below it.
            tail: More words on the same line, lighter.
        """
        look = f'font-size="{px(size)}" fill="{fill}"'
        if anchor != "start":
            look += f' text-anchor="{anchor}"'
        if bold:
            look += ' font-weight="600"'
        if halo:
            look += f' stroke="{PAPER}" stroke-width="3" stroke-linejoin="round" paint-order="stroke"'
        more = ""
        if tail:
            more = f'<tspan dx="10" font-weight="400" fill="{MUTED}">{escape(tail)}</tspan>'
        self._parts.append(f'<text x="{px(x)}" y="{px(y)}" {look}>{escape(text)}{more}</text>')

    def render(self) -> str:
        """
        Return the drawing as one SVG element.
        """
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}"'
            f' width="{self.width}" height="{self.height}" role="img" font-family="{escape(FONT)}">'
        )
        words = f"<title>{escape(self.title)}</title><desc>{escape(self.description)}</desc>"
        paper = f'<rect width="{self.width}" height="{self.height}" fill="{PAPER}"/>'
        return "\n".join([head, words, paper, *self._parts, "</svg>"]) + "\n"


def px(value: float) -> str:
    """
    Return a pixel value with at most one decimal, without a negative zero.
    """
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def compute_ticks(low: float, high: float, *, count: int) -> list[float]:
    """
    Return about `count` round values (1, 2, 2.5 or 5 times a power of ten) from `low` to `high`.
    """
    if high <= low:
        return [low]
    power = 1.0
    while power * 10 <= high - low:
        power *= 10
    while power > high - low:
        power /= 10
    steps = [power * k / 10 for k in (1, 2, 2.5, 5, 10, 20, 25, 50)]
    step = min(steps, key=lambda s: abs((high - low) / s - count))
    first = -int(-low // step) if low % step else int(low // step)
    out: list[float] = []
    while (first + len(out)) * step <= high + step * 1e-9:
        out.append((first + len(out)) * step)
    return out


def compute_time_ticks(start_s: int, end_s: int, *, count: int) -> list[int]:
    """
    Return about `count` full times (seconds to days) from `start_s` to `end_s`, Unix seconds.
    """
    steps = (1, 5, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400)
    step = min(steps, key=lambda s: abs((end_s - start_s) / s - count))
    return list(range(-(-start_s // step) * step, end_s + 1, step))


def compute_text_width(text: str, size: float) -> float:
    """
    Return about how wide a line of the sans-serif font is, in pixels; errs on the wide side.
    """
    narrow, wide = "iljtfr.,:;'|!() ", "mwMW@%—"
    return size * sum(0.34 if c in narrow else 0.9 if c in wide else 0.68 if c.isupper() else 0.62 for c in text)


def wrap(text: str, *, size: float, width: float) -> list[str]:
    """
    Return the text as lines no wider than `width` pixels; a longer word keeps a line of its own.
    """
    lines: list[str] = []
    for word in text.split():
        if lines and compute_text_width(f"{lines[-1]} {word}", size) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def thin_line(xs: Sequence[float], ys: Sequence[float], *, column: float = 1) -> list[tuple[float, float]]:
    """
    Return a line's points with at most four per pixel column: first, extremes, last; no extreme is lost.

    Args:
        xs: Pixels, not falling.
        ys: As many.
        column: Width of a column in pixels.
    """
    out: list[tuple[float, float]] = []
    start = 0
    edges = [i for i in range(1, len(xs)) if int(xs[i] // column) != int(xs[i - 1] // column)]
    for end in [*edges, len(xs)]:
        group = range(start, end)
        if group:
            keep = {group[0], group[-1], min(group, key=ys.__getitem__), max(group, key=ys.__getitem__)}
            out += [(xs[i], ys[i]) for i in sorted(keep)]
        start = end
    return [p for p, q in pairwise([*out, (-1.0, -1.0)]) if p != q]
