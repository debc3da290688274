"""
Payloads edited so that exactly one cause changes: the check must name that cause, and its parts must sum exactly.
"""

import copy
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.helpers.payloads import Base, binance, binance_account, bybit, deribit, hyperliquid, okx, read, row_of, text
from tocsin.desk.check import check_reading
from tocsin.desk.codes import Code
from tocsin.desk.rows import Row, Status
from tocsin.desk.worlds import EXACT
from tocsin.venues.params import versions

D = Decimal
VENUES: dict[str, Callable[[], Base]] = {
    "binance": binance,
    "bybit": bybit,
    "okx": okx,
    "hyperliquid": hyperliquid,
    "deribit": deribit,
    "binance account": binance_account,
}
MAINTENANCE = {
    "binance": ("maintMargin", "BTCUSDT"),
    "bybit": ("positionMM", "BTCUSDT"),
    "okx": ("mmr", "BTC-USDT-SWAP"),
    "deribit": ("maintenance_margin", "BTC-PERPETUAL"),
}


def check(row: Row, code: Code) -> Row:
    assert row.code is code, (row.code, row.reason, row.parts)
    if row.parts:
        assert row.difference is not None
        total = Decimal(0)
        for part in row.parts:
            total = EXACT.add(total, part.amount)
        assert total == row.difference
    return row


def put(base: Base, field: str, value: Decimal, **more: Any) -> Any:
    number = isinstance(base.elements(base.payload)[0][field], float)
    return base.edit(**{field: float(value) if number else text(value)}, **more)


@pytest.mark.parametrize("venue", VENUES)
def test_an_unedited_payload_passes_everywhere(venue: str) -> None:
    rows = check_reading(VENUES[venue]().reading)
    assert [row for row in rows if row.status is Status.FAILED] == []
    assert {row.code for row in rows} <= {None, Code.ROUNDING}
    assert sum(row.status is Status.PASSED for row in rows) >= 2


@pytest.mark.parametrize("venue", MAINTENANCE)
def test_a_last_digit_is_rounding(venue: str) -> None:
    base = VENUES[venue]()
    field, symbol = MAINTENANCE[venue]
    own = base.evaluation.legs[0].maintenance or D(0)
    step = own * D("1e-9") if venue == "deribit" else D("1e-10")
    row = check(row_of(put(base, field, own + step), "maintenance", symbol), Code.ROUNDING)
    assert row.status is Status.PASSED


@pytest.mark.parametrize("factor", ["1.0312", "0.9417", "1.2391", "1.0054", "0.7113"])
@pytest.mark.parametrize("venue", MAINTENANCE)
def test_chance_is_not_taken_for_a_cause(venue: str, factor: str) -> None:
    base = VENUES[venue]()
    field, symbol = MAINTENANCE[venue]
    own = base.evaluation.legs[0].maintenance or D(0)
    row = row_of(put(base, field, own * D(factor)), "maintenance", symbol)
    assert row.code is Code.UNEXPLAINED, row.parts


@pytest.mark.parametrize("venue", MAINTENANCE)
def test_what_no_cause_gives_is_unexplained(venue: str) -> None:
    base = VENUES[venue]()
    field, symbol = MAINTENANCE[venue]
    own = base.evaluation.legs[0].maintenance or D(0)
    row = check(row_of(put(base, field, own * D("1.0712")), "maintenance", symbol), Code.UNEXPLAINED)
    assert row.status is Status.FAILED
    assert len(row.parts) == 1


@pytest.mark.parametrize("venue", MAINTENANCE)
def test_a_closing_fee(venue: str) -> None:
    base = VENUES[venue]()
    field, symbol = MAINTENANCE[venue]
    margin = base.evaluation.legs[0]
    own = margin.maintenance or D(0)
    # Bybit's own rule has the fee: there it is taken out, elsewhere it is put in.
    edited = own - margin.fees if margin.fees else own + margin.notional * D("0.0005")
    row = check(row_of(put(base, field, edited), "maintenance", symbol), Code.FEE_IN_MM)
    assert row.status is Status.FAILED


@pytest.mark.parametrize("venue", MAINTENANCE)
def test_a_bracket_that_is_not_the_table_s(venue: str) -> None:
    base = VENUES[venue]()
    field, symbol = MAINTENANCE[venue]
    margin = base.evaluation.legs[0]
    edited = margin.notional * D("0.0135") + margin.fees
    check(row_of(put(base, field, edited), "maintenance", symbol), Code.TIER_VERSION)


