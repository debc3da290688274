"""
Binance: published values, brackets, closed forms against the search, properties mirrored long and short.
"""

import gzip
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.venues import VenueRefusal
from tocsin.venues.binance_tables import USDM, read_table, to_venue_symbol
from tocsin.venues.contract import (
    NUMBERS,
    Balance,
    Evaluation,
    Leg,
    MissingInput,
    Mode,
    NoPrice,
    Portfolio,
    Product,
)
from tocsin.venues.params import Params, decode_numbers, load, versions
from tocsin.venues.products import notional_at, profit_between
from tocsin.venues.readers.files import read_value
from tocsin.venues.reading import PayloadError
from tocsin.venues.registry import find_rulebook
from tocsin.venues.tiers import deductions

D = Decimal
VECTORS = Path(__file__).parents[2] / "vectors" / "venues"
UM, CM, PM = (find_rulebook(name) for name in ("binance-usdm", "binance-coinm", "binance-pm"))


def read_records(name: str) -> dict[str, dict[str, Any]]:
    path = VECTORS / name
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return {record["id"]: record for record in decode_numbers(raw)["records"]}


def um(symbol: str, size: str, price: str, **more: Any) -> Leg:
    fields: dict[str, Any] = {"entry": D(price), "mark": D(price), "settle": "USDT", **more}
    return Leg(symbol=symbol, underlying=symbol[:3], product=Product.LINEAR, size=D(size), **fields)


def cm(size: str, entry: str, mark: str, **more: Any) -> Leg:
    fields: dict[str, Any] = {"contract_size": D(100), "entry": D(entry), "mark": D(mark), **more}
    return Leg(symbol="BTCUSD_PERP", underlying="BTC", product=Product.INVERSE, size=D(size), **fields)


def account(*legs: Leg, usdt: str | None = None, **more: Any) -> Portfolio:
    balances = () if usdt is None else (Balance(asset="USDT", amount=D(usdt), price=D(1)),)
    return Portfolio(venue="binance", legs=legs, balances=balances, **more)


def price_of(evaluation: Evaluation, n: int = 0) -> Decimal:
    found = evaluation.legs[n].liquidation
    assert found is not None and found.price is not None
    return found.price


def test_every_recorded_deduction_follows_from_the_shipped_brackets() -> None:
    shipped = load("binance", USDM)
    records = [r for r in read_records("tiers.json.gz").values() if r["venue"] == "binance_usdm"]
    assert len(records) == 635
    for record in records:
        table = read_table(shipped, to_venue_symbol(record["symbol"]))
        assert [t.deduction for t in table.tiers] == [row["deduction"] for row in record["tiers"]], record["symbol"]
        assert [t.rate for t in table.tiers] == [row["mmr"] for row in record["tiers"]]
        assert [t.max_leverage for t in table.tiers] == [row["maxLeverage"] for row in record["tiers"]]
        assert table.tiers[-1].cap == record["tiers"][-1]["max"]


def test_every_version_of_the_brackets_can_be_read() -> None:
    found = versions("binance", USDM)
    assert [v.valid_from for v in found] == sorted(v.valid_from for v in found)
    for version in found:
        for symbol in version.get("symbols"):
            tiers = read_table(version, symbol).tiers
            assert deductions(tiers) == tuple(t.deduction for t in tiers)


POSITIONS = read_records("positions.json")
# Read with nothing but the payload: id, quantity, what stands in its way (leverage absent from the payload: given).
PAYLOADS = [
    ("bn-um-btc-iso-doc", "liquidation", {}),
    ("bn-um-doge-iso-short", "liquidation", {}),
    ("bn-um-wld-short", "maintenance", {}),
    ("bn-um-wld-short", "initial", {"leverage": D(20)}),
    ("bn-um-wld-long", "maintenance", {}),
    ("bn-um-wld-long", "initial", {"leverage": D(5)}),
]


