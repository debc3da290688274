"""
`compare` against figures worked out by hand, and what must hold for any position.
"""

import contextlib
import re
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.core.errors import ConfigError
from tocsin.venues import VenueRefusal
from tocsin.venues.compare import By, Row, answer, compare, fund
from tocsin.venues.compare_sizes import map_sizes
from tocsin.venues.contract import NUMBERS, Mode, NoPrice, Product
from tocsin.venues.liquidation import amounts_only
from tocsin.venues.question import Kind, Part, Question, build_portfolio
from tocsin.venues.question_text import read_collateral, read_file, read_size, read_words
from tocsin.venues.registry import find_rulebook

D = Decimal
WHOLE = D(100_000)


def ask(
    notional: str, *, side: int = 1, share: str = "0.1", kind: Kind = Kind.PERP, price: Decimal = WHOLE
) -> Question:
    coins = NUMBERS.divide(D(notional), price) * side
    return Question(
        parts=(Part(coin="BTC", size=coins, kind=kind),),
        prices={"BTC": price},
        collateral=NUMBERS.multiply(D(notional), D(share)),
    )


def ask_one(name: str, notional: str, *, side: int = 1, kind: Kind = Kind.PERP) -> Row:
    return answer(ask(notional, side=side, kind=kind), find_rulebook(name))


def percent(amount: Decimal | None, row: Row) -> Decimal:
    assert amount is not None
    return round(100 * amount / row.notional, 2)


@pytest.mark.parametrize(
    ("name", "notional", "initial", "maintenance", "liquidated"),
    [
        # By hand, BTC at 100,000, long, 10 % collateral. Brackets of 2026-09 at 1 M: 0.5 % less 0; the price falls to
        # about 90,440, where the position is worth 904 k, still rate 0.5 % (bracket 800 k to 3 M).
        ("binance-usdm", "1e6", "1.33", "0.50", None),
        ("binance-usdm", "5e7", "4.00", "1.74", None),
        # 2 % and 60 % of it; 90,000 / (1 - 0.012).
        ("dydx", "1e6", "2.00", "1.20", "91093.12"),
        ("dydx", "5e7", "2.00", "1.20", "91093.12"),
        # 1/40 and half of it; 90,000 / (1 - 0.0125).
        ("hyperliquid", "1e6", "2.50", "1.25", "91139.24"),
        ("hyperliquid", "5e7", "2.50", "1.25", "91139.24"),
        # 2 % and 1 % plus 0.005 % a coin; 10 coins at any price: 90,000 / (1 - 0.0105), 500 coins: 90,000 / (1 - 0.035)
        ("deribit-sm", "1e6", "2.05", "1.05", "90955.03"),
        ("deribit-sm", "5e7", "4.50", "3.50", "93264.25"),
        # rates of 2026-10: 90,000 / (1 - 0.05)
        ("derive-sm", "1e6", "6.60", "5.00", "94736.84"),
        ("derive-sm", "5e7", "6.60", "5.00", "94736.84"),
        # 1 % and 0.5 %, 20 % and 5.22 %, both with the closing fee of 0.055 % on the bankruptcy value
        ("bybit", "1e6", "1.05", "0.54", None),
        ("bybit", "5e7", "20.04", "5.26", None),
        # tier 1 to 1,000 contracts of 0.01, tier 5 to 60,000; the whole position at its tier, closing fee 0.05 %
        ("okx-cross", "1e6", "1.00", "0.40", "90406.83"),
        ("okx-cross", "5e7", "3.00", "1.75", "91649.69"),
    ],
)
def test_long_btc_by_hand(name: str, notional: str, initial: str, maintenance: str, liquidated: str | None) -> None:
    row = ask_one(name, notional)
    assert (percent(row.initial, row), percent(row.maintenance, row)) == (D(initial), D(maintenance))
    price = row.below.price
    assert price is not None and row.above.price is None
    if liquidated:
        assert abs(price - D(liquidated)) < D("0.01")


