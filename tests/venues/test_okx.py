"""OKX's rulebooks against recorded positions, the API's worked example and their own properties."""

import json
from decimal import Decimal, localcontext
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.risk.pricing import price_option
from tocsin.venues import VenueRefusal
from tocsin.venues.contract import NUMBERS, Balance, Leg, MissingInput, Mode, NoPrice, OptionTerms, Portfolio, Product
from tocsin.venues.params import decode_numbers, load
from tocsin.venues.readers.okx import READERS, finish
from tocsin.venues.reading import Draft, Fields, PayloadError
from tocsin.venues.registry import find_rulebook

D = Decimal
VECTORS = Path(__file__).parents[2] / "vectors" / "venues"


def records(name):
    found = decode_numbers((VECTORS / name).read_bytes())["records"]
    return {r["id"]: r for r in found if r["venue"] == "okx"}


POSITIONS, ACCOUNTS = records("positions.json"), records("accounts.json")
CHECKS = [r for r in json.loads((VECTORS / "checks.json").read_bytes())["records"] if r["venue"] == "okx"]
ISOLATED, CROSS, MULTI, PORTFOLIO = (find_rulebook(n) for n in ("okx-isolated", "okx-cross", "okx-multi", "okx-pm"))
SPOT_FEES = {"okx-margin-ltc-long": D("0.0015"), "okx-margin-ltc-short": D("0.0015")}


def read(*payloads):
    """Read payloads with the readers whose shape they have, accounts first."""
    draft = Draft(venue="okx", label="test")
    found = [(next(r for r in READERS if r.elements(p) is not None), p) for p in payloads]
    for reader, payload in sorted(found, key=lambda pair: pair[0].holds != "account"):
        for element in reader.elements(payload) or ():
            reader.read(Fields(element, "test"), draft)
    return finish(draft).reading()


def evaluate(record):
    """Evaluate a recorded position with the rate that its record gives."""
    reading = read(record["raw"])
    leg = reading.portfolio.legs[0]
    changes = {"maintenance_rate": record["maintenanceMarginPercentage"], "fee_rate": SPOT_FEES.get(record["id"])}
    if leg.entry is None:
        changes["entry"] = record["entryPrice"]
    if record["id"] == "okx-btc-swap-cross":
        # The payload's markPx was edited by whoever published it; imr x lever / size is what the venue used.
        changes["mark"] = record["raw"]["imr"] and D(record["raw"]["imr"]) * 2 / D("0.01")
    leg = msgspec.structs.replace(leg, **changes)
    return find_rulebook(reading.rules).run(msgspec.structs.replace(reading.portfolio, legs=(leg,)))


def near(own, expected, tolerance):
    assert own is not None
    assert abs(own - expected) <= abs(expected) * D(tolerance), (own, expected)


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: f"{c['id']} {c['what']}")
def test_recorded_checks(check):
    expected = D(repr(check["expected"]))
    if check["id"] == "okx-account-2021":
        near(account_of_2021().health.value, expected, "1e-9")
        return
    record = POSITIONS[check["id"]]
    found = evaluate(record)
    leg = found.legs[0]
    if check["what"] == "liq":
        published = found.signed.get(f"liqPx:{leg.symbol}", leg.liquidation.price)
        near(published, expected, "1e-13")
        near(leg.liquidation.price, expected, "1e-3")
    elif check["what"] == "mm":
        near(leg.maintenance, expected, "1e-9")
    elif check["what"] == "im":
        near(leg.initial, expected, "1e-9")
    elif check["id"] == "okx-eth-fut-iso-doc":
        # No mark in the sample: the one that its mm implies, notional = mm / 0.8 %.
        assert leg.maintenance is None
        near(ratio_at_implied_mark(record), expected, "1e-9")
    else:
        near(found.signed[f"mgnRatio:{leg.symbol}"], expected, "1e-12")


def ratio_at_implied_mark(record):
    raw = record["raw"]
    reading = read({**raw, "markPx": str(D(10) * D("0.008") / D(raw["mmr"]))})
    leg = msgspec.structs.replace(reading.portfolio.legs[0], maintenance_rate=D("0.008"))
    found = ISOLATED.run(msgspec.structs.replace(reading.portfolio, legs=(leg,)))
    near(found.legs[0].unrealised, D(raw["upl"]), "1e-5")
    return found.health.value


