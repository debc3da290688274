"""
The money behind a recorded cross position, where the collector kept it beside the position in words of his own.

    "account": {"walletBalance": 1535443.01, "otherMaintenance": 356512.508, "otherUnrealizedPnl": -448192.89}

Wallet, maintenance margin and unrealised profit of the other positions belong together: the wallet of a single position
would leave the others out, so it counts only beside them. Several records of one group are the whole account.
"""

import re
from decimal import Decimal

import msgspec

from tocsin.venues.contract import Balance, Mode
from tocsin.venues.reading import Draft, Fields

_WALLET = ("wb", "wallet", "walletbalance", "crosswallet", "crosswalletbalance")
_OTHERS = ("other", "others", "ex1", "ex")
_MAINTENANCE = ("tmm", "tmm1", "mm1")
_PROFIT = ("upnl1", "tupnl", "tupnl1", "upl1")
_CUM = re.compile(r"\b(?:cum|deduction)\s*=\s*(\d+(?:\.\d+)?)")


def read_money(account: Fields | None, raw: Fields, draft: Draft) -> None:
    """
    Put wallet, maintenance margin and profit of the positions left out into a draft of cross positions.
    """
    is_cross = all(leg.mode is Mode.CROSS for leg in draft.legs)
    if not draft.legs or not is_cross or draft.balances or draft.equity is not None:
        return
    wallet = maintenance = profit = None
    for fields in (account, raw):
        if fields is None:
            continue
        for name in fields.names():
            if not isinstance(fields.raw(name), (str, Decimal)):
                continue
            word = re.sub(r"[^a-z0-9]", "", name.lower())
            rest = _of_others(word)
            if word in _WALLET and wallet is None:
                wallet = fields.optional(name)
            elif (word in _MAINTENANCE or "mm" in rest or "maint" in rest) and maintenance is None:
                maintenance = fields.optional(name)
            elif (word in _PROFIT or re.search("upn?l|unreali[sz]ed|profit", rest)) and profit is None:
                profit = fields.optional(name)
    is_told = maintenance is not None and profit is not None and maintenance >= 0
    if wallet is None or len({leg.settle for leg in draft.legs}) > 1 or not (is_told or len(draft.legs) > 1):
        return
    draft.add_balance(Balance(asset=draft.legs[0].settle, amount=wallet, price=Decimal(1)))
    if is_told:
        draft.other_maintenance, draft.other_unrealised = maintenance, profit
    draft.notes.append("money behind the cross positions as the collector kept it")


def read_deduction(note: str, draft: Draft) -> None:
    """
    Take the deduction of a stated rate from the collector's note ("cum=16300"), where the payload has none.
    """
    found = _CUM.search(note)
    if found is None or not draft.legs:
        return
    leg = draft.legs[-1]
    if leg.maintenance_rate is not None and leg.deduction is None:
        draft.legs[-1] = msgspec.structs.replace(leg, deduction=Decimal(found[1]))
        draft.notes.append(f"deduction {found[1]} from the collector's note")


def _of_others(word: str) -> str:
    """
    Return what is left of a word that speaks of the other positions, "" of another word.
    """
    for part in _OTHERS:
        if word.startswith(part) or word.endswith(part):
            return word.replace(part, "", 1)
    return ""