def test_the_ranking_turns_between_one_and_fifty_million() -> None:
    books = [find_rulebook(name) for name in ("binance-usdm", "dydx", "hyperliquid")]
    small, large = (compare(ask(n), books) for n in ("1e6", "5e7"))
    assert [row.name for row in small.rows] == ["binance-usdm", "dydx", "hyperliquid"]
    assert [row.name for row in large.rows] == ["dydx", "hyperliquid", "binance-usdm"]


def test_the_size_of_the_turn_is_where_both_ask_the_same() -> None:
    books = [find_rulebook(name) for name in ("binance-usdm", "dydx")]
    sizes = map_sizes(ask("1e6"), books, low=D(10_000), high=D("1e9"))
    (change,) = sizes.changes
    assert (sizes.names[change.below], sizes.names[change.above]) == (("binance-usdm",), ("dydx",))
    asked = [answer(ask(str(change.size)), book).maintenance for book in books]
    assert asked[0] is not None and asked[1] is not None
    assert abs(asked[0] - asked[1]) < change.size * D("1e-9")
    # Above 16 M Binance's bracket from 12 M charges 2 % less 132,000: 0.02 N - 132,000 = 0.012 N at 16.5 M.
    assert abs(change.size - 16_500_000) < 1


@pytest.mark.parametrize("name", ["binance-usdm", "dydx", "hyperliquid"])
@pytest.mark.parametrize("notional", ["1e4", "1e6", "5e7"])
def test_a_short_mirrors_a_long(name: str, notional: str) -> None:
    long, short = ask_one(name, notional), ask_one(name, notional, side=-1)
    assert (long.initial, long.maintenance) == (short.initial, short.maintenance)
    assert long.below.distance is not None and short.above.distance is not None
    assert long.below.distance < 0 < short.above.distance
    assert short.below.price is None and long.above.price is None


def test_more_collateral_is_never_nearer() -> None:
    book = find_rulebook("binance-usdm")
    prices = [answer(ask("3e6", share=share), book).below.price for share in ("0.05", "0.1", "0.5", "0.9")]
    known = [p for p in prices if p is not None]
    assert len(known) == 4 and known == sorted(known, reverse=True)


def test_what_no_price_reaches_says_why() -> None:
    row = answer(ask("1e6", share="1.5"), find_rulebook("dydx"))
    assert row.nearest is None
    assert row.below.reason in {NoPrice.NOT_ON_PATH.value, NoPrice.FULLY_COLLATERALISED.value}
    poor = answer(ask("1e6", share="0.001"), find_rulebook("dydx"))
    assert poor.below.reason == NoPrice.ALREADY_BELOW.value
    assert poor.is_short_of_initial(D(1_000)) and not row.is_short_of_initial(D(1_500_000))


def test_a_price_far_beyond_any_is_none() -> None:
    question = ask("1e6", side=-1, share="1", kind=Kind.INVERSE)  # hedged by its own collateral
    row = answer(question, find_rulebook("bybit"))
    assert row.nearest is None and row.above.reason == "none up to 10 times the price"


def test_an_inverse_contract_is_counted_in_coins_and_told_in_dollars() -> None:
    row = ask_one("binance-coinm", "1e6", kind=Kind.INVERSE)
    book = find_rulebook("binance-coinm")
    (leg,) = build_portfolio(book, ask("1e6", kind=Kind.INVERSE)).legs
    assert (leg.product, leg.size, leg.contract_size, leg.settle) == (Product.INVERSE, D(10_000), D(100), "BTC")
    assert row.initial is not None and row.initial < row.notional / 20
    linear = ask_one("binance-usdm", "1e6")
    assert row.below.price is not None and linear.below.price is not None
    # The coin that stands behind it falls too: nearer by about a tenth of the way.
    assert row.below.price > linear.below.price


