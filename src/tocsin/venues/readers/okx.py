"""
Reader of OKX's payloads: account/positions, account/balance, and their websocket channels.

Sizes are contracts; `ctVal` is not in a position, so the contract size comes from the shipped listings, from
`notionalUsd`, or must be given. "" means "there is none" in every field. `mmr` and `imr` of a position are amounts, not
rates. A spot margin position (MARGIN) holds `pos` of `posCcy` and owes `liab` of `liabCcy`; in older accounts `pos`
contains the margin, which is told from pos, margin and liability.
"""

from decimal import Decimal

from tocsin.venues.contract import NUMBERS, Balance, Leg, Mode, OptionTerms, Product
from tocsin.venues.readers.okx_builder import read_builder
from tocsin.venues.readers.okx_contracts import QUOTES, futures_of, size_of_contract
from tocsin.venues.reading import ACCOUNT, Draft, Fields, PayloadError, Reader

ONE = Decimal(1)
MODES = {"cross": Mode.CROSS, "isolated": Mode.ISOLATED}


def read_position(element: Fields, draft: Draft) -> None:
    """
    Read one position of /api/v5/account/positions.
    """
    symbol = element.text("instId")
    kind = element.optional_text("instType") or _kind_of(symbol, element)
    if kind == "MARGIN":
        _read_borrowed(element, draft, symbol)
        return
    parts = symbol.split("-")
    if len(parts) < 3:
        raise PayloadError(f"{element.where}: instId must be a contract (BTC-USDT-SWAP), was {symbol!r}")
    linear = parts[1] in QUOTES
    option = kind == "OPTION" or len(parts) == 5
    product = (Product.OPTION if linear else Product.OPTION_INVERSE) if option else futures_of(linear=linear)
    size, hedge = _size(element)
    mode: Mode = element.choice("mgnMode", MODES) if element.has("mgnMode") else _mode_of(element)
    mark = element.optional_positive("markPx")
    leg = Leg(
        symbol=symbol,
        underlying=parts[0],
        product=product,
        size=size,
        contract_size=size_of_contract(element, symbol, product, abs(size), mark),
        settle=element.optional_text("ccy") or (parts[1] if linear else parts[0]),
        entry=element.optional_positive("avgPx"),
        mark=mark,
        index=element.optional_positive("idxPx"),
        leverage=element.optional_positive("lever"),
        mode=mode,
        isolated_collateral=element.optional("margin") if mode is Mode.ISOLATED else None,
        hedge_side=hedge,
        option=_option(parts) if option else None,
    )
    place = draft.add_leg(leg, element.optional_text("uTime"))
    if mode is not Mode.ISOLATED and (held := element.optional("margin")):
        draft.set_aside[place] = held
    draft.time = draft.time or element.optional_text("uTime")
    _report(element, draft, place)
    draft.see_price(place, "markPx", mark)
    draft.see_price(place, "idxPx", leg.index)
    draft.see_price(place, "last", element.optional_positive("last"))


def read_account(element: Fields, draft: Draft) -> None:
    """
    Read one account of /api/v5/account/balance: its currencies, and adjEq where the mode has one.
    """
    draft.time = draft.time or element.optional_text("uTime")
    if moment := element.optional_text("uTime"):
        draft.moments["balance"] = moment
    together = element.has("adjEq")
    if together:
        draft.rules = draft.rules or "okx-multi"
        draft.equity = element.optional("adjEq")
        for name, quantity in (("adjEq", "equity"), ("imr", "initial"), ("mmr", "maintenance"), ("mgnRatio", "ratio")):
            draft.report(ACCOUNT, quantity, element.optional(name), name, "USD")
    if together and not _is_whole(element, draft):
        return
    for detail in element.each("details"):
        coin = detail.text("ccy")
        cash = detail.optional("cashBal")
        if cash is None:
            raise PayloadError(f"{detail.where}: cashBal of {coin} is missing; the wallet balance is needed")
        equity, value = detail.optional("eq"), detail.optional("eqUsd")
        price = detail.optional_positive("coinUsdPrice")
        if price is None and equity and value:
            price = NUMBERS.divide(value, equity)
        if not cash and not equity:
            continue
        draft.add_balance(Balance(asset=coin, amount=cash, price=price))
        if not together:
            draft.report(ACCOUNT, f"mgnRatio:{coin}", detail.optional("mgnRatio"), f"details.{coin}.mgnRatio")
        if together and detail.has("disEq") and value:
            rate = NUMBERS.divide(detail.number("disEq"), value)
            if 0 <= rate < ONE:
                draft.extra[f"discount:{coin}"] = rate
                draft.notes.append(f"discount rate of {coin} from disEq / eqUsd")


def _is_whole(element: Fields, draft: Draft) -> bool:
    """
    Tell whether the currencies listed are the whole account: their eqUsd add up to totalEq. If not, adjEq stands.
    """
    whole = element.optional("totalEq")
    listed = sum((detail.optional("eqUsd") or Decimal(0) for detail in element.each("details")), Decimal(0))
    if whole is None or abs(listed - whole) <= abs(whole) * Decimal("0.001"):
        return True
    draft.notes.append(f"details hold {listed} USD of totalEq {whole}: adjEq as reported stands for the balances")
    return False


