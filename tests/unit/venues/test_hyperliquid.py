"""
Hyperliquid: the documented score and where it ranks shorts the wrong way round.
"""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.venues import VenueRefusal, hyperliquid

PRICES = st.integers(1, 10**6).map(Fraction)


@given(PRICES, PRICES, st.integers(-(10**6), 10**6), st.integers(1, 10**6))
def test_scores_agree_for_longs_and_turn_for_shorts(mark: Fraction, entry: Fraction, notional: int, value: int) -> None:
    terms = (Fraction(notional), Fraction(value))
    score = hyperliquid.documented_score(mark, entry, *terms)
    assert score == hyperliquid.profit_first_score(True, mark, entry, *terms)
    assert score * entry * value == mark * abs(notional)
    assert hyperliquid.profit_first_score(False, mark, entry, *terms) == hyperliquid.documented_score(
        entry, mark, *terms
    )


def test_of_two_shorts_the_one_with_more_profit_scores_lower_as_documented() -> None:
    one, two = (Fraction(1),) * 2
    small, large = Fraction(100), Fraction(120)
    mark = Fraction(90)
    assert hyperliquid.documented_score(mark, small, one, two) > hyperliquid.documented_score(mark, large, one, two)
    first = hyperliquid.profit_first_score
    assert first(False, mark, small, one, two) < first(False, mark, large, one, two)


@pytest.mark.parametrize(("entry", "value"), [(0, 1), (1, 0), (1, -5)])
def test_an_account_without_value_has_no_score(entry: int, value: int) -> None:
    with pytest.raises(VenueRefusal, match="must be above 0"):
        hyperliquid.documented_score(Fraction(1), Fraction(entry), Fraction(1), Fraction(value))
