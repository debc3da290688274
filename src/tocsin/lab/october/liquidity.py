"""
Price the forced orders: a named account outside takes them around the real price at a square-root cost.

Cost of an order as a share of the price: Y x daily volatility x sqrt(lots / lots traded a day), Y = 0.75. It moves
this order only, never the path (the path already contains the forced orders of that day).
"""

from math import isqrt

from tocsin.core.integers import PPM, ceil_div
from tocsin.lab.october.world import Market

Y_PPM = 750_000
"""Y of the square-root law, about what one-second trades and depth of two Binance perpetuals show."""


def impact_ppm(market: Market, lots: int) -> int:
    """
    Return the cost of a forced order of `lots` (signed) as a share of the price, in ppm, rounded up.
    """
    if lots == 0:
        return 0
    # sqrt(lots / volume) in millionths, rounded up: ceil(sqrt(x)) = isqrt(x - 1) + 1.
    ratio = ceil_div(abs(lots) * PPM * PPM, market.volume_lots)
    return ceil_div(market.impact_ppm * (isqrt(ratio - 1) + 1), PPM)


def execution_price(market: Market, last_ticks: int, lots: int) -> int:
    """
    Return the price at which the outside takes a forced order, in ticks, >= 1.

    Args:
        market: Supplies volume and impact coefficient.
        last_ticks: Last price now, in ticks.
        lots: Signed size of the forced order: > 0 buys and pays more, < 0 sells and gets less.

    Returns:
        Last price plus (buy) or minus (sell) the cost, which is rounded up to a whole tick: always against the
        forced order.
    """
    cost = ceil_div(last_ticks * impact_ppm(market, lots), PPM)
    return last_ticks + cost if lots > 0 else max(1, last_ticks - cost)
