"""
Recorded positions and accounts with their sources: one JSON object each, the venue's own payload under `raw`.

    {"id": "by-snx-25x", "venue": "bybit", "symbol": "SNXUSDT", "side": "long", "contracts": 2, ..., "raw": {...},
     "account": {"group": "...", ...}, "timestamp": 1672364174449, "note": "...", "source": "..."}

What `raw` says counts. The normalised fields beside it are the collector's: they fill inputs that `raw` lacks, and
stand in the connector's column. Records of one `account.group` are one account.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from tocsin.venues import VenueRefusal
from tocsin.venues.contract import NUMBERS, Balance, Leg, Mode, Product
from tocsin.venues.readers import finish_of
from tocsin.venues.readers.files import Broken, Found, Skip, find_reader, read_payloads
from tocsin.venues.readers.names import moment, option_terms, underlying_of
from tocsin.venues.readers.record_money import read_deduction, read_money
from tocsin.venues.readers.refine import refine_account, refine_leg
from tocsin.venues.readers.tables import Table, find_tables, read_table_record
from tocsin.venues.reading import (
    ACCOUNT,
    Draft,
    Fields,
    MissingField,
    PayloadError,
    Reader,
    Reading,
    SlipOfCopy,
    to_number,
)

PRODUCTS = {
    "linear": Product.LINEAR,
    "inverse": Product.INVERSE,
    "option": Product.OPTION,
    "option_inverse": Product.OPTION_INVERSE,
    "margin": Product.SPOT_MARGIN,
}
MODES = {"cross": Mode.CROSS, "isolated": Mode.ISOLATED, "portfolio": Mode.PORTFOLIO}

RULES: Mapping[str, tuple[str, str, str]] = {
    "binance_usdm": ("binance", "binance-usdm", "binance-usdm"),
    "binance_coinm": ("binance", "binance-coinm", "binance-coinm"),
    "bybit": ("bybit", "bybit", "bybit-isolated"),
    "okx": ("okx", "okx-cross", "okx-isolated"),
    "deribit": ("deribit", "deribit-sm", "deribit-sm"),
    "derive": ("derive", "derive-sm", "derive-sm"),
    "hyperliquid": ("hyperliquid", "hyperliquid", "hyperliquid-isolated"),
    "kucoin_futures": ("kucoin", "kucoin", "kucoin"),
}
"""A record's venue -> venue, rulebook of its cross positions, rulebook of its isolated ones."""

_RAW: Mapping[str, tuple[str, ...]] = {
    name: tuple(words.split())
    for name, words in {
        "initialMargin": "positionIM positionInitialMargin initialMargin imr im initial_margin marginUsed",
        "maintenanceMargin": "positionMM maintMargin mmr mm maintenance_margin totalMaintenanceMargin",
        "marginRatio": "mgnRatio marginRatio risk_rate",
        "markPrice": "markPrice markPx mark_price mark marketPrice",
        "entryPrice": "entryPrice avgPrice avgPx entryPx average_price avg_entry_price entry_price entry",
        "indexPrice": "indexPrice index_price indexPx",
        "unrealizedPnl": "unRealizedProfit unrealizedProfit unrealisedPnl unrealizedPnl upl unrealized_pnl",
        "liquidationPrice": "liquidationPrice liqPrice liqPx liquidationPx estimated_liquidation_price "
        "liquidation_price liq_price liquidatePrice est_liq_price estLiquidationPrice flp liq",
        "otherPrice": "last lastPrice last_price oraclePrice oracle_price settlement_price settle_price bustPrice",
    }.items()
}
"""What venues call a normalised field. A raw field counts only where the collector filled the normalised one too."""

_NOTIONAL = ("notional", "positionValue", "position_value", "notionalUsd", "value", "current_value", "markValue")
_FIGURES = (("initial", "initialMargin"), ("maintenance", "maintenanceMargin"), ("ratio", "marginRatio"))
_EQUITY_FIELDS = ("marginUsed",)
"""Fields that hold an isolated position's equity, not its initial margin."""

