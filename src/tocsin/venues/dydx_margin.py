"""
dYdX v4's margin of a subaccount: initial, maintenance, free collateral, liquidation prices.

`IM = |Q| P IMF`, `MM = |Q| P IMF_base x share`, P the oracle price; open interest raises the initial fraction alone
(`dydx.scale_initial_ppm` is the chain's whole-number form of it). Equity is USDC plus the sum of Q P. Source:
v4-documentation, concepts/trading/margin; `protocol/lib/margin/risk.go` of v4-chain.
"""

from decimal import Decimal

import msgspec

from tocsin.venues import VenueRefusal
from tocsin.venues.accounts import evaluate_legs
from tocsin.venues.contract import (
    NUMBERS,
    Basis,
    Evaluation,
    Health,
    Leg,
    MissingInput,
    Mode,
    Portfolio,
    Product,
    Threshold,
)
from tocsin.venues.needs import ONE, ZERO, Charge, Need, Totals, check_products
from tocsin.venues.params import Params, ParamSet
from tocsin.venues.products import notional_at
from tocsin.venues.registry import Rulebook

FORMULA = "IM = |Q| P IMF, MM = |Q| P IMF_base share, equity = USDC + sum Q P, P oracle"


class LiquidityTier(msgspec.Struct, frozen=True, kw_only=True):
    """
    One liquidity tier: initial fraction, share of it that is maintenance, open interest (USDC) from which the initial
    fraction rises and at which it is 1; an upper cap of 0 switches that off.
    """

    name: str
    initial: Decimal
    maintenance_share: Decimal
    lower_cap: Decimal
    upper_cap: Decimal


class Fractions(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a market requires now: initial and maintenance fraction, its tier (None: stated), what was assumed.
    """

    initial: Decimal
    maintenance: Decimal
    tier: int | None
    notes: tuple[str, ...] = ()


def scale_initial(tier: LiquidityTier, open_notional: Decimal) -> Decimal:
    """
    Return the initial fraction at an open interest in USDC: base up to the lower cap, 1 from the upper one.
    """
    if not tier.upper_cap:
        return tier.initial
    share = NUMBERS.divide(
        NUMBERS.subtract(open_notional, tier.lower_cap), NUMBERS.subtract(tier.upper_cap, tier.lower_cap)
    )
    grown = NUMBERS.add(tier.initial, NUMBERS.multiply(max(share, ZERO), NUMBERS.subtract(ONE, tier.initial)))
    return min(grown, ONE)


def find_fractions(leg: Leg, portfolio: Portfolio, shipped: ParamSet) -> Fractions:
    """
    Return a market's fractions: those stated with the leg, else its tier's.

    Open interest is `extra["open_notional:BTC-USD"]`, USDC. A leverage set by the user counts where 1 / leverage is
    larger than the market's initial fraction.

    Raises:
        MissingInput: The market's tier is not known and its rates are not stated.
    """
    notes: list[str] = []
    number: int | None = None
    if leg.maintenance_rate is not None and leg.initial_rate is not None:
        initial, maintenance = leg.initial_rate, leg.maintenance_rate
    else:
        number, tier = find_tier(leg, shipped)
        own = NUMBERS.multiply(tier.initial, tier.maintenance_share)
        maintenance = own if leg.maintenance_rate is None else leg.maintenance_rate
        open_notional = portfolio.extra.get(f"open_notional:{leg.symbol}")
        initial = tier.initial if open_notional is None else scale_initial(tier, open_notional)
        initial = initial if leg.initial_rate is None else leg.initial_rate
        if open_notional is None and tier.upper_cap:
            notes.append(f"open_notional of {leg.symbol} is not given: initial fraction without open-interest scaling")
    if leg.leverage is not None:
        initial = max(initial, NUMBERS.divide(ONE, leg.leverage))
    return Fractions(initial=initial, maintenance=maintenance, tier=number, notes=tuple(notes))


def find_tier(leg: Leg, shipped: ParamSet) -> tuple[int, LiquidityTier]:
    """
    Return number and terms of a market's liquidity tier.

    Raises:
        MissingInput: The market is not in the shipped list.
    """
    markets = shipped.get("markets")
    for name in (leg.symbol, f"{leg.underlying}-USD"):
        if name in markets:
            number = int(shipped.number("markets", name, "tier"))
            return number, shipped.decode(LiquidityTier, "tiers", str(number))
    raise MissingInput(
        "maintenance_rate", f"{leg.symbol} is not in the list of markets; state its maintenance_rate and initial_rate"
    )


def evaluate(portfolio: Portfolio, params: Params) -> Evaluation:
    """
    Return one subaccount's margin. A leg's price is its index (oracle) where given, else its mark.

    Raises:
        MissingInput: A price, or a market's fractions, are missing.
    """
    check_products(portfolio, (Product.LINEAR,), "dydx")
    shipped = params.get("tiers")
    legs = tuple(msgspec.structs.replace(leg, mark=leg.index or leg.mark) for leg in portfolio.legs)
    portfolio = msgspec.structs.replace(portfolio, legs=legs)
    found = {leg.symbol: find_fractions(leg, portfolio, shipped) for leg in legs}
    for leg in legs:
        fractions = found[leg.symbol]
        if not 0 < fractions.maintenance <= fractions.initial <= 1:
            raise VenueRefusal(
                f"{leg.symbol}: fractions must satisfy 0 < maintenance <= initial <= 1, were {fractions.maintenance} "
                f"and {fractions.initial}"
            )

    def charge(leg: Leg, price: Decimal) -> Need:
        fractions, value = found[leg.symbol], notional_at(leg, price)
        return Need(
            initial=NUMBERS.multiply(value, fractions.initial),
            maintenance=NUMBERS.multiply(value, fractions.maintenance),
            rate=fractions.maintenance,
            tier=fractions.tier,
        )

    def basis(leg: Leg, need: Need) -> Basis:  # noqa: ARG001 - one form for all
        fractions = found[leg.symbol]
        stated = ("rates stated with the position",) if fractions.tier is None else ()
        return shipped.basis(FORMULA, *fractions.notes, *stated)

    out = evaluate_legs(
        portfolio,
        Charge(at=charge),
        rules="dydx",
        basis=basis,
        account_basis=shipped.basis(FORMULA),
        health=judge,
    )
    if out.equity is None or out.initial is None:
        return out
    return msgspec.structs.replace(out, signed={"freeCollateral": NUMBERS.subtract(out.equity, out.initial)})


def judge(totals: Totals) -> Health | None:
    """
    Return equity over maintenance: below 1 the account is liquidated, position by position.
    """
    if totals.equity is None or not totals.maintenance:
        return None
    value = NUMBERS.divide(totals.equity, totals.maintenance)
    opening = NUMBERS.divide(totals.initial or ZERO, totals.maintenance)
    steps = (
        Threshold(value=opening, worse="down", effect="free collateral is 0: no new risk"),
        Threshold(value=ONE, worse="down", effect="liquidation"),
    )
    passed = [step.effect for step in steps if value < step.value]
    return Health(name="equity / maintenance", value=value, thresholds=steps, state=passed[-1] if passed else "clear")


RULEBOOKS = (
    Rulebook(
        name="dydx",
        title="dYdX v4",
        venue="dydx",
        modes=(Mode.CROSS, Mode.ISOLATED),
        products=(Product.LINEAR,),
        evaluate=evaluate,
        page="dydx.md",
    ),
)
