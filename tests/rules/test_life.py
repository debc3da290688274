"""
Rules LC: halts, grace, delisting, look-ahead, settlement, rescaling; with open calls, intents, holds and takeovers;
mirrored.
"""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.broad import CALL, FUTURE, SPOT, BroadChaos, broad_sheet
from tests.helpers.worlds import ALT, BTC, INVERSE, LINEAR, MINUTE, USDT, Driver, small_sheet
from tests.rules.test_accounts2 import Desk
from tests.rules.test_money import cut, told
from tocsin.accounts.store import RowKind
from tocsin.core.errors import Reason, Refused, SheetError
from tocsin.core.ids import GLOBAL_FUND, default_account, market_fund
from tocsin.engine import commands as cm
from tocsin.margin.requirement import compute_requirement
from tocsin.margin.state import AccountState, Level, Mode
from tocsin.margin.valuation import Valuation
from tocsin.sheet import terms as t
from tocsin.sheet.marks import Grade, Mark, Marks, grade_by_age
from tocsin.sheet.settlement import settlement_mark
from tocsin.sheet.terms import encode_sheet
from tocsin.sheet.validate import check_successor, validate_sheet

replace = msgspec.structs.replace
sides = pytest.mark.parametrize("side", [1, -1])

LIFE = t.LifePolicy(grace_ns=2 * MINUTE, quorum_ppm=600_000, quorum_marks=2, grace_max_ns=10 * MINUTE)


def world(sheet=None, *, accounts=(), **kwargs):
    """A driver with marks out and accounts open, each (number, USDT)."""
    driver = Driver(sheet or small_sheet(life=LIFE), **kwargs)
    driver.marks()
    driver.cut()
    for account, usdt in accounts:
        driver.open(account, deposit=usdt)
    return driver


def steady(driver, cycles=1, **marks):
    """Publish and cut; return what was told."""
    events = []
    for _ in range(cycles):
        driver.marks(**marks)
        events += cut(driver)
    return events


def checks(driver, *asked):
    """Send order checks (account, contract, lots) and return the reasons, None where placed."""
    for account, contract, lots in asked:
        driver.ok(cm.OrderCheck, account=account, contract=contract, lots=lots)
    events = cut(driver)
    return [f.get("reason") for kind, _, f in events if kind in ("refused", "order_checked")]


# ---- open, halted, back -----------------------------------------------------------------------------------


def test_lc_001_no_command_may_name_a_contract_before_its_mark():
    """LC-001: in the sheet is not enough; its first mark counts from the next cycle on."""
    driver = Driver()
    driver.ok(cm.SetMarks, contract=(LINEAR,), mark=(10**8,), funding=(0,), grade=(0,), asset=(USDT,), price=(10**6,))
    driver.cut()
    driver.open(1, deposit=10**9)
    driver.ok(cm.OrderCheck, account=1, contract=LINEAR, lots=1)
    answer = driver.send(cm.OrderCheck, account=1, contract=ALT, lots=1)
    assert isinstance(answer, Refused) and answer.number == "R-2002"
    driver.marks()
    assert isinstance(driver.send(cm.OrderCheck, account=1, contract=ALT, lots=1), Refused)
    driver.cut()
    driver.ok(cm.OrderCheck, account=1, contract=ALT, lots=1)


@sides
def test_lc_002_a_halted_contract_only_reduces(side):
    """LC-002: it keeps its last mark, at the halted grade; who holds it may close."""
    driver = world(accounts=[(1, 10**9), (2, 10**9)])
    driver.fill(*(1, 2)[::side], 10, 10**9)
    driver.ok(cm.SetMarket, contract=LINEAR, halted=True)
    cut(driver)
    assert driver.engine.opened.marks.contracts[LINEAR].grade == Grade.HALTED
    asked = ((1, LINEAR, side), (1, LINEAR, -side), (1, LINEAR, -11 * side), (1, ALT, side))
    assert checks(driver, *asked) == ["R-4004", None, "R-4004", None]


@sides
def test_lc_002_a_halted_leg_is_in_no_plan(side):
    """LC-002, LQ-012: the account is in reduction and waits."""
    driver = world(small_sheet(), accounts=[(1, 130_000_000), (2, 10**12)])
    driver.fill(*(1, 2)[::side], 10, 10**9)
    driver.marks(linear=10**8 - side * 11_500_000)
    driver.ok(cm.SetMarket, contract=LINEAR, halted=True)
    cut(driver)
    events = cut(driver)
    assert told(events, "reduction_started") and not told(events, "plan")
    driver.ok(cm.SetMarket, contract=LINEAR, halted=False)
    driver.marks(linear=10**8 - side * 11_500_000)
    assert not told(cut(driver), "plan")
    assert told(cut(driver), "plan")


