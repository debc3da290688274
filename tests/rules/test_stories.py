"""
Stories through the library, every number worked out by hand in a comment, mirrored long and short.

One world: USD and BTC, one unit of each worth one valuation unit (BTC with a haircut of 10 % and a conversion stress
of 20 %); one linear perpetual in USD, maintenance 5 % at `liquidation`, 6.25 % at `margin_call` (exit 5 % above it),
3.33335 % at `takeover`; impact bound 1 %, fee 0.1 %. Lots and money are checked after every cycle.
"""

from typing import NamedTuple

import pytest

from tests.helpers.worlds import MINUTE, Driver
from tocsin.core.ids import GLOBAL_FUND, SUSPENSE, default_account, error_account, market_fund
from tocsin.engine import commands as cm
from tocsin.engine.messages import CloseLots, CycleResult, Debit, Release
from tocsin.margin.state import Level, Mode
from tocsin.sheet import terms as t
from tocsin.sheet.presets import HYSTERESIS_PPM, tiered_factors
from tocsin.sheet.validate import validate_sheet

USD, BTC, PERP = 1, 2, 1
RICH, MAKER = 3, 9


def story_sheet() -> t.RiskSheet:
    usd = t.AssetTerms(USD, "USD", 2, 1_000_000, (t.HaircutTier(0, 0),))
    btc = t.AssetTerms(BTC, "BTC", 8, 2_000_000, (t.HaircutTier(0, 100_000),), stress_ppm=200_000)
    perp = t.ContractTerms(
        PERP, "PERP", t.Kind.LINEAR, USD, 1, mark_cap=1_000_000, position_cap=1_000, tiers=(t.Tier(0, 50_000),),
        own_loading=100, gap_charge=100, capacity_lots=100, impact_ppm=10_000, fee_ppm=1_000,
    )  # fmt: skip
    return validate_sheet(
        t.RiskSheet(
            name="stories",
            preset=t.Preset.EXCHANGE,
            assets=(usd, btc),
            contracts=(perp,),
            tiered=tiered_factors(t.Preset.EXCHANGE),
            charge=t.LevelFactors(0, 0, 0, 0),
            hysteresis_ppm=HYSTERESIS_PPM,
            calls=t.CallPolicy(deadline_ns=15 * MINUTE, t_min_ns=MINUTE, z_hundredths=300),
        )
    )


