"""
Derive's portfolio margin (PMRM 2) of one account in one underlying through the common contract; its rulebooks.

The amounts are floats, as options are priced; see `derive_pm` for the rule and `derive_account` for what equity and
requirement mean where a venue's margins are net and signed.
"""

from decimal import Decimal

import msgspec

from tocsin.venues import VenueRefusal
from tocsin.venues.contract import (
    NUMBERS,
    Basis,
    Evaluation,
    Leg,
    LegMargin,
    LiquidationPrice,
    MissingInput,
    Mode,
    NoPrice,
    Portfolio,
    Product,
)
from tocsin.venues.derive_account import PRODUCTS, TICK, Level, evaluate_standard, judge
from tocsin.venues.derive_inputs import (
    CASH,
    OptionInput,
    check_legs,
    index_of,
    option_value,
    read_option,
    to_decimal,
    units,
    unsettled,
)
from tocsin.venues.derive_pm import Collateral, PortfolioMargin, compute_portfolio_margin
from tocsin.venues.derive_pm import Portfolio as Inputs
from tocsin.venues.derive_shocks import Expiry, Option
from tocsin.venues.derive_terms import PortfolioTerms, read_portfolio_terms
from tocsin.venues.liquidation import find_liquidation, probes
from tocsin.venues.params import Params
from tocsin.venues.products import mark_of, notional_at
from tocsin.venues.registry import Rulebook

ZERO, ONE = Decimal(0), Decimal(1)
FORMULA = "margin = mark to market + factor x worst scenario + charges for basis, perpetuals, collateral, naked shorts"


def read_inputs(portfolio: Portfolio, scale: float = 1.0) -> Inputs:
    """
    Return the inputs of the rule, all prices of the underlying times `scale`.

    Collateral is the underlying's own coin without haircut of the portfolio (`extra["maintenance_haircut:ETH"]` and
    `extra["initial_haircut:ETH"]` give one), moved with it.

    Raises:
        MissingInput: A price, a rate or time of an option, or the haircut of another asset is missing.
        VenueRefusal: Legs are of several underlyings: each is margined in its own account.
    """
    names = sorted({leg.underlying for leg in portfolio.legs})
    if len(names) != 1:
        raise VenueRefusal(f"portfolio margin holds one underlying, legs are of {', '.join(names) or 'none'}")
    perps = [leg for leg in portfolio.legs if leg.product is Product.LINEAR]
    options = [(leg, read_option(leg, portfolio.time)) for leg in portfolio.legs if leg.product is Product.OPTION]
    cash = sum((b.amount for b in portfolio.balances if b.asset in CASH), ZERO)
    moved = [msgspec.structs.replace(leg, mark=NUMBERS.multiply(mark_of(leg), Decimal(repr(scale)))) for leg in perps]
    return Inputs(
        cash=float(cash),
        spot=float(index_of(portfolio.legs[0])) * scale,
        options=tuple(Option(x.seconds, x.strike, x.call, x.volatility, x.size) for _, x in options),
        expiries=_expiries(options, scale),
        collaterals=_collaterals(portfolio, names[0], scale),
        perps=float(sum((units(leg) for leg in perps), ZERO)),
        perp_price=float(mark_of(perps[0])) * scale if perps else 0.0,
        perp_pnl=float(sum((unsettled(leg) - leg.accrued_funding for leg in moved), ZERO)),
        funding=float(sum((leg.accrued_funding for leg in perps), ZERO)),
        stable_price=float(portfolio.extra.get("stable_price", ONE)),
    )


def _expiries(options: list[tuple[Leg, OptionInput]], scale: float) -> tuple[Expiry, ...]:
    found: dict[float, Expiry] = {}
    for leg, x in options:
        assert leg.option is not None
        if leg.option.rate is None:
            raise MissingInput("rate", f"{leg.symbol} is discounted at the rate of its expiry")
        expiry = Expiry(x.seconds, x.forward * scale, float(leg.option.rate))
        if found.setdefault(x.seconds, expiry) != expiry:
            raise VenueRefusal(f"{leg.symbol}: options of one expiry must have one forward and one rate")
    return tuple(found[seconds] for seconds in sorted(found))


