"""
Derive v2's Dutch auctions of an account that fell below maintenance margin. Whole numbers of 10^-18.

Amounts are dollars, margins signed (< 0 is missing), shares 10^18 for all. Divisions are cut toward zero, in the order
of the engine. Source: `src/liquidation/DutchAuction.sol` of v2-core.
"""

from typing import NamedTuple

from tocsin.core.integers import trunc_div
from tocsin.venues import VenueRefusal

ONE = 10**18


def multiply(a: int, b: int) -> int:
    """
    Return the product of two 18-decimal numbers, cut toward zero.
    """
    return trunc_div(a * b, ONE)


def divide(a: int, b: int) -> int:
    """
    Return the quotient of two 18-decimal numbers, cut toward zero.

    Raises:
        VenueRefusal: `b` is 0.
    """
    if not b:
        raise VenueRefusal("division by zero")
    return trunc_div(a * ONE, b) if b > 0 else trunc_div(-a * ONE, -b)


class Schedule(NamedTuple):
    """
    Discount of a solvent auction: share of value at the start and after `fast_s` seconds; 0 `slow_s` seconds later.
    """

    start: int
    cutoff: int
    fast_s: int
    slow_s: int


def discount(schedule: Schedule, elapsed_s: int) -> int:
    """
    Return the share of mark-to-market at which the auction offers after so many seconds.

    Linear from start to cutoff, the change cut; then linear to zero, where `cutoff x seconds` is cut to a whole number
    first, so that the slow leg falls in steps: with a cutoff of 0.8 not in 4 of 5 seconds alike.

    Raises:
        VenueRefusal: Time runs backwards.
    """
    if elapsed_s < 0:
        raise VenueRefusal(f"elapsed seconds must be at least 0, was {elapsed_s}")
    if elapsed_s < schedule.fast_s:
        return schedule.start - (schedule.start - schedule.cutoff) * elapsed_s // schedule.fast_s
    slow = elapsed_s - schedule.fast_s
    if slow >= schedule.slow_s:
        return 0
    return schedule.cutoff - divide(multiply(schedule.cutoff, slow), schedule.slow_s)


def buffer_margin(maintenance: int, value: int, buffer: int) -> int:
    """
    Return the margin an auction liquidates to: `MM + (MM - MtM) x buffer`, signed.
    """
    return maintenance + multiply(maintenance - value, buffer)


def max_proportion(value: int, buffered: int, share: int, *, reserved: int = 0, value_cutoff: int = 0) -> int:
    """
    Return the largest share of the account that one bid may take.

    `BM / (BM - MtM x d - R x (1 - d))`, BM at most 0; all of it if MtM is below `value_cutoff`.

    Args:
        value: Mark-to-market MtM.
        buffered: Buffer margin BM.
        share: Discount d.
        reserved: Cash R that earlier bidders paid in, >= 0; it is not for sale.
    """
    if value < value_cutoff:
        return ONE
    buffered = min(0, buffered)
    return divide(buffered, buffered - multiply(value, share) - multiply(reserved, ONE - share))


def solvent_bid(value: int, share: int, percent: int, *, reserved: int = 0, most: int | None = None) -> int:
    """
    Return what a bidder pays for `percent` of the account: `(MtM - R) x d x percent`.

    Args:
        percent: Share asked for, at most 1; cut to `most` if given.

    Raises:
        VenueRefusal: The auction has ended, earlier bids hold more cash than the account is worth, or `percent` is
            not above 0 and at most 1.
    """
    if not 0 < percent <= ONE:
        raise VenueRefusal("percent must be above 0 and at most 1")
    if reserved > value:
        raise VenueRefusal("reserved cash is more than mark-to-market")
    price = multiply(value - reserved, share)
    if price <= 0:
        raise VenueRefusal("the solvent auction has ended")
    return multiply(price, percent if most is None else min(percent, most))


def insolvent_payout(value: int, maintenance: int, percent: int, *, elapsed_s: int, length_s: int) -> int:
    """
    Return what a bidder is paid to take `percent` of the account, >= 0.

    From -MtM (0 if MtM > 0) to -MM, linear over `length_s` seconds, then -MM; 0 if MM is not below zero.

    Raises:
        VenueRefusal: Time runs backwards, or `percent` is not above 0 and at most 1.
    """
    if elapsed_s < 0:
        raise VenueRefusal(f"elapsed seconds must be at least 0, was {elapsed_s}")
    if not 0 < percent <= ONE:
        raise VenueRefusal("percent must be above 0 and at most 1")
    if maintenance >= 0:
        return 0
    value = min(0, value)
    if elapsed_s >= length_s:
        price = maintenance
    else:
        price = trunc_div((maintenance - value) * elapsed_s, length_s) + value
    return multiply(max(0, -price), percent)


def split_payout(payout: int, security_module: int) -> tuple[int, int]:
    """
    Return (paid by the security module, printed as new cash): what the module lacks is everybody's loss.
    """
    paid = min(payout, max(0, security_module))
    return paid, payout - paid
