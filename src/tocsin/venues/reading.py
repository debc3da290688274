"""
What a payload says: the account's inputs, and beside them, never mixed, what the venue and a connector computed.

A venue's reader (`readers/<venue>.py`) goes through the elements of a payload with `Fields`, which refuses what is
missing, malformed or beyond any account, and puts what it finds into a `Draft`:

    def read_position(element: Fields, draft: Draft) -> None:
        leg = draft.add_leg(Leg(symbol=element.text("symbol"), size=element.number("size"), ...))
        draft.report(leg, "maintenance", element.optional("positionMM"), "positionMM")
        draft.report_price(leg, element, "liqPrice")

    READERS = (Reader(venue="bybit", endpoint="/v5/position/list", path=("result", "list"),
                      keys=("symbol", "positionIM", "positionMM"), read=read_position),)
    def finish(draft: Draft) -> Draft: ...   # optional: the rulebook's name, the account's mode, what legs share

Quantities have one name at every venue: "initial", "maintenance", "liquidation", "equity", "ratio" (the venue's own
health ratio), "unrealised", "isolated_collateral", "notional", "available", "orders"; others carry the venue's name.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from tocsin.core.errors import DataError
from tocsin.venues.contract import Balance, Leg, Mode, Portfolio
from tocsin.venues.params import suggest

ACCOUNT = -1
"""The place of a figure that belongs to the account, not to a leg."""

LIMIT = Decimal("1e24")
FINEST = Decimal("1e-36")
"""Bounds of a number in a payload: |x| is 0, or between these. Beyond them a field is damaged, not large."""

POSITIONS_MAX = 10_000
_DIGITS_MAX = 80
_DIGITS_APART = re.compile(r"-?\d*(\d ?\.|\. )\d+")
_TEXT_MAX = 200


class PayloadError(DataError):
    """A payload cannot be read: the message names the place, the field, its value and what is accepted."""


class SlipOfCopy(PayloadError):
    """A number with a blank inside ("28 .21"): no venue writes it, whoever copied the payload did."""


class MissingField(PayloadError):
    """A field that a reader needs is absent, null or empty; one that is there and damaged is a `PayloadError`."""


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """
    One number of a payload. `leg` is the place in `Portfolio.legs`, or `ACCOUNT`; `value` None says "there is none"
    (a liquidation price), in whatever spelling; `field` is the payload's own name for it; `unit` "" means settlement.
    """

    leg: int
    quantity: str
    value: Decimal | None
    field: str
    unit: str = ""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """
    One account as a payload shows it.

    Attributes:
        portfolio: Inputs only: nothing in it was computed by the venue, except `equity` where balances are absent.
        rules: Rulebook that governs the account ("bybit-isolated"), "" if the payload does not tell.
        reported: What the venue computed. derived: what a connector filled in (ccxt's unified fields).
        prices: Per leg, every price in the payload by its field, for the question which one the venue used.
        moments: Time stamps by the place that carries them, as written; they should be one moment.
        label: Where it comes from, for people ("file.json, record 3 (by-snx-25x)").
        notes: Things the reader assumed or saw.
        set_aside: Per leg of a cross position, money that the payload shows as its own all the same, without
            unrealised profit: evidence that the mode is not what it says.
        records: Names of the records it was read from, () for a payload.
    """

    portfolio: Portfolio
    rules: str = ""
    reported: tuple[Figure, ...] = ()
    derived: tuple[Figure, ...] = ()
    prices: Mapping[int, Mapping[str, Decimal]] = {}
    moments: Mapping[str, str] = {}
    label: str = ""
    notes: tuple[str, ...] = ()
    set_aside: Mapping[int, Decimal] = {}
    records: tuple[str, ...] = ()
    raw: Any = None


class Fields:
    """
    One JSON object of a payload, read field by field; every refusal names the place and the field.

    Numbers may be JSON numbers (decoded as `Decimal`) or texts; text with a sign, digits, a point and an exponent.
    """

    __slots__ = ("_object", "where")

    def __init__(self, value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise PayloadError(f"{where} must be a JSON object, was {show(value)}")
        self._object: dict[str, Any] = value  # pyright: ignore[reportUnknownMemberType]
        self.where = where

    def __contains__(self, name: str) -> bool:
        return name in self._object

    def names(self) -> tuple[str, ...]:
        """
        Return the names of the object's fields, as written.
        """
        return tuple(self._object)

    def raw(self, name: str) -> Any:
        """
        Return a field as decoded, None if absent.
        """
        return self._object.get(name)

    def has(self, *names: str) -> bool:
        """
        Tell whether every field is there and is neither null nor "".
        """
        return all(self._object.get(name) not in (None, "") for name in names)

    def number(self, *names: str) -> Decimal:
        """
        Return the number in the first of these fields that is there.

        Raises:
            PayloadError: None is there, or it is no finite number within bounds.
        """
        value = self.optional(*names)
        if value is None:
            raise MissingField(f"{self.where}: {' or '.join(names)} is missing{self._near(names)}; a number is needed")
        return value

    def optional(self, *names: str) -> Decimal | None:
        """
        Return the number in the first of these fields that is there, None if none is (absent, null or "").
        """
        for name in names:
            value = self._object.get(name)
            if value is not None and value != "":
                return to_number(value, f"{self.where}: {name}")
        return None

    def positive(self, *names: str) -> Decimal:
        """
        Return the number in the first of these fields that is there; it must be above 0 (a price, a contract size).
        """
        value = self.number(*names)
        if value <= 0:
            raise PayloadError(f"{self.where}: {self.first(*names)} must be above 0, was {value}")
        return value

    def optional_positive(self, *names: str) -> Decimal | None:
        """
        Return the number in the first of these fields that is there, None if none is or it is 0; below 0 is refused.
        """
        value = self.optional(*names)
        if value is not None and value < 0:
            raise PayloadError(f"{self.where}: {self.first(*names)} must not be below 0, was {value}")
        return value or None

    def price(self, *names: str) -> Decimal | None:
        """
        Return a liquidation price, None where the venue writes "none": null, "", 0, a negative number, or -1.
        """
        value = self.optional(*names)
        return value if value is not None and value > 0 else None

    def text(self, *names: str) -> str:
        """
        Return the text in the first of these fields that is there; it must not be empty.
        """
        value = self.optional_text(*names)
        if not value:
            raise MissingField(f"{self.where}: {' or '.join(names)} is missing{self._near(names)}; a text is needed")
        return value

    def optional_text(self, *names: str) -> str:
        """
        Return the text in the first of these fields that is there, whole numbers as their digits; "" if none is.
        """
        for name in names:
            value = self._object.get(name)
            if value is None or value == "":
                continue
            if isinstance(value, Decimal) and value.copy_abs() < LIMIT and value == value.to_integral_value():
                return format(value.quantize(Decimal(1)), "f")
            if not isinstance(value, str) or len(value) > _TEXT_MAX or not value.isprintable():
                raise PayloadError(f"{self.where}: {name} must be a text of printable signs, was {show(value)}")
            return value
        return ""

    def choice(self, name: str, known: Mapping[str, Any]) -> Any:
        """
        Return what a text stands for in a table of the venue's words; letters' case does not count.
        """
        word = self.text(name)
        table = {key.lower(): value for key, value in known.items()}
        if word.lower() not in table:
            accepted = ", ".join(map(repr, known))
            raise PayloadError(f"{self.where}: {name} must be one of {accepted}, was {show(word)}")
        return table[word.lower()]

    def flag(self, name: str) -> bool | None:
        """
        Return a true/false field, also spelled "true", "TRUE", "1", 1; None if absent.
        """
        value = self._object.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, bool):
            return value
        word = str(value).lower()
        if word not in ("true", "false", "0", "1", "on", "off"):
            raise PayloadError(f"{self.where}: {name} must be true or false, was {show(value)}")
        return word in ("true", "1", "on")

    def inner(self, name: str) -> "Fields":
        """
        Return the object in a field.
        """
        if name not in self._object:
            raise MissingField(f"{self.where}: {name} is missing{self._near((name,))}; an object is needed")
        return Fields(self._object[name], f"{self.where}: {name}")

    def each(self, name: str) -> tuple["Fields", ...]:
        """
        Return the objects of the list in a field, () if the field is absent.
        """
        value = self._object.get(name)
        if value is None:
            return ()
        if not isinstance(value, list):
            raise PayloadError(f"{self.where}: {name} must be a list of objects, was {show(value)}")
        return tuple(Fields(item, f"{self.where}: {name}[{n}]") for n, item in enumerate(value))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]

    def first(self, *names: str) -> str:
        """
        Return the first of these names whose field is there, else the first name.
        """
        return next((name for name in names if self._object.get(name) not in (None, "")), names[0])

    def _near(self, names: Iterable[str]) -> str:
        for name in names:
            if near := suggest(name, [known for known in self._object if known != name]):
                return near
        return ""


@dataclass
class Draft:
    """
    A reading in the making: what the payloads of one account have said so far. Legs keep their order.

    `connector` is the connector's view of the element that is being read (ccxt's unified position), None without one:
    a reader may take from it what no payload of the venue says, such as a contract's size.
    """

    venue: str
    label: str = ""
    rules: str = ""
    mode: Mode = Mode.CROSS
    valuation: str = "USD"
    time: str = ""
    equity: Decimal | None = None
    other_maintenance: Decimal | None = None
    other_unrealised: Decimal | None = None
    legs: list[Leg] = field(default_factory=list[Leg])
    balances: dict[str, Balance] = field(default_factory=dict[str, Balance])
    extra: dict[str, Decimal] = field(default_factory=dict[str, Decimal])
    reported: list[Figure] = field(default_factory=list[Figure])
    derived: list[Figure] = field(default_factory=list[Figure])
    prices: dict[int, dict[str, Decimal]] = field(default_factory=dict[int, dict[str, Decimal]])
    moments: dict[str, str] = field(default_factory=dict[str, str])
    notes: list[str] = field(default_factory=list[str])
    set_aside: dict[int, Decimal] = field(default_factory=dict[int, Decimal])
    records: list[str] = field(default_factory=list[str])
    raw: Any = None
    connector: "Fields | None" = None

    def add_leg(self, leg: Leg, moment: str = "") -> int:
        """
        Add a leg and return its place; `moment` is the time stamp its element carries.

        Raises:
            PayloadError: A leg of the same symbol, side, mode and kind is there already; or there are too many.
        """
        if len(self.legs) >= POSITIONS_MAX:
            raise PayloadError(f"{self.label}: more than {POSITIONS_MAX} positions; split the file by account")
        key = (leg.symbol, leg.hedge_side, leg.mode, leg.settle)
        if key in self._seen:
            side = f" {leg.hedge_side}" if leg.hedge_side else ""
            raise PayloadError(f"{self.label}: position {leg.symbol}{side} is there twice; give each position once")
        self._seen.add(key)
        self.legs.append(leg)
        place = len(self.legs) - 1
        self._places.setdefault((leg.symbol, leg.hedge_side), place)
        if moment:
            self.moments[f"{leg.symbol}{f' {leg.hedge_side}' if leg.hedge_side else ''}"] = moment
        return place

    def place_of(self, symbol: str, hedge_side: str = "") -> int | None:
        """
        Return the place of the first leg of a symbol and side, None if there is none yet.
        """
        return self._places.get((symbol, hedge_side))

    def told(self, place: int) -> frozenset[str]:
        """
        Return the quantities that are reported of a leg so far.
        """
        return frozenset(self._told.get(place, ()))

    def add_balance(self, balance: Balance) -> None:
        """
        Add an asset's balance; an asset that is there already is refused.
        """
        if balance.asset in self.balances:
            raise PayloadError(f"{self.label}: balance of {balance.asset} is there twice; give each asset once")
        self.balances[balance.asset] = balance

    def report(self, leg: int, quantity: str, value: Decimal | None, name: str, unit: str = "") -> None:
        """
        Note what the venue computed; None is left out (the payload does not tell). For prices see `report_price`.
        """
        if value is not None:
            self.reported.append(Figure(leg=leg, quantity=quantity, value=value, field=name, unit=unit))
            self._told.setdefault(leg, set()).add(quantity)

    def report_price(self, leg: int, element: Fields, *names: str) -> None:
        """
        Note the liquidation price in the first of these fields that exists; "none" in any spelling is noted as None.
        """
        name = next((n for n in names if n in element), "")
        if name:
            value = element.price(name)
            self.reported.append(Figure(leg=leg, quantity="liquidation", value=value, field=name))
            self._told.setdefault(leg, set()).add("liquidation")

    def derive(self, leg: int, quantity: str, value: Decimal | None, name: str) -> None:
        """
        Note what a connector filled in.
        """
        if value is not None:
            self.derived.append(Figure(leg=leg, quantity=quantity, value=value, field=name))

    def see_price(self, leg: int, name: str, value: Decimal | None) -> None:
        """
        Note a price of the leg's market under its field's name.
        """
        if value is not None and value > 0:
            self.prices.setdefault(leg, {})[name] = value

    def replace_leg(self, place: int, leg: Leg) -> None:
        """
        Exchange the leg at a place, as when a second payload tells more about it.
        """
        self.legs[place] = leg

    def reading(self) -> Reading:
        """
        Return the finished reading; the draft may go on.
        """
        portfolio = Portfolio(
            venue=self.venue,
            legs=tuple(self.legs),
            balances=tuple(self.balances.values()),
            mode=self.mode,
            valuation=self.valuation,
            equity=self.equity,
            other_maintenance=self.other_maintenance,
            other_unrealised=self.other_unrealised,
            time=self.time,
            extra=dict(self.extra),
        )
        return Reading(
            portfolio=portfolio,
            rules=self.rules,
            reported=tuple(self.reported),
            derived=tuple(self.derived),
            prices={place: dict(found) for place, found in self.prices.items()},
            moments=dict(self.moments),
            label=self.label,
            notes=tuple(self.notes),
            set_aside=dict(self.set_aside),
            records=tuple(self.records),
            raw=self.raw,
        )

    def __post_init__(self) -> None:
        self._seen: set[tuple[str, str, str, str]] = set()
        self._places: dict[tuple[str, str], int] = {}
        self._told: dict[int, set[str]] = {}


@dataclass(frozen=True, slots=True)
class Reader:
    """
    How to read one endpoint of one venue.

    Attributes:
        venue: First word of its rulebooks' names.
        endpoint: For people ("GET /fapi/v3/positionRisk").
        path: Fields to follow to the elements ("result", "list"); () where the payload itself is the list or object.
        keys: Fields that every element has and that tell this endpoint from all others.
        read: Puts one element into the draft.
        holds: "positions" or "account": account elements are read first, so that positions can look at them.
        absent: Fields that tell another endpoint: an element with one of them is not this one's.
    """

    venue: str
    endpoint: str
    path: tuple[str, ...]
    keys: tuple[str, ...]
    read: Callable[[Fields, Draft], None]
    holds: str = "positions"
    absent: tuple[str, ...] = ()

    def elements(self, payload: Any) -> list[Any] | None:
        """
        Return the payload's elements if it has this reader's shape, else None. An empty list has no shape.
        """
        found = payload
        for step in self.path:
            if not isinstance(found, dict) or step not in found:
                return None
            found = found[step]  # pyright: ignore[reportUnknownVariableType]
        items: list[Any] = found if isinstance(found, list) else [found]  # pyright: ignore[reportUnknownVariableType]
        if not items or not all(self.fits(item) for item in items):
            return None
        return items

    def fits(self, item: Any) -> bool:
        """
        Tell whether one element has this endpoint's fields.
        """
        if not isinstance(item, dict):
            return False
        return all(key in item for key in self.keys) and not any(key in item for key in self.absent)


def to_number(value: Any, where: str) -> Decimal:
    """
    Return a payload's number exactly.

    Raises:
        PayloadError: Not a number, not finite, beyond `LIMIT`, finer than `FINEST`, or a text longer than 80 signs.
    """
    if isinstance(value, str) and len(value) <= _DIGITS_MAX and value.isascii() and "_" not in value:
        try:
            number = Decimal(value)
        except InvalidOperation:
            kind = SlipOfCopy if _DIGITS_APART.fullmatch(value) else PayloadError
            raise kind(f"{where} must be a number, was {show(value)}") from None
    elif isinstance(value, Decimal):
        number = value
    elif isinstance(value, int) and not isinstance(value, bool):
        number = Decimal(value)
    else:
        raise PayloadError(f"{where} must be a number, was {show(value)}")
    if not number.is_finite():
        raise PayloadError(f"{where} must be a finite number, was {show(value)}")
    if number and not FINEST <= number.copy_abs() <= LIMIT:
        raise PayloadError(f"{where} must be 0 or between {FINEST} and {LIMIT} in size, was {show(value)}")
    return number


def show(value: Any) -> str:
    """
    Return a value for an error message: at most 60 signs, printable ASCII.
    """
    text = ascii(value) if isinstance(value, str) else str(value)
    text = ascii(text)[1:-1] if not text.isascii() or not text.isprintable() else text
    return text if len(text) <= 60 else f"{text[:57]}..."
