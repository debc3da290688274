"""
What a shard reports last in a cycle besides candidates: who stands in for a loss, what linked accounts hold, what is
owed and owned of assets that are lent, who must sell collateral for debts (rules AC-034, AC-036, AC-039, AC-040).
"""

from tocsin.accounts.money import add_cash, removable
from tocsin.core.integers import PPM, ceil_div
from tocsin.engine.desk import ShardDesk
from tocsin.engine.messages import Conversion, Linked, StandIn
from tocsin.margin.state import AccountState, Level, Mode
from tocsin.margin.valuation import compute_balances


def offer_stand_ins(desk: ShardDesk) -> None:
    """
    Report what accounts with recourse could pay for accounts of their root that were taken over with a loss.

    Only calm accounts without a case stand in, each with what it could withdraw, and for one loss at a time.
    """
    used: dict[int, None] = {}
    for takeover in desk.close.takeovers:
        owed = [asset for asset, amount in takeover.cash if amount < 0]
        root = desk.read(takeover.account).root if owed else 0
        for account in desk.bucket_accounts(takeover.bucket) if owed else ():
            state = desk.read(account)
            able = state.recourse and state.root == root and account != takeover.account and account not in used
            if not able or state.level >= Level.MARGIN_CALL or account in desk.cases:
                continue
            rest = state.copy()
            for asset in owed:
                available = removable(rest, desk.valuation, asset)
                if available:
                    used[account] = None
                    # What it pays in one asset no longer covers what it pays in the next.
                    add_cash(rest, asset, -available)
                    desk.close.stand_ins.append(StandIn(takeover.bucket, account, takeover.account, asset, available))


def report_links(desk: ShardDesk) -> None:
    """
    Report what touched accounts with an owner hold: absolute lots per contract, absolute delta per underlying.
    """
    for account in sorted(desk.touched):
        state = desk.read(account)
        if not state.owner:
            if account in desk.linked:
                del desk.linked[account]
                desk.close.linked.append(Linked(desk.bucket(account), account, 0, ()))
            continue
        desk.linked[account] = None
        held = {contract: abs(lots) for contract, (lots, _) in state.positions.items()}
        deltas: dict[int, int] = {}
        for contract, (lots, _) in state.positions.items():
            terms = desk.valuation.lines[contract].terms
            if terms.underlying in desk.valuation.concentrated:
                deltas[terms.underlying] = deltas.get(terms.underlying, 0) + lots * terms.delta
        held |= {-1 - underlying: abs(delta) for underlying, delta in deltas.items() if delta}
        desk.close.linked.append(Linked(desk.bucket(account), account, state.owner, tuple(sorted(held.items()))))


def report_loans(desk: ShardDesk) -> None:
    """
    Report per lent asset what all accounts owe and own, from which the next interest follows, and ask to sell
    collateral for what an account owes beyond its cap (rule AC-039).
    """
    lent = [a.id for a in desk.sheet.assets if a.borrow is not None]
    if not lent:
        return
    owed, owned = dict.fromkeys(lent, 0), dict.fromkeys(lent, 0)
    for account in desk.store.accounts():
        state = desk.read(account)
        balances = compute_balances(state, desk.valuation)
        for asset in lent:
            balance = balances.get(asset, 0)
            if balance < 0:
                owed[asset] -= balance
            else:
                owned[asset] += balance
        if any(balances.get(asset, 0) < 0 for asset in lent) and state.mode != Mode.EXTERNAL:
            _ask_conversions(desk, state, balances, lent)
    desk.close.balances.update({asset: (owed[asset], owned[asset]) for asset in lent})


def _ask_conversions(desk: ShardDesk, state: AccountState, balances: dict[int, int], lent: list[int]) -> None:
    """
    Ask to sell collateral for debts: for what is beyond the account's cap, and, while its risk is reduced and nothing
    is left to trade, for the part of each debt that the sheet lets go at once (rule AC-039).
    """
    case = desk.cases.get(state.id)
    reducing = case is not None and case.reducing and not state.positions
    free = {a: min(u, state.cash.get(a, 0)) for a, u in sorted(balances.items()) if u > 0 and state.cash.get(a, 0) > 0}
    bucket, nth = desk.bucket(state.id), 0
    for asset in sorted(lent):
        terms, debt = desk.valuation.assets[asset].borrow, -balances.get(asset, 0)
        if terms is None or debt <= 0:
            continue
        need = max(0, debt - terms.account_cap)
        if reducing:
            need = max(need, ceil_div(debt * terms.close_ppm, PPM))
        if not need or not free:
            continue
        desk.note(3, state.id, "conversion_asked", asset=asset, owed=debt, need=need)
        for collateral, have in free.items():
            desk.close.conversions.append(Conversion(bucket, state.id, nth, collateral, have, asset, need))
            nth += 1