class Story(Driver):
    """A world in which the named accounts are open and the perpetual is marked at 100,000."""

    def __init__(self, *, shards: int = 3, **usd: int) -> None:
        super().__init__(story_sheet(), shards=shards)
        self.mark(100_000)
        self.cut()
        for name, amount in usd.items():
            self.open(int(name[1:]), deposit=amount, asset=USD)
        self.open(MAKER, mode=Mode.EXTERNAL)
        self.cut()

    def mark(self, mark: int) -> None:
        self.ok(
            cm.SetMarks,
            contract=(PERP,),
            mark=(mark,),
            funding=(0,),
            grade=(0,),
            asset=(USD, BTC),
            price=(10**6, 10**6),
        )

    def trade(self, account: int, other: int, signed: int, price: int, **intents: int) -> None:
        """`account` trades signed lots with `other`; `intent=` is the one its own side fills."""
        buyer, seller = (account, other) if signed > 0 else (other, account)
        columns = {}
        if "intent" in intents:
            columns = {"buyer_intent" if signed > 0 else "seller_intent": intents["intent"]}
        self.fill(buyer, seller, abs(signed), abs(signed) * price, PERP, **columns)

    def fund(self, contract: int, amount: int, asset: int = USD) -> None:
        self.ok(cm.FundDeposit, contract=contract, asset=asset, amount=amount)

    def cut(self, step_ns: int = MINUTE) -> CycleResult:
        result = super().cut(step_ns)
        self.check_sums()
        return result

    def check_sums(self) -> None:
        """
        Lots sum to zero per contract and money per asset is what the vault holds, over all accounts, to the unit.

        The ClearingHouse has booked its side of the decisions when a cycle opens, members book theirs first in that
        cycle; so theirs are counted here (the funding index is 0: a value moves from cash less entry sum).
        """
        lots: dict[int, int] = {}
        money: dict[int, int] = {}
        for decision in self.engine.opened.decisions:
            match decision:
                case CloseLots():
                    lots[decision.contract] = lots.get(decision.contract, 0) + decision.lots
                    money[USD] = money.get(USD, 0) - decision.value
                case Debit() | Release():
                    money[decision.asset] = money.get(decision.asset, 0) - decision.amount
        stores = [shard.store for shard in self.engine.shards] + [self.engine.house.store]
        for store in stores:
            for account in store.accounts():
                state = store.read(account)
                for contract, (held, entry) in state.positions.items():
                    lots[contract] = lots.get(contract, 0) + held
                    money[USD] = money.get(USD, 0) - entry
                for part in (state.cash, state.in_transit):
                    for asset, units in part.items():
                        money[asset] = money.get(asset, 0) + units
        vault = self.engine.house.state.vault
        assert {c: q for c, q in lots.items() if q} == {}
        assert {a: u for a, u in money.items() if u} == {a: u for a, u in vault.items() if u}
        assert all(units >= 0 for units in vault.values())

    def cash(self, account: int, asset: int = USD) -> int:
        state = self.engine.read(account) if account > 0 else self.engine.house.store.read(account)
        return state.cash.get(asset, 0)

    def lots(self, account: int) -> int:
        state = self.engine.read(account) if account > 0 else self.engine.house.store.read(account)
        return state.positions.get(PERP, (0, 0))[0]

    def level(self, account: int) -> Level:
        return self.engine.read(account).level


def told(result: CycleResult, kind: str, account: int | None = None) -> list[dict]:
    return [e.fields for e in result.events if e.kind == kind and account in (None, e.account)]


class Called(NamedTuple):
    """80 lots entered at 100,000 with 1,000,000, at a mark where a call is issued; then a gap."""

    side: int
    mark: int
    equity: int
    requirement: int
    amount: int
    t_star: int
    plan_lots: int
    limit: int
    part: int
    part_price: int
    fee: int
    gap_mark: int
    claim: int
    late_price: int
    house_limit: int
    house_price: int
    fund_after: tuple[int, int, int]


# Long, mark 93,000: equity 1,000,000 - 80 x 7,000 = 440,000. Notional 7,440,000; liquidation 372,000, margin_call
# 465,000, exit 465,000 x 1.05 = 488,250, so 48,250 are asked. T*: buffer 440,000 - 372,000 = 68,000, gap 80 x 100 =
# 8,000, variance (80 x 100)^2 = 64,000,000: 60,000^2 / (9 x 64,000,000) = 6.25 -> 6 minutes.
# Plan: a lot costs 1.1 % = 1,023 and frees 93,000 x 6.5625 % = 6,103.125 of the exit: k >= 48,250 / 5,080.125: 10.
# Concession: 1 % of 93,000 = 930 a lot; limit 92,070. Sold 4 at 92,500: loss 4 x 7,500 = 30,000, fee 370.
# Gap to 86,000 with 76 lots: 1,000,000 - 30,000 - 370 - 76 x 14,000 = -94,370: the claim.
# Fund 500,000 + 370: pays 94,370 (cap 25 % is 125,092) -> 406,000. The old intent still sells 6 at 85,500: 3,000
# -> 403,000. The default account's own intent sells 70 (limit 86,000 - 860) at 85,800: 70 x 200 = 14,000 -> 389,000.
LONG = Called(
    +1, 93_000, 440_000, 465_000, 48_250, 6, -10, 92_070, 4, 92_500, 370, 86_000, 94_370, 85_500, 85_140, 85_800,
    (406_000, 403_000, 389_000),
)  # fmt: skip

