"""
Our own JSON of one account: strict, every refusal names the place, the field, its value and what is accepted.

The fields are those of `Portfolio`, `Leg`, `OptionTerms` and `Balance`; `docs/reference/portfolio-json.md` lists them.
"""

import json
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec

from tocsin.core.errors import DataError
from tocsin.venues import VenueRefusal
from tocsin.venues.checks import check_marks, check_portfolio
from tocsin.venues.contract import Balance, Leg, OptionTerms, Portfolio
from tocsin.venues.params import parse_time, suggest
from tocsin.venues.reading import to_number
from tocsin.venues.registry import MODULES, NOT_COVERED

S = TypeVar("S", bound=msgspec.Struct)
_NUMBER = "a JSON number, or its digits as text"
_TEXT_MAX = 200
_LEG_NEEDS = ("symbol", "underlying", "size")


def looks_like_portfolio(value: Any) -> bool:
    """
    Tell whether a document is meant to be our own JSON: an object with `legs`.
    """
    return isinstance(value, dict) and "legs" in value


def read_portfolio(value: Mapping[str, Any]) -> tuple[Portfolio, str]:
    """
    Return the account of a decoded document and the rulebook it names ("" if none).

    Raises:
        DataError: A field is unknown (the nearest is named), missing, or not what it must be.
    """
    body = dict(value)
    rules = body.pop("rules", "")
    if not isinstance(rules, str):
        raise DataError(f"rules must be a rulebook's name, was {_show(rules)}")
    body.setdefault("venue", rules.partition("-")[0])
    if isinstance(time := body.get("time"), Decimal) and time == time.to_integral_value():
        body["time"] = f"{time:f}"
    body["legs"] = [_read_leg(leg, f"legs[{n}]") for n, leg in enumerate(_list(body, "legs"))]
    body["balances"] = [_convert(b, Balance, f"balances[{n}]") for n, b in enumerate(_list(body, "balances"))]
    portfolio = _convert(body, Portfolio, "")
    known = {*MODULES, *NOT_COVERED, "tocsin", ""}
    if portfolio.venue not in known and rules:
        raise DataError(f"venue must be one that is known, was {portfolio.venue!r}{suggest(portfolio.venue, known)}")
    try:
        check_portfolio(portfolio)
        check_marks(portfolio)
        if portfolio.time:
            parse_time(portfolio.time)
    except VenueRefusal as error:
        raise DataError(str(error)) from None
    return portfolio, rules


def _list(body: Mapping[str, Any], name: str) -> list[Any]:
    value = body.get(name, [])
    if not isinstance(value, list):
        raise DataError(f"{name} must be a list of objects, was {_show(value)}")
    return value  # pyright: ignore[reportUnknownVariableType]


def _read_leg(value: Any, where: str) -> Leg:
    if not isinstance(value, dict):
        raise DataError(f"{where} must be an object, was {_show(value)}")
    body: dict[str, Any] = dict(value)  # pyright: ignore[reportUnknownArgumentType]
    for name in _LEG_NEEDS:
        if name not in body:
            near = suggest(name, [k for k in body if k not in Leg.__struct_fields__])
            raise DataError(f"{where}: {name} is missing; a leg needs {', '.join(_LEG_NEEDS)}{near}")
    if body.get("option") is not None:
        body["option"] = _convert(body["option"], OptionTerms, f"{where}.option")
        body.setdefault("product", "option")
    body.setdefault("product", "linear")
    return _convert(body, Leg, where)


def _convert(value: Any, kind: type[S], where: str) -> S:
    at = f"{where}: " if where else ""
    if not isinstance(value, dict):
        raise DataError(f"{where} must be an object, was {_show(value)}")
    body: dict[str, Any] = dict(value)  # pyright: ignore[reportUnknownArgumentType]
    for name, item in body.items():
        if name not in kind.__struct_fields__:
            known = suggest(name, kind.__struct_fields__) or f"; known: {', '.join(kind.__struct_fields__)}"
            raise DataError(f"{at}unknown field {name!r}{known}")
        if isinstance(item, str) and not (item.isprintable() and len(item) <= _TEXT_MAX):
            raise DataError(f"{at}{name} must be printable text of at most {_TEXT_MAX} signs, was {_show(item)}")
        wanted = _types(kind)[name]
        if Decimal in wanted and isinstance(item, (str, Decimal)):
            body[name] = to_number(item, f"{at}{name}")
        elif enum := next((t for t in wanted if issubclass(t, StrEnum)), None):
            if item not in (accepted := [str(member) for member in enum]):
                raise DataError(f"{at}{name} must be {' or '.join(accepted)}, was {_show(item)}")
    try:
        return msgspec.convert(body, type=kind)
    except msgspec.ValidationError as error:
        raise DataError(f"{at}{_explain(str(error), body)}") from None


@cache
def _types(kind: type[msgspec.Struct]) -> Mapping[str, tuple[type, ...]]:
    """
    Return the plain types that each field of a record takes.
    """
    hints = get_type_hints(kind)
    return {name: tuple(t for t in get_args(hint) or (hint,) if isinstance(t, type)) for name, hint in hints.items()}


def _explain(message: str, body: Mapping[str, Any]) -> str:
    """
    Return a decoder's message with the field first, its value and what is accepted.
    """
    text, _, path = message.partition(" - at `$.")
    name = path.rstrip("`")
    if not name:
        return text[0].lower() + text[1:]
    top = name.partition(".")[0].partition("[")[0]
    wanted = _NUMBER if "decimal" in text.lower() else text[0].lower() + text[1:]
    return f"{name} must be {wanted}, was {_show(body.get(top))}" if wanted is _NUMBER else f"{name}: {wanted}"


def _show(value: Any) -> str:
    text = str(value) if isinstance(value, Decimal) else json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."
