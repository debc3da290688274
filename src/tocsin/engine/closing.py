"""
What a shard reports last in a cycle besides candidates: who stands in for a loss, what linked accounts hold, what is
owed and owned of assets that are lent (rules AC-034, AC-036, AC-040).
"""

from tocsin.accounts.store import RowKind
from tocsin.engine.desk import ShardDesk
from tocsin.engine.messages import Linked, StandIn
from tocsin.margin.state import AccountState, Level
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
            for asset in owed:
                available = _available(desk, state, asset)
                if available:
                    used[account] = None
                    desk.close.stand_ins.append(StandIn(takeover.bucket, account, takeover.account, asset, available))


def _available(desk: ShardDesk, state: AccountState, asset: int) -> int:
    """Return what a withdrawal of `asset` could move, without moving it."""
    most = state.cash.get(asset, 0)
    if most <= 0:
        return 0
    reason, _, possible = desk.row(RowKind.DEBIT, state.id, asset, most)
    if reason:
        return possible
    desk.row(RowKind.CASH, state.id, asset, most)
    return most


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


def report_balances(desk: ShardDesk) -> None:
    """
    Report per lent asset what all accounts owe and own, from which the next interest follows.
    """
    lent = [a.id for a in desk.sheet.assets if a.borrow is not None]
    if not lent:
        return
    owed, owned = dict.fromkeys(lent, 0), dict.fromkeys(lent, 0)
    for account in desk.store.accounts():
        balances = compute_balances(desk.read(account), desk.valuation)
        for asset in lent:
            balance = balances.get(asset, 0)
            if balance < 0:
                owed[asset] -= balance
            else:
                owned[asset] += balance
    desk.close.balances.update({asset: (owed[asset], owned[asset]) for asset in lent})