@pytest.mark.parametrize(("name", "quantity", "given_fields"), PAYLOADS)
def test_published_values_from_their_payloads(name: str, quantity: str, given_fields: dict[str, Any]) -> None:
    record = POSITIONS[name]
    (reading,) = read_value(record["raw"], label=name, venue="binance").readings
    legs = tuple(msgspec.structs.replace(leg, **given_fields) for leg in reading.portfolio.legs)
    found = find_rulebook(reading.rules).run(msgspec.structs.replace(reading.portfolio, legs=legs))
    if quantity == "liquidation":
        own, wanted = price_of(found), record["liquidationPrice"]
    else:
        own, wanted = getattr(found.legs[0], quantity), record[f"{quantity}Margin"]
    assert abs(own / wanted - 1) < D("1e-6")


@pytest.mark.parametrize("name", ["bn-um-faq-iso-btc", "bn-um-faq-iso-eth"])
def test_the_examples_of_the_liquidation_price_page(name: str) -> None:
    raw = POSITIONS[name]["raw"]
    leg = um(
        raw["symbol"],
        str(raw["qty"]),
        str(raw["entry"]),
        mode=Mode.ISOLATED,
        isolated_collateral=D(raw["wallet"]),
        maintenance_rate=raw["mmr"],
        deduction=D(raw["cum"]),
        leverage=D(10),
    )
    assert abs(price_of(UM.run(account(leg))) / POSITIONS[name]["liquidationPrice"] - 1) < D("1e-5")


def test_the_coin_margined_quarterly_of_2021() -> None:
    record = POSITIONS["bn-cm-btc-210625"]
    mark = record["markPrice"]
    leg = msgspec.structs.replace(
        cm("1", "41021.20000069", str(mark), leverage=D(10), maintenance_rate=D("0.01")), symbol="BTCUSD_210625"
    )
    margin = CM.run(account(leg)).legs[0]
    assert margin.initial is not None and abs(margin.initial - record["initialMargin"]) < D("2e-8")
    assert margin.maintenance is not None and abs(margin.maintenance - record["maintenanceMargin"]) < D("1e-8")


def test_coin_margined_liquidation_meets_the_closed_form() -> None:
    coins, wallet, rate = D(100 * 100), D("0.05"), D("0.004")
    for size, sign in ((100, 1), (-100, -1)):
        leg = cm(str(size), "50000", "50000", mode=Mode.ISOLATED, isolated_collateral=wallet)
        with localcontext(NUMBERS):
            closed = coins * (1 + sign * rate) / (coins / 50_000 + sign * wallet)
        assert abs(price_of(CM.run(account(leg))) / closed - 1) < D("1e-12")


@pytest.mark.parametrize(("time", "amount"), [("2021-03-01", "11.81"), ("", "11.605")])
def test_the_maintenance_amounts_of_the_coin_margined_page(time: str, amount: str) -> None:
    # 300 BTC at 50,000: 12.5 % less the amount that the page gives.
    margin = CM.run(account(cm("150000", "50000", "50000"), time=time)).legs[0]
    assert (margin.notional, margin.rate) == (300, D("0.125"))
    assert margin.maintenance == 300 * D("0.125") - D(amount)


def test_the_example_of_the_coin_margined_page() -> None:
    assert CM.run(account(cm("100", "25000", "25000"))).maintenance == D("0.0016")


def test_beyond_the_documented_brackets_a_rate_must_be_given() -> None:
    with pytest.raises(MissingInput, match="brackets of BTCUSD_PERP end at 400 coins, the position is 500"):
        CM.run(account(cm("250000", "50000", "50000")))


def test_the_wallet_of_a_coin_margined_short_at_1x_covers_every_loss() -> None:
    leg = cm("-100", "50000", "50000", mode=Mode.ISOLATED, isolated_collateral=D("0.21"))
    found = CM.run(account(leg)).legs[0].liquidation
    assert found is not None and found.reason is NoPrice.FULLY_COLLATERALISED