_MODE_HIDDEN = ("bybit",)
"""Venues whose position payload does not tell the margin mode; the collector's word "isolated" counts there."""
_MARGIN_HOLDS_PROFIT = ("binance", "hyperliquid", "kucoin")
"""Venues whose isolated margin already contains the unrealised profit."""


def is_records(value: Any) -> Sequence[Any] | None:
    """
    Return the records of a record file, of a list of records, or a record by itself; None for another form.
    """
    if isinstance(value, dict) and isinstance(value.get("records"), list):  # pyright: ignore[reportUnknownMemberType]
        return value["records"]  # pyright: ignore[reportUnknownVariableType]
    items: list[Any] = value if isinstance(value, list) else [value]  # pyright: ignore[reportUnknownVariableType]
    if items and all(
        isinstance(item, dict) and "venue" in item and ("raw" in item or "tiers" in item) for item in items
    ):
        return items
    return None


def read_records(records: Sequence[Any], label: str) -> Found:
    """
    Return the accounts of a list of records: groups as one, each other record by itself; nothing is left out silently.
    """
    readings: list[Reading] = []
    skipped: list[Skip] = []
    broken: list[Broken] = []
    groups: dict[tuple[str, str], list[Fields]] = {}
    tables: list[Table] = []
    seen: set[str] = set()
    for place, item in enumerate(records):
        where = f"{label}, record {place}"
        try:
            record = Fields(item, where)
            name = record.optional_text("id")
            record = Fields(item, f"{where} ({name})" if name else where)
            if "tiers" in record:
                tables += read_table_record(record)
                continue
            if reason := _no_account(record):
                skipped.append(Skip(record.where, reason))
                continue
            if name and name in seen:
                raise PayloadError(f"{record.where}: id is there twice; give each record once")
            seen.add(name)
            inner = record.raw("raw")
            if isinstance(inner, dict) and "raw" in inner and "contracts" in inner:
                record = Fields(inner, record.where)
            if "contracts" not in record:
                if found := tuple(find_tables(record.raw("raw"), record.where)):
                    tables += found
                else:
                    _read_other(record, readings, skipped)
                continue
            if record.raw("contracts") is None:
                skipped.append(Skip(record.where, "contracts is null: the size of the position is not published"))
                continue
            group = ""
            if record.raw("account") is not None:
                group = record.inner("account").optional_text("group")
            key = (record.text("venue"), group or f"\0{place}")
            groups.setdefault(key, []).append(record)
        except SlipOfCopy as error:
            skipped.append(Skip(where, f"source error: {error}"))
        except (PayloadError, VenueRefusal) as error:
            broken.append(Broken(where, str(error)))
    for members in groups.values():
        try:
            readings.append(_read_group(members))
        except SlipOfCopy as error:
            skipped.append(Skip(members[0].where, f"source error: {error}"))
        except (PayloadError, VenueRefusal) as error:
            broken.append(Broken(members[0].where, str(error)))
    return Found(tuple(readings), tuple(skipped), tuple(broken), tuple(tables))


def _no_account(record: Fields) -> str:
    """
    Return why a record holds no account, "" if it should hold one.
    """
    inner = record.raw("raw")
    if "expected" in record:
        return "a recomputed value for tests, no account"
    if "model" in record:
        return "a reference case for `tocsin conform`, no account"
    if "instrument" in record and not (isinstance(inner, dict) and "contracts" in inner):
        return "an option's market data, no position"
    return ""


def _read_other(record: Fields, readings: list[Reading], skipped: list[Skip]) -> None:
    """
    Read an account record by its payload, or note why it is left out.
    """
    venue = RULES.get(record.text("venue"), (record.text("venue"),))[0]
    try:
        reading = read_payloads([record.raw("raw")], record.where, venue)
    except PayloadError as error:
        text = str(error)
        if not any(words in text for words in ("no reader", "no account", "an empty list")):
            raise
        kind = record.optional_text("kind") or "payload"
        skipped.append(Skip(record.where, f"no reader for this {kind} of {venue}"))
        return
    name = record.optional_text("id")
    readings.append(msgspec.structs.replace(reading, records=(name,) if name else ()))


