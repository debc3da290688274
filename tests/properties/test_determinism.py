"""
Same commands, same root each cycle: any number of shards in any order, any batch split, any interpreter, any restart.

The histories are those of tests/helpers/chaos.py: fills across shards, takeovers, fund draws, ADL, loss sharing.
"""

import json
import os
import random
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import msgspec
import pytest

from tests.helpers import scenario
from tests.helpers.chaos import chaos_sheets, wild_history
from tests.helpers.worlds import LINEAR, MINUTE, USDT, Driver
from tocsin.core.codec import encode, sort_map
from tocsin.core.hashing import hash_bytes
from tocsin.core.ids import bucket_of, shard_of
from tocsin.engine import commands as cm
from tocsin.engine.clearing_house import ClearingHouse
from tocsin.engine.engine import Engine
from tocsin.engine.ledger import hash_state, new_bucket_tree
from tocsin.engine.messages import CycleResult, open_contracts
from tocsin.engine.sequencer import Accepted, Sequencer
from tocsin.engine.shard import Shard

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "replay" / "golden_roots.json"
SEEDS = (0, 1, 2, 5, 8)
START = chaos_sheets()[0]


@cache
def history(seed):
    """Return a wild world run with one shard; its log is what other engines are dealt."""
    world = wild_history(seed, cycles=30, accounts=12, actions=9)
    world.calm(5)
    return world


def deal(world, engine):
    """Deal the log of a world to an engine and return its results."""
    results = []
    for kind, entry in world.log:
        if kind == "cut":
            results.append(engine.cut(entry))
        else:
            assert isinstance(engine.submit(entry), Accepted)
    return results


class ShuffledHost:
    """
    A host of separate machines: streams are kept apart, shards run in random order and their closes arrive so.
    """

    def __init__(self, sheet, time_ns, *, shards, seed):
        self.rng = random.Random(seed)
        self.count = shards
        self.sequencer = Sequencer()
        self.house = ClearingHouse(sheet, time_ns)
        self.shards = [Shard(sheet) for _ in range(shards)]
        self.tree = new_bucket_tree()
        self.opened = self.house.open(time_ns)
        self.begin()

    def begin(self):
        self.streams = [[] for _ in range(self.count)]
        self.house_stream = []
        self.sequencer.set_terms(self.house.sheet, open_contracts(self.opened), dict(self.house.state.vault))

    def submit(self, command):
        stamped = self.sequencer.stamp(command)
        for bucket, item in stamped.rows:
            self.streams[shard_of(bucket, self.count)].append(item)
        self.house_stream.extend(stamped.house)
        return stamped.accepted

    def cut(self, time_ns):
        order = list(range(self.count))
        self.rng.shuffle(order)
        closes = []
        for i in order:
            mine = tuple(d for d in self.opened.decisions if shard_of(d.bucket, self.count) == i)
            closes.append(self.shards[i].run(msgspec.structs.replace(self.opened, decisions=mine), self.streams[i]))
        self.rng.shuffle(closes)
        self.house.apply(self.house_stream)
        self.house.close(closes)
        changed = {}
        for close in closes:
            changed.update(close.roots)
        self.tree.update(changed)
        state = self.sequencer
        admitted = encode((sort_map(state.nonces), state.sequence, state.close_log()))
        house_root = hash_bytes(b"engine", self.house.root(), admitted)
        root = hash_state(self.tree.root, house_root, self.opened.cycle, self.opened.time_ns)
        self.house.decide(root)
        events = [e for close in closes for e in close.events] + self.house.events
        events.sort(key=lambda e: (e.phase, e.order))
        result = CycleResult(self.opened, root, self.tree.root, house_root, changed, events, ())
        self.opened = self.house.open(time_ns)
        self.begin()
        return result


def assert_same(ours, theirs):
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert a.root.hex() == b.root.hex(), f"cycle {a.opened.cycle}"
        assert a.events == b.events, f"cycle {a.opened.cycle}"
        assert a.opened == b.opened


# Shards


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("shards", [2, 7, 64])
def test_root_events_and_snapshot_do_not_know_the_number_of_shards(seed, shards):
    world = history(seed)
    engine = Engine(START, world.start_ns, shards=shards)
    assert_same(world.results, deal(world, engine))
    assert engine.snapshot() == world.engine.snapshot()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("shards", [1, 2, 7])
def test_shards_may_run_and_report_in_any_order(seed, shards):
    world = history(seed)
    assert_same(world.results, deal(world, ShuffledHost(START, world.start_ns, shards=shards, seed=seed + shards)))


