"""
Brackets, the search for the liquidation price, dated parameters, the list of rulebooks.
"""

from decimal import Decimal
from importlib import resources
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.core.errors import ConfigError
from tocsin.venues import VenueRefusal
from tocsin.venues.contract import MissingInput, NoPrice
from tocsin.venues.exchange import Market, decode_terms, make_table
from tocsin.venues.liquidation import find_liquidation
from tocsin.venues.params import load, parse_time, suggest, versions
from tocsin.venues.registry import all_rulebooks, find_rulebook
from tocsin.venues.tiers import Tier, TierKind, TierTable, deductions, with_deductions

D = Decimal

RATES = (("0", "100", "0.01"), ("100", "1000", "0.02"), ("1000", None, "0.1"))


def table(kind: TierKind) -> TierTable:
    tiers = [
        Tier(number=i, floor=D(a), cap=None if b is None else D(b), rate=D(r)) for i, (a, b, r) in enumerate(RATES, 1)
    ]
    return TierTable(kind=kind, tiers=with_deductions(tiers))


def test_marginal_brackets_charge_each_slice_at_its_own_rate() -> None:
    charge = table(TierKind.MARGINAL).charge(D(1500))
    assert charge.amount == 100 * D("0.01") + 900 * D("0.02") + 500 * D("0.1")
    assert charge.tier.number == 3
    assert deductions(table(TierKind.MARGINAL).tiers) == (0, 1, 81)


def test_cliff_charges_the_whole_position() -> None:
    assert table(TierKind.CLIFF).charge(D(1500)).amount == 150
    assert table(TierKind.CLIFF).charge(D(100)).amount == 1
    assert table(TierKind.CLIFF).charge(D("100.01")).amount == D("2.0002")


def test_a_gap_between_brackets_is_refused() -> None:
    tiers = (Tier(number=1, floor=D(0), cap=D(5), rate=D(0)), Tier(number=2, floor=D(6), cap=None, rate=D(0)))
    with pytest.raises(VenueRefusal, match="bracket 2: floor must be 5"):
        TierTable(kind=TierKind.CLIFF, tiers=tiers)


sizes = st.decimals("0.001", "1000", places=3)
prices = st.decimals("1", "1000", places=2)


@given(
    size=sizes,
    entry=prices,
    share=st.decimals("0.05", "0.9", places=2),
    short=st.booleans(),
    kind=st.sampled_from(TierKind),
)
def test_the_gap_crosses_at_the_price_and_not_one_tick_before(
    size: D, entry: D, share: D, short: bool, kind: TierKind
) -> None:
    brackets = table(kind)
    q = -size if short else size
    wallet = size * entry * share

    def gap(p: D) -> D:
        return wallet + q * (p - entry) - brackets.charge(size * p).amount

    tick = D("0.001")
    towards = "up" if short else "down"
    found = find_liquidation(gap, mark=entry, towards=towards, edges=[e / size for e in brackets.edges()], tick=tick)
    if gap(entry) <= 0:
        assert found.reason is NoPrice.ALREADY_BELOW
    elif found.price is None:
        # Less than a tick above zero: no multiple of the tick is left.
        assert not short and gap(tick) > 0
    else:
        step = -tick if short else tick
        assert (
            gap(found.price) <= 0 < gap(min(found.price + step, entry) if not short else max(found.price + step, entry))
        )
        assert found.price % tick == 0


def test_the_reasons_for_no_price() -> None:
    def solve(slope: int, towards: str, mark: int = 10) -> object:
        return find_liquidation(lambda p: 1000 + slope * (p - 10), mark=D(mark), towards=towards).reason

    assert solve(0, "both") is NoPrice.HEDGED
    assert solve(1, "down") is NoPrice.FULLY_COLLATERALISED
    assert solve(1, "up") is NoPrice.NOT_ON_PATH
    assert find_liquidation(lambda p: p - 20, mark=D(10), towards="down").reason is NoPrice.ALREADY_BELOW


