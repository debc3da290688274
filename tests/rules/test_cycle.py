"""
Rules CY: the order of a cycle, decision points, fills.
"""

import random

import pytest
from msgspec.structs import replace

from tests.helpers.small import ALT, BTC, PERP, USD, make_sheet
from tests.helpers.worlds import MINUTE, Driver
from tocsin.core.errors import DataError
from tocsin.core.ids import bucket_of, default_account, error_account
from tocsin.engine import commands as cm
from tocsin.engine.engine import Engine
from tocsin.engine.messages import CloseLots, Grant
from tocsin.margin.state import Level
from tocsin.sheet import terms as t

sides = pytest.mark.parametrize("side", [1, -1])
PLAIN = make_sheet(
    charge=t.LevelFactors(0, 0, 0, 0),
    calls=t.CallPolicy(t_min_ns=0, z_hundredths=300),
    perp={"tiers": (t.Tier(0, 50_000),), "dust_lots": 0},
)


class World(Driver):
    """Accounts 1 to 4 with 100,000 and 9 with plenty; PERP at 100,000."""

    def __init__(self, side: int = 1, shards: int = 1) -> None:
        super().__init__(PLAIN, shards=shards)
        self.side = side
        self.mark(100_000)
        self.cut()
        for account in (1, 2, 3, 4):
            self.open(account, deposit=100_000)
        self.open(9, deposit=10**9)
        self.cut()

    def mark(self, mark: int, **more: object) -> None:
        columns = {"contract": (PERP,), "mark": (mark,), "funding": (0,), "grade": (0,), **more}
        self.ok(cm.SetMarks, **columns, asset=(USD, BTC), price=(1_000_000, 2_000_000))

    def trade(self, account: int, signed: int, price: int = 100_000, other: int = 9, intent: int = 0) -> None:
        signed *= self.side
        buyer, seller = (account, other) if signed > 0 else (other, account)
        column = {"buyer_intent" if signed > 0 else "seller_intent": intent}
        self.fill(buyer, seller, abs(signed), abs(signed) * price, PERP, **column)

    def against(self, move: int) -> int:
        """A mark that moved against account 1's side."""
        return 100_000 - self.side * move

    def lots(self, account: int) -> int:
        state = self.engine.read(account) if account > 0 else self.engine.house.store.read(account)
        return self.side * state.positions.get(PERP, (0, 0))[0]

    def kinds(self, *kinds: str) -> list[tuple[int, str]]:
        return [(e.account, e.kind) for e in self.results[-1].events if not kinds or e.kind in kinds]


@sides
def test_cy_001_a_shard_reads_its_own_stream(side: int) -> None:
    """CY-001: rows are dealt by bucket; every shard gets the opening with its own decisions only."""
    world = World(side, shards=7)
    for account in (1, 2, 3, 4):
        world.trade(account, 1)
        world.ok(cm.Withdraw, account=account, asset=USD, amount=1)
    result = world.cut()
    assert sum(result.counts[1:]) == 12
    assert len([n for n in result.counts[1:] if n]) > 2
    released = world.engine.opened.decisions
    assert sorted(d.account for d in released) == [1, 2, 3, 4]
    world.cut()
    assert [world.engine.read(a).in_transit for a in (1, 2, 3, 4)] == [{}] * 4


@sides
def test_cy_002_and_cy_006_the_order_of_a_cycle(side: int) -> None:
    """CY-002, CY-006: decisions, point A, rows, point B, ClearingHouse."""
    world = World(side)
    world.trade(1, 8)
    world.ok(cm.Withdraw, account=2, asset=USD, amount=5)
    world.mark(world.against(7_000))
    world.cut()
    world.ok(cm.Deposit, account=3, asset=USD, amount=1)
    world.ok(cm.FundDeposit, contract=-1, asset=USD, amount=1)
    events = world.cut().events
    assert [(e.phase, e.kind) for e in events] == [
        (0, "released"),
        (1, "level_crossed"),
        (2, "deposited"),
        (3, "call_issued"),
        (4, "fund_paid_in"),
    ]


@sides
def test_cy_003_decisions_are_booked_at_the_old_marks(side: int) -> None:
    """CY-003: lots dealt at 80,000 close there, although the next cycle opens at 60,000."""
    world = World(side)
    world.trade(1, 10, other=2)
    world.mark(world.against(20_000))
    world.cut()
    world.cut()  # taken over, claim of 100,000, lots and money wanted
    world.mark(world.against(40_000))
    world.cut()  # offered and decided at 20,000 against
    (decision,) = [d for d in world.engine.opened.decisions if type(d).__name__ == "CloseLots"]
    assert (decision.account, decision.value) == (2, side * 10 * world.against(20_000))
    world.cut()
    assert world.lots(2) == 0
    assert world.engine.house.store.read(default_account(PERP)).positions == {}
    # 200,000 of gain, of which 100,000 covered the deficit.
    assert world.engine.read(2).cash == {USD: 200_000}


