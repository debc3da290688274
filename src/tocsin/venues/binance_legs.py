"""
One Binance futures position at its mark: notional, bracket, margins, profit, and its price of liquidation.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice

from tocsin.venues.binance_tables import find_table, to_settle
from tocsin.venues.contract import Basis, Leg, LegMargin, LiquidationPrice, MissingInput, NoPrice, Product
from tocsin.venues.liquidation import find_liquidation
from tocsin.venues.params import Params, ParamSet
from tocsin.venues.products import mark_of, notional_at, price_of_notional, profit_between
from tocsin.venues.tiers import TierTable

OTHERS_MAX = 20
FORMULA = "maintenance = notional x rate - cum; initial = notional / leverage; notional at the mark"


@dataclass(slots=True)
class Valued:
    """
    One leg at its mark: notional, maintenance, profit (None without an entry price), and the brackets behind them.
    """

    leg: Leg
    asset: str
    mark: Decimal
    notional: Decimal
    maintenance: Decimal
    initial: Decimal
    orders: Decimal
    profit: Decimal | None
    table: TierTable
    source: ParamSet | None

    def maintenance_at(self, price: Decimal) -> Decimal:
        """
        Return maintenance at another price, with the bracket there.
        """
        return self.table.charge(notional_at(self.leg, price)).amount

    def edges(self) -> list[Decimal]:
        """
        Return the prices at which the bracket changes.
        """
        return [price_of_notional(self.leg, edge) for edge in self.table.edges()] if self.leg.size else []


def value_leg(leg: Leg, params: Params) -> Valued:
    """
    Return one leg at its mark.

    Raises:
        MissingInput: No mark, no brackets, or (COIN-M) a notional beyond the brackets that are documented.
    """
    mark = mark_of(leg)
    table, source = find_table(leg, params)
    notional = notional_at(leg, mark)
    charge = table.charge(notional)
    if charge.is_beyond and leg.product is Product.INVERSE:
        why = f"the shipped brackets of {leg.symbol} end at {charge.tier.cap} coins, the position is {notional:.8g}"
        raise MissingInput("maintenance_rate", why)
    rate = table.initial_rate(notional) if leg.leverage is None else 1 / leg.leverage
    if rate is None:
        raise MissingInput("leverage", f"the initial margin of {leg.symbol} needs it")
    initial = notional * rate
    profit = None if leg.entry is None else profit_between(leg, leg.entry, mark)
    return Valued(
        leg=leg,
        asset=to_settle(leg),
        mark=mark,
        notional=notional,
        maintenance=charge.amount,
        initial=initial,
        orders=_order_exposure(leg, notional) * rate - initial,
        profit=profit,
        table=table,
        source=source,
    )


def _order_exposure(leg: Leg, notional: Decimal) -> Decimal:
    """
    Return the notional that initial margin is taken on: the worst of position plus bids, position less asks.

    In hedge mode only the orders that open count. Orders are valued at their price, else at the mark.
    """
    price = leg.order_price or mark_of(leg)
    one = leg.contract_size / price if leg.product is Product.INVERSE else leg.contract_size * price
    bids, asks = leg.order_buy * one, leg.order_sell * one
    if leg.hedge_side:
        return notional + (bids if leg.hedge_side == "long" else asks)
    signed = notional if leg.size > 0 else -notional
    return max(abs(signed + bids), abs(signed - asks))


def name_others(symbols: Collection[str], own: str) -> tuple[str, ...]:
    """
    Return the other symbols; of more than 20, twenty of them and how many more there are.
    """
    names = sorted(symbol for symbol in islice(symbols, OTHERS_MAX + 2) if symbol != own)
    more = len(symbols) - 1 - OTHERS_MAX
    return (*names[:OTHERS_MAX], f"and {more} more") if more > 0 else tuple(names)


def solve_leg(
    v: Valued, gap: Callable[[Decimal], Decimal], moving: list[Valued], binding: str, others: tuple[str, ...]
) -> LiquidationPrice:
    """
    Return where the gap reaches 0 as the market of the leg (all `moving` legs with it) leaves its mark.
    """
    if not any(w.leg.size for w in moving):
        return LiquidationPrice(price=None, reason=NoPrice.HEDGED, binding=binding, others=others)
    towards = "both" if len(moving) > 1 else "down" if v.leg.size > 0 else "up"
    return find_liquidation(
        gap,
        mark=v.mark,
        towards=towards,
        edges=[edge for w in moving for edge in w.edges()],
        binding=binding,
        others=others,
        tier_at=lambda price: v.table.find(notional_at(v.leg, price)).number,
    )


def margin_of(v: Valued, liquidation: LiquidationPrice, note: str = "") -> LegMargin:
    """
    Return the leg's margins with the record of what they rest on.
    """
    charge = v.table.charge(v.notional)
    notes = [note] if note else []
    if charge.is_beyond:
        notes.append(f"the position is beyond the last bracket ({charge.tier.cap}); its rate goes on")
    if v.source is None:
        basis = Basis(
            formula=FORMULA, params="given with the position", params_date="", source="the payload", notes=tuple(notes)
        )
    else:
        basis = v.source.basis(FORMULA, *notes)
    return LegMargin(
        symbol=v.leg.symbol,
        unit=v.asset,
        notional=v.notional,
        initial=v.initial + v.orders,
        maintenance=v.maintenance,
        unrealised=v.profit,
        rate=charge.rate,
        tier=charge.tier.number if v.source is not None else None,
        orders=v.orders,
        liquidation=liquidation,
        basis=basis,
    )
