"""
The embedded host: replay equals live, snapshot plus tail equals whole, nothing acknowledged is lost.
"""

import errno
from random import Random

import pytest

from tests.helpers.hosts import forge, play, read_all, replace, rich_disk, rich_world, wild_world, write_journal
from tests.helpers.worlds import MINUTE, USDT, small_sheet
from tocsin.core.errors import DataError, InvariantBroken, JournalError, LimitReached, Reason, Refused
from tocsin.engine import commands as cm
from tocsin.engine.engine import Engine
from tocsin.engine.sequencer import Accepted
from tocsin.journal import host as host_module
from tocsin.journal.host import EmbeddedHost
from tocsin.journal.log import Journal
from tocsin.journal.records import read_cycles
from tocsin.journal.replay import event_line, replay_journal
from tocsin.journal.simdisk import SimDisk, SimulatedCrash
from tocsin.journal.snapshot import latest_snapshot, snapshot_name
from tocsin.journal.verify import verify

START = 1_000 * MINUTE


def closes(disk):
    return [c.close for c in read_all(disk)[1] if c.close is not None]


def small_host(disk=None, **options) -> EmbeddedHost:
    return EmbeddedHost.create(disk or SimDisk(1), small_sheet(), START, segment_bytes=1 << 15, **options)


def opening(account: int, nonce: int) -> cm.OpenAccount:
    return cm.OpenAccount(source=1, nonce=nonce, account=account, root=account)


# ---- the same again ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("shards", [1, 2, 7])
def test_replay_equals_live_for_any_number_of_shards(shards: int) -> None:
    """JN-046, JN-047: what the journal states of each cycle is what the live engine had, whoever recomputes it."""
    world = rich_world()
    disk = write_journal(world.log, world.first_sheet, world.start_ns, shards=shards)
    assert [c.root for c in closes(disk)] == [r.root for r in world.results]
    assert [c.house_root for c in closes(disk)] == [r.house_root for r in world.results]
    assert [dict(zip(c.buckets, c.bucket_roots, strict=True)) for c in closes(disk)] == [
        r.changed_buckets for r in world.results
    ]
    for again in (1, 3):
        assert verify(disk, shards=again).difference is None
    assert replay_journal(disk, shards=5).root == world.results[-1].root


def test_replay_gives_the_events_of_the_live_run() -> None:
    """JN-044, JN-057: events are not stored; recomputed they are the same, in the same order."""
    world = rich_world()
    lines: list[str] = []
    seen: list[tuple[int, int]] = []
    found = replay_journal(
        rich_disk(), on_event=lines.append, progress=lambda done, total, _: seen.append((done, total))
    )
    live = [event_line(e) for r in world.results for e in r.events]
    assert lines == live
    assert sum(found.counts.values()) == len(live) and found.cycles == len(world.results)
    records = sum(len(c.commands) + 2 for c in read_all(rich_disk())[1])
    assert seen[-1] == (records, records) and len(seen) == found.cycles


@pytest.mark.parametrize("every", [1, 5, 13])
@pytest.mark.parametrize("shards", [1, 2, 7])
def test_a_snapshot_and_the_tail_equal_the_whole(every: int, shards: int) -> None:
    """JN-049: opened at a random place with any number of shards, the rest of the history gives the same roots."""
    world = rich_world()
    cuts = [i for i, (what, _) in enumerate(world.log) if what == "cut"]
    place = Random(every * 10 + shards).choice(cuts[every + 1 :]) + 2
    disk = SimDisk(1)
    with EmbeddedHost.create(
        disk, world.first_sheet, world.start_ns, snapshot_every=every, segment_bytes=1 << 16
    ) as host:
        done = play(host, world.log[:place])
        host.commit()
    with EmbeddedHost.open(disk, shards=shards) as host:
        assert host.resumed.snapshot_cycle == len(done) // every * every
        assert host.resumed.cycles == len(done) - host.resumed.snapshot_cycle
        assert host.resumed.notes == ()
        rest = play(host, world.log[place:])
    assert [r.root for r in done + rest] == [r.root for r in world.results]
    assert [r.events for r in rest] == [r.events for r in world.results[len(done) :]]
    assert verify(disk).difference is None
    assert [c.root for c in closes(disk)] == [r.root for r in world.results]


def test_two_openings_of_one_journal_write_the_same_closes() -> None:
    """JN-049: also byte for byte, whether a state was kept, restored or recomputed."""
    world = rich_world()
    disk = SimDisk(1)
    EmbeddedHost.create(disk, world.first_sheet, world.start_ns, segment_bytes=1 << 16).close()
    left = list(world.log)
    for every in (3, 0, 4, 0, 2):
        with EmbeddedHost.open(disk, snapshot_every=every) as host:
            play(host, left[:60])
            host.commit()
        left = left[60:]
    with EmbeddedHost.open(disk) as host:
        play(host, left)
    assert read_all(disk) == read_all(rich_disk())


