"""
What a person types for a question: `BTC long 50M`, `10 BTC`, `10%`, or a file of legs. Read strictly, refused by field.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation, Overflow
from typing import Any

import msgspec

from tocsin.core.errors import ConfigError
from tocsin.venues.contract import NUMBERS
from tocsin.venues.params import decode_numbers, suggest
from tocsin.venues.question import Kind, Part, Question
from tocsin.venues.volatility import find_coin_day, known_coins

_SUFFIX = {"": 0, "k": 3, "m": 6, "mio": 6, "mm": 6, "b": 9, "bn": 9}
_SIZE = re.compile(r"\$?([0-9][0-9_,]*(?:\.[0-9]+)?)\s*([a-z]*)", re.IGNORECASE)
_MONEY = frozenset({"usd", "usdt", "usdc"})
SIZE_FORM = "an amount in USD such as 50M, 250k or 1,000,000, or in coins such as 10BTC"
SIZE_MIN, SIZE_MAX = Decimal("1e-15"), Decimal("1e15")
"""Bounds of every number that a person types."""

DEFAULT_SHARE = Decimal("0.1")
_STRUCTURES = frozenset({"call", "put", "option", "strangle", "straddle", "spread", "pair", "condor", "butterfly"})


class FileLeg(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    One leg: `size` in coins (a number) or as typed (`"50M"`), > 0; `side` long or short; `vol` 0.5 or `"50%"`.
    """

    coin: str
    side: str
    size: Any
    kind: Kind = Kind.PERP
    strike: Decimal | None = None
    days: Decimal | None = None
    vol: Any = None


class QuestionFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    A file: legs, prices by coin (absent: the shipped close), collateral as typed (`"10%"`) or in USD.
    """

    legs: list[FileLeg]
    prices: dict[str, Decimal] = {}
    collateral: Any = None


def read_words(
    words: Sequence[str], *, price: str = "", collateral: str = "", kind: str = "", at: str = ""
) -> Question:
    """
    Return the question of words such as `BTC long 50M` or `ETH short 1000 ETH`; the order of side and size is free.

    Raises:
        ConfigError: A word is missing, unknown or out of range; the message says what is accepted.
    """
    if not words:
        raise ConfigError("name a coin, a side and a size, such as `BTC long 50M`, or a file of legs")
    coin = words[0].upper()
    side, rest = "", [w for w in words[1:] if w]
    for word in list(rest):
        if word.lower() in ("long", "short") and not side:
            side = word.lower()
            rest.remove(word)
    if not side or not rest:
        known = f" {' '.join(words[1:])!r}" if words[1:] else " nothing"
        raise ConfigError(f"after the coin come a side, long or short, and {SIZE_FORM}; was{known}")
    if any(word.lower() in _STRUCTURES for word in rest):
        raise ConfigError(
            f"options and several legs come from a file, such as `tocsin compare strangle.json`, not {rest}"
        )
    prices = {coin: read_price(coin, price)}
    size = read_size(" ".join(rest), coin, prices[coin])
    signed = size if side == "long" else -size
    part = Part(coin=coin, size=signed, kind=read_kind(kind))
    bare = Question(parts=(part,), prices=prices, collateral=Decimal(0), at=at)
    return msgspec.structs.replace(bare, collateral=read_collateral(collateral, bare.notional))


def read_file(raw: bytes, *, prices: Mapping[str, str], collateral: str = "", at: str = "") -> Question:
    """
    Return the question of a file; prices and collateral given here count before the file's.

    Raises:
        ConfigError: The file is no JSON of this form; the message names the field.
    """
    try:
        asked = msgspec.convert(decode_numbers(raw), QuestionFile)
    except msgspec.DecodeError as error:
        refusal = ConfigError(f"the file of legs is not as described: {error}")
        if b'"symbol"' in raw or b'"balances"' in raw:
            refusal.add_note("an account with a venue's symbols goes to `tocsin margin FILE --rules all`")
        raise refusal from None
    if not asked.legs:
        raise ConfigError("legs must hold one leg or more")
    given: dict[str, Decimal] = {}
    for coin in dict.fromkeys(leg.coin.upper() for leg in asked.legs):
        file_price = {k.upper(): v for k, v in asked.prices.items()}.get(coin)
        given[coin] = read_price(coin, prices.get(coin, "" if file_price is None else str(file_price)))
    parts = tuple(_read_leg(leg, f"legs[{i}]", given) for i, leg in enumerate(asked.legs))
    bare = Question(parts=parts, prices=given, collateral=Decimal(0), at=at)
    wanted = collateral or _as_text("collateral", asked.collateral)
    return msgspec.structs.replace(bare, collateral=read_collateral(wanted, bare.notional))


def read_price(coin: str, text: str) -> Decimal:
    """
    Return a coin's price in USD: as typed, else its shipped close.

    Raises:
        ConfigError: It is no number above 0, or none is shipped for the coin; the message names the nearest coins.
    """
    if text:
        return _positive("price", text)
    found = find_coin_day(coin)
    if found is None:
        near = suggest(coin, known_coins())
        raise ConfigError(f"no price of {coin!r} is shipped{near}{'' if near else ';'} or pass --price")
    return found.close


def read_size(text: str, coin: str, price: Decimal) -> Decimal:
    """
    Return a size in coins, > 0, of text in USD (`50M`) or in coins (`10 BTC`).
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ConfigError(f"size must be {SIZE_FORM}, was {text!r}")
    number, word = match[1].replace(",", "").replace("_", ""), match[2].lower()
    in_coins = word.endswith(coin.lower()) and word != ""
    for money in (coin.lower(), *_MONEY):
        word = word.removesuffix(money)
    if word not in _SUFFIX:
        raise ConfigError(f"size must be {SIZE_FORM}, was {text!r}")
    amount = NUMBERS.scaleb(Decimal(number), Decimal(_SUFFIX[word]))
    if not 0 < amount <= SIZE_MAX:
        raise ConfigError(f"size must be above 0 and at most {SIZE_MAX:.0e}, was {text!r}")
    return amount if in_coins else NUMBERS.divide(amount, price)


