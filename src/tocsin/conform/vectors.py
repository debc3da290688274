"""
Load vector files and check their form before anything runs.

Two forms are known: `{meta, param_sets, vectors[]}` with engine and mechanism per vector, and `{about, vectors[]}` with
an id instead of an engine. Of venue records (`{what, records[]}`) those of a known model become cases, the others are
listed. A file may be compressed (`.json.gz`).
"""

import gzip
import json
import zlib
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import msgspec

from tocsin.conform.records import read_record
from tocsin.core.errors import DataError

_FILE_BYTES_MAX = 64 * 1024 * 1024
_MISSING = object()


class Case(msgspec.Struct, frozen=True):
    """
    One case: where it stands, what it is about, what goes in and what must come out.

    Numbers in `inputs` and `expected` are ints, Decimals or text; `tolerance` is the case's own, absolute, or None.
    `unrunnable` says why a record has nothing to run.
    """

    file: str
    index: int
    name: str
    engine: str
    mechanism: str
    inputs: dict[str, Any]
    expected: Any
    tolerance: Any = None
    source: str = ""
    notes: str = ""
    unrunnable: str = ""

    @property
    def id(self) -> str:
        return f"{self.file}[{self.index}]"

    @property
    def kind(self) -> str:
        return f"{self.engine}/{self.mechanism}"


def load_cases(paths: Iterable[str | Path]) -> list[Case]:
    """
    Return the cases of all files, in order.

    Raises:
        DataError: A file cannot be read or breaks the form; the message names file, record and field.
    """
    out: list[Case] = []
    for path in paths:
        out.extend(_load_file(Path(path)))
    return out


def _fail(where: str, field: str, accepted: str, value: Any = _MISSING) -> DataError:
    was = "was missing" if value is _MISSING else f"was {_brief(value)}"
    return DataError(f"{where}: {field} must be {accepted}, {was}")


def _brief(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def _load_file(path: Path) -> list[Case]:
    name = str(path)
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            data = file.read(_FILE_BYTES_MAX + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{name}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > _FILE_BYTES_MAX:
        raise DataError(f"{name}: file must be at most {_FILE_BYTES_MAX} bytes")
    root = _parse(name, data)
    if isinstance(root, list):
        root = cast("Any", {"vectors": root})
    if not isinstance(root, dict):
        raise _fail(name, "file", "an object with a list `vectors`", root)
    document = cast("dict[str, Any]", root)
    if "vectors" not in document and isinstance(document.get("records"), list):
        return _list_records(path, cast("list[Any]", document["records"]))
    vectors = document.get("vectors", _MISSING)
    if not isinstance(vectors, list):
        raise _fail(name, "vectors", "a list of cases", vectors)
    sets = document.get("param_sets", {})
    if not isinstance(sets, dict):
        raise _fail(name, "param_sets", "an object of named sets", sets)
    named = cast("dict[str, Any]", sets)
    return [_read_case(path, i, v, named) for i, v in enumerate(cast("list[Any]", vectors))]


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text} is not a number")


def _parse(name: str, data: bytes) -> Any:
    try:
        return json.loads(data.decode("utf-8-sig"), parse_float=Decimal, parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise DataError(f"{name}: file must be UTF-8 text, byte {error.start} is not") from None
    except json.JSONDecodeError as error:
        raise DataError(f"{name}: file must be JSON, line {error.lineno} column {error.colno}: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{name}: file must be JSON: {error}") from None


def _read_case(path: Path, index: int, raw: Any, sets: dict[str, Any]) -> Case:
    where = f"{path}: vectors[{index}]"
    if not isinstance(raw, dict):
        raise _fail(where, "case", "an object", raw)
    vector = cast("dict[str, Any]", raw)
    engine = vector.get("engine", "risk" if "id" in vector else _MISSING)
    for field, value in (("engine", engine), ("mechanism", vector.get("mechanism", _MISSING))):
        if not isinstance(value, str) or not value:
            raise _fail(where, field, "a name", value)
    inputs = vector.get("inputs", _MISSING)
    if not isinstance(inputs, dict):
        raise _fail(where, "inputs", "an object", inputs)
    if "expected" not in vector:
        raise _fail(where, "expected", "given")
    return Case(
        file=path.name,
        index=index,
        name=str(vector.get("id", "")),
        engine=cast("str", engine),
        mechanism=vector["mechanism"],
        inputs=_resolve(where, cast("dict[str, Any]", inputs), sets),
        expected=vector["expected"],
        tolerance=vector.get("tolerance"),
        source=str(vector.get("source", "")),
        notes=str(vector.get("notes", "")),
    )


def _resolve(where: str, inputs: dict[str, Any], sets: dict[str, Any]) -> dict[str, Any]:
    """
    Return inputs in which a named set of parameters and its overrides are one object `params`.
    """
    if "param_set" not in inputs:
        return inputs
    name = inputs["param_set"]
    if not isinstance(name, str) or name not in sets:
        raise _fail(where, "inputs.param_set", f"one of {sorted(sets)}", name)
    out = {k: v for k, v in inputs.items() if k not in ("param_set", "overrides")}
    out["params"] = _patch(sets[name], inputs.get("overrides", {}))
    return out


def _patch(base: Any, change: Any) -> Any:
    if not isinstance(base, dict) or not isinstance(change, dict):
        return change
    left, right = cast("dict[str, Any]", base), cast("dict[str, Any]", change)
    return {
        k: _patch(left[k], right[k]) if k in left and k in right else (right if k in right else left)[k]
        for k in (*left, *(k for k in right if k not in left))
    }


def _list_records(path: Path, records: list[Any]) -> list[Case]:
    out: list[Case] = []
    for index, raw in enumerate(records):
        record = cast("dict[str, Any]", raw) if isinstance(raw, dict) else {}
        venue, kind = str(record.get("venue", "venue")), str(record.get("kind", path.stem))
        name, source = str(record.get("id", "")), str(record.get("source", ""))
        held = read_record(record, f"{path}: records[{index}]")
        if held is None:
            reason = "a venue's record, not a case of a mechanism"
            out.append(Case(path.name, index, name, venue, kind, record, None, unrunnable=reason))
            continue
        engine, mechanism, inputs, expected, reason = held
        out.append(Case(path.name, index, name, engine, mechanism, inputs, expected, source=source, unrunnable=reason))
    return out
