"""
Rules LQ and CS: intents, plans, cases, mirrored.
"""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.helpers.small import ALT, ASSETS, BTC, PERP, USD, make_account, make_sheet, value
from tests.helpers.worlds import MINUTE, Driver
from tocsin.core.hashing import ZERO_HASH
from tocsin.core.ids import GLOBAL_FUND, OPERATOR, market_fund
from tocsin.core.integers import PPM
from tocsin.engine import commands as cm
from tocsin.engine.case import Case, decode_case, encode_case, hash_case
from tocsin.margin.requirement import LIQUIDATION, MARGIN_CALL, SCALE, compute_exit, sum_requirement
from tocsin.margin.state import Level
from tocsin.margin.valuation import compute_equity
from tocsin.procedures.liquidation import intent as it
from tocsin.procedures.liquidation.plan import expected_cost, plan_liquidation
from tocsin.sheet import terms as t
from tocsin.sheet.marks import Grade

sides = pytest.mark.parametrize("side", [1, -1])
# 5 % at liquidation, 6.25 % at margin_call, exit x 1.05; a lot costs 1.1 %.
NO_PREMIUM = (replace(ASSETS[0], premium_ppm=0), ASSETS[1])


def plain(assets: tuple = NO_PREMIUM, **perp: object) -> t.RiskSheet:
    fields = {"tiers": (t.Tier(0, 50_000),), "dust_lots": 0, **perp}
    return make_sheet(charge=t.LevelFactors(0, 0, 0, 0), perp=fields, assets=assets)


PLAIN = plain()


def intent(side: int, lots: int = 10, state: it.IntentState = it.IntentState.WORKING) -> it.Intent:
    return it.Intent(7, PERP, side * lots, 100_000, expires_ns=100, state=state)


def step(i: it.Intent, *, needed: bool = True, cycle: int = 1, now: int = 0) -> it.Intent:
    return it.step_intent(i, needed=needed, cycle=cycle, now_ns=now, grace_cycles=2)


@sides
def test_lq_001_life(side: int) -> None:
    """LQ-001"""
    granted = intent(side, state=it.IntentState.GRANTED)
    assert step(granted).state is it.IntentState.WORKING
    part = it.fill_intent(granted, side * 4)
    assert (part.left, part.state) == (side * 6, it.IntentState.GRANTED)
    assert it.fill_intent(part, side * 6).state is it.IntentState.DONE


@sides
def test_lq_002_what_is_reserved(side: int) -> None:
    """LQ-002: in every state but done, of its contract only."""
    pending = it.start_cancel(intent(side), 1, 2)
    others = [it.finish(intent(side)), replace(intent(side), contract=ALT)]
    assert it.reserved_lots([intent(side, 3), pending, *others], PERP) == side * 13


@pytest.mark.parametrize(
    ("lots", "units", "fits", "expected"),
    [
        (10, 999, 3, (3, 299)),
        (-10, -999, 3, (-3, -299)),
        (10, -999, 3, (3, -299)),
        (10, 999, 10, (10, 999)),
        (5, 9, 0, (0, 0)),
    ],
)
def test_lq_005_a_split_fill(lots: int, units: int, fits: int, expected: tuple[int, int]) -> None:
    """LQ-005: truncated toward zero."""
    assert it.split_fill(lots, units, fits) == expected


@sides
def test_lq_006_cancel_and_grace(side: int) -> None:
    """LQ-006"""
    pending = it.start_cancel(intent(side), cycle=5, grace_cycles=2)
    assert (pending.state, pending.give_up_cycle, pending.left) == (it.IntentState.CANCEL_PENDING, 7, side * 10)
    assert step(pending, cycle=6) == pending
    assert step(pending, cycle=7).left == 0
    assert it.start_cancel(pending, 6, 2) is pending


@pytest.mark.parametrize(
    ("needed", "now", "cancelled"),
    [(True, 99, False), (True, 100, True), (False, 0, True)],
    ids=["works", "expired", "not needed"],
)
def test_lq_007_why_a_cancel(needed: bool, now: int, cancelled: bool) -> None:
    """LQ-007"""
    after = step(intent(1), needed=needed, now=now)
    assert (after.state is it.IntentState.CANCEL_PENDING) is cancelled