def test_another_version_of_the_brackets() -> None:
    base = binance()
    newest = versions("binance", "usdm_tiers")[-1]
    other = base.world.params.replace("usdm_tiers", newest)
    margin = base.world.book.run(base.world.portfolio, other).legs[0]
    assert margin.maintenance != base.evaluation.legs[0].maintenance
    assert margin.liquidation is not None
    payload = base.edit(maintMargin=text(margin.maintenance), liquidationPrice=text(margin.liquidation.price))
    row = check(row_of(payload, "maintenance", "BTCUSDT"), Code.TIER_VERSION)
    assert newest.valid_from in row.parts[0].why
    check(row_of(payload, "liquidation", "BTCUSDT"), Code.TIER_VERSION)


@pytest.mark.parametrize(
    ("venue", "place", "symbol", "quantity", "changes"),
    [
        ("binance", 0, "BTCUSDT", "maintenance", {"markPrice": "62310.2"}),
        ("bybit", 0, "BTCUSDT", "maintenance", {"markPrice": "62310.2"}),
        ("okx", 0, "BTC-USDT-SWAP", "ratio", {"markPx": "61950.2"}),
        ("hyperliquid", 0, "BTC", "initial", {"positionValue": "309000"}),
        ("hyperliquid", 1, "ETH", "marginUsed:ETH", {"positionValue": "34900"}),
        ("deribit", 0, "BTC-PERPETUAL", "maintenance", {"mark_price": 62310.0}),
    ],
)
def test_another_price(venue: str, place: int, symbol: str, quantity: str, changes: dict[str, Any]) -> None:
    payload = VENUES[venue]().edit(place, **changes)
    row = check(row_of(payload, quantity, symbol), Code.PRICE_SOURCE)
    assert row.status is Status.FAILED


def test_margins_on_the_index_instead_of_the_mark() -> None:
    base = deribit()
    margin = base.world.with_leg(0, mark=D("61950.2")).evaluate().legs[0]
    payload = base.edit(initial_margin=float(margin.initial or 0), maintenance_margin=float(margin.maintenance or 0))
    row = check(row_of(payload, "initial", "BTC-PERPETUAL"), Code.PRICE_SOURCE)
    assert "index" in row.parts[0].why


@pytest.mark.parametrize(
    ("venue", "changes", "symbol"),
    [
        ("binance", {"marginType": "cross"}, "BTCUSDT"),
        ("okx", {"mgnMode": "cross"}, "BTC-USDT-SWAP"),
    ],
)
def test_an_isolated_position_that_is_called_cross(venue: str, changes: dict[str, Any], symbol: str) -> None:
    row = check(row_of(VENUES[venue]().edit(**changes), "liquidation", symbol), Code.MODE_MISMATCH)
    assert row.status is Status.FAILED
    assert "isolated" in row.reason


@pytest.mark.parametrize(
    ("make", "changes", "quantity"),
    [
        (bybit, {"tradeMode": 1}, "liquidation"),
        (bybit, {"tradeMode": 1}, "initial"),
        (binance_account, {"isolated": True}, "liquidation"),
    ],
)
def test_a_cross_position_that_is_called_isolated(
    make: Callable[[], Base], changes: dict[str, Any], quantity: str
) -> None:
    row = check(row_of(make().edit(**changes), quantity, "BTCUSDT"), Code.MODE_MISMATCH)
    assert row.status is Status.FAILED


def test_an_isolated_position_among_others_that_is_called_cross() -> None:
    base = hyperliquid()
    payload = base.edit(1, leverage={"type": "cross", "value": 10, "rawUsd": "40000"})
    check(row_of(payload, "initial", "ETH"), Code.MODE_MISMATCH)
    check(row_of(payload, "crossMaintenanceMarginUsed"), Code.MODE_MISMATCH)


def test_the_bracket_at_the_mark_kept_to_the_end() -> None:
    for size in range(20, 400, 4):
        base = binance(positionAmt=str(-size), isolatedWallet=str(size * 12000), leverage="5")
        margin = base.evaluation.legs[0]
        assert margin.liquidation is not None
        if margin.liquidation.price and margin.liquidation.tier != margin.tier:
            break
    assert margin.rate is not None and margin.maintenance is not None
    deduction = margin.notional * margin.rate - margin.maintenance
    held = base.world.with_leg(0, maintenance_rate=margin.rate, deduction=deduction).evaluate().legs[0].liquidation
    assert held is not None and held.price != margin.liquidation.price
    check(row_of(base.edit(liquidationPrice=text(held.price)), "liquidation", "BTCUSDT"), Code.TIER_AT_LIQ)


