"""
Read and print the numbers of vector files exactly.

A number is an integer, a JSON decimal, a decimal string, a fraction as text (`"505/1"`), or a machine's limit by its
name (`"u64::MAX"`).
"""

import re
from decimal import Decimal
from fractions import Fraction
from typing import Any

from tocsin.core.errors import DataError

_TEXT = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?|[+-]?\d+/\d+")
_DIGITS_MAX = 400
_LIMITS = {f"u{bits}::max": 2**bits - 1 for bits in (32, 64, 128)}


class InputError(DataError):
    """
    An input of a case is missing or is not what its mechanism needs; the message names it.
    """


def parse_number(value: Any) -> Fraction | None:
    """
    Return the exact value of an int, a Decimal or a number as text; None if it is no number.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return Fraction(value)
    if isinstance(value, Decimal):
        return Fraction(value) if value.is_finite() and abs(value.adjusted()) < _DIGITS_MAX else None
    if isinstance(value, float):
        return parse_number(repr(value))
    if isinstance(value, str):
        text = value.strip().replace("_", "")
        if text.lower() in _LIMITS:
            return Fraction(_LIMITS[text.lower()])
        if len(text) <= _DIGITS_MAX and _TEXT.fullmatch(text):
            try:
                return Fraction(text)
            except ZeroDivisionError:
                return None
    return None


def need_number(field: str, value: Any) -> Fraction:
    """
    Return the exact value of an input.

    Raises:
        InputError: It is no number.
    """
    number = parse_number(value)
    if number is None:
        raise InputError(f"{field} must be a number, was {value!r}")
    return number


def need_whole(field: str, value: Any) -> int:
    """
    Return an input that must be a whole number.

    Raises:
        InputError: It is no number, or not whole.
    """
    number = need_number(field, value)
    if number.denominator != 1:
        raise InputError(f"{field} must be a whole number, was {value!r}")
    return number.numerator


def decimal_places(value: Any) -> int:
    """
    Return how many decimal places a number was printed with; 0 for integers and fractions as text.
    """
    text = str(value).strip().lower()
    if "/" in text:
        return 0
    digits, _, exponent = text.partition("e")
    places = len(digits.partition(".")[2])
    return max(0, places - (int(exponent) if exponent else 0))


def format_number(number: Fraction) -> str:
    """
    Return the shortest exact text: an integer, a decimal if it ends, else a fraction with its decimal beginning.
    """
    if number.denominator == 1:
        return str(number.numerator)
    rest, places = number.denominator, 0
    for prime in (2, 5):
        count = 0
        while rest % prime == 0:
            rest //= prime
            count += 1
        places = max(places, count)
    if rest != 1 or places > 18:
        return f"{number.numerator}/{number.denominator} (about {_to_places(number, 9)})"
    return _to_places(number, places)


def _to_places(number: Fraction, places: int) -> str:
    whole, part = divmod(abs(number.numerator) * 10**places // number.denominator, 10**places)
    return f"{'-' if number < 0 else ''}{whole}.{part:0{places}d}"
