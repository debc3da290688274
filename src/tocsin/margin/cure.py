"""
What cures a margin call: the exact quantity of each eligible asset (rules MC-003 to MC-005).
"""

from tocsin.core.limits import CASH_MAX
from tocsin.margin.requirement import MARGIN_CALL, compute_exit
from tocsin.margin.state import AccountState
from tocsin.margin.valuation import (
    EQUITY_SCALE,
    Valuation,
    compute_balances,
    compute_equity,
    value_balance,
    value_balances,
)


def compute_shortfall(account: AccountState, valuation: Valuation) -> int:
    """
    Return what equity lacks to leave the `margin_call` level, in valuation units, >= 0: the amount of a call.
    """
    return max(0, compute_exit(account, valuation, MARGIN_CALL) - compute_equity(account, valuation))


def cure_quantity(account: AccountState, valuation: Valuation, asset: int) -> int | None:
    """
    Return the least whole units of `asset` whose deposit lifts equity to the exit of `margin_call`, or None if none up
    to `CASH_MAX` does (no price, next to none, or a schedule that stops counting).

    Rounded up; one unit less would not do. With haircut tiers the deposit is valued at the tiers it reaches.
    """
    terms, price = valuation.assets[asset], valuation.prices[asset]
    owed = valuation.price_owed(asset)
    balances = compute_balances(account, valuation)
    exact = value_balances(balances, valuation)
    need = compute_exit(account, valuation, MARGIN_CALL) * EQUITY_SCALE
    if exact >= need:
        return 0
    have = balances.get(asset, 0)
    base = exact - value_balance(terms, price, owed, have)

    risky = asset in valuation.risky_assets and valuation.factors(account.mode).scenario_counts

    def enough(units: int) -> bool:
        least = need
        if risky:
            # Collateral that bears market risk adds to the scenarios as it is paid in (rule RQ-035).
            trial = account.copy()
            trial.cash[asset] = trial.cash.get(asset, 0) + units
            least = compute_exit(trial, valuation, MARGIN_CALL) * EQUITY_SCALE
        return base + value_balance(terms, price, owed, have + units) >= least

    high = 1
    while not enough(high):
        high *= 2
        if high > CASH_MAX:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
