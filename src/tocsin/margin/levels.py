"""
Levels: which requirement an account's equity has fallen below (rules LV-001 to LV-006).

Five levels by effect. Equity is compared with each requirement, never divided by it. A level is entered when equity is
below its requirement and left when equity reaches its exit (requirement plus hysteresis).
"""

from typing import NamedTuple

from tocsin.core.integers import PPM
from tocsin.margin.requirement import INITIAL, SCALE, round_exit, round_requirement, sum_requirement
from tocsin.margin.state import AccountState, Level, Mode
from tocsin.margin.valuation import Valuation, compute_equity, compute_raw_equity


class Assessment(NamedTuple):
    """All numbers that decide an account's level, in valuation units; tuples run from `initial` to `takeover`."""

    equity: int
    raw_equity: int
    requirements: tuple[int, int, int, int]
    exits: tuple[int, int, int, int]
    level: Level


def assess(account: AccountState, valuation: Valuation) -> Assessment:
    """
    Return equity, requirements, exits and the level that follows from them and the level the account is at.

    The plain form of `compute_level`; both give the same level (property test LV-006).
    """
    equity, raw = compute_equity(account, valuation), compute_raw_equity(account, valuation)
    totals = [sum_requirement(account, valuation, i) for i in range(4)]
    needs = [round_requirement(total) for total in totals]
    exits = [round_exit(total, valuation, i) for i, total in enumerate(totals)]
    level = Level.CALM
    for i in range(4):
        held = account.level > i and equity < exits[i]
        if equity < needs[i] or held:
            level = Level(i + 1)
    if raw < 0:
        level = Level.BANKRUPTCY
    if account.mode == Mode.EXTERNAL:
        level = Level.CALM
    return Assessment(
        equity, raw, (needs[0], needs[1], needs[2], needs[3]), (exits[0], exits[1], exits[2], exits[3]), level
    )


def compute_level(account: AccountState, valuation: Valuation) -> Level:
    """
    Return the level of an account, looking no further down than it must.

    Levels are nested (requirements never rise from `initial` to `takeover`), so an account at or above one
    requirement is above all lower ones.
    """
    if account.mode == Mode.EXTERNAL or not (account.positions or account.cash or account.holds):
        return Level.CALM
    equity = compute_equity(account, valuation)
    was = account.level
    level = Level.CALM
    for i in range(INITIAL, 4):
        total = sum_requirement(account, valuation, i)
        if was > i:
            total = total * (PPM + valuation.sheet.hysteresis_ppm[i])
            breached = equity * SCALE * PPM < total
        else:
            breached = equity * SCALE < total
        if breached:
            level = Level(i + 1)
        elif was <= i + 1:
            break
    if equity < 0 and compute_raw_equity(account, valuation) < 0:
        return Level.BANKRUPTCY
    return level
