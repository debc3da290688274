"""
One account under one or several rulebooks, as text: amounts, levels, liquidation prices, time, cure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from tocsin.venues.assess import Assessment
from tocsin.venues.contract import Basis, Health, Leg, Portfolio
from tocsin.venues.cures import Cure
from tocsin.views.decimals import format_percent, format_price
from tocsin.views.numbers import MINUS
from tocsin.views.tables import Table, render_text

DASH = "–"


@dataclass(frozen=True, slots=True)
class Judged:
    """
    One rulebook's answer: an assessment of the portfolio in its terms, or the reason why there is none.
    """

    rules: str
    title: str
    portfolio: Portfolio | None
    assessment: Assessment | None
    reason: str = ""


def write_account(judged: Judged, *, explain: bool = False) -> str:
    """
    Return the whole answer of one rulebook.
    """
    if judged.assessment is None or judged.portfolio is None:
        return f"{judged.title}: no answer: {judged.reason}\n"
    found, portfolio = judged.assessment, judged.portfolio
    evaluation = found.evaluation
    lines = [f"{judged.title} ({judged.rules}), parameters of {_dates(evaluation.basis, found)}"]
    unit = evaluation.unit
    parts = [f"equity {format_amount(evaluation.equity)}", f"initial {format_amount(evaluation.initial)}"]
    parts.append(f"maintenance {format_amount(evaluation.maintenance)} {unit}")
    lines.append(" · ".join(parts))
    if evaluation.health is not None:
        lines.append(describe_health(evaluation.health))
    text = "\n".join(lines) + "\n\n" + render_text(_legs_table(found, portfolio))
    more = [*_reasons(found), *_time_lines(found), *_cure_lines(found)]
    more += [f"note: {note}" for note in _notes(found)]
    if explain:
        more += ["", *_explain_lines(found)]
    return text + "\n" + "\n".join(more) + "\n"


def write_rules(judged: Sequence[Judged]) -> str:
    """
    Return a table of several rulebooks' answers to one account, and below it why some have none.
    """
    rows = [_rules_row(j) for j in judged if j.assessment is not None]
    refused = [f"{j.rules}: {j.reason}" for j in judged if j.assessment is None]
    columns = ("rules", "equity", "initial", "maintenance", "", "liquidation", "distance", "daily moves", "T*")
    text = render_text(Table(title="", columns=columns, rows=tuple(rows))) if rows else ""
    if refused:
        text += "\nno answer\n" + "\n".join(f"  {line}" for line in refused) + "\n"
    return text


def describe_health(health: Health) -> str:
    """
    Return the venue's ratio with its thresholds in one line.
    """
    value = DASH if health.value is None else format_ratio(health.value)
    steps = ", ".join(f"{t.effect} at {format_ratio(t.value)}" for t in health.thresholds)
    state = f" ({health.state})" if health.state else ""
    return f"{health.name} {value}{state}; {steps}"


def format_amount(value: Decimal | None) -> str:
    """
    Return an amount for the eye: cents from 100 on, six digits below; a dash for None.
    """
    if value is None:
        return DASH
    if value == 0:
        return "0"
    if abs(value) >= 100:
        text = f"{abs(value):,.2f}".removesuffix(".00")
    else:
        text = f"{Decimal(f'{abs(value):.6g}'):f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    return (MINUS if value < 0 else "") + text


def format_ratio(value: Decimal) -> str:
    """
    Return a health ratio in percent, or as a multiple from 10 on.
    """
    return f"{value:,.1f}" if abs(value) >= 10 else format_percent(value)


def format_minutes(minutes: int | None) -> str:
    """
    Return a time in the two units that tell most, such as `2 d 4 h`; a dash for None.
    """
    if minutes is None:
        return DASH
    days, rest = divmod(minutes, 1440)
    hours, left = divmod(rest, 60)
    if days >= 365:
        return "over a year"
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {left} min" if hours else f"{left} min"


def describe_cure(cure: Cure) -> str:
    """
    Return one cure in words.
    """
    text = f"{cure.scope} is below {cure.level} margin: deposit {format_amount(cure.deposit)} {cure.unit}"
    if cure.close_share is not None:
        part = format_percent(cure.close_share) if cure.close is None else format_amount(cure.close)
        text += f", or close {part} of {cure.leg} (notional {format_amount(cure.close_notional)})"
    return text


def _legs_table(found: Assessment, portfolio: Portfolio) -> Table:
    columns = ("leg", "size", "mark", "notional", "initial", "maintenance", "profit", "liquidation", "distance",
               "daily moves")  # fmt: skip
    rows: list[tuple[str, ...]] = []
    for leg, margin, distance in zip(portfolio.legs, found.evaluation.legs, found.distances, strict=True):
        price = margin.liquidation.price if margin.liquidation else None
        name = f"{leg.symbol} {leg.hedge_side}".strip()
        rows.append(
            (
                f"{name} ({leg.mode})",
                _signed(leg),
                DASH if leg.mark is None else format_price(leg.mark),
                format_amount(margin.notional),
                format_amount(margin.initial),
                format_amount(margin.maintenance),
                format_amount(margin.unrealised),
                DASH if price is None else format_price(price),
                DASH if distance.share is None else format_percent(distance.share),
                DASH if distance.daily_moves is None else f"{distance.daily_moves:.1f}",
            )
        )
    return Table(title="", columns=columns, rows=tuple(rows))


def _rules_row(judged: Judged) -> tuple[str, ...]:
    found = judged.assessment
    assert found is not None, "rows are of answers"
    evaluation = found.evaluation
    near = sorted((abs(d.share), n) for n, d in enumerate(found.distances) if d.share is not None)
    n = near[0][1] if near else None
    liquidation = evaluation.legs[n].liquidation if n is not None else None
    distance = found.distances[n] if n is not None else None
    price = liquidation.price if liquidation else None
    moves = distance.daily_moves if distance else None
    return (
        judged.rules,
        format_amount(evaluation.equity),
        format_amount(evaluation.initial),
        format_amount(evaluation.maintenance),
        evaluation.unit,
        DASH if price is None else format_price(price),
        DASH if distance is None or distance.share is None else format_percent(distance.share),
        DASH if moves is None else f"{moves:.1f}",
        format_minutes(found.t_star_minutes),
    )


def _signed(leg: Leg) -> str:
    size = format_amount(leg.size)
    return size if leg.size <= 0 else f"+{size}"


def _reasons(found: Assessment) -> list[str]:
    return [
        f"{margin.symbol}: no liquidation price: {margin.liquidation.reason}"
        for margin in found.evaluation.legs
        if margin.liquidation is not None and margin.liquidation.reason is not None
    ]


def _time_lines(found: Assessment) -> list[str]:
    if not found.volatilities:
        return []
    named = [f"{coin} {format_percent(vol)}" for coin, vol in found.volatilities.items()]
    vols = ", ".join(named[:8]) + (f" and {len(named) - 8} more" if len(named) > 8 else "")
    lines = [f"daily volatility {vols} ({found.volatility_source})"]
    if found.t_star_minutes is not None:
        time = format_minutes(found.t_star_minutes)
        lines.insert(0, f"T* {time}: until then, maintenance is reached with a probability of 0.1 % or less")
    return lines


def _cure_lines(found: Assessment) -> list[str]:
    if found.cures:
        return [describe_cure(cure) for cure in found.cures]
    return ["no cure needed" if found.evaluation.equity is not None else "cure unknown: the equity is not known"]


def _notes(found: Assessment) -> list[str]:
    notes = [*found.notes, *found.evaluation.basis.notes]
    for margin in found.evaluation.legs:
        notes += [f"{margin.symbol}: {note}" for note in (margin.basis.notes if margin.basis else ())]
    return list(dict.fromkeys(notes))


def _explain_lines(found: Assessment) -> list[str]:
    lines: list[str] = []
    bases: dict[tuple[str, str, str, str], list[str]] = {}
    for name, basis in [("account", found.evaluation.basis), *((m.symbol, m.basis) for m in found.evaluation.legs)]:
        if basis is not None:
            key = (basis.formula, basis.params, basis.params_date, basis.source)
            bases.setdefault(key, []).append(name)
    for (formula, params, date, source), names in bases.items():
        lines.append(f"{', '.join(dict.fromkeys(names))}: {formula}")
        lines.append(f"  {params}{f' of {date}' if date else ''}; source: {source}")
    for margin in found.evaluation.legs:
        if margin.rate is not None:
            tier = f", bracket {margin.tier}" if margin.tier is not None else ""
            lines.append(f"{margin.symbol}: maintenance rate {format_percent(margin.rate, places=3)}{tier} at the mark")
    return lines


def _dates(basis: Basis, found: Assessment) -> str:
    dates = {basis.params_date} | {m.basis.params_date for m in found.evaluation.legs if m.basis is not None}
    return ", ".join(sorted(d for d in dates if d)) or "the payload"
