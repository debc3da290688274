"""
The study around the replay: the same accounts under several settings, in processes beside each other.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from tocsin.lab.october.build import build_world
from tocsin.lab.october.cadence import Cadence, cycle_times_ns
from tocsin.lab.october.change import change_sheet
from tocsin.lab.october.outcome import Fate, Outcome
from tocsin.lab.october.paths import build_paths
from tocsin.lab.october.run import Replay
from tocsin.lab.october.sheets import Rules, build_sheet
from tocsin.lab.october.workers import run_all
from tocsin.lab.october.world import World
from tocsin.sheet.terms import RiskSheet

PREVIEW_ACCOUNTS = 300
CURED_SHARES = (0.0, 0.25, 0.5)
LEVERAGE_FACTORS = (0.5, 1.0, 2.0)
LEVERAGE_MAX = 50.0


@dataclass(frozen=True, slots=True)
class Setting:
    """
    Everything one replay depends on; equal settings give equal outcomes, byte for byte.

    Attributes:
        changes: `PATH=VALUE` changes of the published sheet of Tocsin's rules.
        calls: Whether Tocsin's rules call at all.
        journal: Folder to write, or None.
    """

    rules: Rules
    accounts: int = 5_000
    seed: int = 1
    leverage: float = 8.0
    cured_share: float = 0.0
    cadence: Cadence = Cadence.NORMAL
    calls: bool = True
    changes: tuple[str, ...] = ()
    journal: Path | None = None

    def build_world(self) -> World:
        """Return the accounts and markets."""
        return build_world(accounts=self.accounts, seed=self.seed, leverage=self.leverage, cured_share=self.cured_share)

    def build_sheet(self, world: World) -> RiskSheet:
        """
        Return the rules.

        Raises:
            ConfigError: A change names no value of the sheet, or does not fit it.
            SheetError: The changed sheet breaks a bound.
        """
        return change_sheet(build_sheet(world, self.rules, calls=self.calls), self.changes)


def run_setting(setting: Setting, progress: Callable[[int, str], None] | None) -> Outcome:
    """
    Run one replay from nothing but its setting.
    """
    world = setting.build_world()
    sheet = setting.build_sheet(world)
    replay = Replay(
        world,
        build_paths(setting.seed),
        sheet,
        setting.rules.value,
        cadence=setting.cadence,
        journal=setting.journal,
    )
    return replay.run(progress)


def run_settings(
    settings: Sequence[Setting], *, processes: int = 1, watch: Callable[[int, int], None] | None = None
) -> list[Outcome]:
    """
    Run several replays, `processes` at a time, and return their outcomes in order.

    Equal settings are run once. `watch` is called with (cycles done, cycles in all).
    """
    distinct = list(dict.fromkeys(settings))
    total = count_cycles(distinct)
    done = [0] * len(distinct)

    def add(number: int, cycles: int) -> None:
        done[number] = cycles
        if watch is not None:
            watch(sum(done), total)

    found = run_all(run_setting, distinct, processes=processes, watch=None if watch is None else add)
    outcomes = dict(zip(distinct, found, strict=True))
    return [outcomes[s] for s in settings]


def count_cycles(settings: Sequence[Setting]) -> int:
    """
    Return how many cycles the distinct settings have together.
    """
    return sum(len(cycle_times_ns(s.cadence)) for s in dict.fromkeys(settings))


class Column(Enum):
    """The columns of the result; `CHANGED` is there only if something was changed."""

    VENUE = "venue-style"
    TOCSIN = "Tocsin"
    CHANGED = "Tocsin, changed"


def main_settings(base: Setting) -> dict[Column, Setting]:
    """
    Return the settings of the result by column; the last column writes the journal that `base` names.
    """
    plain = replace(base, calls=True, changes=(), journal=None)
    out = {
        Column.VENUE: replace(plain, rules=Rules.VENUE),
        Column.TOCSIN: replace(plain, rules=Rules.TOCSIN),
    }
    if base.changes or not base.calls:
        out[Column.CHANGED] = replace(base, rules=Rules.TOCSIN)
    else:
        out[Column.TOCSIN] = replace(base, rules=Rules.TOCSIN)
    return out


def cured_settings(base: Setting) -> list[Setting]:
    """
    Return Tocsin's rules with 0, 25 and 50 % of owners answering.
    """
    return [replace(base, rules=Rules.TOCSIN, cured_share=share, journal=None) for share in CURED_SHARES]


def cadence_settings(base: Setting, rules: Rules) -> list[Setting]:
    """
    Return one set of rules at half, normal and double cadence.
    """
    plain = base if rules is Rules.TOCSIN else replace(base, calls=True, changes=())
    return [replace(plain, rules=rules, cadence=cadence, journal=None) for cadence in Cadence]


def range_settings(base: Setting, seeds: int, leverage: float, rules: Rules) -> list[Setting]:
    """
    Return one set of rules over `seeds` seeds from that of `base` upwards.
    """
    plain = base if rules is Rules.TOCSIN else replace(base, calls=True, changes=())
    return [replace(plain, rules=rules, seed=base.seed + i, leverage=leverage, journal=None) for i in range(seeds)]


def range_leverages(base: Setting) -> list[float]:
    """
    Return half, once and twice the median leverage of `base`, within what a world takes.
    """
    wanted = (min(LEVERAGE_MAX, max(1.0, base.leverage * factor)) for factor in LEVERAGE_FACTORS)
    return list(dict.fromkeys(wanted))


@dataclass(frozen=True, slots=True)
class Story:
    """
    One account worth explaining: its number, the worst that happened to it and when (seconds since 1970), and what
    happened to the same account under venue-style rules (None: nothing).
    """

    account: int
    fate: Fate
    time_s: int
    elsewhere: Fate | None
    elsewhere_s: int
    notional: int


_TELLING = (
    (Fate.CURED,),
    (Fate.REDUCED,),
    (Fate.TAKEN_OVER, Fate.CLOSED),
    (Fate.PAID,),
    (Fate.ADL,),
    (Fate.CALLED,),
)
"""Which fates to tell, the first choice first."""


def choose_stories(outcome: Outcome, other: Outcome, world: World) -> list[Story]:
    """
    Choose three accounts whose `why` is worth reading: of each fate the one with the largest positions, among those in
    at most three markets; first of all one that fared otherwise under the `other` rules.
    """
    held = world.positions()
    marks = {m.contract: m.mark for m in world.markets}

    def weight(account: int) -> tuple[bool, bool, int, int]:
        other_fate = other.events[account].fate if account in other.events else None
        differs = other_fate is not outcome.events[account].fate
        gross = sum(abs(q) * marks[c] for c, q in held[account].items())
        return (len(held[account]) <= 3, differs, gross, -account)

    chosen: list[Story] = []
    for fates in _TELLING:
        among = [a for a, e in outcome.events.items() if e.fate in fates]
        if among and len(chosen) < 3:
            account = max(among, key=weight)
            event, there = outcome.events[account], other.events.get(account)
            chosen.append(
                Story(
                    account,
                    event.fate,
                    event.time_s,
                    there.fate if there is not None else None,
                    there.time_s if there is not None else 0,
                    weight(account)[2],
                )
            )
    return chosen