def test_the_bracket_at_the_liquidation_price_counts() -> None:
    # 1,000,000 at 10x: bracket 3 at the mark and at the price; 2,100,000 at 2x ends in bracket 3 from bracket 3,
    # 900,000 at 2x starts in bracket 3 (over 800,000) and is liquidated in bracket 2.
    leg = um("BTCUSDT", "9", "100000", mode=Mode.ISOLATED, isolated_collateral=D(450_000))
    found = UM.run(account(leg)).legs[0]
    assert found.tier == 3
    assert found.liquidation is not None and found.liquidation.tier == 2
    with localcontext(NUMBERS):
        assert abs(price_of(UM.run(account(leg))) - (450_000 + 300 - 900_000) / (9 * (D("0.005") - 1))) < D("1e-6")


def test_cross_liquidation_holds_the_other_positions_requirement() -> None:
    legs = (um("BTCUSDT", "2", "100000"), um("ETHUSDT", "-30", "3500"))
    found = UM.run(account(*legs, usdt="20000"))
    other = found.legs[1].maintenance
    assert other is not None
    with localcontext(NUMBERS):
        closed = (20_000 - other - 2 * D(100_000)) / (2 * (D("0.004") - 1))
    assert abs(price_of(found) / closed - 1) < D("1e-12")
    assert found.legs[0].liquidation is not None and found.legs[0].liquidation.others == ("ETHUSDT",)


def test_both_sides_of_a_hedge_share_one_price() -> None:
    legs = (um("BTCUSDT", "3", "100000", hedge_side="long"), um("BTCUSDT", "-1", "100000", hedge_side="short"))
    found = UM.run(account(*legs, usdt="20000"))
    assert price_of(found, 0) == price_of(found, 1)
    with localcontext(NUMBERS):
        # The FAQ's form for both sides: wallet + cum - QL x EL + QS x ES over QL x MMR + QS x MMR - QL + QS.
        closed = (20_000 - 300_000 + 100_000) / (3 * D("0.004") + D("0.004") - 3 + 1)
    assert abs(price_of(found) / closed - 1) < D("1e-12")


def test_a_full_hedge_has_a_price_only_where_its_requirement_grows() -> None:
    legs = (um("BTCUSDT", "1", "100000", hedge_side="long"), um("BTCUSDT", "-1", "100000", hedge_side="short"))
    assert price_of(UM.run(account(*legs, usdt="2000"))) > 200_000


def test_each_margin_asset_has_its_own_pool() -> None:
    legs = (um("BTCUSDT", "1", "100000"), um("ETHUSDC", "-10", "3500", settle="USDC"))
    balances = (
        Balance(asset="USDT", amount=D(10_000), price=D(1)),
        Balance(asset="USDC", amount=D(1000), price=D("0.999")),
    )
    found = UM.run(Portfolio(venue="binance", legs=legs, balances=balances))
    assert found.unit == "USD"
    assert found.equity == D(10_000) + 1000 * D("0.999")
    assert found.health is not None and found.health.state == "cross USDC"
    alone = UM.run(account(um("BTCUSDT", "1", "100000"), usdt="10000"))
    assert price_of(found) == price_of(alone)


def test_multi_assets_mode_values_each_asset_at_its_rate() -> None:
    balances = (
        Balance(asset="BTC", amount=D(1), price=D(50_000)),
        Balance(asset="USDT", amount=D(-1000), price=D(1)),
    )
    found = UM.run(
        Portfolio(
            venue="binance",
            legs=(um("ETHUSDT", "10", "3000"),),
            balances=balances,
            extra={"multi_assets": D(1), "collateral_rate:BTC": D("0.95")},
        )
    )
    assert found.equity == 47_500 - 1000
    assert found.maintenance == 30_000 * D("0.004")


def test_orders_raise_initial_margin_by_the_worse_side() -> None:
    leg = um("BTCUSDT", "1", "100000", leverage=D(10), order_buy=D(2), order_sell=D(5), order_price=D(100_000))
    margin = UM.run(account(leg, usdt="100000")).legs[0]
    assert margin.initial == 40_000
    assert margin.orders == 30_000
    flipped = um("BTCUSDT", "-1", "100000", leverage=D(10), order_buy=D(5), order_sell=D(2), order_price=D(100_000))
    assert UM.run(account(flipped, usdt="100000")).legs[0].initial == 40_000


