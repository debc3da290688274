"""
`why`: the bucket of the account is replayed and nothing else, and its numbers are the engine's.
"""

import pytest

from tests.helpers.hosts import forge, read_all, replace, rich_disk, rich_world, wild_world, write_journal
from tests.helpers.worlds import BTC, MINUTE, Driver, small_sheet
from tocsin.core.errors import DataError, JournalError
from tocsin.core.ids import bucket_of
from tocsin.engine import commands as cm
from tocsin.engine.engine import Engine
from tocsin.engine.shard import Shard
from tocsin.engine.sums import sum_balances
from tocsin.engine.why import Witness
from tocsin.journal.why import explain
from tocsin.margin.levels import assess
from tocsin.margin.requirement import LEG_SCALE, SCALE
from tocsin.margin.state import AccountState, Level
from tocsin.margin.valuation import EQUITY_SCALE, Valuation, compute_equity
from tocsin.sheet.marks import Marks


def every_step():
    return [(account, step) for account in rich_world().accounts for step in explain(rich_disk(), account).steps]


def test_events_of_an_account_are_those_of_the_live_run() -> None:
    """WY-001: each event that a shard told of the account, in its order, and nothing else."""
    for account in rich_world().accounts:
        told = [e for step in explain(rich_disk(), account).steps for e in step.events]
        live = [e for r in rich_world().results for e in r.events if e.account == account and e.phase < 4]
        assert told == live


def test_only_rows_and_decisions_of_the_bucket_are_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    """WY-002: what belongs to other buckets never reaches the shard; every root of the bucket is met."""
    world, run = rich_world(), Shard.run
    roots = world.engine.sequencer.directory
    rows: list[int] = []

    def watch(self, opened, items):
        items = list(items)
        assert isinstance(self, Witness)
        mine = bucket_of(roots[self.account])
        assert {bucket_of(roots[i.account]) for i in items} | {d.bucket for d in opened.decisions} <= {mine}
        rows.extend(i.sequence for i in items)
        return run(self, opened, items)

    monkeypatch.setattr(Shard, "run", watch)
    for account in world.accounts:
        bucket = bucket_of(roots[account])
        found = explain(rich_disk(), account)
        assert (found.bucket, found.cycles) == (bucket, len(world.results))
        assert found.roots_met == sum(bucket in r.changed_buckets for r in world.results) > 0
    assert rows


def test_accounts_of_one_bucket_are_replayed_together() -> None:
    """WY-002: also those that were there before the account was opened."""
    world = Driver()
    world.marks()
    world.open(1, root=50, deposit=10**9)
    world.cut()
    world.open(9, deposit=10**10)
    world.fill(1, 9, 5, 500_000_000)
    world.cut()
    world.open(2, root=50, deposit=7)
    world.cut()
    disk = write_journal(world.log, world.engine.house.sheet, 1_000 * MINUTE)
    found = explain(disk, 2)
    assert [s.cycle for s in found.steps] == [3]
    assert (found.bucket, found.roots_met) == (bucket_of(50), 3)
    assert found.steps[0].after.balances[0].cash == 7


def test_pictures_are_the_engine_s_own_numbers() -> None:
    """WY-003: equity, requirements, exits and level at the end of a cycle are those of the live engine's account."""
    world = rich_world()
    engine = Engine(world.first_sheet, world.start_ns)
    live: dict[tuple[int, int], object] = {}
    for what, value in world.log:
        if what == "command":
            engine.submit(value)
            continue
        number, shard = engine.cycle, engine.shards[0]
        engine.cut(value)
        for account in shard.store.accounts():
            live[number, account] = (assess(shard.read(account), shard.valuation), int(shard.read(account).level))
    compared = 0
    for account, step in every_step():
        compared += 1
        assert (step.after.numbers, step.after.was) == live[step.cycle, account]
    assert compared > 60


