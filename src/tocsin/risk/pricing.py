"""
Black-76: price and greeks of a European option on a forward.

`value = intrinsic + time value`, and the time value is the out-of-the-money option of the same strike. So call less put
is forward less strike, no price is below intrinsic or below 0, and none exceeds its bound (a call the forward, a put
the strike), to the last digit. Absolute error is below 1e-12 of the larger of forward and strike on the whole range:
deep wings, seconds to expiry, volatility near 0 or in the thousands of percent.
"""

import math
from typing import NamedTuple

from tocsin.core.errors import DataError

_ROOT_2 = math.sqrt(2.0)
_ROOT_2_PI = math.sqrt(2.0 * math.pi)


class Greeks(NamedTuple):
    """
    Price and its first changes, per unit of the underlying, discounted.

    `delta`: per unit of forward (call 0 to 1, put -1 to 0). `gamma`: of delta per unit of forward, >= 0. `vega`: per
    1.00 of volatility, >= 0. `theta`: per year that passes, volatility and forward held. `rho`: per 1.00 of rate.
    """

    price: float
    delta: float
    gamma: float
    vega: float
    theta: float
    rho: float


def price_option(
    forward: float, strike: float, years: float, volatility: float, *, call: bool, rate: float = 0.0
) -> float:
    """
    Return the price of one option, in quote units per unit of the underlying, >= 0.

    Args:
        forward: Forward price of the underlying at expiry, >= 0.
        strike: >= 0.
        years: Time to expiry, >= 0; at 0 the price is intrinsic.
        volatility: Per root of a year, 0.5 for 50 %, >= 0; at 0 the price is discounted intrinsic.
        call: True for a call, False for a put.
        rate: Continuously compounded discount rate, of any sign.

    Raises:
        DataError: An input is negative, or is no finite number.
    """
    _check(forward=forward, strike=strike, years=years, volatility=volatility)
    return _discount(rate, years) * value_undiscounted(forward, strike, volatility * math.sqrt(years), call=call)


def value_undiscounted(forward: float, strike: float, deviation: float, *, call: bool) -> float:
    """
    Return the undiscounted value of one option, inputs not checked.

    Args:
        forward: >= 0, finite.
        strike: >= 0, finite.
        deviation: Volatility times the root of the years, of any sign; 0 or less gives intrinsic.
        call: True for a call, False for a put.
    """
    intrinsic = forward - strike if call else strike - forward
    time_value = _time_value(min(forward, strike), max(forward, strike), deviation)
    return intrinsic + time_value if intrinsic > 0.0 else time_value


def compute_greeks(
    forward: float, strike: float, years: float, volatility: float, *, call: bool, rate: float = 0.0
) -> Greeks:
    """
    Return price and greeks of one option; arguments and errors are those of `price_option`.

    Without time or volatility left, or at a strike or forward of 0, gamma and vega are 0 and delta is the slope of
    intrinsic (a half where forward equals strike).
    """
    _check(forward=forward, strike=strike, years=years, volatility=volatility)
    discount = _discount(rate, years)
    root = math.sqrt(years)
    deviation = volatility * root
    price = discount * value_undiscounted(forward, strike, deviation, call=call)
    if deviation <= 0.0 or forward <= 0.0 or strike <= 0.0:
        above = 1.0 if forward > strike else (0.5 if forward == strike else 0.0)
        delta = above if call else above - 1.0
        return Greeks(price, discount * delta, 0.0, 0.0, rate * price, -years * price)
    d1 = _log_ratio(forward, strike) / deviation + deviation / 2.0
    density = math.exp(-d1 * d1 / 2.0) / _ROOT_2_PI if abs(d1) < 40.0 else 0.0
    vega = discount * forward * density * root
    return Greeks(
        price=price,
        delta=discount * (normal_cdf(d1) if call else -normal_cdf(-d1)),
        gamma=discount * density / forward / deviation,
        vega=vega,
        theta=rate * price - vega * volatility / (2.0 * years),
        rho=-years * price,
    )


def normal_cdf(x: float) -> float:
    """
    Return the probability that a standard normal variable is below `x`, accurate in both tails.
    """
    return 0.5 * math.erfc(-x / _ROOT_2)


def _time_value(small: float, big: float, deviation: float) -> float:
    """
    Return `small N(ln(small/big)/s + s/2) - big N(ln(small/big)/s - s/2)`, between 0 and `small`.

    Both the out-of-the-money call (small is the forward) and put (small is the strike) are this.
    """
    if small <= 0.0 or not deviation > 0.0:
        return 0.0
    middle = _log_ratio(small, big) / deviation
    high, low = middle + deviation / 2.0, middle - deviation / 2.0
    if low > -1.0 and high < 1.0:
        # Near the money: the two probabilities agree in their first digits, their difference must not come from them.
        between = 0.5 * (math.erf(high / _ROOT_2) - math.erf(low / _ROOT_2))
        value = small * between - (big - small) * normal_cdf(low)
    else:
        value = small * normal_cdf(high) - big * normal_cdf(low)
    return max(value, 0.0)


def _log_ratio(a: float, b: float) -> float:
    """Return ln(a/b) of two positive numbers: to the last digits where they are close, finite wherever they are."""
    if 0.5 * b <= a <= 2.0 * b:
        return math.log1p((a - b) / b)
    return math.log(a) - math.log(b)


def _discount(rate: float, years: float) -> float:
    if not math.isfinite(rate):
        raise DataError(f"rate must be a finite number, was {rate!r}")
    try:
        return math.exp(-rate * years)
    except OverflowError:
        raise DataError(f"rate x years must be above -700, was {rate!r} x {years!r}") from None


def _check(**values: float) -> None:
    for name, value in values.items():
        if not 0.0 <= value < math.inf:
            raise DataError(f"{name} must be a finite number of at least 0, was {value!r}")
