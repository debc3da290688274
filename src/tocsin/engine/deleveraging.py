"""
ADL: which lots of the default account holders close, and whose (rules WF-030 to WF-032, WF-045 to WF-049).
"""

from tocsin.core.ids import default_account
from tocsin.engine import messages as ms
from tocsin.engine.claims import total_claims
from tocsin.engine.house import HouseDesk
from tocsin.procedures.waterfall.adl import Candidate, allocate_lots


def lots_wanted(house: HouseDesk) -> dict[int, int]:
    """
    Return the signed unreserved lots of the default account that go to ADL: those older than the policy allows, or
    whose asset has claims that no fund could pay (rule WF-048).
    """
    out: dict[int, int] = {}
    for contract, age in sorted(house.state.lots_age.items()):
        line = house.valuation.lines[contract]
        due = age > house.sheet.waterfall.adl_after_cycles or total_claims(house.state.claims, line.asset) > 0
        if due and line.fresh:
            free = unreserved_lots(house, contract)
            if free:
                out[contract] = free
    return out


def unreserved_lots(house: HouseDesk, contract: int) -> int:
    """
    Return the signed lots of the default account that nothing will trade yet: no intent, own or taken over, no ADL.
    """
    lots = house.lots(default_account(contract), contract) - house.dealt(contract)
    left = [i.left for i in house.state.intents if i.contract == contract]
    left += [m.left for m in house.state.moved if m.contract == contract]
    # Takeovers of both sides net in the default account; an intent that would add to what is left reserves nothing.
    free = lots + sum(units for units in left if units * lots < 0)
    return free if free * lots > 0 else 0


def close_lots(house: HouseDesk, offered: list[ms.LotCandidate], wanted: dict[int, int]) -> list[ms.CloseLots]:
    """
    Deal the default account's lots to the holders that offered theirs, at the mark of the cycle just closed (rules
    WF-030, WF-049).
    """
    out: list[ms.CloseLots] = []
    for contract in sorted(wanted):
        free = unreserved_lots(house, contract)
        if free * wanted[contract] <= 0:
            continue
        holders = [o for o in offered if o.contract == contract]
        ranked = [
            Candidate(o.bucket, o.account, o.lots, o.profit, o.entry_value, o.notional, o.equity) for o in holders
        ]
        dealt = allocate_lots(
            min(abs(free), abs(wanted[contract])),
            ranked,
            house.sheet.waterfall.lots,
            first_extra=house.first_extra(contract),
        )
        mark = house.valuation.lines[contract].mark
        for holder, lots in zip(holders, dealt, strict=True):
            if lots:
                signed = lots if free > 0 else -lots
                out.append(ms.CloseLots(holder.bucket, holder.account, contract, signed, signed * mark))
        if sum(dealt):
            house.note(
                "adl_dealt", contract=contract, lots=sum(dealt), wanted=abs(free), holders=sum(1 for d in dealt if d)
            )
    return out
