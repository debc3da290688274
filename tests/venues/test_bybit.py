"""
Bybit: recorded values, brackets, both sides of the margin change of 2025-09-02, closed forms, properties.
"""

import gzip
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.venues import VenueRefusal
from tocsin.venues.bybit_equity import weigh
from tocsin.venues.bybit_tables import read_table, to_venue_symbol
from tocsin.venues.contract import (
    Balance,
    Evaluation,
    Leg,
    LiquidationPrice,
    MissingInput,
    Mode,
    NoPrice,
    OptionTerms,
    Portfolio,
    Product,
)
from tocsin.venues.params import decode_numbers, load, versions
from tocsin.venues.readers.bybit import find_fee
from tocsin.venues.readers.bybit_portfolio import product_of
from tocsin.venues.readers.files import read_value
from tocsin.venues.reading import Fields, PayloadError
from tocsin.venues.registry import find_rulebook

D = Decimal
VECTORS = Path(__file__).parents[2] / "vectors" / "venues"
CROSS, ALONE, PM, CLASSIC = (find_rulebook(f"bybit{mode}") for mode in ("", "-isolated", "-pm", "-classic"))
BEFORE, AFTER = "2025-09-01", "2025-09-02"


def read_records(name: str) -> dict[str, dict[str, Any]]:
    path = VECTORS / name
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return {record["id"]: record for record in decode_numbers(raw)["records"]}


def perp(size: str | Decimal, price: str = "100000", **more: Any) -> Leg:
    fields: dict[str, Any] = {"entry": D(price), "mark": D(price), "settle": "USDC", **more}
    return Leg(symbol="BTCPERP", underlying="BTC", product=Product.LINEAR, size=D(size), **fields)


def inverse(size: str | Decimal, price: str = "50000", **more: Any) -> Leg:
    fields: dict[str, Any] = {"entry": D(price), "mark": D(price), "maintenance_rate": D("0.005"), **more}
    return Leg(symbol="BTCUSD", underlying="BTC", product=Product.INVERSE, size=D(size), **fields)


def account(*legs: Leg, usdc: str | Decimal | None = None, **more: Any) -> Portfolio:
    balances = () if usdc is None else (Balance(asset="USDC", amount=D(usdc), price=D(1)),)
    return Portfolio(venue="bybit", legs=legs, balances=more.pop("balances", balances), **more)


def solved(found: Evaluation, n: int = 0) -> LiquidationPrice:
    price = found.legs[n].liquidation
    assert price is not None
    return price


CHECKS = [c for c in decode_numbers((VECTORS / "checks.json").read_bytes())["records"] if c["venue"] == "bybit"]
QUANTITY = {"im": "initial", "mm": "maintenance"}


@pytest.mark.parametrize("check", CHECKS, ids=[f"{c['id']}-{c['what']}" for c in CHECKS])
def test_every_recorded_check(check: dict[str, Any]) -> None:
    if check["id"] == "bybit-PM":
        record = read_records("accounts.json")["by-portfolio-margin-full"]
    else:
        record = read_records("positions.json")[check["id"]]
    (reading,) = read_value([record], label="test").readings
    found = find_rulebook(reading.rules).run(reading.portfolio)
    own = found.signed["assetMM BTC"] if check["what"] == "assetMM" else getattr(found.legs[0], QUANTITY[check["what"]])
    assert own == pytest.approx(check["expected"], rel=D("0.001"))


@pytest.mark.parametrize("name", ["by-btc-testnet-short", "by-ltc-sandbox"])
def test_classic_initial_margin_is_entry_value_at_the_highest_leverage(name: str) -> None:
    record = read_records("positions.json")[name]
    (reading,) = read_value([record], label="test").readings
    (margin,) = CLASSIC.run(reading.portfolio).legs
    assert margin.initial == pytest.approx(record["initialMargin"], rel=D("1e-6"))
    blind = msgspec.structs.replace(reading.portfolio, extra={})
    with pytest.raises(MissingInput, match="bust_price"):
        CLASSIC.run(blind)