# Short, mark 106,000: equity 1,000,000 - 80 x 6,000 = 520,000. Notional 8,480,000; liquidation 424,000, margin_call
# 530,000, exit 556,500, so 36,500 are asked. T*: buffer 96,000: 88,000^2 / 576,000,000 = 13.4 -> 13 minutes.
# Plan: a lot costs 1,166 and frees 6,956.25: k >= 36,500 / 5,790.25 = 6.3 -> 7. Limit 106,000 + 1,060.
# Bought 3 at 106,500: loss 3 x 6,500 = 19,500, fee 0.1 % of 319,500 = 319.5 -> 319.
# Gap to 114,000 with 77 lots: 1,000,000 - 19,500 - 319 - 77 x 14,000 = -97,819: the claim.
# Fund 500,319 - 97,819 = 402,500. The old intent buys 4 at 114,500: 2,000 -> 400,500. Own intent buys 73 (limit
# 115,140) at 114,200: 14,600 -> 385,900.
SHORT = Called(
    -1, 106_000, 520_000, 530_000, 36_500, 13, +7, 107_060, 3, 106_500, 319, 114_000, 97_819, 114_500, 115_140, 114_200,
    (402_500, 400_500, 385_900),
)  # fmt: skip

BOTH = pytest.mark.parametrize("n", [LONG, SHORT], ids=["long", "short"])


def call_account(n: Called) -> tuple[Story, dict]:
    """Return the world in which account 1 has just been called, and the call."""
    story = Story(a1=1_000_000, a3=10_000_000)
    story.trade(1, RICH, n.side * 80, 100_000)
    story.mark(n.mark)
    story.cut()
    issued_at = story.now
    result = story.cut()
    (call,) = told(result, "call_issued", 1)
    assert call["amount"] == n.amount
    assert call["equity"] == n.equity
    assert call["requirement"] == n.requirement
    assert call["cures"].split()[0] == f"{USD}:{n.amount}"
    assert call["t_star_minutes"] == n.t_star
    assert call["deadline_ns"] == issued_at + n.t_star * MINUTE
    return story, call


@BOTH
def test_a_call_is_cured_in_time(n: Called) -> None:
    """MC-001, MC-002, MC-003, MC-006, CY-012: one unit less does not cure, the last one at the deadline does."""
    story, call = call_account(n)
    story.ok(cm.Deposit, account=1, asset=USD, amount=n.amount - 1)
    while story.now < call["deadline_ns"]:
        result = story.cut()
        assert told(result, "call_cured") + told(result, "call_expired") == []
        assert story.level(1) is Level.MARGIN_CALL
    assert story.engine.opened.time_ns == call["deadline_ns"]
    story.ok(cm.Deposit, account=1, asset=USD, amount=1)
    result = story.cut()
    assert told(result, "call_cured", 1) == [{"issued_cycle": 4, "amount": n.amount}]
    assert told(result, "call_expired") + told(result, "plan") == []
    assert story.lots(1) == n.side * 80
    assert story.cash(1) == 1_000_000 + n.amount
    assert story.level(1) is Level.INITIAL


@BOTH
def test_one_unit_short_at_the_deadline_is_not_cured(n: Called) -> None:
    """MC-009"""
    story, call = call_account(n)
    story.ok(cm.Deposit, account=1, asset=USD, amount=n.amount - 1)
    while story.now <= call["deadline_ns"]:
        result = story.cut()
    assert told(result, "call_expired", 1) == [{"issued_cycle": 4, "amount": n.amount}]
    assert told(result, "reduction_started", 1) == [{"why": "call expired"}]


