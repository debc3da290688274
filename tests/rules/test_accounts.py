"""
Rules AC: rows and entry sums, mirrored.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.small import ALT, BTC, COIN, PERP, USD, make_sheet, value
from tocsin.accounts.booking import book_fill
from tocsin.accounts.plain import PlainStore, is_reducing
from tocsin.accounts.store import RowKind, Rows
from tocsin.core.errors import Reason
from tocsin.core.limits import POSITIONS_MAX
from tocsin.margin.state import AccountState, Level, Mode
from tocsin.margin.valuation import Valuation
from tocsin.sheet.marks import Grade, Mark, Marks

sides = pytest.mark.parametrize("side", [1, -1])


class Desk:
    """A store with account 1 (cross), account 2 (isolated), and one row at a time."""

    def __init__(self, usd: int = 0) -> None:
        self.store = PlainStore(value())
        self.row(RowKind.OPEN, 0, 77, Mode.CROSS)
        self.row(RowKind.OPEN, 0, 77, Mode.ISOLATED, account=2)
        if usd:
            self.row(RowKind.CASH, USD, usd)

    def row(self, kind: RowKind, key: int, *columns: int, account: int = 1) -> tuple[Reason, int, int]:
        rows = Rows()
        rows.add(kind, account, key, *columns)
        done = self.store.apply(rows)
        return done.reason[0], done.x[0], done.y[0]

    def trade(self, contract: int, lots: int, **columns: int) -> Reason:
        mark = 100_000 if contract != COIN else -100_000
        account = columns.pop("account", 1)
        return self.row(RowKind.TRADE, contract, lots, lots * mark, *columns.values(), account=account)[0]

    @property
    def account(self) -> AccountState:
        return self.store.read(1)


def test_ac_001_rows_in_order_and_unknown_accounts() -> None:
    """AC-001: each row has a result; a refused one changes nothing."""
    desk = Desk()
    rows = Rows()
    rows.add(RowKind.CASH, 1, USD, 5)
    rows.add(RowKind.CASH, 9, USD, 5)
    rows.add(RowKind.CASH, 1, 9, 5)
    rows.add(RowKind.CASH, 1, USD, 5)
    done = desk.store.apply(rows)
    assert done.reason == [Reason.OK, Reason.UNKNOWN_ACCOUNT, Reason.UNKNOWN_ASSET, Reason.OK]
    assert done.x == [5, 0, 0, 10]
    assert desk.account.cash == {USD: 10}


def test_ac_002_an_id_is_used_once() -> None:
    """AC-002"""
    desk = Desk()
    assert desk.row(RowKind.OPEN, 0, 78, 0)[0] is Reason.ACCOUNT_EXISTS
    assert (desk.account.root, desk.account.mode, desk.store.read(2).mode) == (77, Mode.CROSS, Mode.ISOLATED)


def test_ac_003_debits_are_never_refused() -> None:
    """AC-003: a credit into a negative balance neither, whatever the bound."""
    desk = Desk()
    assert desk.row(RowKind.CASH, USD, -(2**59)) == (Reason.OK, -(2**59), 0)
    assert desk.row(RowKind.CASH, USD, 1)[0] is Reason.OK
    assert desk.row(RowKind.CASH, USD, 2**60)[0] is Reason.ADMISSION_BOUND
    assert desk.account.cash == {USD: 1 - 2**59}


@sides
def test_ac_004_a_trade_and_its_holds(side: int) -> None:
    """AC-004: results are the position and the change of cash; -1 leaves a hold."""
    desk = Desk()
    assert desk.row(RowKind.TRADE, PERP, side * 3, side * 300_000, 4, 5) == (Reason.OK, side * 3, 0)
    assert desk.account.holds == {PERP: (4, 5)}
    assert desk.row(RowKind.TRADE, PERP, -side, -side * 100_000 - 7, -1, 0) == (Reason.OK, side * 2, 7)
    assert desk.account.holds == {PERP: (4, 0)}
    assert desk.account.positions == {PERP: (side * 2, side * 200_000)}
    assert desk.account.cash == {USD: 7}


@sides
def test_ac_005_what_cannot_be_booked(side: int) -> None:
    """AC-005: value beyond the cap, position beyond its cap unless it shrinks, an isolated account's second."""
    desk = Desk()
    assert desk.row(RowKind.TRADE, PERP, side, side * 1_000_001)[0] is Reason.OUT_OF_RANGE
    assert desk.row(RowKind.TRADE, PERP, side, -side * 1_000_001)[0] is Reason.OUT_OF_RANGE
    assert desk.trade(PERP, side * 1_001) is Reason.POSITION_CAP
    assert desk.trade(PERP, side * 1_000) is Reason.OK
    assert desk.trade(PERP, side) is Reason.POSITION_CAP
    assert desk.trade(PERP, -side * 2_001) is Reason.POSITION_CAP
    assert desk.trade(PERP, -side * 2_000) is Reason.OK
    assert desk.account.positions == {PERP: (-side * 1_000, -side * 100_000_000)}
    assert desk.trade(PERP, side, account=2) is Reason.OK
    assert desk.trade(ALT, side, account=2) is Reason.CONTRACT_NOT_ALLOWED
    assert desk.trade(PERP, -side, account=2) is Reason.OK
    assert desk.trade(ALT, side, account=2) is Reason.OK