def test_who_cannot_say_is_listed_with_the_reason() -> None:
    books = [find_rulebook(name) for name in ("dydx", "mexc", "binance-coinm", "aax")]
    question = ask("5e7", kind=Kind.LINEAR)
    found = compare(question, books)
    assert [row.name for row in found.rows] == ["dydx"]
    reasons = {s.name: s.reason for s in found.silent}
    assert reasons["mexc"] == "no linear contract on BTC is listed"
    assert reasons["binance-coinm"] == "takes inverse; not linear"
    assert [s.field for s in found.silent if s.name == "aax"] == ["maintenance_rate"]


def test_several_legs_need_a_mode_in_which_they_stand_together() -> None:
    parts = (Part(coin="BTC", size=D(1)), Part(coin="ETH", size=D(-10)))
    both = Question(parts=parts, prices={"BTC": WHOLE, "ETH": D(4_000)}, collateral=D(20_000))
    assert build_portfolio(find_rulebook("hyperliquid"), both).mode is Mode.CROSS
    with pytest.raises(VenueRefusal, match="isolated margin keeps every leg apart"):
        build_portfolio(find_rulebook("hyperliquid-isolated"), both)
    row = answer(both, find_rulebook("dydx"))
    assert row.maintenance == D("1680")  # 1.2 % of 140,000: no offset
    # 20,000 + (p - 100,000) = 1.2 % of p + 40,000; 20,000 - 10 (q - 4,000) = 1.2 % of 100,000 + 10 q
    assert (row.below.coin, row.above.coin) == ("BTC", "ETH")
    assert row.below.price is not None and row.above.price is not None
    assert abs(row.below.price - D(80_480) / D("0.988")) < D("0.01")
    assert abs(row.above.price - D(58_800) / D("10.12")) < D("0.01")


def test_two_legs_of_one_coin_are_liquidated_together() -> None:
    parts = (Part(coin="BTC", size=D(2)), Part(coin="BTC", size=D(-1), kind=Kind.INVERSE))
    pair = Question(parts=parts, prices={"BTC": WHOLE}, collateral=D(15_000))
    row = answer(pair, find_rulebook("binance-pm"))
    price = row.below.price
    assert price is not None and row.above.price is None
    # In USDT 2 (p - 100,000); in coins, valued at p and counted at 95 %, 100,000 - p.
    # Maintenance 0.4 % of 2 p and of the constant 100,000 of the inverse leg; liquidation at uniMMR 1.05.
    equity = 15_000 + 2 * (price - 100_000) + D("0.95") * (100_000 - price)
    assert abs(equity - D("1.05") * D("0.004") * (2 * price + 100_000)) < 1


@given(st.integers(10_000, 400_000_000), st.integers(3, 60), st.sampled_from(["binance-usdm", "dydx", "hyperliquid"]))
@settings(max_examples=25, deadline=None)
def test_initial_holds_maintenance_and_both_grow_with_size(notional: int, share: int, name: str) -> None:
    book = find_rulebook(name)
    small, large = (answer(ask(str(n), share=str(D(share) / 100)), book) for n in (notional, notional * 2))
    for row in (small, large):
        assert row.initial is not None and row.maintenance is not None and 0 < row.maintenance <= row.initial
    assert small.maintenance is not None and large.maintenance is not None
    assert large.maintenance >= 2 * small.maintenance
    assert small.below.price is None or large.below.price is None or large.below.price >= small.below.price


def test_ranking_by_initial_and_by_distance() -> None:
    books = [find_rulebook(name) for name in ("binance-usdm", "dydx", "hyperliquid")]
    assert [r.name for r in compare(ask("1e6"), books, by=By.INITIAL).rows] == ["binance-usdm", "dydx", "hyperliquid"]
    far = compare(ask("5e7"), books, by=By.DISTANCE).rows
    assert [r.name for r in far] == ["dydx", "hyperliquid", "binance-usdm"]


def test_every_number_carries_its_basis() -> None:
    for name in ("binance-usdm", "binance-pm", "dydx", "hyperliquid"):
        row = ask_one(name, "1e6")
        assert row.bases and all(b.formula and b.params and b.source for b in row.bases)
        assert row.dates


