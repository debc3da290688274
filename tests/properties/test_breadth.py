"""
Every component at once: scenarios, add-ons on the owner, gamma, slow marks, discounted gains, look-ahead, risky
collateral, both sets of factors. The plain rules against fractions, and the shapes they must have.
"""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers import exact
from tests.helpers.strategies import broad_worlds
from tocsin.accounts.plain import PlainStore
from tocsin.accounts.store import RowKind, Rows
from tocsin.core.errors import Reason
from tocsin.engine.sums import sum_account, sum_legs
from tocsin.margin.cure import cure_quantity
from tocsin.margin.levels import assess, compute_level
from tocsin.margin.prices import liquidation_price
from tocsin.margin.requirement import (
    INITIAL,
    LEG_SCALE,
    MARGIN_CALL,
    SCALE,
    compute_exit,
    compute_requirement,
    sum_requirement,
)
from tocsin.margin.scenario import scenario_component, scenario_values, sum_scenarios
from tocsin.margin.state import AccountState, Level, Mode
from tocsin.margin.valuation import Valuation, compute_equity
from tocsin.procedures.liquidation.plan import plan_liquidation

replace = msgspec.structs.replace


@given(broad_worlds())
def test_requirements_are_those_of_the_fractions(world):
    """RQ-010, RQ-020 to RQ-036: at every level, to the last part of a unit."""
    sheet, marks, account = world
    valuation = Valuation(sheet, marks)
    for level in range(4):
        assert sum_requirement(account, valuation, level) == exact.need_exact(account, sheet, marks, level) * SCALE
        assert compute_exit(account, valuation, level) == exact.leave(account, sheet, marks, level)


@given(broad_worlds())
def test_levels_are_nested_and_both_ways_agree(world):
    """LV-001, LV-006: requirements never rise from `initial` to `takeover`; the short way finds the same level."""
    sheet, marks, account = world
    valuation = Valuation(sheet, marks)
    numbers = assess(account, valuation)
    assert list(numbers.requirements) == sorted(numbers.requirements, reverse=True)
    assert numbers.level == compute_level(account, valuation) == exact.level(account, sheet, marks, account.level)


