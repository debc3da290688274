"""
Binance's payloads: positionRisk, account and balance of USD-M, COIN-M and portfolio margin.

positionRisk and account positions of both futures have one shape; the symbol tells them apart (BTCUSD_PERP and
BTCUSD_250926 are COIN-M). An account position carries no mark price: it follows from notional and size.
"""

import re
from decimal import Decimal, localcontext

import msgspec

from tocsin.venues.contract import NUMBERS, Balance, Leg, Mode, Product
from tocsin.venues.reading import ACCOUNT, Draft, Fields, PayloadError, Reader

_QUOTES = ("FDUSD", "USDT", "USDC", "BUSD", "USD1")
_COINM = re.compile(r"([A-Z0-9]+)USD_(PERP|\d{6})")
_SIDES = {"BOTH": "", "LONG": "long", "SHORT": "short"}


def read_position(element: Fields, draft: Draft) -> None:
    """
    Read one position of positionRisk or of an account; a position of size 0 is left out.

    Accounts of 2019 and 2020 list every symbol without `positionAmt`: one without margin and entry price is closed.
    """
    if not element.has("positionAmt") and _is_closed(element):
        return
    symbol, size = element.text("symbol"), element.number("positionAmt")
    if not size:
        return
    inverse = _COINM.fullmatch(symbol)
    profit = element.optional("unRealizedProfit", "unrealizedProfit")
    entry = element.optional_positive("entryPrice")
    contract = Decimal(1)
    if inverse:
        contract = Decimal(100) if inverse[1] == "BTC" else Decimal(10)
    mark = element.optional_positive("markPrice") or _mark_of(element, size, contract, bool(inverse), draft)
    isolated = _is_isolated(element)
    leg = Leg(
        symbol=symbol,
        underlying=inverse[1] if inverse else _base(symbol),
        product=Product.INVERSE if inverse else Product.LINEAR,
        size=size,
        contract_size=contract,
        settle=element.optional_text("marginAsset") or (inverse[1] if inverse else _quote(symbol, element)),
        entry=entry,
        mark=mark,
        leverage=element.optional_positive("leverage"),
        mode=Mode.ISOLATED if isolated else Mode.CROSS,
        isolated_collateral=_isolated_wallet(element, profit) if isolated else None,
        hedge_side=element.choice("positionSide", _SIDES) if element.has("positionSide") else "",
    )
    place = _place_of(leg, element, draft)
    draft.time = max(draft.time, element.optional_text("updateTime"))
    known = draft.told(place)
    _report(place, element, draft, "initial", "initialMargin", known)
    _report(place, element, draft, "maintenance", "maintMargin", known)
    _report(place, element, draft, "orders", "openOrderInitialMargin", known)
    _report(place, element, draft, "unrealised", element.first("unRealizedProfit", "unrealizedProfit"), known)
    _report(place, element, draft, "notional", element.first("notional", "notionalValue"), known)
    if not isolated and (held := _isolated_wallet(element, profit)):
        draft.set_aside[place] = held
    if isolated:
        _report(place, element, draft, "isolated_collateral", "isolatedWallet", known)
        if element.optional("isolatedWallet"):
            _report(place, element, draft, "isolated_equity", "isolatedMargin", known)
    draft.report_price(place, element, "liquidationPrice")
    draft.see_price(place, "markPrice", element.optional("markPrice"))
    draft.see_price(place, "entryPrice", entry)


def _is_closed(element: Fields) -> bool:
    told = element.has("initialMargin", "entryPrice")
    return told and not any(element.optional(name) for name in ("initialMargin", "maintMargin", "entryPrice"))


def _report(place: int, element: Fields, draft: Draft, quantity: str, name: str, known: frozenset[str]) -> None:
    """
    Note a figure unless another payload of the account has told it; a notional without its sign.
    """
    value = element.optional(name)
    if quantity not in known and value is not None:
        draft.report(place, quantity, abs(value) if quantity == "notional" else value, name)