@BOTH
def test_a_gap_through_the_deadline_into_takeover(n: Called) -> None:
    """MC-009, LQ-014, LQ-016, LQ-008, WF-040, WF-042, WF-044, WF-047, CY-024, CH-022."""
    story, call = call_account(n)
    story.fund(PERP, 500_000)
    while story.now <= call["deadline_ns"]:
        result = story.cut()
    assert told(result, "call_expired", 1)
    (plan,) = told(result, "plan", 1)
    assert plan["slices"] == f"{PERP}:{n.plan_lots}@{n.limit}"

    # The intent is granted at the next opening; a part of it fills while the market gaps.
    (granted,) = [d for d in story.engine.opened.decisions if d.account == 1]
    assert (granted.lots, granted.limit) == (n.plan_lots, n.limit)
    story.trade(1, RICH, -n.side * n.part, n.part_price, intent=granted.intent)
    story.mark(n.gap_mark)
    result = story.cut()
    assert told(result, "fee", 1) == [{"contract": PERP, "amount": n.fee}]
    assert story.lots(1) == n.side * (80 - n.part)

    result = story.cut()
    left = 80 - n.part
    (taken,) = told(result, "taken_over", 1)
    assert (taken["level"], taken["positions"]) == ("BANKRUPTCY", f"{PERP}:{n.side * left}")
    assert told(result, "claim") == [{"contract": PERP, "asset": USD, "amount": n.claim}]
    assert story.engine.read(1).cash == {} and story.lots(1) == 0
    assert story.lots(default_account(PERP)) == n.side * left
    assert story.cash(market_fund(PERP)) == n.fund_after[0]

    # What the old intent still fills is the default account's; so is what its own intent fills.
    late = abs(n.plan_lots) - n.part
    (own,) = told(result, "house_intent") or told(story.results[-1], "house_intent")
    assert (own["lots"], own["limit"]) == (-n.side * (left - late), n.house_limit)
    story.trade(1, RICH, -n.side * late, n.late_price, intent=granted.intent)
    result = story.cut()
    assert told(result, "unbooked", 1)[0]["to"] == "default"
    assert story.cash(market_fund(PERP)) == n.fund_after[1]
    story.trade(0, RICH, -n.side * (left - late), n.house_price, intent=own["intent"])
    story.cut()
    assert story.cash(market_fund(PERP)) == n.fund_after[2]
    assert story.lots(default_account(PERP)) == 0
    assert story.engine.house.state.claims == []
    assert told(story.results[-1], "error_booked") == []


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize(("global_fund", "paid"), [(20_000, (39_375, 26_250)), (20_001, None)])
def test_a_fund_runs_dry(side: int, global_fund: int, paid: tuple[int, int] | None) -> None:
    """WF-001, WF-002, WF-042, WF-047, WF-048, WF-049, WF-050, WF-051, WF-052, WF-053, WF-054."""
    story = Story(a1=140_000, a2=1_000_000, a3=1_000_000, a4=20_000)
    story.ok(cm.Deposit, account=4, asset=BTC, amount=200_000)
    story.fund(PERP, 10_000)
    story.fund(-1, global_fund)
    for winner, lots in ((2, 6), (3, 4), (4, 2)):
        story.trade(1, winner, side * lots, 100_000)
    # A gap of 20,000 against account 1: 140,000 - 12 x 20,000 = -100,000.
    story.mark(100_000 - side * 20_000)
    story.cut()
    # Account 4 loses 50,000 in a round trip with the maker and keeps its entry at 100,000: cash -30,000.
    story.trade(4, MAKER, side, 100_000 + side * 50_000)
    story.trade(4, MAKER, -side, 100_000)
    result = story.cut()
    assert told(result, "claim") == [{"contract": PERP, "asset": USD, "amount": 100_000}]
    # The market's fund may pay 25 % of 10,000, the global fund all it has.
    draws = [(e.account, e.fields["amount"]) for e in result.events if e.kind == "fund_draw"]
    assert draws == [(market_fund(PERP), 2_500), (GLOBAL_FUND, global_fund)]
    missing = 100_000 - 2_500 - global_fund
    assert story.cash(SUSPENSE) == -missing

    # A cycle on: 25 % of the 7,500 left is 1,875. Winners and holders offer.
    result = story.cut()
    assert [e.fields["amount"] for e in result.events if e.kind == "fund_draw"] == [1_875]
    missing -= 1_875
    (shared,) = told(result, "loss_shared")
    assert (shared["deficit"], shared["shared"], shared["payers"]) == (missing, missing, 3)
    (adl,) = told(result, "adl_dealt")
    assert (adl["lots"], adl["holders"]) == (12, 3)

    # Booked at the opening. Profits 120,000, 80,000, 40,000; account 4 has a balance of 10,000 only and pays all of it.
    # The others pay (75,625 - 10,000) / 200,000 = 32.8125 % of their profit: 39,375 and 26,250. With one unit more in
    # the global fund it is 65,624 / 200,000: 39,374.4 and 26,249.6, and one of them takes the last unit.
    result = story.cut()
    haircut = {a: told(result, "haircut", a)[0]["amount"] for a in (2, 3, 4)}
    assert haircut[4] == 10_000
    if paid:
        assert (haircut[2], haircut[3]) == paid
    else:
        assert (haircut[2], haircut[3]) in ((39_375, 26_249), (39_374, 26_250))
    assert sum(haircut.values()) == missing
    assert story.cash(2) == 1_000_000 + 120_000 - haircut[2]
    assert story.cash(3) == 1_000_000 + 80_000 - haircut[3]
    assert story.cash(4) == -30_000 + 40_000 - 10_000
    assert [story.lots(a) for a in (1, 2, 3, 4, default_account(PERP))] == [0] * 5
    assert story.engine.house.state.claims == []
    assert story.cash(SUSPENSE) == 0
    assert story.cash(market_fund(PERP)) == 10_000 - 2_500 - 1_875
    assert story.cash(GLOBAL_FUND) == 0


