"""
One sentence for each kind of event that an account can meet, with its numbers.
"""

from collections.abc import Callable
from typing import Any

from tocsin.engine.messages import Event
from tocsin.engine.why import Step
from tocsin.margin.deadline import Deadline
from tocsin.margin.state import Mode
from tocsin.sheet.terms import RiskSheet
from tocsin.views.numbers import MINUS
from tocsin.views.why_accounts import ASKED, SENTENCES
from tocsin.views.why_numbers import Units, format_moment

Fields = dict[str, Any]


class EventText:
    """
    Writes the events of one step: names and units are those of the sheet in force.
    """

    def __init__(self, step: Step, units: Units) -> None:
        self.step = step
        self.sheet: RiskSheet = step.sheet
        self.u = units

    def describe(self, event: Event) -> list[str]:
        """
        Return an event in words: its sentence, then lines of arithmetic if it has any.
        """
        return WRITERS[event.kind](self, event.fields)


Writer = Callable[[EventText, Fields], list[str]]


def _opened(_t: EventText, f: Fields) -> list[str]:
    return [f"account opened under root {f['a']}, {Mode(f['b']).name.lower()} margin"]


def _deposited(t: EventText, f: Fields) -> list[str]:
    return [f"deposited {t.u.money(f['key'], f['a'])}"]


def _withdrawal(t: EventText, f: Fields) -> list[str]:
    asked, moved = t.u.money(f["key"], f["a"]), t.u.money(f["key"], f["x"])
    limit = "" if f["x"] == f["a"] else f"; most that may leave is {t.u.money(f['key'], f['y'])}"
    return [f"asked to withdraw {asked}: {moved} is in transit{limit}"]


def _filled(t: EventText, f: Fields) -> list[str]:
    what = f"liquidation fill of intent {f['intent']}" if f["intent"] else "fill"
    return [
        (
            f"{what}: {t.u.lots(f['contract'], f['lots'])} for {t.u.settled(f['contract'], f['value'])}; "
            f"position now {int(f['position']):+,}, cash {t.u.settled(f['contract'], f['cash'], sign=True)}"
        )
    ]


def _hold_set(t: EventText, f: Fields) -> list[str]:
    return [f"orders resting in {t.u.symbol(f['key'])}: {f['a']:,} lots bid, {f['b']:,} ask"]


def _order_checked(t: EventText, f: Fields) -> list[str]:
    return [
        (
            f"order of {t.u.lots(f['key'], f['a'])} may be placed: initial requirement with it {t.u.value(f['x'])}, "
            f"equity {t.u.value(f['y'])}"
        )
    ]


_ASKED: dict[str, Callable[[EventText, Fields], str]] = {
    "deposited": lambda t, f: f"deposit of {t.u.money(f['key'], f['a'])}",
    "withdrawal": lambda t, f: f"withdrawal of {t.u.money(f['key'], f['a'])}",
    "order_checked": lambda t, f: f"order of {t.u.lots(f['key'], f['a'])}",
    "hold_set": lambda t, f: f"hold of {f['a']:,} bid, {f['b']:,} ask in {t.u.symbol(f['key'])}",
    "account_opened": lambda _t, _f: "opening of the account",
}


def _asked(t: EventText, f: Fields) -> str:
    sentence = ASKED.get(f["command"])
    return sentence(t.u, f) if sentence is not None else _ASKED[f["command"]](t, f)


def _needed(t: EventText, f: Fields) -> str:
    if f["why"] == "INSUFFICIENT_MARGIN" and f["command"] in ("withdrawal", "transfer_sent", "borrowed"):
        return f"; {t.u.money(f['key'], f['y'])} may leave"
    if f["why"] in ("INSUFFICIENT_MARGIN", "REDUCE_ONLY"):
        return f"; initial requirement with it {t.u.value(f['x'])}, equity {t.u.value(f['y'])}"
    if f["why"] == "INSUFFICIENT_CASH":
        return "; more than the account owns and may borrow of what it would deliver"
    return f"; {f['x']:,} would be needed, {f['y']:,} is allowed" if f["x"] or f["y"] else ""


