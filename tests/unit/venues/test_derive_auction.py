"""
Derive's auctions: the offer never gets dearer, shares stay within one, payouts end at the margin.
"""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.venues import VenueRefusal
from tocsin.venues import derive_auction as auction

ONE = auction.ONE
SCHEDULE = auction.Schedule(ONE, ONE * 8 // 10, 600, 7_200)
AMOUNTS = st.integers(-(10**6), 10**6).map(lambda n: n * ONE)
SHARES = st.integers(0, 1_000).map(lambda n: n * ONE // 1_000)


@pytest.mark.parametrize(
    ("a", "b", "product", "quotient"), [(7, ONE // 2, 3, 14), (-7, ONE // 2, -3, -14), (7, -2 * ONE, -14, -3)]
)
def test_products_and_quotients_are_cut_toward_zero(a: int, b: int, product: int, quotient: int) -> None:
    assert (auction.multiply(a, b), auction.divide(a, b)) == (product, quotient)


@pytest.mark.parametrize(
    ("elapsed", "per_mille"), [(0, 1_000), (300, 900), (600, 800), (4_200, 400), (7_799, 0), (7_800, 0), (10**9, 0)]
)
def test_the_discount_falls_in_two_legs(elapsed: int, per_mille: int) -> None:
    assert auction.discount(SCHEDULE, elapsed) * 1_000 // ONE == per_mille


def test_the_slow_leg_cuts_parts_of_a_second() -> None:
    # 0.8 x 1 s is cut to 0: for two seconds nothing falls, then one part in 7,200.
    start = auction.discount(SCHEDULE, 600)
    assert [start - auction.discount(SCHEDULE, 600 + t) for t in (1, 2, 5)] == [0, ONE // 7_200, 4 * ONE // 7_200]


@given(st.integers(0, 9_000), st.integers(0, 100), SHARES, SHARES, st.integers(0, 700), st.integers(0, 8_000))
def test_an_offer_never_gets_dearer(at: int, more: int, a: int, b: int, fast: int, slow: int) -> None:
    schedule = auction.Schedule(max(a, b), min(a, b), fast, slow)
    early, late = auction.discount(schedule, at), auction.discount(schedule, at + more)
    assert 0 <= late <= early <= schedule.start


@given(AMOUNTS, AMOUNTS, SHARES, st.integers(0, 1_000))
def test_the_largest_share_restores_the_buffer_margin(value: int, margin: int, share: int, held: int) -> None:
    reserved = held * value // 1_000
    if value < 0:
        assert auction.max_proportion(value, margin, share) == ONE
        return
    try:
        most = auction.max_proportion(value, margin, share, reserved=reserved)
    except VenueRefusal:
        assert margin >= 0
        return
    assert 0 <= most <= ONE
    if margin >= 0:
        assert most == 0
    else:
        # Selling f of all but the reserve for its price brings BM (1 - f) + f (value x d + reserved x (1 - d)) to 0.
        f, d = Fraction(most, ONE), Fraction(share, ONE)
        assert (
            abs(margin * (1 - f) + f * (value * d + reserved * (1 - d))) <= abs(margin) / Fraction(10**9) + ONE // 10**6
        )


def test_margin_under_the_cutoff_sells_everything() -> None:
    assert auction.max_proportion(99 * ONE, -ONE, ONE, value_cutoff=100 * ONE) == ONE
    assert auction.max_proportion(100 * ONE, -ONE, ONE, value_cutoff=100 * ONE) == ONE // 101


@pytest.mark.parametrize(
    ("maintenance", "value", "buffer", "margin"), [(-100, 300, 100, -140), (-100, 300, 0, -100), (100, 300, 100, 80)]
)
def test_the_buffer_margin_asks_for_more(maintenance: int, value: int, buffer: int, margin: int) -> None:
    assert auction.buffer_margin(maintenance * ONE, value * ONE, buffer * ONE // 1_000) == margin * ONE


def test_a_bid_pays_for_what_is_not_reserved_and_is_cut_to_the_largest_share() -> None:
    nine, tenth = ONE * 9 // 10, ONE // 10
    assert auction.solvent_bid(300 * ONE, nine, tenth) == 27 * ONE
    assert auction.solvent_bid(300 * ONE, nine, tenth, reserved=100 * ONE) == 18 * ONE
    assert auction.solvent_bid(300 * ONE, nine, ONE, most=tenth) == 27 * ONE


@pytest.mark.parametrize(
    ("value", "share", "percent", "reserved", "reason"),
    [
        (300, 0, ONE, 0, "has ended"),
        (300, ONE, ONE, 300 * ONE, "has ended"),
        (300, ONE, ONE, 301 * ONE, "reserved cash"),
        (300, ONE, 0, 0, "percent must be"),
        (300, ONE, ONE + 1, 0, "percent must be"),
    ],
)
def test_what_cannot_be_bid_is_refused(value: int, share: int, percent: int, reserved: int, reason: str) -> None:
    with pytest.raises(VenueRefusal, match=reason):
        auction.solvent_bid(value * ONE, share, percent, reserved=reserved)


@pytest.mark.parametrize(
    ("value", "maintenance", "elapsed", "payout"),
    [
        (-100, -300, 0, 100),
        (-100, -300, 300, 200),
        (-100, -300, 600, 300),
        (-100, -300, 10**9, 300),
        (50, -300, 0, 0),
        (50, -300, 300, 150),
        (-100, 0, 300, 0),
        (-100, 10, 300, 0),
    ],
)
def test_an_insolvent_payout_grows_from_value_to_margin(
    value: int, maintenance: int, elapsed: int, payout: int
) -> None:
    args = (value * ONE, maintenance * ONE)
    assert auction.insolvent_payout(*args, ONE, elapsed_s=elapsed, length_s=600) == payout * ONE
    assert auction.insolvent_payout(*args, ONE // 2, elapsed_s=elapsed, length_s=600) == payout * ONE // 2


def test_time_and_percent_are_checked() -> None:
    with pytest.raises(VenueRefusal, match="elapsed seconds"):
        auction.discount(SCHEDULE, -1)
    with pytest.raises(VenueRefusal, match="elapsed seconds"):
        auction.insolvent_payout(-ONE, -ONE, ONE, elapsed_s=-1, length_s=1)
    with pytest.raises(VenueRefusal, match="percent"):
        auction.insolvent_payout(-ONE, -ONE, 0, elapsed_s=1, length_s=1)


@given(st.integers(0, 10**6), st.integers(-10, 10**6))
def test_what_the_module_lacks_is_printed(payout: int, module: int) -> None:
    paid, printed = auction.split_payout(payout, module)
    assert paid + printed == payout and 0 <= paid <= max(0, module) and (not printed or paid == max(0, module))