def test_a_cliff_kept_to_the_end() -> None:
    for contracts in range(500, 400_000, 1500):
        base = okx(pos=str(-contracts), margin=str(contracts * 60), notionalUsd=str(contracts * D("620.005")))
        margin = base.evaluation.legs[0]
        if margin.tier and margin.tier > 1:
            break
    # Brackets are in contracts here: they do not change on the way, so the figure is the same.
    assert margin.liquidation is not None
    assert margin.liquidation.tier == margin.tier


def test_no_haircut_on_collateral() -> None:
    base = bybit()
    plain = sum((b.amount * (b.price or D(1)) for b in base.reading.portfolio.balances), D(0))
    profit = base.evaluation.legs[0].unrealised or D(0)
    payload = base.edit(account={"totalMarginBalance": text(plain + profit)})
    check(row_of(payload, "equity"), Code.COLLATERAL_HAIRCUT)


def test_another_haircut_on_one_coin() -> None:
    base = bybit()
    changed = base.world.with_extra("collateral_rate:BTC", D("0.85")).evaluate()
    payload = base.edit(account={"totalMarginBalance": text(changed.equity)})
    row = check(row_of(payload, "equity"), Code.COLLATERAL_HAIRCUT)
    assert "BTC counted at 85 %" in row.parts[0].why


@pytest.mark.parametrize(
    ("venue", "symbol", "field", "orders"),
    [
        ("binance", "BTCUSDT", "initialMargin", "openOrderInitialMargin"),
        ("deribit", "BTC-PERPETUAL", "initial_margin", "open_orders_margin"),
    ],
)
def test_margin_of_orders(venue: str, symbol: str, field: str, orders: str) -> None:
    base = VENUES[venue]()
    own = base.evaluation.legs[0].initial or D(0)
    amount = D("0.0123") if venue == "deribit" else D("1234.5")
    more = {orders: float(amount) if venue == "deribit" else str(amount)}
    check(row_of(put(base, field, own + amount, **more), "initial", symbol), Code.ORDER_MARGIN)


def test_margin_of_orders_in_an_account() -> None:
    base = bybit()
    payload = base.edit(account={"totalInitialMargin": text((base.evaluation.initial or D(0)) + 500)})
    payload["payloads"][1]["result"]["list"][0]["coin"][0]["totalOrderIM"] = "500"
    check(row_of(payload, "initial"), Code.ORDER_MARGIN)


def test_a_position_of_another_moment() -> None:
    payload = bybit().edit(markPrice="62310.2", updatedTime="1764990000000")
    row = check(row_of(payload, "maintenance", "BTCUSDT"), Code.STALE_SNAPSHOT)
    assert "apart" in row.parts[0].why


def test_an_account_of_another_moment() -> None:
    base = bybit()
    payload = base.edit(account={"totalMaintenanceMargin": text((base.evaluation.maintenance or D(0)) * D("1.0313"))})
    payload["payloads"][1]["time"] = 1764990000000
    check(row_of(payload, "maintenance"), Code.STALE_SNAPSHOT)


def test_a_connector_s_figure_is_never_judged_by_ours() -> None:
    base = binance()
    (info,) = base.payload
    unified = {"symbol": "BTC/USDT:USDT", "contracts": 25.0, "contractSize": 1.0, "side": "long", "info": info}
    honest = [{**unified, "maintenanceMargin": float(info["maintMargin"]), "liquidationPrice": 54315.0478107686}]
    assert row_of(honest, "maintenance", "BTCUSDT").status is Status.PASSED
    wrong = [{**unified, "maintenanceMargin": float(info["maintMargin"]) * 1.5}]
    row = check(row_of(wrong, "maintenance", "BTCUSDT"), Code.CONNECTOR_DERIVED)
    assert row.status is Status.FAILED
    assert row.difference == 0
    assert row.connector is not None
    assert row.reported is not None and row.connector.amount == EXACT.subtract(row.derived or D(0), row.reported)


