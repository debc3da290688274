"""
What a rulebook answers for an account, and what it can still say where an input is missing.
"""

from decimal import Decimal
from typing import NamedTuple

from tocsin.core.errors import TocsinError
from tocsin.desk.worlds import World
from tocsin.venues.contract import Evaluation, MissingInput, Mode

_AT_EQUITY = frozenset({"ratio", "unrealised", "isolated_equity", "equity", "available"})
_AT_MARK = _AT_EQUITY | {"initial", "maintenance", "notional"}
_STAND_INS_MAX = 3


class Answer(NamedTuple):
    """
    An evaluation with the world it was made in. Figures in `blind` rest on a stand-in for an input in `lacking`.
    """

    evaluation: Evaluation
    world: World
    blind: frozenset[str] = frozenset()
    lacking: tuple[str, ...] = ()


def ask(world: World) -> Answer | str:
    """
    Return the rulebook's answer, or why there is none.

    For one leg alone, a missing mark or entry price gets a stand-in, so that the rule can speak of what does not rest
    on it: an isolated liquidation price needs no mark. So does a missing leverage of any leg: maintenance needs none.
    """
    blind: frozenset[str] = frozenset()
    lacking: list[str] = []
    while True:
        try:
            return Answer(world.evaluate(), world, blind, tuple(lacking))
        except MissingInput as error:
            legs = world.portfolio.legs
            can = len(legs) == 1 or (error.field == "leverage" and len(legs) > 1)
            found = _stand_in(world, error.field) if can and len(lacking) < _STAND_INS_MAX else None
            if found is None:
                return str(error)
            changes, unsure = found
            for place, leg in enumerate(legs):
                missing = {name: value for name, value in changes.items() if getattr(leg, name) is None}
                world = world.with_leg(place, **missing) if missing else world
            blind |= unsure
            lacking.append(error.field)
        except TocsinError as error:
            return str(error)
        except ArithmeticError:
            return "the account's numbers are beyond what the rule can compute"


def _stand_in(world: World, field: str) -> tuple[dict[str, Decimal], frozenset[str]] | None:
    leg = world.portfolio.legs[0]
    if field == "mark" and leg.mark is None and leg.entry is not None:
        # From published equity the liquidation price of a cross position is counted at the mark, from balances not.
        is_free = leg.mode is Mode.ISOLATED or world.portfolio.balances
        return {"mark": leg.entry}, _AT_MARK if is_free else _AT_MARK | {"liquidation"}
    if field == "entry" and leg.entry is None and leg.mark is not None:
        return {"entry": leg.mark}, _AT_EQUITY | {"liquidation"}
    if field == "leverage" and any(leg.leverage is None for leg in world.portfolio.legs):
        return {"leverage": Decimal(1)}, frozenset({"initial", "available"})
    return None
