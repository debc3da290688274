"""
Derive's standard margin (SRM) of one account through the common contract.

Derive's margins are net: what is left above the requirement, signed; an account stands while the maintenance margin is
at least 0. Here `equity` is the account's full value, a requirement total is that value less the net margin, and the
venue's own signed figures are in `signed`. A perpetual's own figure is its requirement less unsettled profit, as the
API's `-maintenance_margin`.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

import msgspec

from tocsin.venues.contract import (
    NUMBERS,
    Basis,
    Evaluation,
    Health,
    Leg,
    LegMargin,
    LiquidationPrice,
    MissingInput,
    NoPrice,
    Portfolio,
    Product,
    Threshold,
)
from tocsin.venues.derive_inputs import (
    CASH,
    check_legs,
    index_of,
    is_by_mark,
    option_value,
    read_option,
    split_by_underlying,
    to_decimal,
    units,
    unsettled,
)
from tocsin.venues.derive_srm import StandardOption, margin_expiry, margin_short_option
from tocsin.venues.derive_terms import StandardTerms, read_standard_terms
from tocsin.venues.liquidation import find_liquidation, probes
from tocsin.venues.params import Params, ParamSet
from tocsin.venues.products import mark_of, notional_at

ZERO, ONE = Decimal(0), Decimal(1)
TICK = Decimal("0.01")
"""Step of liquidation prices where options are held: their values are floats."""
FORMULA = "net margin = cash + collateral x factor + unsettled P/L - perpetuals' and short options' requirement"


class Level(NamedTuple):
    """Net margins of an account, signed."""

    initial: Decimal
    maintenance: Decimal


class StandardAccount:
    """
    One account under standard margin: amounts at the present prices, or with one underlying's prices scaled.
    """

    def __init__(self, portfolio: Portfolio, shipped: ParamSet) -> None:
        self.portfolio = portfolio
        self.shipped = shipped
        self.by_underlying = split_by_underlying(portfolio.legs)
        self.terms: Mapping[str, StandardTerms] = {n: read_standard_terms(shipped, n) for n in self.by_underlying}
        self.at_index = shipped.get("perp_price") == "index"

    def price(self, leg: Leg) -> Decimal:
        """
        Return the price that a perpetual's requirement is a share of: index or mark, as the parameters say.
        """
        return index_of(leg) if self.at_index else mark_of(leg)

    def rates(self, leg: Leg) -> tuple[Decimal, Decimal]:
        """
        Return initial and maintenance rate of a perpetual: those stated with it, else the parameters'.
        """
        terms = self.terms[leg.underlying]
        stated = (leg.initial_rate, leg.maintenance_rate)
        own = (to_decimal(terms.perp_initial), to_decimal(terms.perp_maintenance))
        return stated[0] if stated[0] is not None else own[0], stated[1] if stated[1] is not None else own[1]

    def cash(self) -> Level:
        """
        Return what cash and collateral count for, at both levels.

        Raises:
            MissingInput: A collateral has no price, or no factor is known.
        """
        initial = maintenance = ZERO
        factors = self.shipped.get("collateral")
        for balance in self.portfolio.balances:
            if balance.asset in CASH:
                initial, maintenance = initial + balance.amount, maintenance + balance.amount
                continue
            if balance.price is None:
                raise MissingInput(f"balances.{balance.asset}.price", "collateral counts at a share of its value")
            if balance.asset not in factors:
                raise MissingInput(f"collateral.{balance.asset}", "no collateral factor is known for this asset")
            factor, extra = factors[balance.asset]
            value = NUMBERS.multiply(NUMBERS.multiply(balance.amount, balance.price), factor)
            maintenance, initial = maintenance + value, initial + NUMBERS.multiply(value, extra)
        return Level(initial, maintenance)

    def legs_net(self, name: str, scale: Decimal = ONE) -> Level:
        """
        Return the net margins of one underlying's positions with all its prices times `scale`.
        """
        legs = self.by_underlying[name]
        total = [ZERO, ZERO]
        for leg in legs:
            if leg.product is Product.LINEAR:
                moved = _scale(leg, scale)
                notional = NUMBERS.multiply(abs(units(leg)), self.price(moved))
                for i, rate in enumerate(self.rates(leg)):
                    total[i] += NUMBERS.subtract(unsettled(moved), NUMBERS.multiply(notional, rate))
        for expiry in self._expiries(name, float(scale)):
            spot = float(scale) * self._spot(name)
            for i, initial in enumerate((True, False)):
                total[i] += to_decimal(margin_expiry(expiry, spot, self.terms[name], initial=initial))
        return Level(total[0], total[1])

    def option_net(self, leg: Leg) -> Level:
        """
        Return what one option by itself needs, net, <= 0: nothing for a long one.
        """
        if leg.size >= 0:
            return Level(ZERO, ZERO)
        spot, terms = self._spot(leg.underlying), self.terms[leg.underlying]
        option = self._option(leg, 1.0)
        return Level(*(to_decimal(margin_short_option(option, spot, terms, initial=i)) for i in (True, False)))

    def _spot(self, name: str) -> float:
        return float(index_of(self.by_underlying[name][0]))

    def _option(self, leg: Leg, scale: float) -> StandardOption:
        x = read_option(leg, self.portfolio.time, by_mark=True)
        return StandardOption(x.seconds, x.strike, x.call, x.volatility, x.size, x.forward * scale)

    def _expiries(self, name: str, scale: float) -> list[list[StandardOption]]:
        """Return the options by expiry; an expiry of long options alone needs nothing and is left out."""
        groups: dict[str, list[Leg]] = {}
        for leg in self.by_underlying[name]:
            if leg.product is Product.OPTION and leg.option is not None:
                groups.setdefault(f"{leg.option.expiry}/{leg.option.expiry_years}", []).append(leg)
        short = [legs for legs in groups.values() if any(leg.size < 0 for leg in legs)]
        return [[self._option(leg, scale) for leg in legs] for legs in short]

    def value(self) -> Decimal:
        """
        Return the account's full value: cash, collateral at its price, unsettled profit, options.
        """
        total = ZERO
        for balance in self.portfolio.balances:
            price = ONE if balance.asset in CASH else balance.price
            total += NUMBERS.multiply(balance.amount, price or ZERO)
        for leg in self.portfolio.legs:
            linear = leg.product is Product.LINEAR
            total += unsettled(leg) if linear else option_value(leg, self.portfolio.time)
        return total


def _scale(leg: Leg, scale: Decimal) -> Leg:
    if scale == ONE:
        return leg
    index = None if leg.index is None else NUMBERS.multiply(leg.index, scale)
    return msgspec.structs.replace(leg, mark=NUMBERS.multiply(mark_of(leg), scale), index=index)


def evaluate_standard(portfolio: Portfolio, params: Params) -> Evaluation:
    """
    Return one account under standard margin. Without balances the legs' own figures alone are known.

    Raises:
        MissingInput: A price, an option's forward or time, a collateral's price or factor is missing.
    """
    check_legs(portfolio)
    account = StandardAccount(portfolio, params.get("srm"))
    nets = {name: account.legs_net(name) for name in account.by_underlying}
    notes = ("depeg of the stable asset and confidence of the feeds are taken as none",)
    basis, leg_basis = account.shipped.basis(FORMULA, *notes), account.shipped.basis(FORMULA)
    by_mark = [leg.symbol for leg in portfolio.legs if leg.size < 0 and is_by_mark(leg)]
    if by_mark:
        names = ", ".join(by_mark)
        basis = account.shipped.basis(FORMULA, *notes, f"forward of {names} not given: value at the mark, index for it")
    out: dict[str, Decimal] = {}
    net = value = None
    if portfolio.balances or not portfolio.legs:
        cash = account.cash()
        net = Level(
            cash.initial + sum((n.initial for n in nets.values()), ZERO),
            cash.maintenance + sum((n.maintenance for n in nets.values()), ZERO),
        )
        value = account.value()
        for level in ("initial", "maintenance"):
            own: Decimal = getattr(cash, level)
            out[f"collaterals_{level}_margin"] = own
            out[f"positions_{level}_margin"] = getattr(net, level) - own
        out |= {"initial_margin": net.initial, "maintenance_margin": net.maintenance, "subaccount_value": value}
    else:
        leg_basis = account.shipped.basis(FORMULA, "balances are missing: no liquidation price")
    legs = tuple(_leg_margin(account, leg, net, nets, leg_basis, out) for leg in portfolio.legs)
    return Evaluation(
        rules="derive-sm",
        unit="USDC",
        equity=value,
        initial=None if value is None or net is None else value - net.initial,
        maintenance=None if value is None or net is None else value - net.maintenance,
        legs=legs,
        health=judge(net),
        basis=basis,
        signed=out,
    )


def judge(net: Level | None) -> Health | None:
    """
    Return the sign test of the net maintenance margin, as the venue makes it.
    """
    if net is None:
        return None
    state = "clear"
    if net.initial < 0:
        state = "initial margin below 0: no new risk"
    if net.maintenance < 0:
        state = "auction"
    steps = (Threshold(value=ZERO, worse="down", effect="auction of a share of the account"),)
    return Health(name="maintenance_margin", value=net.maintenance, thresholds=steps, state=state)


def _leg_margin(
    account: StandardAccount,
    leg: Leg,
    net: Level | None,
    nets: Mapping[str, Level],
    basis: Basis,
    out: dict[str, Decimal],
) -> LegMargin:
    if leg.product is Product.LINEAR:
        price = account.price(leg)
        notional = NUMBERS.multiply(abs(units(leg)), price)
        own = Level(*(NUMBERS.subtract(unsettled(leg), NUMBERS.multiply(notional, r)) for r in account.rates(leg)))
        rate: Decimal | None = account.rates(leg)[1]
        profit: Decimal | None = unsettled(leg)
    else:
        own, rate, profit = account.option_net(leg), None, None
        notional = notional_at(msgspec.structs.replace(leg, product=Product.LINEAR), leg.mark or ZERO)
    out[f"initial_margin:{leg.symbol}"], out[f"maintenance_margin:{leg.symbol}"] = own
    return LegMargin(
        symbol=leg.symbol,
        unit="USDC",
        notional=notional,
        initial=max(ZERO, -own.initial),
        maintenance=max(ZERO, -own.maintenance),
        unrealised=profit,
        rate=rate,
        liquidation=_solve(account, leg, net, nets),
        basis=basis,
    )


def _solve(account: StandardAccount, leg: Leg, net: Level | None, nets: Mapping[str, Level]) -> LiquidationPrice:
    if leg.product is Product.OPTION:
        return LiquidationPrice(price=None, reason=NoPrice.OPTION, binding="account")
    others = tuple(sorted({x.symbol for x in account.portfolio.legs} - {leg.symbol}))
    if net is None:
        return LiquidationPrice(price=None, reason=NoPrice.INPUT_MISSING, binding="account", others=others)
    name, mark = leg.underlying, mark_of(leg)
    rest = net.maintenance - nets[name].maintenance
    has_options = any(x.product is Product.OPTION for x in account.by_underlying[name])

    def gap(price: Decimal) -> Decimal:
        return rest + account.legs_net(name, NUMBERS.divide(price, mark)).maintenance

    size = sum((units(x) for x in account.by_underlying[name] if x.product is Product.LINEAR), ZERO)
    towards = "both" if has_options or not size else "down" if size > 0 else "up"
    edges = probes(mark, step=Decimal("1.05"), count=60) if has_options else ()
    tick = TICK if has_options else None
    return find_liquidation(gap, mark=mark, towards=towards, edges=edges, tick=tick, binding="account", others=others)


PRODUCTS = (Product.LINEAR, Product.OPTION)
