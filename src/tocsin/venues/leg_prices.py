"""
Liquidation prices of legs whose rule charges each by itself: isolated ones alone, cross ones for the whole account.
"""

from collections.abc import Sequence
from decimal import Decimal

from tocsin.venues.contract import NUMBERS, Leg, LiquidationPrice, NoPrice
from tocsin.venues.liquidation import find_liquidation
from tocsin.venues.needs import ZERO, Charge, Need, Totals, need_mark
from tocsin.venues.products import profit_between

OTHERS_MAX = 50
"""Symbols whose marks were held are named up to this many."""


def solve_isolated(leg: Leg, charge: Charge, tick: Decimal | None) -> tuple[LiquidationPrice, str]:
    """
    Return an isolated leg's price, from its own collateral; with the name of what lacks where there is none.
    """
    for name, value in (("isolated_collateral", leg.isolated_collateral), ("entry", leg.entry)):
        if value is None:
            return LiquidationPrice(
                price=None, reason=NoPrice.INPUT_MISSING
            ), f"{name} is missing: no liquidation price"
    assert leg.isolated_collateral is not None
    assert leg.entry is not None
    start = leg.mark or leg.entry
    held = NUMBERS.add(NUMBERS.add(leg.isolated_collateral, leg.accrued_funding), profit_between(leg, leg.entry, start))
    return solve([leg], held, start, charge, tick=tick, binding="leg")


class CrossPart:
    """
    The legs that share the account's equity, by symbol, with what each of their prices is solved from.
    """

    def __init__(
        self, legs: Sequence[tuple[Leg, Need]], totals: Totals, lacking: str, charge: Charge, tick: Decimal | None
    ) -> None:
        self._groups: dict[str, list[tuple[Leg, Need]]] = {}
        for leg, need in legs:
            self._groups.setdefault(leg.symbol, []).append((leg, need))
        self._symbols = sorted(self._groups)
        self._closing = sum((need.closing for _, need in legs), ZERO)
        self._totals, self._charge, self._tick = totals, charge, tick
        unknown = next((need.why for _, need in legs if need.maintenance is None), "")
        self._lacking = lacking or unknown
        self._found: dict[str, tuple[LiquidationPrice, str]] = {}

    def price(self, leg: Leg) -> tuple[LiquidationPrice, str]:
        """
        Return a leg's price: equity less the maintenance of all other markets, held, must cover its own symbol's.
        """
        if leg.symbol not in self._found:
            self._found[leg.symbol] = self._solve(leg)
        return self._found[leg.symbol]

    def _solve(self, leg: Leg) -> tuple[LiquidationPrice, str]:
        others = self._others(leg.symbol)
        equity, maintenance = self._totals.equity, self._totals.maintenance
        if equity is None or maintenance is None:
            missing = LiquidationPrice(price=None, reason=NoPrice.INPUT_MISSING, binding="account", others=others)
            return missing, f"{self._lacking or 'maintenance_rate'} is missing: no liquidation price"
        same = self._groups[leg.symbol]
        own = sum((need.maintenance or ZERO for _, need in same), ZERO)
        closing = self._closing - sum((need.closing for _, need in same), ZERO)
        room = NUMBERS.subtract(equity, NUMBERS.subtract(maintenance, own))
        legs = [o for o, _ in same]
        binding = "hedged pair" if len(legs) > 1 else "account"
        held = NUMBERS.subtract(room, closing)
        return solve(legs, held, need_mark(leg), self._charge, tick=self._tick, binding=binding, others=others)

    def _others(self, symbol: str) -> tuple[str, ...]:
        """Return the other symbols; beyond `OTHERS_MAX` the first of them and how many more."""
        if len(self._symbols) <= OTHERS_MAX + 1:
            return tuple(name for name in self._symbols if name != symbol)
        named = tuple(name for name in self._symbols[: OTHERS_MAX + 1] if name != symbol)[:OTHERS_MAX]
        return (*named, f"and {len(self._symbols) - 1 - OTHERS_MAX} more")


def solve(
    legs: Sequence[Leg],
    held: Decimal,
    mark: Decimal,
    charge: Charge,
    *,
    tick: Decimal | None = None,
    binding: str = "leg",
    others: tuple[str, ...] = (),
) -> tuple[LiquidationPrice, str]:
    """
    Return the price of one market at which `held`, equity at the mark less what is held for others, covers the legs no
    more; with the name of what lacks where there is none.
    """
    probe = [charge.at(leg, mark) for leg in legs]
    lacking = next((need.why or "maintenance_rate" for need in probe if need.maintenance is None), "")
    if lacking:
        missing = LiquidationPrice(price=None, reason=NoPrice.INPUT_MISSING, binding=binding, others=others)
        return missing, f"{lacking} is missing: no liquidation price"

    def gap(price: Decimal) -> Decimal:
        total = held
        for leg in legs:
            need = charge.at(leg, price)
            assert need.maintenance is not None
            change = NUMBERS.subtract(profit_between(leg, mark, price), NUMBERS.add(need.maintenance, need.closing))
            total = NUMBERS.add(total, change)
        return total

    net = sum((leg.size * leg.contract_size for leg in legs), ZERO)
    towards = "down" if net > 0 else "up" if net < 0 else "both"
    edges = [edge for leg in legs for edge in charge.edges(leg)]
    found = find_liquidation(
        gap,
        mark=mark,
        towards=towards,
        edges=edges,
        tick=tick,
        binding=binding,
        others=others,
        tier_at=lambda price: charge.at(legs[0], price).tier,
    )
    return found, ""
