"""
Drift v2's fixed point: each size and fee against the exact formula, and where everything or nothing is answered.
"""

from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.venues import VenueRefusal, drift

MONEY = st.integers(1, 10**12)
PRICES = st.integers(10**4, 10**12)
WEIGHTS = st.integers(0, 20_000)


@given(st.integers(0, 10**21), st.integers(1, 10**6), WEIGHTS)
def test_weights_of_a_size_follow_the_root_within_a_unit(size: int, imf: int, weight: int) -> None:
    root = Fraction(drift.isqrt(10 * size + 1), 10**5)
    grown = Fraction(imf, 10**6) * root * 10**4
    # The engine cuts a fifth of the weight and the growth apart: less than one unit of either.
    liability = drift.premium_liability_weight(size, imf, weight, bounded=False)
    assert abs(liability - (Fraction(4, 5) * weight + grown)) <= 1
    assert drift.premium_liability_weight(size, imf, weight) == max(weight, liability)
    exact = Fraction(11, 10) * 10**4 / (1 + Fraction(imf, 10**6) * root)
    asset = drift.discount_asset_weight(size, imf, 10**6)
    assert abs(asset - exact) <= 1
    assert drift.discount_asset_weight(size, imf, weight) == min(weight, asset)


@given(st.integers(0, 10**20), st.integers(0, 10**20), st.integers(0, 10**5), WEIGHTS)
def test_a_larger_size_never_weighs_better(small: int, more: int, imf: int, weight: int) -> None:
    sizes = (small, small + more)
    assert drift.discount_asset_weight(sizes[1], imf, weight) <= drift.discount_asset_weight(sizes[0], imf, weight)
    grown = [drift.premium_liability_weight(size, imf, weight) for size in sizes]
    assert weight <= grown[0] <= grown[1]


def test_no_imf_factor_leaves_weights_alone() -> None:
    assert drift.discount_asset_weight(10**18, 0, 9_000) == 9_000
    assert drift.premium_liability_weight(10**18, 0, 11_000, bounded=False) == 11_000


@pytest.mark.parametrize(
    ("value", "start", "weight"),
    [(0, 500, 9_000), (499, 500, 9_000), (500, 500, 9_000), (501, 500, 8_982), (1_500, 500, 3_000), (10**9, 0, 9_000)],
)
def test_deposits_beyond_the_start_count_for_no_more_than_it(value: int, start: int, weight: int) -> None:
    assert drift.deposit_scaled_weight(value, start, 9_000) == weight


