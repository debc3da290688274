"""
Change values of a risk sheet by path, such as `calls.deadline_ns=600000000000` or `contracts.BTC.impact_ppm=5000`.
"""

from difflib import get_close_matches
from enum import IntEnum
from typing import Any, cast

import msgspec

from tocsin.core.errors import ConfigError
from tocsin.margin.state import Level
from tocsin.sheet.terms import RiskSheet
from tocsin.sheet.validate import validate_sheet

EVERY = "*"
"""Stands for all entries of a list, as in `contracts.*.impact_ppm`."""

_LEVELS = tuple(level.name.lower() for level in list(Level)[1:5])
_FIXED = ("id", "symbol", "kind", "asset", "units", "decimals")
"""What the prices and accounts of the replay are made for; not for change."""


def change_sheet(sheet: RiskSheet, changes: tuple[str, ...]) -> RiskSheet:
    """
    Return the sheet with each `PATH=VALUE` applied in order.

    A path names fields from the top, joined by dots: contracts and assets by symbol, levels by name or number, entries
    of other lists by number from 0. A value is an integer in the unit the field's name says, a word where the field
    is one of a few, or `on` and `off`.

    Raises:
        ConfigError: There is no such path, or the value does not fit; the message names the nearest paths, or what
            is accepted.
        SheetError: The changed sheet breaks a bound.
    """
    for change in changes:
        path, equals, text = change.partition("=")
        if not equals or not path.strip() or not text.strip():
            raise ConfigError(f"--set must be PATH=VALUE, such as calls.deadline_ns=600000000000, was {change!r}")
        sheet = _set(sheet, path.strip().split("."), path.strip(), text.strip())
    return validate_sheet(sheet)


def read_value(sheet: RiskSheet, path: str) -> str:
    """
    Return the value at a path as text, `various` where `*` names several; the path must be valid.
    """
    values = {v for p, v in _leaves(sheet, "") if _matches(p, path)}
    return values.pop() if len(values) == 1 else "various"


def list_paths(sheet: RiskSheet) -> list[str]:
    """
    Return every path that can be changed, in the order of the sheet.
    """
    return [path for path, _ in _leaves(sheet, "")]


def _set(sheet: RiskSheet, parts: list[str], path: str, text: str) -> RiskSheet:
    paths = list_paths(sheet)
    if not any(_matches(p, path) for p in paths):
        raise ConfigError(f"--set must name a value of the sheet, was {path!r}; {_nearest(path, paths)}")
    return _replace(sheet, parts, path, text)


def _replace(value: Any, parts: list[str], path: str, text: str) -> Any:
    """Return `value` with the leaf at `parts` replaced; the path is known to exist."""
    if not parts:
        return _parse(value, path, text)
    name, rest = parts[0], parts[1:]
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.replace(value, **{name: _replace(getattr(value, name), rest, path, text)})
    entries: tuple[Any, ...] = value
    chosen = [i for i in range(len(entries)) if name == EVERY or name in _names(entries, i)]
    return tuple(_replace(v, rest, path, text) if i in chosen else v for i, v in enumerate(entries))


def _parse(value: Any, path: str, text: str) -> Any:
    if isinstance(value, bool):
        words = {"on": True, "true": True, "yes": True, "off": False, "false": False, "no": False}
        if text.lower() not in words:
            raise ConfigError(f"{path} must be on or off, was {text!r}")
        return words[text.lower()]
    if isinstance(value, IntEnum):
        kind = type(value)
        names = {member.name.lower(): member for member in kind}
        if text.lower() not in names:
            raise ConfigError(f"{path} must be one of {', '.join(names)}, was {text!r}")
        return names[text.lower()]
    try:
        return int(text)
    except ValueError:
        raise ConfigError(f"{path} must be an integer such as {value}, was {text!r}") from None


def _leaves(value: Any, path: str) -> list[tuple[str, str]]:
    """Return (path, value as text) of everything below that may be changed."""
    out: list[tuple[str, str]] = []
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            if not (path and name in _FIXED) and name not in ("name", "preset"):
                out += _leaves(getattr(value, name), f"{path}.{name}" if path else name)
    elif isinstance(value, tuple):
        entries = cast(tuple[Any, ...], value)
        for i in range(len(entries)):
            out += _leaves(entries[i], f"{path}.{_names(entries, i)[0]}")
    elif isinstance(value, bool):
        out.append((path, "on" if value else "off"))
    elif isinstance(value, IntEnum):
        out.append((path, value.name.lower()))
    elif isinstance(value, int):
        out.append((path, str(value)))
    return out


def _names(entries: tuple[Any, ...], index: int) -> tuple[str, ...]:
    """Return the names of one entry of a list, the one to show first."""
    if hasattr(entries[index], "symbol"):
        return (entries[index].symbol,)
    if len(entries) == len(_LEVELS) and all(isinstance(entry, int) for entry in entries):
        return (_LEVELS[index], str(index))
    return (str(index),)


def _matches(shown: str, asked: str) -> bool:
    """Return whether a path as listed is one that was asked for."""
    ours, theirs = shown.split("."), asked.split(".")
    if len(ours) != len(theirs):
        return False
    levels = {name: str(i) for i, name in enumerate(_LEVELS)}
    hysteresis = ours[0] == "hysteresis_ppm"
    return all(
        a == b or (b == EVERY and i == 1 and not hysteresis) or (hysteresis and levels.get(a) == b)
        for i, (a, b) in enumerate(zip(ours, theirs, strict=True))
    )


def _nearest(path: str, paths: list[str]) -> str:
    known = {p.lower(): p for p in paths}
    last: dict[str, str] = {}
    for p in paths:
        last.setdefault(p.rsplit(".", 1)[-1], p)
    near = [known[p] for p in get_close_matches(path.lower(), list(known), n=3, cutoff=0.6)]
    near += [last[n] for n in get_close_matches(path.rsplit(".", 1)[-1].lower(), list(last), n=3, cutoff=0.7)]
    near = list(dict.fromkeys(near))[:3] or ["calls.deadline_ns", "waterfall.lots", "contracts.BTC.capacity_lots"]
    return f"nearest: {', '.join(near)}"
