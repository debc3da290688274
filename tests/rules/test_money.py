"""
Rules of money: spot, transfers, fees, loans and interest, conversions, recourse, the lending preset; mirrored.
"""

from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.checks import check_all
from tests.helpers.worlds import ALT, BTC, LINEAR, MINUTE, USDT, Driver, small_sheet
from tocsin.accounts.plain import PlainStore
from tocsin.accounts.store import RowKind, Rows
from tocsin.core.errors import Reason, Refused, SheetError
from tocsin.core.ids import GLOBAL_FUND, INTEREST, OPERATOR, TRANSIT, error_account
from tocsin.core.limits import CASH_MAX
from tocsin.engine import commands as cm
from tocsin.engine.lending import INTEREST_SCALE, YEAR_NS, yearly_rate_ppm
from tocsin.margin.levels import compute_level
from tocsin.margin.state import AccountClass, AccountState, Level, Mode
from tocsin.margin.valuation import Valuation
from tocsin.sheet import terms as t
from tocsin.sheet.marks import Grade, Mark, Marks
from tocsin.sheet.presets import LoanTerms, lending_sheet
from tocsin.sheet.validate import validate_sheet

replace = msgspec.structs.replace
sides = pytest.mark.parametrize("side", [1, -1])

SPOT = 9
LENT = t.BorrowTerms(500_000_000, 50_000, 800_000, 200_000, 3_000_000, reserve_ppm=100_000, close_ppm=500_000)


def money_sheet(**changes):
    """The small sheet whose assets are lent, with fees on LINEAR and a spot contract: 0.001 BTC a lot for USDT."""
    base = small_sheet()
    usdt, btc = base.assets
    borrow = changes.pop("borrow", LENT)
    assets = (replace(usdt, borrow=borrow), replace(btc, borrow=borrow and replace(borrow, account_cap=1_000_000)))
    linear = replace(base.contracts[0], trade_fee_cap_ppm=1_000)
    spot = t.ContractTerms(
        SPOT, "BTC/USDT", t.Kind.SPOT, USDT, 10, 500_000_000, 10_000, (t.Tier(0, 20_000),), base=BTC,
        base_units=100_000, trade_fee_cap_ppm=1_000,
    )  # fmt: skip
    contracts = (linear, *base.contracts[1:], spot)
    return validate_sheet(replace(base, assets=assets, contracts=contracts, **changes))


class Desk:
    """A store with account 1 at the marks of the small worlds, one row at a time."""

    def __init__(self, sheet=None, **cash):
        entries = {c.id: (-100_000 if c.kind == t.Kind.INVERSE else 10**8) for c in small_sheet().contracts}
        entries |= {ALT: 10**7, SPOT: 10**8}
        marks = Marks({c: Mark(m, 0, Grade.FRESH, 0) for c, m in entries.items()}, {USDT: 10**6, BTC: 10**9})
        self.store = PlainStore(Valuation(sheet or money_sheet(), marks))
        self.row(RowKind.OPEN, 0, 77, 0)
        for asset, units in ((USDT, cash.get("usdt", 0)), (BTC, cash.get("btc", 0))):
            if units:
                self.row(RowKind.CASH, asset, units)

    def row(self, kind, key=0, *columns):
        rows = Rows()
        rows.add(kind, 1, key, *columns)
        done = self.store.apply(rows)
        return done.reason[0], done.x[0], done.y[0]

    @property
    def account(self):
        return self.store.read(1)


def world(sheet=None, accounts=(), **kwargs):
    """A driver with marks out and accounts open, each (number, USDT); every cut is checked."""
    driver = Driver(sheet or money_sheet(), **kwargs)
    marks(driver)
    driver.cut()
    for account, usdt in accounts:
        driver.open(account, deposit=usdt)
    return driver


def marks(driver, btc=1_000_000_000, **moved):
    now = {LINEAR: 10**8, ALT: 10**7, 3: -100_000, SPOT: 10**8, **moved}
    driver.ok(
        cm.SetMarks,
        contract=tuple(now),
        mark=tuple(now.values()),
        funding=(0,) * len(now),
        grade=(0,) * len(now),
        asset=(USDT, BTC),
        price=(10**6, btc),
    )


def cut(driver, step=MINUTE):
    """Cut, check the books, and return (kind, account, fields) of what was told."""
    sheet = driver.engine.house.sheet
    result = driver.cut(step)
    check_all(driver.engine, result, sheet)
    return [(e.kind, e.account, e.fields) for e in result.events]


def told(events, kind):
    return [(account, fields) for name, account, fields in events if name == kind]


# ---- spot -------------------------------------------------------------------------------------------------


@sides
def test_ac_025_a_spot_fill_exchanges_and_leaves_no_position(side):
    """AC-025: 3 lots are 300,000 units of BTC for 300 USDT, in or out."""
    desk = Desk(usdt=10**9, btc=10**6)
    assert desk.row(RowKind.TRADE, SPOT, 3 * side, 3 * side * 10**8) == (Reason.OK, 0, -3 * side * 10**8)
    assert desk.account.cash == {USDT: 10**9 - 3 * side * 10**8, BTC: 10**6 + 3 * side * 10**5}
    assert desk.account.positions == {}


