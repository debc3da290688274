"""
Hyperliquid's margin tables: which maintenance rate applies to a coin, at a time, for a position of a size.

Maintenance is half of the initial margin at the bracket's highest leverage, in marginal brackets:
`notional x 0.5 / max leverage - deduction`. In March 2023 one rate stood for every coin. Source: documentation, "Margin
tiers"; the dates are in the parameter files.
"""

from decimal import Decimal
from typing import NamedTuple

import msgspec

from tocsin.venues import VenueRefusal
from tocsin.venues.contract import Leg, MissingInput, Product
from tocsin.venues.params import ParamSet, suggest
from tocsin.venues.tiers import Tier, TierKind, TierTable, flat, with_deductions

HALF = Decimal("0.5")
SAME = Decimal("1e-6")
ONE = Decimal(1)


class Bracket(msgspec.Struct, frozen=True, kw_only=True):
    """One bracket of a coin: up to `cap` USDC of notional (None: no end) at most `max_leverage`."""

    cap: Decimal | None
    max_leverage: Decimal


class Priced(NamedTuple):
    """A leg with its mark, its brackets and what they give at the mark."""

    leg: Leg
    mark: Decimal
    table: TierTable
    note: str

    @property
    def size(self) -> Decimal:
        return self.leg.size * self.leg.contract_size

    def notional(self, price: Decimal) -> Decimal:
        """Return the notional at a price, >= 0, USDC."""
        return abs(self.size) * price

    def maintenance(self, price: Decimal) -> Decimal:
        """Return maintenance at a price with the bracket of that price, >= 0, USDC."""
        return self.table.charge(self.notional(price)).amount

    def initial(self) -> Decimal:
        """Return initial margin at the mark: notional over leverage, or the least that the bracket allows."""
        held = self.notional(self.mark)
        if self.leg.leverage is not None:
            return held / self.leg.leverage
        rate = self.table.initial_rate(held)
        if rate is None:
            raise MissingInput("leverage", f"{self.leg.symbol}: neither leverage nor the highest leverage is known")
        return held * rate

    def edges(self) -> tuple[Decimal, ...]:
        """Return the prices at which the bracket changes."""
        size = abs(self.size)
        return tuple(edge / size for edge in self.table.edges()) if size else ()


def dex_of(symbol: str) -> str:
    """
    Return the dex that a coin belongs to: the part before ":" ("xyz:TSLA"), "" for Hyperliquid's own.
    """
    return symbol.partition(":")[0] if ":" in symbol else ""


def price_leg(leg: Leg, tiers: ParamSet) -> Priced:
    """
    Return a leg with its mark and brackets, checked.
    """
    if leg.product is not Product.LINEAR:
        raise VenueRefusal(f"{leg.symbol}: Hyperliquid's rulebooks take linear perpetuals, was {leg.product.value}")
    if leg.mark is None:
        raise MissingInput("mark", f"{leg.symbol}: margin is computed at the mark (positionValue / |szi|)")
    table, note = table_for(leg, tiers)
    return Priced(leg, leg.mark, table, note)


def table_for(leg: Leg, tiers: ParamSet) -> tuple[TierTable, str]:
    """
    Return the brackets of a leg's coin, and a note where they are not the shipped ones ("" otherwise).

    The first of: `leg.maintenance_rate`; the flat rate of the parameter set; the shipped brackets, unless the venue
    states another highest leverage with the position (`leg.initial_rate` is not that of the first bracket); one
    bracket of that stated leverage.

    Raises:
        MissingInput: The coin has no brackets and the leg states no rate.
    """
    if leg.maintenance_rate is not None:
        return _stated(leg, leg.maintenance_rate), "maintenance rate as stated with the position"
    if "flat_rate" in tiers.values:
        return flat(tiers.number("flat_rate"), initial_rate=leg.initial_rate), ""
    shipped = _shipped(leg, tiers)
    if leg.initial_rate is None:
        if shipped is None:
            known = [str(name) for name in tiers.get("coins")]
            raise MissingInput(
                "initial_rate",
                f"no brackets are shipped for {leg.symbol!r}{suggest(leg.symbol, known)}; "
                "give 1 / maxLeverage of the venue's meta or position payload",
            )
        return shipped, ""
    first = None if shipped is None else shipped.tiers[0].initial_rate
    if shipped is not None and first is not None and abs(first - leg.initial_rate) < SAME:
        return shipped, ""
    rate = leg.initial_rate * HALF
    return flat(rate, initial_rate=leg.initial_rate), "one bracket of the highest leverage stated with the position"


def _stated(leg: Leg, rate: Decimal) -> TierTable:
    row = Tier(number=1, floor=Decimal(0), cap=None, rate=rate, initial_rate=leg.initial_rate)
    row = msgspec.structs.replace(row, deduction=leg.deduction or Decimal(0))
    return TierTable(kind=TierKind.MARGINAL, tiers=(row,), unit="USDC notional")


def _shipped(leg: Leg, tiers: ParamSet) -> TierTable | None:
    coins = tiers.get("coins")
    name = leg.symbol if leg.symbol in coins else leg.underlying
    if name not in coins or (dex_of(leg.symbol) and name != leg.symbol):
        return None
    brackets = tiers.decode(tuple[Bracket, ...], "coins", name)
    floor = Decimal(0)
    rows: list[Tier] = []
    for number, bracket in enumerate(brackets, start=1):
        initial = ONE / bracket.max_leverage
        row = Tier(number=number, floor=floor, cap=bracket.cap, rate=initial * HALF, initial_rate=initial)
        rows.append(msgspec.structs.replace(row, max_leverage=bracket.max_leverage))
        floor = bracket.cap or floor
    return TierTable(kind=TierKind.MARGINAL, tiers=with_deductions(rows), unit="USDC notional")
