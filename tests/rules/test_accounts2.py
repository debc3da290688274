"""
Rules AC-030 to AC-034: classes, modes, owners; mirrored.
"""

import msgspec
import pytest

from tests.helpers.broad import broad_sheet
from tests.helpers.worlds import ALT, LINEAR, MINUTE, USDT, Driver, small_sheet
from tests.rules.test_money import cut, marks, money_sheet, told, world
from tocsin.accounts.leaf import decode_leaf, encode_leaf
from tocsin.accounts.plain import PlainStore
from tocsin.accounts.store import RowKind, Rows
from tocsin.core.errors import Reason
from tocsin.engine import commands as cm
from tocsin.margin.state import AccountClass, AccountState, Mode
from tocsin.margin.valuation import Valuation
from tocsin.sheet import terms as t
from tocsin.sheet.marks import Grade, Mark, Marks

replace = msgspec.structs.replace
sides = pytest.mark.parametrize("side", [1, -1])


class Desk:
    """A store under the broad sheet (with portfolio components) with account 1."""

    def __init__(self, sheet=None, mode=Mode.CROSS, usdt=10**9):
        sheet = sheet or broad_sheet()
        entries = {c.id: Mark(-100_000 if c.id == 3 else 10**8, 0, Grade.FRESH, 0) for c in sheet.contracts}
        entries[ALT] = Mark(10**7, 0, Grade.FRESH, 0)
        self.store = PlainStore(Valuation(sheet, Marks(entries, {1: 10**6, 2: 10**9})))
        self.row(RowKind.OPEN, 0, 77, mode)
        self.row(RowKind.CASH, USDT, usdt)

    def row(self, kind, key=0, *columns):
        rows = Rows()
        rows.add(kind, 1, key, *columns)
        done = self.store.apply(rows)
        return done.reason[0], done.x[0], done.y[0]

    @property
    def account(self):
        return self.store.read(1)


# ---- classes ----------------------------------------------------------------------------------------------


def test_ac_030_class_and_recourse_are_for_good():
    """AC-030, AC-002: part of the leaf."""
    driver = world()
    driver.ok(cm.OpenAccount, account=1, root=1, kind=AccountClass.VAULT, recourse=True)
    cut(driver)
    state = driver.engine.read(1)
    assert (state.kind, state.recourse) == (AccountClass.VAULT, True)
    assert decode_leaf(encode_leaf(state)) == state


@sides
@pytest.mark.parametrize("kind", [AccountClass.CLIENT, AccountClass.MARKET_MAKER])
def test_ac_030_who_is_called(side, kind):
    """AC-030: under the broad sheet a market maker is not; both are liquidated."""
    driver = world(money_sheet(classes=broad_sheet().classes), [(2, 10**12)])
    driver.ok(cm.OpenAccount, account=1, root=1, kind=kind)
    driver.ok(cm.Deposit, account=1, asset=USDT, amount=130_000_000)
    driver.fill(*(1, 2)[::side], 10, 10**9)
    cut(driver)
    driver.marks(linear=10**8 - side * 9_500_000)
    cut(driver)
    assert [a for a, _ in told(cut(driver), "call_issued")] == ([1] if kind == AccountClass.CLIENT else [])
    driver.marks(linear=10**8 - side * 11_500_000)
    cut(driver)
    assert [a for a, _ in told(cut(driver), "reduction_started")] == [1]


@pytest.mark.parametrize(("field", "kind"), [("deleveraged", "lot_candidates"), ("shares_losses", "money_candidates")])
@sides
def test_ac_030_who_closes_lots_and_who_shares_losses(field, kind, side):
    """AC-030: winner 3's class does not, winner 2's does; both hold the other side."""
    no = t.ClassTerms(**{field: False})
    policy = t.WaterfallPolicy(adl_after_cycles=0, money=t.Allocation.PRO_RATA)
    driver = world(money_sheet(classes=(t.CLASS, no, t.CLASS, t.CLASS), waterfall=policy))
    for account, whose in ((1, 0), (2, 0), (3, 1)):
        driver.ok(cm.OpenAccount, account=account, root=account, kind=AccountClass(whose))
        driver.ok(cm.Deposit, account=account, asset=USDT, amount=10**8 if account == 1 else 10**11)
    for winner in (2, 3):
        driver.fill(*(1, winner)[::side], 10, 10**9)
    cut(driver)
    driver.marks(linear=10**8 - side * 40_000_000)
    told_of = {"adl": [], "haircut": []}
    for _ in range(5):
        for name, account, _ in cut(driver):
            if name in told_of:
                told_of[name].append(account)
    mine, other = ("adl", "haircut") if field == "deleveraged" else ("haircut", "adl")
    assert set(told_of[mine]) == {2}, kind
    assert set(told_of[other]) == {2, 3}


# ---- modes ------------------------------------------------------------------------------------------------


@sides
def test_ac_033_a_mode_is_entered_at_initial(side):
    """AC-033: 10 lots cross need max(tiered 40, charge 80) + add-ons; under portfolio the worst scenario decides."""
    desk = Desk(usdt=200_000_000)
    desk.row(RowKind.TRADE, LINEAR, 10 * side, 10 * side * 10**8)
    reason, needed, equity = desk.row(RowKind.MODE, 0, Mode.PORTFOLIO)
    assert (reason, equity) == (Reason.OK, 200_000_000)
    # -15 % of 1,000 x 1.2 = 180; the charge of 80 is less.
    assert needed == 180_000_000
    assert desk.account.mode == Mode.PORTFOLIO
    poor = Desk(usdt=179_999_999)
    poor.row(RowKind.TRADE, LINEAR, 10 * side, 10 * side * 10**8)
    assert poor.row(RowKind.MODE, 0, Mode.PORTFOLIO) == (Reason.INSUFFICIENT_MARGIN, 180_000_000, 179_999_999)
    assert poor.account.mode == Mode.CROSS


