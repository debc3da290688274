"""
OKX's portfolio margin: risk units by underlying, each the worst of stress tests, summed, plus borrowing margin.

    unit MMR = max( max(MR1, MR2, MR6) + MR3 + MR4 + MR5 + MR9, adjusted MR7 ),  IMR = 1.3 x MMR + borrowing IMR

MR1 shocks the index and, for options, the volatility in points and in percent; MR2 is one day of an option's decay; MR6
is half of the loss at an extreme move; MR4 is a part of the cash delta of perpetuals (and of spot in use, where a rate
is known); MR7 is a part of the cash delta times a multiplier by tier. What is not published in the sources at hand is
left out by name in the basis: MR3, MR5, MR9, MR4 of dated futures, MR7 of options, rates of other coins. Source: the
parameter files.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal, localcontext
from typing import NamedTuple, TypeVar

import msgspec

from tocsin.venues import VenueRefusal
from tocsin.venues.contract import (
    NUMBERS,
    Evaluation,
    Leg,
    LegMargin,
    MissingInput,
    Mode,
    NoPrice,
    Portfolio,
    Product,
)
from tocsin.venues.okx_account import Account, Move
from tocsin.venues.okx_isolated import make_health, no_price
from tocsin.venues.okx_legs import unrealised_of
from tocsin.venues.okx_rates import ONE, OPTIONS, ZERO, is_perpetual
from tocsin.venues.okx_stress import STATES, Volatility, decay_of, index_of, option_profit, profit_of
from tocsin.venues.params import Params, ParamSet
from tocsin.venues.products import mark_of, notional_at

FORMULA = (
    "max(max(MR1, MR2, MR6) + MR3 + MR4 + MR5 + MR9, adjusted MR7) by risk unit + borrowing margin; IMR = 1.3 x MMR"
)
LEFT_OUT = "MR3, MR5 and MR9 are left out: their tables are not published in the sources at hand"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A group of coins ("*": all others)."""

    coins: tuple[str, ...]


class Steps(Row, frozen=True, kw_only=True):
    """Price moves of a group of coins."""

    steps: tuple[Decimal, ...]


class Extreme(Row, frozen=True, kw_only=True):
    """The extreme move of a group of coins."""

    move: Decimal


class BasisRate(Row, frozen=True, kw_only=True):
    """MR4 as a part of cash delta, of perpetuals and of spot in use (None: not known)."""

    perpetual: Decimal
    spot: Decimal | None


class Minimum(Row, frozen=True, kw_only=True):
    """MR7 before its multiplier, as a part of cash delta."""

    rate: Decimal


R = TypeVar("R", bound=Row)


class Unit(NamedTuple):
    """One risk unit's tests, USD, and what is left out of them."""

    coin: str
    tests: Mapping[str, Decimal]
    maintenance: Decimal
    notes: tuple[str, ...]


def evaluate_portfolio(portfolio: Portfolio, params: Params) -> Evaluation:
    """
    Evaluate a portfolio margin account, USD. Spot of an underlying hedges the derivatives of its unit, no more.

    Raises:
        MissingInput: A mark, a price, an option's forward, volatility or time, a discount rate or a loan's rate lacks.
        VenueRefusal: A leg is isolated or borrowed spot (give the loan as a negative balance).
    """
    with localcontext(NUMBERS):
        account = Account(portfolio, params)
        terms = params.get("portfolio")
        for leg in portfolio.legs:
            if leg.mode is Mode.ISOLATED or leg.product is Product.SPOT_MARGIN:
                raise VenueRefusal(f"{leg.symbol}: must be a cross derivative; a loan is a negative balance")
        coins = sorted({leg.underlying for leg in portfolio.legs})
        units = tuple(_measure(coin, account, terms) for coin in coins)
        derivatives = sum((unit.maintenance for unit in units), ZERO)
        money = msgspec.structs.replace(portfolio, legs=())
        loans = Account(money, params)
        equity, borrow, fees, borrow_initial = _equity(account, loans)
        initial = derivatives * terms.number("initial_factor") + borrow_initial
        maintenance = derivatives + borrow + (portfolio.other_maintenance or ZERO)
        signed = {f"{test}:{unit.coin}": value for unit in units for test, value in unit.tests.items()}
        signed |= {"derivMmr": derivatives, "borrowMmr": borrow, "totalMmr": maintenance, "totalImr": initial}
        ratio = None
        if equity is not None:
            signed["adjEq"] = equity
            ratio = equity / (maintenance + fees) if maintenance + fees else None
        if ratio is not None:
            signed["mgnRatio"] = ratio
        notes = (LEFT_OUT, *(note for unit in units for note in unit.notes))
        return Evaluation(
            rules="okx-pm",
            unit="USD",
            equity=equity,
            initial=initial,
            maintenance=maintenance,
            legs=tuple(_leg(leg, terms) for leg in portfolio.legs),
            health=make_health(ratio, account.rates.account) if maintenance else None,
            basis=terms.basis(FORMULA, *notes),
            signed=signed,
        )


def _equity(account: Account, loans: Account) -> tuple[Decimal | None, Decimal, Decimal, Decimal]:
    """
    Return adjusted equity, borrowing maintenance, the loans' liquidation fee and borrowing initial margin, USD.
    """
    if not account.balances:
        return account.portfolio.equity, ZERO, ZERO, ZERO
    equity = account.portfolio.other_unrealised or ZERO
    need = fees = initial = ZERO
    for asset in sorted({leg.settle for leg in account.legs} | set(account.balances)):
        balance = account.balances.get(asset)
        amount = ZERO if balance is None else balance.amount
        amount += account.profit(asset, Move(), short_options_only=False)
        value = amount * account.price(asset, Move())
        equity += account.discount(asset, value)
        if value < 0:
            loan = loans.loan(asset)
            need -= value * loan.maintenance
            initial -= value * loan.initial
            fees -= value * (ONE + loan.maintenance) * account.rates.account.number("fees", "spot_margin")
    return equity, need, fees, initial


