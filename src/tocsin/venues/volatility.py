"""
How much a coin moves in a day, and its last known close: shipped figures with their dates, to put a distance in words.

They are for display and for examples without a price; no margin is computed from a volatility here.
"""

from collections.abc import Mapping
from decimal import Decimal
from functools import cache

import msgspec

from tocsin.core.errors import ConfigError
from tocsin.venues.params import ParamSet, load, suggest


class CoinDay(msgspec.Struct, frozen=True, kw_only=True):
    """
    A coin's daily volatility (fraction of the price, > 0) over `days` closes to `last_day`, and the close of that day.

    `close` is in USD (a stablecoin counts as one); `series` names what was measured.
    """

    daily_volatility: Decimal
    days: Decimal
    last_day: str
    close: Decimal
    series: str = msgspec.field(name="from")


def find_coin_day(coin: str) -> CoinDay | None:
    """
    Return a coin's shipped figures; None where none are shipped. Case does not matter; `1000PEPE` reads as `PEPE`.
    """
    return _all().get(coin.upper().removeprefix("1000"))


def get_coin_day(coin: str) -> CoinDay:
    """
    Return a coin's shipped figures.

    Raises:
        ConfigError: None are shipped; the message names the nearest coins.
    """
    found = find_coin_day(coin)
    if found is None:
        raise ConfigError(f"no price or volatility of {coin!r} is shipped{suggest(coin, _all())}")
    return found


def known_coins() -> tuple[str, ...]:
    """
    Return the coins with shipped figures, in alphabetical order.
    """
    return tuple(sorted(_all()))


def read_volatility_set() -> ParamSet:
    """
    Return the whole set with its sources.
    """
    return load("market", "volatility")


@cache
def _all() -> Mapping[str, CoinDay]:
    return read_volatility_set().decode(dict[str, CoinDay], "coins")