@sides
def test_lq_009_open_intents_count(side: int) -> None:
    """LQ-009: a plan asks for what is missing; with enough at work for nothing."""
    account, at = make_account(500_000, perp=side * 100), value(PLAIN)
    whole = plan_liquidation(account, at, {})
    (part,) = whole.slices
    rest = plan_liquidation(account, at, {PERP: -side * 10})
    assert [s.lots for s in rest.slices] == [part.lots + side * 10]
    assert rest.cost == whole.cost
    assert plan_liquidation(account, at, {PERP: part.lots}).slices == ()


@sides
@pytest.mark.parametrize(("usd", "planned"), [(1, True), (0, False), (-1, False)])
def test_lq_010_no_equity_no_plan(side: int, usd: int, planned: bool) -> None:
    """LQ-010"""
    assert (plan_liquidation(make_account(usd, perp=side * 5), value(PLAIN), {}) is not None) is planned


@sides
def test_lq_011_and_lq_014_target_and_fewest_lots(side: int) -> None:
    """LQ-011, LQ-014: 500,000 - 1,100 k >= 6,562.5 (100 - k) first at k = 29 (28.6)."""
    plan = plan_liquidation(make_account(500_000, perp=side * 100), value(PLAIN), {})
    assert [(s.contract, s.lots) for s in plan.slices] == [(PERP, -side * 29)]
    assert (plan.reaches, plan.cost) == (True, 29 * 1_100)


@sides
def test_lq_012_only_fresh_legs(side: int) -> None:
    """LQ-012"""
    account = make_account(50_000, perp=side * 10, alt=side * 10)
    plan = plan_liquidation(account, value(PLAIN, grade=Grade.STALE), {})
    assert [s.contract for s in plan.slices] == [ALT]


@sides
def test_lq_013_order(side: int) -> None:
    """LQ-013: ALT frees twice as much per cost; with equal rates the lower id comes first."""
    account = make_account(100_000, perp=side * 10, alt=-side * 10)
    assert [s.contract for s in plan_liquidation(account, value(PLAIN), {}).slices] == [ALT]
    alike = replace(
        PLAIN,
        contracts=(PLAIN.contracts[0], replace(PLAIN.contracts[1], tiers=(t.Tier(0, 50_000),)), PLAIN.contracts[2]),
    )
    assert [s.contract for s in plan_liquidation(account, value(alike), {}).slices] == [PERP]


@given(st.integers(1, 10**6), st.integers(-100, 100), st.integers(-100, 100), st.sampled_from([0, 5]))
def test_lq_014_reaches_and_one_lot_fewer_does_not(usd: int, perp: int, alt: int, dust: int) -> None:
    """LQ-011, LQ-014, LQ-015, LQ-016, LQ-017"""
    sheet = replace(PLAIN, contracts=(replace(PLAIN.contracts[0], dust_lots=dust), *PLAIN.contracts[1:]))
    account, at = make_account(usd, perp=perp, alt=alt), value(sheet)
    plan = plan_liquidation(account, at, {})
    assume(plan is not None and plan.slices)
    after = account.copy()
    for part in plan.slices:
        left = after.positions[part.contract][0] + part.lots
        assert abs(left) < abs(after.positions[part.contract][0])
        after.positions[part.contract] = (left, 0)
        assert part.concession >= 0
        line = at.lines[part.contract]
        assert abs(part.limit - line.mark) * abs(part.lots) <= part.concession
        assert (part.limit - line.mark) * part.lots >= 0
    assert sum(p.concession for p in plan.slices) <= plan.concession_max <= compute_equity(account, at)
    freed = sum_requirement(account, at, LIQUIDATION) - sum_requirement(after, at, LIQUIDATION)
    assert plan.concession_max * sum_requirement(account, at, LIQUIDATION) <= compute_equity(account, at) * freed
    equity = usd - plan.cost
    assert plan.reaches is (equity >= compute_exit(after, at, MARGIN_CALL))
    last = plan.slices[-1]
    one = 1 if last.lots < 0 else -1
    lots = after.positions[last.contract][0]
    if plan.reaches and not (last.contract == PERP and dust and lots == 0):
        line = at.lines[last.contract]
        after.positions[last.contract] = (lots + one, 0)
        cheaper = expected_cost(line, last.lots) - expected_cost(line, last.lots + one)
        assert equity + cheaper < compute_exit(after, at, MARGIN_CALL)