def read_collateral(text: str, notional: Decimal) -> Decimal:
    """
    Return collateral in USD of `10%` (of the notional) or of an amount; nothing typed is 10 % of the notional.
    """
    if not text:
        return NUMBERS.multiply(notional, DEFAULT_SHARE)
    if text.strip().endswith("%"):
        return NUMBERS.multiply(notional, read_share("collateral", text))
    match = _SIZE.fullmatch(text.strip())
    word = match[2].lower() if match else "?"
    for money in _MONEY:
        word = word.removesuffix(money)
    if match is None or word not in _SUFFIX:
        raise ConfigError(f"collateral must be a share of the notional such as 10%, or USD such as 5M, was {text!r}")
    return NUMBERS.scaleb(Decimal(match[1].replace(",", "").replace("_", "")), Decimal(_SUFFIX[word]))


def read_share(field: str, text: str) -> Decimal:
    """
    Return `50%` or `0.5` as a fraction, > 0.
    """
    percent = text.strip().endswith("%")
    number = _positive(field, text.strip().removesuffix("%").strip())
    return NUMBERS.scaleb(number, Decimal(-2)) if percent else number


def read_kind(text: str) -> Kind:
    """
    Return the kind of a perpetual: perp (nothing typed), linear or inverse.
    """
    accepted = (Kind.PERP, Kind.LINEAR, Kind.INVERSE)
    for kind in accepted:
        if (text or "perp").lower() == kind.value:
            return kind
    raise ConfigError(f"product must be perp, linear or inverse, was {text!r}; options come from a file of legs")


def _read_leg(leg: FileLeg, where: str, prices: Mapping[str, Decimal]) -> Part:
    coin = leg.coin.upper()
    if leg.side not in ("long", "short"):
        raise ConfigError(f"{where}.side must be long or short, was {leg.side!r}")
    if isinstance(leg.size, Decimal):
        if not _is_within(leg.size):
            raise ConfigError(f"{where}.size must be above 0 and at most {SIZE_MAX:.0e} coins, was {leg.size}")
        size = leg.size
    else:
        size = read_size(_as_text(f"{where}.size", leg.size), coin, prices[coin])
    is_option = leg.kind in (Kind.CALL, Kind.PUT)
    values: dict[str, Any] = {"strike": leg.strike, "days": leg.days}
    if leg.vol is not None:
        values["vol"] = read_share(f"{where}.vol", _as_text(f"{where}.vol", leg.vol))
    for name in ("strike", "days", "vol"):
        value = values.get(name)
        if is_option and (value is None or not _is_within(value)):
            raise ConfigError(f"{where}.{name} must be above 0 and at most {SIZE_MAX:.0e} for an option, was {value}")
        if not is_option and value is not None:
            raise ConfigError(f"{where}.{name} is for options; this leg is a {leg.kind}")
    return Part(coin=coin, size=size if leg.side == "long" else -size, kind=leg.kind, **values)


def _as_text(field: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str | Decimal):
        return str(value)
    raise ConfigError(f"{field} must be a number or text, was {value!r}")


def _is_within(value: Decimal) -> bool:
    return value.is_finite() and SIZE_MIN <= value <= SIZE_MAX


def _positive(field: str, text: str) -> Decimal:
    try:
        value = NUMBERS.create_decimal(text.replace(",", "").replace("_", "").removeprefix("$"))
    except (InvalidOperation, Overflow):
        value = Decimal(0)
    if not _is_within(value):
        raise ConfigError(f"{field} must be a number above 0 and at most {SIZE_MAX:.0e}, was {text!r}")
    return value
