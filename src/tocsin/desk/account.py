"""
One account under examination: its payload indexed, its answers remembered, its search bounded.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import cached_property

import msgspec

from tocsin.core.errors import TocsinError
from tocsin.desk.worlds import World
from tocsin.venues.contract import Evaluation
from tocsin.venues.readers.names import moment
from tocsin.venues.reading import Figure, Reading

LEG_EVALUATIONS_MAX = 6000
"""How many legs may be evaluated in the search for causes in one account; then differences stay unexplained."""


class Account:
    """
    A reading, with what is asked of it again and again.
    """

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self._purse = [LEG_EVALUATIONS_MAX]
        self._answers: dict[str, Evaluation | None] = {}

    @cached_property
    def reported(self) -> Mapping[tuple[int, str], Figure]:
        """
        Return the first reported figure by leg and quantity.
        """
        return _index(self.reading.reported)

    @cached_property
    def derived(self) -> Mapping[tuple[int, str], Figure]:
        """
        Return the connector's first figure by leg and quantity.
        """
        return _index(self.reading.derived)

    @cached_property
    def stamps(self) -> tuple[datetime, ...]:
        """
        Return the time stamps of the payload.
        """
        texts = [*self.reading.moments.values(), self.reading.portfolio.time]
        found = [moment(text) for text in texts if text]
        return tuple(when for when in found if when is not None)

    @cached_property
    def spread_s(self) -> int:
        """
        Return the seconds between the first and the last time stamp of the payload.
        """
        return int((max(self.stamps) - min(self.stamps)).total_seconds()) if self.stamps else 0

    def part(self, place: int) -> "Account":
        """
        Return one leg alone, without the account around it.
        """
        reading = self.reading
        portfolio = msgspec.structs.replace(
            reading.portfolio, legs=(reading.portfolio.legs[place],), balances=(), equity=None
        )
        own = [msgspec.structs.replace(f, leg=0) for f in self._by_leg[0].get(place, ())]
        derived = [msgspec.structs.replace(f, leg=0) for f in self._by_leg[1].get(place, ())]
        part = msgspec.structs.replace(
            reading,
            portfolio=portfolio,
            reported=tuple(own),
            derived=tuple(derived),
            prices={0: reading.prices[place]} if place in reading.prices else {},
            set_aside={0: reading.set_aside[place]} if place in reading.set_aside else {},
            records=reading.records[place : place + 1] if len(reading.records) > 1 else reading.records,
        )
        out = Account(part)
        # One purse for the whole payload: many legs must not each search at length.
        out._purse = self._purse
        return out

    @cached_property
    def _by_leg(self) -> tuple[Mapping[int, list[Figure]], Mapping[int, list[Figure]]]:
        sorted_out: tuple[dict[int, list[Figure]], dict[int, list[Figure]]] = ({}, {})
        for figures, by_leg in zip((self.reading.reported, self.reading.derived), sorted_out, strict=True):
            for figure in figures:
                by_leg.setdefault(figure.leg, []).append(figure)
        return sorted_out

    @property
    def is_spent(self) -> bool:
        """
        Tell whether the search was cut off.
        """
        return self._purse[0] < 0

    def said(self, place: int, quantity: str) -> Decimal | None:
        """
        Return what the venue reports of a leg (or the account), None if it does not.
        """
        found = self.reported.get((place, quantity))
        return found.value if found else None

    def evaluate(self, name: str, world: World) -> Evaluation | None:
        """
        Return the rules' answer in a world, remembered under the world's name; None if they refuse it or time is up.
        """
        if name not in self._answers:
            self._purse[0] -= max(len(world.portfolio.legs), 1)
            if self.is_spent:
                return None
            try:
                self._answers[name] = world.evaluate()
            except (TocsinError, ArithmeticError):
                self._answers[name] = None
        return self._answers[name]


def _index(figures: tuple[Figure, ...]) -> dict[tuple[int, str], Figure]:
    found: dict[tuple[int, str], Figure] = {}
    for figure in figures:
        found.setdefault((figure.leg, figure.quantity), figure)
    return found
