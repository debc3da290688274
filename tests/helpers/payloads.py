"""
Venues' payloads whose reported figures are what the rulebook gives: a base from which one cause at a time is changed.
"""

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from tocsin.desk.check import check_reading, choose_rulebook
from tocsin.desk.rows import Row
from tocsin.desk.worlds import Unknown, World, own_value
from tocsin.venues.params import Params
from tocsin.venues.readers.files import decode, read_value
from tocsin.venues.reading import ACCOUNT, Reading

D = Decimal
Elements = Callable[[Any], Sequence[dict[str, Any]]]


class Base:
    """
    A payload of one venue, its margin fields filled in by the rulebook.

    `elements` finds the positions in it, `accounts` the objects that hold the account's figures.
    """

    def __init__(self, payload: Any, elements: Elements, accounts: Elements = lambda _: ()) -> None:
        self.payload = payload
        self.elements = elements
        self.accounts = accounts
        self.reading = read(payload)
        self.world = world_of(self.reading)
        self._fill()
        self.reading = read(payload)
        self.evaluation = self.world.evaluate()

    def edit(self, place: int = 0, account: Mapping[str, Any] | None = None, **changes: Any) -> Any:
        """
        Return a copy with fields of one position, and of the account, changed.
        """
        out = copy.deepcopy(self.payload)
        self.elements(out)[place].update(changes)
        for target in self.accounts(out):
            target.update({k: v for k, v in (account or {}).items() if k in target})
        return out

    def _fill(self) -> None:
        evaluation = self.world.evaluate()
        for figure in self.reading.reported:
            if figure.quantity in ("isolated_collateral", "orders"):
                continue
            try:
                value = own_value(evaluation, figure, self.reading.portfolio)
            except Unknown:
                continue
            name = figure.field.split(".")[-1]
            targets = (
                self.accounts(self.payload) if figure.leg == ACCOUNT else [self.elements(self.payload)[figure.leg]]
            )
            for target in targets:
                if name in target:
                    target[name] = text(value) if isinstance(target[name], str) else float(value or 0)


def text(value: Decimal | None, places: str = "1e-10") -> str:
    """
    Return a number as venues print it, "0" for none.
    """
    return "0" if value is None else format(value.quantize(D(places)), "f")


def read(payload: Any) -> Reading:
    """
    Return the one account in a payload.
    """
    found = read_value(decode(json.dumps(payload).encode(), "payload"), label="payload")
    assert not found.broken, found.broken
    (reading,) = found.readings
    return reading


def world_of(reading: Reading) -> World:
    """
    Return the account under the rulebook that its payload names.
    """
    book = choose_rulebook(reading)
    assert book is not None, reading.rules
    return World(reading.portfolio, book, Params(book.venue, reading.portfolio.time))


def row_of(payload: Any, quantity: str, symbol: str = "") -> Row:
    """
    Return the row of one figure of a checked payload; `symbol` "" is the account.
    """
    (row,) = [r for r in check_reading(read(payload)) if r.quantity == quantity and r.symbol == symbol]
    return row


def binance(**changes: Any) -> Base:
    """
    An isolated USD-M position, positionRisk.
    """
    position = {
        "symbol": "BTCUSDT", "positionSide": "BOTH", "positionAmt": "25", "entryPrice": "60000",
        "markPrice": "62000.5", "unRealizedProfit": "0", "liquidationPrice": "0", "isolatedMargin": "0",
        "isolatedWallet": "150000", "notional": "0", "initialMargin": "0", "maintMargin": "0",
        "positionInitialMargin": "0", "openOrderInitialMargin": "0", "leverage": "10", "marginType": "isolated",
        "updateTime": "1785000000000",
    }  # fmt: skip
    return Base([{**position, **changes}], lambda p: p)


def bybit(**changes: Any) -> Base:
    """
    A cross position of a unified account with two coins: position list and wallet balance.
    """
    position = {
        "positionIdx": 0, "tradeMode": 0, "symbol": "BTCUSDT", "side": "Sell", "size": "2.5", "avgPrice": "61000.5",
        "leverage": "20", "positionValue": "152501.25", "positionBalance": "0", "markPrice": "62000.5",
        "positionIM": "0", "positionMM": "0", "unrealisedPnl": "0", "liqPrice": "0", "bustPrice": "",
        "updatedTime": "1765000000000",
    }  # fmt: skip
    coin = {"borrowAmount": "0", "spotBorrow": "0", "totalOrderIM": "0"}
    wallet = {
        "accountType": "UNIFIED", "totalEquity": "37500.25", "totalMarginBalance": "0", "totalInitialMargin": "0",
        "totalMaintenanceMargin": "0", "accountIMRate": "0", "accountMMRate": "0",
        "coin": [
            {"coin": "USDT", "equity": "27500.25", "usdValue": "27500.25", "walletBalance": "30000", **coin},
            {"coin": "BTC", "equity": "0.16", "usdValue": "10000", "walletBalance": "0.16", **coin},
        ],
    }  # fmt: skip
    payload = {
        "venue": "bybit",
        "payloads": [
            {"retCode": 0, "time": 1765000001000, "result": {"list": [{**position, **changes}]}},
            {"retCode": 0, "time": 1765000001000, "result": {"list": [wallet]}},
        ],
    }
    return Base(payload, lambda p: p["payloads"][0]["result"]["list"], lambda p: p["payloads"][1]["result"]["list"])


