"""
What follows from an evaluation: what-ifs, distances, T*, cures; our own JSON; one account in another venue's terms.
"""

from decimal import Decimal, localcontext
from math import log
from statistics import NormalDist
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.core.errors import ConfigError, DataError
from tocsin.venues import VenueRefusal
from tocsin.venues.assess import assess
from tocsin.venues.contract import NUMBERS, Balance, Leg, MissingInput, Mode, OptionTerms, Portfolio, Product
from tocsin.venues.params import decode_numbers
from tocsin.venues.portfolio_json import read_portfolio
from tocsin.venues.products import profit_between
from tocsin.venues.registry import find_rulebook
from tocsin.venues.shocks import apply_shocks, read_shock
from tocsin.venues.translate import net_sides, translate

D = Decimal
UM = find_rulebook("binance-usdm")


def leg(symbol: str = "BTCUSDT", size: str = "1", price: str = "100000", **more: Any) -> Leg:
    fields: dict[str, Any] = {"entry": D(price), "mark": D(price), "settle": "USDT", "product": Product.LINEAR, **more}
    return Leg(symbol=symbol, underlying=symbol[:3], size=D(size), **fields)


def account(*legs: Leg, usdt: str = "10000") -> Portfolio:
    return Portfolio(venue="binance", legs=legs, balances=(Balance(asset="USDT", amount=D(usdt), price=D(1)),))


def test_a_shock_moves_legs_index_and_collateral_of_its_coin() -> None:
    portfolio = msgspec.structs.replace(
        account(leg(index=D(100_000)), leg("ETHUSDT", "1", "3000")),
        balances=(Balance(asset="BTC", amount=D(1), price=D(100_000)),),
    )
    moved = apply_shocks(portfolio, [read_shock("BTC=-10%")])
    assert [x.mark for x in moved.legs] == [90_000, 3000]
    assert moved.legs[0].index == 90_000 and moved.legs[0].entry == 100_000
    assert moved.balances[0].price == 90_000


def test_a_symbol_moves_alone_and_shocks_follow_each_other() -> None:
    portfolio = account(leg(), leg("BTCUSDT_260925"))
    moved = apply_shocks(portfolio, [read_shock("BTCUSDT=50,000"), read_shock("BTC=+10%")])
    assert [x.mark for x in moved.legs] == [55_000, 110_000]


@pytest.mark.parametrize("text", ["BTC", "=1", "BTC=", "BTC=x", "BTC=-100%", "BTC=0", "BTC=NaN", "BTC=1e99"])
def test_what_is_no_shock_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        read_shock(text)


def test_an_unknown_market_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="nothing is called BTX; did you mean BTC"):
        apply_shocks(account(leg()), [read_shock("BTX=1%")])


def test_an_option_is_revalued_at_its_volatility() -> None:
    terms = OptionTerms(is_call=True, strike=D(100_000), expiry_years=D(1), forward=D(100_000), vol=D("0.5"))
    call = leg("BTC-C", "1", "1", product=Product.OPTION, option=terms)
    moved = apply_shocks(account(call), [read_shock("BTC=90000")]).legs[0]
    normal, upper = NormalDist(), (log(0.9) + 0.125) / 0.5
    wanted = 90_000 * normal.cdf(upper) - 100_000 * normal.cdf(upper - 0.5)
    assert moved.mark is not None and abs(float(moved.mark) - wanted) < 1e-4
    assert moved.option is not None and moved.option.forward == 90_000
    blind = msgspec.structs.replace(call, option=msgspec.structs.replace(terms, vol=None))
    with pytest.raises(MissingInput, match=r"option\.vol"):
        apply_shocks(account(blind), [read_shock("BTC=90000")])


