"""
Payloads and records of kinds that are not among the shipped ones: what they lack is named, never a false miss.
"""

import json
from decimal import Decimal
from typing import Any

import pytest

from tocsin.desk.check import check_found
from tocsin.desk.codes import Code
from tocsin.desk.rows import Report, Row, Status
from tocsin.venues.contract import Product
from tocsin.venues.readers.files import read_bytes

D = Decimal


def check(value: Any) -> Report:
    report = Report()
    check_found(read_bytes(json.dumps(value).encode(), label="p"), report)
    return report


def row_of(report: Report, quantity: str) -> Row:
    return next(row for row in report.rows if row.quantity == quantity)


def record(**fields: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "id": "a", "venue": "binance_usdm", "symbol": "BTCUSDT", "side": "long", "contracts": 109.488,
        "contractSize": 1, "entryPrice": 32481.98, "markPrice": None, "leverage": None, "marginMode": "cross",
        "product": "linear", "settle": "USDT", "collateral": None, "isolatedWallet": None, "initialMargin": None,
        "maintenanceMargin": None, "maintenanceMarginPercentage": 0.025, "liquidationPrice": 26316.89,
        "marginRatio": None, "unrealizedPnl": None, "indexPrice": None, "account": None, "timestamp": None,
        "note": "cum=16300", "source": "a test", "raw": {"symbol": "BTCUSDT"},
    }  # fmt: skip
    return base | fields


POSITION = {
    "symbol": "WLDUSDT", "positionSide": "BOTH", "positionAmt": "5", "entryPrice": "2.3483", "breakEvenPrice": "2.349",
    "markPrice": "2.3956", "unRealizedProfit": "0.2365", "liquidationPrice": "0", "isolatedMargin": "0",
    "notional": "11.978", "marginAsset": "USDT", "isolatedWallet": "0", "initialMargin": "2.3956",
    "maintMargin": "0.071868", "positionInitialMargin": "2.3956", "openOrderInitialMargin": "0", "adl": "2",
    "updateTime": "1720736417660",
}  # fmt: skip


def test_initial_margin_without_the_leverage_is_not_judged() -> None:
    bare = check([POSITION])
    row = row_of(bare, "initial")
    assert (row.status, "leverage of WLDUSDT" in row.reason) == (Status.SKIPPED, True)
    assert row_of(bare, "maintenance").status is Status.PASSED
    told = check([POSITION | {"leverage": "20"}])
    assert row_of(told, "initial").status is Status.FAILED


def test_brackets_younger_than_the_payload_prove_no_miss() -> None:
    old = {
        "symbol": "BTCPERP", "leverage": "1", "liqPrice": "", "positionValue": "30.81", "unrealisedPnl": "0",
        "markPrice": "30810.0", "positionMM": "0.1541", "positionIM": "30.81", "side": "Buy", "entryPrice": "30810.0",
        "size": "0.001", "updatedTime": "1652451795305", "positionIdx": 0,
    }  # fmt: skip
    row = row_of(check({"retCode": 0, "result": {"list": [old]}}), "maintenance")
    assert (row.status, "brackets of its day" in row.reason) == (Status.SKIPPED, True)
    young = old | {"updatedTime": "1768000000000"}
    assert row_of(check({"retCode": 0, "result": {"list": [young]}}), "maintenance").status is Status.FAILED


def test_a_record_of_two_moments_is_a_source_error() -> None:
    mixed = POSITION | {"initialMargin": "9.9", "leverage": "20", "unRealizedProfit": "7"}
    fields = {"id": "b", "symbol": "WLDUSDT", "contracts": 5, "entryPrice": 2.3483, "markPrice": 2.3956,
              "leverage": 20, "maintenanceMarginPercentage": 0.006, "liquidationPrice": None, "note": None}  # fmt: skip
    row = row_of(check([record(**fields, raw=mixed)]), "initial")
    assert (row.status, row.reason.startswith("source error")) == (Status.SKIPPED, True)
    # The same contradiction in a payload itself stays a miss.
    assert row_of(check([mixed]), "initial").status is Status.FAILED
    one = mixed | {"unRealizedProfit": "0.2365"}
    assert row_of(check([record(**fields, raw=one)]), "initial").status is Status.FAILED