@sides
@pytest.mark.parametrize(("dust", "lots"), [(0, 29), (71, 29), (72, 100)])
def test_lq_015_dust(side: int, dust: int, lots: int) -> None:
    """LQ-015: a remainder of 71 lots is closed if dust is above it."""
    sheet = plain(dust_lots=dust)
    plan = plan_liquidation(make_account(500_000, perp=side * 100), value(sheet), {})
    assert plan.slices[0].lots == -side * lots


@sides
@pytest.mark.parametrize(
    ("usd", "concession", "per_lot"),
    [(500_000, 29_000, 1_000), (5_000, 5_000, 50), (5_050, 5_050, 50)],
    ids=["impact", "share of equity", "rounded down"],
)
def test_lq_016_limits(side: int, usd: int, concession: int, per_lot: int) -> None:
    """LQ-016: impact bound 1 % of 100,000 a lot; else the share of equity, here all of it over 100 lots."""
    (part,) = plan_liquidation(make_account(usd, perp=side * 100), value(PLAIN), {}).slices
    assert (part.concession, part.limit) == (concession, 100_000 - side * per_lot)


@sides
def test_lq_017_total_concession(side: int) -> None:
    """LQ-017: 500,000 x 29 / 100."""
    assert plan_liquidation(make_account(500_000, perp=side * 100), value(PLAIN), {}).concession_max == 145_000


@sides
@given(st.integers(1, 10**6), st.integers(1, 100), st.integers(0, 100))
def test_lq_017_slices_after_working_intents_share_the_bound(side: int, usd: int, lots: int, working: int) -> None:
    """LQ-017: over two tiers, what is at work and what is asked together concede no more than equity in all."""
    sheet = plain(tiers=(t.Tier(0, 20_000), t.Tier(5_000_000, 200_000)), impact_ppm=15_000, fee_ppm=0)
    account, at = make_account(usd, perp=side * lots), value(sheet)
    first = plan_liquidation(account, at, {})
    taken = min(working, sum(abs(s.lots) for s in first.slices))
    assume(taken)
    after = account.copy()
    after.positions = {PERP: (side * (lots - taken), 0)} if lots > taken else {}
    need = sum_requirement(account, at, LIQUIDATION)
    spent = usd * (need - sum_requirement(after, at, LIQUIDATION)) // need
    second = plan_liquidation(account, at, {PERP: -side * taken})
    assert spent + sum(s.concession for s in second.slices) <= second.concession_max <= usd


@sides
def test_lq_018_full(side: int) -> None:
    """LQ-018"""
    sheet = replace(PLAIN, liquidation=t.LiquidationPolicy(t.LiquidationMode.FULL))
    plan = plan_liquidation(make_account(500_000, perp=side * 100, alt=-side * 9), value(sheet), {})
    assert [(s.contract, s.lots) for s in plan.slices] == [(ALT, side * 9), (PERP, -side * 100)]


# In the engine


