"""
Forged journals, checksums and chain rebuilt: each change is refused by `verify`, which names cycle and bucket.
"""

import pytest

from tests.helpers.hosts import forge, read_all, replace, rich_disk, rich_world, write_all, write_journal
from tests.helpers.journals import rewrite
from tests.helpers.worlds import LINEAR, MINUTE, USDT, small_sheet
from tocsin.core.codec import encode
from tocsin.core.errors import JournalError
from tocsin.core.ids import bucket_of
from tocsin.engine import commands as cm
from tocsin.engine.engine import Engine
from tocsin.engine.messages import CloseLots, Debit, Grant, Release
from tocsin.journal.frames import Record
from tocsin.journal.host import EmbeddedHost
from tocsin.journal.records import Genesis, RecordKind, read_genesis
from tocsin.journal.replay import replay_journal
from tocsin.journal.simdisk import SimDisk
from tocsin.journal.snapshot import latest_snapshot, write_snapshot
from tocsin.journal.verify import HOUSE, RECORDS, verify
from tocsin.sheet.terms import decode_sheet, encode_sheet

CAREFUL = pytest.mark.parametrize("careful", [False, True], ids=["naive", "careful"])
"""A careful forger also makes the digests inside cuts and closes right."""


def find(kind, *, fits=lambda command, at: True, after: int = 2):
    """Return (cycle, place in it, command) of the first command of a kind that fits, after some cycle."""
    for number, cycle in enumerate(read_all(rich_disk())[1], start=1):
        for place, data in enumerate(cycle.commands):
            command = cm.decode_command(data)
            if number > after and isinstance(command, kind) and fits(command, (number, place)):
                return number, place, command
    raise AssertionError(f"the wild world must have a {kind.__name__}")


def change(number: int, place: int, **changes):
    def edit(at, cycle):
        if at == number:
            command = cm.decode_command(cycle.commands[place])
            cycle.commands[place] = cm.encode_command(replace(command, **changes))

    return edit


def on(number: int, edit):
    return lambda at, cycle: edit(cycle) if at == number else None


def bucket(account: int) -> int:
    world = rich_world()
    return bucket_of(world.engine.sequencer.directory[account])


def place_of_difference(disk) -> tuple[int, int]:
    found = verify(disk)
    assert found.difference is not None and not found.ok, "a forgery must not pass"
    return found.difference.cycle, found.difference.bucket


# ---- commands ---------------------------------------------------------------------------------------------


@CAREFUL
def test_another_amount(careful: bool) -> None:
    """JN-052: one unit more in a deposit is a difference in its account's bucket, in its cycle."""
    number, place, command = find(cm.Deposit, after=5)
    disk = forge(rich_disk(), change(number, place, amount=command.amount + 1), careful=careful)
    assert place_of_difference(disk) == (number, bucket(command.account))


@CAREFUL
def test_another_account(careful: bool) -> None:
    """JN-052: a deposit booked to someone else: the first of the two buckets is named."""
    number, place, command = find(cm.Deposit, after=5)
    other = next(a for a in rich_world().accounts if bucket(a) != bucket(command.account))
    disk = forge(rich_disk(), change(number, place, account=other), careful=careful)
    assert place_of_difference(disk) == (number, min(bucket(command.account), bucket(other)))


@CAREFUL
@pytest.mark.parametrize("side", ["buyer", "seller"])
def test_other_lots_of_a_fill(careful: bool, side: str) -> None:
    """JN-052: a fill has two sides; the lower bucket of the two is named, whichever side lives there."""

    def lower_is(command, _at):
        sides = {"buyer": command.buyer[0], "seller": command.seller[0]}
        known = all(a in rich_world().accounts for a in sides.values()) and not any(command.buyer_intent)
        return known and min(sides, key=lambda s: bucket(sides[s])) == side and sides["buyer"] != sides["seller"]

    number, place, command = find(cm.Fills, fits=lower_is)
    disk = forge(rich_disk(), change(number, place, lots=(command.lots[0] + 1,)), careful=careful)
    expected = {bucket(command.buyer[0]), bucket(command.seller[0])}
    assert place_of_difference(disk) == (number, bucket(getattr(command, side)[0])) and len(expected) == 2