def _read_group(members: Sequence[Fields]) -> Reading:
    first = members[0]
    venue_word = first.text("venue")
    venue, cross, isolated = RULES.get(venue_word, (venue_word, venue_word, f"{venue_word}-isolated"))
    label = first.where if len(members) == 1 else f"{first.where} and {len(members) - 1} more of one account"
    draft = Draft(venue=venue, label=label, raw=[m.raw("raw") for m in members])
    used: Reader | None = None
    for record in members:
        reader = find_reader(record.raw("raw"), venue)
        if reader is not None and _read_by(reader, record, draft):
            used = reader
        else:
            _read_position(record, draft)
        draft.records.append(record.optional_text("id"))
        stamp = moment(_stamp(record))
        draft.time = draft.time or (stamp.isoformat().replace("+00:00", "Z") if stamp else "")
        if note := record.optional_text("note"):
            draft.notes.append(f"the collector's note: {note}")
            read_deduction(note, draft)
    alone = all(leg.mode is Mode.ISOLATED for leg in draft.legs)
    if used is not None:
        finish_of(venue, used)(draft)
    if not draft.rules:
        draft.rules = isolated if alone else cross
        draft.mode = Mode.ISOLATED if alone else Mode.CROSS
    account = first.inner("account") if first.raw("account") is not None else None
    if account is not None:
        _read_account(account, draft)
    raw = Fields(first.raw("raw") or {}, f"{first.where}: raw")
    if venue == "binance":
        read_money(account, raw, draft)
    refine_account(account, raw, draft)
    return draft.reading()


def _read_by(reader: Reader, record: Fields, draft: Draft) -> bool:
    """
    Put a position into the draft by its venue's reader of `raw`; False where `raw` is too short an excerpt for it.

    What the excerpt lacks is taken from the collector's fields, if these are not null.
    """
    one = Draft(venue=draft.venue, label=record.where)
    try:
        reader.read(Fields(record.raw("raw"), f"{record.where}: raw"), one)
    except PayloadError as error:
        if not isinstance(error, MissingField) and " must " in str(error):
            raise
        return False
    if len(one.legs) != 1 or one.legs[0].size == 0:
        return False
    leg = one.legs[0]
    fill: dict[str, Any] = {
        "entry": record.optional_positive("entryPrice"),
        "mark": record.optional_positive("markPrice"),
        "index": record.optional_positive("indexPrice"),
        "leverage": record.optional_positive("leverage"),
        "maintenance_rate": record.optional("maintenanceMarginPercentage"),
        "isolated_collateral": _isolated(record, draft.venue, leg.mode, record.optional("unrealizedPnl")),
    }
    changes = {name: value for name, value in fill.items() if value is not None and getattr(leg, name) is None}
    if leg.product is Product.SPOT_MARGIN:
        # The reader knows whether the margin is inside the position.
        changes.pop("isolated_collateral", None)
    size = record.optional_positive("contractSize")
    if size is not None and leg.contract_size == 1:
        changes["contract_size"] = size
    if draft.venue in _MODE_HIDDEN and record.optional_text("marginMode") == "isolated":
        changes["mode"] = Mode.ISOLATED
        if leg.isolated_collateral is None:
            changes["isolated_collateral"] = _isolated(
                record, draft.venue, Mode.ISOLATED, record.optional("unrealizedPnl")
            )
    place = draft.add_leg(msgspec.structs.replace(leg, **changes), next(iter(one.moments.values()), ""))
    draft.time = draft.time or one.time
    draft.reported += [msgspec.structs.replace(f, leg=place if f.leg == 0 else f.leg) for f in one.reported]
    for name, value in one.prices.get(0, {}).items():
        draft.see_price(place, name, value)
    draft.notes += one.notes
    draft.extra.update(one.extra)
    draft.equity = one.equity if draft.equity is None else draft.equity
    if 0 in one.set_aside:
        draft.set_aside[place] = one.set_aside[0]
    draft.rules, draft.mode = draft.rules or one.rules, one.mode
    _derive(record, draft, place)
    return True


