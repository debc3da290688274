"""
Rules CH: own accounts, sums, the queue, capacity, rotation.
"""

import pytest

from tests.helpers.small import ALT, BTC, COIN, PERP, USD, make_sheet
from tests.helpers.worlds import MINUTE, Driver
from tocsin.core.errors import InvariantBroken, Reason, Refused
from tocsin.core.hashing import hash_bytes
from tocsin.core.ids import (
    GLOBAL_FUND,
    INTEREST,
    OPERATOR,
    SUSPENSE,
    TRANSIT,
    bucket_of,
    default_account,
    error_account,
    market_fund,
)
from tocsin.engine import commands as cm
from tocsin.sheet import terms as t

sides = pytest.mark.parametrize("side", [1, -1])


def plain(**perp: object) -> t.RiskSheet:
    return make_sheet(charge=t.LevelFactors(0, 0, 0, 0), perp={"tiers": (t.Tier(0, 50_000),), "dust_lots": 0, **perp})


class World(Driver):
    """Accounts 1 to 4 with 1,000,000, 9 with plenty; all contracts marked at 100,000 (COIN at -100,000)."""

    def __init__(self, side: int = 1, sheet: t.RiskSheet | None = None) -> None:
        super().__init__(sheet or plain(), shards=3)
        self.side = side
        self.mark(100_000)
        self.cut()
        for account in (1, 2, 3, 4):
            self.open(account, deposit=1_000_000)
        self.open(9, deposit=10**9)
        self.cut()

    def mark(self, mark: int) -> None:
        self.ok(
            cm.SetMarks, contract=(PERP, ALT, COIN), mark=(mark, 100_000, -100_000), funding=(0,) * 3, grade=(0,) * 3,
            asset=(USD, BTC), price=(1_000_000, 2_000_000),
        )  # fmt: skip

    def trade(self, account: int, signed: int, price: int = 100_000, intent: int = 0, other: int = 9) -> None:
        signed *= self.side
        buyer, seller = (account, other) if signed > 0 else (other, account)
        column = {"buyer_intent" if signed > 0 else "seller_intent": intent}
        self.fill(buyer, seller, abs(signed), abs(signed) * price, PERP, **column)

    def grants(self) -> dict[int, int]:
        return {d.account: self.side * d.lots for d in self.engine.opened.decisions if type(d).__name__ == "Grant"}


def test_ch_001_own_accounts() -> None:
    """CH-001: three for each contract, five for all; unbounded."""
    world = World()
    own = {f(c) for f in (default_account, error_account, market_fund) for c in (PERP, ALT, COIN)}
    assert set(world.engine.house.store.accounts()) == own | {SUSPENSE, GLOBAL_FUND, OPERATOR, TRANSIT, INTEREST}
    new = plain()
    from msgspec.structs import replace

    more = replace(new, contracts=(*new.contracts, replace(new.contracts[1], id=44, symbol="NEW")))
    world.ok(cm.SetSheet, sheet=t.encode_sheet(more))
    world.cut()
    assert default_account(44) in world.engine.house.store.accounts()


def test_ch_002_its_own_stream() -> None:
    """CH-002: in sequence; contract -1 is the global fund."""
    world = World()
    world.ok(cm.FundDeposit, contract=-1, asset=BTC, amount=7)
    world.ok(cm.SetMarket, contract=ALT, halted=True)
    world.ok(cm.FundDeposit, contract=ALT, asset=USD, amount=8)
    events = [e for e in world.cut().events if e.phase == 4]
    assert [e.kind for e in events] == ["fund_paid_in", "market_halted", "fund_paid_in"]
    house = world.engine.house
    assert (house.cash(GLOBAL_FUND, BTC), house.cash(market_fund(ALT), USD)) == (7, 8)
    assert house.state.vault == {USD: 4_000_000 + 10**9 + 8, BTC: 7}


def test_ch_003_halts() -> None:
    """CH-003: from the next cycle until resumed; halting twice is halting once."""
    world = World()
    for _ in range(2):
        world.ok(cm.SetMarket, contract=PERP, halted=True)
    assert world.engine.opened.closed == ()
    world.cut()
    opened = world.engine.opened
    assert (opened.closed, opened.marks.contracts[PERP].grade.name, opened.marks.contracts[PERP].mark) == (
        (PERP,),
        "HALTED",
        100_000,
    )
    world.ok(cm.SetMarket, contract=PERP, halted=False)
    world.cut()
    assert world.engine.opened.closed == ()


@pytest.mark.parametrize(("minutes", "late"), [(3, False), (4, True)])
def test_ch_004_a_late_open(minutes: int, late: bool) -> None:
    """CH-004: more than three nominal cycles."""
    world = World()
    world.cut(minutes * MINUTE)
    opened = world.engine.opened
    assert (opened.reduce_only, opened.outage_ns) == (late, (minutes - 1) * MINUTE if late else 0)
    world.cut()
    assert not world.engine.opened.reduce_only


@sides
@pytest.mark.parametrize("what", ["lots", "cash"])
def test_ch_010_the_host_stops_when_sums_are_wrong(side: int, what: str) -> None:
    """CH-010: one lot or one unit out of nowhere."""
    world = World(side)
    world.trade(1, 3)
    state = world.engine.shards[0].store.accounts() and next(
        s.store.read(1) for s in world.engine.shards if s.store.read(1) is not None
    )
    if what == "cash":
        state.cash[USD] += side
    else:
        state.positions[PERP] = (side, side * 100_000)
    with pytest.raises(InvariantBroken, match="lots of contract 1" if what == "lots" else "asset 1: books hold"):
        world.cut()


