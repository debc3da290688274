"""
dYdX v4's rules: closes leave the account no riskier, both sides mirror, rounding never costs the fund.
"""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.conform.core_prices import run_bankruptcy_price
from tocsin.conform.inputs import Inputs
from tocsin.core.integers import PPM
from tocsin.venues import VenueRefusal, dydx

FIFTH, HALF, TENTH = Fraction(1, 5), Fraction(1, 2), Fraction(1, 10)
DOLLAR = PPM
BTC = 10**8
MARK = Fraction(500)
"""$50,000 a BTC of 10^8 quantums, in quote quantums."""


def btc(quantums: int, price: Fraction = MARK) -> dydx.Position:
    return dydx.Position(quantums, price, FIFTH, HALF)


def account(quote: int, *positions: dydx.Position) -> dydx.Account:
    return dydx.Account(quote, positions)


SIZES = st.integers(-(10**10), 10**10).filter(bool)
POSITIONS = st.builds(
    dydx.Position,
    SIZES,
    st.fractions(Fraction(1, 100), 10_000, max_denominator=1_000),
    st.integers(1_000, PPM).map(lambda ppm: Fraction(ppm, PPM)),
    st.integers(100_000, PPM).map(lambda ppm: Fraction(ppm, PPM)),
)


@pytest.mark.parametrize(
    ("quantums", "net", "initial", "maintenance"),
    [(3, 5, 2, 1), (-3, -5, 2, 1), (1, 1, 1, 1), (-1, -1, 1, 1), (0, 0, 0, 0)],
)
def test_values_are_cut_and_requirements_rounded_up(quantums: int, net: int, initial: int, maintenance: int) -> None:
    # 3 x 5/3 would be 5 exactly; 1 x 5/3 is cut to 1. A fifth of 5 is 1, of 1 is 0.2: up to 1; 3/10 of 5 is 1.5: up.
    share = Fraction(3, 10) if abs(quantums) == 3 else FIFTH
    position = dydx.Position(quantums, Fraction(5, 3), share, HALF)
    assert dydx.assess_position(position) == (net, initial, maintenance)


