"""
Deribit's portfolio margin scenarios: profit of one position at shocked prices and volatilities.

Standard table: `2 b + 1` evenly spaced price moves within the range, each with volatility up, unchanged and down.
Extended table: far moves with volatility up; profit is taken times `factor x range / |move|`, for coin-settled
positions in coins at the price of the range's end. Volatility moves by its range times `(30 / days) ^ power`, the power
by whether fewer than 30 days are left; a shocked-up volatility is at least the floor. Coin-settled positions: profit in
coins is worth the price after the move, `size x (1 - 1 / (1 + m))` for a future. Options are priced by Black-76 on
their future.
"""

from decimal import Decimal
from typing import NamedTuple

import msgspec

from tocsin.risk.pricing import compute_greeks
from tocsin.venues import VenueRefusal
from tocsin.venues.contract import Leg, Product
from tocsin.venues.deribit_legs import to_coins
from tocsin.venues.option_market import Market, require_market
from tocsin.venues.products import mark_of

ZERO, ONE, YEAR_DAYS = Decimal(0), Decimal(1), Decimal(365)
UP, SAME, DOWN = "up", "same", "down"
SHOCKS = (UP, SAME, DOWN)


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """
    Scenario parameters of one index, in the venue's own words (`model_params.currency_pair`).
    """

    price_range: Decimal
    volatility_range_up: Decimal
    volatility_range_down: Decimal
    min_volatility_for_shock_up: Decimal
    short_term_vega_power: Decimal
    long_term_vega_power: Decimal
    extended_table_factor: Decimal
    delta_total_liq_shock_threshold: Decimal
    max_delta_shock: Decimal
    m_inc: Decimal


class General(msgspec.Struct, frozen=True, kw_only=True):
    """
    Parameters of all indices: buckets on each side, the extended moves, the fewest days an option counts as having.
    """

    mm_factor: Decimal
    buckets: Decimal
    dte_floor: Decimal
    extended: tuple[Decimal, ...]


class Vectors(NamedTuple):
    """
    Profits in the settlement currency: `standard` by move then shock (up, same, down), `extended` by move.
    """

    standard: tuple[Decimal, ...]
    extended: tuple[Decimal, ...]


def compute_vectors(leg: Leg, pair: Pair, general: General) -> Vectors:
    """
    Return one position's profits in all scenarios.

    Raises:
        MissingInput: An option without forward, time or volatility.
        VenueRefusal: A spot position.
    """
    standard = [profit_at(leg, move, shock, pair, general) for move in price_moves(pair, general) for shock in SHOCKS]
    extended: list[Decimal] = []
    for move in general.extended:
        profit = profit_at(leg, move, UP, pair, general)
        profit *= pair.extended_table_factor * pair.price_range / abs(move)
        if is_coin_settled(leg):
            profit *= (1 + move) / (1 + pair.price_range.copy_sign(move))
        extended.append(profit)
    return Vectors(tuple(standard), tuple(extended))


def price_moves(pair: Pair, general: General) -> tuple[Decimal, ...]:
    """
    Return the price moves of the standard table, rising.
    """
    count = int(general.buckets)
    return tuple(pair.price_range * i / count for i in range(-count, count + 1))


def profit_at(leg: Leg, move: Decimal, shock: str, pair: Pair, general: General) -> Decimal:
    """
    Return the profit of a position when prices move by a fraction and volatilities by a shock, in its settlement money.
    """
    if leg.product in (Product.LINEAR, Product.INVERSE):
        coins = signed_coins(leg)
        return coins * mark_of(leg) * move if leg.product is Product.LINEAR else coins * (1 - 1 / (1 + move))
    market = _market(leg)
    forward = market.forward * (1 + move)
    after = market.price(forward, shock_volatility(market, shock, pair, general))
    before = market.price(market.forward, market.vol)
    if is_coin_settled(leg):
        after, before = after / forward, before / market.forward
    return leg.size * leg.contract_size * (after - before)


def shock_volatility(market: Market, shock: str, pair: Pair, general: General) -> Decimal:
    """
    Return an option's volatility after a shock.
    """
    if shock == SAME:
        return market.vol
    days = max(market.years * YEAR_DAYS, general.dte_floor)
    power = pair.short_term_vega_power if days < 30 else pair.long_term_vega_power
    scale = (Decimal(30) / days) ** power
    if shock == UP:
        return max(market.vol * (1 + pair.volatility_range_up * scale), pair.min_volatility_for_shock_up)
    return max(market.vol * (1 - pair.volatility_range_down * scale), ZERO)


def delta_of(leg: Leg) -> Decimal:
    """
    Return the position's delta in coins, signed: its size for a future, Black-76 delta times size for an option.
    """
    if leg.product in (Product.LINEAR, Product.INVERSE):
        return signed_coins(leg)
    market = _market(leg)
    terms = (float(market.forward), float(market.strike), float(market.years), float(market.vol))
    return leg.size * leg.contract_size * Decimal(repr(compute_greeks(*terms, call=market.is_call).delta))


def signed_coins(leg: Leg) -> Decimal:
    """
    Return the size of a futures position in coins at its mark, signed.
    """
    return to_coins(leg, mark_of(leg)).copy_sign(leg.size)


def is_coin_settled(leg: Leg) -> bool:
    """
    Tell whether the position's profit is in the coin itself.
    """
    return leg.product in (Product.INVERSE, Product.OPTION_INVERSE)


def _market(leg: Leg) -> Market:
    if leg.product not in (Product.OPTION, Product.OPTION_INVERSE):
        raise VenueRefusal(f"deribit-pm has no rule for {leg.symbol}: it is {leg.product}")
    return require_market(leg)
