"""
A stateful machine that does anything to an engine, and what must hold after every cut (tests/helpers/checks.py).

Two engines run side by side: the world, and its mirror image. The mirror of a contract with mark m and funding F is one
with mark -m and funding -F in which every buyer is a seller: entry sums, cash, requirements and hence every decision
are the same to the unit, with all lots negated. Whatever treats long and short differently breaks it.
"""

from collections import Counter

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.helpers import mirror
from tests.helpers.chaos import START, TYPICAL_LOTS, UNKNOWN, Chaos, chaos_sheets, wild_history
from tests.helpers.checks import check_all, picture
from tests.helpers.worlds import ALT, BTC, INVERSE, LINEAR, MINUTE, SECOND, USDT
from tocsin.engine import commands as cm
from tocsin.margin.cure import cure_quantity
from tocsin.margin.prices import liquidation_price
from tocsin.margin.state import Level

CONTRACTS = st.sampled_from((LINEAR, ALT, INVERSE))
ASSETS = st.sampled_from((USDT, BTC))
WHO = st.integers(0, 7)
LOTS = st.one_of(st.integers(1, 5), st.integers(1, 300), st.integers(1, 5_000))
SLIP = st.integers(-30_000, 30_000)
WHICH = st.integers(-8, -1)
LEVELS = (Level.INITIAL, Level.MARGIN_CALL, Level.MARGIN_CALL, Level.LIQUIDATION, Level.TAKEOVER, Level.BANKRUPTCY)