@CAREFUL
def test_another_mark(careful: bool) -> None:
    """JN-052: a mark enters the ClearingHouse's root in the cycle in which it was published."""

    def is_last(command, at):
        cycle = read_all(rich_disk())[1][at[0] - 1]
        later = [cm.decode_command(c) for c in cycle.commands[at[1] + 1 :]]
        return LINEAR in command.contract and not any(isinstance(c, cm.SetMarks | cm.SetSheet) for c in later)

    number, place, command = find(cm.SetMarks, fits=is_last)
    index = command.contract.index(LINEAR)
    mark = (*command.mark[:index], command.mark[index] + 1, *command.mark[index + 1 :])
    assert place_of_difference(forge(rich_disk(), change(number, place, mark=mark), careful=careful)) == (number, HOUSE)


def test_a_removed_command() -> None:
    """JN-052: named by what it would have done."""
    number, place, command = find(cm.Deposit, after=5)
    disk = forge(rich_disk(), on(number, lambda c: c.commands.pop(place)))
    assert place_of_difference(disk) == (number, bucket(command.account))


def test_an_added_command() -> None:
    """JN-052: also one that nobody sent."""
    number, _, command = find(cm.Deposit, after=5)
    added = cm.encode_command(replace(command, source=77, nonce=1))
    disk = forge(rich_disk(), on(number, lambda c: c.commands.append(added)))
    assert place_of_difference(disk) == (number, bucket(command.account))


def test_a_duplicated_command() -> None:
    """JN-052: its nonce was used; the bucket is that of the account it names."""
    number, place, command = find(cm.Deposit, after=5)
    disk = forge(rich_disk(), on(number, lambda c: c.commands.insert(place, c.commands[place])))
    found = verify(disk)
    assert place_of_difference(disk) == (number, bucket(command.account))
    assert "is refused (R-1004: nonce must be above" in found.difference.what


@pytest.mark.parametrize(
    ("kind", "named"),
    [(cm.Fills, lambda c: (*c.buyer, *c.seller)), (cm.Holds, lambda c: c.account), (cm.OpenAccount, lambda c: ())],
)
def test_a_duplicate_of_any_kind_names_the_lowest_bucket(kind, named) -> None:
    """JN-052: of several accounts the lowest bucket."""
    number, place, command = find(kind, after=1)
    disk = forge(rich_disk(), on(number, lambda c: c.commands.insert(place, c.commands[place])))
    known = [bucket(a) for a in named(command) if a in rich_world().accounts] or [
        bucket(getattr(command, "account", 0))
    ]
    assert place_of_difference(disk) == (number, min(known))


def test_reordered_commands() -> None:
    """JN-052: of one source, nonces tell; the later one stands first, the earlier is refused."""
    number, place, _ = find(cm.Deposit, after=5, fits=lambda c, at: at[1] > 0)

    def swap(cycle):
        cycle.commands[place - 1], cycle.commands[place] = cycle.commands[place], cycle.commands[place - 1]

    found = verify(forge(rich_disk(), on(number, swap)))
    assert found.difference.cycle == number and "R-1005" in found.difference.what


@CAREFUL
def test_a_change_that_no_state_shows(careful: bool) -> None:
    """
    JN-043, LG-006: an order check changes no state; the digests inside cut and close tell, and who makes these right
    as well meets the log hash in the ClearingHouse's root.
    """
    number, place, command = find(cm.OrderCheck)
    disk = forge(rich_disk(), change(number, place, lots=command.lots + 1), careful=careful)
    assert place_of_difference(disk) == (number, HOUSE)
    with pytest.raises(JournalError, match=f"cycle {number}"):
        EmbeddedHost.open(disk)


