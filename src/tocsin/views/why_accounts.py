"""
Sentences for events that change what an account is, owes or holds without a trade: mode, owner, transfers, loans,
trading fees, recourse, settlement and rescaling of contracts.
"""

from collections.abc import Callable
from typing import Any

from tocsin.margin.state import Mode
from tocsin.views.why_numbers import Units

Fields = dict[str, Any]
Sentence = Callable[[Units, Fields], str]


def _mode_changed(u: Units, f: Fields) -> str:
    needed, equity = u.value(f["x"]), u.value(f["y"])
    return f"margined as {Mode(f['a']).name.lower()} from here on: initial requirement {needed}, equity {equity}"


def _owner_linked(_u: Units, f: Fields) -> str:
    if not f["a"]:
        return "linked to no owner any more: tiers, caps and concentration are its own"
    return f"linked to owner {f['a']}: tiers, caps and concentration are judged on all accounts of this owner"


def _transfer_received(u: Units, f: Fields) -> str:
    text = f"received {u.money(f['asset'], f['amount'])} from another account"
    if f["leaving"]:
        text += f"; {u.money(f['asset'], f['leaving'])} more than it may hold is on its way out of the vault"
    return text


def _borrowed(u: Units, f: Fields) -> str:
    asked, moved = u.money(f["key"], f["a"]), u.money(f["key"], f["x"])
    limit = "" if f["x"] == f["a"] else ", the most its cap and the initial level allow"
    return f"asked to borrow {asked}: {moved} is in transit{limit}; balance before {u.money(f['key'], f['y'])}"


def _interest(u: Units, f: Fields) -> str:
    if f["charged"]:
        return f"interest of {u.money(f['asset'], f['charged'])} charged on what is owed"
    return f"interest of {u.money(f['asset'], f['credited'])} earned on what is owned"


def _conversion_asked(u: Units, f: Fields) -> str:
    owed, need = u.money(f["asset"], f["owed"]), u.money(f["asset"], f["need"])
    return f"CONVERSION asked: {owed} is owed, collateral shall be sold for {need} of it"


def _converted(u: Units, f: Fields) -> str:
    given, got = u.money(f["collateral"], f["given"]), u.money(f["asset"], f["got"])
    return f"CONVERTED: {given} sold to the global fund for {got} of what is owed"


def _recourse_paid(u: Units, f: Fields) -> str:
    return f"RECOURSE: {u.money(f['asset'], f['amount'])} paid for the loss of another account of the same root"


def _trade_fee(u: Units, f: Fields) -> str:
    amount, capped = abs(f["amount"]), f["amount"] != f["asked"]
    text = f"trading fee {u.settled(f['contract'], amount)} to the operator"
    if f["amount"] < 0:
        text = f"trading rebate {u.settled(f['contract'], amount)} from the operator"
    return text + (f", cut to the cap from {u.settled(f['contract'], abs(f['asked']))}" if capped else "")


def _settled(u: Units, f: Fields) -> str:
    legs, value = u.lots(f["contract"], f["lots"]), u.settled(f["contract"], f["value"])
    return f"SETTLED: {legs} at the final mark for {value}, cash {u.settled(f['contract'], f['cash'], sign=True)}"


def _rescaled(u: Units, f: Fields) -> str:
    return (
        f"RESCALED: one lot is now {f['factor']:,} lots; position {u.lots(f['contract'], f['position'])}, entry sum as "
        "before"
    )


def _intent_void(u: Units, f: Fields) -> str:
    return f"intent {f['intent']} in {u.symbol(f['contract'])} is void, {f['filled']:+,} lots were filled"


SENTENCES: dict[str, Sentence] = {
    "mode_changed": _mode_changed,
    "owner_linked": _owner_linked,
    "transfer_sent": lambda u, f: f"sent {u.money(f['key'], f['a'])} to account {f['b']}",
    "transfer_received": _transfer_received,
    "borrowed": _borrowed,
    "interest": _interest,
    "conversion_asked": _conversion_asked,
    "converted": _converted,
    "recourse_paid": _recourse_paid,
    "trade_fee": _trade_fee,
    "settled": _settled,
    "rescaled": _rescaled,
    "intent_void": _intent_void,
}
"""A sentence for each of these kinds."""

ASKED: dict[str, Sentence] = {
    "mode_changed": lambda _u, f: f"change to {Mode(f['a']).name.lower()} margin",
    "owner_linked": lambda _u, f: f"link to owner {f['a']}",
    "transfer_sent": lambda u, f: f"transfer of {u.money(f['key'], f['a'])} to account {f['b']}",
    "borrowed": lambda u, f: f"loan of {u.money(f['key'], f['a'])}",
}
"""What was asked for, where a command of these kinds was refused."""
