"""
Compare what came out with what was expected.

Integers and short decimals must agree exactly. A decimal printed with six places or more may be off by one in its last
place; a JSON decimal by one part in 10^12 more (it passed through a binary float). A case's own tolerance, and
the bound a door states for a value (`Approximate`), widen that. Only what is expected is compared: a door may say more.
"""

import json
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple, cast

from tocsin.conform.numbers import decimal_places, format_number, parse_number

PRINTED_PLACES_MIN = 6
_FLOAT_NOISE = Fraction(1, 10**12)
_ERROR_KEYS = ("error", "rejected", "undefined")


class Approximate(NamedTuple):
    """
    A value that the rule's own resolution holds within `bound` (absolute, >= 0), not exactly.
    """

    value: Fraction
    bound: Fraction


class Shared(NamedTuple):
    """
    An amount that was shared: in whole units, and the exact share before rounding.
    """

    units: int
    exact: Fraction


class AtMost(NamedTuple):
    """
    Any number up to `bound` agrees: the rule treats all of them alike (a factor that it rejects).
    """

    bound: Fraction


class Answer(NamedTuple):
    """
    One value that answers a case, and values by name: a case that expects an object reads these, any other that.
    """

    main: Any
    parts: dict[str, Any]


class Undefined(NamedTuple):
    """
    There is no answer, and why: the rule refuses or is not defined there.
    """

    reason: str


def find_differences(expected: Any, actual: Any, tolerance: Any = None) -> list[str]:
    """
    Return one line per value that differs, naming its place; empty when all agree.
    """
    extra = parse_number(tolerance) or Fraction(0)
    return _compare("", expected, actual, abs(extra))


def _compare(path: str, expected: Any, actual: Any, extra: Fraction) -> list[str]:
    if isinstance(actual, Undefined):
        return _compare_undefined(path, expected, actual)
    if isinstance(actual, Answer):
        return _compare(path, expected, actual.parts if isinstance(expected, dict) else actual.main, extra)
    if isinstance(expected, dict):
        wanted = cast("dict[str, Any]", expected)
        if not isinstance(actual, dict):
            return [_difference(path, expected, actual)]
        found = cast("dict[str, Any]", actual)
        out: list[str] = []
        for key, value in wanted.items():
            place = f"{path}.{key}" if path else key
            if key in found:
                out += _compare(place, value, found[key], extra)
            elif key in _ERROR_KEYS and value and any(isinstance(v, Undefined) for v in found.values()):
                continue
            else:
                out.append(f"{place}: expected {show(value)}, was not computed")
        return out
    if isinstance(expected, list):
        items = cast("list[Any]", expected)
        if not isinstance(actual, list | tuple) or isinstance(actual, Approximate | Shared | AtMost):
            return [_difference(path, expected, actual)]
        others = list(cast("list[Any]", actual))
        if len(items) != len(others):
            return [f"{path}: expected {len(items)} values, was {len(others)}"]
        return [
            line
            for i, (a, b) in enumerate(zip(items, others, strict=True))
            for line in _compare(f"{path}[{i}]", a, b, extra)
        ]
    return [] if _agree(expected, actual, extra) else [_difference(path, expected, actual)]


def _compare_undefined(path: str, expected: Any, actual: Undefined) -> list[str]:
    """
    Accept what files write for "no answer": null, an object or list of such, or a text that says so.
    """
    if isinstance(expected, dict):
        values = cast("dict[str, Any]", expected)
        named = {k: v for k, v in values.items() if k in _ERROR_KEYS and v}
        if named or all(v is None or _says_no(v) for v in values.values()):
            return []
    elif expected is None or _says_no(expected):
        return []
    return [f"{path or 'outputs'}: expected {show(expected)}, was undefined: {actual.reason}"]


def _says_no(value: Any) -> bool:
    return isinstance(value, str) and value.strip().lower() in (
        "error",
        "undefined",
        "not defined",
        "none",
        "rejected",
        "n/a",
        "nan",
    )


def _agree(expected: Any, actual: Any, extra: Fraction) -> bool:
    wanted = parse_number(expected)
    if wanted is None or isinstance(expected, bool):
        return type(expected) is type(actual) and expected == actual
    if isinstance(actual, Shared):
        return _agree(expected, actual.units if wanted.denominator == 1 else actual.exact, extra)
    if isinstance(actual, Approximate):
        return abs(wanted - actual.value) <= actual.bound + extra + _printed(expected)
    if isinstance(actual, AtMost):
        return wanted <= actual.bound + extra
    found = actual if isinstance(actual, Fraction) else parse_number(actual)
    if found is None:
        return False
    binary = isinstance(expected, Decimal | float) or isinstance(actual, Decimal | float)
    noise = abs(wanted) * _FLOAT_NOISE if binary else Fraction(0)
    return abs(wanted - found) <= extra + _printed(expected) + noise


def _printed(expected: Any) -> Fraction:
    places = decimal_places(expected)
    return Fraction(1, 10**places) if places >= PRINTED_PLACES_MIN else Fraction(0)


def _difference(path: str, expected: Any, actual: Any) -> str:
    return f"{path or 'outputs'}: expected {show(expected)}, was {show(actual)}"


def to_plain(value: Any) -> Any:
    """
    Return a value with numbers as ints or exact text, for JSON and for people.
    """
    if isinstance(value, Approximate):
        return format_number(value.value)
    if isinstance(value, AtMost):
        return f"at most {format_number(value.bound)}"
    if isinstance(value, Shared):
        return value.units
    if isinstance(value, Undefined):
        return {"undefined": value.reason}
    if isinstance(value, Answer):
        return to_plain(value.parts)
    if isinstance(value, Fraction):
        return value.numerator if value.denominator == 1 else format_number(value)
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        return {str(k): to_plain(v) for k, v in cast("dict[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [to_plain(v) for v in cast("list[Any]", value)]
    return value


def show(value: Any) -> str:
    """
    Return a value on one line.
    """
    plain = to_plain(value)
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False, default=str)