def account_of_2021():
    """Return the documentation's account, rebuilt from its notional: mmr 0.4 %, taker 0.05 %."""
    raw = ACCOUNTS["okx-account-2021"]["raw"]
    leg = Leg(
        symbol="BTC-USDT-SWAP",
        underlying="BTC",
        product=Product.LINEAR,
        size=D(1),
        mark=D(str(raw["notionalUsd"])),
        entry=D(1),
        settle="USD",
        maintenance_rate=D("0.004"),
        leverage=D(10),
    )
    found = MULTI.run(Portfolio(venue="okx", legs=(leg,), equity=D(str(raw["adjEq"]))))
    near(found.maintenance, D(str(raw["mmr"])), "1e-9")
    near(found.initial, D(str(raw["imr"])), "1e-9")
    return found


def perp(coin, size, ct, entry, mark, index, **more):
    return Leg(
        symbol=f"{coin}-USDT-SWAP",
        underlying=coin,
        product=Product.LINEAR,
        size=D(size),
        contract_size=D(ct),
        entry=D(entry),
        mark=D(mark),
        index=D(index),
        settle="USDT",
        **more,
    )


PX = D("0.99954")
EXAMPLE = (
    perp("BTC", -10, "0.01", 100000, "97093.7", D("388.1369748240002") / (D("0.004") * PX)),
    perp("LTC", 10, 1, 8000, 102, D("61.168909352399936") / (D("0.6") * PX)),
)


def test_position_builder_example():
    """API v5, position-builder: every figure of the response, ts 2025-01-15."""
    money = (Balance(asset="USDT", amount=D(100), price=PX),)
    found = PORTFOLIO.run(Portfolio(venue="okx", legs=EXAMPLE, balances=money, time="1736936801642"))
    published = {
        "mr1:BTC": "1164.4109244719994",
        "mr2:BTC": "0",
        "mr4:BTC": "19.4098073796",
        "mr6:BTC": "1164.4109244720003",
        "mr7:BTC": "43.67206660410001",
        "mmr:BTC": "1183.8207318516002",
        "mr1:LTC": "183.50672805719995",
        "mr4:LTC": "8.1562464",
        "mr6:LTC": "183.5067280572",
        "mr7:LTC": "7.1367156",
        "mmr:LTC": "191.6629744572",
        "borrowMmr": "1571.064377796",
        "derivMmr": "1375.4837063088003",
        "totalMmr": "2946.5480841048",
        "totalImr": "9643.45070718144",
        "adjEq": "-78553.21888979999",
        "mgnRatio": "-25.95365779811705",
    }
    for name, value in published.items():
        near(found.signed[name], D(value), "1e-13")
    assert found.basis.params_date == "2025-01-15"
    assert "MR3" in found.basis.notes[0]
    assert found.health.state == "liquidation"
    assert found.legs[0].liquidation.reason is NoPrice.PORTFOLIO_MARGIN


def test_reader_of_position_builder():
    def unit(name, size, average, mark, profit, usd, **tests):
        leg = {"amt": size, "avgPx": average, "floatPnl": profit, "instId": f"{name}-USDT-SWAP", "instType": "SWAP"}
        return {"riskUnit": name, "upl": usd, "portfolios": [{**leg, "markPx": mark}], **tests}

    answer = {
        "eq": "-78553.21888979999",
        "totalMmr": "2946.5480841048",
        "totalImr": "9643.45070718144",
        "marginRatio": "-25.95365779811705",
        "assets": [{"ccy": "BTC", "availEq": "0"}, {"ccy": "USDT", "availEq": "-78589.37"}],
        "riskUnitData": [
            unit("BTC", "-10", "100000", "97093.7", "290.63", "290.4963102", mr1="1164.41", mr4="19.41", mr7="43.67"),
            unit("LTC", "10", "8000", "102", "-78980", "-78943.6692", mr1="183.5", mr4="8.156", mr7="7.137"),
        ],
        "ts": "1736936801642",
    }
    reading = read({"code": "0", "data": [answer]})
    assert (reading.rules, reading.portfolio.time) == ("okx-pm", "1736936801642")
    assert reading.portfolio.balances[0].amount == 100
    found = PORTFOLIO.run(reading.portfolio)
    own = {**found.signed, "equity": found.equity, "initial": found.initial, "maintenance": found.maintenance}
    own["ratio"] = found.health.value
    for figure in reading.reported:
        if figure.leg < 0:
            # The index is not in the answer: the mark stands in for it.
            near(own[figure.quantity], figure.value, "5e-4")