def test_a_missing_mark_that_the_profit_implies_serves() -> None:
    sample = {
        "avgPx": "2566.31", "ccy": "ETH", "instId": "ETH-USD-210430", "instType": "FUTURES", "lever": "10",
        "liqPx": "", "margin": "0.0003896645377994", "mgnMode": "isolated", "mgnRatio": "11.731726509588816",
        "mmr": "0.0000311811092368", "pos": "1", "posSide": "long", "uTime": "1619507761462",
        "upl": "-0.0000009932766034",
    }  # fmt: skip
    fields = {"venue": "okx", "symbol": "ETH-USD-210430", "contracts": 1, "contractSize": 10, "entryPrice": 2566.31,
              "leverage": 10, "marginMode": "isolated", "product": "inverse", "settle": "ETH",
              "collateral": 0.0003896645377994, "maintenanceMargin": 0.0000311811092368,
              "maintenanceMarginPercentage": 0.008, "liquidationPrice": None, "note": None,
              "marginRatio": 11.731726509588816, "unrealizedPnl": -9.932766034e-07}  # fmt: skip
    report = check([record(**fields, raw=sample)])
    for quantity in ("maintenance", "ratio"):
        row = row_of(report, quantity)
        assert (row.status, row.code) == (Status.PASSED, Code.PRICE_SOURCE)
    assert row_of(report, "unrealised").status is Status.SKIPPED


@pytest.mark.parametrize(
    "names",
    [
        ("walletBalance", "otherMaintenance", "otherUnrealizedPnl"),
        ("wallet", "tmm_other", "upnl_other"),
        ("WB", "TMM1", "UPNL1"),
        ("wallet_balance", "mm_ex_1", "upnl_ex_1"),
    ],
)
@pytest.mark.parametrize("place", ["account", "raw"])
def test_a_cross_price_from_the_money_beside_the_position(names: tuple[str, ...], place: str) -> None:
    # Binance's FAQ example: 26 316.89 with the other position's margin and loss.
    money = dict(zip(names, (1535443.01, 356512.508, -448192.89), strict=True))
    row = row_of(check([record(**{place: money | {"symbol": "BTCUSDT"}})]), "liquidation")
    assert row.status is Status.PASSED
    assert row.own is not None and abs(row.own - D("26316.89")) < D("0.01")
    alone = {names[0]: 1535443.01, "symbol": "BTCUSDT"}
    assert row_of(check([record(**{place: alone})]), "liquidation").status is Status.SKIPPED


def test_a_group_of_records_with_its_wallet_is_a_whole_account() -> None:
    account = {"group": "faq", "walletBalance": 1535443.01}
    btc = record(account=account, markPrice=31967.27)
    eth = record(id="b", symbol="ETHUSDT", contracts=3683.979, entryPrice=1456.84, markPrice=1335.18, account=account,
                 maintenanceMarginPercentage=0.1, liquidationPrice=1153.26, note="cum=135365",
                 raw={"symbol": "ETHUSDT", "cum": 135365})  # fmt: skip
    rows = [row for row in check([btc, eth]).rows if row.quantity == "liquidation"]
    assert [row.status for row in rows] == [Status.PASSED, Status.PASSED]
    assert [str(row.own)[:8] for row in rows] == ["26316.89", "1153.256"]


def test_a_blank_inside_a_number_is_a_slip_of_the_copy() -> None:
    raw = {"code": "0", "msg": "", "data": [{"totalEq": "1", "details": [{"ccy": "BTC", "cashBal": "1 .5"}]}]}
    one = {"id": "x", "venue": "okx", "kind": "balance", "raw": raw, "source": "a test"}
    report = check([one])
    assert [(row.status, "source error" in row.reason) for row in report.rows] == [(Status.SKIPPED, True)]
    raw["data"][0]["details"][0]["cashBal"] = "1x5"
    assert [row.status for row in check([one]).rows] == [Status.FAILED]


