"""
Readers of smaller venues, dYdX and Derive: recorded checks reproduced, captured payloads read, damaged ones refused.
"""

import copy
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.core.errors import TocsinError
from tocsin.venues import VenueRefusal
from tocsin.venues.contract import Evaluation, Mode, Product
from tocsin.venues.params import decode_numbers
from tocsin.venues.readers.files import read_payloads
from tocsin.venues.readers.records import read_records
from tocsin.venues.reading import PayloadError, Reading
from tocsin.venues.registry import find_rulebook

D = Decimal
VECTORS = Path(__file__).parents[2] / "vectors" / "venues"
OTHERS = {"binance_usdm", "binance_coinm", "binance", "bybit", "okx", "deribit", "hyperliquid"}
KNOWN_MISSES = {("gt-eth-short", "liq (margin as isolated)"), ("wb-btc", "liq")}
"""The first check counts profit into Gate's margin, which is without it; the second venue has no rulebook."""


def decoded(name: str) -> Any:
    return decode_numbers((VECTORS / name).read_bytes())["records"]


def evaluations() -> dict[str, Evaluation]:
    out: dict[str, Evaluation] = {}
    records = [r for r in decoded("positions.json") if r["venue"] not in OTHERS]
    for reading in read_records(records, "positions.json").readings:
        try:
            found = find_rulebook(reading.rules).run(reading.portfolio)
        except TocsinError:
            continue
        out.update(dict.fromkeys(reading.records, found))
    return out


def own_value(evaluation: Evaluation, record: dict[str, Any], what: str) -> Decimal | None:
    if what in ("equity", "freeCollateral"):
        return evaluation.equity if what == "equity" else evaluation.signed["freeCollateral"]
    leg = next(x for x in evaluation.legs if x.symbol == record["symbol"])
    price = leg.liquidation.price if leg.liquidation else None
    return {"mm": leg.maintenance, "im": leg.initial}.get(what, price)


def test_every_recorded_check_is_reproduced() -> None:
    records = {r["id"]: r for r in decoded("positions.json")}
    found, compared = evaluations(), 0
    for check in decoded("checks.json"):
        if check["venue"] in OTHERS or (check["id"], check["what"]) in KNOWN_MISSES:
            continue
        own = own_value(found[check["id"]], records[check["id"]], check["what"])
        expected = check["expected"]
        assert own is not None, check
        assert abs(own - expected) <= abs(expected) * D("0.001"), check
        compared += 1
    assert compared >= 22


def read(venue: str, payload: Any) -> Reading:
    return read_payloads([decode_numbers(msgspec.json.encode(payload))], venue)


