"""
Carry out what the ClearingHouse decided, first thing in a cycle, before new marks (rules CY-003, CY-014).
"""

from tocsin.accounts.store import RowKind
from tocsin.core.errors import InvariantBroken
from tocsin.engine.desk import ShardDesk
from tocsin.engine.messages import CloseLots, Converted, Credit, Debit, Grant, Queued, Recourse, Release
from tocsin.procedures.liquidation import intent as it


def apply_decisions(desk: ShardDesk) -> None:
    """
    Book grants, ADL, haircuts and releases in the order decided, at the marks of the cycle that decided them.
    """
    for decision in desk.opened.decisions:
        account = decision.account
        if desk.store.read(account) is None:
            continue
        match decision:
            case Grant():
                _grant(desk, decision)
            case CloseLots(contract=contract, lots=lots, value=value):
                reason, _, cash = desk.row(RowKind.TRADE, account, contract, lots, value)
                if reason:
                    raise InvariantBroken(f"account {account}: ADL lots of {contract} must book, was {reason.name}")
                left = desk.read(account).positions
                linked = " ".join(f"{c}:{left[c][0]}" for c in sorted(left))
                desk.note(0, account, "adl", contract=contract, lots=lots, value=value, cash=cash, left=linked)
            case Debit(asset=asset, amount=amount):
                desk.row(RowKind.CASH, account, asset, -amount)
                desk.note(0, account, "haircut", asset=asset, amount=amount)
            case Recourse(asset=asset, amount=amount):
                desk.row(RowKind.CASH, account, asset, -amount)
                desk.note(0, account, "recourse_paid", asset=asset, amount=amount)
            case Credit(asset=asset, amount=amount):
                _, cash, leaving = desk.row(RowKind.CREDIT, account, asset, amount)
                if leaving:
                    desk.close.queued.append(Queued(desk.bucket(account), account, -1, asset, leaving))
                desk.mark_acted(account)
                desk.note(0, account, "transfer_received", asset=asset, amount=cash, leaving=leaving)
            case Converted(collateral=collateral, given=given, asset=asset, got=got):
                desk.row(RowKind.CONVERT, account, asset, got, collateral, given)
                if account in desk.cases:
                    desk.cases[account].idle = 0
                desk.note(0, account, "converted", collateral=collateral, given=given, asset=asset, got=got)
            case Release(asset=asset, amount=amount):
                desk.row(RowKind.RELEASE, account, asset, amount)
                desk.note(0, account, "released", asset=asset, amount=amount)


def _grant(desk: ShardDesk, grant: Grant) -> None:
    """Open an intent over lots that are still unreserved (ADL may have closed some of those asked for)."""
    case = desk.case(grant.account)
    held = desk.read(grant.account).positions.get(grant.contract, (0, 0))[0]
    free = abs(held) - abs(it.reserved_lots(case.intents, grant.contract))
    size = min(abs(grant.lots), free) if held * grant.lots < 0 else 0
    desk.touched[grant.account] = None
    if size <= 0:
        return
    lots = size if grant.lots > 0 else -size
    case.intents.append(it.Intent(grant.intent, grant.contract, lots, grant.limit, grant.expires_ns))
    desk.note(
        0,
        grant.account,
        "intent_granted",
        intent=grant.intent,
        contract=grant.contract,
        lots=lots,
        limit=grant.limit,
        expires_ns=grant.expires_ns,
    )
