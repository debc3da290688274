"""
Requirement: tiered and charge components, factors per level, one rounding (rules RQ-001 to RQ-010).

Per contract and level the tiered part (millionths of a unit) and the charge part are scaled by their factors and put
together by sum or maximum as the sheet says; contracts add up; the total is rounded up once, per account and level.
"""

from tocsin.core.integers import PPM
from tocsin.core.limits import PRICE_SCALE
from tocsin.margin.state import AccountState
from tocsin.margin.valuation import Line, Valuation

SCALE = PPM * PPM * PRICE_SCALE
"""Denominator of requirement sums before their one rounding."""

INITIAL, MARGIN_CALL, LIQUIDATION, TAKEOVER = range(4)


def contract_requirement(line: Line, valuation: Valuation, lots: int, level: int) -> int:
    """
    Return the requirement of signed `lots` of one contract at `level` (0 initial to 3 takeover), x `SCALE`, exact.

    Convex in lots: both components are, and so are their sum and their maximum. At `initial` a leg whose mark is not
    fresh adds its half band on |q| (rule RQ-006).
    """
    tiered = line.tiered(lots) * valuation.tiered_factors[level]
    charge = line.charge(lots) * PPM * valuation.charge_factors[level]
    if line.summed:
        total = tiered + charge
    else:
        total = tiered if tiered > charge else charge
    if level == INITIAL and not line.fresh:
        total += abs(lots) * line.notional * line.terms.stale_half_band_ppm * PPM
    return total * line.price


def worst_held(line: Line, valuation: Valuation, lots: int, hold: tuple[int, int]) -> int:
    """
    Return the initial requirement of one contract at the worst of no order, all bids or all asks filled, x `SCALE`.

    By convexity no partial fill is worse (rule RQ-007).
    """
    worst = contract_requirement(line, valuation, lots, INITIAL)
    bid, ask = hold
    if bid:
        worst = max(worst, contract_requirement(line, valuation, lots + bid, INITIAL))
    if ask:
        worst = max(worst, contract_requirement(line, valuation, lots - ask, INITIAL))
    return worst


def sum_requirement(account: AccountState, valuation: Valuation, level: int) -> int:
    """
    Return the requirement at `level`, x `SCALE`, exact.
    """
    lines, total, held = valuation.lines, 0, account.holds
    if level == INITIAL and held:
        for contract in {**account.positions, **held}:
            if contract in lines:
                lots = account.positions.get(contract, (0, 0))[0]
                total += worst_held(lines[contract], valuation, lots, held.get(contract, (0, 0)))
        return total
    for contract, (lots, _) in account.positions.items():
        total += contract_requirement(lines[contract], valuation, lots, level)
    return total


def compute_requirement(account: AccountState, valuation: Valuation, level: int) -> int:
    """
    Return the requirement at `level` in valuation units, >= 0, rounded up once (rule RQ-010).
    """
    return -(-sum_requirement(account, valuation, level) // SCALE)


def compute_exit(account: AccountState, valuation: Valuation, level: int) -> int:
    """
    Return what equity must reach to leave `level`: requirement x (1 + hysteresis), rounded up once (rule LV-004).
    """
    factor = PPM + valuation.sheet.hysteresis_ppm[level]
    return -(-sum_requirement(account, valuation, level) * factor // (SCALE * PPM))