def test_the_documented_portfolio_margin_account() -> None:
    record = read_records("accounts.json")["by-portfolio-margin-full"]
    (reading,) = read_value([record], label="test").readings
    found = PM.run(reading.portfolio)
    reported = {figure.quantity: figure.value for figure in reading.reported}
    assert found.signed["assetIM BTC"] == found.signed["assetMM BTC"] * D("1.2")
    assert found.signed["assetIM BTC"] == pytest.approx(reported["assetIM BTC"], rel=D("0.0004"))
    assert found.signed["maxLossPriceMove BTC"] == D("-0.1")
    assert "BTC: worst at price -0.1, volatility down" in found.basis.notes
    # The futures contingency by the rule agrees with the venue's own (0.80370460).
    extra = {k: v for k, v in reading.portfolio.extra.items() if k != "contingency:BTC:future"}
    own = PM.run(msgspec.structs.replace(reading.portfolio, extra=extra))
    rest = D("56.89174177")
    assert own.signed["contingencyComponents BTC"] - rest == pytest.approx(D("0.80370460"), rel=D("1e-5"))


def test_a_spot_hedge_counts_on_the_losing_side_alone() -> None:
    long, short = perp(1, index=D(100000)), perp(-1, index=D(100000))
    plain = PM.run(account(long, usdc=100000)).signed["maxLoss BTC"]
    assert plain == 10000
    for leg, hedge in ((long, D("-0.4")), (short, D("0.4"))):
        found = PM.run(account(leg, usdc=100000, extra={"spot_hedge:BTC": hedge}))
        assert found.signed["maxLoss BTC"] == 6000
        found = PM.run(account(leg, usdc=100000, extra={"spot_hedge:BTC": 5 * hedge}))
        assert found.signed["maxLoss BTC"] == 0, "the hedge's own loss on the winning side is not counted"


@pytest.mark.parametrize("call", [True, False])
def test_portfolio_margin_revalues_options(call: bool) -> None:
    terms = OptionTerms(is_call=call, strike=D(100000), forward=D(100000), vol=D("0.5"), expiry_years=D(30) / 365)
    leg = Leg(symbol="BTC-30D-100000-C", underlying="BTC", product=Product.OPTION, size=D(-1), mark=D(5711),
              index=D(100000), settle="USDC", option=terms)  # fmt: skip
    short = PM.run(account(leg, usdc=100000))
    long = PM.run(account(msgspec.structs.replace(leg, size=D(1)), usdc=100000))
    # A short option loses most at the far end with volatility up; a long one in the middle, or far out, down.
    assert f"BTC: worst at price {'+' if call else '-'}0.1, volatility up" in short.basis.notes
    assert any(note.endswith("volatility down") for note in long.basis.notes)
    assert 0 < long.signed["maxLoss BTC"] < short.signed["maxLoss BTC"]
    assert short.equity == 100000 - 5711
    assert any("not counted" in note for note in short.basis.notes), "contingencies without factors are named"


def test_brackets_agree_with_the_captures() -> None:
    records = read_records("tiers.json.gz")
    for name, symbol, at in (
        ("by-BTCPERP", "BTCPERP", "2025-12-29"),
        ("by-RVNUSDT", "RVNUSDT", "2025-12-29"),
        ("by-BTCUSDT-2024", "BTCUSDT", "2024-05-10"),
        ("by-BTCUSDT-2022", "BTCUSDT", "2022-02-24"),
    ):
        rows = records[name]["tiers"]
        table, complete = read_table(load("bybit", "tiers", at), symbol)
        assert complete == (name == "by-BTCPERP")
        assert [(t.floor, t.cap, t.rate) for t in table.tiers] == [(r["min"], r["max"], r["mmr"]) for r in rows]
        if "deduction" in rows[0]:
            assert [t.deduction for t in table.tiers] == [r["deduction"] for r in rows]
    assert versions("bybit", "tiers")[0].get("tables", "BTCUSDT", "kind") == "cliff"
    for symbol, last in (("BTCUSDT", "226382000"), ("LTCUSDT", "2670780")):
        newest = next(v for v in reversed(versions("bybit", "tiers")) if symbol in v.get("tables"))
        table, complete = read_table(newest, symbol)
        assert complete and table.tiers[-1].cap is None and table.tiers[-1].deduction == D(last)


