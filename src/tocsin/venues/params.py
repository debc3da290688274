"""
Venues' parameters as dated data: which version applies at a time, and where it comes from.

A parameter set is one JSON file, `data/<venue>/<name>.json`, further versions `data/<venue>/<name>.<label>.json`:

    {"venue": "binance", "what": "...", "valid_from": "2026-09-01", "valid_to": null, "source": "...",
     "authenticity": "...", "unit": "...", ...the values...}

Every number is decoded as `Decimal`, whole ones too: no binary float is ever made. Files are read once a process.
"""

import difflib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache, lru_cache
from importlib import resources
from typing import Any, TypeVar

import msgspec

from tocsin.core.errors import ConfigError
from tocsin.venues import VenueRefusal
from tocsin.venues.contract import Basis, MissingInput

T = TypeVar("T")
NOT_IN_FORCE = "no version covers the time of the account; the nearest is used"
"""Note of a basis whose parameters are not those of the account's time."""

_HEAD = ("venue", "what", "valid_from", "valid_to", "source", "authenticity", "unit")
_DECODER = msgspec.json.Decoder(type=Any, float_hook=Decimal)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ParamSet(msgspec.Struct, frozen=True, kw_only=True):
    """
    One version of a venue's parameters. `values` holds what the file says beside its head, numbers as `Decimal`.

    `is_in_force` is False where no version covers the time asked for and the nearest one stands in. `is_shipped` is
    False for a set that someone made: it alone is looked at.
    """

    venue: str
    name: str
    what: str
    valid_from: str
    valid_to: str | None
    source: str
    authenticity: str
    unit: str
    values: Mapping[str, Any]
    is_in_force: bool = True
    is_shipped: bool = True

    def get(self, *keys: str) -> Any:
        """
        Return the value under a path of keys.

        Raises:
            MissingInput: A key is absent; the message names it, the file and the nearest key.
        """
        value: Any = self.values
        for depth, key in enumerate(keys):
            if not isinstance(value, Mapping) or key not in value:
                known: list[str] = [str(k) for k in value] if isinstance(value, Mapping) else []  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
                path = ".".join(keys[: depth + 1])
                raise MissingInput(path, f"not in {self.venue}/{self.name} of {self.valid_from}{suggest(key, known)}")
            value = value[key]  # pyright: ignore[reportUnknownVariableType]
        return value  # pyright: ignore[reportUnknownVariableType]

    def number(self, *keys: str) -> Decimal:
        """
        Return the number under a path of keys; `MissingInput` where it is absent or not a number.
        """
        value = self.get(*keys)
        if not isinstance(value, Decimal):
            raise MissingInput(".".join(keys), f"{self.venue}/{self.name} of {self.valid_from} has no number there")
        return value

    def decode(self, type: type[T], *keys: str) -> T:  # noqa: A002 - as in msgspec.convert
        """
        Return the value under a path of keys as a typed structure of `Decimal`, text, lists and structs.
        """
        try:
            return msgspec.convert(self.get(*keys), type=type, strict=False)
        except msgspec.ValidationError as error:
            raise ConfigError(f"{self.venue}/{self.name} of {self.valid_from}: {'.'.join(keys)}: {error}") from None

    def basis(self, formula: str, *notes: str) -> Basis:
        """
        Return the record of what a number rests on; says so where no version covers the time.
        """
        late = () if self.is_in_force else (NOT_IN_FORCE,)
        return Basis(
            formula=formula,
            params=f"{self.venue}/{self.name}",
            params_date=self.valid_from,
            source=self.source,
            notes=(*late, *notes),
        )


class Params:
    """
    All parameters of one venue at one time, by name; single sets can be replaced to ask "what if it were that one".
    """

    def __init__(self, venue: str, at: str = "", replaced: Mapping[str, ParamSet] | None = None) -> None:
        self.venue = venue
        self.at = at
        self._replaced = dict(replaced or {})

    def get(self, name: str) -> ParamSet:
        """
        Return the set of this name: the replaced one, else the version valid at the time.
        """
        found = self._replaced.get(name)
        return load(self.venue, name, self.at) if found is None else found

    def replace(self, name: str, chosen: ParamSet) -> "Params":
        """
        Return the same parameters with one set exchanged.
        """
        return Params(self.venue, self.at, {**self._replaced, name: chosen})