@sides
def test_cy_004_and_cy_005_neither_order_nor_number_of_shards_matters(side: int) -> None:
    """CY-004, CY-005: closes handed over in random order give the same roots and events."""

    def tell(shards: int, seed: int) -> list[tuple[bytes, list]]:
        world = World(side, shards=shards)
        order = random.Random(seed)
        close = world.engine.house.close
        world.engine.house.close = lambda closes, **more: close(order.sample(list(closes), len(closes)), **more)
        for account in (1, 2, 3, 4):
            world.trade(account, 5 + account)
            world.ok(cm.Withdraw, account=account, asset=USD, amount=30_000)
        world.mark(world.against(12_500))
        for _ in range(5):
            world.cut()
        return [(r.root, r.events) for r in world.results]

    whole = tell(1, 0)
    assert any(e.kind == "haircut" for _, events in whole for e in events)
    assert any(e.kind == "adl" for _, events in whole for e in events)
    assert tell(7, 1) == whole
    assert tell(64, 2) == whole


def test_cy_007_times_rise() -> None:
    """CY-007: and a command after the cut belongs to the next cycle."""
    world = World()
    for time in (0, world.now):
        with pytest.raises(DataError, match="next_time_ns must be a whole number"):
            world.engine.cut(time)
    cycle = world.engine.cycle
    world.ok(cm.Deposit, account=1, asset=USD, amount=1)
    assert {e.cycle for e in world.cut().events} == {cycle}


@sides
def test_cy_008_a_restored_engine_goes_on(side: int) -> None:
    """CY-008, LG-008: with another number of shards, in the midst of calls, intents and claims."""
    world = World(side, shards=3)
    world.trade(1, 10, other=2)
    world.trade(3, 8)
    world.mark(world.against(7_000))
    for _ in range(3):
        world.cut()
    world.mark(world.against(20_000))
    world.cut()
    for _ in range(4):
        copy = Engine.restore(world.engine.snapshot(), shards=5)
        assert copy.cut(world.now + MINUTE).root == world.cut().root
        assert copy.snapshot() == world.engine.snapshot()
    world.ok(cm.Deposit, account=1, asset=USD, amount=1)
    with pytest.raises(DataError, match="right after a cut"):
        world.engine.snapshot()


def test_cy_009_each_cycle_has_its_root() -> None:
    """CY-009: also one in which nothing happened."""
    world = World()
    roots = [world.cut().root for _ in range(3)]
    assert len(set(roots)) == 3


@sides
def test_cy_010_point_a_only_records(side: int) -> None:
    """CY-010, CY-012: below margin_call by the marks, back above by a deposit of the same cycle: no call."""
    world = World(side)
    world.trade(1, 8)
    world.mark(world.against(7_000))
    world.cut()
    world.ok(cm.Deposit, account=1, asset=USD, amount=50_000)
    world.cut()
    assert world.kinds("level_crossed", "call_issued") == [(1, "level_crossed"), (1, "level_crossed")]


@sides
def test_cy_011_order_of_point_b(side: int) -> None:
    """CY-011: accounts in (bucket, account) order, each from cure to plan."""
    world = World(side)
    for account in (4, 3, 2, 1):
        world.trade(account, 8)
    world.mark(world.against(8_000))
    world.cut()
    world.cut()
    order = sorted((1, 2, 3, 4), key=lambda a: (bucket_of(a), a))
    started = [a for a, kind in world.kinds("reduction_started")]
    assert started == order
    assert [k for a, k in world.kinds() if a == 1 and k != "level_crossed"] == ["reduction_started", "plan"]


@sides
def test_cy_013_levels_change_at_a_and_b_only(side: int) -> None:
    """CY-013: an account taken over is calm at once."""
    world = World(side)
    world.trade(1, 8)
    world.mark(world.against(20_000))
    world.cut()
    world.cut()
    assert world.engine.read(1).level is Level.CALM
    assert world.kinds("level_crossed", "taken_over") == [(1, "level_crossed"), (1, "taken_over"), (1, "level_crossed")]


@sides
def test_cy_014_a_grant_takes_only_what_is_unreserved(side: int) -> None:
    """CY-014: of 10 lots 6 were closed by auto-deleveraging just before; a second grant finds nothing left."""
    world = World(side)
    world.trade(1, 10)
    world.cut()
    home = bucket_of(1)
    decisions = (
        CloseLots(home, 1, PERP, -side * 6, -side * 600_000),
        Grant(home, 1, 98, PERP, -side * 10, 100_000, 10**18),
        Grant(home, 1, 99, PERP, -side * 5, 100_000, 10**18),
    )
    shard = world.engine.shards[0]
    shard.run(replace(world.engine.opened, decisions=decisions), [])
    assert [(i.id, i.lots) for i in shard.cases[1].intents] == [(98, -side * 4)]


