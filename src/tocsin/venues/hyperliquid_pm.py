"""
Hyperliquid's portfolio margin (alpha): spot and perpetuals in one account, missing USDC borrowed against spot.

`portfolio_margin_ratio = requirement / liquidation value`, liquidatable above 0.95, where

- requirement = minimum offset + maintenance of all cross perpetuals + borrowed amount,
- liquidation value = balance of the borrowed token + min(borrow cap, sum of min(spot, supply cap) x price x threshold),
- threshold = 0.5 + 0.5 x loan-to-value.

The page writes one token for borrowing and collateral alike; here the sum goes over the collateral tokens, and a
balance below 0 counts as borrowed, not as a negative balance. Source: documentation, "Portfolio margin".
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal, localcontext
from typing import NamedTuple

import msgspec

from tocsin.venues import VenueRefusal
from tocsin.venues.contract import (
    NUMBERS,
    Balance,
    Evaluation,
    Health,
    LegMargin,
    LiquidationPrice,
    MissingInput,
    Mode,
    NoPrice,
    Portfolio,
    Threshold,
)
from tocsin.venues.hyperliquid_margin import UNIT, ZERO
from tocsin.venues.hyperliquid_tiers import Priced, price_leg
from tocsin.venues.liquidation import find_liquidation, probes
from tocsin.venues.params import Params, ParamSet

FORMULA = (
    "(offset + sum of maintenance + borrowed) / (balance + min(borrow cap, sum of capped spot x price x threshold))"
)
HALF = Decimal("0.5")
NOTES = (
    "collateral tokens are summed; the page writes one token",
    "interest, global caps and orders are not counted",
)


class Collateral(msgspec.Struct, frozen=True):
    """What one user may have counted of a token, and its loan-to-value (None: not published)."""

    supply_cap: Decimal
    ltv: Decimal | None


class Account(NamedTuple):
    """The parts of the ratio, USDC."""

    requirement: Decimal
    value: Decimal
    borrowed: Decimal
    net: Decimal


def evaluate_portfolio(portfolio: Portfolio, params: Params) -> Evaluation:
    """
    Evaluate a portfolio margin account.

    Balances: `USDC` (or another borrowable token) signed, without unrealised profit; spot tokens with their price in
    USDC (`borrow_oracle_price`). A token's loan-to-value is taken from the parameters, else from `extra["ltv:TOKEN"]`.

    Raises:
        MissingInput: A mark, an entry, a price, a loan-to-value or the balance of the borrowable token is absent.
        VenueRefusal: A leg is isolated or not linear.
    """
    with localcontext(NUMBERS):
        tiers, terms = params.get("tiers"), params.get("portfolio")
        legs = tuple(price_leg(leg, tiers) for leg in portfolio.legs)
        for leg in legs:
            if leg.leg.mode is Mode.ISOLATED:
                raise VenueRefusal(f"{leg.leg.symbol}: under portfolio margin every position is cross, was isolated")
            if leg.leg.entry is None:
                raise MissingInput("entry", f"{leg.leg.symbol}: unrealised profit is part of the balance")
        account = measure(portfolio, legs, terms, {})
        margins = tuple(_leg(leg, legs, portfolio, terms, tiers) for leg in legs)
        spot = [b for b in portfolio.balances if b.asset not in terms.get("borrowable")]
        equity = account.net + sum((b.amount * _price(b) for b in spot), ZERO)
        signed = {
            "portfolioMaintenanceRequirement": account.requirement,
            "portfolioLiquidationValue": account.value,
            "borrowed": account.borrowed,
            "tokenToAvailableAfterMaintenance:USDC": account.value - account.requirement,
        }
        health = _health(account, terms)
        if health.value is not None:
            signed["portfolio_margin_ratio"] = health.value
        return Evaluation(
            rules="hyperliquid-pm",
            unit=UNIT,
            equity=equity,
            initial=sum((margin.initial or ZERO for margin in margins), ZERO),
            maintenance=account.requirement,
            legs=margins,
            health=health,
            basis=terms.basis(FORMULA, *NOTES),
            signed=signed,
        )


def measure(portfolio: Portfolio, legs: Sequence[Priced], terms: ParamSet, moved: Mapping[str, Decimal]) -> Account:
    """
    Return the parts of the ratio with the prices of some underlyings moved (perpetual marks and spot alike).
    """
    borrowable = terms.get("borrowable")
    own = [b for b in portfolio.balances if b.asset in borrowable]
    if not own:
        raise MissingInput("balances", f"the balance of a borrowable token is needed: {', '.join(borrowable)}")
    token = own[0].asset
    net = sum((b.amount * _price(b) for b in own), ZERO)
    need = terms.number("min_borrow_offset")
    for leg in legs:
        price = moved.get(underlying(leg.leg.underlying), leg.mark)
        net += leg.size * (price - (leg.leg.entry or ZERO)) + leg.leg.accrued_funding
        need += leg.maintenance(price)
    support = ZERO
    for balance in portfolio.balances:
        if balance.asset not in borrowable:
            price = moved.get(underlying(balance.asset))
            support += _support(balance, _price(balance) if price is None else price, portfolio, terms)
    borrowed = max(-net, ZERO)
    value = max(net, ZERO) + min(terms.number("borrowable", token, "borrow_cap"), support)
    return Account(need + borrowed, value, borrowed, net)


def underlying(asset: str) -> str:
    """
    Return the coin that a spot token stands for: UBTC, UETH, USOL are BTC, ETH, SOL.
    """
    return asset[1:] if asset in ("UBTC", "UETH", "USOL") else asset


def _support(balance: Balance, price: Decimal, portfolio: Portfolio, terms: ParamSet) -> Decimal:
    if balance.amount <= 0:
        return ZERO
    name = underlying(balance.asset)
    row = terms.decode(dict[str, Collateral], "collateral").get(name)
    ltv = portfolio.extra.get(f"ltv:{name}")
    if row is None and ltv is None:
        return ZERO
    if ltv is None:
        ltv = row.ltv if row else None
    if ltv is None:
        raise MissingInput(f"extra['ltv:{name}']", f"the documentation names no loan-to-value for {name}")
    cap = balance.amount if row is None else min(balance.amount, row.supply_cap)
    return cap * price * (HALF + HALF * ltv)


def _price(balance: Balance) -> Decimal:
    if balance.price is not None:
        return balance.price
    if balance.asset == "USDC":
        return Decimal(1)
    raise MissingInput("price", f"balance {balance.asset}: its price in USDC (borrow oracle price)")


def _leg(leg: Priced, legs: Sequence[Priced], portfolio: Portfolio, terms: ParamSet, tiers: ParamSet) -> LegMargin:
    charge = leg.table.charge(leg.notional(leg.mark))
    return LegMargin(
        symbol=leg.leg.symbol,
        unit=UNIT,
        notional=leg.notional(leg.mark),
        initial=leg.initial(),
        maintenance=charge.amount,
        unrealised=leg.size * (leg.mark - (leg.leg.entry or ZERO)),
        rate=charge.rate,
        tier=charge.tier.number,
        liquidation=_liquidate(leg, legs, portfolio, terms),
        basis=tiers.basis("maintenance of a cross perpetual", *((leg.note,) if leg.note else ())),
    )


def _liquidate(leg: Priced, legs: Sequence[Priced], portfolio: Portfolio, terms: ParamSet) -> LiquidationPrice:
    """
    Return the nearer price at which the ratio reaches its threshold, spot of the coin moving with the perpetual.
    """
    name = underlying(leg.leg.underlying)
    limit = terms.number("liquidation_ratio")

    def gap(price: Decimal) -> Decimal:
        account = measure(portfolio, legs, terms, {name: price})
        return limit * account.value - account.requirement

    if gap(leg.mark) <= 0:
        return LiquidationPrice(price=None, reason=NoPrice.ALREADY_BELOW, binding="account")
    edges = (*leg.edges(), *probes(leg.mark, step=Decimal("1.1"), count=60))
    others = tuple(sorted({own.leg.symbol for own in legs} - {leg.leg.symbol}))
    return find_liquidation(gap, mark=leg.mark, towards="both", edges=edges, binding="account", others=others)


def _health(account: Account, terms: ParamSet) -> Health:
    limit = terms.number("liquidation_ratio")
    thresholds = (Threshold(value=limit, worse="up", effect="perpetuals or borrows are liquidated, in no fixed order"),)
    if account.value <= 0:
        return Health(
            name="portfolio_margin_ratio", value=None, thresholds=thresholds, state="no liquidation value left"
        )
    ratio = account.requirement / account.value
    state = "above maintenance" if ratio <= limit else "liquidatable"
    return Health(name="portfolio_margin_ratio", value=ratio, thresholds=thresholds, state=state)