def test_distance_in_percent_and_daily_moves() -> None:
    found = assess(UM, account(leg()), {"BTC": D("0.02")})
    price = found.evaluation.legs[0].liquidation
    assert price is not None and price.price is not None
    (distance,) = found.distances
    assert distance.share is not None and distance.daily_moves is not None
    with localcontext(NUMBERS):
        assert distance.share == price.price / 100_000 - 1
        assert distance.daily_moves == -distance.share / D("0.02")


def test_t_star_is_the_rulebooks_formula() -> None:
    found = assess(UM, account(leg()), {"*": D("0.02")})
    # Buffer 10,000 - 400; 2,000 a day; z 3.29: (9600 / 3.29 / 2000)^2 days.
    assert found.t_star_minutes == int((D(9600) / D("3.29") / 2000) ** 2 * 1440)
    assert found.volatility_source == "given"


def test_legs_that_cancel_leave_no_deadline() -> None:
    hedged = account(leg(hedge_side="long"), leg(size="-1", hedge_side="short"))
    assert assess(UM, hedged, {"*": D("0.02")}).t_star_minutes is None
    assert assess(UM, hedged, {"*": D("0.02")}).notes == (
        "T* is absent: the account's value does not move with its markets",
    )


def test_a_coin_without_volatility_says_how_to_give_one() -> None:
    portfolio = account(msgspec.structs.replace(leg(), underlying="NOCOIN"))
    found = assess(UM, portfolio, {})
    assert found.t_star_minutes is None
    assert found.notes[0] == "no volatility of NOCOIN is shipped: give --vol NOCOIN=4%"


@settings(max_examples=40)
@given(size=st.decimals("0.1", "3", places=1), short=st.booleans(), share=st.decimals("0.001", "0.2", places=3))
def test_a_cure_cures_and_a_hair_less_does_not(size: Decimal, short: bool, share: Decimal) -> None:
    wallet = size * 100_000 * share
    portfolio = account(leg(size=str(-size if short else size), leverage=D(10)), usdt=str(wallet))
    cures = assess(UM, portfolio, {}).cures
    if share >= D("0.1"):
        assert cures == ()
        return
    cure = cures[-1]
    assert [c.level for c in cures] == (["initial"] if share > D("0.004") else ["maintenance", "initial"])
    assert cure.deposit == size * 10_000 - wallet
    paid = account(portfolio.legs[0], usdt=str(wallet + cure.deposit))
    assert assess(UM, paid, {}).cures == ()
    assert cure.close is not None
    with localcontext(NUMBERS):
        for close, cured in ((cure.close, True), (cure.close * D("0.9999"), False)):
            rest = (size - close) * (-1 if short else 1)
            left = account(msgspec.structs.replace(portfolio.legs[0], size=rest), usdt=str(wallet))
            assert (assess(UM, left, {}).cures == ()) is cured


def test_the_cheapest_leg_is_named() -> None:
    legs = (leg(leverage=D(50)), leg("ETHUSDT", "40", "3000", leverage=D(5)))
    (cure,) = assess(UM, account(*legs, usdt="20000"), {}).cures
    # 2,000 + 24,000 against 20,000: closing 30,000 of the dear leg, or 300,000 of the cheap one, which there is not.
    assert cure.leg == "ETHUSDT"
    assert cure.close_notional is not None and abs(cure.close_notional - 30_000) < 1


def test_where_no_leg_alone_is_enough_all_are_cut() -> None:
    legs = (leg(size="2", mark=D(90_160)), leg("ETHUSDT", "-30", "3500", mark=D(3_502)))
    first, second = assess(UM, account(*legs, usdt="20000"), {}).cures
    assert (first.level, first.leg, first.close) == ("maintenance", "every leg", None)
    assert first.deposit == D("881.52") and first.close_share is not None
    # Equity 260, maintenance 1,141.52: closing all but 260 / 1,141.52 of everything.
    assert abs(first.close_share - (1 - D(260) / D("1141.52"))) < D("1e-5")
    assert second.level == "initial"