def test_a_command_moved_to_another_cycle() -> None:
    """JN-052: the cycle it left is the first that differs."""
    number, place, command = find(cm.Deposit, after=5)
    header, cycles = read_all(rich_disk())
    cycles[number].commands.insert(0, cycles[number - 1].commands.pop(place))
    disk = write_all(header, cycles)
    assert place_of_difference(disk) == (number, bucket(command.account))


def test_bytes_that_are_no_command() -> None:
    """JN-052: the records themselves are named."""
    disk = forge(rich_disk(), on(7, lambda c: c.commands.append(b"\x91\x01")))
    assert place_of_difference(disk) == (7, RECORDS)


# ---- decisions --------------------------------------------------------------------------------------------


def decision_at(kind):
    for number, cycle in enumerate(read_all(rich_disk())[1], start=1):
        for index, decision in enumerate(cycle.close.opened.decisions):
            if isinstance(decision, kind):
                return number, index, decision
    raise AssertionError(f"the wild world must have a {kind.__name__}")


def set_opened(number: int, **changes):
    def edit(cycle):
        cycle.close = replace(cycle.close, opened=replace(cycle.close.opened, **changes))

    return on(number, edit)


@CAREFUL
@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (Grant, {"limit": 1}),
        (Grant, {"lots": -1}),
        (CloseLots, {"value": 1}),
        (Debit, {"amount": 1}),
        (Release, {"amount": 1}),
    ],
)
def test_a_changed_decision(kind, changes: dict[str, int], careful: bool) -> None:
    """JN-052: refused with the cycle it was carried out in and the bucket of its account."""
    number, index, decision = decision_at(kind)
    opened = read_all(rich_disk())[1][number - 1].close.opened
    changed = replace(decision, **{name: getattr(decision, name) + by for name, by in changes.items()})
    decisions = (*opened.decisions[:index], changed, *opened.decisions[index + 1 :])
    disk = forge(rich_disk(), set_opened(number, decisions=decisions), careful=careful)
    assert place_of_difference(disk) == (number, decision.bucket)


@pytest.mark.parametrize("how", ["dropped", "added", "to another account"])
def test_decisions_that_were_not_made(how: str) -> None:
    """JN-052: as well one too few, one too many, or one for somebody else."""
    number, index, decision = decision_at(Debit)
    made = read_all(rich_disk())[1][number - 1].close.opened.decisions
    if how == "dropped":
        forged, expected = (*made[:index], *made[index + 1 :]), decision.bucket
    elif how == "added":
        forged, expected = (*made, decision), decision.bucket
    else:
        other = replace(decision, account=decision.account + 1)
        forged, expected = (*made[:index], other, *made[index + 1 :]), decision.bucket
    disk = forge(rich_disk(), set_opened(number, decisions=forged))
    assert place_of_difference(disk) == (number, expected)


def first_opening(**wanted):
    for number, cycle in enumerate(read_all(rich_disk())[1], start=1):
        if all(getattr(cycle.close.opened, name) for name in wanted):
            return number, cycle.close.opened
    raise AssertionError(f"the wild world must have an opening with {wanted}")


@pytest.mark.parametrize(
    "name",
    ["marks", "price", "sheet", "sheet_hash", "closed", "lots_wanted", "money_wanted", "outage_ns", "reduce_only"],
)
def test_a_changed_opening(name: str) -> None:
    """JN-052: what the ClearingHouse told the shards is recomputed as well."""
    field = "marks" if name == "price" else name
    number, opened = first_opening(**{field: True})
    while field == "marks" and not opened.marks.contracts:
        number, opened = number + 1, read_all(rich_disk())[1][number].close.opened
    old = getattr(opened, field)
    if name == "marks":
        entry = old.contracts[LINEAR]
        new = replace(old, contracts={**old.contracts, LINEAR: replace(entry, mark=entry.mark + 1)})
    elif name == "price":
        new = replace(old, prices={**old.prices, USDT: old.prices[USDT] + 1})
    elif name == "sheet":
        new = encode_sheet(replace(decode_sheet(old), name="forged"))
    elif name == "sheet_hash":
        new = bytes(32)
    elif isinstance(old, dict):
        new = {key: value + 1 for key, value in old.items()}
    else:
        new = () if isinstance(old, tuple) else type(old)(0)
    disk = forge(rich_disk(), set_opened(number, **{field: new}), careful=True)
    found = verify(disk)
    assert (found.difference.cycle, found.difference.bucket) == (number, HOUSE)
    assert found.difference.what.startswith("opening: ")


