"""
Prices of an underlying at which an account with several instruments of it falls: a band and what it assumes (rules
PR-010 to PR-014).

All instruments of an underlying move with its price: linear and inverse contracts and collateral in proportion. What
options do nobody knows exactly, so that two answers bound it. An option moves with what it pays by nothing to all of
it: the near answer takes each at the end of that range which is worse for its holder, the far one at the better. Time
and volatility stand still. A price is a mark per lot of the contract that measures the underlying.
"""

from collections.abc import Callable
from typing import NamedTuple

from tocsin.core.integers import ceil_div, floor_div
from tocsin.margin.requirement import compute_requirement
from tocsin.margin.state import AccountState, Level
from tocsin.margin.valuation import Line, Valuation, compute_balances, compute_equity, compute_raw_equity
from tocsin.sheet.terms import Kind

GRID = 64
"""The way to the bound is looked at in this many steps before halving."""


class Bound(NamedTuple):
    """
    The first mark per lot on one side at which the account falls, or None and why: `already below`, `never`.
    """

    mark: int | None
    reason: str = ""


class PriceBand(NamedTuple):
    """
    Where an account falls as the price of `underlying` falls (`down`) or rises (`up`), each as (near, far): options at
    their worst, options at their best. The two are the same for an account without options.

    `measured_by` is the contract whose mark per lot is meant, `moved` the contracts and `moved_assets` the assets that
    move with it; all else stays: other underlyings, funding, holds, arrays.
    """

    underlying: int
    measured_by: int
    down: tuple[Bound, Bound]
    up: tuple[Bound, Bound]
    moved: tuple[int, ...]
    moved_assets: tuple[int, ...]


def price_band(
    account: AccountState, valuation: Valuation, underlying: int, level: Level = Level.LIQUIDATION
) -> PriceBand | None:
    """
    Return where the account falls below `level` as one underlying moves, or None if the account holds nothing of it or
    no contract measures it.

    One mark before each answer the account stands, at it it falls. Equity less requirement is concave in the price
    without options and without inverse contracts whose coin does not move with it; then the answer is the only
    crossing on its side. Else the way is looked at in `GRID` steps, and a fall between two of them that is made good
    before the next can be missed.
    """
    terms = valuation.underlyings.get(underlying)
    if terms is None or terms.contract not in valuation.lines:
        return None
    reference = valuation.lines[terms.contract]
    moved = tuple(c for c in sorted(account.positions) if valuation.lines[c].terms.underlying == underlying)
    assets = tuple(a for a in valuation.risky_assets if valuation.assets[a].underlying == underlying)
    balances = compute_balances(account, valuation) if assets else {}
    if not moved and not any(balances.get(a) for a in assets):
        return None
    options = any(valuation.lines[c].terms.kind == Kind.OPTION for c in moved)
    ends = _ends(reference)

    def bound(end: int, worst: bool) -> Bound:
        def falls(mark: int) -> bool:
            return _falls(account, _moved_to(account, valuation, reference, moved, assets, mark, worst), level)

        return _first_fall(reference.mark, end, falls)

    sides: list[tuple[Bound, Bound]] = []
    for end in ends:
        far = bound(end, worst=False)
        sides.append((bound(end, worst=True) if options else far, far))
    return PriceBand(underlying, terms.contract, sides[0], sides[1], moved, assets)


def _ends(reference: Line) -> tuple[int, int]:
    """Return the marks per lot at the lowest and the highest price that the contract's cap knows."""
    cap = reference.terms.mark_cap
    return (-cap, -1) if reference.terms.kind == Kind.INVERSE else (1, cap)


def _falls(account: AccountState, there: Valuation, level: Level) -> bool:
    if level == Level.BANKRUPTCY:
        return compute_raw_equity(account, there) < 0
    return compute_equity(account, there) < compute_requirement(account, there, level - 1)


def _first_fall(now: int, end: int, falls: Callable[[int], bool]) -> Bound:
    if falls(now):
        return Bound(None, "already below")
    stands = now
    for step in range(1, GRID + 1):
        mark = now + (end - now) * step // GRID
        if falls(mark):
            below = mark
            while abs(stands - below) > 1:
                middle = (stands + below) // 2
                stands, below = (stands, middle) if falls(middle) else (middle, below)
            return Bound(below)
        stands = mark
    return Bound(None, "never")


def _moved_to(
    account: AccountState,
    valuation: Valuation,
    reference: Line,
    moved: tuple[int, ...],
    assets: tuple[int, ...],
    mark: int,
    worst: bool,
) -> Valuation:
    """Return the valuation at another mark of the reference contract, with all that moves along, held by the caps."""
    inverse = reference.terms.kind == Kind.INVERSE
    # The price moves as top / bottom.
    top, bottom = (reference.mark, mark) if inverse else (mark, reference.mark)
    top, bottom = (-top, -bottom) if bottom < 0 else (top, bottom)
    marks = {reference.terms.id: mark}
    for contract in moved:
        line = valuation.lines[contract]
        if contract == reference.terms.id:
            continue
        if line.terms.kind == Kind.OPTION:
            held = account.positions[contract][0]
            used = _option_mark(line, reference, mark, rises=top > bottom, highest=(held < 0) is worst)
        elif line.terms.kind == Kind.INVERSE:
            used = min(-1, -ceil_div(-line.mark * bottom, top))
        else:
            used = max(1, floor_div(line.mark * top, bottom))
        marks[contract] = max(-line.terms.mark_cap, min(line.terms.mark_cap, used))
    prices: dict[int, int] = {}
    for asset in assets:
        price = valuation.prices[asset]
        if price:
            prices[asset] = max(1, min(valuation.assets[asset].price_cap, floor_div(price * top, bottom)))
    return valuation.with_marks(marks, prices)


def _option_mark(line: Line, reference: Line, mark: int, *, rises: bool, highest: bool) -> int:
    """
    Return the highest or lowest mark per lot of an option once the reference contract is at `mark`, at least 0.

    What a lot pays follows `units x S`, in coin `units x K / S`: an option in coin is one on the price of money in it.
    The option moves the way its payoff does, by nothing to all of the move of that, rounded up.
    """
    option = line.terms.option
    assert option is not None
    units, k = line.terms.units, reference.terms.units
    was, move = reference.mark, abs(mark - reference.mark)
    if option.in_coin:
        units *= option.strike
    if option.in_coin == (reference.terms.kind == Kind.INVERSE):
        most = ceil_div(units * move, k)
    else:
        most = ceil_div(units * k * move, was * mark)
    if rises == option.is_call:
        return line.mark + most if highest else line.mark
    return line.mark if highest else max(0, line.mark - most)
