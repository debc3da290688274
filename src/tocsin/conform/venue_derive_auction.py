"""
Venue door, Derive v2's auctions: discount, largest share, bid, payout.

The engine counts in 10^-18. A case may be exact where the engine cuts, so that values hold within 10^-15, and
a discount in the slow leg within the second that the engine cuts there.
"""

from fractions import Fraction
from math import floor
from typing import Any

from tocsin.conform.compare import Approximate
from tocsin.conform.inputs import Inputs
from tocsin.conform.numbers import InputError
from tocsin.venues import derive_auction as auction

_CUT = Fraction(1, 10**15)


def _scaled(inputs: Inputs, name: str, default: str | None = None) -> int:
    """Read a number in 10^-18, cut toward zero."""
    number = inputs.number(name, Fraction(default)) if default is not None else inputs.number(name)
    return int(number * auction.ONE)


def _plain(number: int, bound: Fraction = Fraction(0)) -> Approximate:
    value = Fraction(number, auction.ONE)
    return Approximate(value, bound + _CUT * max(1, abs(value)))


def _read_discount(inputs: Inputs) -> tuple[int, Fraction]:
    """
    Read the schedule and return the discount and what the engine cuts of a second's fall.
    """
    schedule = auction.Schedule(
        _scaled(inputs, "start", "1"),
        _scaled(inputs, "fast_cutoff", "0.8"),
        inputs.whole("fast_s", 600),
        inputs.whole("slow_s", 7_200),
    )
    if schedule.fast_s < 0 or schedule.slow_s < 0:
        raise InputError("inputs.fast_s and slow_s must be at least 0")
    if schedule.cutoff > schedule.start:
        raise InputError("inputs.fast_cutoff must be at most inputs.start")
    elapsed = inputs.whole("elapsed_s")
    slow = elapsed - schedule.fast_s
    bound = Fraction(0)
    if 0 <= slow < schedule.slow_s:
        lost = Fraction(schedule.cutoff * slow, auction.ONE)
        bound = (lost - floor(lost)) / schedule.slow_s
    return auction.discount(schedule, elapsed), bound


def _discount_or_given(inputs: Inputs) -> tuple[int, Fraction]:
    if inputs.has("discount"):
        return _scaled(inputs, "discount"), Fraction(0)
    return _read_discount(inputs)


def run_discount(inputs: Inputs) -> dict[str, Any]:
    """
    Compute the discount after so many seconds.
    """
    return {"discount": _plain(*_read_discount(inputs))}


def _max_proportion(inputs: Inputs, share: int) -> int:
    value = _scaled(inputs, "mark_to_market")
    if inputs.has("buffer_margin"):
        buffered = _scaled(inputs, "buffer_margin")
    else:
        buffered = auction.buffer_margin(
            _scaled(inputs, "maintenance_margin"), value, _scaled(inputs, "buffer_margin_pct", "0")
        )
    return auction.max_proportion(
        value,
        buffered,
        share,
        reserved=_scaled(inputs, "reserved_cash", "0"),
        value_cutoff=_scaled(inputs, "mtm_cutoff", "0"),
    )


def run_max_proportion(inputs: Inputs) -> dict[str, Any]:
    """
    Compute the largest share one bid may take, as it is and in whole thousandths, rounded down.
    """
    share, bound = _discount_or_given(inputs)
    most = _max_proportion(inputs, share)
    return {"max_proportion": _plain(most, bound), "max_proportion_per_mille_floor": most * 1_000 // auction.ONE}


def run_bid(inputs: Inputs) -> dict[str, Any]:
    """
    Compute what a bidder pays in a solvent auction; the share is cut to the largest where margins are given.
    """
    share, bound = _discount_or_given(inputs)
    value, percent = _scaled(inputs, "mark_to_market"), _scaled(inputs, "percent", "1")
    known = inputs.has("maintenance_margin") or inputs.has("buffer_margin")
    most = _max_proportion(inputs, share) if known else None
    paid = auction.solvent_bid(value, share, percent, reserved=_scaled(inputs, "reserved_cash", "0"), most=most)
    final = percent if most is None else min(percent, most)
    return {
        "cash_from_bidder": _plain(paid, bound * abs(Fraction(value, auction.ONE))),
        "final_percent": _plain(final, bound),
    }


def run_payout(inputs: Inputs) -> dict[str, Any]:
    """
    Compute what a bidder is paid in an insolvent auction, and who pays it if the security module is given.
    """
    length = inputs.whole("length_s", 600)
    if length < 0:
        raise InputError(f"inputs.length_s must be at least 0, was {length}")
    payout = auction.insolvent_payout(
        _scaled(inputs, "mark_to_market"),
        _scaled(inputs, "maintenance_margin"),
        _scaled(inputs, "percent", "1"),
        elapsed_s=inputs.whole("elapsed_s"),
        length_s=length,
    )
    out: dict[str, Any] = {"cash_to_bidder": _plain(payout)}
    if inputs.has("security_module"):
        paid, printed = auction.split_payout(payout, _scaled(inputs, "security_module"))
        out |= {"paid_by_security_module": _plain(paid), "printed": _plain(printed)}
    return out


RULES = {
    "dutch_auction_discount": run_discount,
    "dutch_auction_bid_cost": run_bid,
    "insolvent_auction_payout": run_payout,
    "partial_liquidation_max_proportion": run_max_proportion,
}