# ---- roots, cuts, genesis ---------------------------------------------------------------------------------


def test_a_changed_bucket_root() -> None:
    """JN-052: named with its cycle and bucket."""
    cycle = read_all(rich_disk())[1][11]
    named = cycle.close.buckets[1]

    def edit(c):
        c.close = replace(c.close, bucket_roots=(c.close.bucket_roots[0], bytes(32), *c.close.bucket_roots[2:]))

    disk = forge(rich_disk(), on(12, edit))
    assert place_of_difference(disk) == (12, named)
    assert f"the journal says {'00' * 32}, its commands give" in verify(disk).difference.what


@pytest.mark.parametrize("how", ["left out", "invented"])
def test_a_bucket_that_is_told_or_untold(how: str) -> None:
    """JN-052: a bucket touched and not told, or told and not touched, is named."""
    close = read_all(rich_disk())[1][11].close
    free = next(b for b in range(4096) if b not in close.buckets)

    def edit(c):
        if how == "left out":
            c.close = replace(c.close, buckets=c.close.buckets[1:], bucket_roots=c.close.bucket_roots[1:])
        else:
            both = sorted([*zip(c.close.buckets, c.close.bucket_roots, strict=True), (free, bytes(32))])
            c.close = replace(c.close, buckets=tuple(b for b, _ in both), bucket_roots=tuple(r for _, r in both))

    disk = forge(rich_disk(), on(12, edit))
    assert place_of_difference(disk) == (12, close.buckets[0] if how == "left out" else free)
    assert "unchanged" in verify(disk).difference.what


def test_bucket_roots_out_of_order() -> None:
    """JN-042: the list is ascending and paired."""

    def turn(c):
        c.close = replace(c.close, buckets=c.close.buckets[::-1], bucket_roots=c.close.bucket_roots[::-1])

    def lengthen(c):
        c.close = replace(c.close, bucket_roots=(*c.close.bucket_roots, bytes(32)))

    for edit in (turn, lengthen):
        assert place_of_difference(forge(rich_disk(), on(12, edit))) == (12, RECORDS)


@pytest.mark.parametrize("name", ["house_root", "root"])
def test_a_changed_root(name: str) -> None:
    """JN-052: the ClearingHouse's and the state's root are in no bucket."""

    def edit(c):
        c.close = replace(c.close, **{name: bytes(32)})

    assert place_of_difference(forge(rich_disk(), on(12, edit))) == (12, HOUSE)


@CAREFUL
@pytest.mark.parametrize("by", [1, -1])
def test_another_time_of_a_cut(careful: bool, by: int) -> None:
    """JN-043, JN-052: the next cycle opens at another time; without new digests already the close tells."""

    def edit(c):
        c.cut = replace(c.cut, next_time_ns=c.cut.next_time_ns + by)

    disk = forge(rich_disk(), on(12, edit), careful=careful)
    assert place_of_difference(disk) == ((13, HOUSE) if careful else (12, RECORDS))


def test_an_impossible_time_of_a_cut() -> None:
    def edit(c):
        c.cut = replace(c.cut, next_time_ns=1)

    found = verify(forge(rich_disk(), on(12, edit), careful=True))
    assert found.difference[:2] == (12, HOUSE) and "next_time_ns must be a whole number" in found.difference.what