@given(broad_worlds())
def test_sums_told_add_up(world):
    """WY-004: what `why` prints is the requirement, without orders in contracts about to expire."""
    sheet, marks, account = world
    marks = replace(marks, expiring=())
    valuation = Valuation(sheet, marks)
    for level, need in enumerate(sum_account(account, valuation)):
        assert need.total == sum_requirement(account, valuation, level)
        legs = sum(leg.needs[level].total for leg in sum_legs(account, valuation))
        assert legs <= -(-need.total * LEG_SCALE // SCALE) or not need.summed


def mix(a: AccountState, b: AccountState) -> AccountState:
    """Return an account with the sums of lots, entry sums, cash and holds of both."""
    out = a.copy()
    for contract in {*a.positions, *b.positions}:
        (q, e), (r, f) = a.positions.get(contract, (0, 0)), b.positions.get(contract, (0, 0))
        out.positions[contract] = (q + r, e + f)
    out.positions = {c: p for c, p in out.positions.items() if p[0]}
    for asset in {*a.cash, *b.cash}:
        out.cash[asset] = a.cash.get(asset, 0) + b.cash.get(asset, 0)
    return out


def doubled(a: AccountState) -> AccountState:
    return mix(a, a)


@given(broad_worlds(holds=False), st.data())
def test_midpoint_convexity(world, data):
    """RQ-009, RQ-034: the requirement of what lies between two portfolios is at most the mean of theirs, exactly."""
    sheet, marks, one = world
    # An entry sum left without lots would be P&L that belongs to no contract.
    valuation = Valuation(sheet, marks)
    two = one.copy()
    for contract in [c.id for c in sheet.contracts]:
        lots = data.draw(st.integers(-(10**5), 10**5), label=f"lots of {contract}")
        two.positions.pop(contract, None)
        if lots:
            two.positions[contract] = (lots, lots * valuation.lines[contract].net + data.draw(st.integers(-9, 9)))
    between = mix(one, two)
    if set(between.positions) != {*one.positions, *two.positions}:
        return
    for level in range(4):
        ends = sum_requirement(doubled(one), valuation, level) + sum_requirement(doubled(two), valuation, level)
        assert 2 * sum_requirement(between, valuation, level) <= ends


@given(broad_worlds(holds=False), st.integers(0, 4))
def test_a_part_of_a_portfolio_needs_no_more_than_its_part(world, parts):
    """RQ-009: along the ray to nothing the requirement does not rise, and k/4 of it needs at most k/4."""
    sheet, marks, account = world
    account.cash = {}
    account.positions = {c: (q * 4, e * 4) for c, (q, e) in account.positions.items()}
    part = account.copy()
    part.positions = {c: (q * parts // 4, e * parts // 4) for c, (q, e) in account.positions.items() if parts}
    valuation = Valuation(sheet, marks)
    for level in range(4):
        whole = sum_requirement(account, valuation, level)
        assert 4 * sum_requirement(part, valuation, level) <= parts * whole


@given(broad_worlds(holds=True), st.data())
def test_no_partial_fill_of_the_orders_needs_more(world, data):
    """RQ-007, RQ-036: `initial` with orders resting covers whatever of them is filled, at the marks."""
    sheet, marks, account = world
    valuation = Valuation(sheet, marks)
    filled = account.copy()
    filled.holds = {}
    for contract, (bid, ask) in account.holds.items():
        lots = data.draw(st.integers(-ask, bid), label=f"filled in {contract}")
        held, entry = account.positions.get(contract, (0, 0))
        filled.positions[contract] = (held + lots, entry + lots * valuation.lines[contract].net)
        if not held + lots:
            _, entry = filled.positions.pop(contract)
            asset = valuation.lines[contract].asset
            filled.cash[asset] = filled.cash.get(asset, 0) - entry
    if marks.expiring:
        return
    # Gains on what is held count the same; what is closed at the mark is no longer unrealised.
    assert sum_requirement(filled, valuation, INITIAL) <= sum_requirement(account, valuation, INITIAL)


@given(broad_worlds(priced=True), st.sampled_from((1, 2)), st.integers(1, 10**9))
def test_paying_in_never_hurts(world, asset, units):
    """SH-024, EQ-007: each unit paid in adds at least as much to equity as to the requirement."""
    sheet, marks, account = world
    valuation = Valuation(sheet, marks)
    richer = account.copy()
    richer.cash[asset] = richer.cash.get(asset, 0) + units
    for level in range(4):
        before = exact.equity_exact(account, sheet, marks) - exact.need_exact(account, sheet, marks, level)
        after = exact.equity_exact(richer, sheet, marks) - exact.need_exact(richer, sheet, marks, level)
        assert after >= before
    assert compute_level(richer, valuation) <= compute_level(account, valuation)


@given(broad_worlds(priced=True), st.sampled_from((1, 2)))
def test_the_cure_is_the_least_that_cures(world, asset):
    """MC-003: also where what is paid in adds to the scenarios."""
    sheet, marks, account = world
    valuation = Valuation(sheet, marks)
    units = cure_quantity(account, valuation, asset)
    if units is None or units == 0:
        return
    for given_units, cured in ((units, True), (units - 1, False)):
        trial = account.copy()
        trial.cash[asset] = trial.cash.get(asset, 0) + given_units
        # The cure is sought on exact values, equity is rounded down: one unit of valuation may lie between.
        gap = exact.equity_exact(trial, sheet, marks) - exact.leave(trial, sheet, marks, MARGIN_CALL)
        assert (gap >= 0) is cured


@given(broad_worlds(rich=True, priced=True), st.sampled_from((1, 2)), st.integers(1, 10**12))
def test_what_was_withdrawn_left_the_account_standing(world, asset, units):
    """AC-006: also where the scenarios shrink as collateral leaves."""
    sheet, marks, account = world
    account.level = Level.CALM
    account.in_transit = {}
    valuation = Valuation(sheet, marks)
    from tocsin.accounts.leaf import encode_leaf

    store = PlainStore(valuation)
    store.load([encode_leaf(account)])
    state = store.read(1)
    assert state is not None
    state.others = dict(account.others)
    rows = Rows()
    rows.add(RowKind.WITHDRAW, 1, asset, units)
    results = store.apply(rows)
    if results.reason[0] == Reason.OK and (account.positions or account.holds):
        assert compute_equity(state, valuation) >= compute_requirement(state, valuation, INITIAL)
        if results.x[0] == results.y[0] < min(units, account.cash.get(asset, 0)):
            more = state.copy()
            more.cash[asset] = more.cash.get(asset, 0) - 1
            stands = compute_equity(more, valuation) >= compute_requirement(more, valuation, INITIAL)
            assert not stands or exact.balances(more, sheet, marks)[asset] < 0


@given(broad_worlds(holds=False))
def test_one_mark_before_the_price_it_stands_at_it_it_falls(world):
    """PR-002: with arrays, add-ons and legs of the same underlying beside it."""
    sheet, marks, account = world
    account.level = Level.CALM
    valuation = Valuation(sheet, marks)

    def falls(contract, mark):
        there = valuation.with_mark(contract, mark)
        return compute_equity(account, there) < compute_requirement(account, there, 2)

    for contract, (lots, _) in account.positions.items():
        found = liquidation_price(account, valuation, contract)
        if found.mark is not None:
            assert falls(contract, found.mark)
            assert not falls(contract, found.mark + (1 if lots > 0 else -1))


@given(broad_worlds(holds=False, fresh=True, priced=True))
def test_a_plan_that_reaches_its_target_does(world):
    """LQ-014: after its slices at the marks, less its cost, the account is at the exit of `margin_call`."""
    sheet, marks, account = world
    valuation = Valuation(sheet, marks)
    plan = plan_liquidation(account, valuation, {})
    if plan is None:
        assert compute_equity(account, valuation) <= 0
        return
    after = account.copy()
    for part in plan.slices:
        line = valuation.lines[part.contract]
        lots, entry = after.positions[part.contract]
        assert lots * part.lots < 0 and abs(part.lots) <= abs(lots)
        after.positions[part.contract] = (lots + part.lots, entry + part.lots * line.net)
        if not lots + part.lots:
            _, entry = after.positions.pop(part.contract)
            after.cash[line.asset] = after.cash.get(line.asset, 0) - entry
    stands = compute_equity(account, valuation) - plan.cost >= compute_exit(after, valuation, MARGIN_CALL)
    assert stands is plan.reaches
    assert sum(s.concession for s in plan.slices) <= max(0, compute_equity(account, valuation))


@given(broad_worlds(holds=False))
def test_hedged_gains_never_make_a_loss_smaller_than_alone(world):
    """RQ-033: more gain counted never raises the requirement; lambda = 1 gives no offset at all."""
    sheet, marks, account = world
    account.mode = Mode.PORTFOLIO
    values = scenario_values(account, Valuation(sheet, marks))
    if not values:
        return
    found = []
    for gain in (0, 100, 256):
        same = replace(sheet, alone_256=0, underlyings=tuple(replace(u, gain_256=gain) for u in sheet.underlyings))
        found.append(scenario_component(account, Valuation(same, marks)))
    assert found == sorted(found, reverse=True)
    strict = Valuation(replace(sheet, alone_256=256), marks)
    total = sum_scenarios(values, strict)
    assert total.total == total.floor >= found[0]
