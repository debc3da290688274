"""
Why: the numbers behind each decision on one account, from its bucket alone (rules WY-001 to WY-004).

A shard that holds one bucket is run over the journaled openings and that bucket's rows; nothing else is needed, because
accounts meet only through the ClearingHouse, whose decisions the openings carry.
"""

from collections.abc import Iterable
from typing import NamedTuple

from tocsin.engine.messages import CycleOpen, Event, Item, ShardClose
from tocsin.engine.shard import Shard
from tocsin.margin.levels import Assessment, assess
from tocsin.margin.requirement import SCALE, contract_requirement
from tocsin.margin.state import AccountState
from tocsin.margin.valuation import Valuation, compute_balances


class Leg(NamedTuple):
    """
    One position with what it adds: lots, mark, funding index and entry sum (units), P&L (units), and its share of the
    requirement from `initial` (without holds) to `takeover` in valuation units, each rounded up for display.
    """

    contract: int
    symbol: str
    lots: int
    mark: int
    funding: int
    entry: int
    pnl: int
    is_fresh: bool
    requirements: tuple[int, int, int, int]


class Picture(NamedTuple):
    """An account at one moment: balances per asset (cash, P&L), legs, and the numbers that decide its level."""

    cash: tuple[tuple[str, int, int], ...]
    legs: tuple[Leg, ...]
    numbers: Assessment


class Step(NamedTuple):
    """
    A cycle in which something happened to the account: it at the cycle's new marks, what happened, and it at the end.
    """

    cycle: int
    time_ns: int
    before: Picture | None
    events: tuple[Event, ...]
    after: Picture | None


def draw_account(state: AccountState, valuation: Valuation) -> Picture:
    """
    Return the numbers of an account under one valuation.
    """
    balances = compute_balances(state, valuation)
    cash = tuple(
        (valuation.assets[a].symbol, state.cash.get(a, 0), balances[a] - state.cash.get(a, 0)) for a in sorted(balances)
    )
    legs: list[Leg] = []
    for contract in sorted(state.positions):
        lots, entry = state.positions[contract]
        line = valuation.lines[contract]
        needs = [-(-contract_requirement(line, valuation, lots, level) // SCALE) for level in range(4)]
        legs.append(
            Leg(
                contract,
                line.terms.symbol,
                lots,
                line.mark,
                line.funding,
                entry,
                lots * line.net - entry,
                line.fresh,
                (needs[0], needs[1], needs[2], needs[3]),
            )
        )
    return Picture(cash, tuple(legs), assess(state, valuation))


def trace_cycle(shard: Shard, opened: CycleOpen, items: Iterable[Item], account: int) -> tuple[Step | None, ShardClose]:
    """
    Run one cycle of a shard and return what it did to `account`, or None if nothing, and the shard's close.
    """
    held = shard.store.read(account)
    state = None if held is None else held.copy()
    close = shard.run(opened, items)
    events = sorted((e for e in close.events if e.account == account), key=lambda e: (e.phase, e.order))
    if not events:
        return None, close
    before = None if state is None else draw_account(state, shard.valuation)
    now = shard.store.read(account)
    after = None if now is None else draw_account(now, shard.valuation)
    return Step(opened.cycle, opened.time_ns, before, tuple(events), after), close
