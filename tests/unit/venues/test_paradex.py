"""
Paradex: the smallest share that brings the ratio under the target, no less, and nothing where nothing is needed.
"""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.venues import VenueRefusal, paradex

FIFTH, TARGET = Fraction(1, 5), Fraction(9, 10)


def test_account_value_and_requirement_mirror() -> None:
    long = paradex.Position(Fraction(2), Fraction(100), Fraction(90), Fraction(1, 100))
    short = paradex.Position(Fraction(-2), Fraction(80), Fraction(90), Fraction(1, 50))
    assert paradex.account_value(Fraction(50), [long, short]) == 10
    assert paradex.maintenance_requirement([long, short]) == Fraction(54, 10)


def test_a_step_pays_half_of_what_it_closes_away() -> None:
    step = paradex.close_share(Fraction(80), Fraction(100), FIFTH, paradex.TABLE_FEE_SHARE)
    assert step == (FIFTH, 80, 10, 70, Fraction(8, 7))
    assert paradex.close_share(Fraction(80), Fraction(100), FIFTH, Fraction(7, 10)).fee == 14
    assert paradex.close_share(Fraction(10), Fraction(100), FIFTH, Fraction(1, 2)).ratio is None


@given(
    st.integers(-50, 200), st.integers(1, 200), st.sampled_from([FIFTH, Fraction(1, 4), Fraction(3, 10), Fraction(1)])
)
def test_the_share_is_the_smallest_that_is_enough(value: int, requirement: int, step: Fraction) -> None:
    share, table = paradex.choose_share(Fraction(value), Fraction(requirement), step=step, target=TARGET)
    assert [row.share for row in table] == [step * (k + 1) for k in range(len(table))]
    assert step * (len(table) + 1) >= 1 > step * len(table)
    if value >= requirement:
        assert share == 0
        return
    for row in table:
        left = value - row.share * requirement / 2
        enough = left > 0 and requirement * (1 - row.share) < TARGET * left
        assert enough is (row.share >= share) or row.share > share
        if row.share == share:
            assert enough
    assert share in (*(row.share for row in table), 1)


def test_a_ratio_at_the_target_is_not_under_it() -> None:
    # A fifth closed leaves 72 of 90 against 80: exactly 0.9.
    share, table = paradex.choose_share(Fraction(89), Fraction(90), step=FIFTH, target=TARGET)
    assert (table[0].ratio, share) == (TARGET, Fraction(2, 5))


@pytest.mark.parametrize("step", ["0", "-0.2", "1.1", "0.00001"])
def test_a_step_that_is_no_share_is_refused(step: str) -> None:
    with pytest.raises(VenueRefusal, match="share_multiple must be"):
        paradex.choose_share(Fraction(1), Fraction(2), step=Fraction(step), target=TARGET)