def test_commands_after_the_last_cut_survive() -> None:
    """JN-045: what was committed into the open cycle is there again, and is part of the next cut."""
    disk = SimDisk(1)
    with small_host(disk) as host:
        host.cut(START + MINUTE)
        host.submit_all([opening(7, 1), cm.Deposit(source=1, nonce=2, account=7, asset=USDT, amount=5)])
        host.submit(opening(8, 3))
    with EmbeddedHost.open(disk) as host:
        assert host.resumed == (0, 1, 2, ())
        assert isinstance(host.submit(opening(7, 4)), Refused)
        assert isinstance(host.submit(opening(8, 4)), Accepted), "not committed, so not there"
        host.cut(START + 2 * MINUTE)
        assert host.engine.read(7).cash == {USDT: 5}
    assert verify(disk).difference is None


def test_a_cut_without_its_close_is_completed() -> None:
    """JN-048: the cut is durable first; whoever opens the journal recomputes what it came to and writes the close."""
    world = rich_world()
    cut_at = [i for i, (what, _) in enumerate(world.log) if what == "cut"][20]
    whole = write_journal(world.log[: cut_at + 1], world.first_sheet, world.start_ns)
    header, cycles = read_all(whole)
    disk = SimDisk(3)
    with Journal.create(disk, header, segment_bytes=1 << 16) as journal, Journal.open(whole, read_only=True) as source:
        for record in source.records():
            if record.number < source.count - 1:
                journal.append(record.kind, record.stream, record.payload)
        journal.commit()
    assert read_all(disk)[1][-1].close is None and verify(disk).difference is None
    with EmbeddedHost.open(disk) as host:
        assert host.resumed.cycles == len(cycles)
        rest = play(host, world.log[cut_at + 1 :])
    assert read_all(disk) == read_all(rich_disk())
    assert [r.root for r in rest] == [r.root for r in world.results[len(cycles) :]]


# ---- the door ---------------------------------------------------------------------------------------------


def test_what_cannot_be_a_command_is_refused_and_not_written() -> None:
    """JN-045: malformed, overflowing or foreign values are refusals, leave no trace, and the host goes on."""
    with small_host() as host:
        bad = [
            cm.OpenAccount(source=1, nonce=1, account=2**70, root=1),
            cm.Deposit(source=1, nonce=1, account="x", asset=1, amount=1),
            cm.OpenAccount(source=1, nonce=1, account=1.5, root=1),
            b"",
            b"\xff" * 40,
            bytearray(b"\x90"),
            bytes(5 * 1024 * 1024),
        ]
        answers = [host.submit(command) for command in bad]
        assert [type(a) for a in answers] == [Refused] * len(bad)
        assert answers[-1].reason == Reason.TOO_LARGE
        assert isinstance(host.submit(memoryview(cm.encode_command(opening(7, 1)))), Accepted)
        host.cut(START + MINUTE)
    _, cycles = read_all(host._disk)
    assert [len(c.commands) for c in cycles] == [1]


def test_a_full_batch_refuses_before_it_stamps(monkeypatch: pytest.MonkeyPatch) -> None:
    """JN-045: memory and journal never part; the same command fits after a commit."""
    monkeypatch.setattr(host_module, "BATCH_BYTES_MAX", host_module.BATCH_ROOM + 120)
    with small_host() as host:
        for nonce in (1, 2, 3):
            host.submit(opening(nonce, nonce))
        with pytest.raises(LimitReached, match="commit more often"):
            host.submit(opening(4, 4))
        host.commit()
        assert isinstance(host.submit(opening(4, 4)), Accepted)
        host.cut(START + MINUTE)
    assert verify(host._disk).difference is None


def test_a_bad_time_writes_nothing() -> None:
    """JN-046: a cut that is refused leaves journal and engine as they were."""
    with small_host() as host:
        host.submit(opening(7, 1))
        for time in (START, START - 1, 2**62 + 1):
            with pytest.raises(DataError, match="next_time_ns must be a whole number"):
                host.cut(time)
        assert host._journal.count == 0
        host.cut(START + 1)
    assert [len(c.commands) for c in read_all(host._disk)[1]] == [1]


def test_a_journal_is_made_once_and_closed_once() -> None:
    disk = SimDisk(1)
    host = small_host(disk)
    with pytest.raises(JournalError, match="open for writing already"):
        EmbeddedHost.open(disk)
    host.close()
    host.close()
    with pytest.raises(JournalError, match="stopped since it was closed; open it again"):
        host.submit(opening(7, 1))
    with pytest.raises(JournalError, match="holds a journal already"):
        small_host(disk)
    with pytest.raises(DataError, match="none was made yet"), EmbeddedHost.open(disk) as host:
        host.write_snapshot()


