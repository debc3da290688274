"""Hyperliquid's rulebooks against recorded positions, the documentation's examples and their own properties."""

import gzip
import json
from decimal import Decimal, localcontext
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.venues import VenueRefusal
from tocsin.venues.contract import NUMBERS, Balance, Leg, MissingInput, Mode, NoPrice, Portfolio, Product
from tocsin.venues.hyperliquid_tiers import table_for
from tocsin.venues.params import Params, decode_numbers, load
from tocsin.venues.readers.hyperliquid import READERS, finish
from tocsin.venues.reading import Draft, Fields, PayloadError
from tocsin.venues.registry import find_rulebook
from tocsin.venues.tiers import deductions

D = Decimal
VECTORS = Path(__file__).parents[2] / "vectors" / "venues"
RECORDS = {
    r["id"]: r
    for r in decode_numbers((VECTORS / "positions.json").read_bytes())["records"]
    if r["venue"] == "hyperliquid"
}
CHECKS = [r for r in json.loads((VECTORS / "checks.json").read_bytes())["records"] if r["venue"] == "hyperliquid"]
CROSS, ISOLATED, PORTFOLIO = (find_rulebook(n) for n in ("hyperliquid", "hyperliquid-isolated", "hyperliquid-pm"))


def read(*payloads):
    """Read payloads with the readers whose shape they have, accounts first."""
    draft = Draft(venue="hyperliquid", label="test")
    found = []
    for payload in payloads:
        reader = next(r for r in READERS if r.elements(payload) is not None)
        found.append((reader, payload))
    for reader, payload in sorted(found, key=lambda pair: pair[0].holds != "account"):
        for element in reader.elements(payload) or ():
            reader.read(Fields(element, "test"), draft)
    return finish(draft).reading()


def state_of(records):
    """Return the clearinghouse state that a group of position records came from."""
    account = records[0]["account"]
    state = {
        "assetPositions": [{"type": "oneWay", "position": r["raw"]} for r in records],
        "crossMarginSummary": account["crossMarginSummary"],
        "marginSummary": account["marginSummary"],
        "withdrawable": account["withdrawable"],
    }
    return state, str(records[0]["timestamp"])


def position_of(record):
    """Evaluate one record alone at its time."""
    reading = read(record["raw"])
    portfolio = msgspec.structs.replace(reading.portfolio, time=str(record["timestamp"] or ""))
    return find_rulebook(reading.rules).run(portfolio)


def cassette():
    """Return the twelve-position account of 2023 as recorded, and its evaluation."""
    state, time = state_of([RECORDS[k] for k in sorted(RECORDS) if k.startswith("hl-cassette")])
    reading = read(state)
    return reading, CROSS.run(msgspec.structs.replace(reading.portfolio, time=time))


def near(own, expected, tolerance):
    assert own is not None
    assert abs(own - expected) <= abs(expected) * D(tolerance), (own, expected)


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: f"{c['id']} {c['what']}")
def test_recorded_checks(check):
    record = RECORDS[check["id"]]
    if check["id"].startswith("hl-cassette"):
        _, found = cassette()
        symbol = record["raw"]["coin"]
        leg = next(leg for leg in found.legs if leg.symbol == symbol)
    else:
        found = position_of(record)
        leg = found.legs[0]
    expected = D(repr(check["expected"]))
    if check["what"] == "liq":
        near(leg.liquidation.price, expected, "2e-5")
    elif check["what"] == "liq none":
        assert leg.liquidation.price is None
        assert leg.liquidation.reason is NoPrice.FULLY_COLLATERALISED
    elif check["what"] == "marginUsed=ntl/lev":
        near(leg.initial, expected, "1e-6")
    else:
        near(found.signed[f"marginUsed:{leg.symbol}"], expected, "1e-8")


def test_account_of_2023():
    reading, found = cassette()
    reported = {figure.quantity: figure.value for figure in reading.reported if figure.leg < 0}
    near(found.equity, reported["equity"], "1e-8")
    near(found.signed["totalMarginUsed"], reported["totalMarginUsed"], "1e-6")
    near(found.signed["withdrawable"], reported["withdrawable"], "1e-6")
    assert found.health.state == "above maintenance"
    assert found.legs[0].basis.params_date == "2023-03-01"
    assert {leg.rate for leg in found.legs} == {D("0.0075")}