@sides
def test_ac_025_what_cannot_be_booked(side):
    """AC-025: beyond lots x mark cap, the position cap, or the admission bound; nothing changes."""
    desk = Desk(usdt=10**9)
    assert desk.row(RowKind.TRADE, SPOT, side, side * 500_000_001)[0] is Reason.OUT_OF_RANGE
    assert desk.row(RowKind.TRADE, SPOT, side * 10_001, side)[0] is Reason.POSITION_CAP
    full = Desk()
    full.row(RowKind.CASH, USDT, side * (CASH_MAX * 9 // 10))
    assert full.row(RowKind.TRADE, SPOT, -10_000 * side, -10_000 * side * 500_000_000)[0] is Reason.OK
    full = Desk()
    full.account.cash[BTC] = side * (CASH_MAX // 2_000 - 500_000)
    assert full.row(RowKind.TRADE, SPOT, 10_000 * side, side)[0] is Reason.ADMISSION_BOUND
    assert desk.account.cash == {USDT: 10**9}


@sides
@pytest.mark.parametrize("lent", [True, False])
def test_ac_026_a_spot_order_must_be_deliverable(side, lent):
    """AC-026: 500 USDT buy 5 lots, 0.005 BTC are sold as 5; resting orders count; loans of 500 or 0.01 BTC add."""
    sheet = money_sheet() if lent else money_sheet(borrow=None)
    for resting in (0, 2):
        desk = Desk(sheet, usdt=500_000_000, btc=500_000)
        desk.row(RowKind.HOLD, SPOT, *((resting, 9)[::side]))
        most = 5 - resting + (0 if not lent else 5 if side > 0 else 10)
        assert desk.row(RowKind.CHECK, SPOT, side * most)[0] is Reason.OK
        assert desk.row(RowKind.CHECK, SPOT, side * (most + 1))[0] is Reason.INSUFFICIENT_CASH
    if lent:
        vault = Desk(money_sheet(classes=(t.ClassTerms(borrows=False),) * 4), usdt=500_000_000, btc=500_000)
        assert vault.row(RowKind.CHECK, SPOT, side * 6)[0] is Reason.INSUFFICIENT_CASH


@sides
def test_wf_046_spot_of_nobody_is_swept(side):
    """AC-025, WF-046: the side of an unknown account becomes the market's: base to suspense or a claim in it."""
    driver = world(accounts=[(1, 10**9)])
    driver.ok(cm.FundDeposit, contract=-1, asset=BTC, amount=10**6)
    driver.ok(cm.FundDeposit, contract=-1, asset=USDT, amount=10**9)
    buyer, seller = (1, 99) if side > 0 else (99, 1)
    driver.fill(buyer, seller, 2, 2 * 10**8, SPOT)
    events = cut(driver)
    assert told(events, "error_booked")[0][0] == error_account(SPOT)
    assert driver.engine.read(1).cash == {USDT: 10**9 - side * 2 * 10**8, BTC: side * 2 * 10**5}
    for _ in range(3):
        cut(driver)
    assert driver.engine.house.state.claims == []
    assert driver.engine.house.cash(GLOBAL_FUND, BTC) == 10**6 - side * 2 * 10**5


# ---- fees -------------------------------------------------------------------------------------------------


@sides
def test_cy_025_fees_and_rebates_go_through_the_operator(side):
    """CY-025: the fill of 3 lots for 300 USDT may cost 0.30 at most; a rebate comes from the operator."""
    driver = world(accounts=[(1, 10**9), (2, 10**9)])
    fees = (200_000, -150_000)[::side]
    driver.fill(1, 2, 3, 300_000_000, buyer_fee=fees[0], seller_fee=fees[1])
    events = cut(driver)
    assert {a: (f["asked"], f["amount"]) for a, f in told(events, "trade_fee")} == {
        1: (fees[0],) * 2,
        2: (fees[1],) * 2,
    }
    assert driver.engine.read(1).cash[USDT] == 10**9 - fees[0]
    assert driver.engine.read(2).cash[USDT] == 10**9 - fees[1]
    assert driver.engine.house.cash(OPERATOR, USDT) == 50_000


@sides
def test_cy_025_a_fee_is_cut_to_the_cap_rounded_down(side):
    """CY-025: a thousandth of 299.999999 is 0.299999; a rebate alike."""
    driver = world(accounts=[(1, 10**9), (2, 10**9)])
    driver.fill(1, 2, 3, 299_999_999, buyer_fee=side * 10**9, seller_fee=-side * 10**9)
    events = cut(driver)
    assert [f["amount"] for _, f in sorted(told(events, "trade_fee"), key=lambda e: e[0])] == [
        side * 299_999,
        -side * 299_999,
    ]
    assert driver.engine.house.cash(OPERATOR, USDT) == 0


def test_cy_025_a_side_that_is_not_booked_pays_nothing():
    """CY-025: beyond the cap on the mark; the other side pays its own."""
    driver = world(accounts=[(1, 10**9), (2, 10**9)])
    driver.ok(cm.OpenAccount, account=3, root=3, mode=Mode.ISOLATED)
    driver.ok(cm.Deposit, account=3, asset=USDT, amount=10**9)
    driver.fill(3, 2, 1, 10**7, ALT)
    driver.fill(3, 2, 1, 10**8, LINEAR, buyer_fee=50_000, seller_fee=40_000)
    events = cut(driver)
    assert [a for a, _ in told(events, "unbooked")] == [3]
    assert [a for a, _ in told(events, "trade_fee")] == [2]
    assert driver.engine.house.cash(OPERATOR, USDT) == 40_000


def test_cy_025_the_operator_may_fall_below_zero():
    """CY-025: rebates beyond what it earned; its payment heals it (contract -2)."""
    driver = world(accounts=[(1, 10**9), (2, 10**9)])
    driver.fill(1, 2, 3, 300_000_000, buyer_fee=-300_000)
    cut(driver)
    assert driver.engine.house.cash(OPERATOR, USDT) == -300_000
    driver.ok(cm.FundDeposit, contract=-2, asset=USDT, amount=300_000)
    cut(driver)
    assert driver.engine.house.cash(OPERATOR, USDT) == 0


# ---- between accounts -------------------------------------------------------------------------------------


@sides
def test_ac_031_all_that_could_be_withdrawn_or_nothing(side):
    """AC-031: 3 lots need 24 (charge) at initial; 76 of 100 may leave."""
    desk = Desk(usdt=100_000_000)
    desk.row(RowKind.TRADE, LINEAR, 3 * side, 3 * side * 10**8)
    assert desk.row(RowKind.DEBIT, USDT, 76_000_001) == (Reason.INSUFFICIENT_MARGIN, 76_000_001, 76_000_000)
    assert desk.account.cash == {USDT: 100_000_000}
    assert desk.row(RowKind.DEBIT, USDT, 76_000_000) == (Reason.OK, 76_000_000, 76_000_000)
    assert desk.account.cash == {USDT: 24_000_000}
    assert desk.row(RowKind.DEBIT, 5, 1)[0] is Reason.UNKNOWN_ASSET


def test_ac_032_what_an_account_may_not_hold_leaves():
    """AC-032: into cash, or on its way out; into a debt always."""
    desk = Desk()
    assert desk.row(RowKind.CREDIT, USDT, 5) == (Reason.OK, 5, 0)
    assert desk.row(RowKind.CREDIT, USDT, CASH_MAX) == (Reason.OK, 0, CASH_MAX)
    assert (desk.account.cash, desk.account.in_transit) == ({USDT: 5}, {USDT: CASH_MAX})
    owing = Desk()
    owing.row(RowKind.CASH, USDT, -(2**60))
    assert owing.row(RowKind.CREDIT, USDT, 2**60) == (Reason.OK, 2**60, 0)


@sides
def test_ac_031_a_transfer_arrives_with_the_next_opening(side):
    """AC-031, AC-032: meanwhile it is in the transit account; buckets do not matter."""
    sender, receiver = (1, 2)[::side]
    driver = world(accounts=[(1, 10**8), (2, 10**8)], shards=3)
    driver.ok(cm.Transfer, account=sender, to=receiver, asset=USDT, amount=30_000_000)
    driver.ok(cm.Transfer, account=sender, to=receiver, asset=USDT, amount=70_000_001)
    events = cut(driver)
    assert told(events, "transfer_sent")[0][0] == sender
    assert told(events, "refused")[0][1]["reason"] == "R-4001"
    assert driver.engine.read(sender).cash == {USDT: 70_000_000}
    assert driver.engine.read(receiver).cash == {USDT: 10**8}
    events = cut(driver)
    assert told(events, "transfer_received") == [(receiver, {"asset": USDT, "amount": 30_000_000, "leaving": 0})]
    assert driver.engine.read(receiver).cash == {USDT: 130_000_000}
    assert driver.engine.house.cash(TRANSIT, USDT) == 0


def test_ac_032_what_does_not_fit_is_paid_out():
    """AC-032: a receiver at its bound; what comes leaves the vault through the queue."""
    driver = world(accounts=[(1, 10**9), (2, CASH_MAX * 10 // 11)])
    driver.ok(cm.Transfer, account=1, to=2, asset=USDT, amount=10**9)
    cut(driver)
    events = cut(driver)
    assert told(events, "transfer_received") == [(2, {"asset": USDT, "amount": 0, "leaving": 10**9})]
    assert told(cut(driver), "released") == [(2, {"asset": USDT, "amount": 10**9})]
    assert driver.engine.house.state.vault[USDT] == CASH_MAX * 10 // 11


@sides
def test_ac_032_a_transfer_received_cures_a_call(side):
    """AC-032, MC-010: as a deposit would."""
    driver = world(accounts=[(1, 130_000_000), (2, 10**11), (3, 10**9)])
    buyer, seller = (1, 2)[::side]
    driver.fill(buyer, seller, 10, 10**9)
    cut(driver)
    driver.marks(linear=10**8 - side * 9_500_000)
    cut(driver)
    assert told(cut(driver), "call_issued")[0][0] == 1
    driver.ok(cm.Transfer, account=3, to=1, asset=USDT, amount=10**8)
    cut(driver)
    assert told(cut(driver), "call_cured")[0][0] == 1


# ---- loans ------------------------------------------------------------------------------------------------


@sides
def test_ac_035_a_loan_ends_at_the_cap_or_at_initial(side):
    """AC-035: against 1 BTC (900 after haircut at 1,000): 3 lots need 24, so 876 may go; a smaller cap ends earlier."""
    for cap, moved in ((10**10, 876_000_000), (500_000_000, 500_000_000)):
        desk = Desk(btc=100_000_000)
        desk.store.set_valuation(_valued(btc=10_000_000))
        desk.row(RowKind.TRADE, LINEAR, 3 * side, 3 * side * 10**8)
        assert desk.row(RowKind.BORROW, USDT, 10**10, cap) == (Reason.OK, moved, 0)
        assert (desk.account.cash[USDT], desk.account.in_transit) == (-moved, {USDT: moved})
        assert desk.row(RowKind.BORROW, USDT, 1, cap)[0] is Reason.INSUFFICIENT_MARGIN


def _valued(btc=10**9):
    entries = {LINEAR: 10**8, ALT: 10**7, 3: -100_000, SPOT: 10**8}
    return Valuation(
        money_sheet(), Marks({c: Mark(m, 0, Grade.FRESH, 0) for c, m in entries.items()}, {USDT: 10**6, BTC: btc})
    )


def test_ac_035_who_may_not_borrow():
    """AC-035, AC-030: the class says no; the asset is not lent; the cycle only reduces."""
    no = t.ClassTerms(borrows=False)
    driver = world(money_sheet(classes=(t.CLASS, t.CLASS, no, t.CLASS)))
    for account, kind in ((1, AccountClass.CLIENT), (2, AccountClass.VAULT), (3, AccountClass.CLIENT)):
        driver.ok(cm.OpenAccount, account=account, root=account, kind=kind)
        driver.ok(cm.Deposit, account=account, asset=BTC, amount=10**8)
    for account in (1, 2):
        driver.ok(cm.Borrow, account=account, asset=USDT, amount=10**6)
    events = cut(driver)
    assert [a for a, _ in told(events, "borrowed")] == [1]
    assert [(a, f["reason"]) for a, f in told(events, "refused")] == [(2, "R-4001")]
    cut(driver, 60 * MINUTE)
    driver.ok(cm.Borrow, account=3, asset=USDT, amount=10**6)
    assert [(a, f["reason"]) for a, f in told(cut(driver), "refused")] == [(3, "R-4001")]
    plain = world(money_sheet(borrow=None), [(1, 10**8)])
    answer = plain.send(cm.Borrow, account=1, asset=USDT, amount=1)
    assert isinstance(answer, Refused) and answer.number == "R-2003"


def test_ac_035_no_debt_beyond_the_bound_of_cash():
    """AC-035, UN-010: what would leave the admission bound is not lent, however large the cap."""
    desk = Desk()
    desk.account.cash[USDT] = -(CASH_MAX * 10 // 11)
    desk.account.cash[BTC] = 10
    assert desk.row(RowKind.BORROW, USDT, 10**6, 2**60)[0] is Reason.INSUFFICIENT_MARGIN
    rich = Desk(btc=10**12)
    assert rich.row(RowKind.BORROW, USDT, CASH_MAX, 2**60)[0] is Reason.INSUFFICIENT_MARGIN
    assert rich.row(RowKind.BORROW, USDT, 10**6, 2**60)[0] is Reason.OK


def test_ac_035_in_the_cycle_of_its_opening():
    """AC-035: an account may be opened, pay in and borrow in one cycle."""
    driver = world()
    driver.open(1, deposit=10**8, asset=BTC)
    driver.ok(cm.Borrow, account=1, asset=USDT, amount=10**6)
    assert told(cut(driver), "borrowed")[0][1]["x"] == 10**6


def test_ac_036_the_rate_is_linear_to_the_kink_and_beyond():
    """AC-036: 5 % at nothing, 20 % at 80 %, 300 % at all; rounded up; nobody owes more than all."""
    rates = [yearly_rate_ppm(LENT, owed, 1_000) for owed in (0, 400, 800, 900, 1_000, 2_000)]
    assert rates == [50_000, 125_000, 200_000, 1_600_000, 3_000_000, 3_000_000]
    assert yearly_rate_ppm(LENT, 1, 3) == 50_000 + -(-150_000 * 333_334 // 800_000)
    assert yearly_rate_ppm(LENT, 5, 0) == 3_000_000
    # A millionth past a kink at 70 %: 2,800,000 / 300,000 is 9.3.
    assert yearly_rate_ppm(replace(LENT, kink_ppm=700_000), 700_001, 10**6) == 200_010


@given(st.integers(0, 2**58), st.integers(0, 2**58), st.integers(0, 2**50))
def test_ac_036_more_owed_never_costs_less(owed, owned, more):
    """AC-036"""
    assert yearly_rate_ppm(LENT, owed, owned) <= yearly_rate_ppm(LENT, owed + more, owned)
    assert yearly_rate_ppm(LENT, owed, owned) >= yearly_rate_ppm(LENT, owed, owned + more)


@sides
def test_ac_036_a_row_of_interest(side):
    """AC-036: charges are rounded up, credits down; P&L is part of the balance."""
    desk = Desk(usdt=100)
    desk.row(RowKind.TRADE, LINEAR, side, side * 10**8 + 1_000_100)
    # The entry is 1,000,100 above the mark: E_c = -1,000,000, whoever is long or short.
    half = INTEREST_SCALE // 2 + 1
    assert desk.row(RowKind.ACCRUE, USDT, half, 10**12) == (Reason.OK, 500_001, 0)
    assert desk.account.cash[USDT] == 100 - 500_001
    rich = Desk(usdt=1_000_001)
    assert rich.row(RowKind.ACCRUE, USDT, 10**12, INTEREST_SCALE // 2) == (Reason.OK, 0, 500_000)
    assert rich.account.cash[USDT] == 1_500_001


def test_ac_036_interest_goes_from_debtor_to_lender():
    """AC-036: a year at 80 %: 20 % of 400 is 80; 8 of it reserve, 72 to the lender, who owns all 500; and a minute."""
    driver = world(accounts=[(2, 500_000_200)])
    driver.open(1, deposit=10**8, asset=BTC)
    driver.ok(cm.Borrow, account=1, asset=USDT, amount=400_000_000)
    cut(driver)
    minute = -(-400_000_000 * 200_000 // (10**6 * 525_600))
    assert [f["charged"] for _, f in told(cut(driver, YEAR_NS), "interest")] == [minute, minute] == [153, 153]
    events = cut(driver)
    year = 80_000_000 + -(-minute // 5)
    assert {a: f["charged"] for a, f in told(events, "interest")} == {1: year, 2: 0, INTEREST: year}
    ((_, house),) = [e for e in told(events, "interest") if e[0] == INTEREST]
    assert house["reserve"] == year // 10
    reserves = minute // 10 + year // 10
    assert driver.engine.house.cash(GLOBAL_FUND, USDT) == reserves
    kept = driver.engine.house.cash(INTEREST, USDT)
    assert kept == minute + year - reserves - house["credited"]
    events = cut(driver)
    (credited,) = [f["credited"] for a, f in told(events, "interest") if a == 2]
    # Rounded down to 10^-12 of a balance, and then to a unit.
    assert kept - 500 <= credited <= kept
    assert driver.engine.read(2).cash[USDT] == 500_000_200 + house["credited"] + credited


def test_ac_036_lenders_never_get_more_than_there_is():
    """AC-036: a unit a minute for 3 x 10^12 owned waits until it is one per 10^12."""
    driver = world(accounts=[(2, 3 * 10**12)])
    driver.open(1, deposit=10**8, asset=BTC)
    driver.ok(cm.Borrow, account=1, asset=USDT, amount=1)
    cut(driver)
    kept = []
    for _ in range(5):
        cut(driver)
        kept.append(driver.engine.house.cash(INTEREST, USDT))
    assert kept == [1, 2, 3, 1, 2]
    assert driver.engine.read(2).cash[USDT] == 3 * 10**12 + 3


def test_ac_037_a_conversion_row():
    """AC-037: nothing is checked."""
    desk = Desk(usdt=-500, btc=30)
    assert desk.row(RowKind.CONVERT, USDT, 500, BTC, 30) == (Reason.OK, 500, 30)
    assert desk.account.cash == {}


def _debtor(driver, usdt=400_000_000, btc=10**8):
    """Account 1 owes USDT against BTC, account 2 lends, the global fund holds USDT."""
    driver.open(2, deposit=10**9)
    driver.open(1, deposit=btc, asset=BTC)
    driver.ok(cm.FundDeposit, contract=-1, asset=USDT, amount=10**9)
    driver.ok(cm.Borrow, account=1, asset=USDT, amount=usdt)
    return cut(driver)


def test_ac_039_what_is_owed_beyond_the_cap_is_converted():
    """AC-039: a trading loss of 60 takes 450 owed to 510: 10 and the interest are sold, at 15 % below the price."""
    driver = world(accounts=[(3, 10**11)])
    _debtor(driver, 450_000_000)
    driver.fill(1, 3, 10, 10**9)
    driver.marks(linear=94_000_000)
    cut(driver)
    events = cut(driver)
    ((account, asked),) = told(events, "conversion_asked")
    assert account == 1 and asked["need"] == asked["owed"] - 500_000_000 > 10_000_000
    ((_, done),) = told(cut(driver), "converted")
    assert done["got"] == asked["need"]
    # One unit of BTC is 1,000 units of USDT less 15 %.
    assert done["given"] == -(-done["got"] // 850)
    assert driver.engine.house.cash(GLOBAL_FUND, BTC) >= done["given"]


def test_ac_039_the_fund_buys_as_far_as_it_can_in_order():
    """AC-039: (bucket, account, index): of 5 USDT the first gets all it needs, the second what is left."""
    from tocsin.engine.lending import convert_debts
    from tocsin.engine.messages import Conversion

    driver = world()
    driver.ok(cm.FundDeposit, contract=-1, asset=USDT, amount=5_000_000)
    cut(driver)
    asked = [Conversion(1, 8, 0, BTC, 10**6, USDT, 4_000_000), Conversion(2, 3, 0, BTC, 10**6, USDT, 4_000_000)]
    done = convert_debts(driver.engine.house, asked)
    assert [(d.account, d.got, d.given) for d in done] == [(8, 4_000_000, 4_706), (3, 1_000_000, 1_177)]
    # Two collaterals for one debt, one collateral for two debts.
    small = [Conversion(1, 8, 0, BTC, 2, USDT, 4_000_000), Conversion(1, 8, 1, USDT, 10**9, USDT, 4_000_000)]
    assert [(d.collateral, d.got) for d in convert_debts(driver.engine.house, small)] == [
        (BTC, 1_700),
        (USDT, 3_998_300),
    ]


def test_lq_030Pawned_in_liquidation_are_closed_by_parts():
    """LQ-030, AC-039: half of the debt a cycle until above the exit of margin_call."""
    pawned = Pawned()
    pawned.price(870_000)
    pawned.cut()
    events = pawned.cut()
    assert ("conversion_asked", 1) in events and ("reduction_started", 1) in events
    events = pawned.cut()
    assert ("converted", 1) in events and ("reduction_done", 1) in events
    assert pawned.engine.read(1).level < Level.MARGIN_CALL


def test_lq_030_positions_come_first():
    """LQ-030: while an account holds lots its debts within the cap are not converted."""
    driver = world(accounts=[(3, 10**11)])
    # 0.007 BTC count for 630 USDT; at 850 a unit for 535.5, and 30 lots need 90 at the liquidation level.
    _debtor(driver, 450_000_000, btc=700_000)
    driver.fill(1, 3, 30, 3 * 10**9)
    cut(driver)
    driver.marks(btc=850_000_000)
    cut(driver)
    events = cut(driver)
    assert told(events, "reduction_started") and told(events, "plan")
    assert not told(events, "conversion_asked")


def test_lq_031_nobody_waits_for_a_buyer_for_ever():
    """LQ-031: with an empty fund the account is taken over after `cancel_grace_cycles` and one."""
    lonely = Pawned(fund=0)
    lonely.price(870_000)
    lonely.cut()
    seen = [lonely.cut() for _ in range(8)]
    grace = lonely.engine.house.sheet.liquidation.cancel_grace_cycles
    (at,) = [i for i, events in enumerate(seen) if ("taken_over", 1) in events]
    (started,) = [i for i, events in enumerate(seen) if ("reduction_started", 1) in events]
    assert at - started == grace
    assert lonely.engine.read(1).cash == {}


class Pawned(Driver):
    """Account 1 owes 70,000 against 100,000 COIN at LTV 75 %, called at 78, sold from 80 on; account 2 lends."""

    def __init__(self, fund=5_000_000, *, sheet=None, own=2, lent=1):
        usd = t.AssetTerms(1, "USD", 2, 1_000_000, (t.HaircutTier(0, 0),), borrow=replace(LENT, account_cap=10**7))
        coin = t.AssetTerms(2, "COIN", 2, 4_000_000, (t.HaircutTier(0, 0),))
        loans = {2: LoanTerms(750_000, 780_000, 800_000, 50_000)}
        super().__init__(sheet or lending_sheet("loans", (usd, coin), loans))
        self.price(1_000_000)
        self.cut()
        self.open(1, deposit=10**7, asset=own)
        self.open(2, deposit=9 * 10**6, asset=lent)
        if fund:
            self.ok(cm.FundDeposit, contract=-1, asset=lent, amount=fund)
        self.ok(cm.Borrow, account=1, asset=lent, amount=7 * 10**6)
        self.cut()

    def price(self, price):
        self.ok(cm.SetMarks, contract=(), mark=(), funding=(), grade=(), asset=(1, 2), price=(1_000_000, price))

    def cut(self, step_ns=MINUTE):
        sheet = self.engine.house.sheet
        result = super().cut(step_ns)
        check_all(self.engine, result, sheet)
        return [(e.kind, e.account) for e in result.events]


def test_lq_031_bad_debt_is_the_funds_and_lenders_stay_whole():
    """LQ-031, WF-041: at 0.69 the collateral does not cover the debt: taken over, sold at the stress; the fund pays."""
    pawned = Pawned(fund=8_000_000)
    pawned.price(690_000)
    pawned.cut()
    owed, lent = -pawned.engine.read(1).cash[1], pawned.engine.read(2).cash[1]
    events = pawned.cut()
    assert ("taken_over", 1) in events and ("conversion_asked", 1) not in events
    claims = [e.fields["amount"] for e in pawned.events("claim")]
    sold = 10**7 * 690_000 * (10**6 - 47_619) // 10**12
    assert len(claims) == 1 and 0 <= claims[0] - (owed - sold) <= 5
    assert [e.fields["amount"] for e in pawned.events("fund_draw")] == claims
    assert pawned.engine.house.state.claims == []
    assert pawned.engine.read(1).cash == {}
    assert pawned.engine.read(2).cash[1] >= lent
    # A unit that rounding left in suspense follows once no claim is open (WF-046).
    pawned.cut()
    assert pawned.engine.house.cash(GLOBAL_FUND, 2) == 10**7


def test_lq_030_what_is_owed_rises():
    """LQ-030, AC-042: the mirror: COIN owed against USD; of 7,000,000 at 1.40 half are bought back, without a bonus."""
    usd = t.AssetTerms(1, "USD", 2, 1_000_000, (t.HaircutTier(0, 0),))
    coin = t.AssetTerms(2, "COIN", 2, 4_000_000, (t.HaircutTier(0, 0),), borrow=replace(LENT, account_cap=10**7))
    sheet = lending_sheet("loans", (usd, coin), {2: LoanTerms(750_000, 780_000, 800_000, 50_000)})
    pawned = Pawned(sheet=sheet, own=1, lent=2)
    # 10,000,000 less 7,000,000 p stand at liquidation while at least a fifth of what is owed: up to p = 1.19.
    pawned.price(1_190_000)
    pawned.cut()
    assert ("reduction_started", 1) not in pawned.cut()
    pawned.price(1_200_000)
    pawned.cut()
    events = pawned.cut()
    assert ("reduction_started", 1) in events and ("conversion_asked", 1) in events
    assert ("converted", 1) in pawned.cut()
    (done,) = [e.fields for e in pawned.events("converted") if e.account == 1]
    assert abs(done["got"] - 3_500_000) <= 10
    assert done["given"] == -(-done["got"] * 12 // 10)
    assert pawned.engine.read(1).level == Level.CALM


# ---- recourse ---------------------------------------------------------------------------------------------


@sides
@pytest.mark.parametrize("recourse", [True, False])
def test_ac_040_an_account_with_recourse_stands_in(side, recourse):
    """AC-040: account 2 of the same root pays what account 1 left; without recourse the funds and winners do."""
    driver = world(accounts=[(3, 10**12)])
    driver.open(1, root=7, deposit=100_000_000)
    driver.ok(cm.OpenAccount, account=2, root=7, recourse=recourse)
    driver.ok(cm.Deposit, account=2, asset=USDT, amount=10**9)
    buyer, seller = (1, 3)[::side]
    driver.fill(buyer, seller, 10, 10**9)
    cut(driver)
    driver.marks(linear=10**8 - side * 30_000_000)
    cut(driver)
    events = cut(driver)
    assert [a for a, _ in told(events, "taken_over")] == [1]
    assert [(a, f["amount"]) for a, f in told(events, "stand_in")] == ([(2, 200_000_000)] if recourse else [])
    assert bool(told(events, "claim")) is not recourse
    events = cut(driver)
    assert told(events, "recourse_paid") == ([(2, {"asset": USDT, "amount": 200_000_000})] if recourse else [])
    assert driver.engine.read(2).cash[USDT] == 10**9 - 200_000_000 * recourse


def test_ac_040_only_what_could_be_withdrawn():
    """AC-040: the account's own positions keep what they need; what is missing beyond is a claim."""
    driver = world(accounts=[(3, 10**12)])
    driver.open(1, root=7, deposit=100_000_000)
    driver.ok(cm.OpenAccount, account=2, root=7, recourse=True)
    driver.ok(cm.Deposit, account=2, asset=USDT, amount=100_000_000)
    driver.fill(1, 3, 10, 10**9)
    driver.fill(3, 2, 1, 10**8)
    cut(driver)
    driver.marks(linear=70_000_000)
    cut(driver)
    events = cut(driver)
    # Short one lot from 100 at 70: cash 100, of which charge 8 less the gain of 30 need not stay: all cash may go.
    assert [(a, f["amount"]) for a, f in told(events, "stand_in")] == [(2, 100_000_000)]
    assert sum(f["amount"] for _, f in told(events, "claim")) == 100_000_000


def test_ac_040_in_two_assets_it_keeps_what_it_needs():
    """AC-040: owed USDT and BTC; account 2 could withdraw either, not both: its 10 lots need 80 at initial."""
    driver = world(accounts=[(3, 10**12)])
    driver.open(1, root=7, deposit=250_000_000)
    driver.ok(cm.FundDeposit, contract=-1, asset=BTC, amount=10**6)
    driver.ok(cm.OpenAccount, account=2, root=7, recourse=True)
    driver.ok(cm.Deposit, account=2, asset=USDT, amount=150_000_000)
    driver.ok(cm.Deposit, account=2, asset=BTC, amount=100_000)
    driver.fill(1, 3, 10, 10**9)
    # Account 1 also sold 0.001 BTC that it does not have, for nothing; at 50 it owes 250 USDT as well.
    driver.fill(3, 1, 1, 1, SPOT)
    driver.fill(2, 3, 10, 10 * 50_000_000)
    driver.marks(linear=50_000_000)
    cut(driver)
    events = cut(driver)
    assert [a for a, _ in told(events, "taken_over")] == [1]
    paid = {f["asset"]: f["amount"] for a, f in told(events, "stand_in") if a == 2}
    # 100,000 units of BTC count for 90; with 150 that is 240: 160 may go, in USDT all 150, in BTC what 10 of value let.
    assert paid == {USDT: 150_000_000, BTC: 11_111}
    cut(driver)
    cut(driver)
    assert driver.engine.read(2).level == Level.CALM


# ---- the lending preset -----------------------------------------------------------------------------------

USD = t.AssetTerms(1, "USD", 2, 1_000_000, (t.HaircutTier(0, 0),), borrow=LENT)
COIN = t.AssetTerms(2, "COIN", 2, 4_000_000, (t.HaircutTier(0, 0),))
OTHER = replace(COIN, id=3, symbol="OTHER")


def level_of(sheet, owed, **coins):
    cash = {1: -owed, 2: coins.get("coin", 0), 3: coins.get("other", 0)}
    account = AccountState(1, 1, cash={a: u for a, u in cash.items() if u})
    return compute_level(account, Valuation(sheet, Marks({}, {1: 10**6, 2: 10**6, 3: 10**6})))


def test_ac_041Pawned_to_value_are_levels():
    """AC-041: against 1,000,000 up to 750,000 is calm, above it initial, above 780,000 a call, above 800,000 a sale."""
    sheet = lending_sheet("loans", (USD, COIN), {2: LoanTerms(750_000, 780_000, 800_000, 50_000)})
    edges = (
        (750_000, 0),
        (750_001, 1),
        (780_000, 1),
        (780_001, 2),
        (800_000, 2),
        (800_001, 3),
        (952_381, 3),
        (952_382, 4),
    )
    assert [level_of(sheet, owed, coin=1_000_000) for owed, _ in edges] == [level for _, level in edges]


@given(st.lists(st.tuples(*[st.integers(1, 990_000)] * 3, st.integers(0, 200_000)), min_size=1, max_size=2))
def test_ac_041_each_collateral_has_its_own(drawn):
    """AC-041: LTV and threshold within two millionths, calls and takeovers no later than asked for."""
    loans = {}
    for asset, (a, b, c, bonus) in zip((2, 3), drawn, strict=False):
        ltv, call, liquidation = sorted((a, b, c))
        liquidation = min(max(liquidation, ltv + 1), 10**12 // (10**6 + bonus) - 1)
        if liquidation <= ltv:
            return
        loans[asset] = LoanTerms(ltv, min(call, liquidation), liquidation, bonus)
    sheet = lending_sheet("loans", (USD, COIN, OTHER), loans)
    factors = sheet.scenario.as_tuple()
    for asset in sheet.assets:
        if asset.id not in loans:
            continue
        loan, row = loans[asset.id], -asset.row[0]
        counts = [1 - Fraction(asset.haircuts[0].haircut_ppm, 10**6) - Fraction(f * row, 10**12) for f in factors]
        ltv, call, liquidation, takeover = (Fraction(c) * 10**6 for c in counts)
        assert abs(ltv - loan.ltv_ppm) <= 2 and abs(liquidation - loan.liquidation_ppm) <= 2
        assert call <= loan.call_ppm + 2
        assert takeover <= 10**6 - loan.stress_ppm + 2


@sides
def test_ac_042_debts_in_a_risky_asset_need_the_same_for_a_rise(side):
    """AC-042: 100 of COIN owed against USD need 25 % as 100 of COIN owned do; of two underlyings nothing is set off."""
    loan = LoanTerms(750_000, 780_000, 800_000, 50_000)
    sheet = lending_sheet("loans", (USD, COIN, OTHER), {2: loan, 3: loan})
    from tocsin.margin.requirement import compute_requirement

    valuation = Valuation(sheet, Marks({}, {1: 10**6, 2: 10**6, 3: 10**6}))
    both = AccountState(1, 1, cash={1: 10**6, 2: side * 1_000, 3: -side * 1_000})
    assert compute_requirement(both, valuation, 0) == 500
    one = AccountState(1, 1, cash={1: 10**6, 2: side * 1_000})
    assert compute_requirement(one, valuation, 0) == 250


@pytest.mark.parametrize(
    ("loan", "field"),
    [
        (LoanTerms(0, 1, 2, 0), "ltv_ppm"),
        (LoanTerms(500_000, 600_000, 500_000, 0), "liquidation_ppm"),
        (LoanTerms(500_000, 499_999, 700_000, 0), "call_ppm"),
        (LoanTerms(500_000, 700_001, 700_000, 0), "call_ppm"),
        (LoanTerms(500_000, 600_000, 700_000, -1), "bonus_ppm"),
        (LoanTerms(500_000, 600_000, 700_000, 1_000_001), "bonus_ppm"),
        (LoanTerms(500_000, 600_000, 800_000, 250_000), "liquidation_ppm x \\(1 \\+ bonus\\)"),
        (LoanTerms(999_999, 999_999, 1_000_000, 0), "ltv_ppm"),
    ],
)
def test_ac_043_loan_terms_out_of_order(loan, field):
    """AC-043"""
    with pytest.raises(SheetError, match=rf"^loans\[2\]\.{field} must be "):
        lending_sheet("loans", (USD, COIN), {2: loan})


@given(st.integers(1, 900_000), st.integers(1, 99_999), st.integers(0, 10**5), st.integers(1, 10**6))
def test_ac_043_a_sale_at_the_threshold_heals(ltv, wider, bonus, part):
    """AC-043: after any part of the debt is sold for, the loan to value is lower than it was."""
    threshold = ltv + wider
    if threshold * (10**6 + bonus) >= 10**12 - 10**6:
        return
    loan = LoanTerms(ltv, threshold, threshold, bonus)
    lending_sheet("loans", (USD, COIN), {2: loan})
    debt, value = Fraction(threshold), Fraction(10**6)
    paid = debt * part / 10**6
    left, rest = debt - paid, value - paid / (1 - Fraction(loan.stress_ppm, 10**6))
    assert rest > 0 and left / rest < debt / value