def test_a_connector_is_the_cause_where_venue_and_rules_agree_to_the_digits() -> None:
    (info,) = binance().payload
    digits = {**info, "liquidationPrice": str(round(D(info["liquidationPrice"]), 2))}
    unified = {"symbol": "BTC/USDT:USDT", "contracts": 25.0, "contractSize": 1.0, "side": "long", "info": digits}
    row = row_of([{**unified, "liquidationPrice": 50000.0}], "liquidation", "BTCUSDT")
    assert [part.code for part in row.parts] == [Code.ROUNDING]
    assert (row.status, row.code) == (Status.FAILED, Code.CONNECTOR_DERIVED)


def test_what_only_the_connector_says_is_shown_and_skipped() -> None:
    base = binance()
    info = copy.deepcopy(base.payload[0])
    del info["maintMargin"]
    dump = [{"symbol": "BTC/USDT:USDT", "contracts": 25.0, "side": "long", "maintenanceMargin": 17.0, "info": info}]
    row = row_of(dump, "maintenance", "BTCUSDT")
    assert row.status is Status.SKIPPED
    assert (row.reported, row.derived, row.own) == (None, D(17), base.evaluation.legs[0].maintenance)
    assert row.code is Code.CONNECTOR_DERIVED
    assert row.reason


def test_two_causes_are_told_apart() -> None:
    base = binance()
    margin = base.world.with_leg(0, mark=D("62310.2")).evaluate().legs[0]
    reported = (margin.maintenance or D(0)) + margin.notional * D("0.0004")
    payload = base.edit(maintMargin=text(reported), unRealizedProfit=text(margin.unrealised or D(0)))
    row = row_of(payload, "maintenance", "BTCUSDT")
    assert {part.code for part in row.parts} - {Code.ROUNDING} == {Code.PRICE_SOURCE, Code.FEE_IN_MM}
    check(row, row.parts[0].code if abs(row.parts[0].amount) > abs(row.parts[1].amount) else row.parts[1].code)


def test_no_price_in_each_spelling_agrees_with_no_price() -> None:
    base = hyperliquid()
    for spelling in (None, "", "0", "-1", 0, -5.0):
        rows = check_reading(read(base.edit(0, liquidationPx=spelling)))
        (row,) = [r for r in rows if r.symbol == "BTC" and r.quantity == "liquidation"]
        assert row.reported is None
        assert row.status is Status.FAILED
        assert "there is no price" in row.reason


def test_a_figure_that_the_rules_start_from_proves_nothing() -> None:
    payload = {"uniMMR": "5167.92171923", "accountEquity": "122607.35137903", "accountMaintMargin": "23.72469206"}
    rows = {row.quantity: row for row in check_reading(read(payload))}
    assert rows["equity"].status is rows["maintenance"].status is Status.SKIPPED
    assert "taken as given" in rows["equity"].reason
    assert rows["ratio"].status is Status.PASSED


@pytest.mark.parametrize(
    ("venue", "field", "symbol", "quantity"),
    [
        ("binance", "entryPrice", "BTCUSDT", "liquidation"),
        ("okx", "avgPx", "BTC-USDT-SWAP", "liquidation"),
        ("bybit", "avgPrice", "BTCUSDT", "maintenance"),
        ("bybit", "avgPrice", "", "ratio"),
        ("binance account", "entryPrice", "BTCUSDT", "liquidation"),
    ],
)
def test_another_entry_price(venue: str, field: str, symbol: str, quantity: str) -> None:
    base = VENUES[venue]()
    entry = D(base.elements(base.payload)[0][field])
    row = check(row_of(base.edit(**{field: str(entry * D("1.01"))}), quantity, symbol), Code.PRICE_SOURCE)
    assert row.parts[0].why.split("implied by unrealised profit ")[1].startswith(f"{entry:.8g}")


def test_a_profit_of_few_digits_still_tells_the_price() -> None:
    raw = {"coin": "HYPE", "szi": "-4.0", "leverage": {"type": "isolated", "value": 10, "rawUsd": "211.144417"},
           "entryPx": "47.9932", "positionValue": "193.92806", "unrealizedPnl": "-0.6071",
           "liquidationPx": "50.2724802381", "marginUsed": "18.564417", "maxLeverage": 10}  # fmt: skip
    row = check(row_of([raw], "marginUsed:HYPE", "HYPE"), Code.PRICE_SOURCE)
    assert row.parts[0].why.endswith("48.145") and len(row.parts) == 1


def test_a_share_or_rate_that_was_sought_must_give_the_figure_exactly() -> None:
    payload = bybit().edit(leverage="7")
    for quantity in ("maintenance", "ratio"):
        check(row_of(payload, quantity), Code.UNEXPLAINED)