def test_a_jump_that_heals_further_on_is_found() -> None:
    # A long whose whole position enters a dearer bracket above 110: below the threshold there, above it from 121.25.
    def gap(p: D) -> D:
        return 3 + (p - 100) - p * (D("0.01") if p <= 110 else D("0.2"))

    edges = [D(110), D(200)]
    found = find_liquidation(gap, mark=D(100), towards="both", edges=edges, tick=D("0.01"))
    down = find_liquidation(gap, mark=D(100), towards="down", edges=edges, tick=D("0.01"))
    assert down.price == D("97.97")
    assert found.price == D("97.97")
    assert find_liquidation(gap, mark=D(109), towards="both", edges=edges, tick=D("0.01")).price == D("110.01")


def test_an_inverse_gap_is_met_to_the_last_digits() -> None:
    found = find_liquidation(lambda p: D("0.01") - 1000 * (1 / p - D("0.0001")), mark=D(10_000), towards="down")
    assert found.price is not None
    assert abs(found.price - 1000 / D("0.11")) < D("1e-7")


def test_times_and_near_names() -> None:
    assert parse_time("1600000000000") == parse_time("2020-09-13T12:26:40Z")
    assert parse_time("2025-09") == parse_time("2025-09-01")
    with pytest.raises(VenueRefusal, match="was 'soon'"):
        parse_time("soon")
    assert suggest("BTCUSTD", ["BTCUSDT", "ETHUSDT"]).startswith("; did you mean BTCUSDT")


def test_an_unknown_rulebook_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="unknown rulebook 'binance-usd'"):
        find_rulebook("binance-usd")


def test_the_version_in_force_at_a_time_is_taken() -> None:
    assert load("binance", "portfolio_margin").valid_from == "2024-01-01"
    assert load("binance", "portfolio_margin", "2023-06-01").valid_from == "2022-04-18"
    assert load("binance", "portfolio_margin", "1700000000000").valid_from == "2022-04-18"
    early = load("binance", "portfolio_margin", "2020-01-01")
    assert (early.valid_from, early.is_in_force) == ("2022-04-18", False)
    assert early.basis("f").notes == ("no version covers the time of the account; the nearest is used",)
    assert load("binance", "portfolio_margin", "2023-06-01").is_in_force


def test_what_is_not_in_a_set_is_named_with_the_nearest() -> None:
    found = load("binance", "portfolio_margin")
    assert found.number("liquidation") == D("1.05")
    with pytest.raises(MissingInput, match=r"liquidaton is missing: not in .*did you mean liqui"):
        found.get("liquidaton")
    with pytest.raises(MissingInput, match="has no number there"):
        found.number("thresholds")
    with pytest.raises(ConfigError, match="no parameters binance/colateral are shipped; did you mean collateral"):
        load("binance", "colateral")


def test_every_shipped_set_has_its_head_and_is_read_without_floats() -> None:
    root = resources.files("tocsin.venues") / "data"
    count = 0
    for folder in root.iterdir():
        if not folder.is_dir():
            continue
        names = {f.name.partition(".")[0] for f in folder.iterdir() if f.name.endswith(".json")}
        for name in sorted(names):
            for found in versions(folder.name, name):
                count += 1
                assert found.source and found.what and found.authenticity, (folder.name, name)
                assert not holds_float(found.values), (folder.name, name)
    assert count > 40


def holds_float(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(holds_float, value.values()))
    if isinstance(value, list):
        return any(map(holds_float, value))
    return isinstance(value, float)


def test_every_rulebook_has_a_unique_name_of_its_module_and_a_page() -> None:
    books = all_rulebooks()
    names = [book.name for book in books]
    assert len(names) == len(set(names)) > 20
    pages = Path(__file__).parents[2] / "docs" / "venues"
    for book in books:
        assert find_rulebook(book.name) is book
        assert not book.page or (pages / book.page).is_file(), (book.name, book.page)


def test_a_slip_in_a_venues_own_files_is_named() -> None:
    terms = load("backpack", "terms")
    values = {**terms.values, "fee_rat": "0.0005"}
    with pytest.raises(ConfigError, match=r"backpack/terms of .*fee_rat"):
        decode_terms(msgspec.structs.replace(terms, values=values))
    with pytest.raises(ConfigError, match=r"backpack/terms of .*maintenance_of"):
        decode_terms(msgspec.structs.replace(terms, values={**terms.values, "maintenance_of": "mrk"}))
    row = (None, D("0.01"), D(0))
    with pytest.raises(VenueRefusal, match="bracket 1: max_leverage must be above 0, was 0"):
        make_table(Market(rows=(row,), kind=TierKind.MARGINAL))