def test_single_cross_position_has_margins_but_no_price():
    found = position_of(RECORDS["hl-btc-vault-short"])
    assert found.equity is None
    assert found.health is None
    assert found.legs[0].liquidation.reason is NoPrice.INPUT_MISSING
    assert "balances" in found.legs[0].basis.notes[-1]
    near(found.legs[0].rate, D("0.01"), "1e-12")


def test_brackets_are_those_of_the_documentation():
    known = {r["symbol"]: r["tiers"] for r in _tiers()}
    tables = load("hyperliquid", "tiers").get("coins")
    checked = 0
    for names, tiers in known.items():
        for name in names.split(","):
            if name.startswith("testnet-"):
                continue
            leg = Leg(
                symbol=name,
                underlying=name,
                product=Product.LINEAR,
                size=D(1),
                mark=D("1e9"),
                entry=D(1),
                leverage=D(1),
            )
            found = CROSS.run(Portfolio(venue="hyperliquid", legs=(leg,), equity=D("1e10")))
            rate, deduction = D(repr(tiers[-1]["mmr"])), D(repr(tiers[-1]["deduction"]))
            near(found.legs[0].maintenance, D("1e9") * rate - deduction, "1e-12")
            assert len(tables[name]) == len(tiers)
            checked += 1
    assert checked == len(tables) == 39


def _tiers():
    with gzip.open(VECTORS / "tiers.json.gz") as file:
        return [r for r in json.load(file)["records"] if r["venue"] == "hyperliquid"]


def test_deductions_make_the_requirement_continuous():
    leg = Leg(symbol="ETH", underlying="ETH", product=Product.LINEAR, size=D(1), mark=D(1))
    table, note = table_for(leg, load("hyperliquid", "tiers"))
    assert not note
    edge = table.edges()[0]
    below, above = table.tiers
    assert abs(edge * below.rate - (edge * above.rate - above.deduction)) < D("1e-30")
    assert deductions(table.tiers)[1] == above.deduction


def test_a_stated_highest_leverage_counts_before_the_table():
    leg = Leg(symbol="BTC", underlying="BTC", product=Product.LINEAR, size=D(1), mark=D(100), entry=D(100))
    now = CROSS.run(Portfolio(venue="hyperliquid", legs=(leg,), equity=D(50)))
    assert now.legs[0].rate == D("0.0125")
    then = msgspec.structs.replace(leg, initial_rate=D("0.02"))
    found = CROSS.run(Portfolio(venue="hyperliquid", legs=(then,), equity=D(50)))
    assert found.legs[0].rate == D("0.01")
    assert "stated" in found.legs[0].basis.notes[0]
    table = msgspec.structs.replace(leg, initial_rate=D("0.025"), size=D(3_000_000))
    found = CROSS.run(Portfolio(venue="hyperliquid", legs=(table,), equity=D(10**8)))
    assert found.legs[0].tier == 2


def test_dexes_are_pools_of_their_own_and_health_is_the_worst():
    main = Leg(symbol="ETH", underlying="ETH", product=Product.LINEAR, size=D(1), mark=D(2000), entry=D(2000))
    other = Leg(
        symbol="xyz:TSLA",
        underlying="TSLA",
        product=Product.LINEAR,
        size=D(-10),
        mark=D(300),
        entry=D(300),
        initial_rate=D("0.1"),
    )
    money = (Balance(asset="USDC", amount=D(5000)), Balance(asset="USDC@xyz", amount=D(160)))
    found = CROSS.run(Portfolio(venue="hyperliquid", legs=(main, other), balances=money))
    assert found.equity == 5160
    assert found.signed["crossMaintenanceMarginUsed"] == 40 + 150
    near(found.health.value, D(150) / D(160), "1e-20")
    assert found.health.state.startswith("dex xyz")
    assert found.legs[1].liquidation.others == ()
    near(found.legs[1].liquidation.price, D(3160) / D("10.5"), "1e-11")
    one = CROSS.run(Portfolio(venue="hyperliquid", legs=(main, other), balances=money, extra={"unified": D(1)}))
    near(one.health.value, D(190) / D(5160), "1e-20")
    with pytest.raises(MissingInput, match="USDC@dex"):
        CROSS.run(Portfolio(venue="hyperliquid", legs=(main, other), equity=D(100)))