class EngineMachine(RuleBasedStateMachine):
    """Rules are what the world may do to an engine; `cut` checks everything."""

    world = None

    @initialize(
        sheet=st.sampled_from(chaos_sheets()),
        deposits=st.lists(st.integers(10**8, 3 * 10**9), min_size=5, max_size=8),
        trades=st.lists(st.tuples(WHO, WHO, CONTRACTS, st.integers(1, 60)), min_size=4, max_size=12),
        shards=st.sampled_from((1, 2, 7)),
    )
    def begin(self, sheet, deposits, trades, shards):
        self.mirrored = None
        self.world = Chaos(sheet, shards=shards, on_cut=self.check)
        self.mirrored = mirror.Twin(self.world)
        for i, deposit in enumerate(deposits):
            mode = (0, 0, 0, 0, 1, 0, 2, 0)[i]
            self.world.open_account(root=(0, 7, 7)[i % 3], mode=mode, deposit=deposit, btc=deposit // 1_000 * (i % 2))
        for buyer, seller, contract, lots in trades:
            if self.who(buyer) != self.who(seller):
                self.world.trade(self.who(buyer), self.who(seller), contract, lots * TYPICAL_LOTS[contract] // 60)
        self.world.cut()

    def check(self, world, result):
        check_all(world.engine, result, world.closed_sheet)
        if self.mirrored is not None:
            self.mirrored.compare(result)

    def who(self, index):
        return self.world.accounts[index % len(self.world.accounts)]

    @rule(account=WHO, asset=ASSETS, amount=st.one_of(st.integers(1, 10), st.integers(1, 5_000_000_000)))
    def deposit(self, account, asset, amount):
        self.world.deposit(self.who(account), asset, amount)

    @rule(account=WHO, asset=ASSETS, amount=st.integers(1, 5_000_000_000))
    def withdraw(self, account, asset, amount):
        self.world.withdraw(self.who(account), asset, amount)

    @rule(buyer=WHO, seller=WHO, contract=CONTRACTS, lots=LOTS, slip=SLIP)
    def trade(self, buyer, seller, contract, lots, slip):
        if self.who(buyer) == self.who(seller):
            # The two sides of a fill with oneself are booked buyer first: in the mirror the other one is first.
            self.mirrored = None
        self.world.trade(self.who(buyer), self.who(seller), contract, lots, slip)

    @rule(pairs=st.lists(st.tuples(WHO, WHO, CONTRACTS, LOTS), min_size=3, max_size=8))
    def build(self, pairs):
        for buyer, seller, contract, lots in pairs:
            if self.who(buyer) != self.who(seller):
                self.world.trade(self.who(buyer), self.who(seller), contract, lots)

    @rule(
        account=WHO, other=st.sampled_from((UNKNOWN, 0)), bought=st.booleans(), contract=CONTRACTS, lots=LOTS, slip=SLIP
    )
    def trade_unbookable(self, account, other, bought, contract, lots, slip):
        pair = (self.who(account), other) if bought else (other, self.who(account))
        self.world.trade(*pair, contract, lots, slip)

    @rule(buyer=WHO, seller=WHO, contract=CONTRACTS, ppm=st.sampled_from((-2_500_000, 9_000_000)))
    def trade_at_an_absurd_value(self, buyer, seller, contract, ppm):
        if self.who(buyer) != self.who(seller):
            self.world.trade(self.who(buyer), self.who(seller), contract, 7, ppm)

    @rule(which=WHICH, part=st.sampled_from((1, 300_000, 1_000_000, 1_500_000)), taker=WHO, slip=SLIP)
    def fill_intent(self, which, part, taker, slip):
        intents = self.world.intents
        if intents and intents[which % len(intents)][0] == self.who(taker):
            self.mirrored = None
        self.world.fill_intent(which, part, self.who(taker), slip)

    @rule(account=WHO, pick=st.integers(0, 2), level=st.sampled_from(LEVELS), at=st.booleans())
    def squeeze(self, account, pick, level, at):
        """Move a mark to where an account just falls below a level, or one unit before."""
        state = self.world.engine.read(self.who(account))
        held = sorted(state.positions)
        if not held:
            return
        contract = held[pick % len(held)]
        answer = liquidation_price(state, self.world.valuation(), contract, level)
        if answer.mark is not None:
            back = 1 if state.positions[contract][0] > 0 else -1
            self.world.set_mark(contract, answer.mark if at else answer.mark + back)
            self.world.cut()
            self.world.cut()

    @rule(account=WHO, asset=ASSETS, extra=st.sampled_from((-1, 0, 1_000_000)))
    def cure(self, account, asset, extra):
        """Pay in what cures at the marks of the cycle, or one unit less."""
        state = self.world.engine.read(self.who(account))
        units = cure_quantity(state, self.world.valuation(), asset)
        if units is not None and 0 < units + extra < 10**12:
            self.world.deposit(state.id, asset, units + extra)

    @rule(part=st.sampled_from((400_000, 1_000_000)), taker=WHO, slip=st.integers(-4_000, 4_000))
    def serve(self, part, taker, slip):
        """The market fills every intent granted in the last cycle, in part or whole."""
        for which in range(-self.world.granted_last, 0):
            self.fill_intent(which, part, taker, slip)

    @rule(which=WHICH)
    def finish_intent(self, which):
        self.world.finish_intent(which)

    @rule(account=WHO, contract=CONTRACTS, bid=st.integers(0, 300), ask=st.integers(0, 300))
    def hold(self, account, contract, bid, ask):
        self.world.send(cm.Holds, account=(self.who(account),), contract=(contract,), bid=(bid,), ask=(ask,))

    @rule(account=WHO, contract=CONTRACTS, lots=LOTS, sign=st.sampled_from((1, -1)))
    def check_order(self, account, contract, lots, sign):
        self.world.send(cm.OrderCheck, account=self.who(account), contract=contract, lots=sign * lots)

    @rule(contract=CONTRACTS, ppm=st.one_of(st.integers(-60_000, 60_000), st.integers(-600_000, 900_000)))
    def gap(self, contract, ppm):
        self.world.move(contract, ppm)
        self.world.cut()

    @rule(ppm=st.integers(-500_000, 500_000))
    def gap_in_collateral(self, ppm):
        self.world.move_btc(ppm)

    @rule(contract=CONTRACTS, ppm=st.integers(-30_000, 30_000))
    def funding(self, contract, ppm):
        self.world.fund_rate(contract, ppm)

    @rule(
        what=st.sampled_from(("stale", "stale", "halt", "resume", "resume", "sheet", "sheet", "clamp")),
        contract=CONTRACTS,
        which=st.integers(0, 2),
    )
    def trouble(self, what, contract, which):
        """Stale and clamped marks, halts, new sheets: what a market does now and then."""
        world = self.world
        match what:
            case "stale":
                world.stale(contract, which)
            case "clamp":
                world.clamp(contract)
            case "sheet":
                sheet = chaos_sheets()[which]
                world.set_sheet(msgspec.structs.replace(sheet, name=f"{sheet.name} {world.nonce}"))
            case _:
                world.send(cm.SetMarket, contract=contract, halted=what == "halt")

    @rule(contract=st.sampled_from((-1, LINEAR, ALT, INVERSE)), asset=ASSETS, amount=st.integers(1, 10**9))
    def pay_into_fund(self, contract, asset, amount):
        self.world.send(cm.FundDeposit, contract=contract, asset=asset, amount=amount)

    @rule(step=st.sampled_from((SECOND, MINUTE, MINUTE, 2 * MINUTE, 10 * MINUTE)))
    def cut(self, step):
        self.world.cut(step)

    @rule(contract=CONTRACTS)
    def last_position_out(self, contract):
        """Close every position of a contract against each other, so that at most one side remains."""
        held = []
        for account in self.world.accounts:
            state = self.world.engine.read(account)
            lots = state.positions.get(contract, (0, 0))[0] if state else 0
            if lots:
                held.append([lots, account])
        held.sort()
        while held and held[0][0] < 0 < held[-1][0]:
            lots = min(-held[0][0], held[-1][0])
            self.world.trade(held[0][1], held[-1][1], contract, lots)
            held[0][0] += lots
            held[-1][0] -= lots
            held = sorted(h for h in held if h[0])

    def teardown(self):
        if self.world is not None:
            self.world.calm()
            check_calm(self.world)


def check_calm(world):
    """After calm whatever was open has closed and nothing is stuck."""
    p = picture(world.engine, world.results[-1])
    assert not p.cases, p.cases
    assert not p.state.moved
    assert not p.state.queue
    assert not p.state.claims
    assert not p.state.intents
    for contract in START:
        left = p.own[-10_000 - contract].positions.get(contract, (0, 0))[0]
        if left:
            others = [a.positions.get(contract, (0, 0))[0] for a in p.accounts.values() if a.mode != 2]
            assert not any(q * left < 0 for q in others), f"default account keeps {left} lots that holders could close"


TestEngineMachine = EngineMachine.TestCase
TestEngineMachine.settings = settings(stateful_step_count=50 if settings().max_examples < 1000 else 120)


@pytest.mark.parametrize("seed", range(40))
def test_wild_histories_hold_and_are_mirrored(seed):
    """
    Longer histories than the machine's, from dice: checked after every cut, the first half also against the mirror.
    """
    twin = None

    def check(world, result):
        check_all(world.engine, result, world.closed_sheet)
        if twin is not None:
            twin.compare(result)

    world = Chaos(on_cut=check, traders=2 if seed < 20 else 1)
    if seed < 20:
        twin = mirror.Twin(world)
    wild_history(seed, cycles=30, accounts=8, world=world)
    twin = None
    world.calm()
    check_calm(world)


def test_wild_histories_see_everything():
    """The histories above are worth little if nothing happens in them: each kind of event occurs."""
    seen = Counter()
    for seed in range(20):
        for result in wild_history(seed, cycles=30, accounts=8).results:
            seen.update(e.kind for e in result.events)
    rare = {
        "call_revised",
        "call_cancelled",
        "call_cured",
        "deadline_moved",
        "outage",
        "converted",
        "fee",
        "reduction_done",
    }
    often = {
        "adl", "adl_dealt", "call_expired", "call_issued", "claim", "deposited", "error_booked",
        "error_moved", "filled", "fund_draw", "fund_income", "haircut", "hold_set", "house_filled", "house_intent",
        "intent_cancel", "intent_done", "intent_granted", "level_crossed", "loss_shared", "order_checked", "plan",
        "reduction_started", "refused", "released", "sheet_set", "taken_over", "unbooked", "withdrawal",
    }  # fmt: skip
    assert {kind for kind in often if seen[kind] < 5} == set()
    assert {kind for kind in rare if not seen[kind]} == set()