def _collaterals(portfolio: Portfolio, underlying: str, scale: float) -> tuple[Collateral, ...]:
    out: list[Collateral] = []
    for balance in portfolio.balances:
        if balance.asset in CASH or not balance.amount:
            continue
        if balance.price is None:
            raise MissingInput(f"balances.{balance.asset}.price", "collateral counts at its value")
        if balance.amount < 0:
            raise VenueRefusal(f"balance {balance.asset}: amount must be 0 or more, was {balance.amount}")
        own = balance.asset == underlying
        cuts = [portfolio.extra.get(f"{level}_haircut:{balance.asset}") for level in ("maintenance", "initial")]
        if not own and None in cuts:
            raise MissingInput(f"extra.maintenance_haircut:{balance.asset}", "no haircut is known for this asset")
        price = float(balance.price) * (scale if own else 1.0)
        maintenance, initial = (float(cut or 0) for cut in cuts)
        out.append(Collateral(float(balance.amount), price, maintenance, initial, risk_cancelling=own))
    return tuple(out)


def evaluate_portfolio(portfolio: Portfolio, params: Params) -> Evaluation:
    """
    Return one account under portfolio margin; per leg only notional and profit are known.

    Raises:
        MissingInput: As `read_inputs`.
    """
    check_legs(portfolio)
    shipped = params.get("pmrm2")
    terms = read_portfolio_terms(shipped)
    basis = shipped.basis(FORMULA, "confidence of all feeds is taken as full")
    if not portfolio.legs:
        return evaluate_standard(portfolio, params)
    margin = compute_portfolio_margin(read_inputs(portfolio), terms)
    net = Level(to_decimal(margin.initial_margin), to_decimal(margin.maintenance_margin))
    known = bool(portfolio.balances)
    value = to_decimal(margin.mark_to_market)
    price = _solve(portfolio, terms) if known else LiquidationPrice(price=None, reason=NoPrice.INPUT_MISSING)
    return Evaluation(
        rules="derive-pm",
        unit="USDC",
        equity=value if known else None,
        initial=NUMBERS.subtract(value, net.initial),
        maintenance=NUMBERS.subtract(value, net.maintenance),
        legs=tuple(_leg_margin(leg, portfolio.time, price, basis) for leg in portfolio.legs),
        health=judge(net) if known else None,
        basis=basis,
        signed=_signed(margin, net),
    )


def _signed(margin: PortfolioMargin, net: Level) -> dict[str, Decimal]:
    parts = {
        "worst_loss": margin.worst_loss,
        "basis_charge": margin.basis_charge,
        "perp_charge": margin.perp.maintenance,
        "collateral_charge": margin.collateral.maintenance,
        "option_charge": margin.option.maintenance,
        "oracle_charge": margin.oracle_charge,
        "mark_to_market": margin.mark_to_market,
    }
    shown = {name: to_decimal(value) for name, value in parts.items()}
    return {"initial_margin": net.initial, "maintenance_margin": net.maintenance, **shown}


def _leg_margin(leg: Leg, time: str, price: LiquidationPrice, basis: Basis) -> LegMargin:
    is_option = leg.product is Product.OPTION
    own = msgspec.structs.replace(leg, product=Product.LINEAR)
    return LegMargin(
        symbol=leg.symbol,
        unit="USDC",
        notional=abs(option_value(leg, time)) if is_option else notional_at(own, mark_of(leg)),
        initial=None,
        maintenance=None,
        unrealised=None if is_option else unsettled(leg),
        liquidation=LiquidationPrice(price=None, reason=NoPrice.OPTION, binding="account") if is_option else price,
        basis=basis,
    )


def _solve(portfolio: Portfolio, terms: PortfolioTerms) -> LiquidationPrice:
    """
    Return the nearest price of the underlying, all its prices moving alike, at which the net maintenance margin is 0.
    """
    start = next((mark_of(leg) for leg in portfolio.legs if leg.product is Product.LINEAR), None)
    anchor = start if start is not None else index_of(portfolio.legs[0])

    def gap(price: Decimal) -> Decimal:
        scale = float(NUMBERS.divide(price, anchor))
        return to_decimal(compute_portfolio_margin(read_inputs(portfolio, scale), terms).maintenance_margin)

    edges = probes(anchor, step=Decimal("1.1"), count=20)
    return find_liquidation(gap, mark=anchor, towards="both", edges=edges, tick=TICK, binding="account")


RULEBOOKS = (
    Rulebook(
        name="derive-sm",
        title="Derive, standard margin",
        venue="derive",
        modes=(Mode.CROSS,),
        products=PRODUCTS,
        evaluate=evaluate_standard,
        page="derive.md",
    ),
    Rulebook(
        name="derive-pm",
        title="Derive, portfolio margin (PMRM 2)",
        venue="derive",
        modes=(Mode.CROSS, Mode.PORTFOLIO),
        products=PRODUCTS,
        evaluate=evaluate_portfolio,
        page="derive.md",
    ),
)