def test_thresholds_market_and_backstop():
    leg = Leg(symbol="BTC", underlying="BTC", product=Product.LINEAR, size=D(1), mark=D(100_000), leverage=D(20))
    states = {}
    for equity in (1251, 1249, 834, 833, -1):
        found = CROSS.run(Portfolio(venue="hyperliquid", legs=(leg,), equity=D(equity)))
        states[equity] = found.health.state
        assert (found.legs[0].liquidation.reason is NoPrice.ALREADY_BELOW) is (equity < 1250)
    assert states[1251] == "above maintenance"
    assert states[1249] == states[834] == "market liquidation"
    assert states[833] == "backstop liquidation"
    assert states[-1] == "no account value left"


def test_accrued_funding_is_equity():
    leg = Leg(symbol="BTC", underlying="BTC", product=Product.LINEAR, size=D(1), mark=D(100), entry=D(100))
    paid = msgspec.structs.replace(leg, accrued_funding=D(-3))
    money = (Balance(asset="USDC", amount=D(50)),)
    assert CROSS.run(Portfolio(venue="hyperliquid", legs=(paid,), balances=money)).equity == 47
    alone, owed = (msgspec.structs.replace(x, isolated_collateral=D(20)) for x in (leg, paid))
    first, second = (ISOLATED.run(Portfolio(venue="hyperliquid", legs=(x,))) for x in (alone, owed))
    assert first.equity - second.equity == 3
    near(second.legs[0].liquidation.price - first.legs[0].liquidation.price, D(3) / (1 - D("0.0125")), "1e-9")


def test_transfers_out_leave_a_tenth_of_the_notional():
    leg = Leg(symbol="BTC", underlying="BTC", product=Product.LINEAR, size=D(1), mark=D(100_000), leverage=D(40))
    found = CROSS.run(Portfolio(venue="hyperliquid", legs=(leg,), equity=D(12_000)))
    assert found.signed["withdrawable"] == 2_000
    early = CROSS.run(Portfolio(venue="hyperliquid", legs=(leg,), equity=D(12_000), time="2023-04-01"))
    assert early.signed["withdrawable"] == 9_500


def test_carry_trade_of_the_portfolio_margin_page():
    def ratio(price, short=-1):
        leg = Leg(
            symbol="BTC", underlying="BTC", product=Product.LINEAR, size=D(short), mark=D(price), entry=D(100_000)
        )
        money = (Balance(asset="USDC", amount=D(0)), Balance(asset="UBTC", amount=D(1), price=D(price)))
        account = Portfolio(
            venue="hyperliquid", legs=(leg,), balances=money, mode=Mode.PORTFOLIO, extra={"ltv:BTC": D("0.5")}
        )
        return PORTFOLIO.run(account)

    down = ratio(50_000)
    assert down.signed["borrowed"] == 0
    near(down.health.value, (D(20) + 50_000 * D("0.0125")) / (50_000 + D("37500")), "1e-12")
    up = ratio(150_000)
    assert up.signed["borrowed"] == 50_000
    near(up.health.value, (D(20) + 150_000 * D("0.0125") + 50_000) / D("112500"), "1e-12")
    price = up.legs[0].liquidation.price
    assert ratio(price).health.value >= D("0.95") > ratio(price * D("0.999999")).health.value
    assert ratio(500_000).health.state == "liquidatable"


def test_portfolio_margin_caps():
    leg = Leg(symbol="HYPE", underlying="HYPE", product=Product.LINEAR, size=D(-1), mark=D(40), entry=D(40))

    def value(hype, price=40):
        money = (Balance(asset="USDC", amount=D(100)), Balance(asset="HYPE", amount=D(hype), price=D(price)))
        found = PORTFOLIO.run(Portfolio(venue="hyperliquid", legs=(leg,), balances=money))
        return found.signed["portfolioLiquidationValue"]

    assert value(1000) == 100 + 1000 * 40 * D("0.75")
    assert value(60_000, 4) == 100 + 50_000 * 4 * D("0.75")
    assert value(50_000) == 100 + 1_000_000


