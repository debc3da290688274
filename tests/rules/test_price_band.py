"""
Rules PR-010 to PR-014: where an account with several instruments of one underlying falls, mirrored long and short.
"""

from math import erf, log, sqrt

import pytest
from msgspec.structs import replace

from tests.helpers.small import ALT, BTC, COIN, PERP, USD, make_account, make_sheet
from tests.helpers.small import value as small_value
from tests.helpers.worlds import Driver
from tocsin.core.errors import DataError
from tocsin.engine import commands as cm
from tocsin.margin.levels import compute_level
from tocsin.margin.price_band import Bound, _option_mark, price_band
from tocsin.margin.prices import liquidation_price
from tocsin.margin.state import AccountState, Level
from tocsin.margin.valuation import Valuation
from tocsin.sheet import terms as t
from tocsin.sheet.marks import Grade, Mark, Marks
from tocsin.sheet.validate import validate_sheet

CALL, PUT = 4, 5
BITCOIN = 7
sides = pytest.mark.parametrize("side", [1, -1])


def option(ident, *, is_call, in_coin=False, strike=100_000, units=1):
    return t.ContractTerms(
        ident, f"O{ident}", t.Kind.OPTION, BTC if in_coin else USD, units, 1_000_000, 1_000, (t.Tier(0, 0),),
        underlying=BITCOIN, option=t.OptionTerms(is_call, strike, in_coin), expiry_ns=10**18,
    )  # fmt: skip


def value(*, options=(), marks=None, reference=PERP, row=True, **fields):
    """Return the small sheet with all of it on one underlying: liquidation at 5 % (PERP, COIN) and 10 % (ALT)."""
    base = make_sheet()
    contracts = tuple(replace(c, underlying=BITCOIN, charge_long=0, charge_short=0) for c in base.contracts)
    # One bracket each, so that every number can be checked on paper.
    contracts = tuple(replace(c, tiers=c.tiers[:1], combine=t.Combine.MAX) for c in contracts)
    usd, btc = base.assets
    usd, btc = replace(usd, premium_ppm=0), replace(btc, haircuts=(t.HaircutTier(0, 100_000),))
    btc = replace(btc, underlying=BITCOIN, row=(0,) * 8) if row else btc
    at = {PERP: 100_000, ALT: 100_000, COIN: -100_000, **(marks or {})}
    underlying = t.UnderlyingTerms(BITCOIN, "BTC")
    if reference:
        underlying = replace(underlying, contract=reference, reference=at[reference], band=abs(at[reference]))
    sheet = replace(
        base, assets=(usd, btc), contracts=(*contracts, *options), scenarios=tuple("abcdefgh"),
        underlyings=(underlying,), **fields,
    )  # fmt: skip
    entries = {c: Mark(m, 0, Grade.FRESH, 0) for c, m in at.items()}
    return Valuation(validate_sheet(sheet), Marks(entries, {USD: 1_000_000, BTC: 2_000_000}))


def held(usd=0, btc=0, options=None, **lots):
    account = make_account(usd, btc, **lots)
    for contract, (lots_held, mark) in (options or {}).items():
        account.positions[contract] = (lots_held, lots_held * mark)
    return account


def one(answer):
    assert answer[0] == answer[1]
    return answer[0]


@sides
def test_pr_010_one_instrument(side):
    """
    PR-010: with 100,000, long 10 falls first at 94,736 (9.5 m < 900,000), short 10 at 104,762 (10.5 m > 1,100,000), as
    by PR-001; the other way it never falls.
    """
    account, at = held(100_000, perp=side * 10), value()
    band = price_band(account, at, BITCOIN)
    losing, winning = (band.down, band.up) if side > 0 else (band.up, band.down)
    assert one(losing) == Bound(94_736 if side > 0 else 104_762)
    assert losing[0].mark == liquidation_price(account, at, PERP).mark
    assert one(winning) == Bound(None, "never")
    assert (band.measured_by, band.moved, band.moved_assets) == (PERP, (PERP,), (BTC,))


