"""
Venue door: another engine's rule as a formula, for cases that Tocsin's own rules cannot hold.
"""

from fractions import Fraction
from typing import Any

from tocsin.conform.compare import Undefined
from tocsin.conform.core_prices import read_price_case
from tocsin.conform.inputs import Inputs
from tocsin.venues import vega


def accepts_vega_price(inputs: Inputs) -> str:
    """
    Return why the formula does not hold a case, or an empty text if it does.
    """
    if inputs.has("buy_orders") or inputs.has("sell_orders"):
        return "walks resting orders one by one"
    return ""


def run_vega_price(inputs: Inputs) -> dict[str, Any]:
    """
    Compute a liquidation price by Vega's closed form, exact; not defined where its denominator is 0.
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
    if price is None:
        return {"liquidation_price": Undefined("the denominator slippage + |q| x risk - q is 0")}
    return {"liquidation_price": price}
