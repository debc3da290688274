"""
Venue door, Dango: one liquidation from trigger to bad debt, and the two incidents' regressions.
"""

from fractions import Fraction
from typing import Any, cast

from tocsin.conform.compare import Undefined
from tocsin.conform.inputs import Inputs
from tocsin.conform.numbers import InputError, need_number
from tocsin.venues import VenueRefusal, dango

_RATIO = Fraction(1, 20)
_OTHER = "counterparty"
_PAIR = "pair"


def _micro(field: str, number: Fraction) -> int:
    scaled = number * dango.ONE
    if scaled.denominator != 1:
        raise InputError(f"{field} must have at most 6 decimal places, was {number}")
    return scaled.numerator


def _plain(number: int) -> Fraction:
    return Fraction(number, dango.ONE)


def _read(inputs: Inputs, name: str, default: Fraction | int | None = None) -> int:
    return _micro(f"inputs.{name}", inputs.number(name, default))


def _read_by_pair(inputs: Inputs, name: str, pairs: list[str], default: Fraction | None = None) -> dict[str, int]:
    """
    Read a number per pair: an object, or one number for all.
    """
    raw = inputs.raw(name, default)
    if not isinstance(raw, dict):
        value = default if raw is default and default is not None else inputs.number(name)
        return {pair: _micro(f"inputs.{name}", value) for pair in pairs}
    values = cast("dict[str, Any]", raw)
    out: dict[str, int] = {}
    for pair in pairs:
        field = f"inputs.{name}.{pair}"
        value = need_number(field, values[pair]) if pair in values else default
        if value is None:
            raise InputError(f"{field} must be given, was missing")
        out[pair] = _micro(field, value)
    return out


def _read_offers(field: str, raw: Any) -> list[dango.Offer]:
    """
    Read resting orders as `[[size, price], ...]`.
    """
    if not isinstance(raw, list):
        raise InputError(f"{field} must be a list of [size, price], was {raw!r}")
    out: list[dango.Offer] = []
    for row in cast("list[Any]", raw):
        if not isinstance(row, list) or len(cast("list[Any]", row)) != 2:
            raise InputError(f"{field} must be a list of [size, price], was {row!r}")
        size, price = cast("list[Any]", row)
        offer = dango.Offer(_micro(field, need_number(field, size)), _micro(field, need_number(field, price)))
        if offer.size <= 0:
            raise InputError(f"{field}: sizes must be above 0")
        out.append(offer)
    return out


def _read_books(inputs: Inputs, positions: dict[str, dango.Position]) -> dict[str, list[dango.Offer]]:
    """
    Read the side of the book that a close meets: bids for a long, asks for a short; `book` stands for either.
    """
    sides: dict[str, dict[str, Any]] = {}
    for name in ("book_bids", "book_asks", "book"):
        raw = inputs.raw(name, {})
        if raw == "empty":
            raw = {}
        if not isinstance(raw, dict):
            raise InputError(f"inputs.{name} must be an object of pairs, was {raw!r}")
        sides[name] = cast("dict[str, Any]", raw)
    out: dict[str, list[dango.Offer]] = {}
    for pair, position in positions.items():
        name = "book_bids" if position.size > 0 else "book_asks"
        raw = sides[name].get(pair, sides["book"].get(pair, []))
        out[pair] = _read_offers(f"inputs.{name}.{pair}", raw)
    return out


def run_waterfall(inputs: Inputs) -> dict[str, Any]:
    """
    Liquidate an account whose counterparty holds the exact opposite positions at the same entry prices.
    """
    raw = inputs.object("positions")
    positions: dict[str, dango.Position] = {}
    for pair in raw.names():
        leg = raw.object(pair)
        size = _read(leg, "size")
        if size:
            positions[pair] = dango.Position(size, _read(leg, "entry"))
    names = list(positions)
    oracle = _read_by_pair(inputs, "oracle", names)
    ratios = _read_by_pair(inputs, "mmr", names, _RATIO)
    least = _read_by_pair(inputs, "min_order_size", names, Fraction(0))
    if any(oracle[n] <= 0 or ratios[n] <= 0 for n in names):
        raise InputError("inputs.oracle and inputs.mmr must be above 0")
    pairs = {n: dango.Pair(oracle[n], ratios[n], least[n]) for n in names}
    entries = _read_by_pair(inputs, "counterparty_entry", names, Fraction(0))
    others = {n: [dango.Counterparty(_OTHER, abs(p.size), entries[n] or p.entry)] for n, p in sorted(positions.items())}
    account = dango.Account(_read(inputs, "margin"), dict(positions))
    return _liquidate(inputs, account, pairs, _read_books(inputs, positions), others)


