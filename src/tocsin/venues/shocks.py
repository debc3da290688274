"""
"What if": one or several markets move, everything else stands still.

A shock is written `BTC=-10%` (from the mark) or `BTC=90000` (to a price); its name is an underlying, which moves every
leg and balance of that coin, or one symbol, which moves that leg alone. Options are revalued by Black-76 at the same
volatility; without volatility and time to expiry they refuse.
"""

from collections.abc import Iterable
from decimal import Decimal, localcontext

import msgspec

from tocsin.core.errors import ConfigError
from tocsin.risk.pricing import price_option
from tocsin.venues.contract import NUMBERS, Balance, Leg, MissingInput, Portfolio, Product
from tocsin.venues.params import suggest
from tocsin.venues.products import mark_of
from tocsin.venues.reading import PayloadError, to_number


class Shock(msgspec.Struct, frozen=True):
    """
    A market and its move: `factor` (> 0) multiplies the price, or `price` (> 0) replaces it; one of them is None.
    """

    name: str
    factor: Decimal | None
    price: Decimal | None
    text: str


def read_shock(text: str) -> Shock:
    """
    Return a shock from its text.

    Raises:
        ConfigError: It is not NAME=MOVE; the message shows the two forms.
    """
    name, sign, move = text.partition("=")
    name, move = name.strip(), move.strip()
    form = f"a what-if must be like BTC=-10% or BTC=90000, was {text!r}"
    if not name or not sign or not move:
        raise ConfigError(form)
    try:
        number = to_number(move.removesuffix("%").replace(",", "").strip(), name)
    except PayloadError:
        raise ConfigError(form) from None
    if number.copy_abs() > Decimal("1e15"):
        raise ConfigError(form)
    if move.endswith("%"):
        if number <= -100:
            raise ConfigError(f"a price cannot fall by 100 % or more, was {text!r}")
        return Shock(name, 1 + number / 100, None, text)
    if number <= 0:
        raise ConfigError(f"a price must be above 0, was {text!r}")
    return Shock(name, None, number, text)


def apply_shocks(portfolio: Portfolio, shocks: Iterable[Shock]) -> Portfolio:
    """
    Return the account after the moves, one after the other.

    Raises:
        ConfigError: A name is neither an underlying nor a symbol nor a balance of the account.
        MissingInput: A moved leg has no mark, or an option no volatility.
    """
    with localcontext(NUMBERS):
        for shock in shocks:
            portfolio = _apply(portfolio, shock)
    return portfolio


def move_underlying(portfolio: Portfolio, underlying: str, factor: Decimal) -> Portfolio:
    """
    Return the account with one coin's price multiplied.
    """
    return apply_shocks(portfolio, [Shock(underlying, factor, None, f"{underlying} x {factor}")])


def _apply(portfolio: Portfolio, shock: Shock) -> Portfolio:
    coins = {leg.underlying for leg in portfolio.legs} | {b.asset for b in portfolio.balances}
    symbols = {leg.symbol for leg in portfolio.legs}
    if shock.name not in coins | symbols:
        known = sorted(coins | symbols)
        near = suggest(shock.name, known) or f"; the account has {', '.join(known)}"
        raise ConfigError(f"what-if {shock.text!r}: nothing is called {shock.name}{near}")
    by_coin = shock.name in coins
    legs = tuple(
        _move_leg(leg, shock) if (leg.underlying if by_coin else leg.symbol) == shock.name else leg
        for leg in portfolio.legs
    )
    changed = msgspec.structs.replace(portfolio, legs=legs)
    if by_coin:
        return msgspec.structs.replace(changed, balances=tuple(_move_balance(b, shock) for b in portfolio.balances))
    return changed


def _move_balance(balance: Balance, shock: Shock) -> Balance:
    if balance.asset != shock.name or balance.price is None:
        return balance
    price = shock.price if shock.factor is None else balance.price * shock.factor
    return msgspec.structs.replace(balance, price=price)


def _move_leg(leg: Leg, shock: Shock) -> Leg:
    if leg.option is not None:
        return _move_option(leg, shock)
    mark = mark_of(leg)
    factor = shock.factor if shock.factor is not None else (shock.price or mark) / mark
    index = None if leg.index is None else leg.index * factor
    return msgspec.structs.replace(leg, mark=mark * factor, index=index)


def _move_option(leg: Leg, shock: Shock) -> Leg:
    option = leg.option
    assert option is not None, "asked of options alone"
    start = option.forward or leg.index
    if start is None:
        raise MissingInput("option.forward", f"{leg.symbol} cannot be revalued without its underlying's price")
    if option.vol is None or option.expiry_years is None:
        lacking = "option.vol" if option.vol is None else "option.expiry_years"
        raise MissingInput(lacking, f"{leg.symbol} is revalued by Black-76 when its market moves")
    factor = shock.factor if shock.factor is not None else (shock.price or start) / start
    forward = start * factor
    value = price_option(
        float(forward),
        float(option.strike),
        float(option.expiry_years),
        float(option.vol),
        call=option.is_call,
        rate=float(option.rate or 0),
    )
    mark = Decimal(f"{value:.12g}")
    index = None if leg.index is None else leg.index * factor
    if leg.product is Product.OPTION_INVERSE:
        mark = mark / (index or forward)
    return msgspec.structs.replace(leg, mark=mark, index=index, option=msgspec.structs.replace(option, forward=forward))
