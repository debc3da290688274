"""
Rows that move money of one account: what may leave, transfers, loans, interest, conversions (rules AC-006, AC-026,
AC-031 to AC-037).

Functions on one account and the valuation of the cycle; a refusal changes nothing. `PlainStore` calls them row by row.
"""

from tocsin.core.errors import Reason
from tocsin.core.integers import ceil_div, floor_div
from tocsin.core.limits import CASH_MAX, PRICE_SCALE
from tocsin.margin.requirement import INITIAL, compute_requirement
from tocsin.margin.state import AccountState
from tocsin.margin.valuation import (
    EQUITY_SCALE,
    Line,
    Valuation,
    compute_balances,
    value_balance,
    value_balances,
)

Result = tuple[Reason, int, int]

INTEREST_SCALE = 10**12
"""Denominator of interest in one cycle."""


def set_cash(account: AccountState, asset: int, amount: int) -> None:
    """
    Set the cash of an asset; nothing empty is kept.
    """
    if amount:
        account.cash[asset] = amount
    else:
        account.cash.pop(asset, None)


def add_cash(account: AccountState, asset: int, amount: int) -> None:
    """
    Add signed units to the cash of an asset.
    """
    set_cash(account, asset, account.cash.get(asset, 0) + amount)


def cash_fits(valuation: Valuation, others: dict[int, int], asset: int, cash: int) -> bool:
    """
    Return whether an account may hold `cash` of `asset` beside its other cash, at the price caps (rule UN-010).
    """
    held = {**others, asset: cash}
    valued = sum(abs(units) * valuation.assets[a].price_cap for a, units in held.items())
    return abs(cash) <= CASH_MAX and valued <= CASH_MAX * PRICE_SCALE


def headroom(account: AccountState, valuation: Valuation, asset: int, possible: int) -> int:
    """
    Return the most units, at most `possible`, that may leave with equity still at the initial requirement.
    """
    if possible <= 0:
        return possible
    if not (account.positions or account.holds) and possible <= account.cash.get(asset, 0):
        if not any(b < 0 for b in account.cash.values()):
            return possible
    risky = asset in valuation.risky_assets and valuation.factors(account.mode).scenario_counts
    need = compute_requirement(account, valuation, INITIAL)
    balances = compute_balances(account, valuation)
    terms, price = valuation.assets[asset], valuation.prices[asset]
    have = balances.get(asset, 0)
    rest = value_balances({**balances, asset: 0}, valuation)

    def stands(units: int) -> bool:
        value = value_balance(terms, price, valuation.price_owed(asset), have - units)
        least = need
        if risky:
            # What the balance risks leaves with it; the sheet sees to it that it always counts for more (SH-024).
            trial = account.copy()
            trial.cash[asset] = trial.cash.get(asset, 0) - units
            least = compute_requirement(trial, valuation, INITIAL)
        return (rest + value) // EQUITY_SCALE >= least

    if not stands(0):
        return 0
    low, high = 0, possible
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if stands(middle) else (low, middle - 1)
    return low


def removable(account: AccountState, valuation: Valuation, asset: int) -> int:
    """
    Return min(cash, E_c, initial headroom), at least 0: what may leave (rule AC-006).
    """
    possible = min(account.cash.get(asset, 0), compute_balances(account, valuation).get(asset, 0))
    return max(0, min(possible, headroom(account, valuation, asset, possible)))


def can_deliver(account: AccountState, valuation: Valuation, line: Line, lots: int) -> bool:
    """
    Return whether a spot order of signed `lots` and those resting on its side can be delivered at the mark: from the
    balance and what the account may borrow of the asset (rule AC-026).
    """
    bid, ask = account.holds.get(line.terms.id, (0, 0))
    if lots > 0:
        asset, needed = line.asset, (bid + lots) * line.mark
    else:
        asset, needed = line.terms.base, (ask - lots) * line.terms.base_units
    lent = valuation.assets[asset].borrow
    cap = lent.account_cap if lent is not None and valuation.sheet.classes[account.kind].borrows else 0
    return needed <= compute_balances(account, valuation).get(asset, 0) + cap


def to_transit(account: AccountState, asset: int, units: int) -> None:
    """
    Move units out of cash onto their way out of the vault.
    """
    add_cash(account, asset, -units)
    account.in_transit[asset] = account.in_transit.get(asset, 0) + units


def withdraw(account: AccountState, valuation: Valuation, asset: int, amount: int) -> Result:
    """
    Move min(wanted, cash, E_c, initial headroom) to in-transit (rule AC-006); x moved, y what was possible.
    """
    possible = removable(account, valuation, asset)
    moved = min(amount, possible)
    if moved == 0:
        return Reason.INSUFFICIENT_MARGIN, amount, possible
    to_transit(account, asset, moved)
    return Reason.OK, moved, possible


def debit(account: AccountState, valuation: Valuation, asset: int, amount: int) -> Result:
    """
    Take all of `amount` out of cash if a withdrawal could move as much (rule AC-031); x amount, y what was possible.
    """
    possible = removable(account, valuation, asset)
    if amount > possible:
        return Reason.INSUFFICIENT_MARGIN, amount, possible
    add_cash(account, asset, -amount)
    return Reason.OK, amount, possible


def credit(account: AccountState, valuation: Valuation, asset: int, amount: int) -> Result:
    """
    Put `amount` into cash, or, where the account may hold no more, on its way out (rule AC-032); x and y the two parts.
    """
    after = account.cash.get(asset, 0) + amount
    if after <= 0 or cash_fits(valuation, account.cash, asset, after):
        set_cash(account, asset, after)
        return Reason.OK, amount, 0
    account.in_transit[asset] = account.in_transit.get(asset, 0) + amount
    return Reason.OK, 0, amount


def borrow(account: AccountState, valuation: Valuation, asset: int, amount: int, cap: int) -> Result:
    """
    Move up to `amount` to in-transit; the balance may fall to -cap while `initial` is covered (rule AC-035); x moved, y
    the balance before.
    """
    balance = compute_balances(account, valuation).get(asset, 0)
    possible = max(0, min(amount, balance + cap))
    if not cash_fits(valuation, account.cash, asset, account.cash.get(asset, 0) - possible):
        possible = 0
    moved = headroom(account, valuation, asset, possible)
    if moved == 0:
        return Reason.INSUFFICIENT_MARGIN, amount, moved
    to_transit(account, asset, moved)
    return Reason.OK, moved, balance


def accrue(account: AccountState, valuation: Valuation, asset: int, charge: int, rate: int) -> Result:
    """
    Charge interest on a negative balance, rounded up, or credit it on a positive one, rounded down (rule AC-036); x
    charged, y credited. What would pass the bound of cash (UN-010) is not booked.
    """
    balance = compute_balances(account, valuation).get(asset, 0)
    if balance < 0:
        due = -ceil_div(-balance * charge, INTEREST_SCALE)
    else:
        due = floor_div(balance * rate, INTEREST_SCALE)
    if due and not cash_fits(valuation, account.cash, asset, account.cash.get(asset, 0) + due):
        due = 0
    add_cash(account, asset, due)
    return Reason.OK, max(0, -due), max(0, due)


def convert(account: AccountState, asset: int, got: int, other: int, given: int) -> Result:
    """
    Exchange `given` units of `other` for `got` of `asset`, as decided (rule AC-037).
    """
    add_cash(account, asset, got)
    add_cash(account, other, -given)
    return Reason.OK, got, given