def test_closed_positions_of_an_old_account_are_left_out() -> None:
    closed = {"symbol": "BTCUSDT", "initialMargin": "0", "maintMargin": "0", "leverage": "21", "entryPrice": "0.0",
              "isolated": False, "positionSide": "BOTH"}  # fmt: skip
    account = {"assets": [{"asset": "USDT", "walletBalance": "5"}], "totalMarginBalance": "5", "positions": [closed]}
    assert row_of(check(account), "equity").status is Status.PASSED
    # Totals count USDT alone: beside another coin they say nothing of the whole.
    account["assets"] = [{"asset": "BNB", "walletBalance": "0.01"}]
    assert [row.status for row in check(account).rows] == [Status.SKIPPED]
    account["positions"] = [closed | {"initialMargin": "1"}]
    with pytest.raises(Exception, match="positionAmt is missing"):
        check(account)


@pytest.mark.parametrize(
    ("symbol", "settle", "product"),
    [("XBTUSDM", "XBT", Product.INVERSE), ("XBTUSDTM", "USDT", Product.LINEAR), ("XBTUSDM", "", Product.INVERSE)],
)
def test_coin_margined_contracts_of_kucoin_are_told_by_name(symbol: str, settle: str, product: Product) -> None:
    position = {"symbol": symbol, "crossMode": False, "currentQty": -20, "avgEntryPrice": 7508.22, "markPrice": 7947.8,
                "posCost": 0.00266375, "posInit": 0.00266375, "maintMarginReq": 0.005, "liquidationPrice": 1000000.0,
                "settleCurrency": settle}  # fmt: skip
    found = read_bytes(json.dumps([position]).encode(), label="p", venue="kucoin")
    assert found.readings[0].portfolio.legs[0].product is product


def test_unsettled_profit_without_its_field_is_what_was_not_settled() -> None:
    position = {
        "instrument_type": "perp", "instrument_name": "BTC-PERP", "amount": "-0.02", "average_price": "102632.91",
        "unrealized_pnl": "-2.6455959784245548835819950103759765625", "net_settlements": "-4.032902047219498639",
        "pending_funding": "0", "mark_price": "102765.190337908177752979099750518798828125",
        "index_price": "102767.657193800017641472", "creation_timestamp": 1738065303840,
        "maintenance_margin": "-101.37788426911356509663164615631103515625",
        "initial_margin": "-132.2074413704858670826070010662078857421875",
    }  # fmt: skip
    report = check([position])
    for quantity in ("initial", "maintenance"):
        assert row_of(report, quantity).status is Status.PASSED
    other = check([position | {"net_settlements": "-3"}])
    assert row_of(other, "maintenance").status is Status.FAILED


def test_isolated_margin_is_the_wallet_and_the_profit() -> None:
    alone = POSITION | {"isolatedWallet": "2", "isolatedMargin": "2.2365", "marginType": "isolated", "leverage": "5"}
    assert row_of(check([alone]), "isolated_equity").status is Status.PASSED
    assert row_of(check([alone | {"isolatedMargin": "2.5"}]), "isolated_equity").status is Status.FAILED


def test_a_short_excerpt_of_bitget_s_classic_position_is_told_by_its_fields() -> None:
    fields = {"venue": "bitget", "contracts": 0.001, "entryPrice": 75000, "markPrice": 75600, "leverage": 20,
              "maintenanceMarginPercentage": 0.004, "liquidationPrice": None, "note": None,
              "initialMargin": 3.75}  # fmt: skip
    raw = {"symbol": "BTCUSDT", "marginSize": "3.75", "holdSide": "long"}
    assert row_of(check([record(**fields, raw=raw)]), "initial").status is Status.PASSED
    unified = {"symbol": "BTCUSDT", "posSide": "long", "positionBalance": "3.75"}
    assert row_of(check([record(**fields, raw=unified)]), "initial").status is Status.FAILED