def okx(**changes: Any) -> Base:
    """
    An isolated linear swap, account/positions.
    """
    position = {
        "instId": "BTC-USDT-SWAP", "instType": "SWAP", "pos": "300", "posSide": "net", "avgPx": "60000",
        "markPx": "62000.5", "last": "62100", "idxPx": "61950.2", "lever": "10", "mgnMode": "isolated",
        "margin": "20000", "imr": "", "mmr": "0", "mgnRatio": "0", "liqPx": "0", "upl": "0", "notionalUsd": "186001.5",
        "ccy": "USDT", "uTime": "1785000000000",
    }  # fmt: skip
    return Base({"code": "0", "data": [{**position, **changes}]}, lambda p: p["data"])


def hyperliquid() -> Base:
    """
    A cross and an isolated position with the account around them, clearinghouseState.
    """
    cross = {
        "coin": "BTC", "szi": "5", "leverage": {"type": "cross", "value": 20}, "entryPx": "60000",
        "positionValue": "310002.5", "unrealizedPnl": "0", "liquidationPx": "0", "marginUsed": "0", "maxLeverage": 40,
    }  # fmt: skip
    alone = {
        "coin": "ETH", "szi": "-10", "leverage": {"type": "isolated", "value": 10, "rawUsd": "40000"},
        "entryPx": "3500", "positionValue": "35100", "unrealizedPnl": "0", "liquidationPx": "0", "marginUsed": "0",
        "maxLeverage": 25,
    }  # fmt: skip
    summary = {"accountValue": "0", "totalMarginUsed": "0", "totalNtlPos": "0", "totalRawUsd": "-275000"}
    payload = {
        "marginSummary": dict(summary), "crossMarginSummary": dict(summary), "crossMaintenanceMarginUsed": "0",
        "withdrawable": "0", "time": 1785000000000,
        "assetPositions": [{"type": "oneWay", "position": cross}, {"type": "oneWay", "position": alone}],
    }  # fmt: skip
    return Base(
        payload, lambda p: [item["position"] for item in p["assetPositions"]], lambda p: [p, p["marginSummary"]]
    )


def deribit(**changes: Any) -> Base:
    """
    An inverse perpetual under standard margin, get_positions.
    """
    position = {
        "instrument_name": "BTC-PERPETUAL", "kind": "future", "direction": "buy", "size": 400000.0,
        "average_price": 60000.0, "mark_price": 62000.5, "index_price": 61950.2, "settlement_price": 61800.0,
        "initial_margin": 0.0, "maintenance_margin": 0.0, "estimated_liquidation_price": 0.0, "open_orders_margin": 0.0,
        "leverage": 34,
    }  # fmt: skip
    return Base({"jsonrpc": "2.0", "result": [{**position, **changes}]}, lambda p: p["result"])


def binance_account() -> Base:
    """
    A cross position with the wallet behind it, /fapi/v3/account.
    """
    position = {
        "symbol": "BTCUSDT", "positionSide": "BOTH", "positionAmt": "25", "entryPrice": "60000",
        "markPrice": "62000.5", "unrealizedProfit": "0", "liquidationPrice": "0", "isolated": False,
        "isolatedWallet": "0", "notional": "1550012.5", "initialMargin": "0", "maintMargin": "0", "leverage": "10",
        "updateTime": "1785000000000",
    }  # fmt: skip
    payload = {
        "totalMaintMargin": "0", "totalInitialMargin": "0", "totalMarginBalance": "0", "totalUnrealizedProfit": "0",
        "multiAssetsMargin": False,
        "assets": [{"asset": "USDT", "walletBalance": "200000", "unrealizedProfit": "0"}], "positions": [position],
    }  # fmt: skip
    return Base(payload, lambda p: p["positions"], lambda p: [p])
