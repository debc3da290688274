"""
Which mechanism goes through which door: the one list.

A door is asked in order; the first that accepts a case runs it. What no door accepts is skipped by name.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from tocsin.conform.core_prices import (
    accepts_price_case,
    run_bankruptcy_price,
    run_insurance_delta,
    run_liquidation_price,
    run_tiers,
)
from tocsin.conform.core_shares import run_loss_socialisation, run_water_filling
from tocsin.conform.inputs import Inputs
from tocsin.conform.risk_door import RISK_RULES
from tocsin.conform.venue_derive_margin import run_portfolio_margin, run_standard_margin
from tocsin.conform.venue_door import VENUE_RULES
from tocsin.conform.venue_vega import refuse_price, run_price

CORE, VENUE, RISK = "core", "venue", "risk"


def _accept_all(inputs: Inputs) -> str:  # noqa: ARG001 - one form for all
    return ""


class Route(NamedTuple):
    """
    One way through a door: the function that computes outputs, and one that says why a case is not for it.
    """

    door: str
    run: Callable[[Inputs], Any]
    refuse: Callable[[Inputs], str] = _accept_all


ROUTES: dict[str, tuple[Route, ...]] = {
    "tiered_maintenance_with_deduction": (Route(CORE, run_tiers),),
    "capped_pro_rata_water_filling": (Route(CORE, run_water_filling),),
    "loss_socialisation": (Route(CORE, run_loss_socialisation),),
    "bankruptcy_price_quote_quantums": (Route(CORE, run_bankruptcy_price),),
    "insurance_fund_delta": (Route(CORE, run_insurance_delta),),
    "liquidation_price_identity": (
        Route(CORE, run_liquidation_price, accepts_price_case),
        Route(VENUE, run_price, refuse_price),
    ),
    "portfolio_margin": (Route(VENUE, run_portfolio_margin),),
    "standard_margin": (Route(VENUE, run_standard_margin),),
    **{mechanism: (Route(VENUE, run),) for mechanism, run in VENUE_RULES.items()},
}
"""Mechanism to its routes, in the order in which they are asked."""


def find_routes(mechanism: str) -> tuple[Route, ...]:
    """
    Return the routes of a mechanism, by its name or, where it is a title, by the patterns of `RISK_RULES`.
    """
    named = ROUTES.get(mechanism)
    if named is not None:
        return named
    return tuple(
        Route(rule.door, rule.run, rule.refuse or _accept_all) for rule in RISK_RULES if rule.pattern.search(mechanism)
    )
