"""
The greedy plan: which lots to close so that an account leaves `margin_call` (rules LQ-009 to LQ-018).

Legs in order of requirement freed per cost (compared by cross-multiplication, ties by contract); as much of each as
frees anything until the target is reached, then the fewest lots of the last. Legs that hedge each other free nothing
alone and are closed together, in equal parts. Only legs with a fresh mark take part.
"""

from collections.abc import Callable, Sequence
from functools import cmp_to_key
from itertools import pairwise
from typing import NamedTuple

from tocsin.core.integers import PPM, ceil_div, floor_div
from tocsin.core.limits import PRICE_SCALE
from tocsin.margin.prices import concession_limit
from tocsin.margin.requirement import LIQUIDATION, MARGIN_CALL, compute_exit, sum_requirement
from tocsin.margin.state import AccountState
from tocsin.margin.valuation import Line, Valuation, close_at_mark, compute_equity
from tocsin.sheet.terms import LiquidationMode

PARTS = 256
"""Hedged legs are closed in this many equal parts."""


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
    draft = _Draft(account, valuation, equity)
    for contract in sorted(working):
        draft.close(contract, working[contract])
    start = draft.trial.copy()
    if valuation.sheet.liquidation.mode == LiquidationMode.FULL:
        fresh = [c for c in sorted(draft.trial.positions) if valuation.lines[c].fresh]
        for contract in dict.fromkeys([*draft.rank_legs(), *fresh]):
            draft.close(contract, -draft.lots(contract))
    else:
        _reduce(draft)
    moves = [(c, draft.lots(c) - _lots(start, c)) for c in draft.order if draft.lots(c) != _lots(start, c)]
    need = sum_requirement(account, valuation, LIQUIDATION)
    shares = _share_concession(start, moves, valuation, equity, need)
    slices = [_price_slice(valuation.lines[c], move, share) for (c, move), share in zip(moves, shares, strict=True)]
    return Plan(tuple(slices), draft.reached(), draft.cost, _total_concession(account, draft.trial, valuation, equity))


def _reduce(draft: "_Draft") -> None:
    """Close single legs while they free something, then hedged ones together, until the target is reached."""
    for contract in draft.rank_legs():
        if draft.reached():
            return
        lots = draft.lots(contract)
        take = _fewest(abs(lots), lambda k, c=contract, q=lots: draft.gap_if([(c, -k if q > 0 else k)]))
        if 0 < abs(lots) - take < draft.valuation.lines[contract].terms.dust_lots:
            take = abs(lots)
        draft.close(contract, -take if lots > 0 else take)
    legs = [c for c in sorted(draft.trial.positions) if draft.valuation.lines[c].fresh]
    if draft.reached() or not legs:
        return
    sizes = {c: draft.lots(c) for c in legs}

    def moves(part: int) -> list[tuple[int, int]]:
        return [(c, -ceil_div(q * part, PARTS) if q > 0 else ceil_div(-q * part, PARTS)) for c, q in sizes.items()]

    part = _fewest(PARTS, lambda k: draft.gap_if(moves(k)))
    for contract, move in moves(part):
        draft.close(contract, move)


class _Draft:
    """A plan in the making: the account as it would be, what that costs, and the contracts in the order closed."""

    def __init__(self, account: AccountState, valuation: Valuation, equity: int) -> None:
        self.trial = account.copy()
        self.valuation = valuation
        self.equity = equity
        self.cost = 0
        self.order: dict[int, None] = {}

    def lots(self, contract: int) -> int:
        return _lots(self.trial, contract)

    def close(self, contract: int, move: int) -> None:
        """Trade `move` lots of a leg that is held, at its expected cost."""
        lots = self.lots(contract)
        if move and lots:
            self.order[contract] = None
            line = self.valuation.lines[contract]
            self.cost += expected_cost(line, move)
            close_at_mark(self.trial, line, move)

    def reached(self) -> bool:
        return self.equity - self.cost >= compute_exit(self.trial, self.valuation, MARGIN_CALL)

    def gap_if(self, moves: Sequence[tuple[int, int]]) -> int:
        """Return by how much the target would be passed (>= 0) or missed (< 0) after `moves`."""
        cost = self.cost
        trial = self.trial.copy()
        for contract, move in moves:
            if move:
                line = self.valuation.lines[contract]
                cost += expected_cost(line, move)
                close_at_mark(trial, line, move)
        return self.equity - cost - compute_exit(trial, self.valuation, MARGIN_CALL)

    def rank_legs(self) -> list[int]:
        """
        Return the contracts with a fresh mark of which some close frees requirement, most per cost first, ties by id.

        Each is measured by the close that frees the most: the whole leg, or so much that the rest is hedged.
        """
        whole = sum_requirement(self.trial, self.valuation, MARGIN_CALL)
        measures: dict[int, tuple[int, int]] = {}
        for contract, (lots, _) in self.trial.positions.items():
            line = self.valuation.lines[contract]
            if line.fresh:

                def freed(k: int, ln: Line = line, sign: int = -1 if lots > 0 else 1) -> int:
                    without = self.trial.copy()
                    if k:
                        close_at_mark(without, ln, sign * k)
                    return whole - sum_requirement(without, self.valuation, MARGIN_CALL)

                best = _top(abs(lots), freed)
                most = freed(best)
                if most > 0:
                    measures[contract] = most, expected_cost(line, best)

        def compare(a: int, b: int) -> int:
            (freed_a, cost_a), (freed_b, cost_b) = measures[a], measures[b]
            left, right = freed_a * cost_b, freed_b * cost_a
            if left != right:
                return -1 if left > right else 1
            return a - b

        return sorted(sorted(measures), key=cmp_to_key(compare))


