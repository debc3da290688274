"""
Value at risk and expected shortfall: conventions, closed forms, filtered histories.
"""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.core.errors import DataError
from tocsin.risk.shortfall import (
    atomic_shortfall,
    filter_history,
    normal_tail,
    sample_tail,
    student_tail,
    worst_tail,
)

LOSSES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60)
TAILS = st.fractions(Fraction(1, 200), 1)


def test_normal_and_student_closed_forms() -> None:
    assert normal_tail(0.975) == pytest.approx((1.959963984540054, 2.3378027922014133), rel=1e-12)
    assert normal_tail(0.99, mean=-1.0, deviation=2.0) == pytest.approx((3.652695748081682, 4.330428441), rel=1e-9)
    assert student_tail(0.975, 4) == pytest.approx((2.7764451051977987, 3.99355702), rel=1e-8)
    assert student_tail(0.99, 1e6) == pytest.approx(tuple(normal_tail(0.99)), rel=1e-5)


def test_the_quantile_convention_is_the_kth_worst() -> None:
    losses = [5.4, 4.1, 3.2] + [0.0] * 17
    assert sample_tail(losses, Fraction(1, 10)) == (4.1, 4.75)
    assert sample_tail(losses, Fraction(11, 100))[0] == 3.2
    assert worst_tail([5.4, 4.1], 20, Fraction(1, 10)) == (4.1, 4.75)


def test_the_atom_is_a_part_of_one_loss() -> None:
    losses = [float(i) for i in range(1, 101)]
    assert atomic_shortfall(losses, Fraction(25, 1000)) == pytest.approx((100 + 99 + 0.5 * 98) / 2.5)
    assert atomic_shortfall(losses, Fraction(1)) == pytest.approx(50.5)


@given(LOSSES, TAILS)
def test_shortfall_is_no_less_than_var_and_the_two_conventions_agree_on_whole_tails(
    losses: list[float], tail: Fraction
) -> None:
    found = sample_tail(losses, tail)
    assert found.es >= found.var - 1e-6
    assert atomic_shortfall(losses, tail) >= found.es - 1e-6
    whole = Fraction(max(1, int(len(losses) * tail)), len(losses))
    assert atomic_shortfall(losses, whole) == pytest.approx(sample_tail(losses, whole).es, abs=1e-6)


@given(LOSSES, TAILS, st.data())
def test_shortfall_is_subadditive(one: list[float], tail: Fraction, data: st.DataObject) -> None:
    two = data.draw(st.lists(st.floats(-1e6, 1e6), min_size=len(one), max_size=len(one)))
    both = [a + b for a, b in zip(one, two, strict=True)]
    assert atomic_shortfall(both, tail) <= atomic_shortfall(one, tail) + atomic_shortfall(two, tail) + 1e-3


def test_filtered_history_rescales_to_the_last_volatility() -> None:
    found = filter_history([0.01, -0.02, 0.015, -0.03, 0.005, 0.04, -0.025, 0.01], 0.97)
    assert found.sigma_next == pytest.approx(0.013694105075934536, rel=1e-13)
    assert min(found.returns) == pytest.approx(-0.038736221618642756, rel=1e-13)
    quiet = filter_history([0.01, 0.01, 0.01], 0.9)
    assert quiet.returns == pytest.approx([0.01] * 3) and quiet.sigma_next == pytest.approx(0.01)


def test_what_cannot_be_answered_is_refused() -> None:
    for call in (
        lambda: sample_tail([], Fraction(1, 2)),
        lambda: sample_tail([1.0], Fraction(0)),
        lambda: worst_tail([1.0], 100, Fraction(1, 10)),
        lambda: atomic_shortfall([], Fraction(1, 2)),
        lambda: student_tail(0.9, 1.0),
        lambda: normal_tail(0.9, deviation=-1.0),
        lambda: filter_history([0.0, 1.0], 0.9),
        lambda: filter_history([1.0], 1.0),
    ):
        with pytest.raises(DataError):
            call()