def test_an_isolated_leg_is_cured_to_its_maintenance() -> None:
    lost = leg(size="10", mark=D(90_000), mode=Mode.ISOLATED, isolated_collateral=D(100_000))
    (cure,) = assess(UM, account(lost), {}).cures
    assert (cure.scope, cure.level, cure.unit) == ("BTCUSDT", "maintenance", "USDT")
    assert cure.deposit == 900_000 * D("0.0065") - 1500
    assert cure.close is None


OWN = (
    b'{"rules": "binance-usdm", "legs": [{"symbol": "BTCUSDT", "underlying": "BTC", "size": "1.5", "mark": 100000.10}],'
    b' "balances": [{"asset": "USDT", "amount": 5}]}'
)


def test_our_own_json_keeps_every_digit() -> None:
    portfolio, rules = read_portfolio(decode_numbers(OWN))
    assert rules == "binance-usdm" and portfolio.venue == "binance"
    assert (portfolio.legs[0].size, str(portfolio.legs[0].mark)) == (D("1.5"), "100000.10")
    assert portfolio.legs[0].product is Product.LINEAR


BROKEN = [
    ({"legs": [{"symbol": "B", "underlying": "B", "sise": 1}]}, r"legs\[0\]: size is missing.*did you mean sise"),
    ({"legs": [{"symbol": "B", "underlying": "B", "size": 1, "markk": 2}]}, r"legs\[0\]: unknown field 'markk'.*mark"),
    ({"legs": [{"symbol": "B", "underlying": "B", "size": "one"}]}, r"legs\[0\]: size must be a number, was 'one'"),
    ({"legs": [{"symbol": "B", "underlying": "B", "size": True}]}, r"legs\[0\]: size must be a JSON number"),
    ({"legs": [{"symbol": "B", "underlying": "B", "size": 1, "product": "futur"}]}, r"legs\[0\]: product"),
    ({"legs": [{"symbol": "B", "underlying": "B", "size": 1, "mark": -1}]}, r"leg B: mark must be above 0, was -1"),
    ({"legs": [3]}, r"legs\[0\] must be an object, was 3"),
    ({"legs": [{"symbol": "B", "underlying": "B", "size": "1_000"}]}, r"legs\[0\]: size must be a number, was '1_000'"),
    ({"legs": [{"symbol": "B", "underlying": "B", "size": "１"}]}, r"legs\[0\]: size must be a number"),
    ({"legs": [{"symbol": "B", "underlying": "B", "size": "1e999999999"}]}, r"size must be 0 or between"),
    ({"legs": [{"symbol": "B", "underlying": "B", "size": 1, "mark": D("1e999999999")}]}, r"mark must be 0 or between"),
    ({"legs": [{"symbol": "B" * 999, "underlying": "B", "size": 1}]}, r"symbol must be printable text of at most 200"),
    ({"legs": [], "mode": "hedge"}, r"mode must be isolated or cross or portfolio, was \"hedge\""),
    ({"legs": [], "time": D(-5)}, r"time must be ISO 8601 or milliseconds since 1970, was '-5'"),
    ({"legs": [], "time": "yesterday"}, r"time must be ISO 8601"),
    (
        {"legs": [], "rules": "binance-usdm", "venue": "binanse"},
        r"venue must be one that is known.*did you mean binance",
    ),
    ({"legs": [{"symbol": "B", "underlying": "B", "size": 1, "deduction": 5}]}, r"leg B: maintenance_rate is missing"),
    ({"legs": [], "other_maintenance": -5}, r"other_maintenance must be 0 or more, was -5"),
    (
        {
            "legs": [
                {"symbol": "B", "underlying": "B", "size": 2, "mark": 100, "hedge_side": "long"},
                {"symbol": "B", "underlying": "B", "size": -1, "mark": 99, "hedge_side": "short"},
            ]
        },
        r"B has the marks 100 and 99; give both legs at one moment",
    ),
    ({"legs": {}}, r"legs must be a list of objects"),
    ({"legs": [], "balances": [{"asset": "USDT"}]}, r"balances\[0\]:.*amount"),
    ({"legs": [], "ballances": []}, r"unknown field 'ballances'; did you mean balances"),
    ({"legs": [], "rules": 5}, r"rules must be a rulebook's name, was 5"),
    ({"legs": [], "venue": "binance", "extra": {"open_loss": "x"}}, r"open_loss"),
]


