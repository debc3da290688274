"""
Rules MC: the margin call, mirrored. Stories with whole lives are in test_stories.py.
"""

import pytest
from msgspec.structs import replace

from tests.helpers.small import BTC, COIN, PERP, USD, make_account, make_sheet, value
from tests.helpers.worlds import MINUTE, Driver
from tocsin.engine import commands as cm
from tocsin.margin.cure import compute_shortfall, cure_quantity
from tocsin.margin.deadline import MINUTE_NS, Deadline, compute_deadline, compute_variance, t_star_minutes
from tocsin.margin.levels import assess, compute_level
from tocsin.margin.requirement import MARGIN_CALL, compute_exit
from tocsin.margin.state import AccountState, Level
from tocsin.margin.valuation import compute_equity
from tocsin.procedures.margin_calls import call as mc
from tocsin.sheet import terms as t

sides = pytest.mark.parametrize("side", [1, -1])
PLAIN = make_sheet(charge=t.LevelFactors(0, 0, 0, 0))
POLICY = t.CallPolicy(deadline_ns=15 * MINUTE, t_min_ns=2 * MINUTE, z_hundredths=300)


def called(side: int, usd: int = 60_000) -> AccountState:
    """10 lots: margin_call 62,500, exit 65,625, liquidation 50,000."""
    return make_account(usd, perp=side * 10, level=Level.MARGIN_CALL)


def issue(side: int, usd: int = 60_000, now: int = 0) -> mc.Call:
    at = value(PLAIN)
    return mc.issue_call(called(side, usd), at, assess(called(side, usd), at), 7, now)


@sides
def test_mc_002_all_inputs_are_stated(side: int) -> None:
    """MC-002, MC-010: buffer 10,000, gap 1,000; (600^2 + 800^2) = 10^6; 9,000^2 / (9 x 10^6) = 9 minutes.

    5,625 lacking are 1,000 BTC at 1.8 and 2,550 at 1.5.
    """
    call = issue(side, now=5)
    assert call == mc.Call(
        cycle=7, issued_ns=5, deadline_ns=5 + 9 * MINUTE, amount=5_625, equity=60_000, requirement=62_500,
        cures=((USD, 5_625), (BTC, 3_550)), t_star_minutes=9, buffer=10_000, gap=1_000, variance="1000000",
    )  # fmt: skip


@sides
def test_mc_003_amount(side: int) -> None:
    """MC-003: exit less equity, never below 0."""
    assert compute_shortfall(called(side), value(PLAIN)) == 5_625
    assert compute_shortfall(called(side, 65_625), value(PLAIN)) == 0


@sides
@pytest.mark.parametrize(
    ("usd", "btc", "asset"), [(60_000, 0, USD), (60_000, 0, BTC), (-3_000, 40_000, USD), (60_001, 500, BTC)]
)
def test_mc_004_the_exact_quantity(side: int, usd: int, btc: int, asset: int) -> None:
    """MC-004: it cures, one unit less does not; tiers and premium count."""
    account, at = called(side, usd), value(PLAIN)
    account.cash[BTC] = btc
    quantity = cure_quantity(account, at, asset)
    assert quantity is not None and quantity > 0
    exit_ = compute_exit(account, at, MARGIN_CALL)
    for units, cured in ((quantity, True), (quantity - 1, False)):
        trial = account.copy()
        trial.cash[asset] = trial.cash.get(asset, 0) + units
        assert (compute_equity(trial, at) >= exit_) is cured
        assert (compute_level(trial, at) < Level.MARGIN_CALL) is cured


@sides
def test_mc_005_what_cannot_cure_is_not_named(side: int) -> None:
    """MC-005"""
    assert cure_quantity(called(side), value(PLAIN, btc=0), BTC) is None
    worthless = replace(PLAIN.assets[1], haircuts=(t.HaircutTier(0, 0), t.HaircutTier(100, 1_000_000)))
    sheet = replace(PLAIN, assets=(PLAIN.assets[0], worthless))
    assert cure_quantity(called(side), value(sheet), BTC) is None


