"""
Why: the numbers behind each decision on one account, from its bucket alone (rules WY-001 to WY-005).

A shard that holds one bucket is run over the journaled openings and that bucket's rows; nothing else is needed, because
accounts meet only through the ClearingHouse, whose decisions the openings carry.
"""

from collections.abc import Iterable
from typing import NamedTuple

from tocsin.engine.messages import CycleOpen, Event, Item, ShardClose
from tocsin.engine.shard import Shard
from tocsin.engine.sums import AccountNeed, BalanceSum, LegSum, sum_account, sum_balances, sum_legs
from tocsin.margin.deadline import Deadline, compute_deadline
from tocsin.margin.levels import Assessment, assess
from tocsin.margin.scenario import ScenarioSum, scenario_values, sum_scenarios
from tocsin.margin.state import AccountState
from tocsin.margin.valuation import Valuation
from tocsin.sheet.terms import RiskSheet


class Picture(NamedTuple):
    """
    An account at one moment: balances with their values, legs with their requirements, the numbers that decide its
    level, and those that decide its deadline. `numbers.level` is the level that follows, `was` the one it was at.
    `needs` put each level's requirement together; `scenarios` is the scenario component without orders, None where the
    account has none.
    """

    balances: tuple[BalanceSum, ...]
    legs: tuple[LegSum, ...]
    numbers: Assessment
    was: int
    risk: Deadline
    needs: tuple[AccountNeed, ...]
    scenarios: ScenarioSum | None


class Step(NamedTuple):
    """
    A cycle in which something happened to the account: it at decision point A (after decisions, at the new marks), at
    decision point B (after its commands), and at the end of the cycle; None before it was opened. `sheet` is the one
    in force.
    """

    cycle: int
    time_ns: int
    at_marks: Picture | None
    at_decision: Picture | None
    after: Picture | None
    events: tuple[Event, ...]
    sheet: RiskSheet


class Witness(Shard):
    """
    A shard that keeps copies of one account at both decision points of the cycle at work; else a shard like any other.
    """

    def __init__(self, sheet: RiskSheet, account: int) -> None:
        super().__init__(sheet)
        self.account = account
        self.seen: dict[int, AccountState] = {}

    def begin(self, opened: CycleOpen) -> None:
        """Begin a cycle: nothing told, nothing touched, nothing seen."""
        super().begin(opened)
        self.seen = {}

    def record_crossings(self, phase: int, accounts: list[int] | None) -> None:
        """Keep the account as it is when levels are judged (phase 1: point A, 3: point B), then judge."""
        state = self.store.read(self.account)
        if state is not None and phase not in self.seen:
            self.seen[phase] = state.copy()
        super().record_crossings(phase, accounts)

    def trace(self, opened: CycleOpen, items: Iterable[Item]) -> tuple[Step | None, ShardClose]:
        """
        Run one cycle and return what it did to the account, or None if nothing, and the shard's close.
        """
        close = self.run(opened, items)
        events = sorted((e for e in close.events if e.account == self.account), key=lambda e: (e.phase, e.order))
        if not events:
            return None, close
        now = self.store.read(self.account)
        step = Step(
            opened.cycle,
            opened.time_ns,
            self._draw(self.seen.get(1)),
            self._draw(self.seen.get(3)),
            self._draw(now),
            tuple(events),
            self.sheet,
        )
        return step, close

    def _draw(self, state: AccountState | None) -> Picture | None:
        return None if state is None else draw_account(state, self.valuation)


def draw_account(state: AccountState, valuation: Valuation) -> Picture:
    """
    Return the numbers of an account under one valuation.
    """
    values = scenario_values(state, valuation) if valuation.factors(state.mode).scenario_counts else {}
    return Picture(
        sum_balances(state, valuation),
        sum_legs(state, valuation),
        assess(state, valuation),
        int(state.level),
        compute_deadline(state, valuation),
        sum_account(state, valuation),
        sum_scenarios(values, valuation) if values else None,
    )
