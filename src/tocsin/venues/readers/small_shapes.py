"""
How smaller venues write a position: the table of field names that `small` reads by.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Shape(NamedTuple):
    """
    How one endpoint writes a position; each field is a name, or names in order of preference separated by blanks.

    `size` may be signed; `side` "" means it is. `mode` names the field, or is "=isolated", "=cross"; `flag` names a
    true/false field that says cross. `value` is a field whose amount is |contracts| x contract size x price
    (`value_price`), "" where contracts are base units; "?" where the list of contracts must tell the size.
    """

    symbol: str
    size: str
    side: str = ""
    entry: str = ""
    mark: str = ""
    leverage: str = ""
    mode: str = "=cross"
    flag: str = ""
    collateral: str = ""
    rate: str = ""
    initial_rate: str = ""
    initial: str = ""
    maintenance: str = ""
    liquidation: str = ""
    unrealised: str = ""
    value: str = ""
    value_price: str = ""
    settle: str = "USDT"


SHAPES: Mapping[str, Shape] = {
    "kucoin": Shape(
        symbol="symbol",
        size="currentQty",
        entry="avgEntryPrice",
        mark="markPrice",
        leverage="leverage",
        flag="crossMode",
        collateral="posInit",
        rate="maintMarginReq",
        liquidation="liquidationPrice",
        unrealised="unrealisedPnl",
        value="posCost",
        value_price="avgEntryPrice",
    ),
    "kucoin uta": Shape(
        symbol="symbol",
        size="size",
        entry="entryPrice",
        mark="markPrice",
        leverage="leverage",
        mode="marginMode",
        rate="mmr",
        initial="initialMargin",
        maintenance="maintenanceMargin",
        unrealised="unrealizedPnL",
        value="positionValue",
        value_price="markPrice",
    ),
    "bitget classic": Shape(
        symbol="symbol",
        size="total",
        side="holdSide",
        entry="openPriceAvg averageOpenPrice",
        mark="markPrice",
        leverage="leverage",
        mode="marginMode",
        collateral="marginSize",
        rate="keepMarginRate",
        initial="marginSize",
        liquidation="liquidationPrice",
        unrealised="unrealizedPL",
    ),
    "bitget": Shape(
        symbol="symbol",
        size="total",
        side="posSide",
        entry="avgPrice",
        mark="markPrice",
        leverage="leverage",
        mode="marginMode",
        collateral="positionBalance",
        rate="mmr",
        initial="positionBalance",
        liquidation="liquidationPrice",
        unrealised="unrealisedPnl",
    ),
    "gate": Shape(
        symbol="contract",
        size="size",
        entry="entry_price",
        mark="mark_price",
        leverage="leverage",
        collateral="margin",
        rate="maintenance_rate",
        liquidation="liq_price",
        unrealised="unrealised_pnl",
        value="value",
        value_price="mark_price",
    ),
    "htx": Shape(
        symbol="contract_code",
        size="volume",
        side="direction",
        entry="open_avg_price",
        mark="mark_price",
        leverage="lever_rate",
        mode="margin_mode",
        initial="initial_margin",
        maintenance="maintenance_margin",
        liquidation="liquidation_price",
        unrealised="profit_unreal",
        value="?",
    ),
    "htx isolated": Shape(
        symbol="contract_code",
        size="volume",
        side="direction",
        entry="cost_hold",
        mark="last_price",
        leverage="lever_rate",
        mode="margin_mode",
        collateral="margin_static",
        initial="position_margin",
        liquidation="liquidation_price",
        unrealised="profit_unreal",
        value="?",
    ),
    "mexc": Shape(
        symbol="symbol",
        size="holdVol",
        side="positionType",
        entry="holdAvgPrice",
        mark="fairPrice markPrice",
        leverage="leverage",
        collateral="im",
        rate="maintenanceMarginRate",
        initial="im",
        liquidation="liquidatePrice",
        value="?",
    ),
    "poloniex": Shape(
        symbol="symbol",
        size="qty",
        side="posSide side",
        entry="openAvgPx",
        mark="markPx",
        leverage="lever",
        mode="mgnMode",
        collateral="mgn",
        initial="im",
        maintenance="mm",
        liquidation="liqPx",
        unrealised="upl",
        value="?",
    ),
    "lighter": Shape(
        symbol="symbol",
        size="position",
        side="sign",
        entry="avg_entry_price",
        mode="margin_mode",
        collateral="allocated_margin",
        liquidation="liquidation_price",
        unrealised="unrealized_pnl",
        settle="USDC",
    ),
    "bingx": Shape(
        symbol="symbol",
        size="positionAmt",
        side="positionSide",
        entry="avgPrice",
        mark="markPrice",
        leverage="leverage",
        collateral="margin",
        initial="initialMargin",
        liquidation="liquidationPrice",
        unrealised="unrealizedProfit",
    ),
    "backpack": Shape(
        symbol="symbol",
        size="netQuantity",
        entry="entryPrice",
        mark="markPrice",
        rate="mmf",
        initial_rate="imf",
        liquidation="estLiquidationPrice",
        unrealised="pnlUnrealized",
        settle="USDC",
    ),
    "bydfi": Shape(
        symbol="symbol",
        size="volume",
        side="side",
        entry="avgPrice",
        mark="markPrice",
        initial="im",
        maintenance="mm",
        liquidation="liqPrice",
        unrealised="unPnl",
        settle="USDC",
    ),
    "xt": Shape(
        symbol="symbol",
        size="positionSize",
        side="positionSide",
        entry="entryPrice",
        mark="markPrice",
        leverage="leverage",
        mode="positionType",
        collateral="isolatedMargin",
        initial="isolatedMargin",
        value="?",
    ),
    "digifinex": Shape(
        symbol="instrument_id",
        size="position",
        side="side",
        entry="avg_cost",
        mark="mark_price",
        leverage="leverage",
        mode="margin_mode",
        rate="maint_margin_ratio",
        initial="margin",
        liquidation="liquidation_price",
        unrealised="unrealized_pnl",
        value="?",
    ),
    "modetrade": Shape(
        symbol="symbol",
        size="position_qty",
        entry="average_open_price",
        mark="mark_price",
        rate="mmr",
        initial_rate="imr",
        liquidation="est_liq_price",
        settle="USDC",
    ),
    "phemex": Shape(
        symbol="symbol",
        size="size",
        side="side",
        entry="avgEntryPrice",
        mark="markPrice",
        leverage="leverage",
        flag="crossMargin",
        collateral="positionMargin",
        rate="maintMarginReq",
        liquidation="liquidationPrice",
        value="value",
        value_price="avgEntryPrice",
        settle="USD",
    ),
}
