"""
Rules WF-040 to WF-054: the waterfall as the ClearingHouse carries it out. Whole stories are in test_stories.py.
"""

import pytest
from msgspec.structs import replace

from tests.helpers.small import ALT, BTC, COIN, PERP, USD, make_account, make_sheet, value
from tests.helpers.worlds import MINUTE, Driver
from tocsin.accounts.store import RowKind
from tocsin.core.ids import GLOBAL_FUND, SUSPENSE, bucket_of, default_account, error_account, market_fund
from tocsin.engine import commands as cm
from tocsin.engine.candidates import offer_lots, offer_money
from tocsin.engine.losses import convert
from tocsin.margin.requirement import compute_requirement
from tocsin.margin.state import Mode
from tocsin.margin.valuation import compute_equity
from tocsin.procedures.liquidation.intent import Intent
from tocsin.sheet import terms as t

sides = pytest.mark.parametrize("side", [1, -1])


def plain(**waterfall: object) -> t.RiskSheet:
    sheet = make_sheet(charge=t.LevelFactors(0, 0, 0, 0), perp={"tiers": (t.Tier(0, 50_000),), "dust_lots": 0})
    return replace(sheet, waterfall=t.WaterfallPolicy(**waterfall))


class World(Driver):
    """Account 9 is the other side of everything; PERP, ALT at 100,000."""

    def __init__(self, side: int = 1, sheet: t.RiskSheet | None = None, rich: Mode = Mode.CROSS) -> None:
        super().__init__(sheet or plain(), shards=2)
        self.side = side
        self.mark(0)
        self.cut()
        self.open(9, deposit=10**9, mode=rich)
        self.cut()

    def mark(self, move: int, alt: int = 0, grade: int = 0) -> None:
        """Move PERP (and ALT) against account 1's side."""
        marks = (100_000 - self.side * move, 100_000 - self.side * alt)
        columns = {"contract": (PERP, ALT), "mark": marks, "funding": (0, 0), "grade": (grade, 0)}
        self.ok(cm.SetMarks, **columns, asset=(USD, BTC), price=(1_000_000, 2_000_000))

    def trade(self, account: int, signed: int, contract: int = PERP, move: int = 0, other: int = 9) -> None:
        signed *= self.side
        buyer, seller = (account, other) if signed > 0 else (other, account)
        self.fill(buyer, seller, abs(signed), abs(signed) * (100_000 - self.side * move), contract)

    def said(self, kind: str) -> list[dict]:
        return [e.fields for e in self.results[-1].events if e.kind == kind]

    def cash(self, account: int, asset: int = USD) -> int:
        return self.engine.house.cash(account, asset)

    def lots(self, account: int) -> int:
        return self.side * self.engine.house.lots(account, PERP)


@sides
def test_wf_040_takeover_leaves_nothing_but_holds(side: int) -> None:
    """WF-040: cash, positions, in-transit amounts and queued withdrawals go; also a stale leg, at its last mark."""
    world = World(side)
    world.open(1, deposit=100_000)
    world.open(2, deposit=10**8, asset=BTC)
    world.trade(1, 4, other=2)
    world.ok(cm.Holds, account=(1,), contract=(PERP,), bid=(1,), ask=(2,))
    world.ok(cm.Withdraw, account=9, asset=USD, amount=10**9)
    world.cut()
    world.cut()
    world.mark(20_000)
    world.mark(20_000, grade=1)
    world.ok(cm.Withdraw, account=1, asset=USD, amount=30_000)
    world.cut()
    world.cut()
    state = world.engine.read(1)
    assert (state.cash, state.positions, state.in_transit) == ({}, {}, {})
    assert state.holds == {PERP: (1, 2)}
    assert [q for q in world.engine.house.state.queue if q.account == 1] == []
    # Equity 20,000 below takeover; default account at zero P&L: e is the value at mark.
    default = world.engine.house.store.read(default_account(PERP))
    assert default.positions == {PERP: (side * 4, side * 4 * (100_000 - side * 20_000))}
    assert default.cash == {}


@sides
def test_wf_042_claims_are_split_by_notional(side: int) -> None:
    """WF-042: -100,001 over notionals 6 : 4 x marks; whole units that sum to the claim."""
    world = World(side)
    world.open(1, deposit=99_999)
    world.trade(1, 6)
    world.trade(1, 4, ALT)
    world.mark(20_000, alt=20_000)
    world.cut()
    world.cut()
    claims = {f["contract"]: f["amount"] for f in world.said("claim")}
    assert sum(claims.values()) == 100_001
    assert claims[PERP] in (60_000, 60_001) and claims[ALT] in (40_000, 40_001)