def _lots(account: AccountState, contract: int) -> int:
    return account.positions.get(contract, (0, 0))[0]


def _top(most: int, gap: Callable[[int], int]) -> int:
    """
    Return the steps, 0 to `most`, with the largest `gap`, a concave function; of equal ones the most.
    """
    if most == 0 or gap(most) >= gap(most - 1):
        return most
    low, high = 0, most
    while high - low > 2:
        third = (high - low) // 3
        left, right = low + third, high - third
        low, high = (left, high) if gap(left) < gap(right) else (low, right)
    return max(range(low, high + 1), key=lambda k: (gap(k), k))


def _fewest(most: int, gap: Callable[[int], int]) -> int:
    """
    Return the fewest steps, 1 to `most`, with `gap >= 0`, or those with the largest gap if none reaches it; 0 if none
    is larger than without any.

    `gap` is concave: a requirement is convex in what is closed and the cost all but linear. So it rises to one top and,
    from below zero, passes zero at most once on the way there (rule LQ-014).
    """
    top = most if gap(most) >= 0 else _top(most, gap)
    if gap(top) < 0:
        return top if gap(top) > gap(0) else 0
    low, high = 0, top
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if gap(middle) >= 0 else (middle, high)
    return high


def _share_concession(
    start: AccountState, moves: Sequence[tuple[int, int]], valuation: Valuation, equity: int, need: int
) -> list[int]:
    """
    Return how much of equity each move may concede: by what it frees, taken in turn; by their impact bounds if one of
    them frees nothing before the others follow (rule LQ-017). `need` is the requirement at `liquidation`.
    """
    after = start.copy()
    needs = [sum_requirement(after, valuation, LIQUIDATION)]
    for contract, move in moves:
        close_at_mark(after, valuation.lines[contract], move)
        needs.append(sum_requirement(after, valuation, LIQUIDATION))
    freed = [before - left for before, left in pairwise(needs)]
    if all(part >= 0 for part in freed):
        return [concession_limit(equity, part, need) for part in freed]
    total = concession_limit(equity, needs[0] - needs[-1], need)
    bounds = [_impact_bound(valuation.lines[c], move) for c, move in moves]
    whole = max(1, sum(bounds))
    return [floor_div(total * bound, whole) for bound in bounds]


def _impact_bound(line: Line, move: int) -> int:
    """Return what `move` lots may concede by the contract's impact bound, in valuation units, rounded down."""
    rate = line.terms.impact_ppm * line.price * line.loss_ppm
    return floor_div(abs(move) * line.notional * rate, PPM * PPM * PRICE_SCALE)


def _price_slice(line: Line, move: int, share: int) -> Slice:
    """
    Return the slice of `move` lots with its limit: the smaller of the impact bound and `share`, its part of equity.

    Rounded so that the account never concedes more: down to whole units, then down to whole marks per lot.
    """
    concession = min(share, _impact_bound(line, move))
    per_lot = floor_div(concession * PPM * PRICE_SCALE, line.price * line.loss_ppm * abs(move))
    limit = line.mark - per_lot if move < 0 else line.mark + per_lot
    return Slice(line.terms.id, move, limit, concession)


def _total_concession(account: AccountState, after: AccountState, valuation: Valuation, equity: int) -> int:
    before = sum_requirement(account, valuation, LIQUIDATION)
    freed = before - sum_requirement(after, valuation, LIQUIDATION)
    return concession_limit(equity, freed, before)