def load(venue: str, name: str, at: str = "") -> ParamSet:
    """
    Return the version of a parameter set that is valid at a time.

    Args:
        at: ISO 8601, or milliseconds since 1970 as digits; "" for the latest version.

    Returns:
        The last version that began by then and has not ended; where there is none, the nearest, not `is_in_force`.

    Raises:
        ConfigError: No such set; the message names the nearest.
        VenueRefusal: `at` is not a time.
    """
    found = versions(venue, name)
    if not at:
        return found[-1]
    moment = parse_time(at)
    begun = [v for v in found if parse_time(v.valid_from) <= moment]
    current = [v for v in begun if v.valid_to is None or moment < parse_time(v.valid_to)]
    if current:
        return current[-1]
    return msgspec.structs.replace(begun[-1] if begun else found[0], is_in_force=False)


@cache
def versions(venue: str, name: str) -> tuple[ParamSet, ...]:
    """
    Return all versions of a parameter set, oldest first.
    """
    folder = resources.files("tocsin.venues") / "data" / venue
    files = sorted((f.name for f in folder.iterdir() if f.name.endswith(".json")), key=str) if folder.is_dir() else []
    own = [f for f in files if f.split(".")[0] == name]
    if not own:
        known = sorted({f.split(".")[0] for f in files})
        raise ConfigError(f"no parameters {venue}/{name} are shipped{suggest(name, known)}")
    sets = [_read(venue, name, (folder / f).read_bytes(), f) for f in own]
    return tuple(sorted(sets, key=lambda s: parse_time(s.valid_from)))


def decode_numbers(raw: bytes) -> Any:
    """
    Decode JSON with every number as `Decimal`, also whole ones.
    """
    return _whole(_DECODER.decode(raw))


@lru_cache(maxsize=4096)
def parse_time(text: str) -> datetime:
    """
    Return the moment of an ISO 8601 date or time (UTC where no zone is given) or of milliseconds since 1970.

    Raises:
        VenueRefusal: It is neither.
    """
    try:
        if text.isdigit() and len(text) > 8:
            return _EPOCH + timedelta(milliseconds=int(text))
        if len(text) == 7:
            text += "-01"
        when = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except (ValueError, OverflowError):
        raise VenueRefusal(f"time must be ISO 8601 or milliseconds since 1970, was {text!r}") from None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def suggest(word: str, known: Iterable[str]) -> str:
    """
    Return `; did you mean X, Y?` with the nearest of the known words, "" if none is near.
    """
    names = list(known)
    lower = {n.lower(): n for n in names}
    near = difflib.get_close_matches(word.lower(), lower, n=3, cutoff=0.6)
    near += [n for n in lower if n.startswith(word.lower()) and n not in near][: 3 - len(near)]
    return f"; did you mean {', '.join(lower[n] for n in near)}?" if near else ""


def _read(venue: str, name: str, raw: bytes, file: str) -> ParamSet:
    try:
        body = decode_numbers(raw)
    except msgspec.DecodeError as error:
        raise ConfigError(f"{venue}/{file}: {error}") from None
    lacking = [key for key in _HEAD if key not in body]
    if lacking or body["venue"] != venue:
        raise ConfigError(f"{venue}/{file}: head must have {', '.join(_HEAD)} and venue {venue!r}; lacks {lacking}")
    head = {key: body.pop(key) for key in _HEAD}
    return ParamSet(**head, name=name, values=body)


def _whole(value: Any) -> Any:
    match value:
        case bool():
            return value
        case int():
            return Decimal(value)
        case dict():
            return {str(k): _whole(v) for k, v in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case list():
            return [_whole(v) for v in value]  # pyright: ignore[reportUnknownVariableType]
        case _:
            return value