def _place_of(leg: Leg, element: Fields, draft: Draft) -> int:
    """
    Return the place of a new leg, or of the one that an account's payload gave without a mark price, now completed.

    Raises:
        PayloadError: The position is there twice in one payload, or its size differs between payloads.
    """
    place = draft.place_of(leg.symbol, leg.hedge_side)
    if place is not None and "markPrice" not in draft.prices.get(place, {}) and element.has("markPrice"):
        known = draft.legs[place]
        if known.size != leg.size or known.mode is not leg.mode:
            raise PayloadError(
                f"{element.where}: positionAmt of {leg.symbol} is {leg.size} ({leg.mode}) here and {known.size} "
                f"({known.mode}) in the account: the payloads are of different moments"
            )
        draft.replace_leg(place, msgspec.structs.replace(leg, leverage=leg.leverage or known.leverage))
        return place
    return draft.add_leg(leg, moment=element.optional_text("updateTime"))


def read_account(element: Fields, draft: Draft) -> None:
    """
    Read an account of USD-M or COIN-M futures with its assets and positions.

    In multi-assets mode the payload has no prices of the assets: `totalMarginBalance` stands for them. Outside it the
    totals count USDT alone: beside other assets they are not those of the account, and not compared.
    """
    multi = element.flag("multiAssetsMargin")
    for asset in element.each("assets"):
        name, wallet = asset.text("asset"), asset.number("walletBalance")
        if multi:
            draft.report(ACCOUNT, f"walletBalance {name}", wallet, "walletBalance", unit=name)
        elif wallet or asset.optional("unrealizedProfit"):
            draft.add_balance(Balance(asset=name, amount=wallet))
    if multi:
        draft.extra["multi_assets"] = Decimal(1)
        draft.equity = element.number("totalMarginBalance")
    for position in element.each("positions"):
        read_position(position, draft)
    if not multi and any(asset != "USDT" for asset in draft.balances):
        draft.notes.append("totals count USDT alone; the account holds other assets too: totals are not compared")
        return
    draft.report(ACCOUNT, "maintenance", element.optional("totalMaintMargin"), "totalMaintMargin", unit="USD")
    draft.report(ACCOUNT, "initial", element.optional("totalInitialMargin"), "totalInitialMargin", unit="USD")
    draft.report(ACCOUNT, "equity", element.optional("totalMarginBalance"), "totalMarginBalance", unit="USD")
    draft.report(ACCOUNT, "unrealised", element.optional("totalUnrealizedProfit"), "totalUnrealizedProfit", unit="USD")
    draft.report(ACCOUNT, "available", element.optional("availableBalance"), "availableBalance", unit="USD")


def read_balance(element: Fields, draft: Draft) -> None:
    """
    Read one asset of a futures balance: cross wallet, without what isolated positions hold.
    """
    asset, wallet = element.text("asset"), element.number("crossWalletBalance")
    if wallet or element.optional("crossUnPnl"):
        total = element.optional("balance")
        draft.add_balance(Balance(asset=asset, amount=wallet if total is None else total))


def read_pm_account(element: Fields, draft: Draft) -> None:
    """
    Read a portfolio margin account; its equity counts where no balances are given.
    """
    draft.mode, draft.rules = Mode.PORTFOLIO, "binance-pm"
    draft.equity = element.number("accountEquity")
    draft.time = max(draft.time, element.optional_text("updateTime"))
    draft.report(ACCOUNT, "equity", draft.equity, "accountEquity", unit="USD")
    draft.report(ACCOUNT, "maintenance", element.optional("accountMaintMargin"), "accountMaintMargin", unit="USD")
    draft.report(ACCOUNT, "initial", element.optional("accountInitialMargin"), "accountInitialMargin", unit="USD")
    draft.report(ACCOUNT, "ratio", element.optional("uniMMR"), "uniMMR")
    draft.report(ACCOUNT, "actualEquity", element.optional("actualEquity"), "actualEquity", unit="USD")


