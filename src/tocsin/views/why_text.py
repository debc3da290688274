"""
What happened to an account and why, as text a person can check with pencil and paper (rule WY-004).

Every amount is exact. Money of assets is shown in whole coins with its symbol; amounts without a symbol are in the
valuation unit. Each step of the arithmetic stands there with its inputs.
"""

import textwrap
from collections.abc import Iterable, Iterator

from tocsin.engine.sums import CHARGE, SUM, BalanceSum, LegSum, Need
from tocsin.engine.why import Picture, Step
from tocsin.margin.requirement import SCALE
from tocsin.margin.scenario import ScenarioSum
from tocsin.margin.state import Level
from tocsin.views.numbers import MINUS
from tocsin.views.why_events import EventText
from tocsin.views.why_numbers import Units, format_moment

WIDTH = 110
_LEVELS = ("initial", "margin_call", "liquidation", "takeover")

_DECISIVE = frozenset(
    {
        "level_crossed",
        "call_issued",
        "call_revised",
        "call_expired",
        "call_cured",
        "call_cancelled",
        "reduction_started",
        "reduction_done",
        "plan",
        "taken_over",
    }
)
"""Kinds of events that follow from equity and requirement: their steps show the whole arithmetic."""


def write_steps(steps: Iterable[Step]) -> Iterator[str]:
    """
    Yield the lines of steps, at most 110 columns each unless a number is longer.
    """
    for step in steps:
        for line in StepText(step).write():
            yield from _wrap(line)
        yield ""


def _wrap(line: str) -> list[str]:
    indent = len(line) - len(line.lstrip(" "))
    hang = " " * (indent + (6 if line.lstrip().startswith("->") else 4))
    return textwrap.wrap(
        line, WIDTH, subsequent_indent=hang, break_long_words=False, break_on_hyphens=False, drop_whitespace=True
    )