def test_a_defect_stops_the_host_and_the_journal_stays_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    """JN-050: after a broken invariant nothing more is taken; a mended release recomputes the cut."""
    disk = SimDisk(1)
    host = small_host(disk)
    host.submit(opening(7, 1))
    with monkeypatch.context() as patch:
        patch.setattr(Engine, "cut", lambda *_: raise_(InvariantBroken("lots sum to 1")))
        with pytest.raises(InvariantBroken):
            host.cut(START + MINUTE)
        for call in (lambda: host.submit(opening(8, 2)), host.commit, lambda: host.cut(START + 2 * MINUTE)):
            with pytest.raises(JournalError, match="stopped since a cut failed"):
                call()
        host.close()
        with pytest.raises(JournalError, match="cycle 1 cannot be recomputed: lots sum to 1"):
            EmbeddedHost.open(disk)
    with EmbeddedHost.open(disk) as host:
        assert host.engine.cycle == 2 and host.engine.read(7) is not None
    assert verify(disk).difference is None


def raise_(error: BaseException):
    raise error


# ---- faults -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
@pytest.mark.parametrize("ahead", range(8))
def test_a_disk_error_stops_the_host_and_loses_nothing_acknowledged(error: int, ahead: int) -> None:
    """JN-050: commits and cuts answer with an error; a new opening holds all that was acknowledged."""
    disk = SimDisk(ahead)
    host = EmbeddedHost.create(disk, small_sheet(), START, segment_bytes=4096)
    acked, cuts, nonce = 0, 0, 0
    disk.fail_at = {disk.operations + ahead: error}
    failure = ""
    try:
        for _ in range(4):
            for _ in range(3):
                nonce += 1
                host.submit(opening(nonce, nonce))
                host.commit()
                acked = nonce
            host.cut(START + (cuts + 1) * MINUTE)
            cuts += 1
    except JournalError as raised:
        failure = str(raised)
    assert "simulated disk" in failure
    for call in (host.commit, lambda: host.submit(opening(99, 99)), lambda: host.cut(2**60), host.write_snapshot):
        with pytest.raises(JournalError, match=r"the host has stopped since .* failed; open it again"):
            call()
    host.close()
    disk.crash()
    with EmbeddedHost.open(disk) as again:
        kept = set(again.engine.sequencer.directory)
        assert set(range(1, acked + 1)) <= kept <= set(range(1, nonce + 1))
        assert again.engine.cycle - 1 in (cuts, cuts + 1)
        again.cut(2**60)
    assert verify(disk).difference is None


def test_a_snapshot_that_cannot_be_written_does_not_undo_the_cut() -> None:
    """JN-049: the cut stands and is returned; the failure is told; the next one is tried."""
    disk = SimDisk(1)
    host = small_host(disk, snapshot_every=1)
    before = disk.operations
    host.cut(START + MINUTE)
    assert host.snapshot_failure == "" and latest_snapshot(disk).snapshot.cycle == 1
    disk.fail_at = {disk.operations + (disk.operations - before) - 3: errno.EIO}
    result = host.cut(START + 2 * MINUTE)
    assert result.opened.cycle == 2 and "cannot write snapshot" in host.snapshot_failure
    host.cut(START + 3 * MINUTE)
    assert host.snapshot_failure == "" and latest_snapshot(disk).snapshot.cycle == 3
    host.close()
    assert verify(disk).difference is None


def test_a_damaged_snapshot_falls_back() -> None:
    """JN-030, JN-049: to the one before it, then to the start; each time with a note."""
    world = rich_world()
    disk = write_journal(world.log, world.first_sheet, world.start_ns, snapshot_every=10)
    disk.flip(snapshot_name(40), 500)
    with EmbeddedHost.open(disk) as host:
        assert host.resumed.snapshot_cycle == 30 and host.resumed.cycles == len(world.results) - 30
        assert ["damaged" in note for note in host.resumed.notes] == [True]
        assert host.engine.cycle == len(world.results) + 1
    disk.flip(snapshot_name(30), 500)
    with EmbeddedHost.open(disk) as host:
        assert host.resumed.snapshot_cycle == 0 and len(host.resumed.notes) == 2
        assert host.engine.cycle == len(world.results) + 1


