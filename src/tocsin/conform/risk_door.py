"""
Cases of margin models, backtests, agreements and waterfalls: which door each goes through.

Their mechanisms are titles ("Kupiec POF with zero exceptions"), so that a route is found by pattern; the first that
accepts wins. Core: a rule of ours computes. Risk: a model of `tocsin.risk`, in floating point. Venue: another engine's
rule.
"""

import re
from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

from tocsin.conform import core_calls, core_default, core_scan, risk_margins, risk_options, risk_statistics, risk_venues
from tocsin.conform.inputs import Inputs
from tocsin.conform.numbers import InputError

CORE, VENUE, RISK = "core", "venue", "risk"


class RiskRule(NamedTuple):
    """A pattern of titles, the door, what computes, and what says why a case is not for it (None: all are)."""

    pattern: re.Pattern[str]
    door: str
    run: Callable[[Inputs], Any]
    refuse: Callable[[Inputs], str] | None = None


def _rule(
    pattern: str, door: str, run: Callable[[Inputs], Any], refuse: Callable[[Inputs], str] | None = None
) -> RiskRule:
    return RiskRule(re.compile(pattern, re.IGNORECASE), door, names_overflow(run), refuse)


def names_overflow(run: Callable[[Inputs], Any]) -> Callable[[Inputs], Any]:
    """
    Return a rule that says in words when floating point cannot hold its numbers.
    """

    @wraps(run)
    def compute(inputs: Inputs) -> Any:
        try:
            return run(inputs)
        except ArithmeticError as error:
            raise InputError(f"inputs hold a number that is too large or too small for this model: {error}") from None

    return compute


RISK_RULES: tuple[RiskRule, ...] = (
    # Titles that name another model's terms come first.
    _rule(r"^SIMM\b", RISK, risk_margins.run_sensitivities),
    _rule(r"^scenario portfolio margin", VENUE, risk_venues.run_derive_portfolio),
    _rule(r"^deribit PM", VENUE, risk_venues.run_deribit_futures),
    # Calls, collateral, levels.
    _rule(r"\bcollateral value", CORE, core_calls.run_collateral),
    _rule(r"delivery/return|credit support amount|\bthreshold sign", CORE, core_calls.run_agreement),
    _rule(r"^margin-ratio ladder", CORE, core_calls.run_ladder),
    _rule(r"^T\*|first-passage", CORE, core_calls.run_deadline),
    # Default.
    _rule(r"default waterfall", CORE, core_default.run_default),
    _rule(r"default-fund sizing", CORE, core_default.run_sizing),
    _rule(r"default-fund allocation", CORE, core_default.run_contributions),
    _rule(r"\bVMGH\b|gains haircut", CORE, core_default.run_gains_haircut),
    _rule(r"assessment cap", CORE, core_default.run_cap),
    _rule(r"tear-?up", CORE, core_default.run_tear_up),
    # Scans.
    _rule(r"SPAN scanning risk", CORE, core_scan.run_scan, core_scan.refuse_scan),
    _rule(r"SPAN (scanning risk|risk array)", RISK, risk_margins.run_scan_array, risk_margins.refuse_scan_array),
    _rule(r"SPAN total|short option minimum", CORE, core_scan.run_total, core_scan.refuse_total),
    _rule(r"SPAN total|short option minimum", RISK, risk_margins.run_span_total),
    _rule(r"inter-month spread", RISK, risk_margins.run_spread),
    _rule(r"^extreme scenario value", RISK, risk_margins.run_extreme),
    _rule(r"^extreme-move", RISK, risk_margins.run_weights),
    _rule(r"^vol shock", RISK, risk_margins.run_tenor),
    _rule(r"PnL ladder", RISK, risk_margins.run_ladder_pnl),
    _rule(r"^correlation offset", RISK, risk_margins.run_offset),
    # Liquidity, haircuts, bilateral margin.
    _rule(r"^liquidity add-on", RISK, risk_margins.run_liquidity),
    _rule(r"^risk scaling", RISK, risk_margins.run_slices),
    _rule(r"^haircut scaling", RISK, risk_margins.run_haircut),
    _rule(r"^schedule IM", RISK, risk_margins.run_schedule),
    _rule(r"^SA-CCR", RISK, risk_margins.run_rate_exposure),
    # Shortfall and backtests.
    _rule(r"^(normal|student).*VaR/ES", RISK, risk_statistics.run_closed_tail),
    _rule(r"historical simulation VaR|ES on tabulated|^VaR/ES", RISK, risk_statistics.run_sample_tail),
    _rule(r"^FHS\b", RISK, risk_statistics.run_filtered),
    _rule(r"kupiec", RISK, risk_statistics.run_kupiec),
    _rule(
        r"christoffersen (conditional|cc\b|joint|mixed)|conditional coverage", RISK, risk_statistics.run_joint_coverage
    ),
    _rule(r"christoffersen", RISK, risk_statistics.run_christoffersen),
    _rule(r"one-sided coverage", RISK, risk_statistics.run_coverage),
    _rule(r"plus factor origin", RISK, risk_statistics.run_plus_origin),
    _rule(r"traffic light", RISK, risk_statistics.run_traffic_light),
    _rule(r"^Z2 critical", RISK, risk_statistics.run_shortfall_critical),
    _rule(r"^Z2\b", RISK, risk_statistics.run_shortfall_test),
    # Anti-procyclicality.
    _rule(r"stressed weight", RISK, risk_statistics.run_blend),
    _rule(r"volatility floor", RISK, risk_statistics.run_floor),
    _rule(r"^\d+% buffer", RISK, risk_statistics.run_buffer),
    _rule(r"^procyclicality", RISK, risk_statistics.run_movement),
    # Options.
    _rule(r"\bblack-?(scholes|76)|^BS\b|merton|garman|\basay\b", RISK, risk_options.run_option),
)
"""Patterns in the order in which they are asked; all that match are routes of a case."""