def test_ch_011_the_vault() -> None:
    """CH-011: booked deposits in, releases out, nothing else; what a shard refuses never came in."""
    world = World()
    before = world.engine.house.state.vault[USD]
    world.ok(cm.Deposit, account=1, asset=USD, amount=2**58)
    world.ok(cm.Deposit, account=1, asset=USD, amount=5)
    world.ok(cm.Withdraw, account=2, asset=USD, amount=7)
    world.trade(3, 2)
    result = world.cut()
    refused = [e.fields["reason"] for e in result.events if e.kind == "refused"]
    assert refused == ["R-3003"]
    assert world.engine.house.state.vault[USD] == before + 5 - 7


def test_ch_020_first_come_first_served() -> None:
    """CH-020: by cycle, then (bucket, account, index); partial; a story is in test_stories.py."""
    world = World()
    # The loser's collateral is BTC: 1,000,000 of gains in USD that the vault does not have for all.
    world.open(5, deposit=10**8, asset=BTC)
    for account in (1, 2):
        world.trade(account, 10, other=5)
    world.mark(200_000)
    world.cut()
    world.trade(1, -10, price=200_000, other=5)
    world.trade(2, -10, price=200_000, other=5)
    world.ok(cm.Withdraw, account=9, asset=USD, amount=10**9)
    for account in (3, 4):
        world.ok(cm.Withdraw, account=account, asset=USD, amount=1_000_000)
    for account in (2, 1):
        world.ok(cm.Withdraw, account=account, asset=USD, amount=1_500_000)
        world.ok(cm.Withdraw, account=account, asset=USD, amount=500_000)
    world.cut()
    paid = [(d.account, d.amount) for d in world.engine.opened.decisions]
    order = sorted((1, 2, 3, 4, 9), key=lambda a: (bucket_of(a), a))
    wanted = {1: [1_500_000, 500_000], 2: [1_500_000, 500_000], 3: [1_000_000], 4: [1_000_000], 9: [10**9]}
    left, expected = 4_000_000 + 10**9, []
    for account in order:
        for amount in wanted[account]:
            part = min(amount, left)
            left -= part
            if part:
                expected.append((account, part))
    assert paid == expected
    assert sum(q.amount for q in world.engine.house.state.queue) == 2_000_000


@sides
@pytest.mark.parametrize(
    ("capacity", "elapsed", "granted"),
    [(100, MINUTE, 20), (12, MINUTE, 12), (12, MINUTE // 2, 6), (1, 1, 1), (0, MINUTE, 0)],
)
def test_ch_021_capacity_is_shared_pro_rata(side: int, capacity: int, elapsed: int, granted: int) -> None:
    """CH-021: two plans of 10 and 10 lots (13 and 7 short); per minute, by the time between openings, at least one."""
    world = World(side, plain(capacity_lots=capacity))
    for account in (1, 3):
        world.trade(account, 80)
    world.mark(100_000 - side * 8_500)
    world.cut(elapsed)
    world.cut()
    asked = {1: 0, 3: 0}
    for event in world.results[-1].events:
        if event.kind == "plan":
            asked[event.account] = abs(int(str(event.fields["slices"]).split(":")[1].split("@")[0]))
    assert asked[1] == asked[3] > granted // 2
    if granted == 20:
        granted = min(100, asked[1] + asked[3])
    grants = world.grants()
    assert sum(grants.values()) == -granted
    assert max(map(abs, grants.values()), default=0) - min([abs(grants.get(a, 0)) for a in (1, 3)]) <= 1


@sides
def test_ch_022_the_default_accounts_own_intents(side: int) -> None:
    """CH-022: what nothing reserves, at a limit of 1 %, within capacity; cancelled when it has traded away."""
    world = World(side)
    world.ok(cm.FundDeposit, contract=PERP, asset=USD, amount=10**8)
    world.trade(777, 150)  # nobody's lots: the error account, then the default account
    world.cut()
    (first,) = world.engine.house.state.intents
    assert (first.lots, first.limit) == (-side * 100, 100_000 - side * 1_000)
    world.cut()
    assert [i.lots for i in world.engine.house.state.intents] == [-side * 100, -side * 50]
    world.trade(0, -100, intent=first.id)
    world.cut()
    assert [i.lots for i in world.engine.house.state.intents] == [-side * 50]
    assert world.engine.house.lots(default_account(PERP), PERP) == side * 50


def test_ch_023_where_rotation_begins() -> None:
    """CH-023: from the root of the closed cycle and the topic."""
    world = World()
    result = world.cut()
    for topic in (0, PERP, -7):
        digest = hash_bytes(b"rotate", result.root, topic.to_bytes(8, "little", signed=True))
        assert world.engine.house.first_extra(topic) == int.from_bytes(digest[:8], "little")


def test_nothing_of_the_house_can_be_named() -> None:
    """CH-001, ID-001: no command reaches an own account."""
    world = World()
    for account in (SUSPENSE, GLOBAL_FUND, market_fund(PERP)):
        answer = world.send(cm.Withdraw, account=account, asset=USD, amount=1)
        assert isinstance(answer, Refused)
        assert answer.reason is Reason.UNKNOWN_ACCOUNT