@pytest.mark.parametrize("shards", [2, 7])
def test_histories_cross_shards(shards):
    """In the histories above a fill, a fund draw, a haircut and an ADL happen between accounts of different shards."""
    crossed = set()
    for seed in SEEDS:
        world = history(seed)
        directory = world.engine.sequencer.directory

        def where(account, directory=directory):
            return shard_of(bucket_of(directory[account]), shards)

        for _, command in world.log:
            if isinstance(command, cm.Fills):
                known = [a for a in (*command.buyer, *command.seller) if a in directory]
                if len({where(a) for a in known}) > 1:
                    crossed.add("fill")
        taken = {}
        for result in world.results:
            fallen = {where(e.account) for e in result.events if e.kind == "taken_over"}
            kinds = {e.kind for e in result.events}
            if len(fallen) > 1 and "fund_draw" in kinds:
                crossed.add("fund draw")
            for e in result.events:
                if e.kind == "taken_over":
                    for part in e.fields["positions"].split():
                        taken.setdefault(int(part.split(":")[0]), set()).add(where(e.account))
                if e.kind == "adl" and taken.get(e.fields["contract"], set()) - {where(e.account)}:
                    crossed.add("adl")
            payers = {where(e.account) for e in result.events if e.kind == "haircut"}
            if len(payers) > 1:
                crossed.add("haircut")
    assert crossed == {"fill", "fund draw", "adl", "haircut"}


# Batches


def test_commands_as_bytes_are_the_same_commands():
    world = history(SEEDS[0])
    engine = Engine(START, world.start_ns)
    results = []
    for kind, entry in world.log:
        if kind == "cut":
            results.append(engine.cut(entry))
        else:
            assert isinstance(engine.submit(cm.encode_command(entry)), Accepted)
    assert_same(world.results, results)


def split_rows(command, first_nonce):
    """Return a columnar command as one command a row, with nonces from `first_nonce`."""
    columns = {f: getattr(command, f) for f in command.__struct_fields__ if isinstance(getattr(command, f), tuple)}
    groups = [{f: v for f, v in columns.items() if f not in ("asset", "price")}]
    if isinstance(command, cm.SetMarks):
        groups.append({f: v for f, v in columns.items() if f in ("asset", "price")})
    out = []
    for group in groups:
        for i in range(max(map(len, group.values()))):
            row = {f: (v[i],) for f, v in group.items() if v}
            empty = {f: () for f in columns if f not in row}
            out.append(type(command)(source=command.source, nonce=first_nonce + len(out), **empty, **row))
    return out


@pytest.mark.parametrize("sizes", [(1,), (2, 3), (7,)])
def test_rows_may_be_batched_in_any_way(sizes):
    """
    A columnar command is the sequence of its rows: one command of n rows or n of one give the same roots. The nonces of
    a source may have gaps, so that the last command of either form can carry the same nonce.
    """
    world = history(SEEDS[1])
    rows = []
    for kind, entry in world.log:
        if kind == "command" and isinstance(entry, cm.Fills | cm.Holds | cm.SetMarks):
            rows += [("command", row) for row in split_rows(entry, 0)]
        else:
            rows.append((kind, entry))
    log = [(k, msgspec.structs.replace(e, nonce=i + 1) if k == "command" else e) for i, (k, e) in enumerate(rows)]
    single, batched = Engine(START, world.start_ns), Engine(START, world.start_ns)
    ours, theirs, i, turn = [], [], 0, 0
    for kind, entry in log:
        if kind == "cut":
            ours.append(single.cut(entry))
        else:
            assert isinstance(single.submit(entry), Accepted)
    while i < len(log):
        kind, entry = log[i]
        if kind == "cut":
            theirs.append(batched.cut(entry))
            i += 1
            continue
        size = sizes[turn % len(sizes)]
        turn += 1
        group = [entry]
        while len(group) < size and log[i + len(group)][0] == "command" and may_join(group[-1], log[i + len(group)][1]):
            group.append(log[i + len(group)][1])
        assert isinstance(batched.submit(join(group)), Accepted)
        i += len(group)
    assert_same(ours, theirs)
    assert sum(len(r.events) for r in ours) > 300


def may_join(a, b):
    columnar = type(a) is type(b) and isinstance(a, cm.Fills | cm.Holds | cm.SetMarks)
    filled = [f for f in a.__struct_fields__ if getattr(a, f) == ()] if columnar else []
    return columnar and filled == [f for f in b.__struct_fields__ if getattr(b, f) == ()]


def join(group):
    """Return one command of all rows, with the nonce of the last."""
    first, fields = group[0], {}
    for f in first.__struct_fields__:
        value = getattr(first, f)
        fields[f] = sum((getattr(c, f) for c in group), ()) if isinstance(value, tuple) else getattr(group[-1], f)
    return type(first)(**fields)


# Restarts


@pytest.mark.parametrize("seed", SEEDS[:3])
def test_snapshot_plus_tail_equals_whole(seed):
    """Restart after every third cycle, each time with another number of shards."""
    world = history(seed)
    engine = Engine(START, world.start_ns)
    results, restarts = [], 0
    for kind, entry in world.log:
        if kind == "command":
            assert isinstance(engine.submit(entry), Accepted)
            continue
        results.append(engine.cut(entry))
        if len(results) % 3 == 0:
            data = engine.snapshot()
            engine = Engine.restore(data, shards=(1, 2, 7, 64)[restarts % 4])
            assert engine.snapshot() == data
            restarts += 1
    assert_same(world.results, results)
    assert restarts > 10


