"""
Rules MK-010 to MK-016: what a published mark is good for, mirrored where it has a side.
"""

import pytest
from msgspec.structs import replace

from tests.helpers.small import ALT, BTC, COIN, CONTRACTS, PERP, USD, make_account, make_sheet, value
from tests.helpers.worlds import SECOND, Driver
from tocsin.core.errors import Reason
from tocsin.engine import commands as cm
from tocsin.engine.sequencer import Accepted
from tocsin.margin.levels import assess
from tocsin.margin.requirement import INITIAL, LIQUIDATION, MARGIN_CALL, compute_requirement
from tocsin.margin.valuation import compute_equity
from tocsin.procedures.liquidation.plan import plan_liquidation
from tocsin.sheet.marks import Grade, Mark, Marks, check_mark, grade_by_age


def publish(driver: Driver, **rows: object) -> object:
    fields = {"contract": (PERP,), "mark": (100_000,), "funding": (0,), "grade": (0,), "asset": (), "price": ()}
    return driver.send(cm.SetMarks, **{**fields, **rows})


def test_mk_010_marks_act_from_the_next_cycle() -> None:
    """MK-010, CM-012"""
    driver = Driver(make_sheet())
    publish(driver, mark=(123_456,), funding=(-7,), asset=(USD,), price=(999_999,))
    assert driver.engine.opened.marks == Marks({}, {})
    driver.cut()
    assert driver.engine.opened.marks == Marks({PERP: Mark(123_456, -7, Grade.FRESH, 60_000 * SECOND)}, {USD: 999_999})


@pytest.mark.parametrize(("contract", "good"), [(0, 1), (2, -1)])
def test_mk_011_a_mark_of_the_wrong_sign_is_refused(contract: int, good: int) -> None:
    """MK-011: linear marks are above 0, inverse ones below."""
    terms = CONTRACTS[contract]
    assert check_mark(terms, good, 0) == (good, 0, Reason.OK)
    assert check_mark(terms, 0, 0)[2] is Reason.MARK_REFUSED
    assert check_mark(terms, -good, 0)[2] is Reason.MARK_REFUSED


def test_mk_011_other_rows_count() -> None:
    """MK-011, MK-014: the last good mark stays for the one refused."""
    driver = Driver(make_sheet())
    publish(driver)
    driver.cut()
    publish(driver, contract=(PERP, COIN), mark=(-5, -200_000), funding=(0, 0), grade=(0, 0))
    result = driver.cut()
    assert [(e.fields["contract"], e.fields["reason"]) for e in result.events] == [(PERP, "R-5001")]
    marks = driver.engine.opened.marks.contracts
    assert (marks[PERP].mark, marks[COIN].mark) == (100_000, -200_000)


@pytest.mark.parametrize(("contract", "side"), [(0, 1), (2, -1)])
def test_mk_012_beyond_the_cap_is_clamped(contract: int, side: int) -> None:
    """MK-012"""
    terms = CONTRACTS[contract]
    assert check_mark(terms, side * 1_000_001, 0) == (side * 1_000_000, 0, Reason.MARK_CLAMPED)
    assert check_mark(terms, side * 10, side * 1_000_001) == (side * 10, side * 1_000_000, Reason.MARK_CLAMPED)
    assert check_mark(terms, side * 1_000_000, -side * 1_000_000)[2] is Reason.OK


@pytest.mark.parametrize("side", [1, -1])
def test_mk_012_a_clamped_contract_is_closed_until_a_new_sheet(side: int) -> None:
    """MK-012, CY-015"""
    from tocsin.sheet.terms import encode_sheet

    driver = Driver(make_sheet())
    publish(driver, asset=(USD,), price=(1_000_000,))
    driver.cut()
    driver.open(1, deposit=10_000_000)
    publish(driver, mark=(1_000_001,))
    driver.cut()

    def check() -> str:
        driver.ok(cm.OrderCheck, account=1, contract=PERP, lots=side)
        driver.ok(cm.SetSheet, sheet=encode_sheet(make_sheet(name=f"s{driver.nonce}")))
        (event,) = [e for e in driver.cut().events if e.account == 1 and "a" in e.fields and e.kind != "deposited"]
        return str(event.fields.get("reason", "OK"))

    publish(driver)
    assert check() == "R-4004"
    assert check() == "OK"