@pytest.mark.parametrize("side", [1, -1])
def test_withdrawals_queue_for_the_vault(side: int) -> None:
    """CH-011, CH-020, AC-006, AC-007: who won in USD against collateral in BTC waits until USD comes in."""
    story = Story(a1=100_000, a4=20_000, a5=1)
    for account in (2, 6):
        story.open(account, deposit=1_000_000, asset=BTC)
    story.trade(1, 2, side * 5, 100_000)
    story.mark(100_000 + side * 20_000)
    story.cut()
    story.trade(1, 6, -side * 5, 100_000 + side * 20_000)
    # Account 1 realised 5 x 20,000: cash 200,000. The vault has 100,000 + 20,000 + 1 USD.
    story.ok(cm.Withdraw, account=1, asset=USD, amount=150_000)
    story.cut()
    assert story.engine.house.state.vault[USD] == 0
    assert story.engine.read(1).in_transit == {USD: 150_000}
    story.ok(cm.Withdraw, account=4, asset=USD, amount=20_000)
    result = story.cut()
    assert told(result, "released", 1) == [{"asset": USD, "amount": 120_001}]
    assert (story.engine.read(1).in_transit, story.engine.read(4).in_transit) == ({USD: 29_999}, {USD: 20_000})

    # 40,000 come in: account 1, who asked first, gets its 29,999; account 4 gets 10,001 of 20,000.
    story.ok(cm.Deposit, account=5, asset=USD, amount=40_000)
    story.cut()
    result = story.cut()
    assert told(result, "released", 1) == [{"asset": USD, "amount": 29_999}]
    assert told(result, "released", 4) == [{"asset": USD, "amount": 10_001}]
    story.ok(cm.Deposit, account=5, asset=USD, amount=9_998)
    story.cut()
    result = story.cut()
    assert told(result, "released", 4) == [{"asset": USD, "amount": 9_998}]
    assert story.engine.read(4).in_transit == {USD: 1}
    assert story.cash(1) == 50_000
    assert story.engine.house.state.vault[USD] == 0


