"""
Who can close lots against the default account, and who has gains to share a loss (rules WF-049, WF-051).
"""

from collections.abc import Sequence

from tocsin.core.integers import ceil_div, floor_div
from tocsin.core.limits import PRICE_SCALE
from tocsin.engine.messages import LotCandidate, MoneyCandidate
from tocsin.margin.state import AccountState
from tocsin.margin.valuation import Valuation, compute_balances, compute_equity
from tocsin.procedures.liquidation.intent import Intent, reserved_lots


def offer_lots(
    bucket: int, state: AccountState, valuation: Valuation, intents: Sequence[Intent], wanted: dict[int, int]
) -> list[LotCandidate]:
    """
    Return the unreserved lots of `state` that `wanted` (signed lots the default account must trade away) can close.

    The default account long (> 0) meets holders who are short, and the other way round.
    """
    out: list[LotCandidate] = []
    equity: int | None = None
    for contract in sorted(wanted):
        lots, entry = state.positions.get(contract, (0, 0))
        if lots * wanted[contract] >= 0:
            continue
        line = valuation.lines[contract]
        free = abs(lots) - abs(reserved_lots(list(intents), contract))
        if free <= 0:
            continue
        if equity is None:
            equity = compute_equity(state, valuation)
        out.append(
            LotCandidate(
                bucket, state.id, contract, free, lots * line.net - entry, abs(entry), abs(lots) * line.notional, equity
            )
        )
    return out


def offer_money(bucket: int, state: AccountState, valuation: Valuation, wanted: dict[int, int]) -> list[MoneyCandidate]:
    """
    Return the gains of `state` per wanted asset: profit, and capacity = min(profit, balance, equity left at the asset's
    price), whole units rounded down; none at zero equity or below.

    Profit is unrealised P&L summed over the contracts that settle in the asset (rule WF-051). Assets are taken
    ascending and each capacity lowers the equity left, so that all haircuts together never exceed it.
    """
    out: list[MoneyCandidate] = []
    equity = left = 0
    balances: dict[int, int] | None = None
    for asset in sorted(wanted):
        profit = notional = 0
        for contract, (lots, entry) in state.positions.items():
            line = valuation.lines[contract]
            if line.asset == asset:
                profit += lots * line.net - entry
                notional += abs(lots) * line.notional
        if profit <= 0:
            continue
        if balances is None:
            equity = left = compute_equity(state, valuation)
            balances = compute_balances(state, valuation)
        # A unit of a positive balance is worth at most the price; an asset without one is worth nothing.
        price = valuation.prices[asset]
        capacity = min(profit, balances.get(asset, 0))
        if price:
            capacity = min(capacity, floor_div(left * PRICE_SCALE, price))
        if left <= 0 or capacity <= 0:
            continue
        left -= ceil_div(capacity * price, PRICE_SCALE)
        out.append(MoneyCandidate(bucket, state.id, asset, profit, capacity, notional, equity))
    return out