def test_spot_hedge_of_the_2024_notice():
    """Notice of 2024-05-31: 10 BTC and -10 BTC perpetual: MR1 = MR6 = 0, MR4 = 8,053.32, MR7 = 3,020.17 USDT."""
    price = D("3020.17") / D("0.0045") / 10
    leg = perp("BTC", -1000, "0.01", price, price, price)
    money = (Balance(asset="BTC", amount=D(10), price=price), Balance(asset="USDT", amount=D(1000), price=D(1)))
    account = Portfolio(venue="okx", legs=(leg,), balances=money, time="2024-06-06", extra={"discount:BTC": D("0.98")})
    found = PORTFOLIO.run(account)
    assert abs(found.signed["mr1:BTC"]) < D("1e-30")
    near(found.signed["mr7:BTC"], D("3020.17"), "1e-12")
    near(found.signed["mr4:BTC"], D("8053.32"), "2e-4")
    near(found.signed["derivMmr"], found.signed["mr4:BTC"], "1e-12")


def test_multipliers_charge_slices_and_shocks_are_dated():
    leg = perp("BTC", 100_000, "0.01", 100_000, 100_000, 100_000)

    def tests_at(time, leg=leg):
        account = Portfolio(venue="okx", legs=(leg,), equity=D(10**8), extra={"price:USDT": D(1)}, time=time)
        return PORTFOLIO.run(account).signed

    # raw 450,000: 250,000 x 1 + 200,000 x 2
    assert tests_at("")["mr7:BTC"] == 650_000
    # before: 10,000 x 1 + 60,000 x 2 + 100,000 x 4 + 130,000 x 6 + 150,000 x 8
    old = 10_000 + 120_000 + 400_000 + 780_000 + 1_200_000
    assert tests_at("2025-01-14")["mr7:BTC"] == tests_at("2025-01-05")["mr7:BTC"] == old
    assert [tests_at(t)["mr1:BTC"] for t in ("2025-01-05", "2025-01-06")] == [15 * 10**6, 12 * 10**6]
    assert [tests_at(t)["mr6:BTC"] for t in ("2025-01-05", "2025-01-06")] == [15 * 10**6, 12 * 10**6]
    sol = perp("SOL", 1000, 1, 100, 100, 100)
    assert [tests_at(t, sol)["mr1:SOL"] for t in ("2025-06-01", "2025-12-04")] == [25_000, 18_000]


def option(size, strike, *, call, mark, forward="100000", years="0.0821917808219178"):
    return Leg(
        symbol=f"BTC-USD-301231-{strike}-{'C' if call else 'P'}",
        underlying="BTC",
        product=Product.OPTION_INVERSE,
        size=D(size),
        mark=D(mark),
        index=D(forward),
        settle="BTC",
        option=OptionTerms(is_call=call, strike=D(strike), forward=D(forward), vol=D("0.5"), expiry_years=D(years)),
    )


def test_short_options_of_the_margin_page():
    legs = (
        option(-10, 110_000, call=True, mark="0.0227"),
        option(-10, 90_000, call=False, mark="0.0183"),
        option(5, 100_000, call=True, mark="0.05"),
    )
    account = Portfolio(venue="okx", legs=legs, balances=(Balance(asset="BTC", amount=D(3)),))
    found = CROSS.run(account)
    call, put, bought = found.legs
    assert call.initial == 10 * (D("0.1") + D("0.0227"))
    assert call.maintenance == 10 * (D("0.03") + D("0.0227"))
    assert put.maintenance == 10 * (D("0.03") + D("0.0183"))
    assert bought.initial == bought.maintenance == 0
    assert found.equity == 3 - D("0.227") - D("0.183") + D("0.25")
    assert call.liquidation.reason is NoPrice.OPTION
    near_money = CROSS.run(msgspec.structs.replace(account, legs=(option(-1, 102_000, call=True, mark="0.04"),)))
    assert near_money.legs[0].initial == D("0.15") - D("0.02") + D("0.04")
    in_money = CROSS.run(msgspec.structs.replace(account, legs=(option(-1, 90_000, call=True, mark="0.11"),)))
    assert in_money.legs[0].initial == D("0.15") + D("0.11")
    factor = {"optMgnFactor:BTC-USD-301231-110000-C": D("1.02")}
    larger = CROSS.run(msgspec.structs.replace(account, legs=legs[:1], extra=factor))
    assert larger.legs[0].maintenance == 10 * (D("0.03") * D("1.02") + D("0.0227"))
    # Multi-currency: bought options do not count as margin.
    multi = MULTI.run(msgspec.structs.replace(account, extra={"discount:BTC": D(1), "price:BTC": D(100_000)}))
    assert multi.equity == (3 - D("0.41")) * 100_000