@pytest.mark.parametrize(("marked", "waits"), [(1, 10), (2, 3)])
def test_lc_003_grace_after_a_halt(marked, waits):
    """LC-003: two minutes and two fresh marks, the first a minute after, or ten minutes; stale marks do not count."""
    driver = world(accounts=[(1, 10**9)])
    driver.ok(cm.SetMarket, contract=LINEAR, halted=True)
    cut(driver)
    driver.ok(cm.SetMarket, contract=LINEAR, halted=False)
    cut(driver)
    resumed = driver.now - MINUTE
    for n in range(20):
        if LINEAR not in driver.engine.opened.closed:
            break
        driver.marks(grade=int(n >= marked))
        cut(driver)
    assert (driver.engine.opened.time_ns - resumed) // MINUTE == waits
    driver.marks()
    cut(driver)
    assert checks(driver, (1, LINEAR, 1)) == [None]


def test_lc_003_a_second_halt_ends_the_grace():
    """LC-003: and the next resumption begins it anew; a contract that was not halted has none."""
    driver = world(accounts=[(1, 10**9)])
    for halted in (True, False, True):
        driver.ok(cm.SetMarket, contract=LINEAR, halted=halted)
        cut(driver)
    assert driver.engine.house.state.resuming == []
    steady(driver, 5)
    assert driver.engine.opened.closed == (LINEAR,)
    for contract, halted in ((ALT, True), (ALT, False), (LINEAR, True)):
        driver.ok(cm.SetMarket, contract=contract, halted=halted)
        cut(driver)
    assert [r.contract for r in driver.engine.house.state.resuming] == [ALT]
    steady(driver, 5)
    driver.ok(cm.SetMarket, contract=ALT, halted=False)
    cut(driver)
    assert driver.engine.opened.closed == (LINEAR,)


def test_lc_003_without_a_policy_it_is_open_at_once():
    """LC-003: no grace and one mark: the cycle after the resumption takes orders, without another publication."""
    driver = world(small_sheet(), accounts=[(1, 10**9)])
    for halted in (True, False):
        driver.ok(cm.SetMarket, contract=LINEAR, halted=halted)
        cut(driver)
    assert checks(driver, (1, LINEAR, 1)) == [None]


@pytest.mark.parametrize("policy", [t.LifePolicy(grace_ns=3 * MINUTE), t.LifePolicy(quorum_marks=3)])
def test_lc_003_a_policy_of_time_or_of_marks_alone(policy):
    """LC-003: three minutes with one mark, or three marks; neither is open after two."""
    driver = world(small_sheet(life=policy), accounts=[(1, 10**9)])
    for halted in (True, False):
        driver.ok(cm.SetMarket, contract=LINEAR, halted=halted)
        cut(driver)
    closed = []
    for _ in range(5):
        driver.marks()
        cut(driver)
        closed.append(LINEAR in driver.engine.opened.closed)
    assert closed == [True, policy.quorum_marks == 3, False, False, False]


def called(side, *, life, **more):
    """Account 1 is called at the end of cycle; the next opening is an hour late."""
    driver = world(small_sheet(life=life, **more), accounts=[(1, 130_000_000), (2, 10**12)])
    driver.fill(*(1, 2)[::side], 10, 10**9)
    steady(driver, linear=10**8 - side * 9_500_000)
    assert told(cut(driver), "call_issued")
    return driver


@sides
@pytest.mark.parametrize("grace", [True, False])
def test_lc_004_nothing_is_liquidated_before_prices_are_known(side, grace):
    """LC-004: after an outage two minutes and 60 % of the contracts fresh; without a policy at once."""
    policy = LIFE if grace else t.LifePolicy()
    driver = called(side, life=policy, contracts=_stale_after(2 * MINUTE))
    driver.marks(linear=10**8 - side * 11_500_000)
    cut(driver, 60 * MINUTE)
    first = cut(driver)
    assert bool(told(first, "reduction_started")) is not grace
    assert driver.results[-1].opened.grace is grace
    # Only one of three contracts is fresh: no quorum.
    for _ in range(3):
        driver.ok(cm.SetMarks, contract=(ALT,), mark=(10**7,), funding=(0,), grade=(0,))
        assert not told(cut(driver), "reduction_started")
    events = steady(driver, 3, linear=10**8 - side * 11_500_000)
    assert bool(told(events, "reduction_started")) is grace
    assert bool(told(events, "grace_over")) is grace


def _stale_after(age):
    return tuple(replace(c, stale_after_ns=age) for c in small_sheet().contracts)


def test_lc_004_at_most_the_longest_grace():
    """LC-004: without any fresh mark it ends after ten minutes."""
    driver = called(1, life=LIFE, contracts=_stale_after(2 * MINUTE))
    cut(driver, 60 * MINUTE)
    late = driver.engine.opened.time_ns
    while driver.engine.opened.grace:
        cut(driver)
    assert driver.engine.opened.time_ns - late == LIFE.grace_max_ns


