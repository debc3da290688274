"""
Venue door, Vega: margin levels, funding, isolated mode, disposals, liquidation prices that our rules cannot hold.
"""

from fractions import Fraction
from math import ceil
from typing import Any

from tocsin.conform.compare import AtMost, Shared, Undefined
from tocsin.conform.core_prices import read_price_case
from tocsin.conform.inputs import Inputs
from tocsin.conform.numbers import InputError, format_number
from tocsin.venues import vega


def _read_slippage(inputs: Inputs) -> vega.Slippage:
    return vega.Slippage(inputs.number("linear_slippage", 0), inputs.number("quadratic_slippage", 0))


def _read_risk(inputs: Inputs) -> vega.RiskFactors:
    """
    Read risk factors: one per side, one for both, or a model. An unnamed side is held like the other.
    """
    if inputs.has("risk_model"):
        model = inputs.object("risk_model")
        kind = model.raw("kind", "lognormal")
        if kind == "simple":
            return _read_risk(model)
        if kind != "lognormal":
            raise InputError(f"inputs.risk_model.kind must be lognormal or simple, was {kind!r}")
        model.raw("r", None)
        return vega.lognormal_risk_factors(
            risk_aversion=float(model.number("risk_aversion")),
            tau=float(model.number("tau")),
            sigma=float(model.number("sigma")),
            mu=float(model.number("mu", 0)),
        )
    names = [(f"risk_factor{side}", f"rf{side}") for side in ("_long", "_short", "")]
    long, short, both = (next((n for n in pair if inputs.has(n)), None) for pair in names)
    if long is None and short is None and both is None:
        raise InputError("inputs.risk_factor_long and risk_factor_short must be given, were missing")
    given = inputs.number(both or long or short or "")
    return vega.RiskFactors(
        inputs.number(long) if long else given,
        inputs.number(short) if short else given,
    )


def _read_funding(inputs: Inputs) -> Fraction:
    """
    Read the funding payment per unit, or compute it from its averages; times the margin funding factor.
    """
    given = next((n for n in ("funding_payment_per_unit", "funding_per_unit") if inputs.has(n)), None)
    averages = inputs.has("s_twap") and inputs.has("f_twap")
    payment = Fraction(0)
    if averages:
        payment = vega.funding_payment(
            inputs.number("f_twap"),
            inputs.number("s_twap"),
            rate=inputs.number("interest_rate", 0),
            elapsed=inputs.number("delta_t", 0),
            lower=inputs.number("clamp_lower_bound") if inputs.has("clamp_lower_bound") else None,
            upper=inputs.number("clamp_upper_bound") if inputs.has("clamp_upper_bound") else None,
        )
    if given:
        payment = inputs.number(given)
    return payment * inputs.number("margin_funding_factor", 1)


def _compute_maintenance(inputs: Inputs) -> Fraction:
    per_unit = inputs.number("position_factor", 1)
    if per_unit <= 0:
        raise InputError(f"inputs.position_factor must be above 0, was {per_unit}")
    return vega.maintenance_with_orders(
        inputs.number("position") / per_unit,
        inputs.number("mark_price"),
        _read_slippage(inputs),
        _read_risk(inputs),
        buys=inputs.number("open_buys", 0) / per_unit,
        sells=inputs.number("open_sells", 0) / per_unit,
        buy_value=inputs.number("buy_value") / per_unit if inputs.has("buy_value") else None,
        sell_value=inputs.number("sell_value") / per_unit if inputs.has("sell_value") else None,
        funding=_read_funding(inputs),
    )


def run_levels(inputs: Inputs) -> dict[str, Any]:
    """
    Compute all margin levels, in whole units.
    """
    scaling = inputs.object("scaling")
    levels = vega.margin_levels(
        _compute_maintenance(inputs),
        vega.Scaling(scaling.number("search"), scaling.number("initial"), scaling.number("release")),
    )
    return dict(levels._asdict())


def run_maintenance(inputs: Inputs) -> dict[str, Any]:
    """
    Compute maintenance margin: exact where the case expects a fraction, else rounded up as the engine does.
    """
    margin = _compute_maintenance(inputs)
    held = Shared(ceil(margin), margin)
    return {"maintenance": held, "total_margin": held, "funding_per_unit": _read_funding(inputs)}