def test_a_capture_that_knows_the_symbol_answers() -> None:
    big = msgspec.structs.replace(perp(1500), symbol="BTCUSDT", settle="USDT", leverage=D(4))
    (margin,) = CROSS.run(account(big)).legs
    assert margin.tier == 29 and margin.basis is not None and margin.basis.params_date == "2026-02-26"
    assert margin.maintenance == 150000000 * D("0.12") - 9382000 + margin.fees
    with pytest.raises(MissingInput, match="leverage is missing"):
        CROSS.run(account(msgspec.structs.replace(big, size=D(2000), leverage=None)))


@pytest.mark.parametrize("size", [D(2), D(-2)])
def test_mark_values_cross_positions_since_the_change_and_entry_before(size: Decimal) -> None:
    leg = perp(size, entry=D(100000), mark=D(110000), leverage=D(10))
    side = 1 if size > 0 else -1
    fee = 2 * 100000 * (1 - side * D("0.1")) * D("0.00055")
    for at, price in ((BEFORE, 100000), (AFTER, 110000)):
        (margin,) = CROSS.run(account(leg, usdc=50000, time=at)).legs
        assert margin.initial == 2 * price * D("0.1") + fee
        assert margin.maintenance == 2 * price * D("0.005") - 100 + fee
        assert margin.fees == fee


def test_isolated_initial_margin_stays_on_the_entry() -> None:
    leg = perp(1, entry=D(100000), mark=D(110000), leverage=D(10))
    old, new = (ALONE.run(account(leg, time=at)).legs[0] for at in (BEFORE, AFTER))
    assert old.initial == new.initial == D("10000") + 100000 * D("0.9") * D("0.00055")
    assert old.maintenance is not None and new.maintenance == old.maintenance + 10000 * D("0.005")


@given(
    size=st.decimals("0.01", "400", places=2),
    leverage=st.integers(2, 5),
    extra=st.decimals("0", "100", places=0),
    short=st.booleans(),
)
def test_isolated_linear_liquidation_is_the_published_formula(
    size: Decimal, leverage: int, extra: Decimal, short: bool
) -> None:
    side = -1 if short else 1
    leg = perp(size * side, leverage=D(leverage))
    (plain,) = ALONE.run(account(leg)).legs
    assert plain.initial is not None
    held = msgspec.structs.replace(leg, isolated_collateral=plain.initial + extra)
    found = solved(ALONE.run(account(held)))
    table, _ = read_table(load("bybit", "tiers", "2025-12-29"), "BTCPERP")
    tier = table.find(size * 100000)
    wanted = 100000 * (1 - side * D(1) / leverage + side * tier.rate) - side * (extra + tier.deduction) / size
    assert found.price == pytest.approx(wanted, rel=D("1e-9"))


@given(
    size=st.decimals("100", "100000", places=0),
    leverage=st.integers(2, 50),
    extra=st.decimals("0", "1", places=4),
    short=st.booleans(),
)
def test_isolated_inverse_liquidation_is_the_published_formula(
    size: Decimal, leverage: int, extra: Decimal, short: bool
) -> None:
    side, value = (-1 if short else 1), size / 50000
    leg = inverse(size * side, leverage=D(leverage))
    (plain,) = ALONE.run(account(leg)).legs
    assert plain.initial is not None
    found = solved(ALONE.run(account(msgspec.structs.replace(leg, isolated_collateral=plain.initial + extra))))
    fee = D("0.00055")
    if short:
        below = value - value / leverage - extra / (1 - fee)
        wanted = size * (1 - D("0.005")) / below if below > 0 else None
    else:
        wanted = size * (1 + D("0.005")) / (value + value / leverage + extra / (1 + fee))
    if wanted is None:
        assert found.reason in (NoPrice.FULLY_COLLATERALISED, NoPrice.NOT_ON_PATH)
    else:
        assert found.price == pytest.approx(wanted, rel=D("1e-9"))


sizes = st.decimals("0.001", "900", places=3)


