"""
OKX's rates: position tiers (the whole position pays its tier's rate), closing fees, option factors, price steps.

Tiers are counted in contracts of an instrument family, perpetuals and dated futures each for themselves: in cross mode
all expiries of a family's futures are added up. Sources and dates are in the parameter files.
"""

from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache

import msgspec

from tocsin.venues import VenueRefusal
from tocsin.venues.contract import Leg, MissingInput, Mode, Product
from tocsin.venues.params import Params, suggest
from tocsin.venues.tiers import Tier, TierKind, TierTable, flat

ZERO, ONE = Decimal(0), Decimal(1)
OPTIONS = (Product.OPTION, Product.OPTION_INVERSE)


class Family(msgspec.Struct, frozen=True):
    """Rows of [largest position in contracts, maintenance rate, least initial rate]; more beyond if not complete."""

    rows: tuple[tuple[Decimal, Decimal, Decimal], ...]
    is_complete: bool


class Pair(msgspec.Struct, frozen=True):
    """Rows of [largest borrowed amount in base, the same in quote, maintenance rate, least initial rate]."""

    rows: tuple[tuple[Decimal, Decimal, Decimal, Decimal], ...]
    is_complete: bool


class Rates:
    """
    The rates of one account at one time: what each of its legs pays.
    """

    def __init__(self, params: Params, legs: Iterable[Leg]) -> None:
        self._params = params
        self.account = params.get("account")
        self._sizes: dict[str, Decimal] = {}
        self._tables: dict[str, tuple[TierTable, Family]] = {}
        for leg in legs:
            if leg.mode is not Mode.ISOLATED and leg.product in (Product.LINEAR, Product.INVERSE):
                name = tier_group(leg.symbol)
                self._sizes[name] = self._sizes.get(name, ZERO) + abs(leg.size)

    def table(self, leg: Leg) -> tuple[TierTable, Decimal, str]:
        """
        Return a contract's tiers, the contracts that choose the tier, and a note ("" if there is none).

        Raises:
            MissingInput: The family's tiers are not shipped and the leg states no rate.
            VenueRefusal: The position is beyond the tiers that are shipped.
        """
        name = tier_group(leg.symbol)
        size = abs(leg.size) if leg.mode is Mode.ISOLATED else self._sizes.get(name, abs(leg.size))
        if leg.maintenance_rate is not None:
            _check_rate(leg)
            return flat(leg.maintenance_rate, initial_rate=leg.initial_rate), size, "rate as stated with the position"
        table, found = self._shipped(name)
        last = table.tiers[-1].cap
        if last is not None and size > last:
            known = "the venue's last tier ends" if found.is_complete else "the tiers known here end"
            raise VenueRefusal(f"{leg.symbol}: {size} contracts of {name}; {known} at {last}")
        return table, size, ""

    def _shipped(self, name: str) -> tuple[TierTable, Family]:
        if name not in self._tables:
            families = self._params.get("tiers").decode(dict[str, Family], "families")
            if name not in families:
                raise MissingInput(
                    "maintenance_rate",
                    f"no tiers of {name} are shipped{suggest(name, families)}; give the rate of /public/position-tiers",
                )
            self._tables[name] = (_cliff(tuple(families[name].rows), "contracts"), families[name])
        return self._tables[name]

    def borrowing(self, symbol: str, liability: Decimal, *, in_base: bool) -> TierTable:
        """
        Return the tiers of a spot margin pair, counted in the borrowed coin.

        Raises:
            MissingInput: The pair's tiers are not shipped, or the liability is beyond them.
        """
        pairs = self._params.get("margin_tiers").decode(dict[str, Pair], "pairs")
        name = family_of(symbol)
        if name not in pairs:
            raise MissingInput("maintenance_rate", f"no tiers of the pair {name} are shipped{suggest(name, pairs)}")
        rows = [(row[0] if in_base else row[1], row[2], row[3]) for row in pairs[name].rows]
        if liability > rows[-1][0]:
            raise MissingInput("maintenance_rate", f"{name}: {liability} is beyond the tiers shipped ({rows[-1][0]})")
        return _cliff(tuple(rows), "borrowed coins")

    def fee(self, leg: Leg) -> Decimal:
        """
        Return the closing fee's rate: the leg's own, else that of the first fee level.
        """
        return leg.fee_rate if leg.fee_rate is not None else self.account.number("fees", leg.product.value)

    def option_factor(self, *keys: str) -> Decimal:
        """
        Return one of the factors a, b, c of short options.
        """
        return self.account.number("option", *keys)

    def tick(self, symbol: str) -> Decimal | None:
        """
        Return the price step of an instrument, None if it is not known.
        """
        ticks = self._params.get("ticks").decode(dict[str, Decimal], "ticks")
        return ticks.get(symbol)

    def basis_notes(self) -> tuple[str, ...]:
        """
        Return what the fees rest on.
        """
        return (f"closing fees of {self.account.valid_from} unless stated with the position",)


def family_of(symbol: str) -> str:
    """
    Return the instrument family: the first two parts of the name ("BTC-USDT-SWAP" is of BTC-USDT).
    """
    return "-".join(symbol.split("-")[:2])


def tier_group(symbol: str) -> str:
    """
    Return the name of a contract's tiers: its family, with "futures" for dated ones, which have tiers of their own.
    """
    return family_of(symbol) if is_perpetual(symbol) else f"{family_of(symbol)} futures"


def is_perpetual(symbol: str) -> bool:
    """
    Tell whether an instrument is a perpetual: its name ends with SWAP.
    """
    return symbol.endswith("-SWAP")


@lru_cache(maxsize=256)
def _cliff(rows: tuple[tuple[Decimal, Decimal, Decimal], ...], unit: str) -> TierTable:
    floor = ZERO
    tiers: list[Tier] = []
    for number, (cap, rate, initial) in enumerate(rows, start=1):
        tiers.append(Tier(number=number, floor=floor, cap=cap, rate=rate, initial_rate=initial))
        floor = cap
    return TierTable(kind=TierKind.CLIFF, tiers=tuple(tiers), unit=unit)


def _check_rate(leg: Leg) -> None:
    for name, value in (("maintenance_rate", leg.maintenance_rate), ("initial_rate", leg.initial_rate)):
        if value is not None and not 0 <= value <= 1:
            raise VenueRefusal(f"{leg.symbol}: {name} must be from 0 to 1, was {value}")