def test_short_strangle_under_portfolio_margin():
    """Research note: +-12 %, volatility up, 30 days: both legs are hit on one side only."""
    legs = (
        option(-10, 110_000, call=True, mark="0.0227"),
        option(-10, 90_000, call=False, mark="0.0183"),
    )
    found = PORTFOLIO.run(Portfolio(venue="okx", legs=legs, equity=D(10**6), extra={"price:BTC": D(100_000)}))
    # 35 % of 50 % = 17.5 points against 25 points: the points bind.
    assert 80_000 < found.signed["mr1:BTC"] < 130_000
    assert found.signed["mr2:BTC"] == 0
    assert found.signed["mr6:BTC"] < found.signed["mr1:BTC"]
    assert any("MR7 of BTC options" in note for note in found.basis.notes)
    long = PORTFOLIO.run(
        Portfolio(
            venue="okx",
            legs=tuple(msgspec.structs.replace(leg, size=-leg.size) for leg in legs),
            equity=D(10**6),
            extra={"price:BTC": D(100_000)},
        )
    )
    assert long.signed["mr2:BTC"] > 0
    assert long.signed["mr1:BTC"] < found.signed["mr1:BTC"]


def test_bought_options_lose_most_when_volatility_falls():
    legs = tuple(option(1, 100_000, call=call, mark="0.05") for call in (True, False))
    extra = {"price:BTC": D(100_000)}
    found = PORTFOLIO.run(Portfolio(venue="okx", legs=legs, equity=D(10**6), extra=extra))

    def straddle(volatility):
        return sum(price_option(1e5, 1e5, 30 / 365, volatility, call=call) for call in (True, False))

    # 30 days: 25 points against 35 % of 50 %.
    near(found.signed["mr1:BTC"], D(repr(straddle(0.5) - straddle(0.25))), "1e-9")


def test_minimum_charge_binds_where_legs_cancel():
    long = perp("BTC", 1000, "0.01", 100_000, 100_000, 100_000)
    short = Leg(
        symbol="BTC-USD-SWAP",
        underlying="BTC",
        product=Product.INVERSE,
        size=D(-10_000),
        contract_size=D(100),
        entry=D(100_000),
        mark=D(100_000),
        settle="BTC",
    )
    extra = {"price:USDT": D(1), "price:BTC": D(100_000)}
    found = PORTFOLIO.run(Portfolio(venue="okx", legs=(long, short), equity=D(10**6), extra=extra))
    assert found.signed["mr1:BTC"] == found.signed["mr6:BTC"] == 0
    assert found.signed["mr4:BTC"] == 4_000
    assert found.maintenance == found.signed["mr7:BTC"] == 9_000


def test_spot_hedges_no_more_than_the_delta():
    leg = perp("BTC", -1000, "0.01", 100_000, 100_000, 100_000)

    def worst(coins):
        money = (
            Balance(asset="BTC", amount=D(coins), price=D(100_000)),
            Balance(asset="USDT", amount=D(0), price=D(1)),
        )
        extra = {"discount:BTC": D(1)}
        return PORTFOLIO.run(Portfolio(venue="okx", legs=(leg,), balances=money, extra=extra)).signed["mr1:BTC"]

    assert worst(20) == worst(10) == 0
    assert worst(4) == 6 * 12_000


def test_isolated_initial_margin_is_taken_at_entry():
    leg = perp("BTC", 10, "0.01", 80_000, 100_000, 100_000, leverage=D(10))
    alone = msgspec.structs.replace(leg, mode=Mode.ISOLATED, isolated_collateral=D(800))
    assert ISOLATED.run(Portfolio(venue="okx", legs=(alone,))).legs[0].initial == 800
    assert CROSS.run(Portfolio(venue="okx", legs=(leg,), equity=D(800))).legs[0].initial == 1000


def test_the_whole_position_pays_its_tier_and_families_are_added_up():
    small = perp("BTC", 1000, "0.01", 100_000, 100_000, 100_000)
    at = {}
    for size in (1000, 1001, 20_000, 50_000):
        leg = msgspec.structs.replace(small, size=D(size))
        found = CROSS.run(Portfolio(venue="okx", legs=(leg,), equity=D(10**9)))
        at[size] = found.legs[0]
    assert at[1000].maintenance == 1000 * 1000 * D("0.004")
    assert at[1001].maintenance == 1001 * 1000 * D("0.005")
    assert at[20_000].rate == D("0.0075")
    assert at[50_000].rate == D("0.0175")
    other = msgspec.structs.replace(small, size=D(-4001), hedge_side="short")
    small = msgspec.structs.replace(small, hedge_side="long")
    found = CROSS.run(Portfolio(venue="okx", legs=(small, other), equity=D(10**9)))
    assert {leg.rate for leg in found.legs} == {D("0.0075")}
    alone = msgspec.structs.replace(other, mode=Mode.ISOLATED, isolated_collateral=D(10**7))
    found = CROSS.run(Portfolio(venue="okx", legs=(small, alone), equity=D(10**9)))
    assert [leg.rate for leg in found.legs] == [D("0.004"), D("0.005")]
    # Dated futures have tiers of their own, all expiries together.
    near_leg = msgspec.structs.replace(small, symbol="BTC-USD_UM-301227", hedge_side="", size=D(3000))
    far_leg = msgspec.structs.replace(near_leg, symbol="BTC-USD_UM-310328")
    one = CROSS.run(Portfolio(venue="okx", legs=(near_leg,), equity=D(10**9)))
    assert one.legs[0].rate == D("0.02")
    with pytest.raises(VenueRefusal, match="6000 contracts of BTC-USD_UM futures"):
        CROSS.run(Portfolio(venue="okx", legs=(near_leg, far_leg), equity=D(10**9)))
    dated = msgspec.structs.replace(near_leg, symbol="BTC-USDT-301227")
    with pytest.raises(MissingInput, match="no tiers of BTC-USDT futures"):
        CROSS.run(Portfolio(venue="okx", legs=(dated,), equity=D(10**9)))


