"""
Dumps of ccxt's `fetch_positions` and `fetch_balance`: `info` is the venue's payload and counts.

The unified fields go to the connector's column. One input is taken from them where the payload has none: the size of a
contract, which ccxt knows from the market's listing; a note says so.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from tocsin.venues.readers import finish_of
from tocsin.venues.readers.files import find_reader, read_payloads
from tocsin.venues.reading import Draft, Fields, PayloadError, Reader, Reading

_UNIFIED = (("initial", "initialMargin"), ("maintenance", "maintenanceMargin"), ("ratio", "marginRatio"))


def is_ccxt(value: Any) -> bool:
    """
    Tell whether decoded JSON is a ccxt dump: positions, one position, a balance, or an object of both.
    """
    if isinstance(value, dict) and ("positions" in value or "balance" in value) and "info" not in value:
        parts: list[Any] = [value.get("balance"), *(_as_list(value.get("positions")))]  # pyright: ignore[reportUnknownMemberType]
        return any(_has_info(part) for part in parts)
    return bool(items := _as_list(value)) and all(_has_info(item) for item in items)


def read_ccxt(value: Any, label: str, venue: str = "") -> Reading:
    """
    Return the account of a ccxt dump.

    Raises:
        PayloadError: No reader knows the payload under `info`, or it cannot be read; the message names the position.
    """
    positions, balance = _split(value)
    draft: Draft | None = None
    finish_with: Reader | None = None
    if balance is not None:
        kept: list[Draft] = []
        info = Fields(balance, label).raw("info")
        reading = read_payloads([info], f"{label}, balance", venue, before=kept.append)
        if not positions:
            return reading
        draft = kept[0]
    for place, item in enumerate(positions):
        where = f"{label}, position {place}"
        unified = Fields(item, where)
        info = unified.raw("info")
        reader = find_reader(info, venue)
        if reader is None:
            name = unified.optional_text("symbol")
            raise PayloadError(f"{where} ({name}): no reader knows the payload under info; say the venue with --venue")
        draft = draft or Draft(venue=reader.venue, label=label)
        if reader.venue != draft.venue:
            raise PayloadError(f"{where}: is of {reader.venue}, others of {draft.venue}; give each account by itself")
        finish_with = finish_with or reader
        draft.connector = unified
        start = len(draft.legs)
        reader.read(Fields(info, f"{where}: info"), draft)
        _overlay(unified, draft, range(start, len(draft.legs)))
        draft.connector = None
    if draft is None or finish_with is None:
        raise PayloadError(f"{label}: holds neither positions nor a balance")
    draft.raw = value
    finish_of(draft.venue, finish_with)(draft)
    return draft.reading()


def _overlay(unified: Fields, draft: Draft, places: range) -> None:
    """
    Put ccxt's figures beside the leg that its `info` made.
    """
    if len(places) != 1:
        return
    place = places[0]
    for quantity, name in _UNIFIED:
        draft.derive(place, quantity, unified.optional(name), name)
    if "liquidationPrice" in unified:
        value = unified.price("liquidationPrice")
        draft.derive(place, "liquidation", value, "liquidationPrice")
    leg = draft.legs[place]
    size = unified.optional_positive("contractSize")
    if size is not None and leg.contract_size == 1 and size != 1 and leg.size == _signed(unified, leg.size):
        draft.replace_leg(place, msgspec.structs.replace(leg, contract_size=size))
        draft.notes.append(f"{leg.symbol}: contract size {size} is the connector's; the payload has none")
    mode = unified.optional_text("marginMode")
    if mode and mode != str(leg.mode):
        draft.notes.append(f"{leg.symbol}: the connector says {mode}, the payload {leg.mode}")


def _signed(unified: Fields, size: Decimal) -> Decimal:
    contracts = unified.optional("contracts")
    return size if contracts is None else abs(contracts).copy_sign(size)


def _split(value: Any) -> tuple[Sequence[Any], Any]:
    if isinstance(value, dict) and "info" not in value:
        parts: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType]
        return _as_list(parts.get("positions")), parts.get("balance")
    items = _as_list(value)
    balances = [item for item in items if _is_balance(item)]
    if len(balances) > 1:
        raise PayloadError("a dump holds two balances; give each account by itself")
    return [item for item in items if not _is_balance(item)], balances[0] if balances else None


def _is_balance(item: Any) -> bool:
    return "symbol" not in item and ("free" in item or "total" in item or "used" in item)


def _has_info(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("info"), (dict, list))  # pyright: ignore[reportUnknownMemberType]


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]  # pyright: ignore[reportUnknownVariableType]
