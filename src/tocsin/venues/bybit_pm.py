"""
Bybit's portfolio margin: for each risk unit (a coin) the largest loss in its scenarios, and contingencies.

Futures, perpetuals, inverse contracts and options of one coin are one unit; so is spot that is set to hedge it
(`extra["spot_hedge:BTC"]`, signed coins), whose profit counts only where the derivatives lose. Maintenance is the
largest loss plus contingencies, initial margin that times the coin's factor; amounts are in USD. Volatility moves by
its range times `(30 / days) ^ power`. An option's profits may be the venue's own,
`extra["profit:SYMBOL:-0.1:up"]` (price move; up, same, down), where its forward or volatility is not given.

Of the contingencies only that of futures is computed; the others (`option`, `vega`, `delta`, `stable`) are taken from
`extra["contingency:BTC:delta"]`, else not counted, and the basis says so.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

import msgspec

from tocsin.venues import VenueRefusal
from tocsin.venues.bybit_account import account_health, coin_prices
from tocsin.venues.bybit_equity import read_loans, read_wallet
from tocsin.venues.bybit_tables import to_settle
from tocsin.venues.contract import (
    Evaluation,
    Leg,
    LegMargin,
    LiquidationPrice,
    MissingInput,
    NoPrice,
    Portfolio,
    Product,
)
from tocsin.venues.option_market import require_market
from tocsin.venues.params import Params
from tocsin.venues.products import entry_of, mark_of, notional_at, profit_between

ZERO, ONE, YEAR_DAYS = Decimal(0), Decimal(1), Decimal(365)
FUTURES = (Product.LINEAR, Product.INVERSE)
FORMULA = "maintenance = largest loss of the unit's scenarios + contingencies; initial = maintenance x factor"
SHOCKS = ("up", "same", "down")
CONTINGENCIES = ("option", "vega", "delta", "stable")


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """
    Scenario parameters of a risk unit: moves from -range to +range in `2 steps`, volatility shocks at `vol_days`.
    """

    price_range: Decimal
    steps: Decimal
    vol_up: Decimal
    vol_down: Decimal
    vol_days: Decimal
    vol_power: Decimal
    future_contingency: Decimal
    initial_factor: Decimal

    def moves(self) -> tuple[Decimal, ...]:
        """
        Return the price moves, rising.
        """
        count = int(self.steps)
        return tuple(self.price_range * i / count for i in range(-count, count + 1))


class Charge(NamedTuple):
    """
    What a risk unit needs in USD, >= 0; `move` and `shock` name the worst cell.
    """

    loss: Decimal
    contingency: Decimal
    factor: Decimal
    move: Decimal
    shock: str

    @property
    def maintenance(self) -> Decimal:
        """
        Return the unit's maintenance margin.
        """
        return self.loss + self.contingency


def evaluate_portfolio(portfolio: Portfolio, params: Params) -> Evaluation:
    """
    Return a unified account under portfolio margin, in USD.

    Raises:
        MissingInput: Parameters of a coin, a mark, an option's market, the index behind a contingency or spot hedge.
        VenueRefusal: A spot position, or resting orders on a leg.
    """
    for leg in portfolio.legs:
        if leg.product not in (*FUTURES, Product.OPTION):
            raise VenueRefusal(f"bybit-pm has no rule for {leg.symbol}: it is {leg.product}")
        if leg.order_buy or leg.order_sell:
            raise VenueRefusal(f"{leg.symbol}: orders change the scenarios in a way not covered; leave them out")
    source = params.get("portfolio")
    needed = coin_prices(portfolio.legs)
    wallet = read_wallet(portfolio, params, needed, _option_value(portfolio))
    prices = wallet.prices if wallet else {a: ONE if p is None else p for a, p in needed.items()}
    units: dict[str, list[Leg]] = {}
    for leg in portfolio.legs:
        units.setdefault(leg.underlying, []).append(leg)
    charges: dict[str, Charge] = {}
    for coin, legs in units.items():
        if coin not in source.get("units"):
            why = f"parameters of {coin} are not shipped (known: {', '.join(source.get('units'))})"
            raise MissingInput(f"units.{coin}", why)
        charges[coin] = charge_unit(coin, legs, source.decode(Unit, "units", coin), portfolio, prices)
    loans = read_loans(portfolio)
    maintenance = (portfolio.other_maintenance or ZERO) + loans[1] + sum(c.maintenance for c in charges.values())
    initial = loans[0] + sum((c.maintenance * c.factor for c in charges.values()), ZERO)
    balance: Decimal | None = None
    if wallet is not None:
        balance = wallet.balance({} if wallet.amounts is None else _profits(portfolio.legs))
    signed: dict[str, Decimal] = {}
    for coin, charge in charges.items():
        signed[f"assetMM {coin}"] = charge.maintenance
        signed[f"assetIM {coin}"] = charge.maintenance * charge.factor
        signed[f"maxLoss {coin}"] = charge.loss
        signed[f"contingencyComponents {coin}"] = charge.contingency
        signed[f"maxLossPriceMove {coin}"] = charge.move
    if balance is not None and balance > 0:
        signed |= {"accountIMRate": initial / balance, "accountMMRate": maintenance / balance}
    notes = [f"{coin}: worst at price {charge.move:+}, volatility {charge.shock}" for coin, charge in charges.items()]
    return Evaluation(
        rules="bybit-pm",
        unit="USD",
        equity=balance,
        initial=initial,
        maintenance=maintenance,
        legs=tuple(_leg_margin(leg) for leg in portfolio.legs),
        health=account_health(balance, maintenance, params),
        basis=source.basis(FORMULA, *notes, *_missing(units, portfolio), *(wallet.notes if wallet else ())),
        signed=signed,
    )


def charge_unit(
    coin: str, legs: Sequence[Leg], unit: Unit, portfolio: Portfolio, prices: Mapping[str, Decimal]
) -> Charge:
    """
    Return what one risk unit needs.

    Args:
        prices: USD price of each settlement coin.
    """
    hedge = portfolio.extra.get(f"spot_hedge:{coin}", ZERO)
    index = next((leg.index for leg in legs if leg.index is not None), None)
    if hedge and index is None:
        raise MissingInput("index", f"the spot hedge of {coin} is worth its index price")
    worst, where = ZERO, (ZERO, "same")
    for move in unit.moves():
        row = {shock: _profit(legs, move, shock, unit, portfolio, prices) for shock in SHOCKS}
        if min(row.values()) < 0 and index is not None:
            row = {shock: profit + hedge * index * move for shock, profit in row.items()}
        shock = min(SHOCKS, key=lambda s: row[s])
        if row[shock] < worst:
            worst, where = row[shock], (move, shock)
    return Charge(-worst, _contingency(coin, legs, unit, portfolio), unit.initial_factor, *where)


def _profit(
    legs: Sequence[Leg], move: Decimal, shock: str, unit: Unit, portfolio: Portfolio, prices: Mapping[str, Decimal]
) -> Decimal:
    total = ZERO
    for leg in legs:
        if leg.product is Product.INVERSE:
            # Coins gained are worth the price after the move: the contracts' quote amount times the move.
            total += leg.size * leg.contract_size * move
        elif leg.product is Product.LINEAR:
            total += leg.size * leg.contract_size * mark_of(leg) * move * prices[to_settle(leg)]
        else:
            given = portfolio.extra.get(f"profit:{leg.symbol}:{move.normalize():f}:{shock}")
            total += (_revalue(leg, move, shock, unit) if given is None else given) * prices[to_settle(leg)]
    return total


def _revalue(leg: Leg, move: Decimal, shock: str, unit: Unit) -> Decimal:
    market = require_market(leg)
    scale = (unit.vol_days / max(market.years * YEAR_DAYS, ONE)) ** unit.vol_power
    factor = {"up": 1 + unit.vol_up * scale, "same": ONE, "down": max(1 - unit.vol_down * scale, ZERO)}[shock]
    after = market.price(market.forward * (1 + move), market.vol * factor)
    return leg.size * leg.contract_size * (after - market.price(market.forward, market.vol))


def _contingency(coin: str, legs: Sequence[Leg], unit: Unit, portfolio: Portfolio) -> Decimal:
    for name in ("future", *CONTINGENCIES):
        key = f"contingency:{coin}:{name}"
        if portfolio.extra.get(key, ZERO) < 0:
            raise VenueRefusal(f'extra["{key}"] must be 0 or more, was {portfolio.extra[key]}')
    given = portfolio.extra.get(f"contingency:{coin}:future")
    if given is None:
        given = ZERO
        for leg in legs:
            if leg.product not in FUTURES:
                continue
            index = leg.index if leg.index is not None else mark_of(leg)
            coins = leg.size * leg.contract_size
            given += abs(coins if leg.product is Product.INVERSE else coins * index) * unit.future_contingency
    return given + sum((portfolio.extra.get(f"contingency:{coin}:{name}", ZERO) for name in CONTINGENCIES), ZERO)


def _missing(units: Mapping[str, Sequence[Leg]], portfolio: Portfolio) -> list[str]:
    out: list[str] = []
    for coin in units:
        lacking = [name for name in CONTINGENCIES if f"contingency:{coin}:{name}" not in portfolio.extra]
        if lacking:
            out.append(f"{coin}: contingencies not counted, their factors are not shipped: {', '.join(lacking)}")
    return out


def _option_value(portfolio: Portfolio) -> Decimal:
    """
    Return the value of options, which portfolio margin counts; their premium was paid from, or into, the wallet.
    """
    held = (leg for leg in portfolio.legs if leg.product is Product.OPTION)
    return sum((leg.size * leg.contract_size * mark_of(leg) for leg in held), ZERO)


def _profits(legs: Sequence[Leg]) -> dict[str, Decimal]:
    out: dict[str, Decimal] = {}
    for leg in legs:
        if leg.product in FUTURES:
            profit = profit_between(leg, entry_of(leg), mark_of(leg)) + leg.accrued_funding
            out[to_settle(leg)] = out.get(to_settle(leg), ZERO) + profit
    return out


def _leg_margin(leg: Leg) -> LegMargin:
    mark = mark_of(leg)
    profit: Decimal | None = None
    if leg.entry is not None:
        futures = leg.product in FUTURES
        profit = profit_between(leg, leg.entry, mark) if futures else leg.size * leg.contract_size * (mark - leg.entry)
    option = leg.product is Product.OPTION
    return LegMargin(
        symbol=leg.symbol,
        unit=to_settle(leg),
        notional=abs(leg.size) * leg.contract_size * (leg.index or mark) if option else notional_at(leg, mark),
        initial=None,
        maintenance=None,
        unrealised=profit,
        liquidation=LiquidationPrice(price=None, reason=NoPrice.PORTFOLIO_MARGIN, binding="account"),
    )