def _refused(t: EventText, f: Fields) -> list[str]:
    if "command" not in f:
        return [f"end of intent {f['intent']} reported, but no such intent is open: nothing changed"]
    return [f"REFUSED ({f['reason']}, {_words(f['why'])}): {_asked(t, f)}{_needed(t, f)}"]


def _unbooked(t: EventText, f: Fields) -> list[str]:
    return [
        (
            f"NOT BOOKED ({f['reason']}, {_words(f['why'])}): {t.u.lots(f['contract'], f['lots'])} for "
            f"{t.u.settled(f['contract'], f['value'])} went to the {f['to']} account"
        )
    ]


def _crossed(_t: EventText, f: Fields) -> list[str]:
    return [f"level {f['before'].lower()} -> {f['after'].lower()}"]


def _call_issued(t: EventText, f: Fields) -> list[str]:
    cures = [t.u.money(int(a), int(n)) for a, n in (pair.split(":") for pair in f["cures"].split())]
    risk = Deadline(None if f["t_star_minutes"] < 0 else f["t_star_minutes"], f["buffer"], f["gap"], int(f["variance"]))
    return [
        (
            f"MARGIN CALL for {t.u.value(f['amount'])}: equity {t.u.value(f['equity'])} is below the margin_call "
            f"requirement {t.u.value(f['requirement'])} and must reach {t.u.value(f['equity'] + f['amount'])}"
        ),
        f"cured by a deposit of {' or '.join(cures) or 'no asset: none has a price'}",
        *_deadline(t, risk, f["deadline_ns"]),
    ]


def _call_revised(t: EventText, f: Fields) -> list[str]:
    head = f"deadline of the call moved to {format_moment(f['deadline_ns'])}: the account has less time now"
    if t.step.at_decision is None:
        return [head]
    return [head, *_deadline(t, t.step.at_decision.risk, f["deadline_ns"])]


def _deadline(t: EventText, risk: Deadline, deadline_ns: int) -> list[str]:
    """Return the arithmetic of a deadline: T* with every input, then the earlier of it and the policy."""
    policy, z = t.sheet.calls, t.u.plain(t.sheet.calls.z_hundredths, 2)
    if risk.minutes is None:
        star, text = "", "no T*: the sheet publishes no risk for what the account holds"
    elif risk.buffer <= risk.gap:
        star = "T* 0 min"
        text = f"T* = 0 min: buffer {t.u.value(risk.buffer)} (equity less liquidation requirement) is not above the "
        text += f"gap charge {t.u.value(risk.gap)}"
    else:
        star = f"T* {risk.minutes:,} min"
        text = f"T* = floor((buffer {t.u.value(risk.buffer)} {MINUS} gap {t.u.value(risk.gap)})^2 / "
        text += f"({z}^2 x variance {t.u.plain(risk.variance, 2 * t.u.value_decimals)})) = {risk.minutes:,} min"
        text += " (at most a year)" if risk.minutes == 366 * 24 * 60 else ""
    least = f"min(policy {_span(policy.deadline_ns)}, {star})" if star else f"policy {_span(policy.deadline_ns)}"
    return [text, f"due {format_moment(t.step.time_ns)} + {least} = {format_moment(deadline_ns)}"]


def _call_ended(text: str) -> Writer:
    def write(t: EventText, f: Fields) -> list[str]:
        why = f": {f['why']}" if "why" in f else ""
        return [f"call of cycle {f['issued_cycle']} for {t.u.value(f['amount'])} {text}{why}"]

    return write


def _deadline_moved(_t: EventText, f: Fields) -> list[str]:
    return [f"outage: the deadline of the call moved by {_span(f['outage_ns'])}"]


def _plan(t: EventText, f: Fields) -> list[str]:
    slices: list[str] = []
    for part in f["slices"].split():
        contract, rest = part.split(":")
        lots, limit = (int(n) for n in rest.split("@"))
        verb = "sell" if lots < 0 else "buy"
        worst = t.u.settled(int(contract), limit)
        slices.append(f"{verb} {abs(lots):,} {t.u.symbol(int(contract))} at no worse than {worst} a lot")
    reach = "reaches the exit of margin_call" if f["reaches"] else "closes what there is and does not reach the target"
    return [
        f"PLAN: {'; '.join(slices)}",
        f"expected cost {t.u.value(f['cost'])}, concession at most {t.u.value(f['concession_max'])}; {reach}",
    ]