class World(Driver):
    """Account 1 holds 80 lots and is below liquidation: its plan has been made and its first intent is granted."""

    def __init__(self, side: int, usd: int = 1_000_000, sheet: t.RiskSheet | None = None) -> None:
        super().__init__(sheet or PLAIN)
        self.side = side
        self.mark(100_000)
        self.cut()
        self.open(1, deposit=usd)
        self.open(2, deposit=10**8)
        self.trade(side * 80)
        self.ok(cm.Holds, account=(1,), contract=(PERP,), bid=(3,), ask=(3,))
        # Equity 320,000 long at 91,500 (366,000 needed), 320,000 short at 108,500 (434,000).
        self.mark(100_000 - side * 8_500)
        self.cut()
        self.started = self.cut()
        self.intent = next(d for d in self.engine.opened.decisions if d.account == 1)

    @property
    def price(self) -> int:
        return 100_000 - self.side * 8_500

    def mark(self, mark: int, grade: int = 0) -> None:
        columns = {"contract": (PERP,), "mark": (mark,), "funding": (0,), "grade": (grade,)}
        self.ok(cm.SetMarks, **columns, asset=(USD, BTC), price=(1_000_000, 2_000_000))

    def trade(self, signed: int, intent: int = 0, price: int = 100_000) -> None:
        buyer, seller = (1, 2) if signed > 0 else (2, 1)
        column = {"buyer_intent" if signed > 0 else "seller_intent": intent}
        self.fill(buyer, seller, abs(signed), abs(signed) * price, PERP, **column)

    def said(self, *kinds: str) -> list[str]:
        return [e.kind for e in self.results[-1].events if e.account == 1 and e.kind in kinds]

    def unbooked(self) -> list[tuple[int, str]]:
        return [(e.fields["lots"], e.fields["reason"]) for e in self.results[-1].events if e.kind == "unbooked"]

    @property
    def lots(self) -> int:
        return self.engine.read(1).positions.get(PERP, (0, 0))[0]


@sides
def test_lq_003_own_fills_stay_outside_reserved_lots(side: int) -> None:
    """LQ-003, CY-022"""
    world = World(side)
    free = 80 - abs(world.intent.lots)
    world.trade(-side * (free + 3), price=world.price)
    world.cut()
    assert world.lots == side * abs(world.intent.lots)
    assert world.unbooked() == [(-side * 3, "R-3004")]


@sides
def test_lq_004_intent_fills_stay_within_intent_and_position(side: int) -> None:
    """LQ-004, CY-021: more than is left, a wrong direction, an unknown intent; a broken limit is told."""
    world = World(side)
    size = abs(world.intent.lots)
    world.trade(-side * (size + 2), world.intent.intent, price=world.price)
    world.trade(side, world.intent.intent, price=world.price)
    world.trade(-side, 999, price=world.price)
    world.cut()
    assert world.lots == side * (80 - size)
    assert world.unbooked() == [(-side * 2, "R-3004"), (side, "R-6001"), (-side, "R-6001")]
    world = World(side)
    world.trade(-side, world.intent.intent, price=world.intent.limit - side)
    world.trade(-side, world.intent.intent, price=world.intent.limit)
    world.cut()
    assert world.said("limit_broken") == ["limit_broken"]
    assert world.lots == side * 78


@sides
def test_lq_006_a_confirmed_cancel_frees_the_lots(side: int) -> None:
    """LQ-006, LQ-007: a stale mark cancels; the market confirms; nothing is reserved."""
    world = World(side)
    world.mark(world.price, grade=1)
    world.cut()
    world.cut()
    assert world.said("intent_cancel") == ["intent_cancel"]
    (pending,) = [i for i in world.engine.shards[0].cases[1].intents if i.id == world.intent.intent]
    assert pending.left == world.intent.lots
    world.ok(cm.IntentDone, account=1, intent=world.intent.intent)
    world.cut()
    assert "intent_done" in world.said("intent_done")
    assert it.reserved_lots(world.engine.shards[0].cases[1].intents, PERP) == 0


@pytest.mark.parametrize(("side", "fee"), [(1, 914), (-1, 1_086)])
def test_lq_008_the_fee(side: int, fee: int) -> None:
    """LQ-008: 0.1 % of 10 lots at 100 off the mark, rounded down: 914,000 and 1,086,000 are 914 and 1,086."""
    world = World(side)
    cash = world.engine.read(1).cash[USD]
    price = world.price - side * 100
    world.trade(-side * 10, world.intent.intent, price=price)
    world.cut()
    loss = 10 * 8_600
    assert world.engine.read(1).cash[USD] == cash - loss - fee
    assert world.engine.house.store.read(market_fund(PERP)).cash == {USD: fee}


