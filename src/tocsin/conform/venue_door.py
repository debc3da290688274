"""
Venue door: another engine's rule as a formula (`tocsin.venues`), for cases that Tocsin's own rules cannot hold.

`VENUE_RULES` maps a mechanism to what computes it; one file an engine reads its inputs.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from tocsin.conform import venue_dango, venue_derive_auction, venue_drift, venue_dydx, venue_others, venue_vega
from tocsin.conform.compare import Undefined
from tocsin.conform.inputs import Inputs
from tocsin.venues import VenueRefusal

Run = Callable[[Inputs], Any]


def answers_refusals(run: Run) -> Run:
    """
    Return a rule whose refusal is an answer: all outputs undefined, with the venue's reason.
    """

    @wraps(run)
    def answer(inputs: Inputs) -> Any:
        try:
            return run(inputs)
        except VenueRefusal as refusal:
            return Undefined(str(refusal))

    return answer


VENUE_RULES: dict[str, Run] = {
    mechanism: answers_refusals(run)
    for rules in (
        venue_dango.RULES,
        venue_derive_auction.RULES,
        venue_drift.RULES,
        venue_dydx.RULES,
        venue_others.RULES,
        venue_vega.RULES,
    )
    for mechanism, run in rules.items()
}
