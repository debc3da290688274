"""
The price at which an account reaches a venue's liquidation threshold, found from the gap alone.

The gap is a function of one market's price, `equity(P) - requirement(P)`, other marks held and brackets looked up at P;
the account is at the threshold where the gap is 0 or less. The search walks from the mark outwards over the prices at
which the gap may bend or jump, and between two of them narrows the first change of sign. There the gap is taken as
monotone: true of linear and inverse products between bracket edges.
"""

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from contextvars import ContextVar
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from tocsin.venues import VenueRefusal
from tocsin.venues.contract import NUMBERS, LiquidationPrice, NoPrice

Gap = Callable[[Decimal], Decimal]
"""Equity less requirement at a price of this market, in any unit."""

PRECISION = Decimal("1e-12")
"""Relative width at which the search stops where no tick is given."""

FAR = Decimal("1e9")
"""How many times the mark, and what part of it, count as the ends of the price path."""

ZERO, ONE, TWO = Decimal(0), Decimal(1), Decimal(2)


_IS_ASKED: ContextVar[bool] = ContextVar("_IS_ASKED", default=True)


@contextmanager
def amounts_only() -> Generator[None]:
    """
    Let rulebooks inside the block leave out liquidation prices (NOT_ASKED): for a search that evaluates many times.
    """
    token = _IS_ASKED.set(False)
    try:
        yield
    finally:
        _IS_ASKED.reset(token)


def find_liquidation(
    gap: Gap,
    *,
    mark: Decimal,
    towards: str,
    edges: Iterable[Decimal] = (),
    tick: Decimal | None = None,
    binding: str = "leg",
    others: tuple[str, ...] = (),
    tier_at: Callable[[Decimal], int | None] | None = None,
) -> LiquidationPrice:
    """
    Return the price nearest to the mark at which the gap is 0 or less, or the reason why there is none.

    Args:
        gap: Finite at every price > 0.
        mark: Price now, > 0.
        towards: "down", "up", or "both" (then the nearer of the two in ratio to the mark).
        edges: Prices at which brackets change; between them the gap must be monotone in the price. See `probes` for
            a gap that is not.
        tick: Price step > 0. Result: the first multiple of it, from the mark, at which the gap is <= 0. None: within
            `PRECISION` of the crossing, on its far side.
        tier_at: Bracket number at a price, for the result.

    Returns:
        `price` > 0, or None with `reason`: NOT_ASKED (inside `amounts_only`), ALREADY_BELOW, HEDGED (the gap never
        changes), FULLY_COLLATERALISED (it falls on the way but stays above 0), NOT_ON_PATH (it does not fall on the
        way).
    """
    if mark <= 0:
        raise VenueRefusal(f"mark must be above 0, was {mark}")
    if towards not in ("down", "up", "both"):
        raise VenueRefusal(f'towards must be "down", "up" or "both", was {towards!r}')
    if not _IS_ASKED.get():
        return LiquidationPrice(price=None, reason=NoPrice.NOT_ASKED, binding=binding, others=others)
    here = gap(mark)
    if here <= 0:
        return LiquidationPrice(price=None, reason=NoPrice.ALREADY_BELOW, binding=binding, others=others)
    edges = sorted({e for e in edges if e > 0})
    found: list[Decimal] = []
    seen: list[Decimal] = []
    if towards != "up":
        far = NUMBERS.divide(mark, FAR)
        path = [p for p in reversed(edges) if far < p < mark] + [far]
        price = _walk(gap, mark, here, path, tick, seen)
        found += [price] if price is not None else []
    if towards != "down":
        far = NUMBERS.multiply(mark, FAR)
        path = [p for p in edges if mark < p < far] + [far]
        price = _walk(gap, mark, here, path, tick, seen)
        found += [price] if price is not None else []
    if not found:
        reason = NoPrice.NOT_ON_PATH
        if all(value == here for value in seen):
            reason = NoPrice.HEDGED
        elif min(seen) < here:
            reason = NoPrice.FULLY_COLLATERALISED
        return LiquidationPrice(price=None, reason=reason, binding=binding, others=others)
    price = min(found, key=lambda p: max(NUMBERS.divide(p, mark), NUMBERS.divide(mark, p)))
    tier = tier_at(price) if tier_at else None
    return LiquidationPrice(price=price, tier=tier, binding=binding, others=others)