@sides
def test_pr_010_other_levels(side):
    """PR-010: 6.25 % is asked for `margin_call`, nothing for `bankruptcy`: 900,000 / 9.375, 1,100,000 / 10.625, 10."""
    account = held(100_000, perp=side * 10)
    found = {
        level: one(price_band(account, value(), BITCOIN, level)[2 if side > 0 else 3]).mark
        for level in (Level.MARGIN_CALL, Level.BANKRUPTCY)
    }
    assert found == {
        Level.MARGIN_CALL: 95_999 if side > 0 else 103_530,
        Level.BANKRUPTCY: 89_999 if side > 0 else 110_001,
    }


@sides
def test_pr_011_hedged_legs(side):
    """
    PR-011: 10 of PERP against 9 of ALT: one lot of P&L, 5 % of 10 and 10 % of 9 lots, 1.4 m in all. With 150,000 long
    one: 150,000 + m - 100,000 < 1.4 m first at 125,001, on the side on which the account gains; short one (a gain of
    100,000 - m): 250,000 < 2.4 m first at 104,167. One leg alone of the same account would say otherwise.
    """
    account = held(150_000, perp=side * 10, alt=-side * 9)
    band = price_band(account, value(), BITCOIN)
    assert one(band.up).mark == (125_001 if side > 0 else 104_167)
    # Falling, the requirement falls faster than the long loses: 50,000 + m < 1.4 m never below 125,000.
    assert one(band.down) == Bound(None, "never")
    assert band.moved == (PERP, ALT)
    alone = liquidation_price(account, value(), PERP).mark
    assert alone != one(band.up).mark


@sides
def test_pr_011_marks_move_in_proportion(side):
    """PR-011: a leg marked at 110,000 moves 1.1 times as far, rounded down; with 100,000 it is below already."""
    at = value(marks={ALT: 110_000})
    account = AccountState(1, 1, cash={USD: 100_000}, positions={ALT: (side * 10, side * 1_100_000)})
    band = price_band(account, at, BITCOIN)
    assert one(band.down) == one(band.up) == Bound(None, "already below")
    account.cash[USD] = 200_000
    losing = one(price_band(account, at, BITCOIN).down if side > 0 else price_band(account, at, BITCOIN).up)
    # Long: 9 a < 900,000, a = floor(1.1 m) <= 99,999, m <= 90,909. Short: 11 a > 1,300,000, a >= 118,182, m >= 107,439.
    assert losing.mark == (90_909 if side > 0 else 107_439)


@sides
def test_pr_011_inverse_legs_and_coin_move(side):
    """
    PR-011: coin contract and coin collateral. A lot is worth 100,000 BTC units at 2; with the price p times as high its
    mark is -100,000 / p and a unit is worth 2 p. Long 10: p x 2 x (0.9 E) with E = b + 1,000,000 (1 - 1/p), while it is
    above 0; requirement 5 % of 1,000,000 x 2, the same at any price.
    """
    account = held(btc=200_000, coin=side * 10)
    band = price_band(account, value(), BITCOIN)
    losing = one(band.down if side > 0 else band.up)
    # Long: 1.8 (1,200,000 p - 1,000,000) < 100,000 below p = 0.8796...: m = 87,962.96.
    # Short: 1.8 (1,000,000 - 800,000 p) < 100,000 above p = 1.180556: m = 118,055.6.
    assert abs(losing.mark - (87_962 if side > 0 else 118_056)) <= 2
    # A coin that stays where it is changes nothing while all is owned and owed in it: price and need rise alike.
    still = price_band(account, value(row=False), BITCOIN)
    assert still.moved_assets == () and abs(one(still.down if side > 0 else still.up).mark - losing.mark) <= 1


