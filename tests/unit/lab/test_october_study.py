"""
The study around the replay: which settings are compared, where the journal may go, work in several processes.
"""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from tocsin.core.errors import ConfigError, DataError, InvariantBroken
from tocsin.journal.disk import RealDisk
from tocsin.journal.host import EmbeddedHost
from tocsin.journal.log import Journal
from tocsin.lab.october import Cadence, Rules, build_sheet, build_world, cycle_times_ns, study
from tocsin.lab.october.outcome import Event, Fate, Outcome
from tocsin.lab.october.place import clear_journal, report_folder
from tocsin.lab.october.study import (
    Column,
    Setting,
    cadence_settings,
    choose_stories,
    count_cycles,
    cured_settings,
    main_settings,
    range_leverages,
    range_settings,
)
from tocsin.lab.october.workers import run_all

BASE = Setting(Rules.TOCSIN, accounts=60, journal=Path("j"))


def test_the_last_column_alone_writes_the_journal_and_has_the_changes() -> None:
    plain = main_settings(BASE)
    assert [(c, s.rules, s.journal) for c, s in plain.items()] == [
        (Column.VENUE, Rules.VENUE, None),
        (Column.TOCSIN, Rules.TOCSIN, Path("j")),
    ]
    changed = main_settings(replace(BASE, changes=("waterfall.lots=queue",)))
    assert [(s.rules, s.journal, s.changes) for s in changed.values()] == [
        (Rules.VENUE, None, ()),
        (Rules.TOCSIN, None, ()),
        (Rules.TOCSIN, Path("j"), ("waterfall.lots=queue",)),
    ]


def test_side_runs_vary_one_thing_and_write_nothing() -> None:
    assert [s.cured_share for s in cured_settings(BASE)] == [0.0, 0.25, 0.5]
    assert [s.cadence for s in cadence_settings(BASE, Rules.VENUE)] == list(Cadence)
    assert [(s.seed, s.leverage) for s in range_settings(BASE, 3, 4.0, Rules.VENUE)] == [(1, 4.0), (2, 4.0), (3, 4.0)]
    every = [*cured_settings(BASE), *cadence_settings(BASE, Rules.TOCSIN), *range_settings(BASE, 2, 8.0, Rules.TOCSIN)]
    assert {s.journal for s in every} == {None}
    assert {s.rules for s in every} == {Rules.TOCSIN}


def test_equal_settings_count_once() -> None:
    plain = replace(BASE, journal=None)
    assert count_cycles([plain, plain, replace(plain, seed=2)]) == 2 * len(cycle_times_ns())


def test_equal_settings_run_once_and_every_one_gets_its_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[int] = []

    def run(setting: Setting, progress: Callable[[int, str], None] | None) -> Outcome:
        ran.append(setting.seed)
        assert progress is not None
        progress(3, "")
        return Outcome(str(setting.seed), 60)

    monkeypatch.setattr(study, "run_setting", run)
    seen: list[tuple[int, int]] = []
    settings = [replace(BASE, seed=seed) for seed in (2, 1, 2)]
    found = study.run_settings(settings, watch=lambda done, total: seen.append((done, total)))
    assert ([o.rules for o in found], ran) == (["2", "1", "2"], [2, 1])
    assert seen == [(3, count_cycles(settings)), (6, count_cycles(settings))]


@pytest.mark.parametrize(("leverage", "expected"), [(8.0, [4.0, 8.0, 16.0]), (1.0, [1.0, 2.0]), (50.0, [25.0, 50.0])])
def test_leverages_stay_within_what_a_world_takes(leverage: float, expected: list[float]) -> None:
    assert range_leverages(replace(BASE, leverage=leverage)) == expected


def test_stories_are_of_three_kinds_and_say_what_happened_elsewhere() -> None:
    world = build_world(accounts=60)
    ours = Outcome("tocsin", 60, events={a: Event(Fate.REDUCED, 100 + a) for a in range(1, 30)})
    ours.events |= {40: Event(Fate.TAKEN_OVER, 7), 41: Event(Fate.ADL, 8), 42: Event(Fate.CALLED, 9)}
    venue = Outcome("venue", 60, events={a: Event(Fate.REDUCED, 5) for a in range(1, 29)})
    venue.events[41] = Event(Fate.TAKEN_OVER, 6)
    stories = choose_stories(ours, venue, world)
    assert [s.fate for s in stories] == [Fate.REDUCED, Fate.TAKEN_OVER, Fate.ADL]
    # 29 alone fared otherwise under the other rules; it holds few positions, so it comes first.
    assert len(world.positions()[29]) <= 3
    assert (stories[0].account, stories[0].elsewhere) == (29, None)
    assert [(s.account, s.elsewhere, s.elsewhere_s) for s in stories[1:]] == [
        (40, None, 0),
        (41, Fate.TAKEN_OVER, 6),
    ]