def test_a_call_is_explained_by_the_numbers_it_was_issued_on() -> None:
    """WY-003: equity, requirement, amount and every input of T* stand in the picture at decision point B."""
    calls = 0
    for _, step in every_step():
        for event in step.events:
            if event.kind != "call_issued":
                continue
            calls += 1
            at, f = step.at_decision, event.fields
            assert (f["equity"], f["requirement"]) == (at.numbers.equity, at.numbers.requirements[1])
            assert f["equity"] + f["amount"] == at.numbers.exits[1]
            minutes = -1 if at.risk.minutes is None else at.risk.minutes
            assert (f["t_star_minutes"], f["buffer"], f["gap"]) == (minutes, at.risk.buffer, at.risk.gap)
            assert f["variance"] == str(at.risk.variance)
    assert calls


def test_crossings_follow_from_the_picture_before_them() -> None:
    """WY-003: at A and at B the level told is the one that the numbers shown give."""
    seen = {1: 0, 3: 0}
    for _, step in every_step():
        kinds = [e.kind for e in step.events]
        # A takeover leaves the account empty, and so calm again: that crossing is not of the picture.
        judged = step.events[: kinds.index("taken_over")] if "taken_over" in kinds else step.events
        for phase, picture in ((1, step.at_marks), (3, step.at_decision)):
            for fields in [e.fields for e in judged if e.kind == "level_crossed" and e.phase == phase]:
                seen[phase] += 1
                assert fields["after"] == picture.numbers.level.name
                assert fields["before"] == Level(picture.was).name
    assert min(seen.values()) > 0


