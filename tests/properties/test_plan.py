"""
The greedy plan on random accounts: reaches its target exactly, keeps its bounds, and is the same mirrored.
"""

from fractions import Fraction
from math import ceil, floor

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.helpers import exact
from tests.helpers.mirror import mirror_account, mirror_sheet
from tests.helpers.strategies import worlds
from tests.helpers.worlds import USDT, small_sheet
from tocsin.margin.requirement import LIQUIDATION, MARGIN_CALL
from tocsin.margin.state import AccountState
from tocsin.margin.valuation import Valuation, compute_equity
from tocsin.procedures.liquidation.plan import plan_liquidation
from tocsin.sheet import terms as t
from tocsin.sheet.marks import Grade, Mark, Marks

PPM = 1_000_000


@st.composite
def troubled(draw):
    """
    A world whose account has equity between nothing and its exit, with marks of at least 10^5 per lot so that each lot
    closed frees whole units more than it costs.
    """
    sheet, marks, account = draw(worlds(costs=True, holds=False, priced=True, rich=True))
    entries = {
        c: msgspec.structs.replace(m, mark=m.mark if abs(m.mark) >= 10**5 else (10**5 if m.mark > 0 else -(10**5)))
        for c, m in marks.contracts.items()
    }
    marks = Marks(entries, marks.prices)
    assume(account.positions)
    # Move cash so that equity lies where the draw says, between 0 and 1.2 times the exit.
    want = exact.leave(account, sheet, marks, MARGIN_CALL) * draw(st.integers(0, 120)) // 100
    missing = want - exact.equity_exact(account, sheet, marks)
    price = Fraction(marks.prices[1], PPM)
    account.cash[1] = account.cash.get(1, 0) + floor(missing / price)
    return sheet, marks, account


def cost_of(sheet, marks, contract, lots):
    """Return what closing lots is expected to cost, rounded up."""
    terms = next(c for c in sheet.contracts if c.id == contract)
    value = abs(lots * marks.contracts[contract].mark) * exact.price_owed(sheet, marks, terms.asset)
    premium = next(a.premium_ppm for a in sheet.assets if a.id == terms.asset)
    return ceil(value * Fraction(terms.impact_ppm + terms.fee_ppm, PPM) * Fraction(PPM + premium, PPM))


def after(account, moves):
    """Return the account with moves traded away, entry sums as they are."""
    out = account.copy()
    for contract, lots in moves:
        held, entry = out.positions[contract]
        if held + lots:
            out.positions[contract] = (held + lots, entry)
        else:
            del out.positions[contract]
    return out


def reached(sheet, marks, account, moves):
    """Return whether equity less the cost of the moves reaches the exit of `margin_call`."""
    cost = sum(cost_of(sheet, marks, c, lots) for c, lots in moves)
    equity = exact.equity(account, sheet, marks)
    return equity - cost >= exact.leave(after(account, moves), sheet, marks, MARGIN_CALL)


def ranked(sheet, marks, account):
    """Return the fresh legs by requirement freed per cost, ties by id, in fractions."""
    keys = {}
    for contract, (lots, _) in account.positions.items():
        if marks.contracts[contract].grade == Grade.FRESH:
            freed = exact.contract_need(sheet, marks, contract, lots, MARGIN_CALL)
            cost = cost_of(sheet, marks, contract, lots)
            # Without any cost all legs tie: whatever is freed is free.
            free_of_cost = all(c.impact_ppm + c.fee_ppm == 0 for c in sheet.contracts)
            keys[contract] = (0 if free_of_cost else -(freed / cost if cost else 10**30), contract)
    return sorted(keys, key=lambda c: keys[c])