@pytest.mark.parametrize(
    ("text", "coins"),
    [("50M", "500"), ("250k", "2.5"), ("1,000,000", "10"), ("$2bn", "20000"), ("10BTC", "10"), ("10 btc", "10"),
     ("1.5mUSD", "15"), ("2kBTC", "2000")],
)  # fmt: skip
def test_sizes_as_typed(text: str, coins: str) -> None:
    assert read_size(text, "BTC", WHOLE) == D(coins)


@pytest.mark.parametrize("text", ["", "0", "-5M", "5X", "M", "1e400", "NaN", "10ETH", "1" * 40, "5 M M"])
def test_sizes_that_are_none(text: str) -> None:
    with pytest.raises(ConfigError, match="size must be"):
        read_size(text, "BTC", WHOLE)


def test_words_in_any_order() -> None:
    one, two = (
        read_words(["BTC", "short", "10BTC"], price="100000"),
        read_words(["btc", "10", "BTC", "short"], price="1e5"),
    )
    assert one == two
    assert (one.parts[0].size, one.collateral) == (D(-10), D(100_000))


@pytest.mark.parametrize(
    ("words", "price", "message"),
    [
        ([], "", "name a coin, a side and a size"),
        (["BTX", "long", "1M"], "", "did you mean BTC"),
        (["BTC", "1M"], "", "a side, long or short"),
        (["BTC", "long"], "", "a side, long or short"),
        (["BTC", "short", "strangle", "10BTC"], "", "options and several legs come from a file"),
        (["BTC", "long", "1M"], "-5", "price must be a number above 0"),
        (["BTC", "long", "1M"], "nan", "price must be a number above 0"),
    ],
)
def test_words_that_ask_nothing(words: list[str], price: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_words(words, price=price)


def test_collateral_as_typed() -> None:
    assert read_collateral("", D(1_000)) == D(100)
    assert read_collateral("25%", D(1_000)) == D(250)
    assert read_collateral("5M", D(1_000)) == D(5_000_000)
    with pytest.raises(ConfigError, match="collateral must be"):
        read_collateral("some", D(1_000))


STRANGLE = b"""{"prices": {"BTC": 100000}, "collateral": "30%", "legs": [
  {"coin": "BTC", "kind": "call", "side": "short", "size": 10, "strike": 110000, "days": 30, "vol": "50%"},
  {"coin": "BTC", "kind": "put", "side": "short", "size": 10, "strike": 90000, "days": 30, "vol": 0.5}]}"""


@pytest.mark.parametrize(
    ("name", "initial", "maintenance", "value"),
    [
        # Calls at 2,275 and puts at 1,828 each: (0.10 + mark) and (0.075 + mark) of 100,000 a coin, ten of each.
        ("deribit-sm", 241_031, 191_031, 0),
        # 3 % of the index, mark, and 0.2 % for liquidation.
        ("bybit", None, 105_031, 0),
        # Rates of maintenance 9 %, initial 13 %: net of the options' value, which is in equity here and not there.
        ("derive-sm", 301_031, 221_031, 41_031),
    ],
)
def test_a_short_strangle_by_hand(name: str, initial: int | None, maintenance: int, value: int) -> None:
    row = answer(read_file(STRANGLE, prices={}), find_rulebook(name))
    assert row.maintenance is not None and row.initial is not None
    assert abs(row.maintenance + value - maintenance) < 1
    assert initial is None or abs(row.initial + value - initial) < 1


@pytest.mark.parametrize("name", ["deribit-sm", "bybit", "derive-sm"])
def test_equity_of_an_option_seller_is_the_collateral(name: str) -> None:
    question, book = read_file(STRANGLE, prices={}), find_rulebook(name)
    evaluation = book.run(fund(book, build_portfolio(book, question), question))
    assert evaluation.equity is not None
    unit = question.prices.get(evaluation.unit, D(1))
    assert abs(evaluation.equity * unit - question.collateral) < 1


def test_a_file_of_legs() -> None:
    question = read_file(STRANGLE, prices={})
    assert (question.notional, question.collateral) == (D(2_000_000), D(600_000))
    assert [p.size for p in question.parts] == [D(-10), D(-10)]
    assert [p.vol for p in question.parts] == [D("0.5"), D("0.5")]
    dearer = read_file(STRANGLE, prices={"BTC": "200000"}, collateral="5M")
    assert (dearer.notional, dearer.collateral) == (D(4_000_000), D(5_000_000))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'"strike": 110000, ', b"", r"legs\[0\].strike must be above 0 and at most 1e\+15 for an option, was None"),
        (b'"strike": 110000', b'"strike": "NaN"', r"legs\[0\].strike must be above 0"),
        (b'"strike": 110000', b'"strike": 1e400', r"legs\[0\].strike must be above 0"),
        (b'"size": 10', b'"size": 1e999999', r"legs\[0\].size must be above 0|size"),
        (b'"BTC": 100000', b'"BTC": 1e999999999', "price must be a number above 0|not as described"),
        (b'"BTC": 100000', b'"BTC": "Infinity"', "price must be a number above 0|not as described"),
        (b'"days": 30', b'"days": -1', r"legs\[0\].days must be above 0"),
        (b'"short"', b'"sell"', r"legs\[0\].side must be long or short, was 'sell'"),
        (b'"size": 10', b'"size": 0', r"legs\[0\].size must be above 0"),
        (b'"size": 10', b'"size": "ten"', "size must be an amount"),
        (b'"kind": "call"', b'"kind": "future"', r"kind|future"),
        (b'"kind": "call"', b'"kind": "perp"', r"legs\[0\].strike is for options"),
        (b'"coin": "BTC"', b'"coins": "BTC"', "coin"),
        (b"}]}", b"}]", "the file of legs is not as described"),
        (b'"legs": [', b'"legs": [], "old": [', "old"),
    ],
)
def test_files_that_are_refused_name_the_field(old: bytes, new: bytes, message: str) -> None:
    assert old in STRANGLE
    with pytest.raises(ConfigError, match=message):
        read_file(STRANGLE.replace(old, new, 1), prices={})