@sides
def test_pr_011_coin_collateral_moves(side):
    """
    PR-011: 50,000 BTC units at 2 less 10 % carry 10 of PERP. Moving along, long: 90,000 p - 1,000,000 (1 - p) <
    50,000 p below p = 1,000,000 / 1,040,000, short above 1,000,000 / 960,000. Standing still: 9.5 m < 910,000,
    10.5 m > 1,090,000.
    """
    account = held(btc=50_000, perp=side * 10)
    found = {}
    for row in (True, False):
        band = price_band(account, value(row=row), BITCOIN)
        found[row] = one(band.down if side > 0 else band.up).mark
    assert found == ({True: 96_153, False: 95_789} if side > 0 else {True: 104_167, False: 103_810})


@sides
def test_pr_011_measured_by_an_inverse_contract(side):
    """PR-011: the same account measured by the coin contract falls at the same price, told as its mark."""
    account = held(100_000, perp=side * 10)
    band = price_band(account, value(reference=COIN), BITCOIN)
    losing = one(band.down if side > 0 else band.up).mark
    # 94,736 is 0.94736 of the price: -100,000 / 0.94736 = -105,556.5; 104,762: -95,454.4.
    assert abs(losing - (-105_557 if side > 0 else -95_454)) <= 1
    assert one(band.up if side > 0 else band.down) == Bound(None, "never")


@sides
def test_pr_011_tiers_and_caps_are_those_at_the_mark(side):
    """PR-011: brackets at that price, not at the present one; the price of the coin stops at its cap."""
    bracket = make_sheet().contracts[0].tiers
    at = value()
    sheet = replace(
        at.sheet, contracts=(replace(at.sheet.contracts[0], tiers=(*bracket[:1], t.Tier(1_000_000, 200_000))),)
    )
    tight = Valuation(sheet, Marks({PERP: at.marks.contracts[PERP]}, at.marks.prices))
    account = held(100_000, perp=side * 10)
    losing = one(price_band(account, tight, BITCOIN).down if side > 0 else price_band(account, tight, BITCOIN).up)
    # Short: 100,000 - 10 d < 50,000 + 0.2 x 10 d at d = 4,166.7 (in the second bracket: notional above 1,000,000).
    assert losing.mark == (94_736 if side > 0 else 104_167)


@sides
def test_pr_012_an_option_makes_it_a_band(side):
    """
    PR-012: with 60,000, 10 of PERP long, or short, and 4 options that hedge them: puts bought, or calls. Near they gain
    nothing: 9.5 m < 940,000 at 98,947. Far they gain all of the move, 4 (100,000 - m): 5.5 m < 540,000 at 98,181.
    Short: 10.5 m > 1,060,000 at 100,953, 6.5 m > 660,000 at 101,539.
    """
    kind = CALL if side < 0 else PUT
    at = value(options=(option(kind, is_call=side < 0),), marks={kind: 3_000})
    account = held(60_000, perp=side * 10, options={kind: (4, 3_000)})
    near, far = price_band(account, at, BITCOIN)[2 if side > 0 else 3]
    assert (near.mark, far.mark) == ((98_947, 98_181) if side > 0 else (100_953, 101_539))


@sides
def test_pr_012_options_sold_against_a_position(side):
    """
    PR-012: 10 of PERP and 15 calls sold on them, or puts on a short. On the winning side the near answer takes 15 lots
    of loss against 10 of gain: 60,000 - 5 d < 50,000 + 0.5 d (long), 50,000 - 0.5 d (short); far they cost nothing.
    On the losing side the near answer is the position alone; far they fall to nothing, 15 x 3,000 gained at the most.
    """
    kind = CALL if side > 0 else PUT
    at = value(options=(option(kind, is_call=side > 0),), marks={kind: 3_000})
    account = held(60_000, perp=side * 10, options={kind: (-15, 3_000)})
    band = price_band(account, at, BITCOIN)
    winning, losing = (band.up, band.down) if side > 0 else (band.down, band.up)
    # 10,000 / 5.5 = 1,818.2 upwards; 10,000 / 4.5 = 2,222.2 downwards.
    assert winning[0].mark == (101_819 if side > 0 else 97_777)
    assert winning[1] == Bound(None, "never")
    # 9.5 m < 940,000 at 98,947, with 45,000 more at 94,210; short 10.5 m > 1,060,000 at 100,953, 1,105,000 at 105,239.
    assert (losing[0].mark, losing[1].mark) == ((98_947, 94_210) if side > 0 else (100_953, 105_239))