def read_pm_balance(element: Fields, draft: Draft) -> None:
    """
    Read one asset of a portfolio margin balance: wallets of all three kinds, loans taken off.
    """
    draft.mode, draft.rules = Mode.PORTFOLIO, "binance-pm"
    owed = (element.optional("crossMarginBorrowed") or Decimal(0)) + (
        element.optional("crossMarginInterest") or Decimal(0)
    )
    if owed < 0:
        raise PayloadError(f"{element.where}: crossMarginBorrowed must not be below 0, was {owed}")
    asset, total = element.text("asset"), element.number("totalWalletBalance")
    if total or owed:
        draft.add_balance(Balance(asset=asset, amount=total - owed, borrowed=owed))
    for name in ("umUnrealizedPNL", "cmUnrealizedPNL"):
        value = element.optional(name)
        if value:
            draft.report(ACCOUNT, f"{name} {asset}", value, name, unit=asset)


def finish(draft: Draft) -> Draft:
    """
    Name the rulebook: portfolio margin if the account says so, else by the kind of its futures.
    """
    if draft.rules == "binance-pm" and not draft.legs and draft.other_maintenance is None:
        found = [f.value for f in draft.reported if f.field == "accountMaintMargin"]
        if found:
            draft.other_maintenance = found[0]
            draft.notes.append("no positions in the payload: accountMaintMargin stands for theirs")
    if draft.rules:
        return draft
    kinds = {leg.product for leg in draft.legs}
    if kinds == {Product.LINEAR, Product.INVERSE}:
        draft.notes.append("USD-M and COIN-M positions together: taken as one portfolio margin account")
        draft.rules, draft.mode = "binance-pm", Mode.PORTFOLIO
    else:
        draft.rules = "binance-coinm" if kinds == {Product.INVERSE} else "binance-usdm"
    return draft


def _mark_of(element: Fields, size: Decimal, contract: Decimal, inverse: bool, draft: Draft) -> Decimal | None:
    notional = element.optional("notional", "notionalValue")
    if not notional:
        return None
    units = abs(size) * contract
    with localcontext(NUMBERS):
        mark = units / abs(notional) if inverse else abs(notional) / units
    draft.notes.append(f"{element.text('symbol')}: mark price computed from notional and size")
    return mark


def _is_isolated(element: Fields) -> bool:
    if element.has("marginType"):
        return bool(element.choice("marginType", {"isolated": True, "cross": False, "crossed": False}))
    flag = element.flag("isolated")
    if flag is not None:
        return flag
    return bool(element.optional("isolatedWallet"))


def _isolated_wallet(element: Fields, profit: Decimal | None) -> Decimal | None:
    wallet = element.optional("isolatedWallet")
    if wallet is not None:
        return wallet
    margin = element.optional("isolatedMargin")
    return None if margin is None or profit is None else margin - profit


def _quote(symbol: str, element: Fields) -> str:
    name = symbol.partition("_")[0]
    found = next((quote for quote in _QUOTES if name.endswith(quote)), "")
    if not found:
        known = ", ".join(_QUOTES)
        raise PayloadError(
            f"{element.where}: symbol must end in {known}, or be a COIN-M name like BTCUSD_PERP, was {symbol!r}"
        )
    return found


def _base(symbol: str) -> str:
    name = symbol.partition("_")[0]
    return next((name.removesuffix(quote) for quote in _QUOTES if name.endswith(quote)), name)


READERS = (
    Reader(
        venue="binance",
        endpoint="GET /papi/v1/account",
        path=(),
        keys=("uniMMR", "accountEquity"),
        read=read_pm_account,
        holds="account",
    ),
    Reader(
        venue="binance",
        endpoint="GET /papi/v1/balance",
        path=(),
        keys=("asset", "totalWalletBalance"),
        read=read_pm_balance,
        holds="account",
    ),
    Reader(
        venue="binance",
        endpoint="GET /fapi/v3/account, GET /dapi/v1/account",
        path=(),
        keys=("assets", "positions"),
        read=read_account,
        holds="account",
    ),
    Reader(
        venue="binance",
        endpoint="GET /fapi/v3/balance, GET /dapi/v1/balance",
        path=(),
        keys=("asset", "crossWalletBalance", "crossUnPnl"),
        read=read_balance,
        holds="account",
        absent=("totalWalletBalance",),
    ),
    Reader(
        venue="binance",
        endpoint="GET /fapi/v3/positionRisk, GET /dapi/v1/positionRisk, or positions of an account",
        path=(),
        keys=("symbol", "positionAmt"),
        read=read_position,
    ),
)