def _measure(coin: str, account: Account, terms: ParamSet) -> Unit:
    legs = [leg for leg in account.legs if leg.underlying == coin]
    notes: list[str] = []
    spot = _spot_in_use(coin, legs, account, terms)
    volatility = terms.decode(Volatility, "volatility")
    steps = _group(terms.decode(tuple[Steps, ...], "spot_shock"), coin)
    extreme = _group(terms.decode(tuple[Extreme, ...], "extreme"), coin)
    if steps is None or extreme is None:
        raise MissingInput("spot_shock", f"portfolio margin of {coin}: no price moves are shipped")
    shocks = [ZERO, *steps.steps, *(-step for step in steps.steps)]
    mr1 = ZERO
    for state in STATES:
        for shock in shocks:
            mr1 = max(mr1, -profit_of(legs, spot, shock, account, volatility, state))
    worst = min(profit_of(legs, spot, move, account, volatility, "same") for move in (extreme.move, -extreme.move))
    mr6 = max(-worst, ZERO) * terms.number("extreme_share")
    mr2 = max(-sum((decay_of(leg) for leg in legs if leg.product in OPTIONS), ZERO), ZERO)
    mr4 = _basis_risk(coin, legs, spot, account, terms, notes)
    mr7 = _minimum(coin, legs, account, terms, notes)
    tests = {"mr1": mr1, "mr2": mr2, "mr4": mr4, "mr6": mr6, "mr7": mr7}
    tests["mmr"] = max(max(mr1, mr2, mr6) + mr4, mr7)
    return Unit(coin, tests, tests["mmr"], tuple(notes))


def _group(rows: Sequence[R], coin: str) -> R | None:
    """Return the row of a coin, else that of all others, else None."""
    return next((row for row in rows if coin in row.coins), next((row for row in rows if "*" in row.coins), None))


def _cash_delta(leg: Leg, account: Account) -> Decimal:
    """Return a contract's delta in USD at its mark, signed."""
    units = leg.size * leg.contract_size
    return units if leg.product is Product.INVERSE else units * mark_of(leg) * account.price(leg.settle, Move())


def _spot_in_use(coin: str, legs: Sequence[Leg], account: Account, terms: ParamSet) -> Decimal:
    """
    Return how much of the coin's balance hedges the unit, USD: against the derivatives' delta, no more than it.
    """
    balance = account.balances.get(coin)
    if balance is None or balance.amount <= 0:
        return ZERO
    delta = ZERO
    for leg in legs:
        if leg.product in OPTIONS:
            volatility = terms.decode(Volatility, "volatility")
            small = Decimal("0.0001")
            delta += option_profit(leg, small, account, volatility, "same") / small
        else:
            delta += _cash_delta(leg, account)
    return min(balance.amount * account.price(coin, Move()), max(-delta, ZERO))


def _basis_risk(
    coin: str, legs: Sequence[Leg], spot: Decimal, account: Account, terms: ParamSet, notes: list[str]
) -> Decimal:
    contracts = [leg for leg in legs if leg.product not in OPTIONS]
    row = _group(terms.decode(tuple[BasisRate, ...], "basis"), coin)
    if row is None:
        if contracts:
            notes.append(f"MR4 of {coin} is left out: its rate is not known")
        return ZERO
    result = ZERO
    for leg in contracts:
        if is_perpetual(leg.symbol):
            result += abs(_cash_delta(leg, account)) * row.perpetual
        else:
            notes.append(f"MR4 of {leg.symbol} is left out: the form for dated futures is not known")
    if spot and row.spot is None:
        notes.append(f"MR4 of {coin} spot in use is left out: its rate is not known")
    return result + spot * (row.spot or ZERO)


def _minimum(coin: str, legs: Sequence[Leg], account: Account, terms: ParamSet, notes: list[str]) -> Decimal:
    """
    Return the adjusted minimum charge: each slice of the raw charge times its tier's multiplier.
    """
    if any(leg.product in OPTIONS for leg in legs):
        notes.append(f"MR7 of {coin} options is left out: its table is not published in the sources at hand")
    contracts = [leg for leg in legs if leg.product not in OPTIONS]
    row = _group(terms.decode(tuple[Minimum, ...], "minimum"), coin)
    if row is None:
        if contracts:
            notes.append(f"MR7 of {coin} is left out: its rate is not known")
        return ZERO
    raw = sum((abs(_cash_delta(leg, account)) for leg in contracts), ZERO) * row.rate
    result = start = ZERO
    for end, multiplier in terms.decode(tuple[tuple[Decimal | None, Decimal], ...], "multipliers"):
        stop = raw if end is None else min(raw, end)
        result += max(stop - start, ZERO) * multiplier
        start = stop
    return result


def _leg(leg: Leg, terms: ParamSet) -> LegMargin:
    mark = mark_of(leg)
    option = leg.product in OPTIONS
    return LegMargin(
        symbol=leg.symbol,
        unit=leg.settle,
        notional=abs(leg.size) * leg.contract_size * index_of(leg) if option else notional_at(leg, mark),
        initial=None,
        maintenance=None,
        unrealised=unrealised_of(leg, mark),
        liquidation=no_price(NoPrice.PORTFOLIO_MARGIN),
        basis=terms.basis("known for the account only"),
    )