@pytest.mark.parametrize(
    ("level", "acted", "late", "outcome"),
    [
        (Level.INITIAL, True, True, mc.Outcome.CURED),
        (Level.CALM, True, False, mc.Outcome.CURED),
        (Level.CALM, False, True, mc.Outcome.CANCELLED),
        (Level.LIQUIDATION, True, True, mc.Outcome.CANCELLED),
        (Level.BANKRUPTCY, False, False, mc.Outcome.CANCELLED),
        (Level.MARGIN_CALL, True, True, mc.Outcome.EXPIRED),
        (Level.MARGIN_CALL, True, False, mc.Outcome.OPEN),
    ],
)
def test_mc_006_to_mc_009_outcomes(level: Level, acted: bool, late: bool, outcome: mc.Outcome) -> None:
    """MC-006, MC-007, MC-008, MC-009: cures come before expiry; the deadline's own moment is late."""
    call = issue(1)
    assert mc.review_call(call, level, acted, call.deadline_ns - (not late)) is outcome


@pytest.mark.parametrize(
    ("buffer", "gap", "variance", "z", "minutes"),
    [
        (10_000, 1_000, 1_000_000, 300, 9),
        (9_999, 1_000, 1_000_000, 300, 8),
        (1_000, 1_000, 1_000_000, 300, 0),
        (1_001, 1_000, 0, 300, None),
        (1_000, 1_000, 0, 300, 0),
        (-1, 0, 0, 300, 0),
        (10**9, 0, 1, 1, 366 * 24 * 60),
    ],
)
def test_mc_010_t_star(buffer: int, gap: int, variance: int, z: int, minutes: int | None) -> None:
    """MC-010"""
    assert t_star_minutes(buffer, gap, variance, z) == minutes


@sides
def test_mc_010_variance_of_a_portfolio(side: int) -> None:
    """MC-010: factor 1: 10 x 60 - 5 x 30 = 450, factor 2: 5 x 40 = 200, own 10 x 80; opposite legs net."""
    assert compute_variance(make_account(perp=side * 10, alt=side * 5), value()) == 450**2 + 200**2 + 800**2
    assert compute_variance(make_account(perp=side * 10, alt=-side * 5), value()) == 750**2 + 200**2 + 800**2
    deadline = compute_deadline(make_account(200_000, perp=side * 10, alt=-side * 5), value(PLAIN))
    assert (deadline.buffer, deadline.gap) == (200_000 - 100_000, 1_500)
    assert compute_deadline(make_account(btc=10**6, coin=side), value()).minutes is None
    assert COIN == 3


@pytest.mark.parametrize(("minutes", "expected"), [(9, 9), (15, 15), (16, 15), (0, 0), (None, 15)])
def test_mc_011_the_earlier_of_policy_and_t_star(minutes: int | None, expected: int) -> None:
    """MC-011"""
    assert mc.latest_deadline(Deadline(minutes, 0, 0, 0), POLICY, 100) == 100 + expected * MINUTE_NS


@sides
def test_mc_012_only_ever_earlier(side: int) -> None:
    """MC-012"""
    call, at = issue(side), value(PLAIN)
    assert mc.revise_deadline(call, called(side, 90_000), at, MINUTE) is call
    # Buffer 7,000: 6,000^2 / 9,000,000 = 4 minutes from minute 1 on.
    revised = mc.revise_deadline(call, called(side, 57_000), at, MINUTE)
    assert (revised.deadline_ns, revised.t_star_minutes) == (5 * MINUTE, 4)
    assert replace(revised, deadline_ns=call.deadline_ns, t_star_minutes=9) == call


@pytest.mark.parametrize(("left", "too_short"), [(2 * MINUTE - 1, True), (2 * MINUTE, False)])
def test_mc_013_no_time_worth_calling_for(left: int, too_short: bool) -> None:
    """MC-013"""
    assert mc.is_too_short(replace(issue(1), deadline_ns=left), POLICY) is too_short


def test_mc_014_an_outage_moves_a_deadline() -> None:
    """MC-014"""
    assert mc.shift_deadline(issue(1), 3 * MINUTE).deadline_ns == 12 * MINUTE


# In the engine: one account of 10 lots with 100,000, called by a mark 4,000 against it.


