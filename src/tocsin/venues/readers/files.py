"""
From a file's bytes to readings: which of the forms it has, which venue, which endpoint.
"""

import json
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from tocsin.venues.params import suggest
from tocsin.venues.readers import MODULES, finish_of, readers_of
from tocsin.venues.readers.names import moment
from tocsin.venues.readers.tables import Table, find_tables
from tocsin.venues.reading import POSITIONS_MAX, Draft, Fields, PayloadError, Reader, Reading, show

BYTES_MAX = 256 * 1024 * 1024

_TIMES = ("time", "requestTime", "usOut", "ts", "timestamp", "serverTime")
"""Fields of an envelope that tell when the venue answered."""


class Skip(NamedTuple):
    """Something in a file that is no account, or whose endpoint no reader knows; `reason` says why."""

    label: str
    reason: str


class Broken(NamedTuple):
    """A part of a file that should be an account and cannot be read; `reason` names place, field and value."""

    label: str
    reason: str


class Found(NamedTuple):
    """What a file holds."""

    readings: tuple[Reading, ...] = ()
    skipped: tuple[Skip, ...] = ()
    broken: tuple[Broken, ...] = ()
    tables: tuple[Table, ...] = ()


def read_bytes(raw: bytes, *, label: str, venue: str = "") -> Found:
    """
    Return the accounts in a file: JSON, or gzipped JSON; numbers exactly.

    Args:
        label: For messages: the file's name.
        venue: First word of a rulebook's name, where the fields do not tell; "" to find out.

    Raises:
        PayloadError: No JSON, a key given twice, no known form, or a single payload that cannot be read. In a list of
            records what cannot be read is `broken` instead, and the others are read.
    """
    return read_value(decode(raw, label), label=label, venue=venue)


def read_value(value: Any, *, label: str, venue: str = "") -> Found:
    """
    Return the accounts in decoded JSON; see `read_bytes`.
    """
    from tocsin.venues.readers.ccxt import is_ccxt, read_ccxt
    from tocsin.venues.readers.records import is_records, read_records

    _check_venue(venue, label)
    records = is_records(value)
    if records is not None:
        return read_records(records, label)
    if isinstance(value, dict) and "payloads" in value:
        return Found((_read_bundle(Fields(value, label), venue),))
    if is_ccxt(value):
        return Found((read_ccxt(value, label, venue),))
    try:
        return Found((read_payloads([value], label, venue),))
    except PayloadError:
        if tables := tuple(find_tables(value, label)):
            return Found(tables=tables)
        raise


def decode(raw: bytes, label: str) -> Any:
    """
    Decode JSON with every number as `Decimal`; refuse keys given twice, NaN and infinities.
    """
    if raw[:2] == b"\x1f\x8b":
        raw = _unzip(raw, label)
    if len(raw) > BYTES_MAX:
        raise PayloadError(f"{label}: is {len(raw)} bytes; at most {BYTES_MAX} are read, split it by account")
    if not raw.strip():
        raise PayloadError(f"{label}: is empty; JSON is needed")
    try:
        return json.loads(
            raw.decode("utf-8-sig"),
            object_pairs_hook=_refuse_twice,
            parse_float=Decimal,
            parse_int=Decimal,
            parse_constant=_refuse_word,
        )
    except PayloadError as error:
        raise PayloadError(f"{label}: {error}") from None
    except UnicodeDecodeError as error:
        raise PayloadError(f"{label}: is not UTF-8 at byte {error.start}; JSON is needed") from None
    except json.JSONDecodeError as error:
        whole = error.doc.rstrip().endswith(("}", "]"))
        message = f"{error.msg.removesuffix(' at')} at line {error.lineno}{'' if whole else ': cut off?'}"
        raise PayloadError(f"{label}: is not JSON: {message}") from None
    except InvalidOperation:
        raise PayloadError(f"{label}: holds a number beyond all bounds") from None
    except RecursionError:
        raise PayloadError(f"{label}: is nested too deeply for a payload") from None


def read_payloads(
    payloads: Sequence[Any], label: str, venue: str = "", *, before: Callable[[Draft], None] | None = None
) -> Reading:
    """
    Return one account from its payloads: account elements first, then positions.

    Raises:
        PayloadError: A payload has no known shape, or those of two venues; or an element cannot be read.
    """
    matched = [
        _match(payload, f"{label}{f', payload {n}' if len(payloads) > 1 else ''}", venue)
        for n, payload in enumerate(payloads)
    ]
    count = sum(len(elements) for _, elements, _ in matched)
    if count > POSITIONS_MAX:
        raise PayloadError(f"{label}: {count} positions; at most {POSITIONS_MAX} of one account are read")
    venues = sorted({reader.venue for reader, _, _ in matched})
    if len(venues) > 1:
        raise PayloadError(f"{label}: payloads of {' and '.join(venues)} in one account; give each account by itself")
    draft = Draft(venue=venues[0], label=label, raw=payloads[0] if len(payloads) == 1 else list(payloads))
    if before is not None:
        before(draft)
    for n, payload in enumerate(payloads):
        _note_time(payload, draft, f"payload {n}")
    for reader, elements, where in sorted(matched, key=lambda m: m[0].holds != "account"):
        for n, element in enumerate(elements):
            reader.read(Fields(element, f"{where}[{n}]" if len(elements) > 1 else where), draft)
    finish_of(draft.venue, matched[0][0])(draft)
    return draft.reading()