def pm_account(**more: Any) -> Portfolio:
    """The account of the page on portfolio margin's ratio, without its ETH, whose price the page's extract lacks."""
    legs = (
        um("BTCUSDT", "-0.05", "52000", mark=D(40_000), maintenance_rate=D("0.005"), leverage=D(10)),
        um("BTCUSDT_220624", "0.04", "52350", mark=D(42_000), maintenance_rate=D("0.005"), leverage=D(10)),
        cm("100", "50000", "40000", maintenance_rate=D("0.005"), leverage=D(10)),
    )
    balances = (
        Balance(asset="BTC", amount=D("0.16"), price=D(40_000), borrowed=D("0.04")),
        Balance(asset="USDT", amount=D(6000), price=D(1)),
    )
    extra = {"margin_leverage": D(3), "collateral_rate:BTC": D("0.95"), "collateral_rate:USDT": D(1)}
    return Portfolio(venue="binance", legs=legs, balances=balances, mode=Mode.PORTFOLIO, extra=extra, **more)


def test_portfolio_margin_adds_wallets_profits_and_loans() -> None:
    found = PM.run(pm_account())
    assert [m.unrealised for m in found.legs] == [600, -414, D("-0.05")]
    assert found.equity == 6000 + 600 - 414 + (D("0.16") - D("0.05")) * 40_000 * D("0.95")
    assert found.signed["marginMM"] == D("0.04") * 40_000 * D("0.1")
    assert found.maintenance == 160 + 10 + D("8.4") + D("0.00125") * 40_000
    assert found.health is not None and found.health.state == "free"


def test_the_bands_of_portfolio_margin_are_dated() -> None:
    late, early = (PM.run(pm_account(time=t)).health for t in ("2026-01-01", "2023-01-01"))
    assert late is not None and [t.value for t in late.thresholds] == [D("1.5"), D("1.2"), D("1.05"), D(1)]
    assert early is not None and [t.value for t in early.thresholds] == [D(2), D("1.5"), D("1.2")]


def test_a_negative_sum_takes_no_haircut() -> None:
    balances = (
        Balance(asset="BTC", amount=D(-1), price=D(40_000)),
        Balance(asset="USDT", amount=D(60_000), price=D(1)),
    )
    found = PM.run(Portfolio(venue="binance", legs=(), balances=balances, mode=Mode.PORTFOLIO))
    assert found.equity == 20_000


def test_the_published_ratio_of_a_portfolio_margin_account() -> None:
    record = read_records("accounts.json")["bn-pm-unimmr"]
    (reading,) = read_value(record["raw"], label="bn-pm-unimmr", venue="binance").readings
    found = PM.run(reading.portfolio)
    assert abs(found.signed["uniMMR"] - D(record["raw"]["uniMMR"])) < D("1e-8")


MISSING = [
    (account(um("BTCUSDT", "1", "1", mark=None)), "mark"),
    (account(um("BTCUSDT", "1", "1", mode=Mode.ISOLATED)), "isolated_collateral"),
    (account(um("BTCUSDT", "1", "1", mode=Mode.ISOLATED, isolated_collateral=D(1), entry=None)), "entry"),
    (account(um("BTCUSTD", "1", "1")), "maintenance_rate"),
    (account(um("BTCUSDT", "1", "1", maintenance_rate=D("0.004"))), "leverage"),
]


@pytest.mark.parametrize(("portfolio", "field"), MISSING, ids=[field for _, field in MISSING])
def test_a_missing_input_is_named(portfolio: Portfolio, field: str) -> None:
    with pytest.raises(MissingInput) as caught:
        UM.run(portfolio)
    assert caught.value.field == field


def test_unknown_symbols_name_the_nearest() -> None:
    with pytest.raises(MissingInput, match="did you mean BTCUSDT"):
        UM.run(account(um("BTCUSTD", "1", "1")))


