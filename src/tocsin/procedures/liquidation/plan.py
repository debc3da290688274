"""
The greedy plan: which lots to close so that an account leaves `margin_call` (rules LQ-010 to LQ-018).

Legs in order of requirement freed per cost (compared by cross-multiplication, ties by contract); whole legs until the
target is reached, then the fewest lots of the last. Only legs with a fresh mark take part.
"""

from collections.abc import Callable
from functools import cmp_to_key
from typing import NamedTuple

from tocsin.core.integers import PPM, ceil_div, floor_div
from tocsin.core.limits import PRICE_SCALE
from tocsin.margin.prices import concession_limit
from tocsin.margin.requirement import LIQUIDATION, MARGIN_CALL, compute_exit, contract_requirement, sum_requirement
from tocsin.margin.state import AccountState
from tocsin.margin.valuation import Line, Valuation, compute_equity
from tocsin.sheet.terms import LiquidationMode


class Slice(NamedTuple):
    """
    Signed lots to trade in one contract, the worst mark per lot at which, and the concession (valuation units) that
    this mark stands for.
    """

    contract: int
    lots: int
    limit: int
    concession: int


class Plan(NamedTuple):
    """
    Slices, whether they reach the target, their expected cost (valuation units, rounded up), and the bound on their
    total concession.
    """

    slices: tuple[Slice, ...]
    reaches: bool
    cost: int
    concession_max: int


def expected_cost(line: Line, lots: int) -> int:
    """
    Return what closing `lots` costs at most by the contract's impact bound and fee, in valuation units, rounded up.

    Counted as if the settlement balance were negative, so that its premium is never forgotten (rule LQ-011).
    """
    rate = (line.terms.impact_ppm + line.terms.fee_ppm) * line.loss_ppm
    return ceil_div(abs(lots) * line.notional * rate * line.price, PPM * PPM * PRICE_SCALE)


def plan_liquidation(account: AccountState, valuation: Valuation, working: dict[int, int]) -> Plan | None:
    """
    Return the plan for an account in liquidation or risk reduction, or None if equity <= 0: then only takeover is left.

    Args:
        account: Its state; not changed.
        valuation: Sheet and marks of the cycle.
        working: Signed lots per contract that open intents will still trade; they count as closed, at their expected
            cost.

    Target: equity after cost reaches the exit of `margin_call`. A remainder below the contract's dust is closed too.
    """
    equity = compute_equity(account, valuation)
    if equity <= 0:
        return None
    trial = account.copy()
    cost = 0
    for contract in sorted(working):
        lots, entry = trial.positions.get(contract, (0, 0))
        if working[contract] and lots:
            cost += expected_cost(valuation.lines[contract], working[contract])
            _set_lots(trial, contract, lots + working[contract], entry)

    def reached(at_cost: int) -> bool:
        return equity - at_cost >= compute_exit(trial, valuation, MARGIN_CALL)

    full = valuation.sheet.liquidation.mode == LiquidationMode.FULL
    chosen: list[tuple[int, int]] = []
    for contract in _rank_legs(trial, valuation):
        if not full and reached(cost):
            break
        lots, entry = trial.positions[contract]
        line = valuation.lines[contract]
        base = cost
        take = abs(lots)
        if not full:
            take = _fewest(trial, contract, lots, entry, lambda k, b=base, ln=line: reached(b + expected_cost(ln, k)))
            if 0 < abs(lots) - take < line.terms.dust_lots:
                take = abs(lots)
        move = -take if lots > 0 else take
        chosen.append((contract, move))
        cost = base + expected_cost(line, take)
        _set_lots(trial, contract, lots + move, entry)
    need = sum_requirement(account, valuation, LIQUIDATION)
    slices = tuple(
        _price_slice(
            valuation.lines[contract],
            move,
            concession_limit(equity, _freed(valuation, contract, _lots_after(account, working, contract), move), need),
        )
        for contract, move in chosen
    )
    return Plan(slices, reached(cost), cost, _total_concession(account, trial, valuation, equity))


def _set_lots(account: AccountState, contract: int, lots: int, entry: int) -> None:
    if lots:
        account.positions[contract] = (lots, entry)
    else:
        account.positions.pop(contract, None)


def _rank_legs(account: AccountState, valuation: Valuation) -> list[int]:
    """
    Return the contracts with a fresh mark, most margin-call requirement freed per cost first, ties by id.
    """

    def measure(contract: int) -> tuple[int, int]:
        line, lots = valuation.lines[contract], account.positions[contract][0]
        return contract_requirement(line, valuation, lots, MARGIN_CALL), expected_cost(line, lots)

    measures = {c: measure(c) for c in account.positions if valuation.lines[c].fresh}

    def compare(a: int, b: int) -> int:
        (freed_a, cost_a), (freed_b, cost_b) = measures[a], measures[b]
        left, right = freed_a * cost_b, freed_b * cost_a
        if left != right:
            return -1 if left > right else 1
        return a - b

    return sorted(sorted(measures), key=cmp_to_key(compare))


def _fewest(trial: AccountState, contract: int, lots: int, entry: int, reached: Callable[[int], bool]) -> int:
    """
    Return the fewest lots whose close reaches the target, or all of them if none does.

    What is left above the target grows with the lots closed, since a close frees at least its cost (rule SH-010).
    """

    def enough(k: int) -> bool:
        _set_lots(trial, contract, lots - k if lots > 0 else lots + k, entry)
        return reached(k)

    low, high = 0, abs(lots)
    if enough(high):
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _freed(valuation: Valuation, contract: int, lots: int, move: int) -> int:
    line = valuation.lines[contract]
    before = contract_requirement(line, valuation, lots, LIQUIDATION)
    return before - contract_requirement(line, valuation, lots + move, LIQUIDATION)


def _lots_after(account: AccountState, working: dict[int, int], contract: int) -> int:
    """
    Return the lots from which a new slice closes: what open intents leave, so that no freed requirement counts twice.
    """
    return account.positions[contract][0] + working.get(contract, 0)


def _price_slice(line: Line, move: int, share: int) -> Slice:
    """
    Return the slice of `move` lots with its limit: the smaller of the impact bound and `share`, its part of equity.

    Rounded so that the account never concedes more: down to whole units, then down to whole marks per lot.
    """
    loss = line.price * line.loss_ppm
    impact = floor_div(abs(move) * line.notional * line.terms.impact_ppm * loss, PPM * PPM * PRICE_SCALE)
    concession = min(share, impact)
    per_lot = floor_div(concession * PPM * PRICE_SCALE, loss * abs(move))
    limit = line.mark - per_lot if move < 0 else line.mark + per_lot
    return Slice(line.terms.id, move, limit, concession)


def _total_concession(account: AccountState, after: AccountState, valuation: Valuation, equity: int) -> int:
    before = sum_requirement(account, valuation, LIQUIDATION)
    freed = before - sum_requirement(after, valuation, LIQUIDATION)
    return concession_limit(equity, freed, before)