@given(troubled())
def test_plan_reaches_its_target_with_no_lot_too_many(world):
    sheet, marks, account = world
    plan = plan_liquidation(account, Valuation(sheet, marks), {})
    if exact.equity(account, sheet, marks) <= 0:
        assert plan is None
        return
    moves = [(s.contract, s.lots) for s in plan.slices]
    assert plan.cost == sum(cost_of(sheet, marks, c, lots) for c, lots in moves)
    assert plan.reaches == reached(sheet, marks, account, moves)
    if not plan.reaches:
        # Then everything that may be traded is.
        fresh = {c for c in account.positions if marks.contracts[c].grade == Grade.FRESH}
        assert {c: -account.positions[c][0] for c in fresh} == dict(moves)
    if not moves:
        return
    contract, lots = moves[-1]
    terms = next(c for c in sheet.contracts if c.id == contract)
    left = abs(account.positions[contract][0] + lots)
    assert left == 0 or left >= terms.dust_lots
    if left or terms.dust_lots == 0:
        fewer = lots - 1 if lots > 0 else lots + 1
        before = [*moves[:-1], (contract, fewer)] if fewer else moves[:-1]
        assert not reached(sheet, marks, account, before)
    else:
        # Dust: without it, a remainder would be left that is smaller than the contract's dust.
        most = account.positions[contract][0]
        keep = terms.dust_lots if most > 0 else -terms.dust_lots
        if abs(keep) < abs(most):
            assert not reached(sheet, marks, account, [*moves[:-1], (contract, keep - most)])


@given(troubled())
def test_legs_come_by_requirement_freed_per_cost_ties_by_id(world):
    sheet, marks, account = world
    plan = plan_liquidation(account, Valuation(sheet, marks), {})
    assume(plan is not None)
    order = [s.contract for s in plan.slices]
    costs = [c.impact_ppm + c.fee_ppm for c in sheet.contracts if c.id in account.positions]
    assume(all(costs) or not any(costs))
    assert order == ranked(sheet, marks, account)[: len(order)]
    for part in plan.slices[:-1]:
        assert part.lots == -account.positions[part.contract][0]


@given(troubled())
def test_stale_legs_are_never_in_a_plan(world):
    sheet, marks, account = world
    plan = plan_liquidation(account, Valuation(sheet, marks), {})
    for part in plan.slices if plan else ():
        assert marks.contracts[part.contract].grade == Grade.FRESH
        assert part.lots * account.positions[part.contract][0] < 0


@given(troubled())
def test_concessions_stay_within_equity_times_what_is_freed(world):
    """LQ: the total is at most E x min(1, freed / requirement) at `liquidation`, rounded down; each limit keeps it."""
    sheet, marks, account = world
    plan = plan_liquidation(account, Valuation(sheet, marks), {})
    assume(plan is not None and plan.slices)
    equity = exact.equity(account, sheet, marks)
    before = exact.need_exact(account, sheet, marks, LIQUIDATION)
    moves = [(s.contract, s.lots) for s in plan.slices]
    freed = before - exact.need_exact(after(account, moves), sheet, marks, LIQUIDATION)
    bound = floor(equity * min(Fraction(1), freed / before)) if before else equity
    assert plan.concession_max == bound
    assert sum(s.concession for s in plan.slices) <= bound
    given_up = Fraction(0)
    for part in plan.slices:
        terms = next(c for c in sheet.contracts if c.id == part.contract)
        mark = marks.contracts[part.contract].mark
        worse = mark - part.limit if part.lots < 0 else part.limit - mark
        price = exact.price_owed(sheet, marks, terms.asset)
        assert worse >= 0
        assert worse * PPM <= abs(mark) * terms.impact_ppm
        loss = price * Fraction(PPM + next(a.premium_ppm for a in sheet.assets if a.id == terms.asset), PPM)
        assert worse * abs(part.lots) * loss <= part.concession
        given_up += worse * abs(part.lots) * loss
    assert given_up <= bound


@given(troubled(), st.data())
def test_lots_at_work_count_as_closed(world, data):
    """A plan asks only for what open intents do not trade yet; together they reach the target."""
    sheet, marks, account = world
    valuation = Valuation(sheet, marks)
    working = {}
    for contract, (lots, _) in account.positions.items():
        if data.draw(st.booleans()):
            part = data.draw(st.integers(1, abs(lots)))
            working[contract] = -part if lots > 0 else part
    plan = plan_liquidation(account, valuation, working)
    assume(plan is not None)
    asked = dict(working)
    for part in plan.slices:
        asked[part.contract] = asked.get(part.contract, 0) + part.lots
    for contract, lots in asked.items():
        assert lots * account.positions[contract][0] < 0
        assert abs(lots) <= abs(account.positions[contract][0])
    there = after(account, [(c, q) for c, q in asked.items() if q])
    cost = sum(cost_of(sheet, marks, c, lots) for c, lots in working.items())
    cost += sum(cost_of(sheet, marks, s.contract, s.lots) for s in plan.slices)
    equity = exact.equity(account, sheet, marks)
    assert plan.cost == cost
    assert plan.reaches == (equity - cost >= exact.leave(there, sheet, marks, MARGIN_CALL))