def test_restored_decisions_are_booked_at_the_marks_they_were_made_at():
    """
    ADL is dealt at a mark and its funding index. A restart between the deal and its booking, with another index
    published in between, once booked the two sides at different indices and lost money.
    """
    seen = 0
    for seed in range(40, 60):
        world = wild_history(seed, cycles=12, accounts=8, actions=9)
        engine = None
        for kind, entry in world.log:
            if kind == "command":
                if engine is not None:
                    engine.submit(entry)
                continue
            if engine is None:
                engine = Engine(START, world.start_ns)
                restart_log(world, engine, entry)
            else:
                engine.cut(entry)
            before = engine.opened
            seen += any(type(d).__name__ == "CloseLots" for d in before.decisions)
            engine = Engine.restore(engine.snapshot())
    assert seen > 10


def restart_log(world, engine, first_cut):
    """Deal what comes before the first cut."""
    for kind, entry in world.log:
        if kind == "cut":
            engine.cut(first_cut)
            return
        engine.submit(entry)


def test_a_restored_engine_refuses_what_was_already_sent():
    driver = Driver(START)
    driver.open(1, deposit=100)
    driver.cut()
    engine = Engine.restore(driver.engine.snapshot(), shards=2)
    again = engine.submit(driver.log[0][1])
    assert not isinstance(again, Accepted)
    assert again.number == "R-1005"
    fresh = engine.submit(cm.Deposit(source=1, nonce=driver.nonce + 1, account=1, asset=USDT, amount=1))
    assert isinstance(fresh, Accepted)
    assert fresh.first == driver.engine.sequencer.sequence


def test_times_of_cuts_are_part_of_the_root():
    roots = set()
    for step in (MINUTE, MINUTE + 1):
        driver = Driver(START)
        driver.open(1, deposit=100)
        driver.cut(step)
        roots.add(driver.cut().root)
    assert len(roots) == 2


def test_any_unit_of_any_account_is_part_of_the_root():
    roots = set()
    for amount, lots in ((10**9, 1), (10**9 + 1, 1), (10**9, 2)):
        driver = Driver(START)
        driver.open(1, deposit=amount)
        driver.open(2, deposit=10**9)
        driver.marks()
        driver.cut()
        driver.fill(1, 2, lots, 10**8, LINEAR)
        roots.add(driver.cut().root)
    assert len(roots) == 3


# Interpreters


def run_scenario(python, hash_seed="0"):
    env = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"}
    done = subprocess.run(
        [python, "-m", "tests.helpers.scenario"], capture_output=True, text=True, cwd=ROOT, env=env, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1]


@pytest.mark.parametrize("hash_seed", ["0", "1"])
def test_hash_seed_does_not_matter(hash_seed):
    assert run_scenario(sys.executable, hash_seed) == scenario.run(7)


def other_pythons():
    """Return other interpreters to try: newer ones on the path, and those named in TOCSIN_PYTHONS."""
    named = [p for p in os.environ.get("TOCSIN_PYTHONS", "").split(os.pathsep) if p]
    found = [shutil.which(f"python3.{minor}") for minor in range(11, 16)]
    return named + [p for p in found if p and not p.endswith(f"3.{sys.version_info.minor}")]


def test_other_interpreters_agree():
    tried = []
    for python in other_pythons():
        probe = subprocess.run(
            [python, "-c", "import msgspec, google_crc32c, sys; print(sys.version_info[:2])"],
            capture_output=True,
            text=True,
        )
        if probe.returncode == 0:
            assert run_scenario(python) == scenario.run(), probe.stdout
            tried.append(python)
    if not tried:
        pytest.skip(f"no other Python with msgspec and google-crc32c among {other_pythons()}; set TOCSIN_PYTHONS")


def test_roots_are_the_golden_ones():
    """
    Bytes of leaves, cases, house and roots change only on purpose. To renew the file after a change that is meant, run
    `python -m tests.properties.test_determinism`, raise the rules' number in `tocsin.journal.records.FORMAT`, and say
    in the change's note why old journals no longer replay.
    """
    golden = json.loads(GOLDEN.read_text())
    assert [line.rsplit(" ", 1)[0] for line in scenario.run()] == golden["roots"]


if __name__ == "__main__":
    GOLDEN.parent.mkdir(exist_ok=True)
    lines = [line.rsplit(" ", 1)[0] for line in scenario.run()]
    GOLDEN.write_text(
        json.dumps({"scenario": "tests/helpers/scenario.py: seed, cycle, root", "roots": lines}, indent=1)
    )
