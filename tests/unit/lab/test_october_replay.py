"""
The replay through the engine: conserved, recomputable, the same for every shard count and hash seed, and sensitive to
its rules.
"""

import os
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest

from tocsin.journal.disk import RealDisk
from tocsin.journal.verify import verify
from tocsin.journal.why import explain
from tocsin.lab.october import Cadence, Rules, build_paths, build_sheet, build_world
from tocsin.lab.october.cadence import END_S, START_S, cycle_times_ns
from tocsin.lab.october.outcome import Fate, Outcome, median, peak_per_minute
from tocsin.lab.october.place import SHEET_NAME
from tocsin.lab.october.run import Replay
from tocsin.lab.october.study import Column, Setting, choose_stories, main_settings, run_setting

SMALL = Setting(Rules.TOCSIN, accounts=80, cadence=Cadence.HALF)
"""Half as many cycles: what is asked here does not depend on how many."""


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("replay") / "october.journal"


@pytest.fixture(scope="module")
def outcomes(journal: Path) -> dict[Column, Outcome]:
    settings = main_settings(replace(SMALL, journal=journal))
    return {column: run_setting(setting, None) for column, setting in settings.items()}


def test_money_and_lots_are_conserved(outcomes: dict[Column, Outcome]) -> None:
    assert [o.residue for o in outcomes.values()] == [0, 0]
    for o in outcomes.values():
        assert_nothing_is_lost(o)


def assert_nothing_is_lost(o: Outcome) -> None:
    changes = o.accounts_change + o.outside_change + o.market_funds_change + o.global_fund_change + o.house_change
    # Every sum is conserved; only BTC collateral is rounded down to a unit, per account and moment.
    assert abs(changes) <= 2 * (o.accounts + 70)
    assert min(abs(o.accounts_change), abs(o.outside_change)) > 10**6


def test_something_happened_and_is_counted_alike(outcomes: dict[Column, Outcome]) -> None:
    venue, ours = outcomes[Column.VENUE], outcomes[Column.TOCSIN]
    assert venue.called == venue.calls == 0
    assert ours.called > 10
    assert ours.calls >= ours.called
    for o in (venue, ours):
        by_fate = {fate: [a for a, e in o.events.items() if e.fate is fate] for fate in Fate}
        assert len(by_fate[Fate.REDUCED]) == o.standing
        assert len(by_fate[Fate.TAKEN_OVER]) == o.taken_over > 0
        assert sum(len(by_fate[f]) for f in (Fate.REDUCED, Fate.CLOSED, Fate.TAKEN_OVER)) == o.liquidated
        assert sum(amount for _, amount in o.forced) == o.forced_notional > 0
        assert all(START_S <= t <= END_S for t, _ in [*o.forced, *o.call_times])
        assert o.calls == sum(n for _, n in o.call_times)
        assert o.calls == o.calls_cured + o.calls_cancelled + o.calls_expired
        assert o.cycles == len(cycle_times_ns(SMALL.cadence)) + 2
        assert o.missing_at_takeover > 0
        assert o.market_funds_drawn > 0
    assert venue.root != ours.root


def test_the_journal_verifies_to_the_root_that_was_printed(journal: Path, outcomes: dict[Column, Outcome]) -> None:
    root = outcomes[Column.TOCSIN].root
    found = verify(RealDisk(journal), root=bytes.fromhex(root), shards=2)
    assert found.ok
    assert (found.root.hex(), found.cycles) == (root, outcomes[Column.TOCSIN].cycles)


def test_why_explains_the_three_accounts(journal: Path, outcomes: dict[Column, Outcome]) -> None:
    stories = choose_stories(outcomes[Column.TOCSIN], outcomes[Column.VENUE], SMALL.build_world())
    assert len({s.account for s in stories}) == 3
    kinds = {
        Fate.REDUCED: "filled",
        Fate.CLOSED: "filled",
        Fate.TAKEN_OVER: "taken_over",
        Fate.PAID: "haircut",
        Fate.ADL: "adl",
        Fate.CURED: "call_cured",
        Fate.CALLED: "call_issued",
    }
    for story in stories:
        steps = explain(RealDisk(journal), story.account).steps
        then = next(s for s in steps if s.time_ns == story.time_s * 10**9)
        assert kinds[story.fate] in {e.kind for e in then.events}, story


def test_the_sheet_says_that_the_journal_is_a_demo() -> None:
    assert all(build_sheet(SMALL.build_world(), rules).name.startswith(SHEET_NAME) for rules in Rules)


def test_shards_change_nothing(outcomes: dict[Column, Outcome]) -> None:
    world = SMALL.build_world()
    sheet = build_sheet(world, Rules.TOCSIN)
    out = Replay(world, build_paths(1), sheet, "tocsin", cadence=SMALL.cadence, shards=3).run()
    assert out == outcomes[Column.TOCSIN]


def test_the_hash_seed_changes_nothing(outcomes: dict[Column, Outcome]) -> None:
    # This process has a seed of its own.
    code = (
        "from tocsin.lab.october.study import *; from tocsin.lab.october import *;"
        "print(run_setting(Setting(Rules.TOCSIN, accounts=80, cadence=Cadence.HALF), None).root)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "PYTHONHASHSEED": "0"}
    )
    assert shown.stdout.strip() == outcomes[Column.TOCSIN].root, shown.stderr


def test_owners_who_answer_raise_what_is_cured(outcomes: dict[Column, Outcome]) -> None:
    all_answer = run_setting(replace(SMALL, cured_share=1.0), None)
    assert outcomes[Column.TOCSIN].cured == outcomes[Column.TOCSIN].deposited == 0
    assert all_answer.cured > 0
    assert all_answer.deposited > 0
    assert all_answer.residue == 0
    assert_nothing_is_lost(all_answer)


def test_without_calls_nobody_is_called_and_the_outcome_differs(outcomes: dict[Column, Outcome]) -> None:
    settings = main_settings(replace(SMALL, calls=False))
    assert list(settings) == list(Column)
    assert settings[Column.TOCSIN].calls
    off = run_setting(settings[Column.CHANGED], None)
    assert (off.called, off.residue) == (0, 0)
    ours = outcomes[Column.TOCSIN]
    assert {f.name for f in fields(off) if getattr(off, f.name) != getattr(ours, f.name)} > {"called", "root", "forced"}


def test_a_changed_value_changes_the_outcome(outcomes: dict[Column, Outcome]) -> None:
    changed = run_setting(replace(SMALL, changes=("waterfall.lots=queue",)), None)
    ours = outcomes[Column.TOCSIN]
    assert changed.residue == 0
    assert changed.root != ours.root
    # A queue takes few accounts whole, pro rata takes many in part.
    assert changed.adl_accounts < ours.adl_accounts
    assert changed.adl_share_median_ppm > ours.adl_share_median_ppm
    assert changed.adl_whole * ours.adl_accounts > ours.adl_whole * changed.adl_accounts
    assert 0 < changed.adl_whole <= changed.adl_accounts


def test_another_seed_is_another_world() -> None:
    one, two = (build_world(accounts=80, seed=seed) for seed in (1, 2))
    assert one.deposit_usdt != two.deposit_usdt
    assert build_paths(1)[0].last != build_paths(2)[0].last


def test_peak_is_the_largest_clock_minute() -> None:
    assert peak_per_minute([]) == (0, 0)
    assert peak_per_minute([(59, 5), (60, 3), (119, 3), (120, 6)]) == (6, 60)


def test_median_is_the_lower_middle() -> None:
    assert [median(v) for v in ([], [3], [4, 1], [9, 1, 5])] == [0, 3, 1, 5]