def test_shipped_tiers():
    families = load("okx", "tiers").get("families")
    rows = families["BTC-USDT"]["rows"]
    assert len(rows) == 99
    assert rows[-1] == [D(1_940_000), D("0.4875"), D("0.5")]
    rows = families["ETH-USDT"]["rows"]
    assert (len(rows), rows[3]) == (99, [D(50_000), D("0.0125"), D("0.025")])
    assert (rows[41], rows[-1][2]) == ([D(1_000_000), D("0.2025"), D("0.215")], D("0.5"))
    with pytest.raises(VenueRefusal, match="last tier ends"):
        CROSS.run(Portfolio(venue="okx", legs=(perp("BTC", 2_000_000, "0.01", 1, 1, 1),), equity=D(1)))
    old = load("okx", "tiers", "2022-02-11").get("families", "BTC-USDT", "rows")
    assert (len(old), old[0][0], old[-1]) == (100, 500, [D(982_000), D("0.495"), D("0.5")])
    with pytest.raises(MissingInput, match="no tiers of XYZ-USDT") as error:
        CROSS.run(Portfolio(venue="okx", legs=(perp("XYZ", 1, 1, 1, 1, 1),), equity=D(1)))
    assert error.value.field == "maintenance_rate"


def test_orders_since_october_2024():
    leg = perp("BTC", 100, "0.01", 100_000, 100_000, 100_000, leverage=D(10), order_buy=D(50), order_sell=D(180))
    found = CROSS.run(Portfolio(venue="okx", legs=(leg,), equity=D(10**6)))
    assert found.legs[0].initial == 150 * 1000 / 10
    assert found.legs[0].orders == 50 * 1000 / 10
    turned = msgspec.structs.replace(leg, order_buy=D(0), order_sell=D(250))
    assert CROSS.run(Portfolio(venue="okx", legs=(turned,), equity=D(10**6))).legs[0].initial == 150 * 1000 / 10
    hedged = msgspec.structs.replace(leg, hedge_side="long")
    assert CROSS.run(Portfolio(venue="okx", legs=(hedged,), equity=D(10**6))).legs[0].initial == 150 * 1000 / 10


def test_currencies_stand_alone_and_the_worst_counts():
    linear = perp("BTC", 100, "0.01", 100_000, 100_000, 100_000)
    inverse = Leg(
        symbol="BTC-USD-SWAP",
        underlying="BTC",
        product=Product.INVERSE,
        size=D(-100),
        contract_size=D(100),
        entry=D(100_000),
        mark=D(100_000),
        settle="BTC",
        maintenance_rate=D("0.004"),
        leverage=D(10),
    )
    money = (
        Balance(asset="USDT", amount=D(10_000), price=D(1)),
        Balance(asset="BTC", amount=D("0.001"), price=D(100_000)),
    )
    found = CROSS.run(Portfolio(venue="okx", legs=(linear, inverse), balances=money))
    near(found.signed["mgnRatio:USDT"], D(10_000) / (100_000 * D("0.0045")), "1e-20")
    near(found.signed["mgnRatio:BTC"], D("0.001") / (D("0.1") * D("0.0045")), "1e-20")
    assert found.health.value == found.signed["mgnRatio:BTC"]
    assert found.unit == "USD"
    assert found.equity == 10_100
    lacking = msgspec.structs.replace(money[1], price=None)
    legs = (msgspec.structs.replace(linear, underlying="X", symbol="X-USDT-SWAP", maintenance_rate=D("0.01")),)
    with pytest.raises(MissingInput, match="coinUsdPrice"):
        CROSS.run(Portfolio(venue="okx", legs=legs, balances=(money[0], lacking)))