@given(
    st.integers(0, 10**12), st.integers(1, 10_000), st.integers(0, 10**5), st.integers(0, 10**4), PRICES,
    st.integers(900_000, 1_100_000),
)  # fmt: skip
def test_the_base_size_frees_the_shortage(
    shortage: int, ratio: int, fee: int, insurance: int, price: int, quote: int
) -> None:
    def compute() -> int:
        return drift.base_to_cover_shortage(
            shortage, ratio=ratio, liquidator_fee=fee, insurance_fee=insurance, price=price, quote_price=quote
        )

    # All in 10^-6 of a dollar per unit of base.
    freed = floor(Fraction(price * quote // 10**6 * (ratio * 100 - fee), 10**6)) - price * insurance // 10**6
    if ratio * 100 <= fee:
        assert compute() == 2**64 - 1
    elif freed <= 0 or shortage * 10**9 // freed > 2**64 - 1:
        with pytest.raises(VenueRefusal):
            compute()
    else:
        assert freed * compute() <= shortage * 10**9 < freed * (compute() + 1)


def test_no_price_closes_everything() -> None:
    assert drift.base_to_cover_shortage(1, ratio=1_000, liquidator_fee=0, insurance_fee=0, price=0) == 2**64 - 1


TRANSFER = {
    "asset_weight": 8_000,
    "asset_multiplier": 10**6,
    "liability_weight": 12_000,
    "liability_multiplier": 10**6,
    "liability_decimals": 6,
    "liability_price": 10**6,
    "insurance_fee": 0,
}


@pytest.mark.parametrize(
    ("change", "size"),
    [
        # A dollar of borrow repaid frees 1.2 - 0.8 of margin: 25 for a shortage of 10.
        ({}, 25_000_000),
        ({"liability_decimals": 9}, 25_000_000_000),
        ({"liability_decimals": 4}, 250_000),
        ({"liability_price": 2 * 10**6}, 12_500_000),
        # 1 % of 1.2 to the fund: 10 / 0.388, cut.
        ({"insurance_fee": 10_000}, 25_773_195),
        ({"asset_weight": 12_000}, 2**128 - 1),
        ({"asset_weight": 13_000}, 2**128 - 1),
        # A liquidator paid 50 % makes repaying free no margin.
        ({"asset_multiplier": 1_500_000}, 2**128 - 1),
        ({"liability_decimals": 0, "liability_price": 10**12}, 1),
    ],
)
def test_the_borrow_to_repay(change: dict[str, int], size: int) -> None:
    assert drift.liability_to_cover_shortage(10_000_000, **{**TRANSFER, **change}) == size


@pytest.mark.parametrize("change", [{"insurance_fee": 400_000}, {"liability_price": 0}, {"liability_multiplier": 0}])
def test_what_frees_no_margin_is_refused(change: dict[str, int]) -> None:
    with pytest.raises(VenueRefusal, match="must be above 0"):
        drift.liability_to_cover_shortage(10_000_000, **{**TRANSFER, **change})


@given(MONEY, st.integers(1, 10**12), st.integers(0, 10_000), st.integers(0, 10**5), PRICES, st.integers(0, 10**5))
def test_the_insurance_fee_leaves_the_account_solvent(
    shortage: int, base: int, ratio: int, fee: int, price: int, most: int
) -> None:
    got = drift.perp_insurance_fee(shortage, base=base, ratio=ratio, liquidator_fee=fee, price=price, max_fee=most)
    assert 0 <= got <= most
    exact = Fraction(ratio * 100 - fee) - Fraction(shortage * 10**15, base * price)
    # The shortage per unit of base is rounded down before it is divided by the price, and the quotient again.
    rounding = 1 + Fraction(10**6, price)
    assert got <= max(0, Fraction(19, 20) * (exact + rounding))
    if 0 < got < most:
        assert got >= Fraction(19, 20) * exact - 1


@pytest.mark.parametrize("change", [{"base": 0}, {"price": 0}, {"ratio": 100}, {"quote_price": 0}])
def test_nothing_to_charge_is_no_fee(change: dict[str, int]) -> None:
    terms = {"base": 10**9, "ratio": 500, "liquidator_fee": 10_000, "price": 10**8, "max_fee": 50_000, **change}
    assert drift.perp_insurance_fee(0, **terms) == 0


@pytest.mark.parametrize(
    ("slots", "fee"),
    [(0, 20_000), (1_499, 20_000), (1_500, 21_500), (10_000, 30_000), (30_000, 50_000), (10**9, 50_000)],
)
def test_the_liquidators_fee_grows_by_all_slots_once_the_grace_is_over(slots: int, fee: int) -> None:
    assert drift.liquidation_fee(20_000, 50_000, slots) == fee


def test_the_cap_does_not_bind_within_the_grace() -> None:
    assert (drift.liquidation_fee(60_000, 50_000, 1_499), drift.liquidation_fee(60_000, 50_000, 1_500)) == (
        60_000,
        50_000,
    )


@given(MONEY, st.integers(0, 10**15), st.integers(0, 10**15))
def test_the_funding_index_collects_the_loss_and_less_than_a_unit_per_base_more(
    loss: int, long: int, short: int
) -> None:
    if not long + short:
        with pytest.raises(VenueRefusal, match="no open base"):
            drift.socialised_funding_delta(loss, long, short)
        return
    delta = drift.socialised_funding_delta(loss, long, -short)
    assert delta == drift.socialised_funding_delta(-loss, short, long)
    assert delta == ceil(Fraction(loss * 10**9, long + short)) * 1_000
    collected = Fraction(delta * (long + short), 10**12)
    assert loss <= collected < loss + Fraction(long + short, 10**9)