def run_isolated(inputs: Inputs) -> dict[str, Any]:
    """
    Compute margins of isolated mode: per factor of the position, per size of the order; and the least factor.
    """
    position = inputs.number("position")
    entry = inputs.number("average_entry", 0)
    out: dict[str, Any] = {}
    factors = [Fraction(f) for _, f in _numbers(inputs, "margin_factors")] if inputs.has("margin_factors") else []
    for factor in factors:
        out[f"position_margin_{_name(factor)}"] = vega.isolated_position_margin(position, entry, factor)
    if inputs.has("limit_order"):
        order = inputs.object("limit_order")
        side = order.raw("side")
        if side not in ("buy", "sell"):
            raise InputError(f"inputs.limit_order.side must be buy or sell, was {side!r}")
        price = order.number("price")
        factor = order.number("factor") if order.has("factor") else (factors or [Fraction(1)])[0]
        sizes = [order.number("size")]
        if inputs.has("amended_size"):
            sizes.append(inputs.number("amended_size"))
        for size in sizes:
            orders = [vega.Order(size, price)]
            margin = vega.isolated_order_margin(
                position, orders if side == "buy" else [], orders if side == "sell" else [], factor
            )
            out[f"order_margin_{_name(size)}"] = margin
            out.setdefault("order_margin", margin)
    least = vega.minimum_margin_factor(_read_slippage(inputs), _read_risk(inputs))
    out["rejected_factor"] = AtMost(least)
    out["rejection"] = f"factor must exceed max(rf_long, rf_short) + linear_slippage = {format_number(least)}"
    return {**out, "search": 0, "release": 0}


def _numbers(inputs: Inputs, name: str) -> list[tuple[Any, Fraction]]:
    pairs = inputs.items(name)
    row = Inputs({str(i): value for i, (_, value) in enumerate(pairs)}, f"inputs.{name}")
    return [(key, row.number(str(i))) for i, (key, _) in enumerate(pairs)]


def _name(number: Fraction) -> str:
    """Return a number as outputs are named after it: 0.9 is `09`."""
    return format_number(number).replace(".", "")


def run_disposal(inputs: Inputs) -> dict[str, Any]:
    """
    Compute the network's disposals step by step, and what is left when no volume is.
    """
    position = inputs.whole("network_position")
    trades = vega.disposal_sizes(
        position,
        fraction=inputs.number("disposal_fraction"),
        full_size=inputs.whole("full_disposal_size", 0),
        max_consumed=inputs.number("max_fraction_consumed", 1),
        available=inputs.whole("book_volume_in_range"),
    )
    step = inputs.whole("step_seconds", 0)
    return {
        "trades": trades,
        "remaining": abs(position) - sum(trades),
        "times_s": [(i + 1) * step for i in range(len(trades))],
    }


def refuse_price(inputs: Inputs) -> str:
    """
    Return why the formula does not hold a case, or an empty text if it does.
    """
    if inputs.has("margin_factor"):
        return "moves order margin of isolated mode"
    return ""


def run_price(inputs: Inputs) -> dict[str, Any]:
    """
    Compute liquidation prices by Vega's closed form, exact; not defined where its denominator is 0.

    With resting orders also the price after the buys, or the sells, that would fill first.
    """
    case = read_price_case(inputs)
    terms = {
        "linear": case.rate,
        "quadratic": case.quadratic,
        "risk_long": Fraction(0),
        "risk_short": Fraction(0),
        "funding": case.funding,
    }
    collateral = case.collateral
    if collateral is None:
        collateral = vega.maintenance_margin(case.size, case.mark, **terms)
    price = vega.liquidation_price(case.size, case.mark, collateral, **terms)
    undefined = Undefined("the denominator slippage + |q| x risk - q is 0")
    out: dict[str, Any] = {"liquidation_price": undefined if price is None else price}
    for name, side in (("buy_orders", 1), ("sell_orders", -1)):
        filled = vega.liquidation_price_with_orders(
            case.size,
            case.mark,
            collateral,
            side,
            _read_orders(inputs, name, case.mark),
            _read_slippage(inputs),
            vega.RiskFactors(inputs.number("rf_long", 0), inputs.number("rf_short", 0)),
            case.funding,
        )
        out[f"liquidation_price_with_{name}"] = undefined if filled is None else filled
    return out


def _read_orders(inputs: Inputs, name: str, mark: Fraction) -> list[vega.Order]:
    if not inputs.has(name):
        return []
    per_unit = inputs.number("position_factor", 1)
    out: list[vega.Order] = []
    for order in inputs.objects(name):
        market = bool(order.raw("is_market_order", False))
        out.append(vega.Order(order.number("size") / per_unit, mark if market else order.number("price")))
    return out


RULES = {
    "margin_levels_cross": run_levels,
    "margin_levels_cross_lognormal": run_levels,
    "margin_maintenance": run_maintenance,
    "perp_funding_margin": run_maintenance,
    "isolated_margin_mode": run_isolated,
    "liquidation_disposal_schedule": run_disposal,
}