def test_an_account_adds_its_positions_and_its_quote_balance() -> None:
    risk = dydx.assess_account(account(-DOLLAR, btc(BTC), btc(-BTC // 2)))
    assert risk == (-DOLLAR + 25_000 * DOLLAR, 15_000 * DOLLAR, 7_500 * DOLLAR)


@pytest.mark.parametrize(
    ("base", "open_notional", "lower", "upper", "ppm"),
    [
        (200_000, 0, 10, 20, 200_000),
        (200_000, 10, 10, 20, 200_000),
        (200_000, 15, 10, 20, 600_000),
        (200_000, 20, 10, 20, PPM),
        (200_000, 99, 10, 20, PPM),
        (200_000, 99, 10, 0, 200_000),
        (200_000, 11, 10, 13, 466_666),
        (200_000, 20, 20, 20, 200_000),
        (200_000, 21, 20, 20, PPM),
        (PPM, 15, 10, 20, PPM),
    ],
)
def test_open_interest_scales_the_initial_fraction(
    base: int, open_notional: int, lower: int, upper: int, ppm: int
) -> None:
    assert dydx.scale_initial_ppm(base, open_notional, lower, upper) == ppm


@given(st.integers(1, PPM), st.integers(0, 10**15), st.integers(0, 10**15), st.integers(0, 10**9))
def test_more_open_interest_never_asks_for_less(base: int, lower: int, width: int, step: int) -> None:
    upper = lower + width + 1
    fractions = [dydx.scale_initial_ppm(base, lower + k * step, lower, upper) for k in range(4)]
    assert fractions == sorted(fractions) and base <= fractions[0] and fractions[-1] <= PPM


def test_initial_margin_rounds_up_and_takes_the_users_own_fraction_if_larger() -> None:
    assert dydx.initial_margin(10**6 + 1, 200_000) == 200_001
    assert dydx.initial_margin(10**6, 200_000, custom_ppm=100_000) == 200_000
    assert dydx.initial_margin(10**6, 200_000, custom_ppm=300_000) == 300_000


@given(st.integers(-(10**12), 10**12), POSITIONS)
def test_closing_the_only_position_at_its_bankruptcy_price_leaves_nothing(quote: int, position: dydx.Position) -> None:
    held = account(quote, position)
    if dydx.assess_account(held).maintenance:
        assert dydx.bankruptcy_price(held, 0, -position.quantums) == -quote


@given(st.integers(-(10**13), 10**13), st.lists(POSITIONS, min_size=1, max_size=3), st.data())
def test_a_close_at_the_bankruptcy_price_never_makes_an_account_riskier(
    quote: int, positions: list[dydx.Position], data: st.DataObject
) -> None:
    held = account(quote, *positions)
    old = dydx.assess_account(held)
    if not old.maintenance:
        return
    closed = data.draw(st.integers(1, abs(positions[0].quantums)))
    delta = -closed if positions[0].quantums > 0 else closed
    price = dydx.bankruptcy_price(held, 0, delta)
    new = dydx.assess_account(
        account(quote + price, positions[0]._replace(quantums=positions[0].quantums + delta), *positions[1:])
    )
    # The rounding upward is the account's: net collateral per maintenance does not fall, and not a unit is given away.
    assert new.net * old.maintenance >= old.net * new.maintenance
    assert (new.net - 1) * old.maintenance < old.net * new.maintenance


@given(st.integers(-(10**7), 10**7), st.lists(st.tuples(SIZES, st.integers(1, 9_000)), min_size=1, max_size=3))
def test_the_core_door_computes_the_same_bankruptcy_value(usdc: int, legs: list[tuple[int, int]]) -> None:
    raw = [
        {"quantums": q, "price_usd": p * 100, "imf_ppm": 200_000, "maintenance_fraction_ppm": 500_000} for q, p in legs
    ]
    outputs = run_bankruptcy_price(Inputs({"usdc": usdc, "positions": raw, "close_index": 0}))
    held = account(usdc * DOLLAR, *(btc(q, Fraction(p)) for q, p in legs))
    assert outputs["bankruptcy_price_quote_quantums"] == dydx.bankruptcy_price(held, 0, -legs[0][0])


@pytest.mark.parametrize("delta", [0, 1, -11, 11])
def test_what_closes_no_part_of_the_position_is_refused(delta: int) -> None:
    with pytest.raises(VenueRefusal, match="not valid for a position of 10"):
        dydx.bankruptcy_price(account(0, btc(10)), 0, delta)


TERMS = {"bankruptcy_adjustment": Fraction(1), "spread_to_maintenance": TENTH}


@pytest.mark.parametrize(
    ("net_dollars", "spread_dollars"),
    [(5_000, 0), (9_000, 0), (2_500, 250), (0, 500), (-1_000, 500)],
)
def test_the_fillable_price_leaves_the_oracle_as_the_account_does(net_dollars: int, spread_dollars: int) -> None:
    # One BTC at $50,000: maintenance $5,000, the whole spread $500 at bankruptcy, nothing at maintenance.
    long = account((net_dollars - 50_000) * DOLLAR, btc(BTC))
    short = account((net_dollars + 50_000) * DOLLAR, btc(-BTC))
    assert dydx.fillable_price(long, 0, **TERMS) == Fraction((50_000 - spread_dollars) * DOLLAR, BTC)
    assert dydx.fillable_price(short, 0, **TERMS) == Fraction((50_000 + spread_dollars) * DOLLAR, BTC)


def test_a_larger_adjustment_reaches_the_whole_spread_earlier() -> None:
    held = account(-47_500 * DOLLAR, btc(BTC))
    price = dydx.fillable_price(held, 0, bankruptcy_adjustment=Fraction(2), spread_to_maintenance=TENTH)
    assert price == Fraction(49_500 * DOLLAR, BTC)


@pytest.mark.parametrize(
    ("position", "spread", "reason"),
    [
        (btc(0), TENTH, "no position"),
        (dydx.Position(1, Fraction(1, 2), FIFTH, HALF), TENTH, "no maintenance requirement"),
        (dydx.Position(10, MARK, Fraction(1), Fraction(1)), Fraction(2), "below zero"),
    ],
)
def test_no_fillable_price_says_why(position: dydx.Position, spread: Fraction, reason: str) -> None:
    with pytest.raises(VenueRefusal, match=reason):
        dydx.fillable_price(
            account(-(10**9), position), 0, bankruptcy_adjustment=Fraction(1), spread_to_maintenance=spread
        )


@given(SIZES, st.integers(0, 10**14), st.integers(0, PPM), st.integers(1, 10**6))
def test_block_limits_are_ordered_and_the_size_keeps_them(size: int, least: int, portion: int, step: int) -> None:
    position = btc(size)
    limits = dydx.position_block_limits(position, min_notional=least, max_portion_ppm=portion)
    notional = abs(dydx.net_notional(position))
    assert 0 <= limits.least <= limits.most <= notional
    assert limits.least in (least, notional) and limits.most in (limits.least, notional * portion // PPM)
    delta = dydx.liquidatable_delta(position, max_notional=limits.most, step=step)
    assert dydx.liquidatable_delta(btc(-size), max_notional=limits.most, step=step) == -delta
    assert delta * size < 0 and abs(delta) <= abs(size)
    assert abs(delta) in (abs(size), step) or (abs(delta) % step == 0 and abs(delta) * MARK <= limits.most)


@given(st.integers(-(10**11), 10**11), st.integers(-(10**11), 10**11), st.integers(1, 10**9), st.integers(1, 10**9))
def test_deleveraging_moves_quote_and_base_from_one_to_the_other(a: int, b: int, size: int, other: int) -> None:
    liquidated, offsetting = account(a, btc(-size)), account(b, btc(other))
    try:
        done = dydx.deleverage(liquidated, offsetting, min(size, other))
    except VenueRefusal:
        return
    before = [sum(dydx.assess_account(x).net for x in (liquidated, offsetting))]
    assert [sum(dydx.assess_account(x).net for x in (done.liquidated, done.offsetting))] == before
    assert done.liquidated.quote + done.offsetting.quote == a + b
    left = [sum(p.quantums for p in x.positions) for x in (done.liquidated, done.offsetting)]
    assert left == [min(size, other) - size, other - min(size, other)]


@pytest.mark.parametrize(
    ("liquidated", "offsetting", "after"),
    [
        # One BTC each at $50,000; the liquidated account ends with nothing, the other takes what it had.
        ((54_999, -BTC), (50_000, BTC), 104_999),
        ((-45_001, BTC), (150_000, -BTC), 104_999),
        ((49_999, -BTC), (-49_999, BTC), 0),
        ((-50_001, BTC), (50_001, -BTC), 0),
        ((49_999, -BTC), (-50_000, BTC), None),
        ((-50_001, BTC), (50_000, -BTC), None),
    ],
)
def test_deleveraging_at_the_bankruptcy_price_mirrored(
    liquidated: tuple[int, int], offsetting: tuple[int, int], after: int | None
) -> None:
    accounts = [account(usdc * DOLLAR, btc(size)) for usdc, size in (liquidated, offsetting)]
    if after is None:
        with pytest.raises(VenueRefusal, match="offsetting account would end riskier"):
            dydx.deleverage(accounts[0], accounts[1], -liquidated[1])
        return
    done = dydx.deleverage(accounts[0], accounts[1], -liquidated[1])
    assert done.offsetting == account(after * DOLLAR) and done.liquidated == account(0)


def test_two_on_one_side_cannot_close_each_other() -> None:
    # One that holds the same side, one that holds less than is closed.
    for size in (BTC, -BTC // 4):
        with pytest.raises(VenueRefusal, match=f"not valid for a position of {size}"):
            dydx.deleverage(account(-60_000 * DOLLAR, btc(BTC)), account(10**12, btc(size)), -BTC // 2)


def test_final_settlement_closes_at_the_oracle_price() -> None:
    done = dydx.deleverage(
        account(60_000 * DOLLAR, btc(-BTC)), account(-40_000 * DOLLAR, btc(BTC)), BTC // 2, at_oracle=True
    )
    assert (done.quote_delta, done.liquidated.quote) == (-25_000 * DOLLAR, 35_000 * DOLLAR)


@pytest.mark.parametrize(
    ("old", "new", "allowed"),
    [
        ((5, 20, 10), (20, 20, 10), True),
        ((5, 20, 10), (6, 30, 11), False),
        ((5, 20, 10), (4, 10, 8), True),
        ((5, 20, 10), (4, 18, 9), False),
        ((-5, 20, 10), (-4, 18, 8), True),
        ((-5, 20, 10), (-5, 18, 8), False),
        ((-5, 0, 0), (-4, 0, 0), True),
        ((-5, 0, 0), (-5, 0, 0), False),
        ((-5, 20, 10), (-1, 0, 0), False),
        ((-5, 20, 10), (0, 0, 0), True),
    ],
)
def test_where_an_account_may_move(old: tuple[int, int, int], new: tuple[int, int, int], allowed: bool) -> None:
    assert dydx.may_move(dydx.Risk(*old), dydx.Risk(*new)) is allowed
