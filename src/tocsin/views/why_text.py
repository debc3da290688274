"""
What happened to an account and why, as text a person can check with pencil and paper.

Every amount is exact. Money of assets is shown in whole coins, everything valued in whole valuation units.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from tocsin.engine.messages import Event
from tocsin.engine.why import Leg, Picture, Step
from tocsin.margin.state import Level
from tocsin.sheet.terms import RiskSheet
from tocsin.views.numbers import format_exact

_LEVELS = ("initial", "margin_call", "liquidation", "takeover")
_HIDDEN = frozenset({"hold_set"})


class WhyText:
    """
    Writes steps under one sheet; `value_decimals` are the decimals of the valuation unit.
    """

    def __init__(self, sheet: RiskSheet, *, value_decimals: int = 6) -> None:
        self._assets = {a.id: a for a in sheet.assets}
        self._contracts = {c.id: c for c in sheet.contracts}
        self._value_decimals = value_decimals
        self._policy = sheet.calls

    def write(self, steps: list[Step]) -> Iterator[str]:
        """
        Yield the lines of all steps.
        """
        for step in steps:
            yield from self.write_step(step)

    def write_step(self, step: Step) -> Iterator[str]:
        """
        Yield the lines of one step: time, the account at the cycle's marks, each event, the account after.
        """
        yield f"cycle {step.cycle}  {_time(step.time_ns)}"
        decisive = any(e.kind in _DECISIVE for e in step.events)
        if step.before is not None and decisive:
            yield from self._picture("at the new marks", step.before)
        for event in step.events:
            if event.kind not in _HIDDEN:
                yield f"  -> {self.describe(event)}"
        if step.after is not None:
            yield from self._picture("after the cycle", step.after)
        yield ""

    def _picture(self, title: str, picture: Picture) -> Iterator[str]:
        numbers = picture.numbers
        yield f"  {title}: level {numbers.level.name.lower()}"
        for symbol, cash, pnl in picture.cash:
            asset = next(a for a in self._assets.values() if a.symbol == symbol)
            parts = f"cash {format_exact(cash, decimals=asset.decimals)}"
            parts += f" + P&L {format_exact(pnl, decimals=asset.decimals)}"
            yield f"    {symbol:<8} {parts} = {format_exact(cash + pnl, decimals=asset.decimals)}"
        for leg in picture.legs:
            yield from self._leg(leg)
        yield f"    equity {self._value(numbers.equity)} (without haircuts {self._value(numbers.raw_equity)})"
        marks = [f"{'BELOW' if numbers.equity < need else 'ok'}" for need in numbers.requirements]
        for name, need, leave, mark in zip(_LEVELS, numbers.requirements, numbers.exits, marks, strict=True):
            tail = f", left at {self._value(leave)}" if leave != need else ""
            yield f"    requirement {name:<12} {self._value(need):>24}  {mark}{tail}"

    def _leg(self, leg: Leg) -> Iterator[str]:
        terms = self._contracts[leg.contract]
        decimals = self._assets[terms.asset].decimals
        fresh = "" if leg.is_fresh else ", mark not fresh"
        money = format_exact
        yield (
            f"    {leg.symbol:<10} {leg.lots:+,} lots x (mark {money(leg.mark, decimals=decimals)} - funding "
            f"{money(leg.funding, decimals=decimals)}) - entry {money(leg.entry, decimals=decimals)} = "
            f"{money(leg.pnl, decimals=decimals)}{fresh}"
        )

    def _value(self, amount: int) -> str:
        return format_exact(amount, decimals=self._value_decimals)

    def money(self, asset: object, amount: object) -> str:
        """Return an amount of an asset (its number) with its symbol."""
        terms = self._assets[int(str(asset))]
        return f"{format_exact(int(str(amount)), decimals=terms.decimals)} {terms.symbol}"

    def name(self, contract: object) -> str:
        """Return the symbol of a contract (its number)."""
        return self._contracts[int(str(contract))].symbol

    def settled(self, contract: object, amount: object) -> str:
        """Return an amount in the settlement asset of a contract."""
        return self.money(self._contracts[int(str(contract))].asset, amount)

    # One sentence per kind of event.

    def describe(self, event: Event) -> str:
        """
        Return one event in words, with its numbers.
        """
        writer = _WRITERS.get(event.kind)
        if writer is not None:
            return writer(self, event.fields)
        fields = ", ".join(f"{k} {v}" for k, v in event.fields.items())
        return f"{event.kind.replace('_', ' ')}{': ' + fields if fields else ''}"

    def call_issued(self, f: dict[str, int | str]) -> str:
        """Return the sentence on a new call, with the arithmetic of its deadline."""
        z = self._policy.z_hundredths
        minutes = int(f["t_star_minutes"])
        star = "no published risk, so the policy's deadline holds" if minutes < 0 else (
            f"T* = floor((buffer {self._value(int(f['buffer']))} - gap {self._value(int(f['gap']))})^2 / "
            f"({z / 100:.2f}^2 x variance {f['variance']})) = {minutes} min"
        )
        cures = [
            self.money(*pair.split(":")) for pair in str(f["cures"]).split()
        ]
        return (
            f"MARGIN CALL for {self._value(int(f['amount']))}: equity {self._value(int(f['equity']))} is below the "
            f"margin_call requirement {self._value(int(f['requirement']))}; due {_time(int(f['deadline_ns']))}; {star}; "
            f"cured by {' or '.join(cures)}"
        )

    def plan(self, f: dict[str, int | str]) -> str:
        """Return the sentence on a liquidation plan."""
        slices: list[str] = []
        for part in str(f["slices"]).split():
            contract, rest = part.split(":")
            lots, limit = rest.split("@")
            verb = "sell" if int(lots) < 0 else "buy"
            slices.append(
                f"{verb} {abs(int(lots)):,} {self.name(contract)} at a mark no worse than {self.settled(contract, limit)}"
            )
        reach = "reaches the target" if int(f["reaches"]) else "closes what there is; the target is out of reach"
        return (
            f"plan: {'; '.join(slices)}; expected cost {self._value(int(f['cost']))}, concession at most "
            f"{self._value(int(f['concession_max']))}; {reach}"
        )

    def taken_over(self, f: dict[str, int | str]) -> str:
        """Return the sentence on a takeover."""
        legs = [f"{int(p.split(':')[1]):+,} {self.name(p.split(':')[0])}" for p in str(f["positions"]).split()]
        cash = [self.money(*p.split(":")) for p in str(f["cash"]).split()]
        return (
            f"TAKEN OVER at level {str(f['level']).lower()}: {', '.join(legs) or 'no position'} at mark, then cash "
            f"{', '.join(cash) or 'nothing'} to suspense"
        )


def _time(time_ns: int) -> str:
    seconds, rest = divmod(time_ns, 10**9)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return f"{text}.{rest:09d} UTC" if rest else f"{text} UTC"


Writer = Callable[[WhyText, dict[str, int | str]], str]


def _row(text: str) -> Writer:
    def write(view: WhyText, f: dict[str, int | str]) -> str:
        return text.format(money=_amount(view, f, "key", "x"), asked=_amount(view, f, "key", "a"), **f)

    return write


def _amount(view: WhyText, f: dict[str, int | str], asset: str, amount: str) -> str:
    try:
        return view.money(f[asset], f[amount])
    except KeyError:
        return ""


_DECISIVE = frozenset(
    {"level_crossed", "call_issued", "call_revised", "call_expired", "call_cured", "call_cancelled", "plan", "taken_over"}
)

_WRITERS: dict[str, Writer] = {
    "account_opened": lambda v, f: f"account opened under root {f['a']}, mode {f['b']}",
    "deposited": lambda v, f: f"deposited {v.money(f['key'], f['a'])}",
    "withdrawal": _row("asked to withdraw {asked}; {money} in transit"),
    "released": lambda v, f: f"{v.money(f['asset'], f['amount'])} left the vault",
    "haircut": lambda v, f: (
        f"LOSS SHARED: {v.money(f['asset'], f['amount'])} of its gains taken"
    ),
    "adl": lambda v, f: (
        f"ADL: {int(f['lots']):+,} lots of {v.name(f['contract'])} at mark, "
        f"cash {v.settled(f['contract'], f['cash'])}"
    ),
    "filled": lambda v, f: (
        f"{'liquidation fill' if f['intent'] else 'fill'}: {int(f['lots']):+,} lots of "
        f"{v.name(f['contract'])} for {v.settled(f['contract'], f['value'])}, "
        f"now {int(f['position']):+,}, cash {v.settled(f['contract'], f['cash'])}"
    ),
    "fee": lambda v, f: f"liquidation fee {v.settled(f['contract'], f['amount'])}",
    "level_crossed": lambda v, f: (
        f"level {Level[str(f['before'])].name.lower()} -> {Level[str(f['after'])].name.lower()}"
    ),
    "call_issued": WhyText.call_issued,
    "call_revised": lambda v, f: f"deadline now {_time(int(f['deadline_ns']))} (T* {f['t_star_minutes']} min)",
    "call_cured": lambda v, f: f"call of cycle {f['issued_cycle']} CURED",
    "call_cancelled": lambda v, f: f"call of cycle {f['issued_cycle']} cancelled: {f['why']}",
    "call_expired": lambda v, f: f"call of cycle {f['issued_cycle']} EXPIRED unmet",
    "reduction_started": lambda v, f: f"risk reduction starts: {f['why']}",
    "reduction_done": lambda v, f: "risk reduction done: equity is back at the exit of margin_call",
    "plan": WhyText.plan,
    "intent_granted": lambda v, f: (
        f"intent {f['intent']}: {int(f['lots']):+,} lots of {v.name(f['contract'])} "
        f"until {_time(int(f['expires_ns']))}"
    ),
    "taken_over": WhyText.taken_over,
}
