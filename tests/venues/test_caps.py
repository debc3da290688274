"""
Leverage caps: who is concerned, and when.
"""

from decimal import Decimal

from tocsin.venues.caps import find_caps


def test_jurisdiction_and_date_choose() -> None:
    assert [c.cap for c in find_caps(jurisdiction="EU")] == [Decimal(2)]
    assert [c.cap for c in find_caps(jurisdiction="UK", at="2020-12-31")] == []
    assert [c.cap for c in find_caps(jurisdiction="UK", at="2021-01-06")] == [Decimal(0)]
    assert find_caps() == ()


def test_a_venues_own_cap_stands_beside_the_jurisdictions() -> None:
    found = find_caps(venue="binance", jurisdiction="JP")
    assert [(c.venue, c.cap) for c in found] == [("*", Decimal(2)), ("binance", Decimal(20))]
    assert find_caps(venue="binance", at="2021-07-18") == ()
    assert [c.cap for c in find_caps(venue="ftx", at="2022-01-01")] == [Decimal(20)]
    assert find_caps(venue="ftx") == ()


def test_every_row_names_its_source() -> None:
    venues = ("binance", "ftx", "whitebit")
    rows = {c for v in venues for j in ("EU", "UK", "JP") for c in find_caps(venue=v, jurisdiction=j, at="2022-01-01")}
    assert all(row.source for row in rows)
    assert len(rows) == 5
