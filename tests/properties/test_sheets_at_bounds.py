"""
Sheets with many fields at the last value that is accepted, at once: whoever uses them meets no broken book, no number
beyond 64 bits, and the same roots for another number of shards.
"""

from enum import IntEnum

import msgspec
import pytest

from tests.helpers.broad import BroadChaos, broad_history, broad_sheet
from tests.helpers.chaos import Dice
from tests.helpers.checks import check_all
from tests.properties.test_determinism import assert_same, deal
from tocsin.core.errors import SheetError
from tocsin.engine.engine import Engine
from tocsin.margin.levels import assess
from tocsin.margin.valuation import Valuation
from tocsin.sheet.validate import validate_sheet

LADDER = tuple(2**k for k in range(62, 6, -4)) + tuple(10**k for k in range(18, 4, -1))
STAYS = ("id", "asset", "kind", "underlying", "contract", "base", "units", "base_units", "expiry_ns", "strike")
"""Fields that say what a contract is: the worlds trade by them."""


def find_places(value, at=()):
    """Yield the place of every number and choice."""
    if isinstance(value, int):
        yield at
    elif isinstance(value, tuple):
        for i, item in enumerate(value):
            yield from find_places(item, (*at, i))
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            if name not in STAYS:
                yield from find_places(getattr(value, name), (*at, name))


def read(value, at):
    for step in at:
        value = getattr(value, step) if isinstance(step, str) else value[step]
    return value


def put(value, at, new):
    """Return a copy of `value` with `new` at a place."""
    if not at:
        return new
    step, rest = at[0], at[1:]
    if isinstance(step, str):
        return msgspec.structs.replace(value, **{step: put(getattr(value, step), rest, new)})
    return (*value[:step], put(value[step], rest, new), *value[step + 1 :])


def climb(sheet, dice, fields):
    """Return a sheet in which `fields` numbers, one after the other, are as far up or down as is still accepted."""
    places = list(find_places(sheet))
    for _ in range(fields):
        at = dice.pick(places)
        old = read(sheet, at)
        if isinstance(old, bool):
            wanted = (not old,)
        elif isinstance(old, IntEnum):
            wanted = (dice.pick(tuple(type(old))),)
        else:
            wanted = dice.pick((LADDER, LADDER, (0, 1), tuple(-x for x in LADDER)))
        for value in wanted:
            try:
                sheet = validate_sheet(put(sheet, at, value))
            except SheetError:
                continue
            break
    return sheet


def _check(world, result):
    check_all(world.engine, _as_linked_now(world, result), world.closed_sheet)
    valuation = Valuation(world.closed_sheet, result.opened.marks)
    for account in world.accounts:
        numbers = assess(world.engine.read(account), valuation)
        assert all(abs(x) < 2**63 for x in (numbers.equity, *numbers.requirements, *numbers.exits))


def _as_linked_now(world, result):
    """Return the result with what accounts know of their owners' others at the close: a link may have changed since."""
    states = [world.engine.read(account) for account in world.accounts]
    others = {state.id: state.others for state in states if state is not None and state.others}
    return result._replace(opened=msgspec.structs.replace(result.opened, others=others))


@pytest.mark.parametrize("seed", range(6))
def test_what_is_accepted_can_be_used(seed):
    """SH-002 to SH-027, UN-010 to UN-013: books, levels and cases hold after every cut, under wild trade."""
    sheet = climb(broad_sheet(), Dice(seed), (20, 60, 150)[seed % 3])
    assert sheet != broad_sheet()
    world = broad_history(seed, cycles=15, world=BroadChaos(sheet, on_cut=_check))
    engine = Engine(world.first_sheet, world.start_ns, shards=3)
    assert_same(deal(world, engine), world.results)
