"""
The Black-Scholes family on spot: one formula with a carry, from Black-76 on the forward.

Yield 0 is Black and Scholes, a dividend yield is Merton, a foreign rate is Garman and Kohlhagen, a yield equal to the
rate is Black-76 on a future.
"""

import math

from tocsin.core.errors import DataError
from tocsin.risk.pricing import Greeks, compute_greeks


def compute_spot_greeks(
    spot: float,
    strike: float,
    years: float,
    volatility: float,
    *,
    call: bool,
    rate: float = 0.0,
    carry_yield: float = 0.0,
) -> Greeks:
    """
    Return price and greeks of a European option on spot: delta and gamma per unit of spot, all else held.

    Args:
        spot: >= 0, in quote units.
        strike: >= 0.
        years: To expiry, >= 0.
        volatility: Per root of a year, >= 0.
        call: True for a call.
        rate: Continuously compounded rate of the quote currency.
        carry_yield: Continuously compounded yield of the underlying (dividends, foreign rate, funding received).

    Raises:
        DataError: An input is out of range or not finite.
    """
    if not math.isfinite(carry_yield) or abs((rate - carry_yield) * years) > 500.0:
        raise DataError(
            f"(rate - carry_yield) x years must be within 500, was {rate!r} - {carry_yield!r} over {years!r}"
        )
    growth = math.exp((rate - carry_yield) * years)
    forward = spot * growth
    on = compute_greeks(forward, strike, years, volatility, call=call, rate=rate)
    return Greeks(
        price=on.price,
        delta=on.delta * growth,
        gamma=on.gamma * growth * growth,
        vega=on.vega,
        theta=on.theta - on.delta * forward * (rate - carry_yield),
        rho=on.rho + on.delta * forward * years,
    )