def test_pr_012_both_answers_begin_at_the_marks():
    """PR-012: options count at their marks where the price stands: who stands does not fall by looking."""
    at = value(options=(option(CALL, is_call=True),), marks={CALL: 30_000})
    account = held(-20_000, options={CALL: (1, 0)})
    assert compute_level(account, at) < Level.LIQUIDATION
    band = price_band(account, at, BITCOIN)
    # Bought: it may lose a unit a unit, and falls once less than 20,000 is left; if it keeps its mark, never.
    assert band.down == (Bound(89_999), Bound(None, "never"))
    assert band.up == (Bound(None, "never"), Bound(None, "never"))


def black(price, strike, deviation, *, is_call):
    """Return the undiscounted value of an option on a lognormal price."""
    d = log(price / strike) / deviation + deviation / 2
    normal = [(1 + erf(x / sqrt(2))) / 2 for x in (d, d - deviation)]
    found = price * normal[0] - strike * normal[1]
    return found if is_call else found - price + strike


@pytest.mark.parametrize("reference", [PERP, COIN])
@pytest.mark.parametrize("in_coin", [False, True])
@pytest.mark.parametrize("is_call", [True, False])
def test_pr_012_the_range_holds_what_the_formula_of_black_gives(is_call, in_coin, reference):
    """PR-012: options in, at and out of the money, volatilities from 5 % to 200 %, prices from 0.2 to 4 times."""
    units = 10_000_000 if in_coin else 10
    for strike in (40_000, 100_000, 300_000):
        for deviation in (0.05, 0.5, 2.0):
            terms = option(CALL, is_call=is_call, in_coin=in_coin, strike=strike, units=units)

            def worth(price, strike=strike, deviation=deviation):
                found = units * black(price, strike, deviation, is_call=is_call)
                return found / price if in_coin else found

            at = small_value(coin=-100_000)
            line = at.lines[PERP]._replace(terms=terms, mark=round(worth(100_000)))
            for price in (20_000, 60_000, 99_000, 102_000, 150_000, 400_000):
                mark = price if reference == PERP else -(10**10) // price
                rises = price > 100_000
                low, high = (
                    _option_mark(line, at.lines[reference], mark, rises=rises, highest=h) for h in (False, True)
                )
                # The mark of an inverse contract holds its price to one part in 10,000 or better.
                assert low - 1 - low // 10**4 <= worth(price) <= high + 1 + high // 10**4, (strike, deviation, price)


@sides
def test_pr_013_reasons(side):
    """PR-013: nothing of it held, nothing that measures it, below already, never."""
    at = value()
    assert price_band(held(usd=5), at, BITCOIN) is None
    assert price_band(held(perp=side), at, 9) is None
    assert price_band(held(perp=side), value(reference=0), BITCOIN) is None
    below = price_band(held(49_999, perp=side * 10), at, BITCOIN)
    assert {*below.down, *below.up} == {Bound(None, "already below")}
    rich = price_band(held(10**9, perp=side), at, BITCOIN)
    assert {*rich.down, *rich.up} == {Bound(None, "never")}
    # Coin alone is collateral of it: it never owes anything. A debt in coin falls as the price rises.
    coins = price_band(held(btc=5), at, BITCOIN)
    assert coins.moved == () and one(coins.down) == Bound(None, "never")
    # 30,000 against 10,000 owed at 2 a unit: one millionth above 1.5 times that, 20 for each unit of the mark.
    assert one(price_band(held(30_000, btc=-10_000), at, BITCOIN).up).mark == 150_001