@pytest.mark.parametrize(
    ("have", "need", "fund", "got", "given"),
    [
        (101, 10**6, 10**6, 161, 101),  # 161.6 down; 100.625 up
        (10_000, 1_001, 10**6, 1_001, 626),  # 625.625 up
        (10_000, 1_001, 500, 500, 313),  # the fund's 500: 312.5 up
        (10_000, 1_001, 0, 0, 0),
        (0, 1_001, 500, 0, 0),
    ],
)
def test_wf_041_conversion_rounds_for_the_fund(have: int, need: int, fund: int, got: int, given: int) -> None:
    """WF-041: BTC at 2 less 20 % is 1.6 USD; got is rounded down, given up."""
    world = World()
    house = world.engine.house
    house.row(RowKind.CASH, SUSPENSE, BTC, have)
    house.row(RowKind.CASH, GLOBAL_FUND, USD, fund)
    assert convert(house, BTC, have, USD, need) == (got, given)
    assert (house.cash(SUSPENSE, BTC), house.cash(SUSPENSE, USD)) == (have - given, got)
    assert (house.cash(GLOBAL_FUND, BTC), house.cash(GLOBAL_FUND, USD)) == (given, fund - got)


def test_wf_042_without_a_position_no_market_is_charged() -> None:
    """WF-042: a negative balance left after closing; the global fund pays, market funds do not."""
    world = World()
    world.open(1, deposit=50_000)
    world.ok(cm.FundDeposit, contract=PERP, asset=USD, amount=100)
    world.ok(cm.FundDeposit, contract=-1, asset=USD, amount=300)
    world.trade(1, 10)
    world.trade(1, -10, move=5_020)
    world.cut()
    assert [(f["contract"], f["amount"]) for f in world.said("claim")] == [(-1, 200)]
    assert (world.cash(market_fund(PERP)), world.cash(GLOBAL_FUND)) == (100, 100)


@sides
def test_wf_043_what_is_over_goes_to_the_markets(side: int) -> None:
    """WF-043: equity of 24,000 in USD (below takeover) and 100 BTC, split 1 : 1 over two markets of equal notional."""
    world = World(side)
    world.open(1, deposit=184_000)
    world.ok(cm.Deposit, account=1, asset=BTC, amount=100)
    world.trade(1, 8)
    world.trade(1, 8, ALT)
    world.mark(10_000, alt=10_000)
    world.cut()
    world.cut()
    assert world.said("claim") == []
    funds = [market_fund(PERP), market_fund(ALT)]
    assert [world.cash(f) for f in funds] == [12_000, 12_000]
    assert [world.cash(f, BTC) for f in funds] == [50, 50]
    assert world.cash(SUSPENSE) == 0


@sides
def test_wf_044_a_gain_pays_the_markets_claims_first(side: int) -> None:
    """WF-044, WF-046, WF-053: claims that nobody could pay wait; the default account's later gain pays them."""
    world = World(side, rich=Mode.EXTERNAL)  # nobody can be asked
    world.open(1, deposit=100_000)
    world.trade(1, 10)
    world.mark(20_000)
    world.cut()
    world.cut()
    assert world.cash(SUSPENSE) == -100_000
    world.cut()
    assert world.said("loss_shared") == [] and world.cash(SUSPENSE) == -100_000
    # The market moves back by 8,000, then by another 8,000: 10 lots of the default account gain 80,000 each time.
    world.mark(12_000)
    world.cut()
    world.cut()
    assert world.cash(SUSPENSE) == -20_000
    world.mark(4_000)
    world.cut()
    world.cut()
    assert (world.cash(SUSPENSE), world.cash(market_fund(PERP))) == (0, 60_000)
    assert world.engine.house.state.claims == []
    assert world.said("fund_income")[0]["to_claims"] == 20_000


