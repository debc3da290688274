"""
Reader of OKX's position-builder: the answer of a simulated portfolio margin account, with its stress tests.
"""

from decimal import Decimal

from tocsin.venues.contract import NUMBERS, Balance, Leg, Mode
from tocsin.venues.readers.okx_contracts import QUOTES, futures_of, size_of_contract
from tocsin.venues.reading import ACCOUNT, Draft, Fields, PayloadError

BUILDER = (
    ("equity", "eq"),
    ("initial", "totalImr"),
    ("maintenance", "totalMmr"),
    ("ratio", "marginRatio"),
    ("derivMmr", "derivMmr"),
    ("borrowMmr", "borrowMmr"),
)


def read_builder(element: Fields, draft: Draft) -> None:
    """
    Read an answer of position-builder: a portfolio margin account with its stress tests.

    Currencies' `availEq` holds the profit of their positions, which is taken off; the price of a settlement currency
    is a unit's profit in USD over that in the currency.
    """
    draft.rules, draft.mode = "okx-pm", Mode.PORTFOLIO
    draft.time = draft.time or element.optional_text("ts")
    profits: dict[str, Decimal] = {}
    for unit in element.each("riskUnitData"):
        own: dict[str, Decimal] = {}
        for item in unit.each("portfolios"):
            if item.optional_text("instType") == "SPOT":
                continue
            settle = _read_simulated(item, draft)
            own[settle] = NUMBERS.add(own.get(settle, Decimal(0)), item.number("floatPnl"))
        for settle, profit in own.items():
            profits[settle] = NUMBERS.add(profits.get(settle, Decimal(0)), profit)
            if len(own) == 1 and profit and unit.has("upl"):
                draft.extra[f"price:{settle}"] = NUMBERS.divide(unit.number("upl"), profit)
        for test in ("mr1", "mr2", "mr4", "mr6", "mr7", "mmr"):
            draft.report(ACCOUNT, f"{test}:{unit.text('riskUnit')}", unit.optional(test), f"riskUnitData.{test}", "USD")
    for asset in element.each("assets"):
        coin = asset.text("ccy")
        amount = NUMBERS.subtract(asset.number("availEq"), profits.get(coin, Decimal(0)))
        if amount or coin in profits:
            draft.add_balance(Balance(asset=coin, amount=amount, price=draft.extra.get(f"price:{coin}")))
    for quantity, name in BUILDER:
        draft.report(ACCOUNT, quantity, element.optional(name), name, "USD")


def _read_simulated(item: Fields, draft: Draft) -> str:
    symbol = item.text("instId")
    parts = symbol.split("-")
    if len(parts) < 3 or item.optional_text("instType") == "OPTION":
        raise PayloadError(f"{item.where}: {symbol}: options of position-builder are not read; give their own payload")
    linear = parts[1] in QUOTES
    product = futures_of(linear=linear)
    settle = parts[1] if linear else parts[0]
    size, mark = item.number("amt"), item.positive("markPx")
    leg = Leg(
        symbol=symbol,
        underlying=parts[0],
        product=product,
        size=size,
        contract_size=size_of_contract(item, symbol, product, abs(size), mark),
        settle=settle,
        entry=item.positive("avgPx"),
        mark=mark,
    )
    place = draft.add_leg(leg)
    draft.report(place, "unrealised", item.optional("floatPnl"), "floatPnl")
    draft.see_price(place, "markPx", mark)
    return settle