def test_without_balances_margins_stand_and_the_price_says_what_lacks() -> None:
    found = UM.run(account(um("BTCUSDT", "1", "100000")))
    assert found.maintenance == 400 and found.equity is None
    liquidation, basis = found.legs[0].liquidation, found.legs[0].basis
    assert liquidation is not None and liquidation.reason is NoPrice.INPUT_MISSING
    assert basis is not None and basis.notes == ("balances missing: the margin balance behind the leg is not known",)


HOSTILE = [
    (account(um("BTCUSDT", "NaN", "1")), "size must be a number"),
    (account(um("BTCUSDT", "1e30", "1")), "size must be a number of at most"),
    (account(um("BTCUSDT", "1", "-5")), "entry must be above 0, was -5"),
    (account(um("BTCUSDT", "1", "1"), um("BTCUSDT", "2", "1")), "appears twice"),
    (account(um("BTCUSDT", "1", "1", hedge_side="short")), "contradicts hedge_side"),
    (account(cm("1", "1", "1")), "wanted linear"),
]


@pytest.mark.parametrize(("portfolio", "message"), HOSTILE, ids=[m for _, m in HOSTILE])
def test_what_contradicts_itself_is_refused(portfolio: Portfolio, message: str) -> None:
    with pytest.raises(VenueRefusal, match=message):
        UM.run(portfolio)


sizes = st.decimals("0.01", "800", places=2)
shares = st.decimals("0.02", "0.95", places=3)


@given(size=sizes, share=shares, short=st.booleans())
def test_the_price_crosses_and_collateral_pushes_it_away(size: Decimal, share: Decimal, short: bool) -> None:
    entry = D(60_000)
    q = -size if short else size

    def leg_with(collateral: Decimal) -> Leg:
        return um("BTCUSDT", str(q), "60000", mode=Mode.ISOLATED, isolated_collateral=collateral)

    collateral = size * entry * share
    leg = leg_with(collateral)
    found = UM.run(account(leg)).legs[0].liquidation
    assert found is not None
    table = read_table(load("binance", USDM), "BTCUSDT")

    def gap(price: Decimal) -> Decimal:
        with localcontext(NUMBERS):
            return collateral + profit_between(leg, entry, price) - table.charge(notional_at(leg, price)).amount

    if found.price is None:
        assert found.reason is NoPrice.ALREADY_BELOW and gap(entry) <= 0
        return
    tick = found.price * D("1e-9") * (-1 if short else 1)
    assert gap(found.price) <= 0 < gap(found.price + tick)
    more = UM.run(account(leg_with(collateral * D("1.01")))).legs[0].liquidation
    assert more is not None
    assert more.price is None or (more.price > found.price if short else more.price < found.price)


@given(size=sizes, short=st.booleans())
def test_margins_are_mirrored_and_grow_with_size(size: Decimal, short: bool) -> None:
    q = -size if short else size
    one, mirrored, larger = (UM.run(account(um("ETHUSDT", str(s), "3000"))).legs[0] for s in (q, -q, q + q / 100))
    assert one.maintenance is not None and one.initial is not None and larger.maintenance is not None
    assert (one.initial, one.maintenance) == (mirrored.initial, mirrored.maintenance)
    assert one.maintenance <= larger.maintenance
    assert one.maintenance <= one.initial


def test_a_set_given_by_hand_replaces_the_shipped_one() -> None:
    shipped = load("binance", USDM)
    values = {"ladders": [{"cap": D(1000), "rows": [[D(0), D("0.1"), D(5)]]}], "symbols": {"BTCUSDT": D(0)}}
    own = msgspec.structs.replace(shipped, values=values, is_shipped=False)
    params = Params("binance").replace(USDM, own)
    assert UM.run(account(um("BTCUSDT", "1", "100")), params).maintenance == 10
    with pytest.raises(MissingInput):
        UM.run(account(um("ETHUSDT", "1", "100")), params)


@pytest.mark.parametrize(
    ("time", "date"),
    [("2023-01-01", "2024-06-13"), ("2024-07-01", "2024-06-13"), ("2025-06-01", "2024-10-24"), ("", "2026-09-01")],
)
def test_the_capture_nearest_in_time_that_knows_the_symbol_counts(time: str, date: str) -> None:
    basis = UM.run(account(um("ENAUSDT", "1", "1"), time=time)).legs[0].basis
    assert basis is not None and basis.params_date == date