def test_borrowed_spot_in_cross_mode():
    """A recorded cross position: 0.00048939 BTC bought for a loan of 9.59993 USDT, 3 %, 4x."""
    record = POSITIONS["okx-margin-btc-cross"]
    owed = record["initialMargin"] * 4
    near(owed * D("0.03"), record["maintenanceMargin"], "1e-8")
    leg = Leg(
        symbol="BTC-USDT",
        underlying="BTC",
        product=Product.SPOT_MARGIN,
        size=record["contracts"],
        mark=record["markPrice"],
        settle="USDT",
        leverage=D(4),
        maintenance_rate=D("0.03"),
    )
    extra = {"assets:BTC-USDT": record["contracts"], "liab:BTC-USDT": owed}
    account = Portfolio(venue="okx", legs=(leg,), balances=(Balance(asset="USDT", amount=D(5)),), extra=extra)
    found = CROSS.run(account)
    near(found.legs[0].initial, record["initialMargin"], "1e-12")
    near(found.legs[0].maintenance, record["maintenanceMargin"], "1e-8")
    near(found.equity, 5 + record["contracts"] * record["markPrice"] - owed, "1e-12")
    price = found.legs[0].liquidation.price
    near(price, (owed * D("1.03") * D("1.001") - 5) / record["contracts"], "1e-9")
    priced = msgspec.structs.replace(account, extra={**extra, "price:USDT": D(1)})
    with pytest.raises(VenueRefusal, match="negative balance"):
        MULTI.run(priced)


def test_discounts_and_loans_in_multi_currency_mode():
    leg = perp("BTC", 100, "0.01", 100_000, 100_000, 100_000)

    def equity(amount, coin="USDT", **extra):
        money = (Balance(asset=coin, amount=D(amount), price=D(1)),)
        if coin != "USDT":
            money += (Balance(asset="USDT", amount=D(0), price=D(1)),)
        return MULTI.run(Portfolio(venue="okx", legs=(leg,), balances=money, extra=extra))

    # The help page's example: 11,000,000 USDT count as 10,825,000.
    assert equity(11_000_000).equity == 10_825_000
    assert equity(10_000_000, "BETH").equity == 2_000_000 * D("0.95") + 2_000_000 * D("0.85") + 4_000_000 * D("0.5")
    loan = equity(-1000)
    assert loan.equity == -1000
    assert loan.maintenance == 400 + 20
    assert loan.signed["fees"] == 50 + D("1.02")
    with pytest.raises(MissingInput, match="discount:ETH"):
        equity(1, "ETH")
    assert equity(1000, "ETH", **{"discount:ETH": D("0.9")}).equity == 900


def test_collateral_in_the_coin_moves_with_its_price():
    leg = perp("BTC", 100, "0.01", 100_000, 100_000, 100_000, leverage=D(10))
    coin = (Balance(asset="BTC", amount=D("0.1"), price=D(100_000)), Balance(asset="USDT", amount=D(0), price=D(1)))
    cash = (Balance(asset="USDT", amount=D(10_000), price=D(1)),)
    extra = {"discount:BTC": D(1)}
    moving = MULTI.run(Portfolio(venue="okx", legs=(leg,), balances=coin, extra=extra)).legs[0].liquidation.price
    fixed = MULTI.run(Portfolio(venue="okx", legs=(leg,), balances=cash)).legs[0].liquidation.price
    assert fixed < moving < 100_000
    near(fixed, D(90_000) / (1 - D("0.0045")), "1e-11")
    hedged = Leg(
        symbol="BTC-USDT-SWAP",
        underlying="BTC",
        product=Product.LINEAR,
        size=D(-10),
        contract_size=D("0.01"),
        entry=D(100_000),
        mark=D(100_000),
        settle="USDT",
    )
    found = MULTI.run(Portfolio(venue="okx", legs=(hedged,), balances=coin, extra=extra))
    price = found.legs[0].liquidation.price
    assert price is None or price > 1_000_000