@pytest.mark.parametrize("side", [1, -1])
def test_a_side_nobody_can_book(side: int) -> None:
    """CY-023, WF-044, WF-045, CH-022: the error account, its gain, its lots, and the way back to the market."""
    story = Story(a1=1_000_000, a3=1_000_000)
    story.fund(-1, 5_000)
    # Account 1 trades 5 lots with an account that does not exist, 1,000 off the mark in that account's favour.
    story.trade(1, 999, side * 5, 100_000 + side * 1_000)
    result = story.cut()
    (error,) = told(result, "error_booked")
    assert (error["lots"], error["for_account"], error["reason"]) == (-side * 5, 999, "R-2001")
    assert story.lots(1) == side * 5
    # The error account's gain of 5 x 1,000 is income of the market's fund; its lots moved on at mark.
    assert story.cash(market_fund(PERP)) == 5_000
    assert story.lots(error_account(PERP)) == 0
    assert story.lots(default_account(PERP)) == -side * 5
    (own,) = told(result, "house_intent") or told(story.results[-1], "house_intent")
    assert (own["lots"], own["limit"]) == (side * 5, 100_000 + side * 1_000)
    # Traded back 500 off the mark: 2,500 lost. The fund may pay 25 % of 5,000 = 1,250, the global fund the rest.
    story.trade(0, RICH, side * 5, 100_000 + side * 500, intent=own["intent"])
    story.cut()
    assert story.cash(market_fund(PERP)) == 3_750
    assert story.cash(GLOBAL_FUND) == 3_750
    assert [story.lots(a) for a in (1, RICH, default_account(PERP))] == [side * 5, -side * 5, 0]
    assert story.engine.house.state.claims == []


@pytest.mark.parametrize(("side", "mark"), [(1, 91_500), (-1, 108_500)])
def test_collateral_in_another_asset_is_converted(side: int, mark: int) -> None:
    """WF-040, WF-041, WF-042, WF-046: USD owed is paid by selling BTC to the global fund, stressed."""
    story = Story(a3=1_000_000)
    story.open(1, deposit=100_000, asset=BTC)
    story.fund(-1, 50_000)
    story.trade(1, RICH, side * 8, 100_000)
    story.mark(mark)
    story.cut()
    # USD -8 x 8,500 = -68,000; equity 90,000 - 68,000 = 22,000, below takeover (24,401 long, 28,934 short).
    result = story.cut()
    assert told(result, "taken_over", 1)[0]["cash"] == f"{USD}:-68000 {BTC}:100000"
    # At 0.8 the fund's 50,000 USD buy 62,500 BTC; 18,000 stay missing, 37,500 BTC wait.
    assert told(result, "converted") == [{"collateral": BTC, "given": 62_500, "asset": USD, "got": 50_000}]
    assert told(result, "claim") == [{"contract": PERP, "asset": USD, "amount": 18_000}]
    assert (story.cash(GLOBAL_FUND), story.cash(GLOBAL_FUND, BTC)) == (0, 62_500)
    assert (story.cash(SUSPENSE), story.cash(SUSPENSE, BTC)) == (-18_000, 37_500)
    # USD for the fund: 18,000 buy 22,500 BTC; the claim is paid, the last 15,000 BTC are the fund's.
    story.fund(-1, 30_000)
    result = story.cut()
    assert told(result, "converted") == [{"collateral": BTC, "given": 22_500, "asset": USD, "got": 18_000}]
    assert told(result, "loss_shared") == []
    assert (story.cash(GLOBAL_FUND), story.cash(GLOBAL_FUND, BTC)) == (12_000, 100_000)
    assert (story.cash(SUSPENSE), story.cash(SUSPENSE, BTC)) == (0, 0)
    # The claim had called for auto-deleveraging: the holder's lots close at the mark, gain kept in full.
    story.cut()
    assert [story.lots(a) for a in (RICH, default_account(PERP))] == [0, 0]
    assert story.cash(RICH) == 1_000_000 + 68_000
    assert story.engine.read(1).cash == {}


@pytest.mark.parametrize("shards", [1, 7])
def test_a_story_does_not_know_the_number_of_shards(shards: int) -> None:
    """CY-005"""

    def tell(count: int) -> list[bytes]:
        story = Story(shards=count, a1=140_000, a2=1_000_000, a3=1_000_000)
        story.trade(1, 2, 7, 100_000)
        story.trade(1, 3, 5, 100_000)
        story.mark(80_000)
        for _ in range(5):
            story.cut()
        assert told(story.results[-2], "haircut")
        return [r.root for r in story.results]

    assert tell(shards) == tell(2)
