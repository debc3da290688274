"""
What a shard does first in a cycle besides carrying out decisions: interest, what owners hold elsewhere, lots rescaled,
contracts settled (rules AC-036, RQ-020, LC-010 to LC-022).
"""

from tocsin.accounts.store import RowKind
from tocsin.engine.desk import ShardDesk
from tocsin.margin.valuation import compute_balances


def accrue_interest(desk: ShardDesk) -> None:
    """
    Charge negative and credit positive balances as of the last close, before anything else moves (rule AC-036).
    """
    for asset, (charge, credit) in sorted(desk.opened.interest.items()):
        charged = credited = 0
        for account in desk.store.accounts():
            balance = compute_balances(desk.read(account), desk.valuation).get(asset, 0)
            if balance * (charge if balance < 0 else credit) == 0:
                continue
            _, due, earned = desk.row(RowKind.ACCRUE, account, asset, charge, credit)
            if due or earned:
                charged, credited = charged + due, credited + earned
                desk.note(0, account, "interest", asset=asset, charged=due, credited=earned)
        desk.close.interest[asset] = (charged, credited)


def tell_others(desk: ShardDesk) -> None:
    """
    Tell linked accounts what their owner's other accounts hold as of the previous cycle (rule RQ-020).
    """
    told = desk.opened.others
    for account in sorted({**desk.linked, **dict.fromkeys(told)}):
        state = desk.store.read(account)
        if state is not None:
            others = told.get(account, {})
            for key in sorted({**state.others, **others}):
                desk.row(RowKind.OTHERS, account, key, others.get(key, 0))


def rescale(desk: ShardDesk) -> None:
    """
    Multiply lots and holds of rescaled contracts; their intents are void (rule LC-020).
    """
    for contract, factor in sorted(desk.opened.rescaled.items()):
        for account in desk.store.accounts():
            state = desk.read(account)
            if contract in state.positions or contract in state.holds:
                _, lots, _ = desk.row(RowKind.RESCALE, account, contract, factor)
                desk.note(0, account, "rescaled", contract=contract, factor=factor, position=lots)
        _void_intents(desk, contract)


def settle(desk: ShardDesk) -> None:
    """
    Pay out every position of a settled contract at its final mark; holds and intents are void (rule LC-012).
    """
    for contract in sorted(desk.opened.settled):
        for account in desk.store.accounts():
            state = desk.read(account)
            if contract in state.holds:
                desk.row(RowKind.HOLD, account, contract, 0, 0)
            if contract in state.positions:
                before = state.cash.get(desk.valuation.lines[contract].asset, 0)
                _, lots, value = desk.row(RowKind.TAKE, account, contract)
                paid = desk.read(account).cash.get(desk.valuation.lines[contract].asset, 0) - before
                desk.note(1, account, "settled", contract=contract, lots=lots, value=value, cash=paid)
        _void_intents(desk, contract)


def _void_intents(desk: ShardDesk, contract: int) -> None:
    for account in sorted(desk.cases):
        case = desk.cases[account]
        for intent in [i for i in case.intents if i.contract == contract]:
            case.intents.remove(intent)
            desk.touched[account] = None
            desk.note(0, account, "intent_void", intent=intent.id, contract=contract, filled=intent.filled)
        kept = [m for m in case.moved if m.contract != contract]
        if len(kept) != len(case.moved):
            desk.touched[account] = None
            case.moved[:] = kept