class StepText:
    """
    Writes one step in the order in which things happened: decisions booked, new marks (decision point A), commands,
    decision point B, the end.
    """

    def __init__(self, step: Step) -> None:
        self._step = step
        self._units = Units(step.sheet)
        self._events = EventText(step, self._units)

    def write(self) -> Iterator[str]:
        """
        Yield the lines of the step.
        """
        step = self._step
        phases = {e.phase for e in step.events}
        yield f"cycle {step.cycle}  {format_moment(step.time_ns)}"
        yield from self._phase(0)
        decisive = any(e.kind in _DECISIVE for e in step.events)
        # Without rows of its own an account is at B what it was at A.
        if decisive and step.at_marks is not None and (1 in phases or 2 not in phases):
            yield from self._picture("at the marks of the cycle", step.at_marks)
        yield from self._phase(1)
        yield from self._phase(2)
        if decisive and step.at_decision is not None and 2 in phases and 3 in phases:
            yield from self._picture("at the decision, after its commands", step.at_decision)
        yield from self._phase(3)
        if step.after is not None:
            yield from self._summary(step.after)

    def _phase(self, phase: int) -> Iterator[str]:
        for event in self._step.events:
            if event.phase == phase:
                head, *rest = self._events.describe(event)
                yield f"  -> {head}"
                for line in rest:
                    yield f"     {line}"

    # The arithmetic

    def _picture(self, title: str, picture: Picture) -> Iterator[str]:
        u, numbers = self._units, picture.numbers
        yield f"  {title}, level so far {Level(picture.was).name.lower()}:"
        for balance in picture.balances:
            yield from self._balance(balance)
        for leg in picture.legs:
            yield from self._leg(leg)
        if picture.scenarios is not None:
            yield from self._scenarios(picture.scenarios)
        values = [u.value(b.value, finer=12) for b in picture.balances]
        yield f"    equity = {' + '.join(values) or '0'}, rounded down = {u.value(numbers.equity)}"
        yield f"    equity without haircuts = {u.value(numbers.raw_equity)}"
        for level, name in enumerate(_LEVELS):
            yield self._requirement(picture, level, name)

    def _scenarios(self, found: ScenarioSum) -> Iterator[str]:
        u, sheet = self._units, self._step.sheet
        names = {x.id: x.symbol for x in sheet.underlyings}
        parts = [f"{names[k]} {u.plain(v, u.value_decimals + 12)}" for k, v in sorted(found.values.items())]
        yield f"    worst scenario {sheet.scenarios[found.worst]!r}: {', '.join(parts)}"
        joint, floor = (u.plain(v * 390_625, u.value_decimals + 20) for v in (found.joint, found.floor))
        yield f"      joint loss {joint}, each underlying alone x lambda {floor}: the larger counts"

    def _balance(self, b: BalanceSum) -> Iterator[str]:
        u = self._units
        moving = f" ({u.money(b.asset, b.in_transit)} in transit)" if b.in_transit else ""
        total = u.money(b.asset, b.cash + b.pnl)
        sum_text = f"cash {u.amount(b.asset, b.cash)} + P&L {u.amount(b.asset, b.pnl)} = {total}{moving}"
        yield f"    {u.asset(b.asset)}: {sum_text}"
        parts = [f"{u.amount(b.asset, p.units)} x {u.plain(p.weight_ppm, 4)} %" for p in b.parts]
        if parts:
            weighed = parts[0] if len(parts) == 1 else f"({' + '.join(parts)})"
            yield f"      value {weighed} x price {u.price(b.asset, b.price)} = {u.value(b.value, finer=12)}"

    def _leg(self, leg: LegSum) -> Iterator[str]:
        u, asset = self._units, self._units.asset_of(leg.contract)
        fresh = "" if leg.is_fresh else "; the mark is not fresh"
        held = (
            f"{leg.lots:+,} lots x (mark {u.amount(asset, leg.mark)} {MINUS} funding "
            f"{u.amount(asset, leg.funding)}) {MINUS} entry {u.amount(asset, leg.entry)} = P&L "
            f"{u.money(asset, leg.pnl)}"
        )
        yield f"    {u.symbol(leg.contract)}: {held if leg.lots else 'no position'}{fresh}"
        initial, other = leg.needs[0], leg.needs[1]
        if initial.lots != leg.lots:
            bid, ask = leg.hold
            yield f"      orders resting: {bid:,} bid, {ask:,} ask; initial counts {initial.lots:+,} lots, the worst"
            yield from self._components(leg, initial)
        if leg.lots:
            yield from self._components(leg, other)
        for level, name in enumerate(_LEVELS):
            need = leg.needs[level]
            if need.lots:
                yield f"      {name:<12} {self._need(leg, need)}"

    def _components(self, leg: LegSum, need: Need) -> Iterator[str]:
        u, asset = self._units, self._units.asset_of(leg.contract)
        size, notional = abs(need.lots), u.amount(asset, need.notional)
        count, tail = f"{size:,}", ""
        per_lot = need.charge // size if size else 0
        deduction = f" {MINUS} {u.amount(asset, need.deduction, finer=6)}" if need.deduction else ""
        if need.others:
            alone = u.amount(asset, need.rate_ppm * need.notional - need.deduction - need.tiered, finer=6)
            count = f"({size:,} + {need.others:,})"
            deduction += f" {MINUS} {alone}"
            tail = f"; the {need.others:,} lots of the owner's other accounts cost {alone} by themselves"
        rate = f"{notional} x {u.plain(need.rate_ppm, 4)} %{deduction} = {u.amount(asset, need.tiered, finer=6)}"
        if deduction or need.tiered:
            yield f"      notional {count} x {u.amount(asset, abs(leg.mark))} = {notional}; tiered {rate}{tail}"
        if need.charge:
            yield f"      charge {size:,} lots x {u.amount(asset, per_lot)} = {u.amount(asset, need.charge)}"

    def _need(self, leg: LegSum, need: Need) -> str:
        u, asset = self._units, self._units.asset_of(leg.contract)
        tiered = f"{u.amount(asset, need.tiered, finer=6)} x {u.plain(need.tiered_factor, 6)}"
        charge = f"{u.amount(asset, need.charge)} x {u.plain(need.charge_factor, 6)}"
        if need.counts == SUM:
            text = f"tiered {tiered} + charge {charge}" if need.charge else f"tiered {tiered}"
        elif not need.charge:
            text = f"tiered {tiered}"
        elif need.counts == CHARGE:
            text = f"charge {charge} (more than tiered {tiered})"
        else:
            text = f"tiered {tiered} (no less than charge {charge})"
        if need.addon and need.addon != need.band * leg.price * 10**6:
            text += f" + add-ons {u.value(need.addon, finer=18)}"
        elif need.band:
            text += f" + half band {u.amount(asset, need.band, finer=6)}"
        if leg.price != 10 ** (u.value_decimals + 6) // 10 ** u.decimals(asset):
            text += f", x price {u.price(asset, leg.price)}"
        return f"{text} = {u.value(need.total, finer=18)}"

    def _requirement(self, picture: Picture, level: int, name: str) -> str:
        u, numbers = self._units, picture.numbers
        need, leave = numbers.requirements[level], numbers.exits[level]
        held = picture.was > level
        if numbers.equity < need:
            text = f"equity is BELOW it by {u.value(need - numbers.equity)}"
        elif held and numbers.equity < leave:
            text = f"equity is above it, and still below the exit {u.value(leave)}"
        else:
            text = "ok"
        if leave != need and held and numbers.equity < need:
            text += f"; the level is left at {u.value(leave)}"
        many = f" (sum of {len(picture.legs)} contracts)" if len(picture.legs) > 1 else ""
        parts = picture.needs[level]
        if parts.scenario:
            # Over 256: times 10^8 / 256 it is a decimal that ends.
            own, scenario, addons = (
                u.plain(v * 390_625, u.value_decimals + 26) for v in (parts.own, parts.scenario, parts.addons)
            )
            many = (
                f" (contracts {own} {'+' if parts.summed else 'or, if more,'} scenarios {scenario} + add-ons {addons})"
            )
        if need > -(-parts.total // SCALE):
            # Only the look-ahead asks for more than what is held (rule LC-006).
            many = " (what it needs without the contracts about to expire, which is more)"
        return f"    requirement {name:<12} {u.value(need)}{many}: {text}"

    def _summary(self, picture: Picture) -> Iterator[str]:
        u, numbers = self._units, picture.numbers
        cash = [u.money(b.asset, b.cash) for b in picture.balances if b.cash]
        moving = [f"{u.money(b.asset, b.in_transit)} in transit" for b in picture.balances if b.in_transit]
        legs = [u.lots(leg.contract, leg.lots) for leg in picture.legs if leg.lots]
        level = Level(picture.was).name.lower()
        yield f"  = {', '.join([*cash, *moving, *legs]) or 'nothing left'}; level {level}"
        if legs:
            needs = ", ".join(f"{n} {u.value(v)}" for n, v in zip(_LEVELS, numbers.requirements, strict=True))
            yield f"    equity {u.value(numbers.equity)}; needs {needs}"
