"""
Dango's liquidation of one account: close schedule, book, deleveraging, fee, bad debt. In its own six decimals.

All numbers are whole millionths (of a unit, of a dollar per unit, of a dollar, of one). Products and quotients are cut
toward zero, the close size is rounded up. Source: `book/perps/4-liquidation-and-adl.md`, `core/closure.rs` and
`maintain/liquidate.rs` of left-curve, July 2026 (the code; the book's newer text closes solvent accounts at oracle).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tocsin.core.integers import ceil_div, sign
from tocsin.core.integers import trunc_div as _trunc
from tocsin.venues import VenueRefusal

ONE = 10**6


def multiply(a: int, b: int) -> int:
    """
    Return the product of two six-decimal numbers, cut toward zero.
    """
    return _trunc(a * b, ONE)


def divide(a: int, b: int) -> int:
    """
    Return the quotient of two six-decimal numbers, cut toward zero; `b` > 0.
    """
    return _trunc(a * ONE, b)


class Pair(NamedTuple):
    """
    A market: oracle price (> 0), maintenance margin ratio (> 0), least notional a remainder may have.
    """

    oracle: int
    maintenance_ratio: int
    min_order: int = 0


class Position(NamedTuple):
    """
    A position: signed size, entry price.
    """

    size: int
    entry: int


class Offer(NamedTuple):
    """
    A resting order that a close may fill against: size (> 0), price.
    """

    size: int
    price: int


@dataclass
class Account:
    """
    An account: margin (cash, may be negative) and positions by pair.
    """

    margin: int
    positions: dict[str, Position]

    def equity(self, pairs: Mapping[str, Pair]) -> int:
        """Return margin plus unrealised profit at the oracle prices, signed."""
        profit = (multiply(p.size, pairs[name].oracle - p.entry) for name, p in sorted(self.positions.items()))
        return self.margin + sum(profit)

    def maintenance(self, pairs: Mapping[str, Pair]) -> int:
        """Return the sum of |size| x oracle x ratio, >= 0."""
        return sum(maintenance_of(p.size, pairs[name]) for name, p in sorted(self.positions.items()))

    def close(self, name: str, size: int, price: int) -> None:
        """Realise the profit of closing `size` (signed as the position) at `price`."""
        held = self.positions[name]
        self.margin += multiply(size, price - held.entry)
        self.positions[name] = Position(held.size - size, held.entry)


def maintenance_of(size: int, pair: Pair) -> int:
    """
    Return the maintenance margin of a size.
    """
    return multiply(multiply(abs(size), pair.oracle), pair.maintenance_ratio)


def is_liquidatable(account: Account, pairs: Mapping[str, Pair]) -> bool:
    """
    Return True if equity is strictly below maintenance margin; never without a position.
    """
    held = any(p.size for p in account.positions.values())
    return held and account.equity(pairs) < account.maintenance(pairs)


def deficit(equity: int, maintenance: int, buffer: int = 0) -> int:
    """
    Return the maintenance margin to close away: `MM - E / (1 + buffer)`.
    """
    return maintenance - divide(equity, ONE + buffer)


def close_schedule(account: Account, pairs: Mapping[str, Pair], missing: int) -> list[tuple[str, int]]:
    """
    Return what to close, as (pair, size > 0), largest maintenance margin first, ties by name.

    `min(ceil(deficit / (oracle x ratio)), |size|)` of each until the deficit is gone. If what would remain is worth
    less than the pair's least order, all is closed.
    """
    ranked = sorted(
        account.positions.items(), key=lambda item: (-maintenance_of(item[1].size, pairs[item[0]]), item[0])
    )
    out: list[tuple[str, int]] = []
    for name, position in ranked:
        if missing <= 0:
            break
        pair, size = pairs[name], abs(position.size)
        per_unit = multiply(pair.oracle, pair.maintenance_ratio)
        if per_unit <= 0:
            raise VenueRefusal(f"{name}: maintenance margin per unit must be above 0")
        close = min(ceil_div(missing * ONE, per_unit), size)
        if multiply(size - close, pair.oracle) < pair.min_order:
            close = size
        missing -= maintenance_of(close, pair)
        if close:
            out.append((name, close))
    return out


def bankruptcy_price(equity: int, size: int, oracle: int) -> int:
    """
    Return the price at which closing the *whole* position leaves no equity: `oracle -+ equity / |size|`.

    The divisor is the full position, never the part that is to be closed, and equity is the whole account's.
    """
    return oracle - sign(size) * divide(equity, abs(size))


def fill_from_book(size: int, close: int, limit: int, book: Sequence[Offer]) -> list[Offer]:
    """
    Return fills of `close` (> 0) of a position of signed `size`, best price first, none beyond `limit`.
    """
    side = sign(size)
    out: list[Offer] = []
    for offer in sorted(book, key=lambda o: -side * o.price):
        if not close or side * (offer.price - limit) < 0:
            break
        filled = min(close, offer.size)
        if filled > 0:
            out.append(Offer(filled, offer.price))
            close -= filled
    return out


class Counterparty(NamedTuple):
    """
    Who may be deleveraged in a pair: name, size (> 0) on the other side, entry price.
    """

    name: str
    size: int
    entry: int


class Take(NamedTuple):
    """
    What is closed of a counterparty: name, size (> 0), its realised profit (signed).
    """

    name: str
    size: int
    profit: int


def deleverage(size: int, rest: int, price: int, counterparties: Sequence[Counterparty]) -> list[Take]:
    """
    Close `rest` (> 0) of a position of signed `size` at `price` against the other side, best entry price first.

    The best short to be closed sold highest, the best long bought lowest. What nobody holds stays open.
    """
    side = sign(size)
    out: list[Take] = []
    for other in sorted(counterparties, key=lambda c: (-side * c.entry, c.name)):
        taken = min(rest, other.size)
        if taken > 0:
            out.append(Take(other.name, taken, multiply(-side * taken, price - other.entry)))
            rest -= taken
    return out


class Leg(NamedTuple):
    """
    One closed position: size scheduled (> 0), bankruptcy price before any fill, limit, fills of the book, and who
    was deleveraged at the bankruptcy price.
    """

    pair: str
    close: int
    bankruptcy_price: int
    limit: int
    fills: tuple[Offer, ...]
    takes: tuple[Take, ...]

    @property
    def closed(self) -> int:
        """Size that was closed, >= 0."""
        return sum(f.size for f in self.fills) + sum(t.size for t in self.takes)


@dataclass
class Liquidation:
    """
    All of it: equity and maintenance before, legs, fee, bad debt (both >= 0), and the account after.

    The insurance fund gains `fee - bad debt`.
    """

    equity: int
    maintenance: int
    account: Account
    legs: list[Leg] = field(default_factory=list[Leg])
    fee: int = 0
    bad_debt: int = 0


def liquidate(
    account: Account,
    pairs: Mapping[str, Pair],
    books: Mapping[str, Sequence[Offer]],
    counterparties: Mapping[str, Sequence[Counterparty]],
    *,
    fee_rate: int,
    buffer: int = 0,
) -> Liquidation:
    """
    Liquidate an account, changing it in place.

    Each leg: bankruptcy price from current equity *before* matching; the book up to that price while equity is above
    0, else up to oracle; the rest deleveraged at the bankruptcy price. Fee: rate x closed notional at oracle, at most
    the equity that is left. Bad debt: equity below 0, made good to the account's margin.

    Args:
        books: Orders a close may fill against, by pair: bids of a long, asks of a short.
        counterparties: Who holds the other side, by pair.

    Raises:
        VenueRefusal: The account is not liquidatable.
    """
    out = Liquidation(account.equity(pairs), account.maintenance(pairs), account)
    if not is_liquidatable(account, pairs):
        raise VenueRefusal(f"not liquidatable: equity {out.equity}, maintenance margin {out.maintenance} (millionths)")
    notional = 0
    for name, close in close_schedule(account, pairs, deficit(out.equity, out.maintenance, buffer)):
        leg = _close_leg(account, pairs, name, close, books.get(name, ()), counterparties.get(name, ()))
        out.legs.append(leg)
        for size in (sum(f.size for f in leg.fills), sum(t.size for t in leg.takes)):
            notional += multiply(size, pairs[name].oracle)
    left = account.equity(pairs)
    out.fee = min(multiply(notional, fee_rate), max(0, left))
    out.bad_debt = max(0, -(left - out.fee))
    account.margin += out.bad_debt - out.fee
    return out


def _close_leg(
    account: Account,
    pairs: Mapping[str, Pair],
    name: str,
    close: int,
    book: Sequence[Offer],
    counterparties: Sequence[Counterparty],
) -> Leg:
    oracle, size, equity = pairs[name].oracle, account.positions[name].size, account.equity(pairs)
    price = bankruptcy_price(equity, size, oracle)
    limit = price if equity > 0 else oracle
    fills = fill_from_book(size, close, limit, book)
    takes = deleverage(size, close - sum(f.size for f in fills), price, counterparties)
    for fill in fills:
        account.close(name, sign(size) * fill.size, fill.price)
    for take in takes:
        account.close(name, sign(size) * take.size, price)
    return Leg(name, close, price, limit, tuple(fills), tuple(takes))