@sides
def test_lc_004_levels_are_judged_and_calls_wait(side):
    """LC-004: no call is issued, none expires; one that was open goes on after it with its moved deadline."""
    driver = called(side, life=LIFE)
    cut(driver, 60 * MINUTE)
    events = steady(driver, 2, linear=10**8 - side * 9_500_000)
    assert not {"call_issued", "call_expired", "call_cancelled", "reduction_started"} & {e[0] for e in events}
    assert driver.engine.read(1).level == Level.MARGIN_CALL
    events = steady(driver, 20, linear=10**8 - side * 9_500_000)
    assert told(events, "call_expired")


# ---- delisting --------------------------------------------------------------------------------------------


@sides
def test_lc_005_delisting_with_open_calls_and_intents(side):
    """LC-005: only reducing orders; the call goes on to its end, the intent is filled, the rest is settled."""
    driver = called(side, life=t.LifePolicy())
    driver.ok(cm.Delist, contract=LINEAR)
    cut(driver)
    assert checks(driver, (2, LINEAR, side), (2, LINEAR, side * 11)) == [None, "R-4004"]
    events = steady(driver, 20, linear=10**8 - side * 9_500_000)
    assert told(events, "call_expired") and told(events, "reduction_started")
    granted = told(events, "intent_granted")[-1][1]
    assert granted["contract"] == LINEAR and granted["lots"] * side < 0
    price = 10**8 - side * 9_500_000
    column = "buyer_intent" if granted["lots"] > 0 else "seller_intent"
    driver.fill(*(2, 1)[::side], 1, price, **{column: granted["intent"]})
    events = cut(driver)
    assert [f["lots"] for a, f in told(events, "filled") if a == 1] == [-side]
    driver.ok(cm.Settle, contract=LINEAR, price=9_500_000)
    assert told(cut(driver), "settle_asked")
    events = cut(driver)
    assert told(events, "intent_void") and {a for a, _ in told(events, "settled")} == {1, 2}
    # Each of the two still had 9 lots, at a final mark of 95.
    assert {a: f["lots"] for a, f in told(events, "settled")} == {1: 9 * side, 2: -9 * side}
    assert told(events, "reduction_done")
    assert driver.engine.read(1).positions == {}
    assert driver.engine.read(1).level == Level.CALM


def test_lc_005_twice_is_told_as_refused():
    """LC-005"""
    driver = world()
    for kind in ("delisted", "delist_refused"):
        driver.ok(cm.Delist, contract=ALT)
        assert len(told(cut(driver), kind)) == 1


# ---- before an expiry -------------------------------------------------------------------------------------