def many_contracts() -> Valuation:
    """A valuation with contracts 1 to 70."""
    from msgspec.structs import replace

    sheet = make_sheet()
    contracts = tuple(replace(sheet.contracts[0], id=i, symbol=f"C{i}") for i in range(1, 71))
    marks = {i: Mark(100_000, 0, Grade.FRESH, 0) for i in range(1, 71)}
    return Valuation(replace(sheet, contracts=contracts), Marks(marks, {USD: 1_000_000}))


@sides
def test_ac_005_and_ac_010_sixty_four_contracts(side: int) -> None:
    """AC-005, AC-010: a 65th position or hold is refused; one reported with a fill is not kept."""
    desk = Desk()
    desk.store.set_valuation(many_contracts())
    for contract in range(1, POSITIONS_MAX + 1):
        assert desk.trade(contract, side) is Reason.OK
        assert desk.row(RowKind.HOLD, contract, 1, 1)[0] is Reason.OK
    assert desk.trade(65, side) is Reason.POSITIONS_MAX
    assert desk.row(RowKind.HOLD, 65, 1, 1)[0] is Reason.POSITIONS_MAX
    assert desk.trade(1, -side) is Reason.OK
    assert desk.trade(65, side, bid=3, ask=3) is Reason.OK
    assert 65 not in desk.account.holds


@pytest.mark.parametrize(
    ("usd", "lots", "bid", "pnl", "possible"),
    [
        (50_000, 0, 0, 0, 50_000),  # cash
        (50_000, 2, 0, 0, 30_000),  # initial 20,000
        (50_000, 2, 1, 0, 20_000),  # with the order 30,000
        (50_000, 2, 0, 9_000, 39_000),  # a gain is headroom
        (50_000, 2, 0, -9_000, 21_000),  # a loss is not
        (25_000, 2, 0, 90_000, 25_000),  # never more than cash
        (19_999, 2, 0, 0, 0),
    ],
)
@sides
def test_ac_006_withdrawals(side: int, usd: int, lots: int, bid: int, pnl: int, possible: int) -> None:
    """AC-006: min(wanted, cash, balance, initial headroom); the entry makes the P&L, the mark stays."""
    desk = Desk(usd)
    if lots:
        desk.row(RowKind.TRADE, PERP, side * lots, side * lots * 100_000 - pnl)
    if bid:
        desk.row(RowKind.HOLD, PERP, *((bid, 0) if side > 0 else (0, bid)))
    if possible:
        assert desk.row(RowKind.WITHDRAW, USD, possible + 1) == (Reason.OK, possible, possible)
        assert desk.account.in_transit == {USD: possible}
    assert desk.row(RowKind.WITHDRAW, USD, 1) == (Reason.INSUFFICIENT_MARGIN, 1, 0)


def test_ac_006_haircut_tiers_count() -> None:
    """AC-006: of 2,000 BTC the last 1,000 count 75 % of 2: 500 units free 750."""
    desk = Desk()
    desk.row(RowKind.CASH, BTC, 2_000)
    desk.row(RowKind.CASH, USD, -2_000)  # costs 2,200
    # Equity 1,800 + 1,500 - 2,200 = 1,100: 733 of the second tier are 1,099.5, one more would be 1,101.
    assert desk.row(RowKind.WITHDRAW, BTC, 2_000) == (Reason.OK, 733, 733)


def test_ac_007_release_and_recall() -> None:
    """AC-007"""
    desk = Desk(100)
    desk.row(RowKind.WITHDRAW, USD, 60)
    assert desk.row(RowKind.RELEASE, USD, 20) == (Reason.OK, 20, 40)
    assert desk.row(RowKind.RECALL, USD) == (Reason.OK, 40, 0)
    assert (desk.account.cash, desk.account.in_transit) == ({USD: 80}, {})


