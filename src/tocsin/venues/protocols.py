"""
Rulebooks of protocols whose markets carry their own terms: Dango, Drift, Paradex, Synthetix, Vega.

No live terms of these markets are shipped, but for one market of Paradex: `Portfolio.extra` states them, as
`"<term>:<symbol>"` or `"<term>"` for every market, or the leg states its rates. The formulas are those of the venue's
own file (`vega`, `synthetix`, `drift`, `dango`), here in decimals, at mark prices.
"""

from collections.abc import Callable
from decimal import ROUND_FLOOR, Decimal

from tocsin.venues import VenueRefusal, dango, drift
from tocsin.venues.accounts import evaluate_legs
from tocsin.venues.contract import (
    NUMBERS,
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
from tocsin.venues.params import Params
from tocsin.venues.products import notional_at
from tocsin.venues.registry import Rulebook

At = Callable[[Leg, Decimal], Need]


class Terms:
    """
    The market terms of one portfolio: what `extra` or a leg states, `MissingInput` where neither does.
    """

    def __init__(self, portfolio: Portfolio, params: Params) -> None:
        self.portfolio = portfolio
        self.params = params

    def find(self, leg: Leg, name: str) -> Decimal | None:
        """
        Return a market's term, None if it is not stated.
        """
        value = self.portfolio.extra.get(f"{name}:{leg.symbol}", self.portfolio.extra.get(name))
        if value is None and name in ("maintenance_rate", "initial_rate"):
            value = leg.maintenance_rate if name == "maintenance_rate" else leg.initial_rate
        if value is not None and value < 0:
            raise VenueRefusal(f"{name} of {leg.symbol} must be at least 0, was {value}")
        return value

    def need(self, leg: Leg, name: str, why: str) -> Decimal:
        """
        Return a market's term that must be stated.
        """
        value = self.find(leg, name)
        if value is None:
            raise MissingInput(f"extra.{name}:{leg.symbol}", why)
        return value


def units(leg: Leg) -> Decimal:
    """
    Return the size of a leg in base units, >= 0.
    """
    return NUMBERS.multiply(abs(leg.size), leg.contract_size)


def charge_dango(terms: Terms) -> At:
    """
    Charge |size| x oracle x ratio, each product cut to six decimals; initial margin by leverage or a stated rate.
    """

    def at(leg: Leg, price: Decimal) -> Need:
        rate = terms.need(leg, "maintenance_rate", "the pair's maintenance margin ratio")
        size, oracle, ratio = (_micro(x, n) for x, n in ((units(leg), "size"), (price, ""), (rate, "maintenance_rate")))
        held = dango.maintenance_of(size, dango.Pair(oracle=oracle, maintenance_ratio=ratio))
        return Need(initial=_by_leverage(terms, leg, price), maintenance=Decimal(held).scaleb(-6), rate=rate)

    return at


def _micro(value: Decimal, name: str) -> int:
    """Return whole millionths; what has finer digits is refused where it is an input, cut where it is a price."""
    scaled = value.scaleb(6)
    if name and scaled != scaled.to_integral_value():
        raise VenueRefusal(f"{name} must have at most six decimals at Dango, was {value}")
    return int(scaled.to_integral_value(ROUND_FLOOR))


def charge_drift(terms: Terms) -> At:
    """
    Charge notional x margin ratio; the ratio grows with the size as `max(ratio, 0.8 ratio + imf x sqrt(size))`.
    """

    def at(leg: Leg, price: Decimal) -> Need:
        imf = int((terms.find(leg, "imf_factor") or ZERO) * drift.IMF)
        size = int(units(leg) * drift.BASE)
        value = notional_at(leg, price)
        rates: list[Decimal | None] = []
        for name in ("initial_rate", "maintenance_rate"):
            rate = terms.find(leg, name)
            if rate is None:
                rates.append(None)
                continue
            weight = drift.premium_liability_weight(size, imf, int(rate * drift.WEIGHT))
            rates.append(Decimal(weight).scaleb(-4))
        initial, maintenance = rates
        return Need(
            initial=None if initial is None else NUMBERS.multiply(value, initial),
            maintenance=None if maintenance is None else NUMBERS.multiply(value, maintenance),
            rate=maintenance,
            why="maintenance_rate" if maintenance is None else "",
        )

    return at


def charge_paradex(terms: Terms) -> At:
    """
    Charge notional x initial fraction, and that x the maintenance share; the user's leverage counts where dearer.
    """
    markets = terms.params.get("markets").get("markets")

    def at(leg: Leg, price: Decimal) -> Need:
        own = markets.get(leg.symbol, markets.get(f"{leg.underlying}-USD-PERP", {}))
        initial = terms.find(leg, "initial_rate")
        initial = own.get("initial") if initial is None else initial
        rate = terms.find(leg, "maintenance_rate")
        if rate is None and initial is not None and "maintenance_share" in own:
            rate = NUMBERS.multiply(initial, own["maintenance_share"])
        if rate is None:
            raise MissingInput("maintenance_rate", f"no parameters of {leg.symbol} are shipped; state its rates")
        value = notional_at(leg, price)
        if leg.leverage is not None:
            initial = max(initial or ZERO, NUMBERS.divide(ONE, leg.leverage))
        return Need(
            initial=None if initial is None else NUMBERS.multiply(value, initial),
            maintenance=NUMBERS.multiply(value, rate),
            rate=rate,
            why="" if initial is not None else "initial_rate",
        )

    return at


def charge_synthetix(terms: Terms) -> At:
    """
    Charge notional x (|q| / skew scale x ratio + least ratio), maintenance x scalar, and a least amount in both.
    """

    def at(leg: Leg, price: Decimal) -> Need:
        skew = terms.need(leg, "skew_scale", "margin grows with size over it")
        ratio = terms.need(leg, "initial_ratio", "the market's initial margin ratio")
        least = terms.need(leg, "min_initial_ratio", "the market's least initial margin ratio")
        scalar = terms.need(leg, "maintenance_scalar", "the share of the initial ratio that is maintenance")
        amount = terms.find(leg, "min_margin") or ZERO
        impact = NUMBERS.multiply(NUMBERS.divide(units(leg), skew), ratio) if skew else ZERO
        rate = NUMBERS.add(impact, least)
        value = NUMBERS.multiply(notional_at(leg, price), rate)
        maintenance = NUMBERS.multiply(value, scalar)
        if leg.size == 0:
            return Need(initial=ZERO, maintenance=ZERO)
        return Need(
            initial=NUMBERS.add(value, amount),
            maintenance=NUMBERS.add(maintenance, amount),
            rate=NUMBERS.multiply(rate, scalar),
        )

    return at


def charge_vega(terms: Terms) -> At:
    """
    Charge mark x (slippage + |q| x risk factor of its side); the initial level is a stated factor times it.
    """

    def at(leg: Leg, price: Decimal) -> Need:
        side = "risk_short" if leg.size < 0 else "risk_long"
        risk = terms.need(leg, side, "the market's risk factor of this side")
        linear = terms.need(leg, "linear_slippage", "slippage held on the position")
        quadratic = terms.find(leg, "quadratic_slippage") or ZERO
        size = units(leg)
        slippage = linear * size + quadratic * size * size
        maintenance = NUMBERS.multiply(price, NUMBERS.add(slippage, NUMBERS.multiply(size, risk)))
        factor = terms.find(leg, "initial_scaling")
        if factor is not None and factor < 1:
            raise VenueRefusal(f"initial_scaling of {leg.symbol} must be at least 1, was {factor}")
        rate = NUMBERS.divide(maintenance, NUMBERS.multiply(price, size)) if size else ZERO
        return Need(
            initial=None if factor is None else NUMBERS.multiply(maintenance, factor),
            maintenance=maintenance,
            rate=rate,
            why="" if factor is not None else "initial_scaling",
        )

    return at


def _by_leverage(terms: Terms, leg: Leg, price: Decimal) -> Decimal | None:
    rate = terms.find(leg, "initial_rate")
    if rate is None and leg.leverage is not None:
        rate = NUMBERS.divide(ONE, leg.leverage)
    return None if rate is None else NUMBERS.multiply(notional_at(leg, price), rate)


def judge(totals: Totals) -> Health | None:
    """
    Return maintenance over equity; liquidation at 1.
    """
    if totals.equity is None or totals.maintenance is None:
        return None
    steps = (Threshold(value=ONE, worse="up", effect="liquidation"),)
    value = NUMBERS.divide(totals.maintenance, totals.equity) if totals.equity else None
    is_over = totals.equity < totals.maintenance or (totals.equity <= 0 < totals.maintenance)
    return Health(
        name="maintenance / equity", value=value, thresholds=steps, state="liquidation" if is_over else "clear"
    )


def _rulebook(name: str, title: str, make: Callable[[Terms], At], formula: str, terms: str = "terms") -> Rulebook:
    def evaluate(portfolio: Portfolio, params: Params) -> Evaluation:
        check_products(portfolio, (Product.LINEAR,), name)
        basis = params.get(terms).basis(formula)
        return evaluate_legs(
            portfolio,
            Charge(at=make(Terms(portfolio, params))),
            rules=name,
            basis=lambda leg, need: basis,  # noqa: ARG005
            account_basis=basis,
            health=judge,
        )

    return Rulebook(
        name=name,
        title=title,
        venue=name,
        modes=(Mode.CROSS, Mode.ISOLATED),
        products=(Product.LINEAR,),
        evaluate=evaluate,
        page=f"{name}.md",
    )


RULEBOOKS = (
    _rulebook("dango", "Dango", charge_dango, "MM = |size| x oracle x ratio, products cut to six decimals"),
    _rulebook("drift", "Drift v2", charge_drift, "margin = notional x max(ratio, 0.8 ratio + imf x sqrt(size))"),
    _rulebook("paradex", "Paradex", charge_paradex, "IMR = |size| x mark x IMF, MMR = IMR x mmf_factor", "markets"),
    _rulebook(
        "synthetix",
        "Synthetix v3 perps",
        charge_synthetix,
        "IM = N (|q| / skew scale x ratio + least ratio) + least margin, MM = the first part x scalar + least margin",
    ),
    _rulebook("vega", "Vega", charge_vega, "MM = mark x (slippage + |q| x risk factor)"),
)
"""By name."""