@sides
def test_lc_006_who_stands_only_with_what_expires_is_called(side):
    """LC-006: 100 lots against 100 of the dated future; ten minutes before its expiry the future counts no more."""
    driver = BroadChaos()
    for account, usdt in ((1, 1_000_000_000), (2, 10**12)):
        driver.ok(cm.OpenAccount, account=account, root=account, mode=Mode.PORTFOLIO)
        driver.ok(cm.Deposit, account=account, asset=USDT, amount=usdt)
        driver.accounts.append(account)
    driver.fill(*(1, 2)[::side], 100, 10**10, LINEAR)
    driver.fill(*(2, 1)[::side], 100, 10**10, FUTURE)
    cut(driver)
    levels = {}
    while driver.engine.opened.time_ns < 1_031 * MINUTE:
        driver.publish()
        cut(driver)
        levels[driver.results[-1].opened.time_ns // MINUTE] = driver.engine.read(1).level
    before, after = levels[1_029], levels[1_030]
    # Charges 160 x 0.6 / scenario alone 1,500 x 0.9: margin_call without the future is 1,350 and add-ons.
    assert before < Level.MARGIN_CALL <= after
    assert told([(e.kind, e.account, e.fields) for e in driver.results[-1].events], "plan") == []


@sides
def test_lc_006_orders_in_it_do_not_count_and_other_levels_neither(side):
    """LC-006: closed at the marks, its P&L stays; liquidation and takeover are what they were."""
    sheet = broad_sheet()
    entries = {c.id: Mark(-100_000 if c.id == INVERSE else 10**8, 0, Grade.FRESH, 0) for c in sheet.contracts}
    account = AccountState(
        1, 1, Mode.PORTFOLIO, cash={USDT: 10**10}, holds={FUTURE: (5, 5)},
        positions={LINEAR: (3 * side, 3 * side * 10**8), FUTURE: (-3 * side, -3 * side * 90_000_000)},
    )  # fmt: skip
    alone = AccountState(1, 1, Mode.PORTFOLIO, cash=dict(account.cash), positions={LINEAR: account.positions[LINEAR]})
    now, soon = (Valuation(sheet, Marks(entries, {USDT: 10**6, BTC: 10**9}, e)) for e in ((), (FUTURE,)))
    for level in range(4):
        expected = compute_requirement(account, now, level)
        if level <= 1:
            expected = max(expected, compute_requirement(alone, now, level))
        assert compute_requirement(account, soon, level) == expected


def test_lc_006_from_when_on():
    """LC-006: from `expiry - look_ahead` on, and after the expiry; never for what does not expire."""
    sheet = broad_sheet()
    future = next(c for c in sheet.contracts if c.id == FUTURE)
    entries = {FUTURE: Mark(10**8, 0, Grade.FRESH, 0), LINEAR: Mark(10**8, 0, Grade.FRESH, 0)}
    start = future.expiry_ns - future.look_ahead_ns
    for now, expected in ((start - 1, ()), (start, (FUTURE,)), (future.expiry_ns + 1, (FUTURE,))):
        assert grade_by_age(sheet, Marks(entries, {}), now, frozenset()).expiring == expected


@sides
def test_lc_007_from_the_expiry_on_orders_only_reduce(side):
    """LC-007: fills stay facts; it is marked until it is settled."""
    driver = BroadChaos()
    for account in (1, 2):
        driver.open(account, deposit=10**12)
    driver.fill(*(1, 2)[::side], 4, 4 * 10**8, FUTURE)
    cut(driver, 40 * MINUTE - (driver.now - driver.start_ns) - 1)
    driver.publish()
    cut(driver, 1)
    assert driver.engine.opened.time_ns == 1_040 * MINUTE
    assert FUTURE in driver.engine.opened.closed
    driver.publish()
    assert checks(driver, (1, FUTURE, side), (1, FUTURE, -side)) == ["R-4004", None]


# ---- settlement -------------------------------------------------------------------------------------------


def terms(kind=t.Kind.LINEAR, units=100, cap=10**12, option=None):
    return t.ContractTerms(1, "X", kind, USDT, units, cap, 10, (t.Tier(0, 0),), option=option)


def test_lc_011_each_kind_has_its_final_mark():
    """LC-011: by hand; the inverse is rounded away from zero, coin options down."""
    assert settlement_mark(terms(), 7) == (700, False)
    assert settlement_mark(terms(t.Kind.INVERSE, 10**6), 7) == (-142_858, False)
    for is_call, price, paid in ((True, 110, 1000), (True, 100, 0), (True, 90, 0), (False, 90, 1000), (False, 110, 0)):
        assert settlement_mark(terms(t.Kind.OPTION, option=t.OptionTerms(is_call, 100)), price) == (paid, False)
    coin = terms(t.Kind.OPTION, 10**6, option=t.OptionTerms(True, 100, in_coin=True))
    assert settlement_mark(coin, 110) == (90_909, False)
    coin_put = terms(t.Kind.OPTION, 10**6, option=t.OptionTerms(False, 100, in_coin=True))
    assert settlement_mark(coin_put, 90) == (111_111, False)


def test_lc_011_cut_to_the_cap():
    """LC-011: a put in coin pays without bound as the price falls."""
    coin_put = terms(t.Kind.OPTION, 10**6, cap=5 * 10**6, option=t.OptionTerms(False, 100, in_coin=True))
    assert settlement_mark(coin_put, 1) == (5 * 10**6, True)
    assert settlement_mark(terms(cap=10**6), 10**5) == (10**6, True)
    assert settlement_mark(terms(t.Kind.INVERSE, 10**9, cap=10**6), 10) == (-(10**6), True)


@given(st.integers(1, 10**9), st.integers(1, 10**9), st.integers(1, 10**6), st.booleans())
def test_lc_011_calls_less_puts_are_the_forward(price, strike, units, coin):
    """LC-011: put-call parity at expiry, exact in linear, within a unit in coin."""
    call, put = (
        settlement_mark(terms(t.Kind.OPTION, units, 2**62, t.OptionTerms(is_call, strike, coin)), price)[0]
        for is_call in (True, False)
    )
    forward = units * (price - strike)
    assert call >= 0 and put >= 0 and min(call, put) == 0
    if coin:
        assert 0 <= (forward - (call - put) * price) * (1 if forward > 0 else -1) < price
    else:
        assert call - put == forward


def test_lc_010_who_may_be_settled_and_when():
    """LC-010: expired or delisted, once; not spot, not at a price without a mark; told as refused, and why."""
    driver = BroadChaos()
    for contract, price in ((LINEAR, 10**7), (FUTURE, 10**7), (SPOT, 10**7)):
        driver.ok(cm.Settle, contract=contract, price=price)
    refused = told(cut(driver), "settle_refused")
    assert [f["why"].split(":")[0].split(",")[0] for _, f in refused] == [
        "it has neither expired nor been delisted",
        "it has neither expired nor been delisted",
        "spot",
    ]
    driver.ok(cm.Delist, contract=INVERSE)
    cut(driver)
    driver.ok(cm.Settle, contract=INVERSE, price=10**7)
    driver.ok(cm.Settle, contract=INVERSE, price=10**7)
    events = cut(driver)
    assert len(told(events, "settle_asked")) == len(told(events, "settle_refused")) == 1
    cut(driver)
    answer = driver.send(cm.Settle, contract=INVERSE, price=10**7)
    assert isinstance(answer, Refused) and answer.number == "R-2002"


def test_lc_010_no_mark_is_taken_of_what_is_settled():
    """LC-010: nor while it is about to be; R-2008."""
    driver = world()
    driver.ok(cm.Delist, contract=ALT)
    cut(driver)
    driver.ok(cm.Settle, contract=ALT, price=90_000)
    driver.marks(alt=1_000_000)
    events = cut(driver)
    assert [(f["contract"], f["reason"]) for _, f in told(events, "mark_refused")] == [(ALT, "R-2008")]
    assert driver.engine.opened.settled == {ALT: 9_000_000}
    driver.marks(alt=1_000_000)
    events = cut(driver)
    assert [f["reason"] for _, f in told(events, "mark_refused")] == ["R-2008"]
    assert ALT not in driver.engine.opened.marks.contracts


@sides
def test_lc_012_positions_holds_and_money(side):
    """LC-012: 4 lots from 100 to 103 with funding 1 pay 8; holds are gone; the same in all shards in one cycle."""
    driver = world(small_sheet(), accounts=[(1, 10**9), (2, 10**9)], shards=7)
    driver.fill(*(1, 2)[::side], 4, 4 * 10**8)
    driver.ok(cm.Holds, account=(1, 2), contract=(LINEAR, LINEAR), bid=(3, 0), ask=(0, 2))
    driver.ok(cm.SetMarks, contract=(LINEAR,), mark=(10**8,), funding=(10**6,), grade=(0,))
    driver.ok(cm.Delist, contract=LINEAR)
    cut(driver)
    driver.ok(cm.Settle, contract=LINEAR, price=10_300_000)
    cut(driver)
    events = told(cut(driver), "settled")
    assert {a: (f["lots"], f["cash"]) for a, f in events} == {
        1: (4 * side, 8 * side * 10**6),
        2: (-4 * side, -8 * side * 10**6),
    }
    for account in (1, 2):
        state = driver.engine.read(account)
        assert (state.positions, state.holds) == ({}, {})
    assert driver.engine.read(1).cash == {USDT: 10**9 + 8 * side * 10**6}


@sides
@pytest.mark.parametrize(
    ("moved", "told_of"), [(0, "call_cancelled"), (9_500_000, "call_cancelled"), (14_000_000, "taken_over")]
)
def test_lc_012_an_open_call_meets_the_settlement(side, moved, told_of):
    """LC-012: paid out nothing is required any more: the call is cancelled; or what was lost is more than there was."""
    driver = called(side, life=t.LifePolicy())
    driver.ok(cm.Delist, contract=LINEAR)
    driver.ok(cm.Settle, contract=LINEAR, price=10**7 - side * moved // 10)
    assert told(cut(driver), "settle_asked")
    events = cut(driver)
    assert [a for a, _ in told(events, told_of)] == [1]
    state = driver.engine.read(1)
    assert state.positions == {}
    assert state.cash == ({} if told_of == "taken_over" else {USDT: 130_000_000 - 10 * moved})


@sides
def test_lc_012_the_default_accounts_lots_are_paid_out_too(side):
    """LC-012: an account is taken over, then the contract is settled: lots, intents and claims end."""
    driver = world(small_sheet(), accounts=[(1, 100_000_000), (2, 10**12)])
    driver.ok(cm.FundDeposit, contract=-1, asset=USDT, amount=10**12)
    driver.fill(*(1, 2)[::side], 10, 10**9)
    driver.ok(cm.Delist, contract=LINEAR)
    steady(driver, linear=10**8 - side * 9_800_000)
    assert told(cut(driver), "taken_over")
    assert driver.engine.house.lots(default_account(LINEAR), LINEAR) == 10 * side
    cut(driver)
    assert driver.engine.house.state.intents
    driver.ok(cm.Settle, contract=LINEAR, price=10**7)
    cut(driver)
    events = cut(driver)
    assert told(events, "intent_void")
    assert {a: f["lots"] for a, f in told(events, "settled")} == {default_account(LINEAR): 10 * side, 2: -10 * side}
    assert driver.engine.house.state.intents == driver.engine.house.state.claims == []
    for _ in range(3):
        cut(driver)


@sides
def test_lc_012_what_a_takeover_still_had_to_trade_is_void(side):
    """LC-012: an intent moves with its lots; with the contract settled nothing of it is left anywhere."""
    driver = world(small_sheet(), accounts=[(1, 130_000_000), (2, 10**12)])
    driver.ok(cm.FundDeposit, contract=-1, asset=USDT, amount=10**12)
    driver.fill(*(1, 2)[::side], 10, 10**9)
    driver.ok(cm.Delist, contract=LINEAR)
    steady(driver, 3, linear=10**8 - side * 11_500_000)
    assert driver.engine.shards[0].cases[1].intents
    steady(driver, linear=10**8 - side * 12_500_000)
    assert told(cut(driver), "taken_over")
    assert driver.engine.shards[0].cases[1].moved and driver.engine.house.state.moved
    driver.ok(cm.Settle, contract=LINEAR, price=8_750_000)
    cut(driver)
    cut(driver)
    assert 1 not in driver.engine.shards[0].cases
    assert driver.engine.house.state.moved == []


@sides
def test_lc_012_an_option_is_exercised_if_it_pays(side):
    """LC-012, LC-011: a call struck at 105,000 bought at 2 a lot; at 106,000 it pays 1 a lot, at 104,000 nothing."""
    for price, paid in ((10_600_000, 1_000_000), (10_400_000, 0)):
        driver = BroadChaos()
        for account in (1, 2):
            driver.open(account, deposit=10**11)
        driver.fill(*(1, 2)[::side], 5, 5 * 2_000_000, CALL)
        cut(driver, 60 * MINUTE)
        driver.publish()
        cut(driver)
        driver.ok(cm.Settle, contract=CALL, price=price)
        cut(driver)
        events = told(cut(driver), "settled")
        assert {a: f["cash"] for a, f in events} == {
            1: 5 * side * (paid - 2_000_000),
            2: -5 * side * (paid - 2_000_000),
        }


@sides
def test_lc_012_an_inverse_contract_pays_in_coin(side):
    """LC-012: 6 lots of 100 USD from 100,000 to 80,000: 6 x (125,000 - 100,000) units of BTC."""
    driver = world(small_sheet())
    for account in (1, 2):
        driver.open(account, deposit=10**9, asset=BTC)
    driver.fill(*(1, 2)[::side], 6, -600_000, INVERSE)
    driver.ok(cm.Delist, contract=INVERSE)
    cut(driver)
    driver.ok(cm.Settle, contract=INVERSE, price=8_000_000)
    cut(driver)
    events = told(cut(driver), "settled")
    assert {a: f["cash"] for a, f in events} == {1: -side * 150_000, 2: side * 150_000}


@sides
def test_lc_013_a_delivery_price_far_from_the_mark_is_refused(side):
    """LC-013: 5 % either way is in, a tick more is not; options are not looked at."""
    driver = world(small_sheet(life=replace(LIFE, settle_band_ppm=50_000)))
    driver.ok(cm.Delist, contract=LINEAR)
    cut(driver)
    driver.ok(cm.Settle, contract=LINEAR, price=10**7 + side * 500_001)
    driver.ok(cm.Settle, contract=LINEAR, price=10**7 + side * 500_000)
    events = cut(driver)
    assert [kind for kind, _, _ in events] == ["settle_refused", "settle_asked"]
    assert driver.engine.opened.settled == {LINEAR: 10**8 + side * 5_000_000}


def test_lc_014_numbers_never_come_back():
    """LC-014, SH-011: left out of the next sheet, then published again: refused."""
    driver = world(small_sheet())
    sheet = driver.engine.house.sheet
    without = replace(sheet, contracts=tuple(c for c in sheet.contracts if c.id != ALT))
    driver.ok(cm.SetSheet, sheet=encode_sheet(without))
    assert "must stay in the sheet" in told(cut(driver), "sheet_refused")[0][1]["why"]
    driver.ok(cm.Delist, contract=ALT)
    cut(driver)
    driver.ok(cm.Settle, contract=ALT, price=90_000)
    cut(driver)
    driver.ok(cm.SetSheet, sheet=encode_sheet(without))
    assert told(cut(driver), "sheet_set")
    cut(driver)
    again = replace(without, contracts=(*without.contracts, replace(sheet.contracts[1], symbol="AGAIN")))
    driver.ok(cm.SetSheet, sheet=encode_sheet(again))
    assert "must be a new number" in told(cut(driver), "sheet_refused")[0][1]["why"]


# ---- lots of another size ---------------------------------------------------------------------------------


def smaller(sheet, factor=10, **changes):
    """The sheet with LINEAR in lots of a tenth."""
    linear = next(c for c in sheet.contracts if c.id == LINEAR)
    parts = {
        n: getattr(linear, n) // factor for n in ("units", "charge_long", "charge_short", "gap_charge", "own_loading")
    }
    parts |= {"mark_cap": linear.mark_cap // factor, "position_cap": linear.position_cap * factor}
    parts |= {"capacity_lots": linear.capacity_lots * factor, "loadings": tuple(x // factor for x in linear.loadings)}
    return validate_sheet(
        replace(
            sheet, contracts=tuple(replace(linear, **parts, **changes) if c is linear else c for c in sheet.contracts)
        )
    )


@sides
def test_ac_038_lots_and_holds_times_k(side):
    """AC-038: the entry sum stays."""
    desk = Desk(small_sheet())
    desk.row(RowKind.TRADE, LINEAR, 3 * side, 3 * side * 10**8 + 7)
    desk.row(RowKind.HOLD, LINEAR, 5, 4)
    assert desk.row(RowKind.RESCALE, LINEAR, 10) == (Reason.OK, 30 * side, 0)
    assert desk.account.positions == {LINEAR: (30 * side, 3 * side * 10**8 + 7)}
    assert desk.account.holds == {LINEAR: (50, 40)}
    assert desk.row(RowKind.RESCALE, ALT, 10) == (Reason.OK, 0, 0)


@sides
def test_lc_020_021_nothing_is_worth_more_or_less(side):
    """LC-020, LC-021: equity and every requirement are the same to the unit; funding and slow marks are divided too."""
    driver = world(small_sheet(), accounts=[(1, 10**9), (2, 10**9)])
    driver.fill(*(1, 2)[::side], 7, 7 * 10**8 - 3)
    driver.ok(cm.SetMarks, contract=(LINEAR,), mark=(99_000_000,), funding=(-20_000,), grade=(0,), slow=(98_000_000,))
    cut(driver)
    cut(driver)
    before = [_numbers(driver, a) for a in (1, 2)]
    driver.ok(cm.Rescale, contract=LINEAR, factor=10, sheet=encode_sheet(smaller(driver.engine.house.sheet)))
    assert told(cut(driver), "rescale_asked")
    events = cut(driver)
    assert {a: f["position"] for a, f in told(events, "rescaled") if a} == {1: 70 * side, 2: -70 * side}
    entry = driver.engine.house.state.marks.contracts[LINEAR]
    assert (entry.mark, entry.funding, entry.slow) == (9_900_000, -2_000, 9_800_000)
    assert [_numbers(driver, a) for a in (1, 2)] == before


def _numbers(driver, account):
    from tocsin.margin.levels import assess

    return assess(driver.engine.read(account), driver.engine.house.valuation)


@sides
def test_lc_021_owners_know_of_each_other_in_new_lots(side):
    """LC-021: brackets above 60 lots elsewhere are brackets above 600; in the very cycle."""
    driver = world(small_sheet(), accounts=[(1, 10**9), (2, 10**9), (3, 10**12)])
    for account, lots in ((1, 7), (2, 60)):
        driver.ok(cm.LinkOwner, account=account, owner=5)
        driver.fill(*(account, 3)[::side], lots, lots * 10**8)
    cut(driver)
    cut(driver)
    before = [_numbers(driver, a) for a in (1, 2)]
    driver.ok(cm.Rescale, contract=LINEAR, factor=10, sheet=encode_sheet(smaller(driver.engine.house.sheet)))
    for _ in range(3):
        cut(driver)
        others = [driver.engine.read(a).others for a in (1, 2)]
        factor = driver.engine.read(1).positions[LINEAR][0] * side // 7
        assert others == [{LINEAR: 60 * factor}, {LINEAR: 7 * factor}]
        if driver.engine.opened.rescaled == {}:
            assert [_numbers(driver, a) for a in (1, 2)] == before
    assert factor == 10


def test_lc_020_no_other_mark_in_between():
    """LC-020: a mark that came after the command would have to be rounded; R-2008."""
    driver = world(small_sheet(), accounts=[(1, 10**9), (2, 10**9)])
    driver.fill(1, 2, 7, 7 * 10**8)
    driver.ok(cm.Rescale, contract=LINEAR, factor=10, sheet=encode_sheet(smaller(driver.engine.house.sheet)))
    driver.marks(linear=99_999_999)
    events = cut(driver)
    assert [(f["contract"], f["reason"]) for _, f in told(events, "mark_refused")] == [(LINEAR, "R-2008")]
    assert driver.engine.opened.marks.contracts[LINEAR].mark == 10_000_000


@pytest.mark.parametrize(
    ("factor", "marks", "changes", "why"),
    [
        (10, {"linear": 100_000_001}, {}, "must be multiples of 10"),
        (10, {}, {"units": 2}, "contracts[1].units must be 10 / 10, exactly, was 2"),
        (10, {}, {"position_cap": 999_999}, "contracts[1].position_cap must be at least 1000000"),
        (5, {}, {}, "contracts[1].units must be 10 / 5, exactly, was 1"),
    ],
)
def test_lc_020_what_is_not_exact_is_refused(factor, marks, changes, why):
    """LC-020: told with R-5004; neither lots nor sheet change."""
    driver = world(small_sheet(), accounts=[(1, 10**9), (2, 10**9)])
    driver.fill(1, 2, 7, 7 * 10**8)
    steady(driver, 1, **marks)
    sheet = driver.engine.house.sheet
    small = smaller(sheet)
    contracts = tuple(replace(c, **changes) if c.id == LINEAR else c for c in small.contracts)
    driver.ok(cm.Rescale, contract=LINEAR, factor=factor, sheet=encode_sheet(replace(small, contracts=contracts)))
    ((_, refused),) = told(cut(driver), "rescale_refused")
    assert refused["reason"] == "R-5004" and why in refused["why"]
    cut(driver)
    assert driver.engine.house.sheet == sheet
    assert driver.engine.read(1).positions[LINEAR][0] == 7


def test_lc_020_one_change_at_a_time():
    """LC-020, SH-012: not in the cycle of another sheet, nor a sheet after it, nor while it is being settled."""
    driver = world(small_sheet())
    sheet = driver.engine.house.sheet
    driver.ok(cm.SetSheet, sheet=encode_sheet(replace(sheet, name="first")))
    driver.ok(cm.Rescale, contract=LINEAR, factor=10, sheet=encode_sheet(smaller(sheet)))
    assert "another sheet comes first" in told(cut(driver), "rescale_refused")[0][1]["why"]
    driver.ok(cm.Rescale, contract=LINEAR, factor=10, sheet=encode_sheet(smaller(sheet)))
    driver.ok(cm.SetSheet, sheet=encode_sheet(replace(sheet, name="late")))
    assert "must wait" in told(cut(driver), "sheet_refused")[0][1]["why"]
    driver.ok(cm.Delist, contract=ALT)
    cut(driver)
    driver.ok(cm.Settle, contract=ALT, price=100_000)
    driver.ok(cm.Rescale, contract=ALT, factor=10, sheet=encode_sheet(sheet))
    assert "about to be settled" in told(cut(driver), "rescale_refused")[0][1]["why"]


@sides
def test_lc_022_intents_are_void_and_planned_anew(side):
    """LC-022: limits are per lot; the reduction goes on in the new size."""
    driver = called(side, life=t.LifePolicy())
    price = 10**8 - side * 11_500_000
    steady(driver, 3, linear=price)
    sheet = driver.engine.house.sheet
    driver.ok(cm.Rescale, contract=LINEAR, factor=10, sheet=encode_sheet(smaller(sheet)))
    events = cut(driver)
    assert told(events, "rescale_asked")
    events = cut(driver)
    assert told(events, "intent_void")[0][0] == 1
    plan = told(events, "plan")[0][1]
    assert plan["slices"].startswith(f"{LINEAR}:")
    events = cut(driver)
    granted = told(events, "intent_granted")[0][1]
    assert abs(granted["lots"]) > 10
    assert abs(granted["limit"]) < 10**7 * 13 // 10


def test_successors_of_a_rescaled_sheet():
    """LC-020, SH-011: the sheet after must be divided, the sheet without a factor may not be."""
    sheet = small_sheet()
    small = smaller(sheet)
    assert check_successor(sheet, small, {LINEAR: 10}) == small
    with pytest.raises(SheetError, match="units"):
        check_successor(sheet, small)
    with pytest.raises(SheetError, match="units"):
        check_successor(sheet, sheet, {LINEAR: 10})


@sides
def test_lc_015_the_fund_of_a_settled_market_goes_to_the_global_fund(side):
    """LC-015: as it is paid out, and whatever comes in later; other markets keep theirs."""
    driver = world(small_sheet(), accounts=[(1, 10**9), (2, 10**9)])
    driver.ok(cm.FundDeposit, contract=LINEAR, asset=USDT, amount=700)
    driver.ok(cm.FundDeposit, contract=ALT, asset=USDT, amount=30)
    driver.fill(*(1, 2)[::side], 4, 4 * 10**8)
    driver.ok(cm.Delist, contract=LINEAR)
    cut(driver)
    driver.ok(cm.Settle, contract=LINEAR, price=10_300_000)
    cut(driver)
    house = driver.engine.house
    assert house.cash(market_fund(LINEAR), USDT) == 700
    cut(driver)
    assert [house.cash(a, USDT) for a in (market_fund(LINEAR), market_fund(ALT), GLOBAL_FUND)] == [0, 30, 700]
    driver.ok(cm.FundDeposit, contract=LINEAR, asset=USDT, amount=5)
    cut(driver)
    assert house.cash(GLOBAL_FUND, USDT) == 705