KUCOIN = {
    "symbol": "ETHUSDTM",
    "maintMarginReq": 0.005,
    "crossMode": False,
    "currentQty": 2,
    "posCost": 83.787,
    "posInit": 3.35148,
    "avgEntryPrice": 4189.35,
    "markPrice": 4183.38,
    "liquidationPrice": 4044.55,
    "unrealisedPnl": -0.1194,
}
HTX = {
    "contract_code": "BTC-USDT",
    "direction": "buy",
    "margin_mode": "cross",
    "open_avg_price": "63204.5",
    "volume": "1",
    "lever_rate": 20,
    "liquidation_price": "-110163.844268282697306843",
    "initial_margin": "3.158275",
    "maintenance_margin": "0.2147627",
    "mark_price": "63165.5",
}
PHEMEX = {
    "symbol": "ETHUSD",
    "side": "Buy",
    "crossMargin": False,
    "leverage": "2.0",
    "maintMarginReq": "0.01",
    "size": "1",
    "value": "22.2237",
    "avgEntryPriceEp": "44447400",
    "avgEntryPrice": "4444.74",
    "positionMargin": "11.1118",
    "liquidationPrice": "2266.9",
    "markPrice": "3133.2499",
}
DYDX_POSITION = {
    "market": "BTC-USD",
    "side": "SHORT",
    "size": "-4.1368",
    "entryPrice": "112196.87848803433219017636",
    "unrealizedPnl": "17002.285719484425404321566048",
}
DYDX = {
    "subaccount": {
        "equity": "161447.1903911840",
        "freeCollateral": "152504.4151934596",
        "openPerpetualPositions": {"BTC-USD": DYDX_POSITION},
        "assetPositions": {"USDC": {"size": "608580.951601", "side": "LONG"}},
    }
}
DERIVE = {
    "instrument_type": "perp",
    "instrument_name": "BTC-PERP",
    "amount": "0.01",
    "average_price": "84438.4183362967",
    "mark_price": "84372.319949036835",
    "index_price": "84363.26788266873",
    "mark_value": "-0.075737406633",
    "pending_funding": "-0.000041006163",
    "creation_timestamp": 0,
    "initial_margin": "-55.755494300332",
    "maintenance_margin": "-42.257371387251",
    "liquidation_price": None,
}
PAYLOADS: list[tuple[str, Any]] = [
    ("kucoin", {"data": [KUCOIN]}),
    ("htx", {"data": [HTX]}),
    ("phemex", {"data": {"positions": [PHEMEX]}}),
    ("dydx", DYDX),
    ("derive", {"result": {"positions": [DERIVE]}}),
]


def test_contract_size_from_the_payloads_own_value() -> None:
    leg = read("", {"data": [KUCOIN]}).portfolio.legs[0]
    assert (leg.contract_size, leg.isolated_collateral, leg.mode) == (D("0.01"), D("3.35148"), Mode.ISOLATED)
    assert read("", {"data": [HTX]}).portfolio.legs[0].contract_size == D("0.001")
    with pytest.raises(PayloadError, match="contractSize is missing"):
        read("", {"data": [{**HTX, "contract_code": "NEW-USDT"}]})


def test_coin_margined_positions_are_told_from_the_payload() -> None:
    coin = {**PHEMEX, "symbol": "BTCUSD", "currency": "BTC", "size": "100", "value": "0.01", "avgEntryPrice": "10000"}
    leg = read("", {"data": {"positions": [{**coin, "positionMargin": "0.001", "markPrice": "10100"}]}}).portfolio.legs[
        0
    ]
    assert (leg.product, leg.settle, leg.contract_size) == (Product.INVERSE, "BTC", D(1))
    with pytest.raises(PayloadError, match="contractSize is missing"):
        read("", {"data": [{**HTX, "contract_code": "BTC-USD"}]})
    reading = read("", {"data": [{**KUCOIN, "symbol": "XBTUSDM", "isInverse": True}]})
    with pytest.raises(VenueRefusal, match="is inverse; kucoin-isolated covers linear contracts alone"):
        find_rulebook(reading.rules).run(reading.portfolio)


def test_a_negative_price_is_none_and_a_closed_position_is_left_out() -> None:
    reading = read("", {"data": [HTX]})
    assert [f.value for f in reading.reported if f.quantity == "liquidation"] == [None]
    assert read("kucoin", {"data": [{**KUCOIN, "currentQty": 0}, KUCOIN]}).portfolio.legs == (
        read("kucoin", {"data": [KUCOIN]}).portfolio.legs
    )


def test_dydx_oracle_and_money() -> None:
    reading = read("", DYDX)
    assert abs((reading.portfolio.legs[0].mark or D(0)) - D("108086.86937")) < D("1e-9")
    out = find_rulebook("dydx").run(reading.portfolio)
    assert abs((out.equity or D(0)) - D("161447.1903911840")) < D("1e-6")
    wrong = copy.deepcopy(DYDX)
    wrong["subaccount"]["openPerpetualPositions"]["BTC-USD"]["size"] = "4.1368"
    with pytest.raises(PayloadError, match="size must be signed as side"):
        read("", wrong)


