"""
Picture: who pays for the losses of a day, stage by stage, one column for each set of rules.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tocsin.views.numbers import format_compact, format_percent
from tocsin.views.svg import FAINT, GREY, INK, MUTED, Canvas, Scale, compute_text_width, wrap

Kind = Literal["own", "fund", "winners", "open"]
_COLOURS: dict[Kind, tuple[str, ...]] = {
    "own": ("#6b7280", "#9ca3af"),
    "fund": ("#1d4ed8", "#60a5fa", "#93c5fd"),
    "winners": ("#b45309", "#f59e0b", "#fcd34d"),
    "open": ("#b91c1c",),
}
_NAMES_WIDTH, _ROW, _BAR, _COLUMN_GAP, _MARGIN = 196, 46, 18, 36, 24


@dataclass(frozen=True, slots=True)
class Stage:
    """
    One payer, in the order in which they pay.

    Attributes:
        name: What the stage is called, such as `Global fund`.
        kind: Whose money it is: the account's own, a fund's, the winners'; `open` is what nobody paid yet.
        note: A few words more, may be empty.
    """

    name: str
    kind: Kind
    note: str = ""


@dataclass(frozen=True, slots=True)
class Payments:
    """
    What each stage paid under one set of rules: integers >= 0 in the smallest unit, one for each stage.
    """

    rules: str
    amounts: Sequence[int]


def draw_who_pays(
    *,
    title: str,
    subtitle: str,
    caption: str,
    stages: Sequence[Stage],
    payments: Sequence[Payments],
    unit: int = 1_000_000,
    asset: str = "USDT",
    width: int = 900,
) -> str:
    """
    Draw one row for each stage and one column for each set of rules, all bars on one scale, as SVG.

    Args:
        stages: First payer first, at most nine.
        payments: At most three sets of rules; a set's first row is its whole loss, stages stacked.
        unit: How many smallest units make one whole `asset`.

    Returns:
        SVG text; its height follows from the number of stages.
    """
    assert 0 < len(stages) <= 9
    assert 0 < len(payments) <= 3
    assert all(len(column.amounts) == len(stages) for column in payments)
    notes = wrap(caption, size=11, width=width - 2 * _MARGIN)
    top = 104
    height = top + _ROW * (len(stages) + 1) + 26 + 15 * len(notes)
    canvas = Canvas(width, height, title, _describe(stages, payments, unit, asset))
    canvas.text(_MARGIN, 32, title, size=18, bold=True)
    canvas.text(_MARGIN, 52, subtitle, size=12.5, fill=MUTED)
    for i, note in enumerate(notes):
        canvas.text(_MARGIN, height - 12 - 15 * (len(notes) - 1 - i), note, size=11, fill=MUTED)

    colours = _colour_stages(stages)
    _draw_names(canvas, stages, colours, top, width)
    left = _MARGIN + _NAMES_WIDTH
    column_width = (width - _MARGIN - left - _COLUMN_GAP * (len(payments) - 1)) / len(payments)
    labels = [_label(amount, sum(c.amounts), unit) for c in payments for amount in c.amounts]
    room = max(compute_text_width(label, 12) for label in labels) + 10
    longest = max(1, *(sum(column.amounts) for column in payments))
    for i, column in enumerate(payments):
        x = left + i * (column_width + _COLUMN_GAP)
        canvas.text(x, top - 16, column.rules, size=14, bold=True)
        scale = Scale(0, longest, x, x + column_width - room)
        _draw_column(canvas, column, colours, scale, top, unit, asset)
    return canvas.render()


def _colour_stages(stages: Sequence[Stage]) -> list[str]:
    """
    Return a colour for each stage: one hue a kind, lighter for later stages of the kind.
    """
    out: list[str] = []
    for i, stage in enumerate(stages):
        shades = _COLOURS[stage.kind]
        before = sum(other.kind == stage.kind for other in stages[:i])
        out.append(shades[min(before, len(shades) - 1)])
    return out


def _draw_names(canvas: Canvas, stages: Sequence[Stage], colours: Sequence[str], top: float, width: int) -> None:
    canvas.text(_MARGIN, top + 19, "All losses", size=13, bold=True)
    for i, stage in enumerate(stages):
        y = top + _ROW * (i + 1)
        canvas.line(_MARGIN, y - 4, width - _MARGIN, y - 4, stroke=FAINT)
        canvas.rect(_MARGIN, y + 9, 10, 10, fill=colours[i], radius=2)
        canvas.text(_MARGIN + 17, y + 18, stage.name, size=13)
        if stage.note:
            canvas.text(_MARGIN + 17, y + 33, stage.note, size=10.5, fill=MUTED)


def _draw_column(
    canvas: Canvas,
    column: Payments,
    colours: Sequence[str],
    scale: Scale,
    top: float,
    unit: int,
    asset: str,
) -> None:
    total = sum(column.amounts)
    x = scale.start
    for i, amount in enumerate(column.amounts):
        end = x + scale.at(amount) - scale.start
        canvas.rect(x, top + 5, end - x, _BAR, fill=colours[i])
        x = end
    label = f"{format_compact(total, unit=unit)} {asset}"
    canvas.text(x + 7, top + 5 + 14, label, size=13, bold=True, halo=True)
    for i, amount in enumerate(column.amounts):
        y = top + _ROW * (i + 1) + 5
        # The smallest amount is still seen; nothing at all is drawn for zero.
        end = max(scale.at(amount), scale.start + 2) if amount else scale.start
        canvas.line(scale.start, y, scale.start, y + _BAR, stroke=GREY)
        canvas.rect(scale.start, y, end - scale.start, _BAR, fill=colours[i])
        fill = INK if amount else MUTED
        canvas.text(end + 7, y + 14, _label(amount, total, unit), size=12, fill=fill)


def _label(amount: int, total: int, unit: int) -> str:
    if amount == 0:
        return "0"
    return f"{format_compact(amount, unit=unit)} · {format_percent(amount, total, decimals=0)}"


def _describe(stages: Sequence[Stage], payments: Sequence[Payments], unit: int, asset: str) -> str:
    """
    Return the whole picture in words.
    """
    sentences: list[str] = []
    for column in payments:
        parts = [
            f"{stage.name} {format_compact(amount, unit=unit)}"
            for stage, amount in zip(stages, column.amounts, strict=True)
        ]
        sentences.append(f"{column.rules}, in {asset}: {', '.join(parts)}.")
    return " ".join(sentences)