@sides
def test_wf_044_a_loss_is_a_claim_on_the_market(side: int) -> None:
    """WF-044: until it is flat the default account is swept at each close; further losses grow its claim (WF-042)."""
    world = World(side, rich=Mode.EXTERNAL)
    world.open(1, deposit=200_000)
    world.trade(1, 10)
    world.mark(20_000)
    world.cut()
    world.cut()
    assert world.engine.house.state.claims == []
    for move in (21_000, 23_000):
        world.mark(move)
        world.cut()
    world.cut()
    assert [(c.account, c.contract, c.amount) for c in world.engine.house.state.claims] == [(0, PERP, 30_000)]
    default = world.engine.house.store.read(default_account(PERP))
    mark = 100_000 - side * 23_000
    assert default.cash.get(USD, 0) + side * 10 * mark - default.positions[PERP][1] == 0


@sides
def test_wf_045_error_lots_move_on_at_mark(side: int) -> None:
    """WF-045"""
    world = World(side)
    world.trade(77, 3, move=-500)
    world.cut()
    assert (world.lots(error_account(PERP)), world.lots(default_account(PERP))) == (0, 3)
    # 500 too dear a lot: 1,500 lost, charged to the market.
    assert [(f["contract"], f["amount"]) for f in world.said("claim")] == [(PERP, 1_500)]


def test_wf_047_market_funds_then_the_global_fund() -> None:
    """WF-047: caps 25 % and 50 % in a cycle; each market's fund pays its own market only."""
    world = World(sheet=plain(global_draw_cap_ppm=500_000), rich=Mode.EXTERNAL)
    for contract, amount in ((PERP, 1_000), (ALT, 4_000), (-1, 10_000)):
        world.ok(cm.FundDeposit, contract=contract, asset=USD, amount=amount)
    world.open(1, deposit=100_000)
    world.trade(1, 10)
    world.mark(20_000)
    world.cut()
    world.cut()
    assert [f["amount"] for f in world.said("fund_draw")] == [250, 5_000]
    world.cut()
    assert [f["amount"] for f in world.said("fund_draw")] == [187, 2_500]
    assert world.cash(market_fund(ALT)) == 4_000
    assert world.cash(SUSPENSE) == -(100_000 - 250 - 5_000 - 187 - 2_500)


@sides
@pytest.mark.parametrize("grade", [0, 1])
def test_wf_048_old_lots_go_to_adl_at_a_fresh_mark(side: int, grade: int) -> None:
    """WF-048, WF-049: after more than two closes, without any claim; not while the mark is stale."""
    world = World(side, replace(plain(adl_after_cycles=2), contracts=no_capacity()))
    world.open(1, deposit=100_000)
    world.trade(1, 8)
    world.mark(9_500)
    world.cut()
    world.mark(9_500, grade=grade)
    world.cut()  # taken over with equity above zero: no claim
    assert world.lots(default_account(PERP)) == 8
    wanted = []
    for _ in range(4):
        wanted.append(world.engine.opened.lots_wanted)
        world.cut()
    if grade:
        assert wanted == [{}] * 4
        return
    assert wanted == [{}, {}, {PERP: side * 8}, {}]
    assert world.lots(default_account(PERP)) == 0
    assert world.engine.read(9).positions == {}


def no_capacity() -> tuple[t.ContractTerms, ...]:
    return tuple(replace(c, capacity_lots=0) for c in plain().contracts)


@sides
def test_wf_049_who_offers_lots(side: int) -> None:
    """WF-049: holders of the other side, what no intent has reserved."""
    at = value()
    holder = make_account(10**6, perp=-side * 10)
    reserved = [Intent(1, PERP, side * 4, 0, 0)]
    (offer,) = offer_lots(5, holder, at, reserved, {PERP: side * 8})
    assert (offer.lots, offer.bucket) == (6, 5)
    assert offer_lots(5, holder, at, [], {PERP: -side * 8}) == []
    assert offer_lots(5, holder, at, [Intent(1, PERP, side * 10, 0, 0)], {PERP: side * 8}) == []


@sides
@pytest.mark.parametrize(("contract", "mark", "kind"), [(PERP, 100_000, 1), (COIN, -100_000, -1)])
def test_wf_049_what_an_offer_says(side: int, contract: int, mark: int, kind: int) -> None:
    """WF-049, WF-033: numbers of the whole position and account; of an inverse a long gains when its notional falls."""
    lots = side * 10
    account = make_account(10**7, 10**7, perp=lots if contract == PERP else 0, coin=lots if contract == COIN else 0)
    at = value()
    account.positions[contract] = (lots, lots * mark - 500)
    (offer,) = offer_lots(5, account, at, [Intent(1, contract, -side * 4, 0, 0)], {contract: -side * 8})
    assert (offer.lots, offer.reserved, offer.safe, offer.spreads) == (6, 4, 6, 0)
    assert (offer.profit, offer.entry_value, offer.notional) == (500, abs(lots * mark - 500), 1_000_000)
    assert (offer.side, offer.balance) == (side * kind, 10**7)
    assert offer.equity == compute_equity(account, at)
    assert offer.requirement == compute_requirement(account, at, 2) > 0


