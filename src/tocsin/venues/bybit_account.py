"""
Bybit's unified account in cross margin: totals in USD, account rates, liquidation prices.

All legs share the margin balance; liquidation is where the account's maintenance margin rate, maintenance / margin
balance, reaches 100 %. Coins' prices, and what other legs need, are held while one market moves.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

import msgspec

from tocsin.venues import VenueRefusal
from tocsin.venues.bybit_equity import Wallet, read_loans, read_wallet
from tocsin.venues.bybit_legs import ONE, ZERO, Valued, margin_of, pair_legs, value_leg
from tocsin.venues.bybit_options import value_option
from tocsin.venues.bybit_tables import to_settle
from tocsin.venues.contract import (
    Evaluation,
    Health,
    Leg,
    LiquidationPrice,
    Mode,
    NoPrice,
    Portfolio,
    Product,
    Threshold,
)
from tocsin.venues.liquidation import find_liquidation
from tocsin.venues.params import Params
from tocsin.venues.products import entry_of, profit_between

FORMULA = "accountMMRate = total maintenance margin / margin balance; coins at their collateral value ratios"
FUTURES = (Product.LINEAR, Product.INVERSE)
OTHERS_MAX = 200
"""Beyond so many symbols a liquidation price tells how many marks it holds, not whose."""


class Held(NamedTuple):
    """
    What the search for one liquidation price holds: the wallet, the account's maintenance in USD, profits by coin.
    """

    wallet: Wallet
    maintenance: Decimal
    profits: Mapping[str, Decimal]
    prices: Mapping[str, Decimal]
    symbols: Mapping[str, list[Valued]]


def evaluate_cross(portfolio: Portfolio, params: Params) -> Evaluation:
    """
    Return a unified account in cross margin, in USD.

    Raises:
        MissingInput: An input of a leg, a coin's price or ratio, or the margin of a loan is missing.
        VenueRefusal: A leg is isolated, or of a product that the account does not hold.
    """
    for leg in portfolio.legs:
        if leg.mode is Mode.ISOLATED:
            raise VenueRefusal(f"bybit judges cross margin; {leg.symbol} is isolated: use bybit-isolated")
        if leg.product not in (*FUTURES, Product.OPTION):
            raise VenueRefusal(f"bybit has no rule for {leg.symbol}: it is {leg.product}")
    valued = {i: value_leg(leg, params) for i, leg in enumerate(portfolio.legs) if leg.product in FUTURES}
    _pair(list(valued.values()))
    options = {i: value_option(leg, params) for i, leg in enumerate(portfolio.legs) if i not in valued}
    needed = coin_prices(portfolio.legs)
    wallet = read_wallet(portfolio, params, needed, ZERO)
    notes = [] if wallet is None else wallet.notes
    prices = wallet.prices if wallet else {a: ONE if p is None else p for a, p in needed.items()}
    loans = read_loans(portfolio)
    flat = (portfolio.other_maintenance or ZERO) + loans[1]
    flat += sum(((o.maintenance or ZERO) * prices[o.unit] for o in options.values()), ZERO)
    maintenance = flat + sum((v.maintenance_at(v.mark) * prices[v.asset] for v in valued.values()), ZERO)
    initial = loans[0] + sum((o.initial or ZERO) * prices[o.unit] for o in options.values())
    initial += sum((v.initial + v.orders) * prices[v.asset] for v in valued.values())
    balance = None if wallet is None else wallet.balance(_profits(wallet, list(valued.values())))
    margins = dict(options)
    if wallet is None:
        margins |= {i: margin_of(v, _unknown(v)) for i, v in valued.items()}
    else:
        held = Held(wallet, maintenance, _profits(wallet, list(valued.values())), prices, _by_symbol(valued.values()))
        margins |= {i: margin_of(v, _solve_cross(v, held), *_caution(v, wallet)) for i, v in valued.items()}
    signed = {} if balance is None else {"totalMarginBalance": balance}
    return Evaluation(
        rules="bybit",
        unit="USD",
        equity=balance,
        initial=initial,
        maintenance=maintenance,
        legs=tuple(margins[i] for i in sorted(margins)),
        health=account_health(balance, maintenance, params),
        basis=params.get("rules").basis(FORMULA, *notes),
        signed=signed | _rates(balance, initial, maintenance),
    )


def account_health(
    balance: Decimal | None, maintenance: Decimal, params: Params, *, name: str = "accountMMRate", of: str = ""
) -> Health | None:
    """
    Return maintenance / balance with Bybit's thresholds; None where the balance is not known.

    The value is None with a balance of 0 or less: nothing stands behind what is required.
    """
    if balance is None:
        return None
    thresholds = params.get("rules").decode(tuple[Threshold, ...], "thresholds")
    value = maintenance / balance if balance > 0 else None
    state = of if value is not None else f"{of} margin balance is 0 or less".strip()
    return Health(name=name, value=value, thresholds=thresholds, state=state)


def coin_prices(legs: Sequence[Leg]) -> dict[str, Decimal | None]:
    """
    Return the coins that legs settle in, each with its USD price where a leg tells it (inverse: index, else mark).
    """
    out: dict[str, Decimal | None] = {}
    for leg in legs:
        price = leg.index or leg.mark if leg.product is Product.INVERSE else None
        asset = to_settle(leg)
        out[asset] = out.get(asset) or price
    return out


def _rates(balance: Decimal | None, initial: Decimal, maintenance: Decimal) -> dict[str, Decimal]:
    if balance is None or balance <= 0:
        return {}
    return {"accountIMRate": initial / balance, "accountMMRate": maintenance / balance}


def _pair(valued: Sequence[Valued]) -> None:
    sides = {(v.leg.symbol, v.leg.hedge_side): v for v in valued if v.leg.hedge_side}
    for (symbol, side), v in sides.items():
        if side == "long" and (symbol, "short") in sides:
            pair_legs(v, sides[symbol, "short"])


def _profits(wallet: Wallet, valued: Sequence[Valued], price: Decimal | None = None) -> dict[str, Decimal]:
    """
    Return profits by coin at the marks, or at one price for all these legs; since the mark where equity is published.
    """
    out: dict[str, Decimal] = {}
    for v in valued:
        end = v.mark if price is None else price
        start = v.mark if wallet.amounts is None else entry_of(v.leg)
        funding = ZERO if wallet.amounts is None else v.leg.accrued_funding
        out[v.asset] = out.get(v.asset, ZERO) + profit_between(v.leg, start, end) + funding
    return out


def _by_symbol(valued: Iterable[Valued]) -> dict[str, list[Valued]]:
    out: dict[str, list[Valued]] = {}
    for v in valued:
        out.setdefault(v.leg.symbol, []).append(v)
    return out


def _unknown(v: Valued) -> LiquidationPrice:
    pair = v.leg.hedge_side and v.note
    return LiquidationPrice(price=None, reason=NoPrice.INPUT_MISSING, binding="hedged pair" if pair else "account")


def _solve_cross(v: Valued, held: Held) -> LiquidationPrice:
    """
    Return where margin balance falls to the account's maintenance as one symbol's market moves.
    """
    moving = held.symbols[v.leg.symbol]
    now = _profits(held.wallet, moving)
    rest = held.maintenance - sum((w.maintenance_at(w.mark) * held.prices[w.asset] for w in moving), ZERO)
    resting = {asset: profit - now.get(asset, ZERO) for asset, profit in held.profits.items()}

    def gap(price: Decimal) -> Decimal:
        profits = dict(resting)
        for asset, profit in _profits(held.wallet, moving, price).items():
            profits[asset] = profits.get(asset, ZERO) + profit
        need = sum((w.maintenance_at(price) * held.prices[w.asset] for w in moving), ZERO)
        return held.wallet.balance(profits) - rest - need

    towards = "both" if len(moving) > 1 or not v.leg.size else "down" if v.leg.size > 0 else "up"
    found = find_liquidation(
        gap,
        mark=v.mark,
        towards=towards,
        edges=[edge for w in moving for edge in w.edges()],
        binding="account" if len(moving) == 1 else "hedged pair",
        others=name_others(held.symbols, v.leg.symbol),
        tier_at=lambda price: v.table.find(v.value_at(price)).number,
    )
    return check_known(found, moving)


def name_others(symbols: Collection[str], own: str) -> tuple[str, ...]:
    """
    Return the symbols beside one's own; only how many, where they are more than anyone reads.
    """
    if len(symbols) > OTHERS_MAX:
        return (f"{len(symbols) - 1} other symbols",)
    return tuple(sorted(symbol for symbol in symbols if symbol != own))


def _caution(v: Valued, wallet: Wallet) -> tuple[str, ...]:
    coin = v.leg.underlying
    if wallet.amounts is None or not wallet.amounts.get(coin) or v.asset == coin:
        return ()
    return (f"{coin} in the wallet keeps its price in the liquidation price; it moves with the market in truth",)


def check_known(found: LiquidationPrice, moving: Sequence[Valued]) -> LiquidationPrice:
    """
    Return the price found, none where it lies beyond brackets that were cut in their source.
    """
    if found.price is not None and not all(w.is_known_at(found.price) for w in moving):
        return msgspec.structs.replace(found, price=None, tier=None, reason=NoPrice.INPUT_MISSING)
    return found