def _read_position(record: Fields, draft: Draft) -> None:
    """
    Put one position into the draft: inputs from `raw` first, what the venue and the collector say of its margin.
    """
    raw = Fields(record.raw("raw") if record.raw("raw") is not None else {}, f"{record.where}: raw")
    symbol = record.text("symbol")
    if draft.venue == "hyperliquid" and raw.has("coin"):
        symbol = raw.text("coin")
    size = record.optional("contracts")
    if size is None:
        raise PayloadError(f"{record.where}: contracts is missing; the size of the position is needed")
    if size < 0:
        raise PayloadError(f"{record.where}: contracts must not be below 0 beside side, was {size}")
    side = record.choice("side", {"long": 1, "short": -1, "buy": 1, "sell": -1})
    product = record.choice("product", PRODUCTS) if record.has("product") else Product.LINEAR
    mode = record.choice("marginMode", MODES) if record.has("marginMode") else Mode.CROSS
    stamp = moment(_stamp(record))
    time = stamp.isoformat().replace("+00:00", "Z") if stamp else ""
    draft.time = draft.time or time
    mark, entry, index = (_input(record, raw, name) for name in ("markPrice", "entryPrice", "indexPrice"))
    profit = _input(record, raw, "unrealizedPnl", signed=True)
    leverage = (record if "leverage" in record else raw).optional_positive("leverage", "lever")
    leg = Leg(
        symbol=symbol,
        underlying=underlying_of(symbol),
        product=product,
        size=size * side,
        contract_size=record.optional_positive("contractSize") or Decimal(1),
        settle=record.optional_text("settle"),
        entry=entry,
        mark=mark,
        index=index,
        leverage=leverage,
        mode=mode,
        isolated_collateral=_isolated(record, draft.venue, mode, profit),
        hedge_side=_hedge_side(raw),
        maintenance_rate=record.optional("maintenanceMarginPercentage"),
        deduction=raw.optional("cum", "mmDeduction"),
        option=option_terms(symbol, time) if product in (Product.OPTION, Product.OPTION_INVERSE) else None,
    )
    place = draft.add_leg(refine_leg(raw, leg, draft), _stamp(record))
    _report(record, raw, draft, place)
    _see_prices(raw, draft, place, leg, profit)


def _report(record: Fields, raw: Fields, draft: Draft, place: int) -> None:
    isolated = draft.legs[place].mode is Mode.ISOLATED
    for quantity, name in _FIGURES:
        value = record.optional(name)
        if value is None:
            continue
        field, exact = _find_raw(raw, name, value)
        held = "isolated_equity" if isolated and field in _EQUITY_FIELDS else quantity
        draft.report(place, held, abs(exact) if draft.venue == "derive" else exact, field)
    field = next((n for n in _RAW["liquidationPrice"] if n in raw), "")
    if field:
        draft.report_price(place, raw, field)
    elif record.has("liquidationPrice"):
        draft.report_price(place, record, "liquidationPrice")
    _derive(record, draft, place)


def _derive(record: Fields, draft: Draft, place: int) -> None:
    """
    Put the collector's normalised figures into the connector's column, where the venue reports the same.
    """
    for quantity, name in (*_FIGURES, ("liquidation", "liquidationPrice")):
        value = record.price(name) if quantity == "liquidation" else record.optional(name)
        if value is not None and any(f.leg == place and f.quantity == quantity for f in draft.reported):
            draft.derive(place, quantity, abs(value) if draft.venue == "derive" else value, name)


