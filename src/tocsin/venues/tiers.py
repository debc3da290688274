"""
Margin brackets: which rate a position of a given measure pays, in the four ways venues define it.

- MARGINAL: each slice pays its own bracket's rate; written `notional x rate - deduction` (Binance, Bybit, Hyperliquid).
- CLIFF: the whole position pays the rate of the bracket that its measure falls in (OKX).
- LINEAR: the rate grows with the measure, `rate + slope x measure` (Deribit).
- FLAT: one rate, whatever the measure (one bracket).

The measure chooses the bracket (notional, contracts, coins: the table's `unit` says which); the rate is paid on the
notional. A measure equal to a bracket's cap belongs to that bracket. Beyond the last cap the last bracket's rate goes
on, and `Charge.is_beyond` says so.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from enum import StrEnum

import msgspec

from tocsin.venues import VenueRefusal
from tocsin.venues.contract import NUMBERS

ZERO = Decimal(0)


class TierKind(StrEnum):
    """How a bracket's rate is charged."""

    MARGINAL = "marginal"
    CLIFF = "cliff"
    LINEAR = "linear"
    FLAT = "flat"


class Tier(msgspec.Struct, frozen=True, kw_only=True):
    """
    One bracket: measure above `floor` and up to `cap` (None: no end), its rates as fractions, its deduction in the
    notional's unit. `slope` is rate per unit of measure (LINEAR only). `number` is the venue's own, from 1.
    """

    number: int
    floor: Decimal
    cap: Decimal | None
    rate: Decimal
    deduction: Decimal = ZERO
    initial_rate: Decimal | None = None
    max_leverage: Decimal | None = None
    slope: Decimal = ZERO
    initial_slope: Decimal = ZERO


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """
    Maintenance of one position: `amount` >= 0 in the notional's unit, with the bracket's rate and deduction.
    """

    amount: Decimal
    rate: Decimal
    deduction: Decimal
    tier: Tier
    is_beyond: bool


class TierTable(msgspec.Struct, frozen=True, kw_only=True):
    """
    Brackets by rising floor, at least one; `unit` names the measure ("USD notional", "contracts", "BTC").
    """

    kind: TierKind
    tiers: tuple[Tier, ...]
    unit: str = "notional"

    def __post_init__(self) -> None:
        check_tiers(self.tiers)

    def find(self, measure: Decimal) -> Tier:
        """
        Return the bracket of a measure >= 0: the first whose cap is not below it, else the last.
        """
        for tier in self.tiers:
            if tier.cap is None or measure <= tier.cap:
                return tier
        return self.tiers[-1]

    def charge(self, notional: Decimal, measure: Decimal | None = None) -> Charge:
        """
        Return maintenance for a notional >= 0 whose bracket is chosen by `measure` (default: the notional itself).

        MARGINAL subtracts the bracket's deduction; the result is never below 0.
        """
        size = notional if measure is None else measure
        tier = self.find(size)
        rate = tier.rate
        if self.kind is TierKind.LINEAR:
            rate = NUMBERS.add(rate, NUMBERS.multiply(tier.slope, size))
        deduction = tier.deduction if self.kind is TierKind.MARGINAL else ZERO
        amount = NUMBERS.subtract(NUMBERS.multiply(notional, rate), deduction)
        beyond = tier.cap is not None and size > tier.cap
        return Charge(amount=max(amount, ZERO), rate=rate, deduction=deduction, tier=tier, is_beyond=beyond)

    def initial_rate(self, measure: Decimal) -> Decimal | None:
        """
        Return the smallest initial rate at a measure: the bracket's own, else 1 / its maximal leverage, else None.
        """
        tier = self.find(measure)
        if tier.initial_rate is not None:
            return NUMBERS.add(tier.initial_rate, NUMBERS.multiply(tier.initial_slope, measure))
        return None if tier.max_leverage is None else NUMBERS.divide(Decimal(1), tier.max_leverage)

    def edges(self) -> tuple[Decimal, ...]:
        """
        Return the measures above 0 at which the bracket changes, rising.
        """
        return tuple(tier.floor for tier in self.tiers[1:])


def check_tiers(tiers: Sequence[Tier]) -> None:
    """
    Check that brackets join without gap or overlap and that rates are fractions in [0, 1].

    Raises:
        VenueRefusal: A bracket breaks it; the message names bracket, field and value.
    """
    if not tiers:
        raise VenueRefusal("a tier table needs at least one bracket")
    for before, tier in zip([None, *tiers], tiers, strict=False):
        if not 0 <= tier.rate <= 1:
            raise VenueRefusal(f"bracket {tier.number}: rate must be from 0 to 1, was {tier.rate}")
        if tier.max_leverage is not None and tier.max_leverage <= 0:
            raise VenueRefusal(f"bracket {tier.number}: max_leverage must be above 0, was {tier.max_leverage}")
        if before is not None and before.cap != tier.floor:
            raise VenueRefusal(
                f"bracket {tier.number}: floor must be {before.cap}, the cap before it, was {tier.floor}"
            )
        if tier.cap is not None and tier.cap <= tier.floor:
            raise VenueRefusal(f"bracket {tier.number}: cap must be above floor {tier.floor}, was {tier.cap}")


def deductions(tiers: Iterable[Tier]) -> tuple[Decimal, ...]:
    """
    Return the deductions that make marginal brackets continuous.

    `deduction[n] = deduction[n-1] + floor[n] x (rate[n] - rate[n-1])`, the first is that of a bracket from 0.
    """
    out: list[Decimal] = []
    total, rate = ZERO, None
    for tier in tiers:
        if rate is not None:
            total = NUMBERS.add(total, NUMBERS.multiply(tier.floor, NUMBERS.subtract(tier.rate, rate)))
        rate = tier.rate
        out.append(total)
    return tuple(out)


def with_deductions(tiers: Sequence[Tier]) -> tuple[Tier, ...]:
    """
    Return the brackets with their deductions computed, for venues that publish rates alone.
    """
    return tuple(msgspec.structs.replace(t, deduction=d) for t, d in zip(tiers, deductions(tiers), strict=True))


def flat(rate: Decimal, *, initial_rate: Decimal | None = None, max_leverage: Decimal | None = None) -> TierTable:
    """
    Return the table of one rate for every size.
    """
    one = Tier(number=1, floor=ZERO, cap=None, rate=rate, initial_rate=initial_rate, max_leverage=max_leverage)
    return TierTable(kind=TierKind.FLAT, tiers=(one,))


def linear(*, rate: Decimal, slope: Decimal, initial_rate: Decimal, initial_slope: Decimal, unit: str) -> TierTable:
    """
    Return the table whose rates grow with the measure: maintenance `rate + slope x measure`, initial likewise.
    """
    one = Tier(
        number=1,
        floor=ZERO,
        cap=None,
        rate=rate,
        slope=slope,
        initial_rate=initial_rate,
        initial_slope=initial_slope,
    )
    return TierTable(kind=TierKind.LINEAR, tiers=(one,), unit=unit)