@sides
def test_wf_049_external_accounts_are_not_asked(side: int) -> None:
    """WF-049"""
    world = World(side, rich=Mode.EXTERNAL)
    world.open(1, deposit=100_000)
    world.trade(1, 8)
    world.trade(1, 2, other=9)
    world.mark(20_000)
    for _ in range(4):
        world.cut()
    assert world.engine.opened.lots_wanted == {PERP: side * 10}
    assert world.lots(default_account(PERP)) == 10


@sides
@pytest.mark.parametrize(
    ("usd", "btc", "gain", "profit", "capacity"),
    [
        (1_000, 0, 50, 50, 50),  # all of the profit
        (-20, 1_000, 50, 50, 30),  # the balance
        (1_000, -470, 50, 50, 50),  # equity 110 is enough
        (1_000, -510, 50, 50, 30),  # equity 30
        (1_000, -525, 50, 0, 0),  # equity 0
        (1_000, 0, -50, 0, 0),  # a loss
    ],
)
def test_wf_051_what_a_winner_may_pay(side: int, usd: int, btc: int, gain: int, profit: int, capacity: int) -> None:
    """WF-051: min(profit, balance, equity)."""
    account = make_account(usd, btc, perp=side * 10)
    account.positions[PERP] = (side * 10, side * 1_000_000 - gain)
    offers = offer_money(3, account, value(), {USD: 1, BTC: 1})
    assert [(o.asset, o.profit, o.capacity) for o in offers] == ([(USD, profit, capacity)] if capacity else [])


@sides
@pytest.mark.parametrize("policy", [t.Allocation.WATER_FILLING, t.Allocation.PRO_RATA, t.Allocation.QUEUE])
def test_wf_050_and_wf_052_winners_pay_the_exact_deficit(side: int, policy: t.Allocation) -> None:
    """WF-050, WF-052, WF-054: 60,000 missing; the policy decides who, the sum is exact, paid at the opening."""
    world = World(side, plain(money=policy))
    world.open(1, deposit=140_000)
    for winner, lots in ((2, 6), (3, 4)):
        world.open(winner, deposit=10**6)
        world.trade(1, lots, other=winner)
    world.mark(20_000)
    world.cut()
    world.cut()
    assert world.engine.opened.money_wanted == {USD: 60_000}
    world.cut()
    debits = {d.account: d.amount for d in world.engine.opened.decisions if type(d).__name__ == "Debit"}
    assert sum(debits.values()) == 60_000
    if policy is t.Allocation.QUEUE:
        # Profit % and entry are alike; the smaller notional has the lower leverage: account 2 is first.
        assert debits == {2: 60_000}
    else:
        assert debits == {2: 36_000, 3: 24_000}
    assert world.engine.house.state.claims == []
    assert world.engine.opened.money_wanted == {}
    assert world.cash(SUSPENSE) == 0
    world.cut()
    assert {e.account: e.fields["amount"] for e in world.results[-1].events if e.kind == "haircut"} == debits


@sides
def test_wf_053_what_winners_cannot_carry_stays(side: int) -> None:
    """WF-053: the only winner has a gain of 80,000 and a balance of 30,000 in USD."""
    world = World(side, rich=Mode.EXTERNAL)
    world.open(1, deposit=40_000)
    world.open(2, deposit=10**6, asset=BTC)
    world.trade(1, 4, other=2)
    world.trade(1, 1, other=9)
    world.trade(2, 1, move=-50_000)  # a round trip that costs account 2 50,000
    world.trade(2, -1)
    world.mark(20_000)
    world.cut()
    world.cut()  # 40,000 - 5 x 20,000 = -60,000
    world.cut()
    assert [(f["deficit"], f["shared"]) for f in world.said("loss_shared")] == [(60_000, 30_000)]
    world.cut()
    assert [c.amount for c in world.engine.house.state.claims] == [30_000]
    assert world.cash(SUSPENSE) == -30_000
    assert bucket_of(1) != bucket_of(2) and MINUTE > 0
