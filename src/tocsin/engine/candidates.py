"""
Who can close lots against the default account, and who has gains to share a loss (rules WF-036, WF-049, WF-051).
"""

from collections.abc import Sequence
from math import gcd

from tocsin.core.integers import ceil_div, floor_div, sign
from tocsin.core.limits import PRICE_SCALE
from tocsin.engine.messages import LotCandidate, MoneyCandidate
from tocsin.margin.requirement import LIQUIDATION, MARGIN_CALL, TAKEOVER, compute_requirement, sum_requirement
from tocsin.margin.state import AccountState
from tocsin.margin.valuation import Valuation, close_at_mark, compute_balances, compute_equity
from tocsin.procedures.liquidation.intent import Intent, reserved_lots

LEGS_MAX = 5
"""Contracts of one holder that offer lots in one cycle where closing one may raise what another requires (WF-036)."""

_LEVELS = (MARGIN_CALL, LIQUIDATION, TAKEOVER)


def offer_lots(
    bucket: int, state: AccountState, valuation: Valuation, intents: Sequence[Intent], wanted: dict[int, int]
) -> list[LotCandidate]:
    """
    Return the unreserved lots of `state` that `wanted` (signed lots the default account must trade away) can close.

    The default account long (> 0) meets holders who are short, and the other way round. `safe` lots of all contracts
    may be closed in one cycle, in any part, and no requirement from `margin_call` down rises (rule WF-036).
    """
    free: dict[int, int] = {}
    for contract in sorted(wanted):
        lots = state.positions.get(contract, (0, 0))[0]
        if lots * wanted[contract] < 0:
            left = abs(lots) - abs(reserved_lots(list(intents), contract))
            if left > 0:
                free[contract] = left
    if not free:
        return []
    equity = compute_equity(state, valuation)
    requirement = compute_requirement(state, valuation, LIQUIDATION)
    safe = free
    if is_joint(state, valuation):
        safe = find_safe_lots(state, valuation, free)
    spreads = find_spreads(state, valuation, free, safe)
    out: list[LotCandidate] = []
    for contract, units in free.items():
        lots, entry = state.positions[contract]
        line = valuation.lines[contract]
        out.append(
            LotCandidate(
                bucket,
                state.id,
                contract,
                units,
                profit=lots * line.net - entry,
                entry_value=abs(entry),
                notional=abs(lots) * line.notional,
                equity=equity,
                reserved=abs(lots) - units,
                side=sign(lots * line.mark) or sign(lots),
                balance=state.cash.get(line.asset, 0),
                requirement=requirement,
                safe=safe[contract],
                spreads=spreads.get(line.asset, 0),
            )
        )
    return out


def is_joint(state: AccountState, valuation: Valuation) -> bool:
    """
    Return whether closing one contract may raise what the account requires: it has a scenario component or add-ons.

    Without them each contract's part stands alone and never rises as its lots are closed.
    """
    factors = valuation.factors(state.mode)
    return factors.scenario_counts or factors.addon_counts


def close_lots_at_mark(state: AccountState, valuation: Valuation, closed: dict[int, int]) -> AccountState:
    """
    Return the account after `closed` lots (>= 0 per contract) of its positions were closed at the mark.
    """
    after = state.copy()
    for contract, units in closed.items():
        long = state.positions[contract][0] > 0
        close_at_mark(after, valuation.lines[contract], -units if long else units)
    return after


def _keeps(state: AccountState, valuation: Valuation, limits: list[int], closed: dict[int, int]) -> bool:
    """Return whether no requirement from `margin_call` down is above its limit once `closed` lots are gone."""
    after = close_lots_at_mark(state, valuation, closed)
    return all(sum_requirement(after, valuation, level) <= limits[i] for i, level in enumerate(_LEVELS))


def find_safe_lots(state: AccountState, valuation: Valuation, free: dict[int, int]) -> dict[int, int]:
    """
    Return per contract how many of its free lots are safe: any numbers up to these may be closed together without
    raising a requirement from `margin_call` down (rule WF-036).

    Contracts ascending, each as many lots as every corner reached so far allows. Requirements are convex in lots, so
    that the numbers a corner allows are 0 to some k (found by halving), and no inner point is above the corners. After
    `LEGS_MAX` contracts with safe lots the others wait for the next cycle.

    Complexity: at most 2^LEGS_MAX x 31 requirements.
    """
    limits = [sum_requirement(state, valuation, level) for level in _LEVELS]
    corners: list[dict[int, int]] = [{}]
    out: dict[int, int] = {}
    for contract, units in free.items():
        out[contract] = 0
        if len(corners) >= 2**LEGS_MAX:
            continue
        most = units
        for corner in corners:
            if not _keeps(state, valuation, limits, {**corner, contract: most}):
                most = _halve(state, valuation, limits, corner, contract, most)
        out[contract] = most
        if most:
            corners += [{**corner, contract: most} for corner in corners]
    return out


def _halve(
    state: AccountState, valuation: Valuation, limits: list[int], corner: dict[int, int], contract: int, over: int
) -> int:
    """Return the most lots below `over` that the corner allows; none (0) is allowed, `over` is not."""
    low, high = 0, over
    while high - low > 1:
        middle = (low + high) // 2
        if _keeps(state, valuation, limits, {**corner, contract: middle}):
            low = middle
        else:
            high = middle
    return low


def find_spreads(
    state: AccountState, valuation: Valuation, free: dict[int, int], safe: dict[int, int]
) -> dict[int, int]:
    """
    Return per asset how many whole spreads may be closed without raising a requirement from `margin_call` down.

    A spread is all legs of the holder that settle in the asset and are wanted, in lowest whole terms, where some leg
    alone is not safe (rule WF-037).
    """
    legs: dict[int, dict[int, int]] = {}
    for contract, units in free.items():
        legs.setdefault(valuation.lines[contract].asset, {})[contract] = units
    out: dict[int, int] = {}
    for asset, units in legs.items():
        if len(units) < 2 or all(safe[c] == lots for c, lots in units.items()):
            continue
        count = gcd(*units.values())
        limits = [sum_requirement(state, valuation, level) for level in _LEVELS]
        low, high = 0, count + 1
        while high - low > 1:
            middle = count if high > count else (low + high) // 2
            if _keeps(state, valuation, limits, {c: lots // count * middle for c, lots in units.items()}):
                low = middle
            else:
                high = middle
        out[asset] = low
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