def _read_borrowed(element: Fields, draft: Draft, symbol: str) -> None:
    parts = symbol.split("-")
    if len(parts) != 2:
        raise PayloadError(f"{element.where}: instId of a spot margin position must be BASE-QUOTE, was {symbol!r}")
    owed = element.number("liab")
    if not owed:
        raise PayloadError(f"{element.where}: liab must not be 0: {symbol} owes nothing")
    owed = abs(owed)
    is_long = element.text("liabCcy") == parts[1]
    assets = element.positive("pos")
    mark = element.positive("markPx")
    entry = element.optional_positive("avgPx")
    mode: Mode = element.choice("mgnMode", MODES) if element.has("mgnMode") else Mode.ISOLATED
    margin = element.optional("margin")
    price = entry or mark
    bought = NUMBERS.divide(owed, price) if is_long else NUMBERS.multiply(owed, price)
    base_margin = (element.optional_text("posCcy") or parts[0 if is_long else 1]) == parts[0]
    inside = margin is not None and abs(assets - bought - margin) < abs(assets - bought)
    if inside:
        draft.notes.append(f"{symbol}: pos contains the margin (older isolated mode)")
    leg = Leg(
        symbol=symbol,
        underlying=parts[0],
        product=Product.SPOT_MARGIN,
        size=assets if is_long else -owed,
        settle=element.optional_text("ccy") or parts[0 if base_margin else 1],
        entry=entry,
        mark=mark,
        leverage=element.optional_positive("lever"),
        mode=mode,
        isolated_collateral=None if mode is not Mode.ISOLATED else Decimal(0) if inside else margin,
    )
    place = draft.add_leg(leg, element.optional_text("uTime"))
    draft.time = draft.time or element.optional_text("uTime")
    draft.extra[f"assets:{symbol}"] = assets
    draft.extra[f"liab:{symbol}"] = owed
    _report(element, draft, place)
    draft.see_price(place, "markPx", mark)


def _report(element: Fields, draft: Draft, place: int) -> None:
    draft.report(place, "initial", element.optional("imr"), "imr")
    draft.report(place, "maintenance", element.optional("mmr"), "mmr")
    draft.report(place, "unrealised", element.optional("upl"), "upl")
    leg = draft.legs[place]
    if leg.mode is Mode.ISOLATED:
        draft.report(place, "ratio", element.optional("mgnRatio"), "mgnRatio")
        draft.report(place, "isolated_collateral", element.optional("margin"), "margin")
    else:
        _report_ratio(element, draft, leg.settle)
    draft.report_price(place, element, "liqPx")


def _report_ratio(element: Fields, draft: Draft, settle: str) -> None:
    """
    Report the ratio that a cross position repeats of its currency, once; in multi-currency mode the account has it.
    """
    quantity, value = f"mgnRatio:{settle}", element.optional("mgnRatio")
    known = [f.value for f in draft.reported if f.leg == ACCOUNT and f.quantity == quantity]
    if draft.rules != "okx-multi" and value not in known:
        draft.report(ACCOUNT, quantity, value, f"{element.text('instId')} mgnRatio")


def _kind_of(symbol: str, element: Fields) -> str:
    if symbol.count("-") == 1 and "liabCcy" in element:
        return "MARGIN"
    return "OPTION" if symbol.count("-") == 4 else "SWAP"


def _mode_of(element: Fields) -> Mode:
    return Mode.ISOLATED if element.has("margin") else Mode.CROSS


def _size(element: Fields) -> tuple[Decimal, str]:
    """
    Return signed contracts and the hedge side: `pos` is signed in one-way mode, positive with a side in hedge mode.
    """
    size = element.number("pos")
    if not size:
        raise PayloadError(f"{element.where}: pos must not be 0: {element.text('instId')} is no position")
    side = element.optional_text("posSide")
    if side in ("long", "short"):
        return (abs(size) if side == "long" else -abs(size)), side
    return size, ""


def _option(parts: list[str]) -> OptionTerms | None:
    try:
        return OptionTerms(is_call=parts[4] == "C", strike=Decimal(parts[3]), expiry=parts[2])
    except (IndexError, ArithmeticError):
        return None


def finish(draft: Draft) -> Draft:
    """
    Name the rulebook: by adjEq multi-currency; else isolated where every position is, else cross.
    """
    draft.venue = "okx"
    if draft.reported and not draft.legs:
        draft.reported.clear()
        draft.notes.append("margins of the account are not compared: its positions are not in the payload")
    if not draft.rules:
        isolated = draft.legs and all(leg.mode is Mode.ISOLATED for leg in draft.legs)
        draft.rules = "okx-isolated" if isolated else "okx-cross"
    return draft


READERS = (
    Reader(
        venue="okx",
        endpoint="GET /api/v5/account/balance",
        path=("data",),
        keys=("details", "totalEq"),
        read=read_account,
        holds="account",
    ),
    Reader(
        venue="okx",
        endpoint="POST /api/v5/account/position-builder",
        path=("data",),
        keys=("riskUnitData", "totalMmr", "assets"),
        read=read_builder,
        holds="account",
    ),
    Reader(
        venue="okx",
        endpoint="GET /api/v5/account/positions",
        path=("data",),
        keys=("instId", "pos", "mgnRatio"),
        read=read_position,
    ),
    Reader(
        venue="okx",
        endpoint="account/positions: one position",
        path=(),
        keys=("instId", "pos", "mgnRatio"),
        read=read_position,
    ),
    Reader(
        venue="okx",
        endpoint="account/balance: one account",
        path=(),
        keys=("details", "totalEq"),
        read=read_account,
        holds="account",
    ),
)