@sides
def test_pr_014_before_it_the_account_stands(side):
    """PR-014: at the answer the level is reached, one mark before it is not, everything moved along."""
    account = held(120_000, btc=10_000, perp=side * 10, alt=-side * 3, coin=side * 2)
    at = value()
    band = price_band(account, at, BITCOIN)
    bound = one(band.down if side > 0 else band.up)

    def level(mark):
        marks = {PERP: mark, ALT: mark, COIN: -(10**10) // mark}
        moved = at.with_marks(marks, {BTC: 2_000_000 * mark // 100_000})
        return compute_level(account, moved)

    assert level(bound.mark) >= Level.LIQUIDATION > level(bound.mark + side)


@sides
def test_pr_013_asked_of_an_engine(side):
    """PR-010, PR-013: the same answer at the engine's marks, for any number of shards; each refusal says why."""
    at = value()
    for shards in (1, 3):
        driver = Driver(at.sheet, shards=shards)
        for account in (1, 2, 3):
            driver.open(account, deposit=100_000 if account == 1 else 10**7, asset=USD)
        driver.cut()
        with pytest.raises(DataError, match="underlying must be measured by a contract with a mark, was 7 with none"):
            driver.engine.price_band(1, BITCOIN)
        driver.ok(
            cm.SetMarks, contract=(PERP, ALT, COIN), mark=(100_000, 100_000, -100_000), funding=(0, 0, 0),
            grade=(0, 0, 0), asset=(USD, BTC), price=(1_000_000, 2_000_000),
        )  # fmt: skip
        driver.cut()
        driver.fill(*((1, 2) if side > 0 else (2, 1)), 10, 1_000_000, PERP)
        driver.cut()
        band = driver.engine.price_band(1, BITCOIN)
        assert band == price_band(held(100_000, perp=side * 10), at, BITCOIN)
        call = driver.engine.price_band(1, BITCOIN, Level.MARGIN_CALL)
        assert one(call.down if side > 0 else call.up).mark == (95_999 if side > 0 else 103_530)
        with pytest.raises(DataError, match=r"underlying must be one of \[7\], was 8"):
            driver.engine.price_band(1, 8)
        with pytest.raises(DataError, match="account must hold something of underlying 7, was 3 with nothing"):
            driver.engine.price_band(3, BITCOIN)
        with pytest.raises(DataError, match="account must be open, was 9"):
            driver.engine.price_band(9, BITCOIN)


@sides
def test_pr_010_the_last_mark_of_the_way_counts(side):
    """
    PR-010: short 1 with 949,999: 1.05 m > 1,049,999 first at the cap of 1,000,000. Long 1 with 99,999: 0 of equity is
    below 1 at a mark of 1; at 2 both are 1. One more and neither falls.
    """
    for more in (0, 1):
        band = price_band(held((99_999 if side > 0 else 949_999) + more, perp=side), value(), BITCOIN)
        losing = one(band.down if side > 0 else band.up)
        assert losing == (Bound(None, "never") if more else Bound(1 if side > 0 else 1_000_000))


@pytest.mark.parametrize("in_coin", [False, True])
def test_pr_012_moves_of_options_are_rounded_up(in_coin):
    """PR-012: less than a unit counts as one, on either side: 10^10 / (100,000 x 100,001), and 100,000 / 10^10."""
    at = value(options=(option(CALL, is_call=True, in_coin=in_coin, units=100_000),), marks={CALL: 500})
    line, reference = at.lines[CALL], at.lines[COIN]
    line = line._replace(terms=replace(line.terms, units=1))
    found = [
        _option_mark(line, reference, mark, rises=rises, highest=highest)
        for mark, rises in ((-99_999, True), (-100_001, False))
        for highest in (True, False)
    ]
    more = 1 if in_coin else 2
    assert found == [500 + more, 500, 500, 499]


def test_pr_011_an_asset_without_a_price_stays_without():
    """PR-011, EQ-006: what is worth nothing moves nowhere."""
    at = value()
    bare = Valuation(at.sheet, Marks(at.marks.contracts, {USD: 1_000_000}))
    with_coin = price_band(held(100_000, btc=10**9, perp=10), bare, BITCOIN)
    assert one(with_coin.down).mark == 94_736