ACCOUNT = {
    "totalMaintMargin": "400", "totalMarginBalance": "10000",
    "assets": [{"asset": "USDT", "walletBalance": "10000", "unrealizedProfit": "0"}],
    "positions": [
        {"symbol": "BTCUSDT", "positionSide": "BOTH", "positionAmt": "1", "unrealizedProfit": "0", "notional": "100000",
         "isolatedMargin": "0", "isolatedWallet": "0", "initialMargin": "5000", "maintMargin": "400",
         "entryPrice": "100000", "leverage": "20", "isolated": False},
        {"symbol": "ETHUSDT", "positionSide": "BOTH", "positionAmt": "0"},
    ],
}  # fmt: skip
RISK = [
    {"symbol": "BTCUSDT", "positionSide": "BOTH", "positionAmt": "1", "entryPrice": "100000", "markPrice": "100000",
     "unRealizedProfit": "0", "liquidationPrice": "90361.44578313", "isolatedWallet": "0", "notional": "100000",
     "initialMargin": "5000", "maintMargin": "400", "marginAsset": "USDT"},
]  # fmt: skip


def read_bundle(*payloads: Any) -> Any:
    bundle = {"venue": "binance", "payloads": list(payloads)}
    raw = msgspec.json.encode(bundle)
    return read_value(decode_numbers(raw), label="bundle")


def test_account_and_position_risk_tell_one_position_together() -> None:
    (reading,) = read_bundle(ACCOUNT, RISK).readings
    (leg,) = reading.portfolio.legs
    assert (leg.mark, leg.leverage) == (100_000, 20)
    found = UM.run(reading.portfolio)
    reported = {f.quantity: f.value for f in reading.reported if f.leg == 0}
    assert found.legs[0].initial == reported["initial"] and found.legs[0].maintenance == reported["maintenance"]
    assert abs(price_of(found) / reported["liquidation"] - 1) < D("1e-9")
    assert len([f for f in reading.reported if f.leg == 0 and f.quantity == "maintenance"]) == 1


def test_payloads_of_different_moments_or_doubled_are_refused() -> None:
    moved = [{**RISK[0], "positionAmt": "2"}]
    with pytest.raises(PayloadError, match=r"BTCUSDT is 2 \(cross\) here and 1 \(cross\) in the account"):
        read_bundle(ACCOUNT, moved)
    with pytest.raises(PayloadError, match="twice"):
        read_bundle([*RISK, *RISK])


def test_a_portfolio_margin_account_without_prices_rests_on_its_own_equity() -> None:
    account_payload = {"uniMMR": "25", "accountEquity": "10000", "accountMaintMargin": "400", "accountStatus": "NORMAL"}
    balance = [{"asset": "USDT", "totalWalletBalance": "10000", "crossMarginBorrowed": "0", "crossMarginInterest": "0"}]
    (reading,) = read_bundle(account_payload, balance, RISK).readings
    assert reading.rules == "binance-pm"
    found = PM.run(reading.portfolio)
    assert (found.equity, found.maintenance, found.signed["uniMMR"]) == (10_000, 400, 25)


contracts = st.integers(1, 1500)


@given(n=contracts, share=st.decimals("0.05", "1.5", places=2), short=st.booleans())
def test_a_coin_margined_price_crosses_and_collateral_pushes_it_away(n: int, share: Decimal, short: bool) -> None:
    entry = D(50_000)
    leg = cm(str(-n if short else n), "50000", "50000")
    with localcontext(NUMBERS):
        wallet = n * 100 / entry * share

    def run(amount: Decimal) -> Any:
        balances = (Balance(asset="BTC", amount=amount, price=entry),)
        return CM.run(Portfolio(venue="binance", legs=(leg,), balances=balances)).legs[0].liquidation

    found = run(wallet)
    table = read_table(load("binance", "coinm_tiers"), "BTCUSD_PERP")

    def gap(price: Decimal) -> Decimal:
        with localcontext(NUMBERS):
            return wallet + profit_between(leg, entry, price) - table.charge(notional_at(leg, price)).amount

    if found.price is None:
        # A short whose coins cover its notional at entry: no price makes it poorer than that.
        assert short and share >= 1 and found.reason is NoPrice.FULLY_COLLATERALISED
        return
    tick = found.price * D("1e-9") * (-1 if short else 1)
    assert gap(found.price - tick) < 0 < gap(found.price + tick)
    farther = run(wallet * D("1.01")).price
    assert farther is None or (farther > found.price if short else farther < found.price)


