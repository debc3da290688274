"""
One Deribit position under standard margin: futures and perpetuals, coin-settled options.

Futures: margin is `size x (base + slope x size)`, size in coins; in the coin for inverse contracts (size = USD / mark),
times the index price for linear ones. Options, per contract in the coin: short call `max(0.15 - OTM / S, 0.1) + mark`
initial, `0.075 + mark` maintenance; short put `max(max(0.15 - OTM / S, 0.1) + mark, maintenance)` and
`max(0.075, 0.075 x mark) + mark`; S the underlying future's price, OTM how far the strike is out of the money. Long
options need nothing; their value is equity. Stablecoin-settled options: the same parts of the index price, a put's
least on its strike.
"""

from dataclasses import dataclass
from decimal import Decimal

import msgspec

from tocsin.venues import VenueRefusal
from tocsin.venues.contract import (
    Basis,
    Leg,
    LegMargin,
    LiquidationPrice,
    MissingInput,
    NoPrice,
    OptionTerms,
    Product,
)
from tocsin.venues.params import Params, ParamSet
from tocsin.venues.products import entry_of, mark_of, notional_at, profit_between
from tocsin.venues.tiers import Tier, TierKind, TierTable, linear

ZERO, ONE = Decimal(0), Decimal(1)
FUTURES = "margin = size x (base + slope x size), size in coins; linear contracts times the index price"
_FACTORS = ("initial_max", "initial_min", "maintenance")
OPTIONS = "short: max(0.15 - OTM / S, 0.1) + mark initial, 0.075 + mark maintenance, per contract in coins; long: 0"


@dataclass(slots=True)
class Valued:
    """
    One leg in its settlement currency: margins >= 0, `worth` what it adds to equity beyond cash (None: no entry).
    """

    leg: Leg
    currency: str
    mark: Decimal
    initial: Decimal
    maintenance: Decimal
    orders: Decimal
    worth: Decimal | None
    table: TierTable | None
    source: ParamSet | None
    notes: tuple[str, ...] = ()

    def maintenance_at(self, price: Decimal) -> Decimal:
        """
        Return maintenance with the market at a price (index in proportion); an option's is held.
        """
        if self.table is None:
            return self.maintenance
        return margin_of_size(self.leg, self.table, price, price * index_ratio(self.leg))[1]

    def worth_at(self, price: Decimal) -> Decimal:
        """
        Return what the leg adds to equity with the market at a price, from its mark on; an option's value is held.
        """
        return ZERO if self.table is None else profit_between(self.leg, self.mark, price)


def value_leg(leg: Leg, params: Params) -> Valued:
    """
    Return one leg at its mark.

    Raises:
        MissingInput: No mark, or no rates for its coin.
        VenueRefusal: A spot position, resting option orders.
    """
    if leg.product in (Product.LINEAR, Product.INVERSE):
        return _value_future(leg, params)
    if leg.product not in (Product.OPTION_INVERSE, Product.OPTION):
        raise VenueRefusal(f"deribit-sm has no rule for {leg.symbol}: it is {leg.product}")
    return _value_option(leg, params)


def margin_of_size(leg: Leg, table: TierTable, price: Decimal, index: Decimal) -> tuple[Decimal, Decimal]:
    """
    Return initial and maintenance margin of a futures leg with its market and index at these prices.
    """
    coins = to_coins(leg, price)
    value = coins * index if leg.product is Product.LINEAR else coins
    return value * (table.initial_rate(coins) or ZERO), table.charge(value, coins).amount


def to_coins(leg: Leg, price: Decimal) -> Decimal:
    """
    Return the size of a futures leg in coins, >= 0, at a price.
    """
    return notional_at(leg, price) if leg.product is Product.INVERSE else abs(leg.size) * leg.contract_size


def to_currency(leg: Leg) -> str:
    """
    Return the settlement currency: as given, else the coin, or what stands before the dash (BTC_USDC-PERPETUAL: USDC).
    """
    if leg.settle:
        return leg.settle
    if leg.product in (Product.INVERSE, Product.OPTION_INVERSE):
        return leg.underlying
    pair = leg.symbol.partition("-")[0]
    return pair.partition("_")[2] or "USDC"


def index_ratio(leg: Leg) -> Decimal:
    """
    Return index / mark, 1 without an index: the index is taken to move with the market.
    """
    return ONE if leg.index is None else leg.index / mark_of(leg)


def find_table(leg: Leg, params: Params) -> tuple[TierTable, ParamSet | None]:
    """
    Return the rates of a futures leg and the set they come from; rates stated with the leg count first (then None).
    """
    if leg.maintenance_rate is not None:
        initial = leg.initial_rate if leg.initial_rate is not None else leg.maintenance_rate
        one = Tier(number=1, floor=ZERO, cap=None, rate=leg.maintenance_rate, initial_rate=initial)
        return TierTable(kind=TierKind.FLAT, tiers=(one,)), None
    source = params.get("standard")
    if leg.underlying not in source.get("futures"):
        known = ", ".join(source.get("futures"))
        why = f"rates of {leg.underlying} are not shipped (known: {known}); give those of private/get_margins"
        raise MissingInput("maintenance_rate", why)
    names = ("maintenance", "maintenance_slope", "initial", "initial_slope")
    rate, slope, initial, initial_slope = (source.number("futures", leg.underlying, name) for name in names)
    return linear(rate=rate, slope=slope, initial_rate=initial, initial_slope=initial_slope, unit="coins"), source