@CAREFUL
@pytest.mark.parametrize("how", ["one more", "moved", "one stream more", "none"])
def test_other_row_counts_of_a_cut(careful: bool, how: str) -> None:
    """JN-041: rows per stream are recomputed; with another number of streams their sum is."""

    def edit(c):
        house, shard = c.cut.rows
        rows = {
            "one more": (house, shard + 1),
            "moved": (house + 1, shard - 1),
            "one stream more": (house, shard, 1),
            "none": (),
        }
        c.cut = replace(c.cut, rows=rows[how])

    disk = forge(rich_disk(), on(12, edit), careful=careful)
    assert place_of_difference(disk) == (12, RECORDS) and "streams hold" in verify(disk).difference.what


def test_another_number_of_a_cut() -> None:
    def edit(c):
        c.cut = replace(c.cut, cycle=13)

    assert place_of_difference(forge(rich_disk(), on(12, edit), careful=True)) == (12, RECORDS)


@pytest.mark.parametrize("what", ["close", "cut", "both"])
def test_a_removed_cut_or_close(what: str) -> None:
    """JN-042: inside a journal each cut is followed by its close; removing them is seen in the cycle."""

    def edit(c):
        if what in ("close", "both"):
            c.close = None
        if what in ("cut", "both"):
            c.cut = None

    disk = forge(rich_disk(), on(12, edit))
    found = verify(disk)
    assert found.difference.cycle == 12 and not found.ok
    if what != "both":
        assert found.difference.bucket == RECORDS and "record " in found.difference.what
        with pytest.raises(JournalError, match="record "):
            EmbeddedHost.open(disk)


@pytest.mark.parametrize("kind", [0, 4, 99])
def test_a_record_of_another_kind(kind: int) -> None:
    """JN-040: an unknown kind is named with its record."""
    disk = SimDisk(1)
    rewrite(rich_disk(), disk, lambda r: r._replace(kind=kind) if r.number == 40 else r)
    found = verify(disk)
    assert (
        found.difference.bucket == RECORDS and f"record 40: kind must be 1, 2 or 3, was {kind}" in found.difference.what
    )


@pytest.mark.parametrize("kind", [RecordKind.CUT, RecordKind.CLOSE])
def test_a_record_that_cannot_be_read(kind: RecordKind) -> None:
    """JN-040: a cut or close whose bytes are none."""
    disk, spoilt = SimDisk(1), []

    def spoil(record: Record) -> Record:
        if record.kind != kind or spoilt:
            return record
        spoilt.append(record.number)
        return record._replace(payload=record.payload[:-1])

    rewrite(rich_disk(), disk, spoil)
    found = verify(disk)
    assert found.difference[:2] == (1, RECORDS)
    assert f"record {spoilt[0]} must be a {kind.name.lower()}, was not" in found.difference.what


@CAREFUL
def test_another_genesis_sheet(careful: bool) -> None:
    """JN-052: the first opening names it, whatever the field."""
    header, cycles = read_all(rich_disk())
    genesis = read_genesis(header)
    sheet = decode_sheet(genesis.sheet)
    forged = encode(Genesis(genesis.format, genesis.time_ns, encode_sheet(replace(sheet, name="forged"))))
    assert place_of_difference(write_all(forged, cycles)) == (1, HOUSE)
    later = encode(Genesis(genesis.format, genesis.time_ns + 1, genesis.sheet))
    assert place_of_difference(write_all(later, cycles)) == (1, HOUSE)


def test_a_genesis_that_cannot_be_used() -> None:
    """JN-040: it is named as such, with the sheet's own complaint."""
    header, cycles = read_all(rich_disk())
    genesis = read_genesis(header)
    bad = replace(decode_sheet(genesis.sheet), hysteresis_ppm=(-1, 0, 0, 0))
    for forged, text in (
        (encode(Genesis(genesis.format, genesis.time_ns, encode_sheet(bad))), "genesis cannot be used: .*hysteresis"),
        (encode(Genesis(genesis.format, genesis.time_ns, b"")), "genesis cannot be used"),
        (
            encode(Genesis("tocsin-journal-9", 1, b"")),
            "format must be tocsin-journal-1 rules-2, was 'tocsin-journal-9'",
        ),
        (b"another program's", "header must be a tocsin-journal-1 rules-2 genesis"),
    ):
        for call in (verify, EmbeddedHost.open):
            with pytest.raises(JournalError, match=text):
                call(write_all(forged, cycles))