def test_a_snapshot_of_another_journal_is_passed_over() -> None:
    """JN-049: a snapshot counts only if the journal's chain has its head at its place."""
    world = rich_world()
    disk = write_journal(world.log, world.first_sheet, world.start_ns)
    other = write_journal(world.log[:-30], world.first_sheet, world.start_ns + 1, snapshot_every=20)
    name = latest_snapshot(other).snapshot.cycle
    data = other.contents(snapshot_name(name))
    file = disk.create(snapshot_name(name), 0)
    file.write(0, data)
    with EmbeddedHost.open(disk) as host:
        assert host.resumed.snapshot_cycle == 0 and host.resumed.cycles == len(world.results)
        assert host.resumed.notes[0] == f"snapshot of cycle {name} is not of this journal"


def test_a_journal_whose_closes_are_not_what_its_commands_give_is_not_opened() -> None:
    """JN-048: a host never goes on from a state that its journal contradicts."""

    def other_root(number, cycle):
        if number == 9:
            cycle.close = replace(cycle.close, root=bytes(32))

    def other_commands(number, cycle):
        if number == 9:
            cycle.commands.append(cm.encode_command(opening(77, 10**6)))

    for edit, text in (
        (other_root, "cycle 9: the journal says root 0000"),
        (other_commands, "cycle 9: its cut was made"),
    ):
        with pytest.raises(JournalError, match=text):
            EmbeddedHost.open(forge(rich_disk(), edit))


# ---- many crashes -----------------------------------------------------------------------------------------


class Session:
    """One history dealt to a host that is interrupted again and again."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.world = wild_world(seed % 5, 9, 4)
        self.disk = SimDisk(seed)
        self.acked = 0
        self.at = 0
        self.interruptions = 0

    def open(self) -> EmbeddedHost:
        """Open or create; where the journal stands must be between what was acknowledged and what was sent."""
        options = {"snapshot_every": self.random.choice((0, 0, 1, 2))}
        try:
            host = EmbeddedHost.open(self.disk, shards=self.random.choice((1, 2, 7)), **options)
        except JournalError as error:
            if "no journal in" not in str(error):
                raise
            assert self.acked == 0
            host = EmbeddedHost.create(
                self.disk, self.world.first_sheet, self.world.start_ns, segment_bytes=2048, **options
            )
        sent = [cm.encode_command(value) if what == "command" else value for what, value in self.world.log]
        kept = [
            value
            for cycle in read_cycles_of(host)
            for value in (*cycle.commands, *(() if cycle.cut is None else (cycle.cut.next_time_ns,)))
        ]
        assert kept == sent[: len(kept)], "what is there is a beginning of what was sent"
        assert self.acked <= len(kept) <= self.at, f"acknowledged {self.acked}, sent {self.at}, found {len(kept)}"
        self.acked = self.at = len(kept)
        roots = [r.root for r in self.world.results]
        assert [c.close.root for c in read_cycles_of(host) if c.close] == roots[: host.engine.cycle - 1]
        return host

    def run(self) -> None:
        while True:
            self.arm()
            host = None
            try:
                host = self.open()
                self.work(host)
                host.close()
                return
            except SimulatedCrash:
                self.interruptions += 1
            except JournalError:
                assert self.disk.fail_at, "no error without a fault"
                self.interruptions += 1
                if host is not None:
                    with pytest.raises(JournalError):
                        host.commit()
            (self.disk.kill if self.random.random() < 0.4 else self.disk.crash)()

    def arm(self) -> None:
        """Let something go wrong at one of the next operations, or nothing once it is enough."""
        kind = self.random.choice(("crash", "crash", "error")) if self.interruptions < 6 else "none"
        at = self.disk.operations + self.random.randint(0, 25)
        if kind == "crash":
            self.disk.crash_at = at
        elif kind == "error":
            self.disk.fail_at = {at: self.random.choice((errno.EIO, errno.ENOSPC))}

    def work(self, host: EmbeddedHost) -> None:
        log = self.world.log
        while self.at < len(log):
            what, value = log[self.at]
            self.at += 1
            if what == "cut":
                result = host.cut(value)
                self.acked = self.at
                assert result.root == self.world.results[result.opened.cycle - 1].root
                continue
            assert isinstance(host.submit(value), Accepted)
            if self.random.random() < 0.5:
                host.commit()
                self.acked = self.at


def read_cycles_of(host: EmbeddedHost):
    return list(read_cycles(host._journal.records()))


def test_crashes_at_random_points_lose_nothing_acknowledged() -> None:
    """JN-045 to JN-050 over many seeds: commands in order, roots as of an engine that never stopped."""
    interruptions = 0
    for seed in range(300):
        session = Session(seed)
        session.run()
        interruptions += session.interruptions
        found = verify(session.disk)
        assert found.difference is None and found.root == session.world.results[-1].root, f"seed {seed}"
    assert interruptions > 1200, "the seeds must interrupt"