def _find_raw(raw: Fields, name: str, value: Decimal) -> tuple[str, Decimal]:
    """
    Return the raw field behind a normalised one, and its value; the normalised one itself where `raw` has none.
    """
    for alias in _RAW[name]:
        if isinstance(raw.raw(alias), (str, Decimal)) and raw.has(alias):
            return alias, raw.number(alias)
    for alias in raw.names():
        if isinstance(raw.raw(alias), (str, Decimal)):
            try:
                found = to_number(raw.raw(alias), alias)
            except PayloadError:
                continue
            if found and abs(found - value) <= abs(value) * Decimal("1e-12"):
                return alias, found
    return name, value


def _input(record: Fields, raw: Fields, name: str, *, signed: bool = False) -> Decimal | None:
    """
    Return an input: the raw field, unless the collector left the normalised one out as unusable (null).
    """
    if name in record and record.raw(name) is None:
        return None
    read = Fields.optional if signed else Fields.optional_positive
    value = read(raw, *(a for a in _RAW[name] if not isinstance(raw.raw(a), dict)))
    return read(record, name) if value is None else value


def _isolated(record: Fields, venue: str, mode: Mode, profit: Decimal | None) -> Decimal | None:
    """
    Return the money set aside for an isolated position without unrealised profit, None if the record does not tell.
    """
    if mode is not Mode.ISOLATED:
        return None
    wallet = record.optional("isolatedWallet") if venue != "hyperliquid" else None
    if wallet is not None:
        return wallet
    margin = record.optional("collateral")
    if margin is None or venue not in _MARGIN_HOLDS_PROFIT:
        return margin
    return None if profit is None else NUMBERS.subtract(margin, profit)


def _hedge_side(raw: Fields) -> str:
    word = raw.optional_text("positionSide", "posSide", "holdSide").lower()
    if word in ("long", "short"):
        return word
    return {"1": "long", "2": "short"}.get(raw.optional_text("positionIdx"), "")


def _see_prices(raw: Fields, draft: Draft, place: int, leg: Leg, profit: Decimal | None) -> None:
    """
    Note every price of the payload, and those that its notional and its unrealised profit imply.
    """
    for name in ("markPrice", "entryPrice", "indexPrice"):
        for alias in _RAW[name]:
            if isinstance(raw.raw(alias), (str, Decimal)):
                draft.see_price(place, alias, raw.optional(alias))
    for alias in _RAW["otherPrice"]:
        if isinstance(raw.raw(alias), (str, Decimal)):
            draft.see_price(place, alias, raw.optional(alias))
    units = NUMBERS.multiply(abs(leg.size), leg.contract_size)
    if not units or leg.product not in (Product.LINEAR, Product.INVERSE):
        return
    for alias in _NOTIONAL:
        worth = raw.optional(alias) if isinstance(raw.raw(alias), (str, Decimal)) else None
        if worth and leg.product is Product.LINEAR:
            draft.see_price(place, f"{alias}/size", NUMBERS.divide(abs(worth), units))
    if profit is not None and leg.entry is not None and leg.product is Product.LINEAR:
        signed = NUMBERS.multiply(leg.size, leg.contract_size)
        draft.see_price(place, "unrealised profit", NUMBERS.add(leg.entry, NUMBERS.divide(profit, signed)))


def _read_account(account: Fields, draft: Draft) -> None:
    """
    Read what the collector kept of the account: its equity where published, its money where complete.
    """
    if "crossMarginSummary" in account:
        draft.equity = account.inner("crossMarginSummary").optional("accountValue")
    if account.has("quoteBalance"):
        draft.add_balance(Balance(asset="USDC", amount=account.number("quoteBalance"), price=Decimal(1)))
        draft.report(ACCOUNT, "equity", account.optional("equity"), "equity")
        draft.report(ACCOUNT, "freeCollateral", account.optional("freeCollateral"), "freeCollateral")
    elif account.has("total_asset_value"):
        draft.equity = account.number("total_asset_value")
    elif account.has("totalMarginBalance"):
        draft.equity = account.number("totalMarginBalance")


def _stamp(record: Fields) -> str:
    value = record.raw("timestamp")
    return str(value) if isinstance(value, (str, Decimal)) else ""
