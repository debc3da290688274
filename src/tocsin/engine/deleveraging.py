"""
ADL: which lots of the default account holders close, and whose (rules WF-030 to WF-038, WF-045 to WF-049).
"""

from math import gcd

from tocsin.core.ids import default_account
from tocsin.core.integers import sign
from tocsin.engine import messages as ms
from tocsin.engine.claims import total_claims
from tocsin.engine.house import HouseDesk
from tocsin.procedures.waterfall.adl import LotPolicy, deal_lots
from tocsin.procedures.waterfall.scores import Candidate
from tocsin.sheet.terms import Hedges

Dealt = dict[tuple[int, int], int]
"""Lots per (bucket, account)."""


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
    Deal the default account's lots to the holders that offered theirs, at the mark of the cycle just closed if it is
    fresh (rules WF-030, WF-048, WF-049): whole spreads first (WF-037), then lots of holders that closed no spread.
    """
    free: dict[int, int] = {}
    for contract in sorted(wanted):
        lots = unreserved_lots(house, contract)
        if lots * wanted[contract] > 0 and house.valuation.lines[contract].fresh:
            free[contract] = min(abs(lots), abs(wanted[contract])) * sign(lots)
    holders: dict[int, list[ms.LotCandidate]] = {contract: [] for contract in free}
    for offer in offered:
        if offer.contract in free:
            holders[offer.contract].append(offer)
    policy = LotPolicy.of(house.sheet.waterfall)
    spreads = _deal_spreads(house, holders, free, policy) if house.sheet.waterfall.spreads else {}
    assets = {contract: house.valuation.lines[contract].asset for contract in free}
    busy = {(assets[c], *place) for c, dealt in spreads.items() for place in dealt}
    out: list[ms.CloseLots] = []
    for contract, lots in free.items():
        in_spreads = spreads.get(contract, {})
        left = abs(lots) - sum(in_spreads.values())
        rows = [o for o in holders[contract] if (assets[contract], o.bucket, o.account) not in busy]
        dealt = deal_lots(left, [as_candidate(o) for o in rows], policy, first_extra=house.first_extra(contract))
        taken = in_spreads | {(o.bucket, o.account): units for o, units in zip(rows, dealt, strict=True) if units}
        mark = house.valuation.lines[contract].mark
        for (bucket, account), units in sorted(taken.items()):
            signed = units * sign(lots)
            out.append(ms.CloseLots(bucket, account, contract, signed, signed * mark))
        _note_dealt(house, contract, abs(lots), taken, sum(in_spreads.values()))
    return out


def as_candidate(offer: ms.LotCandidate) -> Candidate:
    """Return what an offer says, as the waterfall reads it."""
    return Candidate(
        offer.bucket,
        offer.account,
        offer.lots,
        offer.profit,
        offer.entry_value,
        offer.notional,
        offer.equity,
        offer.reserved,
        offer.side,
        offer.balance,
        offer.requirement,
        offer.safe,
    )


def _deal_spreads(
    house: HouseDesk, holders: dict[int, list[ms.LotCandidate]], free: dict[int, int], policy: LotPolicy
) -> dict[int, Dealt]:
    """
    Return the lots per contract and holder that are closed as whole spreads (rule WF-037).

    Spreads of one shape (contracts and lots of each) are dealt like lots of one contract; shapes in the order of their
    contracts and lots, each up to what the default account still holds of all its legs.
    """
    groups: dict[tuple[int, int, int], list[ms.LotCandidate]] = {}
    for contract, offers in holders.items():
        for o in offers:
            if o.spreads:
                groups.setdefault((o.bucket, o.account, house.valuation.lines[contract].asset), []).append(o)
    shapes: dict[tuple[tuple[int, int], ...], list[list[ms.LotCandidate]]] = {}
    for legs in groups.values():
        if len(legs) > 1:
            count = gcd(*(o.lots for o in legs))
            shapes.setdefault(tuple((o.contract, o.lots // count) for o in legs), []).append(legs)
    left = {contract: abs(lots) for contract, lots in free.items()}
    whole = policy._replace(hedges=Hedges.IGNORE)
    out: dict[int, Dealt] = {}
    for shape, owners in sorted(shapes.items()):
        most = min(left[contract] // ratio for contract, ratio in shape)
        first = house.first_extra(-1 - shape[0][0])
        dealt = deal_lots(most, [_as_spreads(legs) for legs in owners], whole, first_extra=first)
        for contract, ratio in shape:
            left[contract] -= sum(dealt) * ratio
            for legs, units in zip(owners, dealt, strict=True):
                if units:
                    out.setdefault(contract, {})[(legs[0].bucket, legs[0].account)] = units * ratio
    return out


def _as_spreads(legs: list[ms.LotCandidate]) -> Candidate:
    """Return a holder's spreads as lots of one contract: amounts of all legs together."""
    first = legs[0]
    count = gcd(*(o.lots for o in legs))
    return Candidate(
        first.bucket,
        first.account,
        first.spreads,
        sum(o.profit for o in legs),
        sum(o.entry_value for o in legs),
        sum(o.notional for o in legs),
        first.equity,
        count - first.spreads,
        balance=first.balance,
        requirement=first.requirement,
    )


def _note_dealt(house: HouseDesk, contract: int, wanted: int, taken: Dealt, in_spreads: int) -> None:
    """Tell how many lots were dealt, and how many stay with the default account because nobody can close them."""
    lots = sum(taken.values())
    if lots:
        house.note("adl_dealt", contract=contract, lots=lots, wanted=wanted, holders=len(taken), in_spreads=in_spreads)
    if lots < wanted:
        house.note("adl_kept", default_account(contract), contract=contract, lots=wanted - lots)