@given(size=sizes, share=st.decimals("0.03", "0.9", places=2), short=st.booleans(), moved=st.decimals("0.97", "1.03"))
def test_account_crosses_100_percent_at_the_cross_price_and_not_before(
    size: Decimal, share: Decimal, short: bool, moved: Decimal
) -> None:
    leg = perp(-size if short else size, mark=D(100000) * moved, leverage=D(2))
    money = size * 100000 * share
    found = solved(CROSS.run(account(leg, usdc=money)))
    if found.price is None:
        assert found.reason is not None
        return
    # Let the market stand there: the account's own rate says the same.
    back = -1 if short else 1
    for step, is_out in ((D("-1e-15") * back, True), (D("1e-9") * back, False)):
        there = msgspec.structs.replace(leg, mark=found.price * (1 + step))
        health = CROSS.run(account(there, usdc=money)).health
        assert health is not None
        assert (health.value is None or health.value >= 1) == is_out


@given(size=sizes, share=st.decimals("0.03", "0.9", places=2), short=st.booleans())
def test_more_collateral_is_never_nearer(size: Decimal, share: Decimal, short: bool) -> None:
    leg = perp(-size if short else size)
    poor, rich = (solved(CROSS.run(account(leg, usdc=size * 100000 * s))) for s in (share, share + D("0.01")))
    if poor.price is not None and rich.price is not None:
        assert rich.price > poor.price if short else rich.price < poor.price
    else:
        assert poor.reason is NoPrice.ALREADY_BELOW or rich.price is None


@given(a=sizes, b=sizes, short=st.booleans())
def test_margins_grow_with_size_and_initial_covers_maintenance(a: Decimal, b: Decimal, short: bool) -> None:
    small, big = sorted((a, b))
    legs = [CROSS.run(account(perp(-s if short else s))).legs[0] for s in (small, big)]
    for low, high in zip(*((m.maintenance, m.initial) for m in legs), strict=True):
        assert low is not None and high is not None
        assert low <= high
    for m in legs:
        assert m.initial is not None and m.maintenance is not None and m.maintenance <= m.initial


def test_hedged_sides_share_one_margin() -> None:
    both = {"leverage": D(10)}
    long, short = perp(3, hedge_side="long", **both), perp(-3, hedge_side="short", **both)
    found = CROSS.run(account(long, short, usdc=100000))
    fees = 3 * 100000 * D("0.00055") * (D("0.9") + D("1.1"))
    assert found.maintenance == fees
    assert found.initial == 30000 + fees
    assert solved(found).reason is NoPrice.HEDGED
    surplus = CROSS.run(account(msgspec.structs.replace(long, size=D(5)), short, usdc=100000))
    alone = CROSS.run(account(perp(2, **both), usdc=100000)).legs[0]
    assert alone.maintenance is not None
    own = 5 * 100000 * D("0.9") * D("0.00055") + 3 * 100000 * D("1.1") * D("0.00055")
    assert surplus.maintenance == alone.maintenance - alone.fees + own
    assert solved(surplus).binding == "hedged pair"


def test_orders_that_only_close_are_free_and_the_dearer_side_counts() -> None:
    def orders(size: int, **more: Any) -> Decimal:
        return CROSS.run(account(perp(size, leverage=D(10), **more))).legs[0].orders

    one = 10000 + 100000 * D("0.00055") * (1 + D("0.9"))
    assert orders(2, order_sell=D(2)) == 0
    assert orders(2, order_buy=D(1)) == one
    assert orders(2, order_buy=D(1), order_sell=D(2)) == one
    assert orders(-2, order_buy=D(2)) == 0
    assert orders(-2, order_sell=D(1)) == 10000 + 100000 * D("0.00055") * (1 + D("1.1"))
    # Beyond closing, the sell side opens 3 short against 2 long already margined.
    assert orders(2, order_sell=D(5)) > 0


@pytest.mark.parametrize("call", [True, False])
def test_the_worked_example_of_short_options(call: bool) -> None:
    terms = OptionTerms(is_call=call, strike=D(31000 if call else 29000))
    leg = Leg(symbol="BTC-31JUN22-31000-C", underlying="BTC", product=Product.OPTION, size=D(-1), entry=D(300),
              mark=D(300), index=D(30000), settle="USDC", option=terms)  # fmt: skip
    (margin,) = CROSS.run(account(leg, usdc=10000)).legs
    assert margin.maintenance == 1260
    assert margin.initial == max(D("0.15") * 30000 - 1000, D("0.1") * 30000) + 300
    far = msgspec.structs.replace(leg, option=OptionTerms(is_call=call, strike=D(60000 if call else 1000)))
    assert CROSS.run(account(far, usdc=10000)).initial == D("0.1") * 30000 + 300
    found = CROSS.run(account(leg, usdc=10000))
    assert found.signed["accountMMRate"] == D("0.126")
    (free,) = CROSS.run(account(msgspec.structs.replace(leg, size=D(1)), usdc=10000)).legs
    assert free.initial == free.maintenance == 0