def _liquidate(
    inputs: Inputs,
    account: dango.Account,
    pairs: dict[str, dango.Pair],
    books: dict[str, list[dango.Offer]],
    others: dict[str, list[dango.Counterparty]],
) -> dict[str, Any]:
    other_margin = _read(inputs, "counterparty_margin", 0)
    fee_rate, buffer = _read(inputs, "liquidation_fee_rate", 0), _read(inputs, "buffer", 0)
    out: dict[str, Any] = {
        "equity": _plain(account.equity(pairs)),
        "mm": _plain(account.maintenance(pairs)),
    }
    try:
        done = dango.liquidate(account, pairs, books, others, fee_rate=fee_rate, buffer=buffer)
    except VenueRefusal as refusal:
        keys = ("close", "bankruptcy_price", "fee", "bad_debt", "insurance_delta")
        return {**out, **dict.fromkeys(keys, Undefined(str(refusal)))}
    takes = [take for leg in done.legs for take in leg.takes]
    return {
        **out,
        "close": {leg.pair: _plain(leg.close) for leg in done.legs},
        "bankruptcy_price": {leg.pair: _plain(leg.bankruptcy_price) for leg in done.legs},
        "deleveraged": {leg.pair: _plain(sum(t.size for t in leg.takes)) for leg in done.legs},
        "fee": _plain(done.fee),
        "bad_debt": _plain(done.bad_debt),
        "insurance_delta": _plain(done.fee - done.bad_debt),
        "margin": _plain(account.margin),
        "equity_after": _plain(account.equity(pairs)),
        "counterparty_margin": _plain(other_margin + sum(t.profit for t in takes)),
        "position": {name: _plain(p.size) for name, p in account.positions.items()},
    }


def _read_leg(inputs: Inputs, name: str) -> tuple[Inputs, dango.Position]:
    leg = inputs.object(name)
    side, size = leg.raw("side"), _read(leg, "size")
    if side not in ("long", "short") or size <= 0:
        raise InputError(f"inputs.{name}: side must be long or short and size above 0, was {side!r} of {_plain(size)}")
    return leg, dango.Position(size if side == "long" else -size, _read(leg, "entry"))


def run_regression(inputs: Inputs) -> dict[str, Any]:
    """
    Liquidate one position: the book may not fill beyond its limit, the bankruptcy price divides by the full size.
    """
    leg, position = _read_leg(inputs, "liquidated")
    other, opposite = _read_leg(inputs, "counterparty")
    other.raw("margin", None)
    if position.size * opposite.size > 0:
        raise InputError("inputs.counterparty must hold the other side")
    margin = _read(leg, "margin_after_fees" if leg.has("margin_after_fees") else "margin")
    pair = dango.Pair(_read(inputs, "oracle"), _read(inputs, "mmr", _RATIO), _read(inputs, "min_order_size", 0))
    book = _read_resting(inputs, position)
    account = dango.Account(margin, {_PAIR: position})
    equity = account.equity({_PAIR: pair})
    outputs = _liquidate(
        inputs,
        account,
        {_PAIR: pair},
        {_PAIR: book},
        {_PAIR: [dango.Counterparty(_OTHER, abs(opposite.size), opposite.entry)]},
    )
    if isinstance(outputs["close"], Undefined):
        return outputs
    close, price = outputs["close"][_PAIR], outputs["bankruptcy_price"][_PAIR]
    taken = outputs["deleveraged"][_PAIR]
    side = 1 if position.size > 0 else -1
    wrong = dango.bankruptcy_price(equity, side * _micro("close", close), pair.oracle)
    missed = taken == close
    return {
        **outputs,
        "close": close,
        "bankruptcy_price": price,
        "bankruptcy_price_positive": price > 0,
        "adl_price": price,
        "ask_must_not_fill": missed,
        "bid_must_not_fill": missed,
        "adl_pnl_liquidated": side * taken * (price - _plain(position.entry)),
        "adl_pnl_counterparty": side * taken * (_plain(opposite.entry) - price),
        "wrong_price_if_divided_by_close": _plain(wrong),
    }


def _read_resting(inputs: Inputs, position: dango.Position) -> list[dango.Offer]:
    name = "resting_bid" if position.size > 0 else "resting_ask"
    inputs.raw("book", "empty")
    if not inputs.has(name):
        return []
    order = inputs.object(name)
    return [dango.Offer(_read(order, "size"), _read(order, "price"))]


RULES = {"liquidation_waterfall": run_waterfall, "adl_regression": run_regression}