def _value_future(leg: Leg, params: Params) -> Valued:
    mark = mark_of(leg)
    table, source = find_table(leg, params)
    index = mark * index_ratio(leg)
    initial, maintenance = margin_of_size(leg, table, mark, index)
    notes = (
        ["no index price is given: the mark stands in"] if leg.index is None and leg.product is Product.LINEAR else []
    )
    orders = ZERO
    if leg.order_buy or leg.order_sell:
        filled = [leg.size + leg.order_buy, leg.size - leg.order_sell]
        sized = [msgspec.structs.replace(leg, size=size) for size in filled]
        orders = max(max(margin_of_size(s, table, mark, index)[0] for s in sized) - initial, ZERO)
        notes.append("resting orders count as if the dearer side were filled at the mark")
    return Valued(
        leg=leg,
        currency=to_currency(leg),
        mark=mark,
        initial=initial,
        maintenance=maintenance,
        orders=orders,
        worth=None if leg.entry is None else profit_between(leg, entry_of(leg), mark) + leg.accrued_funding,
        table=table,
        source=source,
        notes=tuple(notes),
    )


def _value_option(leg: Leg, params: Params) -> Valued:
    if leg.option is None:
        raise MissingInput("option", f"the margin of {leg.symbol} needs its strike")
    if leg.order_buy or leg.order_sell:
        raise VenueRefusal(f"{leg.symbol}: margin of resting option orders is not covered; leave them out")
    source = params.get("standard")
    mark, contracts = mark_of(leg), leg.size * leg.contract_size
    initial = maintenance = ZERO
    if leg.size < 0:
        rule = _short_linear if leg.product is Product.OPTION else _short_inverse
        one = rule(leg, leg.option, mark, source)
        initial, maintenance = -contracts * one[0], -contracts * one[1]
    return Valued(
        leg=leg,
        currency=to_currency(leg),
        mark=mark,
        initial=initial,
        maintenance=maintenance,
        orders=ZERO,
        worth=contracts * mark,
        table=None,
        source=source,
    )


def _short_inverse(leg: Leg, terms: OptionTerms, mark: Decimal, source: ParamSet) -> tuple[Decimal, Decimal]:
    """
    Return initial and maintenance margin of one short coin-settled option, in the coin.
    """
    price = terms.forward if terms.forward is not None else leg.index
    if price is None:
        raise MissingInput("index", f"the margin of the short option {leg.symbol} needs its underlying's price")
    most, least, base = (source.number("options", name) for name in _FACTORS)
    away = max((terms.strike - price) * (1 if terms.is_call else -1), ZERO)
    first = max(most - away / price, least) + mark
    second = (base if terms.is_call else max(base, base * mark)) + mark
    return first if terms.is_call else max(first, second), second


def _short_linear(leg: Leg, terms: OptionTerms, mark: Decimal, source: ParamSet) -> tuple[Decimal, Decimal]:
    """
    Return initial and maintenance margin of one short stablecoin-settled option, in its currency.

    A put cannot lose more than its strike: its least is taken on the strike, its maintenance on the smaller of the two.
    """
    if leg.index is None:
        raise MissingInput("index", f"the margin of the short option {leg.symbol} is a part of the index price")
    if leg.underlying not in source.get("linear_options"):
        why = f"factors of linear options on {leg.underlying} are not shipped"
        raise MissingInput(f"linear_options.{leg.underlying}", why)
    most, least, base = (source.number("linear_options", leg.underlying, name) for name in _FACTORS)
    if terms.is_call:
        away = max(terms.strike - leg.index, ZERO)
        return max(most * leg.index - away, least * leg.index) + mark, base * leg.index + mark
    away = max(leg.index - terms.strike, ZERO)
    first = max(most * leg.index - away, least * terms.strike) + mark
    return first, base * min(leg.index, terms.strike) + mark


def leg_margin(v: Valued, liquidation: LiquidationPrice | None) -> LegMargin:
    """
    Return the leg's margins with the record of what they rest on.
    """
    leg = v.leg
    if v.table is None:
        entry = leg.entry
        profit = None if entry is None else leg.size * leg.contract_size * (v.mark - entry)
        notional = abs(leg.size) * leg.contract_size
        liquidation = LiquidationPrice(price=None, reason=NoPrice.OPTION, binding="account")
    else:
        profit = v.worth
        notional = notional_at(leg, v.mark)
    if v.source is None:
        basis = Basis(
            formula=FUTURES, params="given with the position", params_date="", source="the payload", notes=v.notes
        )
    else:
        basis = v.source.basis(OPTIONS if v.table is None else FUTURES, *v.notes)
    return LegMargin(
        symbol=leg.symbol,
        unit=v.currency,
        notional=notional,
        initial=v.initial + v.orders,
        maintenance=v.maintenance,
        unrealised=profit,
        rate=v.maintenance / notional if v.table is not None and notional else None,
        orders=v.orders,
        liquidation=liquidation,
        basis=basis,
    )
