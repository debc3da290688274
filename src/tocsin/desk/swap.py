"""
A swap: one input of an account exchanged, as an explanation to be tried.
"""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

from tocsin.desk.codes import Code
from tocsin.desk.worlds import Adjust, World
from tocsin.venues.contract import NUMBERS
from tocsin.venues.reading import Figure


class Swap(NamedTuple):
    """
    One input exchanged: the cause it would be, in words what was exchanged, and the exchange. `is_fitted`: its value
    was sought to give the figure, so that coming near it proves nothing.
    """

    code: Code
    why: str
    apply: Callable[[World], World]
    is_fitted: bool = False


def leg_swap(code: Code, why: str, place: int, **changes: object) -> Swap:
    """
    Return the swap of some fields of one leg.
    """

    def apply(world: World) -> World:
        return world.with_leg(place, **changes)

    return Swap(code, why, apply)


def adjusted(adjust: Adjust) -> Callable[[World], World]:
    """
    Return the exchange that changes the figure after the rule.
    """
    return lambda world: replace(world, adjust=(*world.adjust, adjust))


def plus(amount: Decimal) -> Adjust:
    """
    Return the adjustment that adds a fixed amount.
    """
    return lambda figure, evaluation, value: NUMBERS.add(value, amount)  # noqa: ARG005


def to_step(value: Decimal, step: Decimal) -> Decimal:
    """
    Return the nearest multiple of a step.
    """
    return NUMBERS.multiply(NUMBERS.divide(value, step).to_integral_value(), step)


def short(value: Decimal) -> str:
    """
    Return a number with eight significant digits.
    """
    return f"{value:.8g}"


def percent(value: Decimal) -> str:
    """
    Return a fraction in percent, all its digits.
    """
    return f"{format((value * 100).normalize(), 'f')} %"


def kind_of(figure: Figure) -> str:
    """
    Return what a figure is in the words of margins, by its name: initial, maintenance, liquidation, ratio or other.
    """
    name = figure.quantity.lower()
    if name in ("initial", "maintenance", "liquidation", "ratio"):
        return name
    if "ratio" in name or "rate" in name:
        return "ratio"
    if "maint" in name or "mm" in name:
        return "maintenance"
    return "initial" if "initial" in name or "im " in name else "other"
