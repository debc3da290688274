"""
What must hold after every cut, recomputed from the bytes of a snapshot and not by the engine's own checks.

A snapshot is taken right after a cut: the ClearingHouse has booked its side of the decisions that open the next cycle,
the shards have not yet. `settle` books the shards' side from the decisions' own words, so that both can be added up.
"""

from collections import Counter

from tests.helpers import exact
from tocsin.accounts.leaf import decode_leaf
from tocsin.core.codec import decode
from tocsin.engine.case import decode_case
from tocsin.engine.engine import EngineSnapshot
from tocsin.engine.messages import CloseLots, Converted, Credit, Debit, Grant, Recourse, Release
from tocsin.sheet.terms import decode_sheet

SUSPENSE, GLOBAL_FUND = -1, -2


class Picture:
    """A snapshot taken apart: accounts at the close, own accounts, cases, decisions, sheet and marks of the close."""

    def __init__(self, data, closed):
        snapshot = decode(data, EngineSnapshot, limit=None)
        self.accounts = {a.id: a for a in map(decode_leaf, snapshot.leaves)}
        self.own = {a.id: a for a in map(decode_leaf, snapshot.house.leaves)}
        self.cases = {c.account: c for c in map(decode_case, snapshot.cases)}
        self.state = snapshot.house.state
        self.decisions = snapshot.opened.decisions
        self.opened = snapshot.opened
        self.closed = closed
        for account in self.accounts.values():
            account.others = dict(closed.others.get(account.id, {}))
        self.marks = closed.marks
        self.next_sheet = decode_sheet(self.state.sheet)
        self.assets = {c.id: c.asset for c in self.next_sheet.contracts}


def picture(engine, result):
    """Return the picture of an engine right after `result` was cut."""
    return Picture(engine.snapshot(), result.opened)


def settled(p):
    """Return (lots per contract, money per asset) of the real accounts with pending decisions booked."""
    lots, money = Counter(), Counter()
    for account in p.accounts.values():
        for asset, units in account.cash.items():
            money[asset] += units
        for asset, units in account.in_transit.items():
            money[asset] += units
        for contract, (held, entry) in account.positions.items():
            if contract in p.opened.settled:
                money[p.assets[contract]] += held * (p.opened.settled[contract] - _funding(p, contract)) - entry
                continue
            lots[contract] += held * p.opened.rescaled.get(contract, 1)
            money[p.assets[contract]] -= entry
    for d in p.decisions:
        match d:
            case CloseLots():
                if d.contract in p.opened.settled:
                    final = p.opened.settled[d.contract] - _funding(p, d.contract)
                    money[p.assets[d.contract]] += d.lots * final
                else:
                    lots[d.contract] += d.lots * p.opened.rescaled.get(d.contract, 1)
                money[p.assets[d.contract]] -= d.value - d.lots * p.marks.contracts[d.contract].funding
            case Debit() | Release() | Recourse():
                money[d.asset] -= d.amount
            case Credit():
                money[d.asset] += d.amount
            case Converted():
                money[d.asset] += d.got
                money[d.collateral] -= d.given
            case Grant():
                pass
    return lots, money


def _funding(p, contract):
    return p.opened.marks.contracts[contract].funding


def check_books(p):
    """Money per asset equals the vault, lots sum to zero, the error accounts are flat, suspense is held less claims."""
    lots, money = settled(p)
    for own in p.own.values():
        for asset, units in own.cash.items():
            money[asset] += units
        for contract, (held, entry) in own.positions.items():
            lots[contract] += held
            money[p.assets[contract]] -= entry
    vault = Counter(p.state.vault)
    assert +money == +vault and -money == -vault, (money, vault)
    assert not any(v < 0 for v in vault.values()), vault
    assert not any(lots.values()), lots
    for ident, own in p.own.items():
        if -30_000 < ident <= -20_000:
            assert not own.positions and not own.cash, f"error account {ident} is not flat"
        if ident <= -30_000 or ident == GLOBAL_FUND:
            assert all(v >= 0 for v in own.cash.values()), f"fund {ident} below zero: {own.cash}"
    check_claims(p)


def check_claims(p):
    """What suspense holds for conversion, cash plus unpaid claims, is never negative; every claim is positive."""
    claims = Counter()
    for claim in p.state.claims:
        assert claim.amount > 0
        claims[claim.asset] += claim.amount
    pending = Counter()
    for d in p.decisions:
        if isinstance(d, Debit | Recourse):
            pending[d.asset] += d.amount
    for asset in {*claims, *p.own[SUSPENSE].cash}:
        held = p.own[SUSPENSE].cash.get(asset, 0) + claims[asset]
        assert held >= 0, f"suspense of {asset}: {held}"