def probes(mark: Decimal, *, step: Decimal = Decimal("1.01"), count: int = 600) -> tuple[Decimal, ...]:
    """
    Return prices on a geometric grid around the mark, as edges for a gap of unknown shape (options).
    """
    out, up, down = [mark], mark, mark
    for _ in range(count):
        up, down = NUMBERS.multiply(up, step), NUMBERS.divide(down, step)
        out += [up, down]
    return tuple(sorted(out))


def _walk(
    gap: Gap, mark: Decimal, here: Decimal, path: list[Decimal], tick: Decimal | None, seen: list[Decimal]
) -> Decimal | None:
    """
    Follow the path from the mark to its first stretch in which the gap becomes 0 or less; return where.

    A jump stands at an edge itself: on one side of it the gap may be above 0, a hair further not. So each stretch is
    judged at its start, a hair after it, and at its end.
    """
    last, value = mark, here
    for stop in path:
        hair = NUMBERS.multiply(NUMBERS.subtract(stop, last), PRECISION)
        for price in (NUMBERS.add(last, hair), stop):
            new = gap(price)
            seen.append(new)
            if new <= 0:
                return _narrow(gap, last, value, price, new, tick)
            last, value = price, new
    return None


def _narrow(
    gap: Gap, good: Decimal, above: Decimal, bad: Decimal, below: Decimal, tick: Decimal | None
) -> Decimal | None:
    """
    Return the first price between `good` (gap above 0) and `bad` (gap 0 or less) at which the gap is 0 or less.

    Guesses by straight line in P and in 1/P, exact for linear and inverse products; halves where they do not close in.
    """
    width = tick if tick is not None else NUMBERS.multiply(min(good, bad), PRECISION)
    fair = NUMBERS.divide(width, Decimal(8))
    for turn in range(400):
        if abs(NUMBERS.subtract(good, bad)) <= fair:
            break
        guess = _guess(good, above, bad, below, turn)
        for price in (guess, _nudge(guess, bad, fair), _nudge(guess, good, fair)):
            if not min(good, bad) < price < max(good, bad):
                continue
            value = gap(price)
            if value <= 0:
                bad, below = price, value
            else:
                good, above = price, value
    if tick is None:
        return bad
    return _to_tick(gap, good, bad, tick)


def _guess(good: Decimal, above: Decimal, bad: Decimal, below: Decimal, turn: int) -> Decimal:
    if turn % 3 == 2:
        # Halve in ratio while the bracket is wide, in price once it is not.
        wide = max(good, bad) > 4 * min(good, bad)
        return NUMBERS.sqrt(NUMBERS.multiply(good, bad)) if wide else NUMBERS.divide(NUMBERS.add(good, bad), TWO)
    share = NUMBERS.divide(above, NUMBERS.subtract(above, below))
    if turn % 3 == 0:
        return NUMBERS.add(good, NUMBERS.multiply(share, NUMBERS.subtract(bad, good)))
    here, there = NUMBERS.divide(ONE, good), NUMBERS.divide(ONE, bad)
    return NUMBERS.divide(ONE, NUMBERS.add(here, NUMBERS.multiply(share, NUMBERS.subtract(there, here))))


def _nudge(price: Decimal, towards: Decimal, step: Decimal) -> Decimal:
    half = NUMBERS.divide(step, TWO)
    return NUMBERS.add(price, half) if towards > price else NUMBERS.subtract(price, half)


def _to_tick(gap: Gap, good: Decimal, bad: Decimal, tick: Decimal) -> Decimal | None:
    """
    Return the first multiple of the tick, from the good side, at which the gap is 0 or less; None below the first one.
    """
    rising = bad > good
    lots = NUMBERS.divide(good, tick).to_integral_value(ROUND_FLOOR if rising else ROUND_CEILING)
    for _ in range(3):
        price = NUMBERS.multiply(lots, tick)
        if price <= 0:
            return None
        if (price >= good if rising else price <= good) and gap(price) <= 0:
            return price
        lots += 1 if rising else -1
    return bad
