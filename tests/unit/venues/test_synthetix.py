"""
Synthetix v3: margins grow with the square of size on both sides; a window never lets more through than its capacity.
"""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from tocsin.venues import synthetix

TERMS = synthetix.MarginTerms(Fraction(100), Fraction(2), Fraction(1, 100), Fraction(1, 2), Fraction(1_000))
WINDOW = synthetix.WindowTerms(Fraction(7, 1_000), Fraction(3, 1_000), Fraction(1_000), Fraction(1), 10)


@given(st.integers(-50, 50), st.integers(1, 10**5))
def test_position_margins_mirror_and_follow_the_formula(size: int, price: int) -> None:
    got = synthetix.position_margins(Fraction(size), Fraction(price), TERMS)
    assert got == synthetix.position_margins(Fraction(-size), Fraction(price), TERMS)
    if not size:
        assert got == (0, 0)
        return
    ratio = Fraction(abs(size) * 2 + 1, 100)
    assert got == (abs(size) * price * ratio + 1_000, abs(size) * price * ratio / 2 + 1_000)


def test_no_skew_scale_is_no_impact_and_accounts_add() -> None:
    flat = TERMS._replace(skew_scale=Fraction(0))
    leg = (Fraction(2), Fraction(30_000), flat)
    assert synthetix.account_margins([leg, leg]) == (3_200, 2_600)
    assert synthetix.account_margins([]) == (0, 0)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 200)), max_size=20))
def test_no_window_lets_more_through_than_its_capacity(calls: list[tuple[int, int]]) -> None:
    window, done, now = synthetix.LiquidationWindow(WINDOW), list[tuple[int, Fraction]](), 0
    for wait, size in calls:
        now += wait
        amount = window.liquidate(now, Fraction(-size))
        used = sum(a for at, a in done if at > now - 10)
        assert amount == min(size, WINDOW.capacity - used)
        done.append((now, amount))
    for at, _ in done:
        assert sum(a for other, a in done if at - 10 < other <= at) <= WINDOW.capacity


def test_a_used_window_opens_again_while_skew_is_small_but_never_twice_at_a_time() -> None:
    window = synthetix.LiquidationWindow(WINDOW._replace(max_premium=Fraction(1, 10)))
    assert window.liquidate(0, Fraction(150), skew=Fraction(50)) == 100
    assert window.liquidate(0, Fraction(50), skew=Fraction(50)) == 0
    assert window.liquidate(1, Fraction(50), skew=Fraction(100)) == 0
    assert window.liquidate(2, Fraction(150), skew=Fraction(-99)) == 100
    assert window.liquidate(2, Fraction(50), skew=Fraction(0)) == 0
    assert window.liquidate(3, Fraction(50)) == 0


def test_the_endorsed_liquidator_is_not_limited_but_counts() -> None:
    window = synthetix.LiquidationWindow(WINDOW)
    assert window.liquidate(0, Fraction(150), unlimited=True) == 150
    assert window.liquidate(9, Fraction(1)) == 0
    assert window.liquidate(10, Fraction(1)) == 1


def test_a_market_without_capacity_limits_nothing() -> None:
    window = synthetix.LiquidationWindow(WINDOW._replace(multiplier=Fraction(0)))
    assert [window.liquidate(0, Fraction(150)) for _ in range(2)] == [150, 150]