def _granted(t: EventText, f: Fields) -> list[str]:
    return [
        (
            f"intent {f['intent']}: {t.u.lots(f['contract'], f['lots'])} at no worse than "
            f"{t.u.settled(f['contract'], f['limit'])} a lot, until {format_moment(f['expires_ns'])}"
        )
    ]


def _intent_done(_t: EventText, f: Fields) -> list[str]:
    filled = f", {f['filled']:+,} lots filled" if "filled" in f else ""
    return [f"intent {f['intent']} done{filled}: nothing of it is reserved any more"]


def _taken_over(t: EventText, f: Fields) -> list[str]:
    legs = [t.u.lots(int(c), int(n)) for c, n in (pair.split(":") for pair in f["positions"].split())]
    cash = [t.u.money(int(a), int(n), sign=True) for a, n in (pair.split(":") for pair in f["cash"].split())]
    return [
        (
            f"TAKEN OVER at level {f['level'].lower()}: {', '.join(legs) or 'no position'} at mark to the default "
            f"account, then all cash ({', '.join(cash) or 'none'}) to suspense"
        )
    ]


def _reduction_started(_t: EventText, f: Fields) -> list[str]:
    return [f"RISK REDUCTION starts: {f['why']}"]


def _adl(t: EventText, f: Fields) -> list[str]:
    legs = [t.u.lots(int(c), int(n)) for c, n in (pair.split(":") for pair in f["left"].split())]
    return [
        (
            f"ADL: {t.u.lots(f['contract'], f['lots'])} at mark for {t.u.settled(f['contract'], f['value'])}, "
            f"cash {t.u.settled(f['contract'], f['cash'], sign=True)}; still held: {', '.join(legs) or 'nothing'}"
        )
    ]


def _with_units(sentence: Callable[[Units, Fields], str]) -> Writer:
    return lambda t, f: [sentence(t.u, f)]


WRITERS: dict[str, Writer] = {
    "account_opened": _opened,
    "deposited": _deposited,
    "withdrawal": _withdrawal,
    "filled": _filled,
    "hold_set": _hold_set,
    "order_checked": _order_checked,
    "refused": _refused,
    "unbooked": _unbooked,
    "fee": lambda t, f: [f"liquidation fee {t.u.settled(f['contract'], f['amount'])}"],
    "limit_broken": lambda _t, f: [
        f"that fill was worse than the limit {f['limit']:,} of intent {f['intent']}; it stands"
    ],
    "level_crossed": _crossed,
    "call_issued": _call_issued,
    "call_revised": _call_revised,
    "call_cured": _call_ended("CURED: the account paid in or traded, and left margin_call"),
    "call_cancelled": _call_ended("cancelled"),
    "call_expired": _call_ended("EXPIRED unmet"),
    "deadline_moved": _deadline_moved,
    "reduction_started": _reduction_started,
    "reduction_done": lambda _t, _f: ["risk reduction done: equity is back at the exit of margin_call"],
    "cancel_orders": lambda _t, f: [f"the market is asked to cancel its orders (contracts: {f['contracts']:,})"],
    "plan": _plan,
    "intent_granted": _granted,
    "intent_cancel": lambda _t, f: [f"intent {f['intent']} is being cancelled, {f['left']:+,} lots unfilled"],
    "intent_done": _intent_done,
    "taken_over": _taken_over,
    "released": lambda t, f: [f"{t.u.money(f['asset'], f['amount'])} left the vault: paid out"],
    "haircut": lambda t, f: [f"LOSS SHARED: {t.u.money(f['asset'], f['amount'])} of the account's gains taken"],
    "adl": _adl,
    **{kind: _with_units(sentence) for kind, sentence in SENTENCES.items()},
}
"""A writer for every kind of event that a shard tells of an account."""


def _words(name: str) -> str:
    return name.lower().replace("_", " ")


def _span(span_ns: int) -> str:
    seconds, rest = divmod(span_ns, 10**9)
    if rest:
        return f"{span_ns:,} ns"
    return f"{seconds // 60:,} min" if seconds % 60 == 0 else f"{seconds:,} s"