class Called(Driver):
    """Account 1 is at margin_call: equity 59,000 against 60,000 (long, at 96,000) or 65,000 (short, at 104,000)."""

    def __init__(self, side: int, usd: int = 99_000, calls: t.CallPolicy = POLICY) -> None:
        super().__init__(replace(PLAIN, calls=calls, cycle=t.CyclePolicy(nominal_ns=MINUTE, late_cycles=3)))
        self.side = side
        self.mark(100_000)
        self.cut()
        self.open(1, deposit=usd)
        self.open(2, deposit=10**7)
        self.fill(*((1, 2) if side > 0 else (2, 1)), 10, 1_000_000, PERP)
        self.mark(100_000 - side * 4_000)
        self.cut()

    def mark(self, mark: int) -> None:
        columns = {"contract": (PERP,), "mark": (mark,), "funding": (0,), "grade": (0,)}
        self.ok(cm.SetMarks, **columns, asset=(USD, BTC), price=(1_000_000, 2_000_000))

    def step(self, *kinds: str) -> list[str]:
        return [e.kind for e in self.cut().events if e.account == 1 and e.kind in kinds]


CALLS = ("call_issued", "call_cured", "call_cancelled", "call_expired", "call_revised", "reduction_started")


@sides
def test_mc_001_one_call_at_the_level(side: int) -> None:
    """MC-001: not a second one while it is open, none with calls off."""
    world = Called(side)
    assert world.step(*CALLS) == ["call_issued"]
    assert world.step(*CALLS) == []
    assert Called(side, calls=replace(POLICY, enabled=False)).step(*CALLS) == []


@sides
@pytest.mark.parametrize(("deposit", "outcome"), [(1, "call_cured"), (0, "call_cancelled")])
def test_mc_006_and_mc_007_did_the_owner_act(side: int, deposit: int, outcome: str) -> None:
    """MC-006, MC-007, CS-003: the market moves back; who paid in anything is cured, else the call is cancelled."""
    world = Called(side)
    world.cut()
    if deposit:
        world.ok(cm.Deposit, account=1, asset=USD, amount=deposit)
    world.mark(100_000)
    world.cut()
    assert world.step(*CALLS) == [outcome]


@sides
def test_mc_006_reducing_cures(side: int) -> None:
    """MC-006, CS-003: half of the position closed by an own trade at mark."""
    world = Called(side)
    world.cut()
    world.fill(*((2, 1) if side > 0 else (1, 2)), 5, 5 * (100_000 - side * 4_000), PERP)
    assert world.step(*CALLS) == ["call_cured"]


@sides
def test_mc_008_a_fall_to_liquidation_cancels(side: int) -> None:
    """MC-008"""
    world = Called(side)
    world.cut()
    world.mark(100_000 - side * 5_500)
    world.cut()
    assert world.step(*CALLS) == ["call_cancelled", "reduction_started"]


@sides
def test_mc_013_at_issue_and_at_review(side: int) -> None:
    """MC-013: a T_min of an hour leaves no time; a larger gap charge takes what there was."""
    world = Called(side, calls=replace(POLICY, deadline_ns=120 * MINUTE, t_min_ns=60 * MINUTE))
    assert world.step(*CALLS) == ["call_issued", "call_expired", "reduction_started"]
    world = Called(side)
    world.cut()
    sheet = replace(
        PLAIN, calls=POLICY, contracts=(replace(PLAIN.contracts[0], gap_charge=10_000), *PLAIN.contracts[1:])
    )
    world.ok(cm.SetSheet, sheet=t.encode_sheet(sheet))
    world.cut()
    assert world.step(*CALLS) == ["call_revised", "call_expired", "reduction_started"]


@sides
def test_mc_014_and_ch_004_an_outage(side: int) -> None:
    """MC-014, CH-004: opened 5 cycles late, the deadline moves by 4."""
    world = Called(side)
    world.cut()
    before = world.engine.shards[0].cases[1].call.deadline_ns
    world.cut(5 * MINUTE)
    moved = [e.fields["outage_ns"] for e in world.cut().events if e.kind == "deadline_moved"]
    assert moved == [4 * MINUTE]
    assert world.engine.shards[0].cases[1].call.deadline_ns == before + 4 * MINUTE


@sides
def test_mc_015_turning_calls_off(side: int) -> None:
    """MC-015"""
    world = Called(side)
    world.cut()
    world.ok(cm.SetSheet, sheet=t.encode_sheet(replace(PLAIN, calls=replace(POLICY, enabled=False))))
    world.cut()
    assert world.step(*CALLS) == ["call_cancelled"]
    assert world.step(*CALLS) == []
