"""
Tables of brackets in files: a recorded table, or a venue's own list of brackets with their deductions.

    {"id": "...", "venue": "bybit", "symbol": "BTCPERP", "tiers": [{"min": 0, "max": 100000, "mmr": 0.004, ...}, ...]}
    [{"symbol": "ETHUSDT", "brackets": [{"notionalFloor": 0, "notionalCap": 10000, "maintMarginRatio": 0.0065, ...}]}]
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from tocsin.venues.reading import Fields, PayloadError

_RATES = (
    "mmr",
    "maintMarginRatio",
    "maintenance_rate",
    "maintenanceMarginRate",
    "maintMarginRate",
    "maintenanceMargin",
)
_FLOORS = ("min", "notionalFloor", "qtyFloor", "qtylFloor", "startUnit", "minPositionVal")
_CAPS = ("max", "notionalCap", "qtyCap", "risk_limit", "riskLimitValue", "maxPositionVal", "endUnit", "minNotional")
_DEDUCTIONS = ("deduction", "cum", "mmDeduction", "maintAmount")
_SYMBOLS = ("symbol", "contract", "pair")
_DEPTH_MAX = 6


class Bracket(NamedTuple):
    """One bracket: where it starts and ends (None: no end), its rate, its deduction as stated."""

    floor: Decimal
    cap: Decimal | None
    rate: Decimal
    deduction: Decimal


class Table(NamedTuple):
    """
    One market's brackets, rising. `why` says why nothing can be computed of it, "" where it can.
    """

    label: str
    symbol: str
    rows: tuple[Bracket, ...] = ()
    why: str = ""


def read_table_record(record: Fields) -> tuple[Table, ...]:
    """
    Return the tables of a record with `tiers`, or with a venue's payload under `raw`.
    """
    symbol = record.optional_text("symbol")
    if isinstance(record.raw("tiers"), list):
        return (_read_rows(record.each("tiers"), record.where, symbol, record.optional_text("formula")),)
    found = tuple(find_tables(record.raw("raw"), record.where))
    if found:
        return found
    return (Table(record.where, symbol, why="a table of brackets without deductions: nothing follows from the others"),)


def find_tables(value: Any, where: str, symbol: str = "", depth: int = 0) -> Iterator[Table]:
    """
    Return every list of brackets with deductions inside a payload; brackets of several symbols are told apart.
    """
    if depth > _DEPTH_MAX:
        return
    if isinstance(value, dict):
        fields = Fields(value, where)
        name = next((fields.optional_text(n) for n in _SYMBOLS if isinstance(fields.raw(n), str)), symbol)
        for key in fields.names():
            yield from find_tables(fields.raw(key), where, name, depth + 1)
    elif isinstance(value, list):
        items = [Fields(item, where) for item in value if isinstance(item, dict)]  # pyright: ignore[reportUnknownVariableType]
        brackets = [item for item in items if _is_bracket(item)]
        if not brackets or len(brackets) < len(items) or not _states_one(brackets):
            for item in value:  # pyright: ignore[reportUnknownVariableType]
                yield from find_tables(item, where, symbol, depth + 1)
            return
        by_symbol: dict[str, list[Fields]] = {}
        for item in brackets:
            by_symbol.setdefault(_symbol_of(item) or symbol, []).append(item)
        for name, members in by_symbol.items():
            yield _read_rows(tuple(members), where, name, "")


def _symbol_of(item: Fields) -> str:
    return next((item.optional_text(name) for name in _SYMBOLS if isinstance(item.raw(name), str)), "")


def _is_bracket(item: Fields) -> bool:
    return (
        any(item.has(name) for name in _RATES)
        and any(item.has(name) for name in (*_FLOORS, *_CAPS))
        and any(name in item for name in _DEDUCTIONS)
    )


def _states_one(items: Iterable[Fields]) -> bool:
    """
    Tell whether any bracket states its deduction: the first one of a venue may leave it blank.
    """
    return any(item.has(name) for item in items for name in _DEDUCTIONS)


def _read_rows(items: tuple[Fields, ...], label: str, symbol: str, formula: str) -> Table:
    if not items or not all(_is_bracket(item) for item in items) or not _states_one(items):
        said = f" ({formula})" if formula else ""
        return Table(label, symbol, why=f"a table without deductions{said}: nothing follows from the others")
    rows: list[Bracket] = []
    # A venue that states caps alone lets each bracket start where the one before it ends.
    for item in sorted(items, key=_start):
        floor = item.number(*_FLOORS) if _floored(item) else (rows[-1].cap if rows else Decimal(0))
        cap = item.optional(*_CAPS)
        rate = item.number(*_RATES)
        if floor is None or not 0 <= rate <= 1:
            raise PayloadError(f"{item.where}: {item.first(*_RATES)} of a bracket must be from 0 to 1, was {rate}")
        deduction = item.optional(*_DEDUCTIONS) or Decimal(0)
        rows.append(Bracket(floor=floor, cap=cap, rate=rate, deduction=deduction))
    if rows[0].floor:
        return Table(label, symbol, why=f"the first bracket starts at {rows[0].floor}: those below it are missing")
    return Table(label, symbol, tuple(rows))


def _start(item: Fields) -> Decimal:
    return item.number(*_FLOORS) if _floored(item) else item.optional(*_CAPS) or Decimal("Infinity")


def _floored(item: Fields) -> bool:
    return any(item.has(name) for name in _FLOORS)