def _note_time(payload: Any, draft: Draft, name: str) -> None:
    """
    Note when the venue answered, if the payload's envelope says it.
    """
    if not isinstance(payload, dict):
        return
    fields: dict[str, Any] = payload  # pyright: ignore[reportUnknownVariableType]
    for key in _TIMES:
        value = fields.get(key)
        if isinstance(value, (str, Decimal)) and moment(str(value)) is not None:
            draft.moments[name] = str(value)
            return


def find_reader(element: Any, venue: str = "") -> Reader | None:
    """
    Return the one reader whose fields an element has, None if there is none or the venue is not clear from it.
    """
    fitting = [r for r in _candidates(venue) if r.fits(element)]
    return fitting[0] if fitting and len({r.venue for r in fitting}) == 1 else None


def _match(payload: Any, where: str, venue: str) -> tuple[Reader, list[Any], str]:
    found: list[tuple[Reader, list[Any]]] = []
    for reader in _candidates(venue):
        elements = reader.elements(payload)
        if elements is not None:
            found.append((reader, elements))
    # The reader that asks for most says most: a shape that is part of another's gives way to it.
    found.sort(key=lambda f: -len(f[0].keys) - len(f[0].path))
    if not found:
        what, is_unknown = _describe(payload)
        raise PayloadError(f"{where}: {what}; {_known(venue)}" if is_unknown else f"{where}: {what}")
    best = [f for f in found if len(f[0].keys) + len(f[0].path) == len(found[0][0].keys) + len(found[0][0].path)]
    names = sorted({reader.venue for reader, _ in best})
    if len(names) > 1:
        raise PayloadError(f"{where}: could be of {' or '.join(names)}; say which with --venue")
    reader, elements = best[0]
    return reader, elements, f"{where}: {reader.endpoint}"


def _candidates(venue: str) -> Iterable[Reader]:
    for name in MODULES:
        yield from (reader for reader in readers_of(name) if not venue or reader.venue == venue)


def _check_venue(venue: str, where: str) -> None:
    known = sorted({reader.venue for reader in _candidates("")})
    if venue and venue not in known:
        near = suggest(venue, known) or f"; known: {', '.join(known)}"
        raise PayloadError(f"{where}: venue {show(venue)} is not known{near}")


def _describe(payload: Any) -> tuple[str, bool]:
    """
    Return what a payload without a reader is, and whether naming the known ones helps.
    """
    if isinstance(payload, list):
        if not payload:
            return "is an empty list: no positions", False
        payload = payload[0]  # pyright: ignore[reportUnknownVariableType]
    if not isinstance(payload, dict):
        return f"holds {show(payload)}, no account", False
    if not payload:
        return "is an empty object: no account", False
    fields: dict[str, Any] = payload  # pyright: ignore[reportUnknownVariableType]
    code = str(fields.get("code", fields.get("retCode", 0)))
    words = [fields.get(key) for key in ("msg", "retMsg", "message", "error")]
    said = next((word for word in words if isinstance(word, str) and word), "")
    if said and code not in ("0", "00000", "200000", "200"):
        return f"is the venue's error message {show(said)}, no account", False
    return f"has the fields {show(', '.join(list(fields)[:8]))}, which no reader knows", True


def _known(venue: str) -> str:
    if not venue:
        return f"known are payloads of {', '.join(sorted({reader.venue for reader in _candidates('')}))}"
    endpoints = [reader.endpoint for reader in _candidates(venue)]
    return f"known of {venue}: {'; '.join(endpoints)}" if endpoints else f"there is no reader for {venue}"


def _read_bundle(bundle: Fields, venue: str) -> Reading:
    payloads = bundle.raw("payloads")
    if not isinstance(payloads, list) or not payloads:
        raise PayloadError(f"{bundle.where}: payloads must be a list with at least one payload, was {show(payloads)}")
    named = bundle.optional_text("venue") or venue
    _check_venue(named, bundle.where)
    time = bundle.optional_text("time")

    def before(draft: Draft) -> None:
        draft.time = time

    return read_payloads(payloads, bundle.where, named, before=before)  # pyright: ignore[reportUnknownArgumentType]


def _refuse_twice(pairs: list[tuple[str, Any]]) -> Mapping[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for n, name in enumerate(names) if name in names[:n])
        raise PayloadError(f"field {show(twice)} is there twice in one object; which one counts is not clear")
    return table


def _refuse_word(word: str) -> Any:
    raise PayloadError(f"holds {word}, which is no number in JSON")


def _unzip(raw: bytes, label: str) -> bytes:
    try:
        stream = zlib.decompressobj(wbits=31)
        out = stream.decompress(raw, BYTES_MAX + 1)
    except zlib.error:
        raise PayloadError(f"{label}: is damaged: it starts as gzip and cannot be unpacked") from None
    if len(out) <= BYTES_MAX and not stream.eof:
        raise PayloadError(f"{label}: is damaged: the gzip stream ends early")
    return out