def check_accounts(p, sheet):
    """Entry sums bounded, nothing empty kept, levels as defined, nothing left to whoever is at takeover or below."""
    caps = {c.id: c.mark_cap for c in sheet.contracts}
    for account in p.accounts.values():
        for contract, (held, entry) in account.positions.items():
            assert held != 0
            assert abs(entry) <= abs(held) * 2 * caps[contract], f"entry sum of {account.id} too large"
        assert all(v > 0 for v in account.in_transit.values())
        needs = [exact.need(account, sheet, p.marks, i) for i in range(4)]
        assert needs == sorted(needs, reverse=True), "levels are nested"
        assert account.level == exact.level(account, sheet, p.marks, account.level), f"level of {account.id}"
        if account.level >= 4 and not p.closed.grace:
            assert not account.positions, f"account {account.id} at {account.level.name} holds positions"
            assert not account.cash
            assert not account.in_transit


def check_cases(p):
    """Reserved lots close the position and never exceed it, also after the lots that ADL is about to take."""
    dealt = Counter()
    for d in p.decisions:
        if isinstance(d, CloseLots):
            dealt[d.account, d.contract] += d.lots
    for account, contract in dealt:
        held = p.accounts[account].positions[contract][0]
        assert held * dealt[account, contract] < 0
        assert abs(dealt[account, contract]) <= abs(held)
    for ident, case in p.cases.items():
        assert not case.is_empty, f"case of {ident} is stuck"
        left = Counter()
        for intent in case.intents:
            left[intent.contract] += intent.left
            assert abs(intent.filled) <= abs(intent.lots)
            assert intent.filled * intent.lots >= 0
        for contract, reserved in left.items():
            if reserved:
                held = p.accounts[ident].positions.get(contract, (0, 0))[0]
                assert held * reserved < 0, f"account {ident} reserves {reserved} of {held}"
                assert abs(reserved) <= abs(held) - abs(dealt[ident, contract])
        if case.call is not None:
            assert p.accounts[ident].level == 2 or p.closed.grace
            assert p.closed.grace or case.call.deadline_ns > p.closed.time_ns or case.call.t_star_minutes < 0
            assert not case.reducing
        if p.accounts[ident].level == 3 and not p.closed.grace:
            assert case.reducing
    for account in p.accounts.values():
        if account.level == 3 and not p.closed.grace:
            assert account.id in p.cases


def check_decisions(p, sheet):
    """A haircut never exceeds min(profit, equity) of its payer; ADL never exceeds what the default account had."""
    haircuts = {}
    for d in p.decisions:
        if isinstance(d, Debit):
            assert d.amount > 0
            account = p.accounts[d.account]
            profit = 0
            for contract, (held, entry) in account.positions.items():
                mark = p.marks.contracts[contract]
                if p.assets[contract] == d.asset:
                    profit += held * (mark.mark - mark.funding) - entry
            assert d.amount <= profit, f"haircut {d.amount} of profit {profit}"
            assert (d.account, d.asset) not in haircuts
            haircuts[d.account, d.asset] = d.amount
    for ident in {a for a, _ in haircuts}:
        account = p.accounts[ident].copy()
        before = exact.equity_exact(account, sheet, p.marks)
        for (payer, asset), amount in haircuts.items():
            if payer == ident:
                account.cash[asset] = account.cash.get(asset, 0) - amount
        after = exact.equity_exact(account, sheet, p.marks)
        assert before > 0
        assert after >= 0, f"haircuts took {before - after} of equity {before}"
    dealt = Counter()
    for d in p.decisions:
        if isinstance(d, CloseLots):
            dealt[d.contract] += d.lots
    for contract, lots in dealt.items():
        left = p.own[-10_000 - contract].positions.get(contract, (0, 0))[0]
        assert (left + lots) * lots > 0, "ADL closes what the default account held"
        assert left * lots >= 0, f"ADL flips the default account of {contract}: {left + lots} by {lots}"


def check_queue(p):
    """In transit is what is queued and what is about to be released."""
    queued = Counter()
    for entry in p.state.queue:
        queued[entry.account, entry.asset] += entry.amount
    for d in p.decisions:
        if isinstance(d, Release):
            queued[d.account, d.asset] += d.amount
    held = Counter({(a.id, s): v for a in p.accounts.values() for s, v in a.in_transit.items()})
    assert queued == held


def check_all(engine, result, sheet):
    """Run every check; `sheet` is the one of the closed cycle. Return the picture."""
    p = picture(engine, result)
    check_books(p)
    check_accounts(p, sheet)
    check_cases(p)
    check_decisions(p, sheet)
    check_queue(p)
    return p