def test_coins_count_at_their_ratio_and_debts_in_full() -> None:
    btc = Balance(asset="BTC", amount=D(1), price=D(100000))
    found = CROSS.run(account(perp(1, mark=D(99000)), balances=(btc,)))
    assert found.equity == 95000 - 1000, "the loss in USDC is owed in full"
    basis = found.legs[0].basis
    assert basis is not None and any("BTC in the wallet keeps its price" in note for note in basis.notes)
    given_ratio = CROSS.run(account(perp(1), balances=(btc,), extra={"collateral_rate:BTC": D("0.9")}))
    assert given_ratio.equity == 90000
    assert weigh(D(30), [(D(10), D("0.9")), (D(20), D("0.5")), (None, D(0))]) == 14
    assert weigh(D(-30), None) == -30


@pytest.mark.parametrize(
    ("portfolio", "field"),
    [
        (account(perp(1, mark=None), usdc=1), "mark"),
        (account(perp(1, entry=None), usdc=1), "entry"),
        (account(msgspec.structs.replace(perp(1), symbol="DOGEUSDT")), "maintenance_rate"),
        (account(msgspec.structs.replace(perp(30), symbol="BTCUSDT"), time="2024-06-01"), "maintenance_rate"),
        (account(inverse(100), usdc=1), "leverage"),
        (account(perp(1), balances=(Balance(asset="ETH", amount=D(1)),)), "balances.ETH.price"),
        (
            account(perp(1), balances=(Balance(asset="ETH", amount=D(1), price=D(2000)),)),
            'extra["collateral_rate:ETH"]',
        ),
        (
            account(perp(1), balances=(Balance(asset="USDT", amount=D(1), borrowed=D(5)),)),
            'extra["borrow_initial"]',
        ),
    ],
)
def test_missing_inputs_are_named(portfolio: Portfolio, field: str) -> None:
    with pytest.raises(MissingInput) as error:
        CROSS.run(portfolio)
    assert error.value.field == field


def test_an_unknown_symbol_suggests_the_nearest() -> None:
    with pytest.raises(MissingInput, match="did you mean BTCPERP"):
        CROSS.run(account(msgspec.structs.replace(perp(1), symbol="BTCPERPS")))
    with pytest.raises(VenueRefusal, match="use bybit-isolated"):
        CROSS.run(account(perp(1, mode=Mode.ISOLATED)))
    assert to_venue_symbol("BTC/USDC:USDC") == "BTCPERP"
    assert to_venue_symbol("RVN/USDT:USDT") == "RVNUSDT"


def test_without_money_the_price_is_missing_not_silent() -> None:
    found = CROSS.run(account(perp(1)))
    assert found.equity is None and found.health is None
    assert solved(found).reason is NoPrice.INPUT_MISSING
    assert found.maintenance is not None


POSITION = {
    "symbol": "BTCPERP", "side": "Sell", "size": "2", "avgPrice": "100000", "markPrice": "101000", "leverage": "10",
    "positionIM": "20000", "positionMM": "1000", "liqPrice": "", "positionIdx": D(0), "updatedTime": "1766806610164",
}  # fmt: skip
WALLET = {
    "accountType": "UNIFIED", "totalEquity": "51000", "totalMarginBalance": "50950", "totalInitialMargin": "20000",
    "totalMaintenanceMargin": "1000", "accountMMRate": "0.02",
    "coin": [
        {"coin": "USDC", "walletBalance": "52000", "spotBorrow": "2000", "equity": "50000", "usdValue": "50000",
         "borrowAmount": "0"},
        {"coin": "BTC", "walletBalance": "0.01", "equity": "0.01", "usdValue": "1000"},
    ],
}  # fmt: skip