# Where things go


def write_journal(path: Path, name: str = "october-2025 tocsin") -> None:
    sheet = msgspec.structs.replace(build_sheet(build_world(accounts=50), Rules.TOCSIN), name=name)
    EmbeddedHost.create(RealDisk(path), sheet, 1, segment_bytes=1 << 20).close()


def test_an_earlier_demo_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "october.journal"
    clear_journal(path)
    assert not path.exists()
    write_journal(path)
    clear_journal(path)
    assert list(path.iterdir()) == []
    clear_journal(path)


def test_what_is_not_a_demo_is_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "other.journal"
    write_journal(other, "live venue")
    before = {p.name: p.read_bytes() for p in other.iterdir()}
    with pytest.raises(ConfigError, match="begins with the sheet 'live venue'"):
        clear_journal(other)
    assert {p.name: p.read_bytes() for p in other.iterdir()} == before

    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "a.txt").write_text("mine")
    with pytest.raises(ConfigError, match=r"holds a\.txt"):
        clear_journal(notes)
    assert (notes / "a.txt").read_text() == "mine"

    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(ConfigError, match="was a file"):
        clear_journal(file)
    with pytest.raises(ConfigError, match="must be in an existing folder"):
        clear_journal(tmp_path / "no" / "such")

    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "journal-00000000.seg").write_bytes(b"not a journal")
    with pytest.raises(ConfigError, match="the journal of an earlier demo; "):
        clear_journal(broken)
    assert (broken / "journal-00000000.seg").read_bytes() == b"not a journal"


def test_a_journal_that_is_being_written_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "october.journal"
    write_journal(path)
    with Journal.open(RealDisk(path)), pytest.raises(ConfigError, match="open for writing already"):
        clear_journal(path)
    assert list(path.iterdir())


def test_the_report_lies_beside_its_journal() -> None:
    assert report_folder(Path("a/october.journal")) == Path("a/october.report")
    assert report_folder(Path("x")) == Path("x.report")


# Processes


def double(task: int, progress: Callable[[int, str], None] | None) -> int:
    if progress is not None:
        progress(task, "")
    return 2 * task


def fail(task: int, progress: Callable[[int, str], None] | None) -> int:
    if task == 1:
        raise ConfigError("task must not be 1, was 1")
    time.sleep(60)
    return task


def stumble(task: int, progress: Callable[[int, str], None] | None) -> int:
    return {}[task]


def starve(task: int, progress: Callable[[int, str], None] | None) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return task


def vanish(task: int, progress: Callable[[int, str], None] | None) -> int:
    os._exit(9)


@pytest.mark.parametrize("processes", [1, 2])
def test_results_come_in_order_with_progress(processes: int) -> None:
    seen: list[tuple[int, int]] = []
    assert run_all(double, [3, 1, 2], processes=processes, watch=lambda i, n: seen.append((i, n))) == [6, 2, 4]
    assert sorted(seen) == [(0, 3), (1, 1), (2, 2)]


def test_an_error_in_a_process_is_raised_here_and_ends_the_others() -> None:
    with pytest.raises(ConfigError, match="task must not be 1, was 1"):
        run_all(fail, [0, 1], processes=2)


def test_a_defect_in_a_process_is_one_line_here(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InvariantBroken, match=r"^KeyError: 0$"):
        run_all(stumble, [0, 0], processes=2)
    assert capfd.readouterr().err == ""


def test_a_process_that_was_killed_is_told() -> None:
    with pytest.raises(DataError, match=r"process \d of 2 must .* was ended by signal 9: too little memory"):
        run_all(starve, [0, 1], processes=2)


def test_a_process_that_vanishes_is_told() -> None:
    with pytest.raises(DataError, match=r"process \d of 2 must end with a result, ended with code 9"):
        run_all(vanish, [0, 1], processes=2)