def test_portfolio_margin_lacks_named_inputs():
    leg = Leg(symbol="BTC", underlying="BTC", product=Product.LINEAR, size=D(-1), mark=D(100), entry=D(100))
    spot = Balance(asset="UBTC", amount=D(1), price=D(100))
    with pytest.raises(MissingInput, match="borrowable token") as error:
        PORTFOLIO.run(Portfolio(venue="hyperliquid", legs=(leg,), balances=(spot,)))
    assert error.value.field == "balances"
    money = (Balance(asset="USDC", amount=D(0)), spot)
    with pytest.raises(MissingInput, match="ltv:BTC"):
        PORTFOLIO.run(Portfolio(venue="hyperliquid", legs=(leg,), balances=money))
    alone = msgspec.structs.replace(leg, mode=Mode.ISOLATED)
    with pytest.raises(VenueRefusal, match="isolated"):
        PORTFOLIO.run(Portfolio(venue="hyperliquid", legs=(alone,), balances=money))


def test_missing_inputs_are_named():
    leg = Leg(symbol="BTC", underlying="BTC", product=Product.LINEAR, size=D(1), mark=D(100), entry=D(100))

    def field(**changes):
        with pytest.raises(MissingInput) as error:
            ISOLATED.run(Portfolio(venue="hyperliquid", legs=(msgspec.structs.replace(leg, **changes),)))
        return error.value.field

    assert field(mark=None) == "mark"
    assert field() == "isolated_collateral"
    assert field(isolated_collateral=D(10), entry=None) == "entry"
    with pytest.raises(MissingInput, match="did you mean BTC"):
        CROSS.run(
            Portfolio(venue="hyperliquid", legs=(msgspec.structs.replace(leg, symbol="BTCC", underlying="BTCC"),))
        )


DOCUMENTED = {
    "assetPositions": [{"type": "oneWay", "position": RECORDS["hl-docs-eth-iso"]["raw"]}],
    "crossMaintenanceMarginUsed": "0.0",
    "crossMarginSummary": {"accountValue": "13104.514502", "totalMarginUsed": "0.0", "totalRawUsd": "13104.514502"},
    "marginSummary": {"accountValue": "13109.482328", "totalMarginUsed": "4.967826", "totalRawUsd": "13009.454678"},
    "time": D("1708622398623"),
    "withdrawable": "13104.514502",
}


def test_state_of_the_documentation():
    """The info endpoint's example: equity, margin used and what may be withdrawn, beside an isolated position."""
    reading = read(DOCUMENTED)
    found = CROSS.run(reading.portfolio)
    for figure in reading.reported:
        if figure.leg < 0:
            own = found.equity if figure.quantity == "equity" else found.signed[figure.quantity]
            assert abs(own - figure.value) < D("1e-9")
    assert found.health is None
    assert found.legs[0].basis.params_date == "2024-01-01"


def test_states_of_several_dexes_are_added_up():
    stock = {"coin": "xyz:TSLA", "szi": "10", "entryPx": "300", "positionValue": "3010", "maxLeverage": 10}
    stock |= {"leverage": {"type": "isolated", "value": 10, "rawUsd": "-2700"}, "marginUsed": "310"}
    other = {
        "assetPositions": [{"type": "oneWay", "position": stock}],
        "crossMaintenanceMarginUsed": "0.0",
        "crossMarginSummary": {"accountValue": "50", "totalMarginUsed": "0.0", "totalRawUsd": "50"},
        "marginSummary": {"accountValue": "360", "totalMarginUsed": "310", "totalRawUsd": "-2650"},
        "withdrawable": "50",
    }
    reading = read(DOCUMENTED, other)
    assert [b.asset for b in reading.portfolio.balances] == ["USDC", "USDC@xyz"]
    found = CROSS.run(reading.portfolio)
    own = {**found.signed, "equity": found.equity}
    account = {f.quantity: f.value for f in reading.reported if f.leg < 0}
    assert set(account) == {"equity", "crossMaintenanceMarginUsed", "totalMarginUsed", "withdrawable"}
    for quantity, value in account.items():
        assert abs(own[quantity] - value) < D("1e-9")
    mixed = {**DOCUMENTED, "assetPositions": DOCUMENTED["assetPositions"] + other["assetPositions"]}
    with pytest.raises(PayloadError, match="of one dex"):
        read(mixed)