def answer(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"retCode": 0, "result": {"list": list(elements)}, "time": D(1766806610200)}


def test_positions_and_wallet_become_one_account() -> None:
    bundle = {"venue": "bybit", "payloads": [answer(POSITION), answer(WALLET)]}
    (reading,) = read_value(bundle, label="test").readings
    (leg,) = reading.portfolio.legs
    assert (leg.size, leg.entry, leg.mark, leg.hedge_side, leg.mode) == (-2, 100000, 101000, "", Mode.CROSS)
    balances = {b.asset: (b.amount, b.price) for b in reading.portfolio.balances}
    assert balances == {"USDC": (50000, 1), "BTC": (D("0.01"), 100000)}
    assert reading.rules == "bybit"
    figures = {(f.leg, f.quantity): f.value for f in reading.reported}
    assert figures[0, "liquidation"] is None and figures[-1, "ratio"] == D("0.02")
    assert CROSS.run(reading.portfolio).equity == 50000 - 2000 + 950


def test_a_wallet_that_does_not_add_up_gives_its_published_balance() -> None:
    short = {**WALLET, "coin": WALLET["coin"][1:]}
    (reading,) = read_value(answer(short), label="test").readings
    assert reading.portfolio.balances == () and reading.portfolio.equity == 50950
    assert any("do not add up" in note for note in reading.notes)
    assert not [f for f in reading.reported if f.quantity == "maintenance"], "no positions: margins are not judged"


def test_collateral_ratios_of_the_account_count() -> None:
    eth = {"coin": "ETH", "walletBalance": "1", "equity": "1", "usdValue": "3000"}
    wallet = {**WALLET, "totalEquity": "3000", "totalMarginBalance": "2550", "coin": [eth]}
    (blind,) = read_value({"venue": "bybit", "payloads": [answer(wallet)]}, label="test").readings
    assert blind.portfolio.balances == () and any("no collateral value ratio of ETH" in note for note in blind.notes)
    one = {"currency": "ETH", "collateralRatio": "0.85", "collateralSwitch": True}
    rows = [{"minQty": "0", "maxQty": "10", "collateralRatio": "0.85"}, {"minQty": "10", "collateralRatio": "0"}]
    tiered = {"currency": "ETH", "collateralRatioList": rows}
    for ratios in (one, tiered):
        (reading,) = read_value({"venue": "bybit", "payloads": [answer(wallet), answer(ratios)]}, label="test").readings
        assert CROSS.run(reading.portfolio).equity == 2550


def test_modes_are_told_apart() -> None:
    cases = [
        ({"positionBalance": "0"}, "bybit"),
        ({"positionBalance": "20500"}, "bybit-isolated"),
        ({"positionBalance": "9", "bustPrice": "199999", "tradeMode": "0"}, "bybit-classic"),
    ]
    for more, rules in cases:
        (reading,) = read_value(answer({**POSITION, **more}), label="test").readings
        assert reading.rules == rules
    info = {"result": {"marginMode": "PORTFOLIO_MARGIN", "unifiedMarginStatus": D(4)}}
    (reading,) = read_value({"venue": "bybit", "payloads": [answer(POSITION), info]}, label="test").readings
    assert reading.rules == "bybit-pm"
    with pytest.raises(PayloadError, match="side must be one of 'Buy', 'Sell'"):
        read_value(answer({**POSITION, "side": "Hold"}), label="test")


def test_the_fee_is_read_from_the_break_even_price() -> None:
    snx = Fields({"breakEvenPrice": "0.29039324"}, "test")
    assert find_fee(snx, D("0.2899"), 1) == D("0.00085")
    short = D("0.2899") * (1 - D("0.00055")) / (1 + D("0.00055"))
    assert find_fee(Fields({"breakEvenPrice": str(short)}, "test"), D("0.2899"), -1) == D("0.00055")
    assert find_fee(Fields({"breakEvenPrice": "0.3"}, "test"), D("0.2899"), 1) is None
    assert product_of("BTCUSD") is product_of("BTCUSDZ25") is Product.INVERSE
    assert product_of("BTC-25SEP26-80000-C-USDT") is Product.OPTION
    assert product_of("BTCUSDT") is product_of("BTC-26DEC25") is Product.LINEAR
