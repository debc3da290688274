"""
What one OKX position needs at a price: contracts, short options, borrowed spot.

- Contracts: maintenance = notional x tier rate, initial = notional / leverage (cross at the mark, isolated at entry).
- Short options, per coin: initial `max(a, b - OTM / forward) x factor + mark`, maintenance `c x factor + mark` (call),
  `max(c, c x mark) x factor + mark` (put); quote-margined ones times the index. Long options need nothing.
- Borrowed spot: maintenance = liability x tier rate; closing fee = liability x (1 + rate) x fee.

The closing fee stands apart: it is in the ratio's denominator, not in maintenance.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from tocsin.venues import VenueRefusal
from tocsin.venues.accounts import Need
from tocsin.venues.contract import Leg, MissingInput, Mode, Product
from tocsin.venues.okx_rates import ONE, OPTIONS, ZERO, Rates
from tocsin.venues.products import entry_of, mark_of, notional_at, profit_between


class Borrowed(NamedTuple):
    """
    A spot margin position: what it holds and owes. Long: assets in base, owed in quote; short: the other way round.

    `margin` is collateral set apart from the assets, in base or quote.
    """

    is_long: bool
    assets: Decimal
    owed: Decimal
    margin: Decimal
    margin_in_base: bool

    def held_in_quote(self, price: Decimal) -> Decimal:
        """Return assets and margin at a price, in quote."""
        assets = self.assets * price if self.is_long else self.assets
        return assets + (self.margin * price if self.margin_in_base else self.margin)

    def owed_in_quote(self, price: Decimal) -> Decimal:
        """Return the liability at a price, in quote."""
        return self.owed if self.is_long else self.owed * price

    def unit_in_quote(self, price: Decimal) -> Decimal:
        """Return the price of the margin's currency in quote: amounts of the position are counted in it."""
        return price if self.margin_in_base else ONE


def need_of(leg: Leg, price: Decimal, rates: Rates, extra: Mapping[str, Decimal]) -> Need:
    """
    Return what a leg needs at a price, in its settlement asset; `closing` is the closing fee.
    """
    if leg.product in OPTIONS:
        return _option(leg, rates, extra)
    if leg.product is Product.SPOT_MARGIN:
        return _borrowed(leg, price, rates, extra)
    table, size, _ = rates.table(leg)
    value = notional_at(leg, price)
    charge = table.charge(value, size)
    held = notional_at(leg, entry_of(leg)) if leg.mode is Mode.ISOLATED and leg.entry is not None else value
    initial, orders = _initial(leg, held, price, table.initial_rate(size))
    tier = None if leg.maintenance_rate is not None else charge.tier.number
    fee = value * rates.fee(leg)
    return Need(initial, charge.amount, closing=fee, orders=orders, rate=charge.rate, tier=tier)


def borrowed_of(leg: Leg, extra: Mapping[str, Decimal]) -> Borrowed:
    """
    Return a spot margin position: `extra["assets:SYMBOL"]` and `extra["liab:SYMBOL"]`, else size and size x entry.
    """
    base = leg.symbol.split("-")[0]
    is_long = leg.size > 0
    size = abs(leg.size) * leg.contract_size
    assets, owed = extra.get(f"assets:{leg.symbol}"), extra.get(f"liab:{leg.symbol}")
    if assets is None or owed is None:
        value = size * entry_of(leg)
        assets = (size if is_long else value) if assets is None else assets
        owed = (value if is_long else size) if owed is None else owed
    return Borrowed(is_long, assets, owed, leg.isolated_collateral or ZERO, leg.settle == base)


def unrealised_of(leg: Leg, price: Decimal) -> Decimal | None:
    """
    Return the profit of a contract at a price, in its settlement asset; None without entry, and for options and spot.
    """
    if leg.entry is None or leg.product in (*OPTIONS, Product.SPOT_MARGIN):
        return None
    return profit_between(leg, leg.entry, price)


def option_value(leg: Leg) -> Decimal:
    """
    Return the market value of an option position, signed, in its settlement asset.
    """
    return leg.size * leg.contract_size * mark_of(leg)


def _initial(leg: Leg, held: Decimal, price: Decimal, least: Decimal | None) -> tuple[Decimal | None, Decimal]:
    """
    Return initial margin (None without leverage and least rate) and the part of it that resting orders cause.

    One-way, since 2024-10: the larger of position + orders of its side and orders of the other side - position. Hedge
    mode: position + opening orders of its side.
    """
    at = leg.order_price or price
    buy = _order_value(leg, leg.order_buy, at)
    sell = _order_value(leg, leg.order_sell, at)
    same, other = (buy, sell) if leg.size >= 0 else (sell, buy)
    value = held + same if leg.hedge_side else max(held + same, other - held)
    rate = least if leg.leverage is None else ONE / leg.leverage
    return (None, ZERO) if rate is None else (value * rate, (value - held) * rate)


def _order_value(leg: Leg, contracts: Decimal, price: Decimal) -> Decimal:
    units = contracts * leg.contract_size
    return units / price if leg.product is Product.INVERSE else units * price


def _option(leg: Leg, rates: Rates, extra: Mapping[str, Decimal]) -> Need:
    """
    Return what an option needs at its own mark; a long one nothing.
    """
    if leg.size >= 0:
        return Need(ZERO, ZERO)
    terms = leg.option
    if terms is None or terms.forward is None:
        raise MissingInput("option.forward", f"{leg.symbol}: margin of a short option needs strike and forward")
    mark = mark_of(leg)
    in_coin = leg.product is Product.OPTION_INVERSE
    if not in_coin and leg.index is None:
        raise MissingInput("index", f"{leg.symbol}: margin of a quote-margined option is a part of the index")
    unit = ONE if in_coin else leg.index or ONE
    factor = extra.get(f"optMgnFactor:{leg.symbol}", ONE)
    a, b, c = rates.option_factor("a"), rates.option_factor("b"), rates.option_factor("c", leg.underlying)
    away = terms.strike - terms.forward if terms.is_call else terms.forward - terms.strike
    initial = max(a, b - max(away, ZERO) / terms.forward) * factor * unit + mark
    part = c * unit if terms.is_call else max(c * unit, c * mark)
    maintenance = part * factor + mark
    amount = abs(leg.size) * leg.contract_size
    fee = min(rates.fee(leg) * unit, rates.account.number("option_fee_cap") * mark)
    return Need(initial * amount, maintenance * amount, closing=fee * amount)


def _borrowed(leg: Leg, price: Decimal, rates: Rates, extra: Mapping[str, Decimal]) -> Need:
    found = borrowed_of(leg, extra)
    if found.owed < 0:
        raise VenueRefusal(f"{leg.symbol}: liab:{leg.symbol} must be 0 or more, was {found.owed}")
    rate, least, tier = leg.maintenance_rate, leg.initial_rate, None
    if rate is None:
        row = rates.borrowing(leg.symbol, found.owed, in_base=not found.is_long).find(found.owed)
        rate, least, tier = row.rate, row.initial_rate, row.number
    owed = found.owed_in_quote(price) / found.unit_in_quote(price)
    share = least if leg.leverage is None else ONE / leg.leverage
    fee = owed * (ONE + rate) * rates.fee(leg)
    return Need(None if share is None else owed * share, owed * rate, closing=fee, rate=rate, tier=tier)