def test_missing_inputs_are_named():
    leg = perp("BTC", 1, "0.01", 100, 100, 100, mode=Mode.ISOLATED)
    with pytest.raises(MissingInput) as error:
        ISOLATED.run(Portfolio(venue="okx", legs=(leg,)))
    assert error.value.field == "isolated_collateral"
    bare = msgspec.structs.replace(leg, isolated_collateral=D(1), entry=None)
    with pytest.raises(MissingInput) as error:
        ISOLATED.run(Portfolio(venue="okx", legs=(bare,)))
    assert error.value.field == "entry"
    cross = msgspec.structs.replace(leg, mode=Mode.CROSS)
    found = CROSS.run(Portfolio(venue="okx", legs=(cross,)))
    assert found.legs[0].liquidation.reason is NoPrice.INPUT_MISSING
    assert found.health.value is None
    short = msgspec.structs.replace(option(-1, 100, call=True, mark="0.1"), option=None)
    with pytest.raises(MissingInput) as error:
        CROSS.run(Portfolio(venue="okx", legs=(short,)))
    assert error.value.field == "option.forward"
    with pytest.raises(VenueRefusal, match="isolated options"):
        ISOLATED.run(Portfolio(venue="okx", legs=(short,)))
    with pytest.raises(VenueRefusal, match="must be a cross derivative"):
        PORTFOLIO.run(Portfolio(venue="okx", legs=(leg,)))


def test_readers_balance_and_positions():
    balance = ACCOUNTS["jk-GetAccountBalance-okx"]["raw"]
    doc = read(balance)
    assert doc.rules == "okx-multi"
    assert not doc.reported
    assert "positions are not in the payload" in doc.notes[-1]
    full = read(balance, POSITIONS["okx-xrp-swap-cross"]["raw"])
    account = {f.quantity for f in full.reported if f.leg < 0}
    assert account >= {"equity", "initial", "maintenance", "ratio"}
    # The sample shows one of several currencies: its details are no balances of the whole.
    assert not full.portfolio.balances
    assert full.portfolio.equity == D("55415.624719833286")
    live = read(ACCOUNTS["nt-okx-http_get_account_balance"]["raw"])
    assert live.portfolio.balances[0].amount == D("94.42612990333333")
    near(live.portfolio.balances[0].price, D("0.9999400"), "1e-6")
    raw = POSITIONS["okx-btc-swap-cross"]["raw"]
    both = read({"code": "0", "data": [raw]}, ACCOUNTS["nt-okx-http_get_account_balance"]["raw"])
    assert both.rules == "okx-cross"
    assert both.portfolio.legs[0].contract_size == D("0.01")
    with pytest.raises(PayloadError, match="twice"):
        read({"code": "0", "data": [raw, raw]})
    with pytest.raises(PayloadError, match="pos must not be 0"):
        read({**raw, "pos": "0"})
    unknown = {**raw, "instId": "ZZZ-USDT-SWAP", "notionalUsd": ""}
    with pytest.raises(PayloadError, match="ctVal"):
        read(unknown)
    short = read({**raw, "posSide": "short"})
    assert (short.portfolio.legs[0].size, short.portfolio.legs[0].hedge_side) == (-1, "short")


def test_both_sides_of_one_contract_are_named_apart():
    long = perp("BTC", 10, "0.01", 100, 100, 100, mode=Mode.ISOLATED, isolated_collateral=D(1), hedge_side="long")
    short = msgspec.structs.replace(long, size=D(-10), hedge_side="short", isolated_collateral=D(2))
    found = ISOLATED.run(Portfolio(venue="okx", legs=(long, short)))
    short_ratio = found.signed["mgnRatio:BTC-USDT-SWAP short"]
    near(short_ratio, 2 * found.signed["mgnRatio:BTC-USDT-SWAP long"], "1e-20")
    assert found.health.value == found.signed["mgnRatio:BTC-USDT-SWAP long"]
    assert found.equity == 3
    # The venue publishes one price step nearer to the mark.
    near(found.signed["liqPx:BTC-USDT-SWAP long"], found.legs[0].liquidation.price + D("0.1"), "1e-20")
    near(found.signed["liqPx:BTC-USDT-SWAP short"], found.legs[1].liquidation.price - D("0.1"), "1e-20")


def test_accrued_funding_is_equity_and_currencies_need_their_balances():
    leg = perp("BTC", 100, "0.01", 100_000, 100_000, 100_000, accrued_funding=D(-7))
    money = (Balance(asset="USDT", amount=D(50_000), price=D(1)),)
    for book in (CROSS, MULTI):
        assert book.run(Portfolio(venue="okx", legs=(leg,), balances=money)).equity == 49_993
    alone = msgspec.structs.replace(leg, isolated_collateral=D(20_000))
    assert ISOLATED.run(Portfolio(venue="okx", legs=(alone,))).equity == 19_993
    usdc = msgspec.structs.replace(leg, symbol="BTC-USDC-SWAP", settle="USDC", maintenance_rate=D("0.01"))
    with pytest.raises(MissingInput, match="USDC, USDT are judged apart"):
        CROSS.run(Portfolio(venue="okx", legs=(leg, usdc), equity=D(10**6)))