@sides
def test_cy_015_order_checks_at_their_place(side: int) -> None:
    """CY-015: before and after a deposit; only reducing in an outage, in a halted and in a stale contract."""
    world = World(side)

    def check(lots: int) -> None:
        world.ok(cm.OrderCheck, account=1, contract=PERP, lots=side * lots)

    def answers() -> list[str]:
        fields = [e.fields for e in world.results[-1].events if e.kind == "order_checked" or "command" in e.fields]
        return [str(f.get("reason", "OK")) for f in fields]

    check(11)
    world.ok(cm.Deposit, account=1, asset=USD, amount=10_000)
    check(11)
    world.trade(1, 5)
    check(7)
    check(6)
    world.cut()
    assert answers() == ["R-4001", "OK", "R-4001", "OK"]

    for closing in ({"halt": True}, {"grade": (1,)}, {"late": True}):
        if "halt" in closing:
            world.ok(cm.SetMarket, contract=PERP, halted=True)
        if "grade" in closing:
            world.mark(100_000, grade=(1,))
        world.cut(5 * MINUTE if "late" in closing else MINUTE)
        check(1)
        check(-1)
        world.ok(cm.SetMarket, contract=PERP, halted=False)
        world.mark(100_000)
        world.cut()
        assert answers() == ["R-4004", "OK"], closing
    check(1)
    world.cut()
    assert answers() == ["OK"]


@sides
def test_cy_020_both_sides_of_one_account(side: int) -> None:
    """CY-020: buyer first, so an account that trades with itself opens and closes, and nothing moves."""
    world = World(side)
    world.trade(1, 3, other=1)
    world.cut()
    assert world.lots(1) == 0
    assert world.engine.read(1).cash == {USD: 100_000}
    assert [side_["lots"] for side_ in (e.fields for e in world.results[-1].events if e.kind == "filled")] == [3, -3]


@sides
@pytest.mark.parametrize(
    ("case", "reason"),
    [("unknown account", "R-2001"), ("cap", "R-3001"), ("value", "R-1006"), ("intent", "R-6001"), ("house", "R-6001")],
)
def test_cy_023_the_error_account(side: int, case: str, reason: str) -> None:
    """CY-023: lots sum to zero; the error account hands its lots on, flat after the close."""
    world = World(side)
    if case == "unknown account":
        world.trade(77, 2)
    elif case == "cap":
        world.trade(1, 1_001)
    elif case == "value":
        world.trade(1, 2, price=1_000_001)
    elif case == "intent":
        world.trade(1, 2, intent=5)
    else:
        world.trade(0, 2)
    world.cut()
    booked = [e.fields for e in world.results[-1].events if e.kind == "error_booked"]
    assert reason in {f["reason"] for f in booked}
    members = sum(world.lots(a) for a in (1, 9))
    assert members + world.lots(default_account(PERP)) == 0
    assert world.lots(error_account(PERP)) == 0
    assert world.engine.house.store.read(error_account(PERP)).cash == {}


@sides
def test_cy_021_cy_022_and_cy_024_are_told_in_stories(side: int) -> None:
    """CY-021, CY-022, CY-024: a fill of an intent that moved, beyond what was left of it, is split."""
    world = World(side)
    world.ok(cm.Deposit, account=1, asset=USD, amount=900_000)
    world.trade(1, 80)
    world.mark(world.against(8_500))
    world.cut()
    world.cut()
    (grant,) = [d for d in world.engine.opened.decisions if d.account == 1]
    world.mark(world.against(20_000))
    world.cut()
    world.cut()  # taken over with its intent
    assert world.lots(1) == 0
    # Beyond the mark cap not even an intent's fill is booked where it belongs: both sides are errors.
    world.trade(1, -1, price=1_000_001, intent=grant.intent)
    world.cut()
    assert [(e.account, e.fields["to"]) for e in world.results[-1].events if e.kind == "unbooked"] in (
        [(1, "error"), (9, "error")],
        [(9, "error"), (1, "error")],
    )
    world.trade(1, -abs(grant.lots) - 2, price=world.against(20_000), intent=grant.intent)
    world.cut()
    parts = [(side * e.fields["lots"], e.fields["to"]) for e in world.results[-1].events if e.kind == "unbooked"]
    assert parts == [(-abs(grant.lots), "default"), (-2, "error")]
    assert ALT == 2