@pytest.mark.parametrize(("body", "message"), BROKEN, ids=[m for _, m in BROKEN])
def test_broken_json_is_refused_by_field(body: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_portfolio(body)


def test_a_time_may_be_milliseconds_as_a_number() -> None:
    portfolio, _ = read_portfolio({"legs": [], "time": D(1785000000000)})
    assert portfolio.time == "1785000000000"


def test_a_published_equity_moves_with_the_legs_behind_it() -> None:
    with_balances = account(leg(size="10"))
    published = msgspec.structs.replace(with_balances, balances=(), equity=UM.run(with_balances).equity)
    wanted = assess(UM, with_balances, {"*": D("0.02")}).t_star_minutes
    assert wanted is not None
    assert assess(UM, published, {"*": D("0.02")}).t_star_minutes == wanted


def test_a_leverage_that_no_venue_gives_is_told() -> None:
    for leverage, is_told in ((D(10), False), (D(1000), True)):
        notes = [note for note in assess(UM, account(leg(leverage=leverage)), {}).notes if "leverage" in note]
        assert bool(notes) is is_told


def test_another_venue_holds_the_same_coins_and_money() -> None:
    own = account(leg(size="3", maintenance_rate=D("0.004"), leverage=D(10)), usdt="30000")
    book = find_rulebook("hyperliquid")
    other = translate(own, book)
    assert (other.venue, other.legs[0].settle, other.balances[0].asset) == ("hyperliquid", "USDC", "USDC")
    assert other.legs[0].size * other.legs[0].contract_size == 3
    assert other.legs[0].maintenance_rate is None
    assert book.run(other).equity == 30_000


def test_isolated_legs_do_not_fall_together() -> None:
    legs = [leg(s, mode=Mode.ISOLATED, isolated_collateral=D(1)) for s in ("BTCUSDT", "ETHUSDT")]
    with pytest.raises(VenueRefusal, match="one leg at a time"):
        translate(account(*legs), find_rulebook("binance-pm"))


def mixed(btc_mark: int = 100_000) -> Portfolio:
    """A cross ETH long beside an isolated BTC long; the wallet of 20,000 holds the 12,000 set aside."""
    apart = leg(mark=D(btc_mark), mode=Mode.ISOLATED, isolated_collateral=D(12_000), leverage=D(10))
    return account(leg("ETHUSDT", "10", "3000", leverage=D(5)), apart, usdt="20000")


def test_what_is_set_aside_does_not_stand_behind_cross_legs() -> None:
    found = assess(UM, mixed(), {"BTC": D("0.02"), "ETH": D("0.03")})
    evaluation = found.evaluation
    assert evaluation.signed["crossMarginBalance USDT"] == 8000
    assert evaluation.equity == 20_000
    # Cross: (8000 - 120) / (3.29 x 900); isolated: (12000 - 400) / (3.29 x 2000). The shorter time counts.
    assert found.t_star_minutes == int((D(11_600) / D("3.29") / 2000) ** 2 * 1440)
    calm = assess(UM, mixed(), {"BTC": D("0.0001"), "ETH": D("0.03")})
    assert calm.t_star_minutes == int((D(7880) / D("3.29") / 900) ** 2 * 1440)


def test_each_part_is_cured_on_its_own() -> None:
    assert assess(UM, mixed(), {}).cures == ()
    low = apply_shocks(mixed(btc_mark=88_100), [read_shock("ETH=2700")])
    apart, maintenance_or_initial = assess(UM, low, {}).cures
    assert (apart.scope, apart.deposit) == ("BTCUSDT", D("88100") * D("0.004") - 100)
    assert (maintenance_or_initial.level, maintenance_or_initial.deposit) == ("initial", D(5400 - 5000))


def test_contracts_of_another_size_keep_the_coins() -> None:
    own = account(leg(size="3"), usdt="30000")
    other = translate(own, find_rulebook("okx-isolated"))
    assert other.legs[0].contract_size != 1
    assert other.legs[0].size * other.legs[0].contract_size == 3
    assert other.legs[0].isolated_collateral == 30_000


def test_dollars_of_all_kinds_become_the_other_venues() -> None:
    own = msgspec.structs.replace(
        account(leg(), leg("ETHUSDC", "1", "3000", settle="USDC")),
        balances=(
            Balance(asset="USDT", amount=D(1000), price=D("0.99")),
            Balance(asset="USDC", amount=D(500), price=D(1)),
        ),
    )
    other = translate(own, find_rulebook("dydx"))
    assert [(b.asset, b.amount) for b in other.balances] == [("USDC", 1490)]


def test_portfolio_margin_is_cured_to_its_threshold() -> None:
    # Maintenance 104,000 x 0.4 %: liquidated at 1.05 times of it.
    portfolio = msgspec.structs.replace(account(leg(price="104000"), usdt="430"), mode=Mode.PORTFOLIO)
    first = assess(find_rulebook("binance-pm"), portfolio, {}).cures[0]
    assert (first.level, first.deposit) == ("maintenance", D("416") * D("1.05") - 430)


def test_totals_without_isolated_legs_are_taken_as_they_are() -> None:
    # OKX's sums are of its cross legs alone, Binance's of all.
    book = find_rulebook("okx-cross")
    own = translate(mixed(), book)
    legs = tuple(
        msgspec.structs.replace(x, maintenance_rate=D("0.004"), fee_rate=D("0.0005"), leverage=D(5)) for x in own.legs
    )
    own = msgspec.structs.replace(own, legs=legs, balances=(Balance(asset="USDT", amount=D(5000), price=D(1)),))
    (cure,) = assess(book, own, {}).cures
    assert (cure.scope, cure.level, cure.deposit) == ("account", "initial", 1000)


def test_two_sides_of_one_market_are_netted_where_there_is_no_hedge_mode() -> None:
    long = leg(size="2", entry=D(101_000), hedge_side="long")
    short = leg(size="-0.5", entry=D(97_000), hedge_side="short")
    book = find_rulebook("deribit-sm")
    moved = translate(account(long, short), book)
    (one,) = moved.legs
    assert (one.size, one.hedge_side) == (D("1.5"), "")
    equities = [book.run(moved).equity or D(0), UM.run(account(long, short)).equity or D(0)]
    assert abs(equities[0] - equities[1]) < D("1e-20") < equities[0]
    with pytest.raises(VenueRefusal, match="leave no position"):
        translate(account(long, leg(size="-2", hedge_side="short")), book)
    with pytest.raises(VenueRefusal, match="deribit has no hedge mode: give BTCUSDT as one leg"):
        book.run(msgspec.structs.replace(account(long, short), venue="deribit"))


@pytest.mark.parametrize("sign", [1, -1])
def test_netted_inverse_sides_keep_their_profit(sign: int) -> None:
    one = leg("BTCUSD_PERP", str(2_000 * sign), product=Product.INVERSE, entry=D(90_000), settle="BTC")
    other = leg("BTCUSD_PERP", str(-500 * sign), product=Product.INVERSE, entry=D(95_000), settle="BTC")
    both = [msgspec.structs.replace(x, hedge_side="long" if x.size > 0 else "short") for x in (one, other)]
    (net,) = net_sides(both)
    assert net.size == 1_500 * sign

    def profit(leg: Leg) -> Decimal:
        return profit_between(leg, leg.entry or D(0), D(100_000))

    assert abs(profit(net) - profit(one) - profit(other)) < D("1e-20")