def test_many_positions_move_one_market_at_a_time():
    """The parts that a market's price does not touch are kept: the same sums as anew."""
    legs = [perp(f"C{n}", 3 - n, 1, 100, 101, 101, maintenance_rate=D("0.02")) for n in range(6) if n != 3]
    money = (Balance(asset="USDT", amount=D(900), price=D(1)),)
    found = MULTI.run(Portfolio(venue="okx", legs=tuple(legs), balances=money))
    for place, leg in enumerate(found.legs):
        price = leg.liquidation.price
        if price is None:
            continue
        moved = [msgspec.structs.replace(x, mark=price) if x.symbol == leg.symbol else x for x in legs]
        ratio = MULTI.run(Portfolio(venue="okx", legs=tuple(moved), balances=money)).health.value
        near(ratio, D(1), "1e-9")
        assert leg.liquidation.others == tuple(sorted(x.symbol for i, x in enumerate(legs) if i != place))


def test_nothing_needed_has_no_ratio():
    free = perp("BTC", 10, "0.01", 100, 100, 100, mode=Mode.ISOLATED, isolated_collateral=D(1))
    free = msgspec.structs.replace(free, maintenance_rate=D(0), fee_rate=D(0))
    found = ISOLATED.run(Portfolio(venue="okx", legs=(free,)))
    assert found.health is None
    assert found.equity == 1


contracts = st.integers(1, 60_000)
prices = st.decimals("100", "200000", places=1)


@settings(max_examples=60, deadline=None)
@given(contracts, prices, st.integers(2, 30), st.booleans(), st.booleans())
def test_isolated_price_is_where_the_gap_crosses(size, entry, leverage, is_long, is_inverse):
    side = 1 if is_long else -1
    ct = D(100) if is_inverse else D("0.01")
    with localcontext(NUMBERS):
        value = size * ct / entry if is_inverse else size * ct * entry
        collateral = value / leverage
    leg = Leg(
        symbol="BTC-USDT-SWAP",
        underlying="BTC",
        product=Product.INVERSE if is_inverse else Product.LINEAR,
        size=D(side * size),
        contract_size=ct,
        entry=entry,
        mark=entry,
        leverage=D(leverage),
        mode=Mode.ISOLATED,
        isolated_collateral=collateral,
        settle="BTC" if is_inverse else "USDT",
    )

    def ratio(at, money=collateral):
        moved = msgspec.structs.replace(leg, mark=at, isolated_collateral=money)
        return ISOLATED.run(Portfolio(venue="okx", legs=(moved,))).health.value

    found = ISOLATED.run(Portfolio(venue="okx", legs=(leg,))).legs[0]
    if found.liquidation.price is None:
        if found.liquidation.reason is NoPrice.ALREADY_BELOW:
            assert ratio(entry) <= 1
        else:
            assert is_inverse
            assert not is_long
            assert leverage <= 2 or ratio(entry * 10**6) > 1
        return
    price = found.liquidation.price
    with localcontext(NUMBERS):
        before = price * (1 + side * D("1e-9"))
        rate, fee = found.rate, D("0.0005")
        if is_inverse:
            units = size * ct
            closed = units * (1 + side * (rate + fee)) / (side * collateral + units / entry)
        else:
            closed = (collateral - side * size * ct * entry) / (size * ct * (rate + fee - side))
    assert ratio(price) <= 1 < ratio(before)
    near(price, closed, "1e-11")
    assert ratio(price, collateral * D("1.01")) > 1


@settings(max_examples=40, deadline=None)
@given(contracts, contracts, prices)
def test_cliff_is_monotone_and_the_same_on_both_sides(small, more, mark):
    def need(size):
        leg = perp("BTC", size, "0.01", mark, mark, mark)
        return CROSS.run(Portfolio(venue="okx", legs=(leg,), equity=D(1))).legs[0]

    assert need(small).maintenance <= need(small + more).maintenance
    assert need(small).maintenance == need(-small).maintenance
    assert need(small).maintenance <= need(small).initial


@settings(max_examples=25, deadline=None)
@given(st.integers(-500, 500), st.integers(-500, 500))
def test_portfolio_margin_nets_inside_a_unit_only(first, second):
    def need(*sizes):
        legs = [perp(c, s, "0.01", 1000, 1000, 1000) for c, s in zip(("BTC", "ETH"), sizes, strict=False) if s]
        return PORTFOLIO.run(
            Portfolio(venue="okx", legs=tuple(legs), equity=D(10**6), extra={"price:USDT": D(1)})
        ).maintenance

    assert need(first, second) == need(first, 0) + need(0, second)
    assert need(first, 0) == need(-first, 0)
