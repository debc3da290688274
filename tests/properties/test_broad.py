"""
Wild histories with every feature on: what must hold after each cut, the same roots for any P, and nothing stuck.
"""

from functools import cache

import pytest
from msgspec.structs import replace

from tests.helpers.broad import BroadChaos, broad_history
from tests.helpers.checks import check_all
from tests.helpers.hosts import write_journal
from tests.helpers.worlds import Driver
from tests.properties.test_determinism import ShuffledHost, assert_same, deal, join, may_join, split_rows
from tocsin.engine import commands as cm
from tocsin.engine.engine import Engine
from tocsin.engine.messages import CloseLots
from tocsin.journal.replay import replay_journal
from tocsin.journal.verify import verify
from tocsin.journal.why import explain
from tocsin.margin.state import Mode
from tocsin.views.why_text import write_steps

SEEDS = (0, 1, 2, 3)


def _check(world, result):
    check_all(world.engine, result, world.closed_sheet)


@cache
def history(seed):
    """Return a world at rest after a wild history; every cut was checked."""
    world = BroadChaos(on_cut=_check)
    broad_history(seed, world=world)
    world.calm(30)
    return world


@pytest.mark.parametrize("seed", SEEDS)
def test_books_levels_and_cases_hold_after_every_cut(seed):
    """CH-010, LV-001, CS-001 and the rest of tests/helpers/checks.py, with all features in one log."""
    assert len(history(seed).results) > 60


def test_the_histories_reach_every_feature():
    """A feature that no history uses would not be tested by them."""
    kinds = {e.kind for seed in SEEDS for e in history(seed).events()}
    wanted = {
        "mode_changed", "owner_linked", "transfer_sent", "transfer_received", "borrowed", "interest", "converted",
        "conversion_asked", "settled", "intent_void", "rescaled", "stand_in", "recourse_paid", "trade_fee",
        "market_open", "grace_over", "call_issued", "taken_over", "adl", "haircut", "fund_draw",
    }  # fmt: skip
    assert not wanted - kinds, f"never seen: {sorted(wanted - kinds)}"


@pytest.mark.parametrize("shards", [2, 7])
@pytest.mark.parametrize("seed", SEEDS[:2])
def test_roots_do_not_know_the_number_of_shards(seed, shards):
    """CY-001: dealt again to separate machines, run and heard in any order."""
    world = history(seed)
    host = ShuffledHost(world.first_sheet, world.start_ns, shards=shards, seed=seed)
    results = []
    for kind, entry in world.log:
        results.append(host.cut(entry)) if kind == "cut" else host.submit(entry)
    assert_same(results, world.results)


@pytest.mark.parametrize("at", [15, 33, 50])
def test_a_restored_engine_goes_on_with_the_same_roots(at):
    """LG-005: owners' others, interest, states of contracts and all else survive a snapshot."""
    world = history(1)
    engine = Engine(world.first_sheet, world.start_ns)
    results = []
    for kind, entry in world.log:
        if kind == "cut":
            results.append(engine.cut(entry))
            if len(results) == at:
                engine = Engine.restore(engine.snapshot(), shards=3)
        else:
            engine.submit(entry)
    assert_same(results, world.results)


@pytest.mark.parametrize("size", [1, 3])
def test_rows_may_be_batched_in_any_way(size):
    """CM-009: fees, slow marks and all: one command of n rows or n of one, of `size` at most."""
    world = history(2)
    rows = []
    for kind, entry in world.log:
        columnar = kind == "command" and isinstance(entry, cm.Fills | cm.Holds | cm.SetMarks)
        rows += [("command", row) for row in split_rows(entry, 0)] if columnar else [(kind, entry)]
    log = [(k, replace(e, nonce=i + 1) if k == "command" else e) for i, (k, e) in enumerate(rows)]
    single, batched = Engine(world.first_sheet, world.start_ns), Engine(world.first_sheet, world.start_ns)
    ours, theirs, i = [], [], 0
    for kind, entry in log:
        ours.append(single.cut(entry)) if kind == "cut" else single.submit(entry)
    while i < len(log):
        group = [log[i][1]]
        if log[i][0] == "cut":
            theirs.append(batched.cut(log[i][1]))
        else:
            while len(group) < size and log[i + len(group)][0] == "command":
                if not may_join(group[-1], log[i + len(group)][1]):
                    break
                group.append(log[i + len(group)][1])
            batched.submit(join(group))
        i += len(group)
    assert_same(ours, theirs)


def test_a_journal_of_it_replays_verifies_and_explains():
    """JN-040, JN-046, WY-001: the embedded host, a replay with another P, and every bucket from its openings alone."""
    world = history(3)
    disk = write_journal(world.log, world.first_sheet, world.start_ns)
    assert verify(disk).root == world.results[-1].root
    assert replay_journal(disk, shards=7).root == world.results[-1].root
    for account in world.accounts:
        told = explain(disk, account)
        assert told.roots_met > 0 and told.steps
        for step in told.steps:
            assert list(write_steps([step]))


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_stuck(seed):
    """CS-004, LC-004: once prices rest and money is there, every call, intent, claim, halt and grace has ended."""
    world = history(seed)
    engine = world.engine
    for shard in engine.shards:
        assert not shard.cases
    state = engine.house.state
    assert not (state.claims or state.queue or state.intents or state.moved or state.settling or state.rescaling)
    assert not state.resuming and not state.grace_from_ns
    assert deal(world, Engine(world.first_sheet, world.start_ns))[-1].root == world.results[-1].root


def test_a_portfolio_account_needs_a_sheet_that_offers_it():
    """AC-033: refused before it is stamped, so that no shard ever meets rows of an account that was not opened."""
    driver = Driver()
    refused = driver.send(cm.OpenAccount, account=1, root=1, mode=Mode.PORTFOLIO)
    assert refused.number == "R-2007"
    driver.open(2)
    assert driver.send(cm.ChangeMode, account=2, mode=Mode.PORTFOLIO).number == "R-2007"
    world = BroadChaos()
    world.ok(cm.OpenAccount, account=1, root=1, mode=Mode.PORTFOLIO)


def test_lots_dealt_before_a_rescaling_are_booked_as_they_were_dealt():
    """LC-020: with ADL decided at the close before, the new caps once refused the old value per lot."""
    world = broad_history(116, world=BroadChaos(on_cut=_check), cycles=45, accounts=14, actions=12)
    rescaled = [r.opened for r in world.results if r.opened.rescaled]
    assert any(isinstance(d, CloseLots) and d.contract in o.rescaled for o in rescaled for d in o.decisions)