# ---- bytes ------------------------------------------------------------------------------------------------


def test_flipped_bytes_are_refused_with_file_and_offset() -> None:
    """JN-051: nothing is recomputed from bytes that are not those that were written."""
    header, cycles = read_all(rich_disk())
    whole = write_all(header, cycles)
    (name,) = whole.names()
    length = len(whole.contents(name))
    for offset in range(0, length, length // 97):
        for mask in (1, 128):
            whole.flip(name, offset, mask)
            if offset < length - 512:
                with pytest.raises(JournalError, match=rf"{name}.*(byte|header)|format version"):
                    verify(whole)
            else:
                found = verify(whole)
                assert not found.closed, "the seal is damaged: told as a journal that was not closed"
            whole.flip(name, offset, mask)
    assert verify(whole).ok


# ---- the whole journal ------------------------------------------------------------------------------------


def remade(seed_disk, edit):
    """Return a journal made anew from the commands of another, with one changed: genuine in itself."""
    world = rich_world()
    _, cycles = read_all(seed_disk)
    disk = SimDisk(5)
    with EmbeddedHost.create(disk, world.first_sheet, world.start_ns, segment_bytes=1 << 16) as host:
        for number, cycle in enumerate(cycles, start=1):
            edit(number, cycle)
            for command in cycle.commands:
                host.submit(command)
            host.cut(cycle.cut.next_time_ns)
    return disk


def test_a_wholly_remade_journal_needs_a_root_from_elsewhere() -> None:
    """JN-053: it agrees with itself; only the genuine root tells, and the result says which was checked."""
    number, place, command = find(cm.Deposit, after=5)
    disk = remade(rich_disk(), change(number, place, amount=command.amount + 1))
    genuine = rich_world().results[-1].root
    alone = verify(disk)
    assert alone.ok and alone.root_asked is None and alone.root != genuine
    asked = verify(disk, root=genuine)
    assert not asked.ok and asked.difference is None and asked.root_cycle == 0 and asked.root_asked == genuine


@pytest.mark.parametrize("cycle", [1, 12, 41])
def test_a_root_from_elsewhere_names_its_cycle(cycle: int) -> None:
    """JN-053: any cycle's root will do; it vouches for the cycles up to its own."""
    found = verify(rich_disk(), root=rich_world().results[cycle - 1].root)
    assert found.ok and found.root_cycle == cycle


def test_a_tail_made_anew_is_vouched_for_by_no_earlier_root() -> None:
    """JN-053: a root of cycle 12 says nothing of a change in a later cycle."""
    number, place, command = find(cm.Deposit, after=13)
    disk = remade(rich_disk(), change(number, place, amount=command.amount + 1))
    early = verify(disk, root=rich_world().results[11].root)
    assert early.ok and early.root_cycle == 12 < early.cycles
    assert not verify(disk, root=rich_world().results[number - 1].root).ok


@pytest.mark.parametrize(
    "changes",
    [{"house_root": bytes(32)}, {"buckets": (), "bucket_roots": ()}],
    ids=["house root", "bucket roots"],
)
def test_a_close_that_says_otherwise_is_not_opened(changes: dict) -> None:
    """JN-048, JN-057: not only the state root counts; whoever opens or replays such a journal is told."""

    def edit(cycle):
        cycle.close = replace(cycle.close, **changes)

    disk = forge(rich_disk(), on(7, edit), careful=False)
    assert verify(disk).difference.cycle == 7
    for use in (EmbeddedHost.open, replay_journal):
        with pytest.raises(JournalError, match="cycle 7: the journal says other decisions, marks or bucket roots"):
            use(disk)


def test_another_stream_of_a_record() -> None:
    """JN-040: the embedded host has one stream; a record of another is named."""
    disk = SimDisk(1)
    assert rewrite(rich_disk(), disk, lambda r: r._replace(stream=9) if r.number == 5 else r) == 1
    found = verify(disk).difference
    assert found.bucket == RECORDS and "record 5: stream must be 0, was 9" in found.what
    with pytest.raises(JournalError, match="stream must be 0, was 9"):
        EmbeddedHost.open(disk)


def test_a_journal_cut_short_is_a_journal() -> None:
    """JN-055: without its last cycles it agrees with itself; the last root and the number of cycles tell."""
    header, cycles = read_all(rich_disk())
    short = write_all(header, cycles[:-3])
    found = verify(short)
    assert found.ok and found.cycles == verify(rich_disk()).cycles - 3
    assert not verify(short, root=rich_world().results[-1].root).ok


def test_a_difference_is_told_even_if_the_root_was_met() -> None:
    """JN-053: a root that is met does not excuse what comes after it."""
    disk = forge(rich_disk(), on(20, lambda c: setattr(c, "close", replace(c.close, root=bytes(32)))))
    found = verify(disk, root=rich_world().results[11].root)
    assert not found.ok and found.root_cycle == 12 and found.difference.cycle == 20


@pytest.mark.parametrize("shards", [1, 2, 7])
def test_neither_snapshots_nor_shards_enter_a_check(shards: int) -> None:
    """JN-056: a forged snapshot, right in hash and chain head, misleads a host and no check."""
    world = rich_world()
    disk = write_journal(world.log, world.first_sheet, world.start_ns, shards=shards, snapshot_every=20)
    good = latest_snapshot(disk).snapshot
    host = Engine.restore(good.payload)
    host.house.state.vault = {asset: units + 1 for asset, units in host.house.state.vault.items()}
    write_snapshot(disk, good.cycle, good.record_number, good.chain_head, host.snapshot())
    for again in (1, shards + 1):
        assert verify(disk, shards=again).root == world.results[-1].root
        assert verify(disk, shards=again).ok
    with pytest.raises(JournalError, match="cycle 41 cannot be recomputed"):
        EmbeddedHost.open(disk)


# ---- interrupted ------------------------------------------------------------------------------------------


def test_an_interrupted_last_write_is_told() -> None:
    """JN-054: bytes of a batch that never became whole are passed over and counted."""
    disk = SimDisk(4)
    host = EmbeddedHost.create(disk, small_sheet(), 1_000 * MINUTE, segment_bytes=1 << 15)
    host.cut(1_001 * MINUTE)
    end = host._journal._end
    disk.kill()
    for offset in range(end, end + 40):
        disk.flip(disk.names()[0], offset, 255)
    found = verify(disk)
    assert found.ok and not found.closed and found.cut_bytes >= 40 and found.cycles == 1
    with EmbeddedHost.open(disk) as again:
        assert [n[:22] for n in again.resumed.notes] == ["an interrupted write o"]
    assert verify(disk).closed and verify(disk).cut_bytes == 0


def test_a_journal_may_be_verified_while_it_is_written() -> None:
    """JN-054: readers are free; what they see is not closed, and commands of the open cycle are counted apart."""
    disk = SimDisk(4)
    with EmbeddedHost.create(disk, small_sheet(), 1_000 * MINUTE, segment_bytes=1 << 15) as host:
        empty = verify(disk)
        assert (empty.ok, empty.cycles, empty.root, empty.open_commands, empty.closed) == (True, 0, b"", 0, False)
        host.cut(1_001 * MINUTE)
        host.submit_all([cm.OpenAccount(source=1, nonce=1, account=1, root=1)])
        found = verify(disk)
        assert (found.ok, found.cycles, found.open_commands, found.closed) == (True, 1, 1, False)
    assert verify(disk).closed


def test_the_wild_world_has_what_these_tests_need() -> None:
    """The base of all forgeries is itself genuine, and rich."""
    found = verify(rich_disk())
    assert found.ok and found.closed and found.cycles == len(rich_world().results) == 41
    assert len({bucket(a) for a in rich_world().accounts}) >= 6
