"""
A check of recorded accounts as plain JSON values: numbers as exact texts.
"""

from decimal import Decimal
from typing import Any

from tocsin.desk.codes import Part
from tocsin.desk.rows import Report, Row, Status


def to_plain(report: Report) -> dict[str, Any]:
    """
    Return the report as objects, lists and texts; every number is a text with all its digits.
    """
    return {
        "rows": [_row(row) for row in report.rows],
        "notes": [{"account": account, "note": note} for account, note in report.notes],
        **{str(status): report.count(status) for status in Status},
        "ok": report.ok,
    }


def _row(row: Row) -> dict[str, Any]:
    return {
        "account": row.account,
        "symbol": row.symbol,
        "quantity": row.quantity,
        "status": str(row.status),
        "reported": {"value": _text(row.reported), "field": row.field},
        "derived": {"value": _text(row.derived), "field": row.derived_field},
        "own": {"value": _text(row.own), "no_price": row.own_none, "basis": row.basis},
        "difference": _text(row.difference),
        "relative": None if row.relative is None else f"{row.relative:.6e}",
        "tolerance": _text(row.tolerance),
        "code": None if row.code is None else str(row.code),
        "parts": [_part(part) for part in row.parts],
        "connector": None if row.connector is None else _part(row.connector),
        "hint": None if row.hint is None else _part(row.hint),
        "reason": row.reason,
    }


def _part(part: Part) -> dict[str, str]:
    return {"code": str(part.code), "amount": _text(part.amount) or "0", "why": part.why}


def _text(value: Decimal | None) -> str | None:
    return None if value is None else format(value, "f")