@pytest.mark.parametrize(
    ("age", "stale_after", "halted", "grade"),
    [
        (10, 10, False, Grade.FRESH),
        (11, 10, False, Grade.STALE),
        (11, 0, False, Grade.FRESH),
        (11, 10, True, Grade.HALTED),
        (0, 0, True, Grade.HALTED),
    ],
)
def test_mk_013_grades(age: int, stale_after: int, halted: bool, grade: Grade) -> None:
    """MK-013"""
    sheet = make_sheet(perp={"stale_after_ns": stale_after})
    marks = Marks({PERP: Mark(100_000, 0, Grade.FRESH, 500)}, {})
    graded = grade_by_age(sheet, marks, 500 + age, frozenset({PERP} if halted else ()))
    assert graded.contracts[PERP].grade is grade


def test_mk_013_a_published_grade_stays() -> None:
    """MK-013"""
    marks = Marks({PERP: Mark(100_000, 0, Grade.HALTED, 0)}, {})
    assert grade_by_age(make_sheet(), marks, 1, frozenset()).contracts[PERP].grade is Grade.HALTED


@pytest.mark.parametrize(("contract", "floor"), [(PERP, 100_000), (COIN, -100_000)])
def test_mk_014_the_first_mark_has_a_floor(contract: int, floor: int) -> None:
    """MK-014: then lower ones are fine, and what is not published again stays."""
    driver = Driver(make_sheet())
    toward_zero = -1 if floor > 0 else 1
    publish(driver, contract=(contract,), mark=(floor + toward_zero,))
    driver.cut()
    assert contract not in driver.engine.opened.marks.contracts
    assert not isinstance(driver.send(cm.OrderCheck, account=1, contract=contract, lots=1), Accepted)
    for mark in (floor, floor + toward_zero):
        publish(driver, contract=(contract,), mark=(mark,))
        driver.cut()
        driver.cut()
        assert driver.engine.opened.marks.contracts[contract].mark == mark


def test_mk_014_no_trade_before_the_first_mark() -> None:
    """MK-014, EQ-002, CM-006"""
    driver = Driver(make_sheet())
    driver.open(1)
    for answer in (
        driver.send(cm.Fills, buyer=(1,), seller=(2,), contract=(PERP,), lots=(1,), value=(1,)),
        driver.send(cm.Holds, account=(1,), contract=(PERP,), bid=(1,), ask=(0,)),
        driver.send(cm.OrderCheck, account=1, contract=PERP, lots=1),
    ):
        assert answer.reason is Reason.UNKNOWN_CONTRACT


def test_mk_015_prices() -> None:
    """MK-015: 0 or less is refused, above the cap is clamped."""
    driver = Driver(make_sheet())
    publish(driver, asset=(USD, BTC), price=(0, 4_000_001))
    result = driver.cut()
    assert [e.kind for e in result.events] == ["price_refused", "price_clamped"]
    assert driver.engine.opened.marks.prices == {BTC: 4_000_000}


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("grade", [Grade.STALE, Grade.HALTED])
def test_mk_016_a_leg_that_is_not_fresh(side: int, grade: Grade) -> None:
    """MK-016, RQ-006, LQ-012: counts at its last mark, adds its half band at initial, is in no plan."""
    account = make_account(130_000, perp=side * 10, alt=side * 5)
    fresh, old = value(perp=99_000), value(perp=99_000, grade=grade)
    assert compute_equity(account, old) == compute_equity(account, fresh)
    band = 10 * 99_000 * 20_000 // 1_000_000
    assert compute_requirement(account, old, INITIAL) == compute_requirement(account, fresh, INITIAL) + band
    for level in (MARGIN_CALL, LIQUIDATION):
        assert compute_requirement(account, old, level) == compute_requirement(account, fresh, level)
    needs = assess(account, old).requirements
    assert list(needs) == sorted(needs, reverse=True)
    plan = plan_liquidation(replace_cash(account, 40_000), old, {})
    assert plan is not None
    assert [s.contract for s in plan.slices] == [ALT]


def replace_cash(account: object, usd: int) -> object:
    account = account.copy()
    account.cash[USD] = usd
    return account


def test_marks_of_these_tests_are_publishable() -> None:
    """MK-010"""
    assert replace(CONTRACTS[0], id=PERP) == make_sheet().contracts[0]