@given(troubled())
def test_full_mode_closes_every_fresh_leg(world):
    sheet, marks, account = world
    full = msgspec.structs.replace(sheet, liquidation=t.LiquidationPolicy(mode=t.LiquidationMode.FULL))
    plan = plan_liquidation(account, Valuation(full, marks), {})
    assume(plan is not None)
    fresh = {c for c in account.positions if marks.contracts[c].grade == Grade.FRESH}
    assert {s.contract: s.lots for s in plan.slices} == {c: -account.positions[c][0] for c in fresh}


@given(troubled())
def test_plan_changes_nothing(world):
    sheet, marks, account = world
    before = account.copy()
    plan_liquidation(account, Valuation(sheet, marks), {})
    assert account == before


@given(troubled())
def test_plans_of_long_and_short_are_mirror_images(world):
    sheet, marks, account = world
    mirrored = Marks(
        {c: Mark(-m.mark, -m.funding, m.grade, m.time_ns) for c, m in marks.contracts.items()}, marks.prices
    )
    ours = plan_liquidation(account, Valuation(sheet, marks), {})
    theirs = plan_liquidation(mirror_account(account), Valuation(mirror_sheet(sheet), mirrored), {})
    if ours is None:
        assert theirs is None
        return
    flipped = tuple(s._replace(lots=-s.lots, limit=-s.limit) for s in theirs.slices)
    assert ours == theirs._replace(slices=flipped)


@given(troubled())
def test_an_account_that_fills_its_plan_at_the_limits_keeps_its_health(world):
    """
    Traded at its limits, before fees, a plan leaves equity per liquidation requirement no lower than it was, whatever
    haircuts and premiums are.
    """
    sheet, marks, account = world
    plan = plan_liquidation(account, Valuation(sheet, marks), {})
    assume(plan is not None and plan.slices)
    there = after(account, [(s.contract, s.lots) for s in plan.slices])
    assets = {c.id: c.asset for c in sheet.contracts}
    for contract, (lots, entry) in account.positions.items():
        moved = next((s.lots for s in plan.slices if s.contract == contract), 0)
        if moved:
            # The traded lots leave with the P&L at mark less what the limit gives up, the rest keeps its own.
            limit = next(s.limit for s in plan.slices if s.contract == contract)
            mark = marks.contracts[contract]
            worse = abs(limit - mark.mark) * abs(moved)
            gone = lots * (mark.mark - mark.funding) - entry
            left = there.positions.get(contract)
            kept = left[0] * (mark.mark - mark.funding) - left[1] if left else 0
            asset = assets[contract]
            there.cash[asset] = there.cash.get(asset, 0) + gone - kept - worse
    before = exact.need_exact(account, sheet, marks, LIQUIDATION)
    left = exact.need_exact(there, sheet, marks, LIQUIDATION)
    equity = compute_equity(account, Valuation(sheet, marks))
    assert exact.equity_exact(there, sheet, marks) * before >= equity * left


@pytest.mark.parametrize("side", [1, -1])
def test_equal_legs_are_closed_in_the_order_of_their_ids(side):
    first = small_sheet().contracts[0]
    ids = (9, 4, 7)
    sheet = small_sheet(contracts=tuple(msgspec.structs.replace(first, id=i, symbol=f"C{i}") for i in ids))
    marks = Marks({i: Mark(10**8, 0, Grade.FRESH, 0) for i in ids}, {USDT: 10**6})
    positions = dict.fromkeys(ids, (side * 10, side * 10**9))
    account = AccountState(1, 1, cash={USDT: 40_000_000}, positions=positions)
    plan = plan_liquidation(account, Valuation(sheet, marks), {})
    assert [s.contract for s in plan.slices] == [4, 7, 9]
