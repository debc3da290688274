"""
Read the inputs of a case as floats, for rules that are computed in floating point.
"""

from fractions import Fraction
from typing import Any

from tocsin.conform.inputs import Inputs
from tocsin.conform.numbers import InputError, need_number


def to_real(field: str, value: Any) -> float:
    """
    Return a number as a float.

    Raises:
        InputError: It is no number, or larger than a float holds.
    """
    try:
        return float(need_number(field, value))
    except OverflowError:
        raise InputError(f"{field} must be a number below 1e308, was larger") from None


def real(inputs: Inputs, name: str, default: Fraction | int | None = None) -> float:
    """Return an input as a float, `default` if it is absent and one is given."""
    if default is not None and not inputs.has(name):
        return float(default)
    return to_real(f"{inputs.path}.{name}", inputs.raw(name))


def reals(inputs: Inputs, name: str) -> list[float]:
    """Return a list of numbers as floats."""
    return [to_real(f"{inputs.path}.{name}[{key}]", value) for key, value in inputs.items(name)]


def pick(inputs: Inputs, *names: str) -> str:
    """
    Return the first of several spellings of an input that is there, the first spelling if none is.
    """
    return next((name for name in names if inputs.has(name)), names[0])