def test_derive_counts_profit_from_the_last_settlement() -> None:
    leg = read("", {"result": {"positions": [DERIVE]}}).portfolio.legs[0]
    assert leg.entry is not None
    assert leg.mark is not None
    gained = (leg.mark - leg.entry) * leg.size + leg.accrued_funding
    assert abs(gained - D("-0.075737406633")) < D("1e-12")


BITGET = {
    "marginCoin": "USDT",
    "symbol": "BTCUSDT",
    "holdSide": "long",
    "total": "0.002",
    "leverage": "20",
    "openPriceAvg": "37355.5",
    "marginMode": "crossed",
    "unrealizedPL": "0.03",
    "liquidationPrice": "31725.023602417",
    "keepMarginRate": "0.004",
    "markPrice": "37370.5",
    "marginRatio": "0.029550120396",
    "marginSize": "3.73555",
}


def bundle(*payloads: Any) -> Evaluation:
    reading = read_payloads([decode_numbers(msgspec.json.encode(p)) for p in payloads], "bundle")
    return find_rulebook(reading.rules).run(reading.portfolio)


def test_an_account_beside_its_positions_counts_profit_once() -> None:
    account = {"marginCoin": "USDT", "accountEquity": "11.6347614", "unrealizedPL": "0.03", "crossedRiskRate": "0.0295"}
    out = bundle({"data": [account]}, {"data": [BITGET]})
    assert out.equity == D("11.6347614")
    assert out.health is not None
    assert abs((out.health.value or D(0)) - D("0.029550120396")) < D("1e-9")
    price = out.legs[0].liquidation
    assert price is not None
    assert abs((price.price or D(0)) / D("31725.023602417") - 1) < D("0.001")
    # Alone, the account holds the profit of positions that are not shown.
    assert bundle({"data": [account]}).equity == D("11.6347614")


def test_paradex_mark_is_implied_and_closed_positions_are_left_out() -> None:
    position = {
        "market": "BTC-USD-PERP",
        "side": "SHORT",
        "size": "0.01",
        "average_entry_price": "64839.96",
        "unrealized_pnl": "2.4",
        "unrealized_funding_pnl": "-0.1",
        "cached_funding_index": "35202",
        "leverage": "5",
        "liquidation_price": "",
    }
    money = {"token": "USDC", "size": "200", "last_updated_at": 1718529757240}
    out = bundle({"results": [money]}, {"results": [position, {**position, "size": "0"}]})
    assert [leg.symbol for leg in out.legs] == ["BTC-USD-PERP"]
    assert out.equity == D("202.3")
    assert out.initial == (D("64839.96") - 240) * D("0.01") / 5
    price = out.legs[0].liquidation
    assert price is not None
    assert price.price is not None
    assert abs(D("202.3") - (price.price - D("64599.96")) * D("0.01") - price.price * D("0.0001")) < D("1e-6")


BAD = [None, "", "abc", "NaN", "1e999", -1, 0, True, [], {}, "1e30", "-0.5", "Infinity", 10**30]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    return [p for key, inner in items for p in [(*path, key), *places(inner, (*path, key))]]


@settings(max_examples=150)
@given(data=st.data())
def test_damaged_payloads_are_refused_or_give_finite_numbers(data: st.DataObject) -> None:
    venue, payload = data.draw(st.sampled_from(PAYLOADS))
    damaged = copy.deepcopy(payload)
    path = data.draw(st.sampled_from(places(damaged)))
    place: Any = damaged
    for key in path[:-1]:
        place = place[key]
    if data.draw(st.booleans()):
        place[path[-1]] = data.draw(st.sampled_from(BAD))
    else:
        del place[path[-1]]
    try:
        reading = read(venue, json.loads(json.dumps(damaged)))
        out = find_rulebook(reading.rules).run(reading.portfolio) if reading.rules else None
    except TocsinError:
        return
    for value in (out.equity, out.initial, out.maintenance) if out else ():
        assert value is None or value.is_finite()