def test_spot_states_tell_the_kind_of_account():
    spot = {"balances": [{"coin": "USDC", "token": 0, "total": "99.6", "hold": "0.0", "entryNtl": "0.0"}]}
    assert read(DOCUMENTED, spot).portfolio.balances[0].amount == D("13104.514502")
    unified = read(DOCUMENTED, {**spot, "tokenToAvailableAfterMaintenance": [[0, "99.6"]]})
    assert not unified.portfolio.balances
    assert unified.portfolio.extra["unified"] == 1
    pm = read(DOCUMENTED, {**spot, "portfolioMarginRatio": "0.2"})
    assert (pm.rules, pm.reported[-1].value) == ("hyperliquid-pm", D("0.2"))


def test_reader_refuses_damaged_states():
    state, _ = state_of([RECORDS[k] for k in sorted(RECORDS) if k.startswith("hl-cassette")])
    twice = {**state, "assetPositions": state["assetPositions"][:1] * 2}
    with pytest.raises(PayloadError, match="twice"):
        read(twice)
    lost = {**state, "crossMarginSummary": {"accountValue": "1"}}
    with pytest.raises(PayloadError, match="totalRawUsd is missing"):
        read(lost)
    flat = {**state["assetPositions"][0]["position"], "szi": "0.0"}
    with pytest.raises(PayloadError, match="szi must not be 0"):
        read(flat)


sizes = st.decimals("0.001", "3000", places=3)
prices = st.decimals("10", "100000", places=1)
leverages = st.integers(1, 40)


@settings(max_examples=60, deadline=None)
@given(sizes, prices, leverages, st.booleans())
def test_isolated_price_is_where_the_gap_crosses(size, entry, leverage, is_long):
    side = 1 if is_long else -1
    collateral = size * entry / leverage
    leg = Leg(
        symbol="BTC",
        underlying="BTC",
        product=Product.LINEAR,
        size=side * size,
        entry=entry,
        mark=entry,
        leverage=D(leverage),
        mode=Mode.ISOLATED,
        isolated_collateral=collateral,
    )
    found = ISOLATED.run(Portfolio(venue="hyperliquid", legs=(leg,)))
    assert found.legs[0].maintenance <= found.legs[0].initial
    price = found.legs[0].liquidation.price
    if price is None:
        assert leverage == 1
        assert is_long
        return
    params = Params("hyperliquid")

    def gap(at):
        moved = msgspec.structs.replace(leg, mark=at)
        need = ISOLATED.run(Portfolio(venue="hyperliquid", legs=(moved,)), params).legs[0].maintenance
        with localcontext(NUMBERS):
            return collateral + side * size * (at - entry) - need

    with localcontext(NUMBERS):
        before = price * (1 + side * D("1e-9"))
    assert gap(price) <= 0 < gap(before)
    more = msgspec.structs.replace(leg, isolated_collateral=collateral * D("1.1"))
    further = ISOLATED.run(Portfolio(venue="hyperliquid", legs=(more,))).legs[0].liquidation.price
    assert further is None or (price - further) * side > 0


@settings(max_examples=40, deadline=None)
@given(sizes, sizes, prices)
def test_maintenance_grows_with_size_and_is_the_same_on_both_sides(small, more, mark):
    def need(size):
        leg = Leg(symbol="ETH", underlying="ETH", product=Product.LINEAR, size=size, mark=mark)
        return CROSS.run(Portfolio(venue="hyperliquid", legs=(leg,), equity=D(1))).legs[0]

    assert need(small).maintenance <= need(small + more).maintenance
    assert need(small).maintenance == need(-small).maintenance
    assert need(small).maintenance <= need(small).initial