@given(st.lists(st.text(max_size=12), max_size=5), st.text(max_size=8), st.text(max_size=8))
@settings(max_examples=60, deadline=None)
def test_words_are_read_or_refused(words: list[str], price: str, collateral: str) -> None:
    with contextlib.suppress(ConfigError):
        read_words(words, price=price, collateral=collateral)


VALUES = st.sampled_from(
    [b"null", b"-1", b"0", b"1e400", b'"NaN"', b'"x"', b"[]", b"{}", b"true", b'"long"', b"1e-400", b""]
)


@given(st.integers(0, 40), VALUES)
@settings(max_examples=80, deadline=None)
def test_files_with_one_value_exchanged_are_read_or_refused(place: int, value: bytes) -> None:
    spots = list(re.finditer(rb'(?<=: )("[^"]*"|[\d.]+)', STRANGLE))
    spot = spots[place % len(spots)]
    with contextlib.suppress(ConfigError):
        question = read_file(STRANGLE[: spot.start()] + value + STRANGLE[spot.end() :], prices={})
        compare(question, [find_rulebook("deribit-sm"), find_rulebook("bybit")])


def test_amounts_alone_are_the_same_amounts() -> None:
    book = find_rulebook("binance-usdm")
    portfolio = build_portfolio(book, ask("1e6"))
    whole = book.run(portfolio)
    with amounts_only():
        bare = book.run(portfolio)
    assert bare.legs[0].liquidation is not None and bare.legs[0].liquidation.reason is NoPrice.NOT_ASKED
    assert (bare.equity, bare.initial, bare.maintenance) == (whole.equity, whole.initial, whole.maintenance)
    again = book.run(portfolio).legs[0].liquidation
    assert again is not None and again.price is not None