@sides
def test_ac_008_order_checks(side: int) -> None:
    """AC-008: what reduces passes whatever equity is; else equity must cover initial; b = 1 only reduces."""
    desk = Desk(50_000)
    desk.trade(PERP, side * 4)  # initial 40,000
    assert desk.row(RowKind.CHECK, PERP, side, 0) == (Reason.OK, 50_000, 50_000)
    assert desk.row(RowKind.CHECK, PERP, side * 2, 0) == (Reason.INSUFFICIENT_MARGIN, 60_000, 50_000)
    assert desk.row(RowKind.CHECK, PERP, side * 997, 0)[0] is Reason.POSITION_CAP
    assert desk.row(RowKind.CHECK, PERP, side, 1)[0] is Reason.REDUCE_ONLY
    assert desk.row(RowKind.CHECK, PERP, -side * 5, 1)[0] is Reason.REDUCE_ONLY
    desk.row(RowKind.CASH, USD, -49_999)
    assert desk.row(RowKind.CHECK, PERP, -side * 4, 0) == (Reason.OK, 40_000, 1)
    assert desk.row(RowKind.CHECK, PERP, -side * 4, 1)[0] is Reason.OK
    assert desk.row(RowKind.CHECK, PERP, -side * 5, 0) == (Reason.INSUFFICIENT_MARGIN, 40_000, 1)
    assert desk.account.holds == {}


@pytest.mark.parametrize(("after", "reduces"), [(3, True), (2, True), (0, True), (-1, False), (4, False)])
@sides
def test_ac_009_reducing(side: int, after: int, reduces: bool) -> None:
    """AC-009"""
    assert is_reducing(side * 3, side * after) is reduces


@sides
def test_ac_010_holds(side: int) -> None:
    """AC-010: within the cap around the position; nothing resting leaves no hold."""
    desk = Desk()
    desk.trade(PERP, side * 10)

    def hold(same: int, other: int) -> Reason:
        return desk.row(RowKind.HOLD, PERP, *((same, other) if side > 0 else (other, same)))[0]

    assert hold(990, 1_010) is Reason.OK
    assert hold(991, 0) is Reason.POSITION_CAP
    assert hold(0, 1_011) is Reason.POSITION_CAP
    assert hold(0, 0) is Reason.OK
    assert desk.account.holds == {}


@sides
def test_ac_011_take(side: int) -> None:
    """AC-011"""
    desk = Desk(5)
    desk.row(RowKind.TRADE, PERP, side * 3, side * 299_990)
    desk.store.set_valuation(value(perp=100_100, funding=30))
    # 3 x (100,100 - 30) - 299,990 = 220 for the long.
    assert desk.row(RowKind.TAKE, PERP) == (Reason.OK, side * 3, side * 300_210)
    assert desk.account.cash == {USD: 5 + side * 220}
    assert desk.account.positions == {}


@sides
def test_ac_012_levels_are_set_when_asked(side: int) -> None:
    """AC-012"""
    desk = Desk(50_000)
    desk.trade(PERP, side * 8)
    desk.row(RowKind.CASH, USD, 7, account=2)
    assert desk.account.level is Level.CALM
    assert desk.store.crossings([2]) == []
    assert desk.store.crossings() == [(1, Level.CALM, Level.INITIAL)]
    assert desk.store.crossings() == []


@sides
def test_ac_020_funding_before_the_fill(side: int) -> None:
    """AC-020: w = v - delta x F."""
    assert book_fill(0, 0, side * 2, side * 200, 7) == (side * 2, side * 186, 0)
    assert book_fill(side * 2, side * 186, side, side * 100, -5) == (side * 3, side * 291, 0)


@sides
@pytest.mark.parametrize(
    ("lots", "entry", "delta", "value_", "expected"),
    [
        (2, 200, 1, 103, (3, 303, 0)),  # AC-021
        (3, 100, -2, -80, (1, 34, 14)),  # AC-022: p = 66.7 -> 66
        (3, -100, -2, -80, (1, -34, 146)),  # p = -66.7 -> -66
        (3, 100, -3, -80, (0, 0, -20)),
        (2, 100, -3, -200, (-1, -67, 33)),  # AC-023: w_c = -133.3 -> -133
        (2, 100, -3, 200, (-1, 67, -233)),
    ],
)
def test_ac_021_to_ac_023_booking(side: int, lots: int, entry: int, delta: int, value_: int, expected: tuple) -> None:
    """AC-021, AC-022, AC-023: mirrored, lots and entry sum change sign and so does cash."""
    booked = book_fill(side * lots, side * entry, side * delta, side * value_, 0)
    assert booked == tuple(side * x for x in expected)


@given(
    st.integers(1, 50),
    st.lists(st.tuples(st.integers(-40, 40).filter(bool), st.integers(-50, 50), st.integers(-50, 50)), max_size=30),
)
def test_ac_024_the_bound_of_entry_sums(cap: int, fills: list[tuple[int, int, int]]) -> None:
    """AC-024: |e| <= 2 caps x |q| after any fills, flat leaves nothing, and cash less entry sum moves by -w."""
    lots = entry = 0
    for delta, mark, funding in fills:
        mark, funding = max(-cap, min(cap, mark)), max(-cap, min(cap, funding))
        after, new, cash = book_fill(lots, entry, delta, delta * mark, funding)
        assert after == lots + delta
        assert cash - (new - entry) == -(delta * mark - delta * funding)
        lots, entry = after, new
        assert abs(entry) <= 2 * cap * abs(lots)
