"""
Percolator: backed profit is never more than what is there; a crisis leaves no deficit while there is equity.
"""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.venues import percolator

AMOUNTS = st.integers(0, 10**15)


@given(AMOUNTS, AMOUNTS, AMOUNTS, st.lists(st.integers(-(10**12), 10**12), max_size=6))
def test_backed_profit_is_what_the_vault_holds_beyond_capital(
    vault: int, capital: int, insurance: int, profits: list[int]
) -> None:
    terms = [Fraction(n) for n in (vault, capital, insurance)]
    haircut = percolator.profit_haircut(*terms, [Fraction(p) for p in profits])
    assert 0 <= haircut <= 1
    gained = sum(p for p in profits if p > 0)
    assert haircut * gained == min(gained, max(0, vault - capital - insurance))
    if not gained:
        assert haircut == 1


@given(AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS)
def test_a_crisis_takes_stage_by_stage_and_leaves_no_deficit(
    principal: int, realised: int, warming: int, insurance: int, collateral: int
) -> None:
    before = percolator.Totals(principal, realised, warming, insurance, collateral)
    done = percolator.apply_crisis(before)
    assert done.after.deficit == 0
    assert done.burned_warming == min(before.deficit, warming) and done.after.warming == warming - done.burned_warming
    if done.insurance_draw:
        assert done.after.warming == 0
    assert done.after.insurance == insurance - done.insurance_draw
    if not before.deficit:
        assert done == (0, 0, 0, before)
    for old, new in ((principal, done.after.principal), (realised, done.after.realised)):
        assert 0 <= new <= old
        assert abs(new - old * (1 - Fraction(done.equity_ratio, 2**64))) < 1


@pytest.mark.parametrize(
    ("totals", "burned", "draw", "ratio"),
    [
        ((1_000, 0, 0, 0, 800), 0, 0, Fraction(1, 5)),
        ((1_000, 0, 500, 0, 1_200), 300, 0, 0),
        # Insurance counts as an asset: 200 missing before the draw of 150, 350 after.
        ((1_000, 0, 0, 150, 650), 0, 150, Fraction(7, 20)),
        ((1_000, 0, 200, 500, 0), 200, 500, 1),
        ((0, 0, 100, 0, 0), 100, 0, 0),
    ],
)
def test_worked_crises(totals: tuple[int, ...], burned: int, draw: int, ratio: Fraction) -> None:
    done = percolator.apply_crisis(percolator.Totals(*totals))
    assert (done.burned_warming, done.insurance_draw, done.equity_ratio) == (burned, draw, ratio * 2**64 // 1)