@sides
def test_ac_033_isolated_means_one_contract(side):
    """AC-033: positions and orders both count."""
    desk = Desk()
    desk.row(RowKind.TRADE, LINEAR, side, side * 10**8)
    desk.row(RowKind.HOLD, ALT, *((1, 0)[::side]))
    assert desk.row(RowKind.MODE, 0, Mode.ISOLATED)[0] is Reason.CONTRACT_NOT_ALLOWED
    desk.row(RowKind.HOLD, ALT, 0, 0)
    assert desk.row(RowKind.MODE, 0, Mode.ISOLATED)[0] is Reason.OK
    assert desk.row(RowKind.CHECK, ALT, side)[0] is Reason.CONTRACT_NOT_ALLOWED


def test_ac_033_external_and_portfolio_where_there_is_none():
    """AC-033, AC-002"""
    outside = Desk(mode=Mode.EXTERNAL)
    assert outside.row(RowKind.MODE, 0, Mode.CROSS)[0] is Reason.MODE_NOT_ALLOWED
    desk = Desk()
    assert desk.row(RowKind.MODE, 0, Mode.EXTERNAL)[0] is Reason.MODE_NOT_ALLOWED
    plain = Desk(replace(broad_sheet(), portfolio=None))
    assert plain.row(RowKind.MODE, 0, Mode.PORTFOLIO)[0] is Reason.MODE_NOT_ALLOWED
    rows = Rows()
    rows.add(RowKind.OPEN, 2, 0, 77, Mode.PORTFOLIO)
    assert plain.store.apply(rows).reason == [Reason.MODE_NOT_ALLOWED]


@sides
def test_ac_033_not_while_a_case_is_open(side):
    """AC-033: an account that is called keeps its mode."""
    driver = world(money_sheet(), [(1, 130_000_000), (2, 10**12)])
    driver.fill(*(1, 2)[::side], 10, 10**9)
    cut(driver)
    driver.marks(linear=10**8 - side * 9_500_000)
    cut(driver)
    assert told(cut(driver), "call_issued")
    driver.ok(cm.ChangeMode, account=1, mode=Mode.ISOLATED)
    driver.ok(cm.ChangeMode, account=2, mode=Mode.ISOLATED)
    events = cut(driver)
    assert [(a, f["reason"]) for a, f in told(events, "refused")] == [(1, "R-4003")]
    assert [a for a, _ in told(events, "mode_changed")] == [2]


# ---- owners -----------------------------------------------------------------------------------------------


@sides
def test_ac_034_accounts_are_told_what_their_owner_holds(side):
    """AC-034: with the opening after the close; in absolute lots, whatever the side; links may end."""
    driver = world(money_sheet(), [(1, 10**10), (2, 10**10), (3, 10**10)], shards=3)
    for account in (1, 2):
        driver.ok(cm.LinkOwner, account=account, owner=5)
    driver.fill(*(1, 3)[::side], 10, 10**9)
    driver.fill(*(2, 3)[::-side], 4, 4 * 10**7, ALT)
    cut(driver)
    assert driver.engine.read(1).others == {}
    cut(driver)
    assert (driver.engine.read(1).others, driver.engine.read(2).others) == ({ALT: 4}, {LINEAR: 10})
    assert driver.engine.read(3).others == {}
    driver.ok(cm.LinkOwner, account=2, owner=0)
    cut(driver)
    assert (driver.engine.read(1).others, driver.engine.read(2).others) == ({ALT: 4}, {})
    cut(driver)
    assert driver.engine.read(1).others == {}


@sides
def test_ac_034_the_position_cap_is_the_owners(side):
    """AC-034: of 100,000 lots the owner holds 60 elsewhere; orders that reduce pass."""
    desk = Desk(small_sheet(), usdt=10**15)
    cap = 100_000
    desk.row(RowKind.TRADE, LINEAR, 10 * side, 10 * side * 10**8)
    desk.row(RowKind.OTHERS, LINEAR, 60)
    assert desk.row(RowKind.CHECK, LINEAR, side * (cap - 70))[0] is Reason.OK
    assert desk.row(RowKind.CHECK, LINEAR, side * (cap - 69)) == (Reason.POSITION_CAP, cap + 1, cap)
    desk.row(RowKind.OTHERS, LINEAR, cap)
    assert desk.row(RowKind.CHECK, LINEAR, -10 * side)[0] is Reason.OK
    assert desk.row(RowKind.CHECK, LINEAR, -11 * side)[0] is Reason.POSITION_CAP


def test_ac_034_links_survive_a_snapshot_and_are_no_part_of_the_root():
    """AC-034: the owner is in the leaf; what others hold is told with each opening and is not."""
    state = AccountState(1, 7, owner=5, others={LINEAR: 4})
    assert decode_leaf(encode_leaf(state)) == replace_others(state)
    driver = Driver(money_sheet())
    marks(driver)
    driver.cut()
    driver.open(1, root=7)
    driver.ok(cm.LinkOwner, account=1, owner=9)
    driver.cut(MINUTE)
    assert (driver.engine.read(1).root, driver.engine.read(1).owner) == (7, 9)


def replace_others(state):
    """Return the account without what others hold."""
    out = state.copy()
    out.others = {}
    return out