@sides
@pytest.mark.parametrize(("sink", "account"), [(t.FeeSink.GLOBAL_FUND, GLOBAL_FUND), (t.FeeSink.OPERATOR, OPERATOR)])
def test_lq_008_the_sink(side: int, sink: t.FeeSink, account: int) -> None:
    """LQ-008: the contract says who receives the fee."""
    world = World(
        side, sheet=replace(PLAIN, contracts=(replace(PLAIN.contracts[0], fee_sink=sink), *PLAIN.contracts[1:]))
    )
    before = world.engine.house.cash(account, USD)
    world.trade(-side * 10, world.intent.intent, price=world.price)
    world.cut()
    assert world.engine.house.cash(account, USD) - before == 10 * world.price // 1_000
    assert world.engine.house.store.read(market_fund(PERP)).cash == {}


@sides
def test_lq_008_no_fee_from_nothing(side: int) -> None:
    """LQ-008: at most what the balance has above zero: here 17."""
    world = World(side)
    balance = 1_000_000 - 80 * 8_500
    # One lot at a price so bad that 17 units are left.
    world.trade(-side, world.intent.intent, price=world.price - side * (balance - 17))
    world.cut()
    assert [e.fields["amount"] for e in world.results[-1].events if e.kind == "fee"] == [17]


@sides
def test_lq_019_start_and_end(side: int) -> None:
    """LQ-019, LQ-020: orders are to be cancelled; only reducing orders pass until the level is left."""
    world = World(side)
    started = [e.kind for e in world.started.events if e.account == 1]
    assert started[-3:] == ["reduction_started", "cancel_orders", "plan"]
    for lots in (side, -side * 5):
        world.ok(cm.OrderCheck, account=1, contract=PERP, lots=lots)
    world.ok(cm.Deposit, account=1, asset=USD, amount=10**7)
    world.ok(cm.OrderCheck, account=1, contract=PERP, lots=side)
    world.cut()
    assert world.said("refused", "order_checked", "reduction_done") == [
        "refused",
        "order_checked",
        "refused",
        "reduction_done",
    ]
    world.ok(cm.OrderCheck, account=1, contract=PERP, lots=side)
    world.cut()
    assert world.said("order_checked") == ["order_checked"]


@sides
def test_cs_001_a_case_goes_when_nothing_is_open(side: int) -> None:
    """CS-001: after the reduction, and after its intents were cancelled and confirmed."""
    world = World(side)
    world.ok(cm.Deposit, account=1, asset=USD, amount=10**7)
    world.cut()
    case = world.engine.shards[0].cases[1]
    assert not case.reducing and case.intents
    world.ok(cm.IntentDone, account=1, intent=world.intent.intent)
    world.cut()
    assert world.engine.shards[0].cases == {}


def test_cs_002_and_cs_004_bytes_of_a_case() -> None:
    """CS-002, CS-004"""
    case = Case(5, reducing=True, acted=True, intents=[intent(1)])
    assert decode_case(encode_case(case)) == case
    assert hash_case(None) == ZERO_HASH
    assert hash_case(case) != hash_case(Case(5, reducing=True, intents=[intent(1)]))


@sides
def test_cs_004_the_case_is_part_of_the_root(side: int) -> None:
    """CS-004: another case, another leaf hash, with the same leaf."""
    world = World(side)
    shard = world.engine.shards[0]
    assert shard.cases[1].reducing
    assert world.engine.prove(1).case_hash == hash_case(shard.cases[1]) != ZERO_HASH


@sides
def test_cs_003_liquidation_fills_are_no_act_of_the_owner(side: int) -> None:
    """CS-003"""
    world = World(side)
    world.engine.shards[0].cases[1].acted = False
    world.trade(-side, world.intent.intent, price=world.price)
    world.cut()
    assert world.engine.shards[0].cases[1].acted is False
    assert (MINUTE, PPM, SCALE) == (60 * 10**9, 10**6, 256 * 10**18)


def test_levels_of_these_tests() -> None:
    """LQ-019: the world starts below liquidation and above takeover on both sides."""
    for side in (1, -1):
        assert World(side).engine.read(1).level is Level.LIQUIDATION
