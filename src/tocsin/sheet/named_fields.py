"""
Name the field of a sheet that has another type than the published one (rules SH-002, SH-012).

The codec knows fields by their place in the bytes, people by name and identifier: `$[3][5][30]` is
`contracts[6].look_ahead_ns`.
"""

from types import UnionType
from typing import Any, cast, get_args, get_origin

import msgspec

from tocsin.core.codec import encode
from tocsin.core.errors import CodecError, SheetError
from tocsin.sheet.terms import RiskSheet, decode_sheet, encode_sheet

_WAS_MAX = 60


def read_sheet(data: bytes) -> RiskSheet:
    """
    Return the sheet of canonical bytes.

    Raises:
        SheetError: Field, value and what is accepted; the codec's own words if they name no place.
    """
    try:
        return decode_sheet(data)
    except CodecError as error:
        raise SheetError(_name_misread(data, error)) from None


def reread_sheet(sheet: RiskSheet) -> RiskSheet:
    """
    Return a sheet as its canonical bytes read, every field of the published type.

    Raises:
        SheetError: Field, value and what is accepted.
    """
    try:
        data = encode_sheet(sheet)
    except CodecError:
        label, value = _find_unwritable(sheet, "") or ("sheet", sheet)
        raise SheetError(_refusal(label, "a number of 64 bits or what else is published", value)) from None
    return read_sheet(data)


def _name_misread(data: bytes, error: CodecError) -> str:
    words, _, place = str(error).partition(" - at `$[")
    indices = place.removesuffix("]`").split("][")
    if not all(index.isdecimal() for index in indices):
        return f"sheet must have fields of the published types, has not: {error}"
    try:
        label, value = _walk(data, [int(index) for index in indices])
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        # What follows the field is broken as well.
        return f"sheet must have fields of the published types, has not: {error}"
    _, _, expected = words.partition("Expected ")
    return _refusal(label, expected.partition(", got ")[0] or "one of the published numbers", value)


def _refusal(label: str, accepted: str, value: object) -> str:
    was = repr(value)
    was = was if len(was) <= _WAS_MAX else f"{was[:_WAS_MAX]}..."
    return f"{label} must be {accepted}, was {was}: a sheet must have fields of the published types"


def _walk(data: bytes, places: list[int]) -> tuple[str, object]:
    """Follow places through the raw values and the published types side by side."""
    node, kind, label = msgspec.msgpack.decode(data), cast("Any", RiskSheet), ""
    for place in places:
        if get_origin(kind) is UnionType:
            kind = get_args(kind)[0]
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            field = msgspec.structs.fields(kind)[place]
            label, kind = f"{label}.{field.name}" if label else field.name, field.type
            node = node[place]
        else:
            kinds = get_args(kind)
            kind = kinds[0] if kinds[-1] is Ellipsis else kinds[place]
            node = node[place]
            label = f"{label}[{_ident(kind, node, place)}]"
    return label or "sheet", node


def _ident(kind: Any, node: Any, place: int) -> object:
    """Return what an entry is called in messages: its identifier if it has one, else its place."""
    named = isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind.__struct_fields__[0] == "id"
    return node[0] if named and isinstance(node, list) and node and isinstance(node[0], int) else place


def _find_unwritable(value: object, label: str) -> tuple[str, object] | None:
    if isinstance(value, msgspec.Struct):
        names = [(f"{label}.{name}" if label else name, name) for name in value.__struct_fields__]
        parts = [(at, getattr(value, name)) for at, name in names]
    elif isinstance(value, tuple | list):
        items = cast("tuple[Any, ...]", value)
        parts = [(f"{label}[{getattr(item, 'id', i)}]", item) for i, item in enumerate(items)]
    else:
        try:
            encode(value)
        except CodecError:
            return label, value
        return None
    return next((found for at, part in parts if (found := _find_unwritable(part, at))), None)