def test_terms_add_up_to_the_numbers() -> None:
    """WY-004: the values of the balances give equity, the needs of the legs give each requirement, exactly."""
    pictures = [p for _, s in every_step() for p in (s.at_marks, s.at_decision, s.after) if p is not None]
    for picture in pictures:
        assert sum(b.value for b in picture.balances) // EQUITY_SCALE == picture.numbers.equity
        for level in range(4):
            total = sum(leg.needs[level].total for leg in picture.legs)
            assert -(-total // LEG_SCALE) == picture.numbers.requirements[level]
            assert -(-picture.needs[level].total // SCALE) == picture.numbers.requirements[level]
        for b in picture.balances:
            assert sum(p.units for p in b.parts) == b.cash + b.pnl
            assert sum(p.units * p.weight_ppm for p in b.parts) * b.price == b.value
        for leg in picture.legs:
            assert leg.pnl == leg.lots * (leg.mark - leg.funding) - leg.entry
            for need in leg.needs:
                tiered, charge = need.tiered * need.tiered_factor, need.charge * 10**6 * need.charge_factor
                chosen = {"tiered": tiered, "charge": charge, "sum": tiered + charge}[need.counts]
                assert need.counts == "sum" or chosen == max(tiered, charge)
                assert (chosen + need.band * 10**6) * leg.price == need.total
                assert need.tiered == need.rate_ppm * need.notional - need.deduction
    assert {n.counts for p in pictures for leg in p.legs for n in leg.needs} == {"tiered", "charge", "sum"}
    assert any(leg.needs[0].lots != leg.lots for p in pictures for leg in p.legs), "holds must occur"
    assert any(need.band for p in pictures for leg in p.legs for need in leg.needs), "stale marks must occur"


def test_one_cycle_and_its_bounds() -> None:
    """WY-001: `cycle` picks one step and stops there."""
    account = rich_world().accounts[0]
    steps = explain(rich_disk(), account).steps
    some = explain(rich_disk(), account, cycle=steps[3].cycle)
    assert some.steps == [steps[3]] and some.cycles == steps[3].cycle
    told = {s.cycle for s in steps}
    calm = next(n for n in range(1, 42) if n not in told)
    assert explain(rich_disk(), account, cycle=calm).steps == []
    for cycle in (0, -1, 42):
        with pytest.raises(DataError, match=f"cycle must be 1 to 41, was {cycle}"):
            explain(rich_disk(), account, cycle=cycle)


def test_an_account_that_is_not_there() -> None:
    """WY-001: the message names the nearest that are."""
    with pytest.raises(DataError, match="account must be one that the journal opens, was 11") as failure:
        explain(rich_disk(), 11)
    assert failure.value.__notes__ == ["it opens 8; nearest: 6, 7, 8"]
    with pytest.raises(DataError) as failure:
        explain(write_journal([("cut", 10**15)], rich_world().first_sheet, 1), 1)
    assert failure.value.__notes__ == ["it opens no account"]


def test_an_account_of_the_open_cycle_has_no_steps_yet() -> None:
    world = wild_world(1, 3, 2)
    log = [*world.log, ("command", cm.OpenAccount(source=9, nonce=1, account=700, root=700))]
    found = explain(write_journal(log, world.first_sheet, world.start_ns), 700)
    assert (found.steps, found.roots_met) == ([], 0)


def test_progress_counts_closed_cycles() -> None:
    seen: list[tuple[int, int, str]] = []
    explain(rich_disk(), 1, progress=lambda *row: seen.append(row))
    assert seen == [(n, 41, "") for n in range(1, 42)]


def holder_before(cycle: int) -> int:
    """Return an account with a position when a cycle begins."""
    for account in rich_world().accounts:
        steps = [s for s in explain(rich_disk(), account).steps if s.cycle < cycle]
        if steps and any(leg.lots for leg in steps[-1].after.legs):
            return account
    raise AssertionError("nobody holds anything")


def test_a_forged_journal_explains_nothing() -> None:
    """WY-002: a root of the bucket that is not met, or a refused command, ends it with the cycle's number."""
    account = rich_world().accounts[0]
    bucket = bucket_of(rich_world().engine.sequencer.directory[account])

    def other_deposit(number, cycle):
        for i, data in enumerate(cycle.commands):
            command = cm.decode_command(data)
            if isinstance(command, cm.Deposit) and command.account == account:
                cycle.commands[i] = cm.encode_command(replace(command, amount=command.amount + 1))

    def twice(number, cycle):
        if number == 5:
            cycle.commands.append(cycle.commands[-1])

    trading = (cm.Fills, cm.Holds, cm.OrderCheck)
    cycles = read_all(rich_disk())[1]
    quiet = [
        number
        for number, cycle in enumerate(cycles, start=1)
        if number > 5 and not any(isinstance(cm.decode_command(c), trading) for c in cycle.commands)
    ]

    def without_marks(number, cycle):
        if number == quiet[0]:
            opened = replace(cycle.close.opened, marks=Marks({}, {}))
            cycle.close = replace(cycle.close, opened=opened)

    def bad_sheet(number, cycle):
        if number == 20:
            cycle.close = replace(cycle.close, opened=replace(cycle.close.opened, sheet=b"x"))

    with pytest.raises(JournalError, match=r"cycle 20 cannot be replayed from its opening .CodecError"):
        explain(forge(rich_disk(), bad_sheet), account)
    held = holder_before(quiet[0])
    with pytest.raises(JournalError, match=rf"cycle {quiet[0]} cannot be replayed from its opening .KeyError"):
        explain(forge(rich_disk(), without_marks), held)
    with pytest.raises(JournalError, match=f"cycle [0-9]+, bucket {bucket}: the journal's root is not"):
        explain(forge(rich_disk(), other_deposit), account)
    with pytest.raises(JournalError, match=r"cycle 5: a journaled command is refused .R-1004"):
        explain(forge(rich_disk(), twice), account)


@pytest.mark.parametrize("units", [7_000_000, -7_000_000])
def test_an_asset_without_a_price(units: int) -> None:
    """WY-004: worth nothing while owned, its cap while owed, with the price shown that counts."""
    sheet = small_sheet()
    valuation = Valuation(sheet, Marks({}, {}))
    account = AccountState(1, 1, cash={BTC: units})
    (balance,) = sum_balances(account, valuation)
    cap = next(a.price_cap for a in sheet.assets if a.id == BTC)
    assert balance.price == (0 if units > 0 else cap)
    assert balance.value // EQUITY_SCALE == compute_equity(account, valuation)
    assert sum(p.units * p.weight_ppm for p in balance.parts) * balance.price == balance.value