@given(
    size=st.decimals("0.1", "20", places=1),
    usdt=st.integers(1_000, 3_000_000),
    coins=st.decimals("0", "5", places=1),
    short=st.booleans(),
)
def test_a_portfolio_margin_price_is_where_the_ratio_is_at_its_threshold(
    size: Decimal, usdt: int, coins: Decimal, short: bool
) -> None:
    leg = um("BTCUSDT", str(-size if short else size), "60000")
    balances = (
        Balance(asset="USDT", amount=D(usdt), price=D(1)),
        Balance(asset="BTC", amount=coins, price=D(60_000)),
    )
    portfolio = Portfolio(venue="binance", legs=(leg,), balances=balances, mode=Mode.PORTFOLIO)
    found = PM.run(portfolio)
    price = found.legs[0].liquidation
    assert price is not None
    if price.price is None:
        expected = {NoPrice.ALREADY_BELOW, NoPrice.FULLY_COLLATERALISED}
        assert price.reason in expected and (not short or price.reason is NoPrice.ALREADY_BELOW)
        return
    there = PM.run(msgspec.structs.replace(portfolio, legs=(msgspec.structs.replace(leg, mark=price.price),)))
    assert abs(there.signed["uniMMR"] - D("1.05")) < D("1e-6")


def test_orders_without_a_position_have_no_price_and_no_finding() -> None:
    leg = um("BTCUSDT", "0", "100000", leverage=D(10), order_buy=D(1))
    margin = UM.run(account(leg, usdt="0")).legs[0]
    assert margin.initial == 10_000 and margin.maintenance == 0
    assert margin.liquidation is not None and margin.liquidation.reason is NoPrice.HEDGED


def test_totals_hold_the_wallet_beside_isolated_legs() -> None:
    leg = um("BTCUSDT", "1", "100000", mode=Mode.ISOLATED, isolated_collateral=D(6000))
    found = UM.run(account(leg, usdt="10000"))
    assert (found.equity, found.signed["crossMarginBalance USDT"]) == (10_000, 4000)
    assert found.health is not None and found.health.state == "isolated BTCUSDT"
    assert price_of(found) == price_of(UM.run(account(leg)))


@given(coins=st.decimals("-0.2", "1", places=2), rate=st.sampled_from(["0.9", "0.95", "1"]), short=st.booleans())
def test_a_multi_assets_price_is_where_the_ratio_is_1(coins: Decimal, rate: str, short: bool) -> None:
    leg = um("ETHUSDT", "-20" if short else "20", "3000")
    balances = (
        Balance(asset="BTC", amount=coins, price=D(50_000)),
        Balance(asset="USDT", amount=D(20_000), price=D("0.999")),
    )
    extra = {"multi_assets": D(1), "collateral_rate:BTC": D("0.95"), "collateral_rate:USDT": D(rate)}
    portfolio = Portfolio(venue="binance", legs=(leg,), balances=balances, extra=extra)
    price = UM.run(portfolio).legs[0].liquidation
    assert price is not None
    if price.price is None:
        assert price.reason is NoPrice.FULLY_COLLATERALISED and not short
        return
    there = UM.run(msgspec.structs.replace(portfolio, legs=(msgspec.structs.replace(leg, mark=price.price),)))
    assert there.equity is not None and there.maintenance is not None
    assert abs(there.equity - there.maintenance) < D("1e-6")
