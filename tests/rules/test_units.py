"""
Rules UN: rounding, and the bound that keeps every later sum inside 64 bits.
"""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.small import BTC, PERP, USD, make_account, make_sheet, value
from tocsin.accounts.plain import PlainStore
from tocsin.accounts.store import RowKind, Rows
from tocsin.core import limits
from tocsin.core.errors import Reason
from tocsin.core.integers import PPM, ceil_div, floor_div, trunc_div
from tocsin.margin.deadline import compute_variance, t_star_minutes
from tocsin.margin.requirement import INITIAL, LIQUIDATION, SCALE, compute_exit, compute_requirement, sum_requirement
from tocsin.margin.state import AccountState
from tocsin.margin.valuation import Valuation, compute_equity, value_balances
from tocsin.sheet import terms as t
from tocsin.sheet.marks import Grade, Mark, Marks
from tocsin.sheet.validate import validate_sheet

INT64 = 2**63 - 1
N, C = limits.NOTIONAL_MAX, limits.CASH_MAX


@given(st.integers(), st.integers(1))
def test_un_002_divisions_are_what_they_are_called(a: int, b: int) -> None:
    """UN-002"""
    exact = Fraction(a, b)
    assert floor_div(a, b) == exact.__floor__()
    assert ceil_div(a, b) == exact.__ceil__()
    assert trunc_div(a, b) == exact.__trunc__()


@pytest.mark.parametrize("side", [1, -1])
def test_un_001_units_of_a_position(side: int) -> None:
    """UN-001: lots x units per lot is units; the account is valued in valuation units at a price in millionths."""
    account = make_account(1_000, perp=side * 3)
    assert compute_equity(account, value(perp=100_000 + side * 7, usd=500_000)) == (1_000 + 3 * 7) // 2


@pytest.mark.parametrize("side", [1, -1])
def test_un_003_sums_are_rounded_once_against_the_account(side: int) -> None:
    """UN-003"""
    sheet = make_sheet(perp={"charge_long": 0, "charge_short": 0})
    at = value(sheet, perp=100_001, alt=100_001)
    account = make_account(perp=side, alt=side)
    # 100,001 x (5 % + 10 %) = 15,000.15: once, up. Each leg alone would give 5,001 + 10,001.
    assert compute_requirement(account, at, LIQUIDATION) == 15_001
    # 3 x 0.9 x 2 = 5.4 and -1 x 1.1 = -1.1: 4.3, once, down.
    assert compute_equity(make_account(-1, 3), value()) == 4
    assert compute_equity(make_account(-1, -3), value()) == -8  # -1.1 - 6


def extreme_sheet(**changes: object) -> t.RiskSheet:
    """Everything at its published maximum: 64 contracts, rates and charges at 200 % of notional, premium 100 %."""
    position_cap = 2**20
    usd = t.AssetTerms(USD, "USD", 0, 1_000_000, (t.HaircutTier(0, 0),), premium_ppm=limits.PREMIUM_PPM_MAX)
    contracts = tuple(
        t.ContractTerms(
            i, f"C{i}", t.Kind.LINEAR, USD, 1, N // position_cap, position_cap, (t.Tier(0, PPM),),
        )
        for i in range(2 * limits.POSITIONS_MAX)
    )  # fmt: skip
    return t.RiskSheet(
        "extreme", t.Preset.EXCHANGE, (usd,), contracts, t.LevelFactors(2 * PPM, 2 * PPM, 2 * PPM, 2 * PPM),
        t.LevelFactors(0, 0, 0, 0), (PPM, PPM, PPM, PPM),
    )  # fmt: skip


def test_un_010_the_extreme_sheet_is_the_last_that_is_published() -> None:
    """UN-010"""
    from msgspec.structs import replace

    from tocsin.core.errors import SheetError

    sheet = validate_sheet(extreme_sheet())
    more = replace(sheet.contracts[0], stale_half_band_ppm=1)
    with pytest.raises(SheetError, match="at most 2000000 ppm of the notional, was 2000001"):
        validate_sheet(replace(sheet, contracts=(more,)))
    with pytest.raises(SheetError, match="premium_ppm must be between 0 and 1000000, was 1000001"):
        validate_sheet(replace(sheet, assets=(replace(sheet.assets[0], premium_ppm=PPM + 1),)))
    with pytest.raises(SheetError, match="at most 2251799813685248 units"):
        validate_sheet(replace(sheet, contracts=(replace(sheet.contracts[0], position_cap=2**20 + 1),)))


@pytest.mark.parametrize("side", [1, -1])
def test_un_011_to_un_013_the_worst_account_fits(side: int) -> None:
    """UN-011, UN-012, UN-013: the largest balances and requirements that admission allows stay inside int64."""
    sheet = extreme_sheet()
    cap, mark_cap = sheet.contracts[0].position_cap, sheet.contracts[0].mark_cap
    # Funding at the other end of its cap; each lot was entered at the worst w = -(v - F) of 2 mark caps.
    marks = {i: Mark(mark_cap, side * mark_cap, Grade.FRESH, 0) for i in range(128)}
    at = Valuation(sheet, Marks(marks, {USD: 1_000_000}))
    lots = dict.fromkeys(range(64), (-side * cap, 2 * cap * mark_cap))
    account = AccountState(1, 1, cash={USD: -C - 2**59}, positions=lots)
    assert -2 * (C + 2**60) <= compute_equity(account, at) < 0
    assert abs(compute_equity(account, at)) <= INT64
    for i in range(64):
        account.holds[i] = (2 * cap, 2 * cap)
    assert compute_requirement(account, at, INITIAL) == 64 * 3 * 2 * N
    widest = make_account()
    widest.positions = lots
    widest.holds = dict.fromkeys(range(64), (2 * cap, 0) if -side > 0 else (0, 2 * cap))
    trial = widest.copy()
    trial.holds = {**widest.holds, **dict.fromkeys(range(64, 128), (2 * cap, 0))}
    worst = compute_exit(trial, at, INITIAL)
    assert worst == 2 * (64 * 3 + 64 * 2) * 2 * N <= INT64
    assert compute_exit(account, at, LIQUIDATION) - compute_equity(account, at) <= INT64


def apply(store: PlainStore, kind: RowKind, account: int, key: int, *columns: int) -> Reason:
    rows = Rows()
    rows.add(kind, account, key, *columns)
    return store.apply(rows).reason[0]


@pytest.mark.parametrize("side", [1, -1])
def test_un_010_cash_is_bounded_over_all_assets(side: int) -> None:
    """UN-010: at the price caps 1 and 4; a fill that opens or flips is refused beyond, one that reduces is not."""
    store = PlainStore(value())
    apply(store, RowKind.OPEN, 1, 0, 1, 0)
    assert apply(store, RowKind.CASH, 1, BTC, 2**55) is Reason.OK  # 2^57 at its cap
    assert apply(store, RowKind.CASH, 1, USD, 2**57 + 1) is Reason.ADMISSION_BOUND
    assert apply(store, RowKind.CASH, 1, USD, 2**57) is Reason.OK
    assert apply(store, RowKind.TRADE, 1, PERP, side * 10, side * 1_000_000) is Reason.OK
    # A gain would leave cash beyond the bound: as a flip it is not admitted, as a reduction it is.
    assert apply(store, RowKind.TRADE, 1, PERP, -side * 11, -side * 1_100_000 - 11) is Reason.ADMISSION_BOUND
    assert apply(store, RowKind.TRADE, 1, PERP, -side * 10, -side * 1_000_000 - 10) is Reason.OK
    assert store.read(1).cash[USD] == 2**57 + 10
    assert apply(store, RowKind.TRADE, 1, PERP, side, side * 100_000) is Reason.ADMISSION_BOUND


@pytest.mark.parametrize("side", [1, -1])
def test_un_010_a_reduction_is_always_booked(side: int) -> None:
    """UN-010"""
    store = PlainStore(value())
    apply(store, RowKind.OPEN, 1, 0, 1, 0)
    apply(store, RowKind.CASH, 1, USD, C)
    assert apply(store, RowKind.TRADE, 1, PERP, side * 2, side * 200_000) is Reason.OK
    # The lot is sold 5 higher, or bought back 5 lower.
    assert apply(store, RowKind.TRADE, 1, PERP, -side, -side * 100_000 - 5) is Reason.OK
    assert store.read(1).cash[USD] == C + 5
    assert apply(store, RowKind.CASH, 1, USD, 1) is Reason.ADMISSION_BOUND


@pytest.mark.parametrize("side", [1, -1])
def test_un_010_holds_reported_by_fills_are_cut(side: int) -> None:
    """UN-010, AC-010: to two position caps; a 65th contract's hold is not kept."""
    store = PlainStore(value())
    apply(store, RowKind.OPEN, 1, 0, 1, 0)
    assert apply(store, RowKind.TRADE, 1, PERP, side, side * 100_000, 2_001, 1_999) is Reason.OK
    assert store.read(1).holds == {PERP: (2_000, 1_999)}


class Digits:
    """A whole part and three digits of base 10^6; every intermediate value is checked against int64."""

    def __init__(self, whole: int) -> None:
        self.parts = [whole, 0, 0, 0]

    def times(self, rate: int) -> "Digits":
        """Multiply by rate / 10^6, exactly, as long as the last digit has room."""
        out = Digits(0)
        carried = [0, 0, 0, 0, 0]
        for i, part in enumerate(self.parts):
            high, low = divmod(part, PPM)
            assert abs(high * rate) <= INT64 and abs(low * rate) <= 2**60
            carried[i] += high * rate
            carried[i + 1] += low * rate
            assert abs(carried[i]) <= INT64 and abs(carried[i + 1]) <= INT64
        assert carried[4] == 0, "three multiplications fill three digits"
        for i in (3, 2, 1):
            carried[i - 1] += carried[i] // PPM
            carried[i] %= PPM
        out.parts = carried[:4]
        return out

    def total(self) -> int:
        return sum(part * PPM ** (3 - i) for i, part in enumerate(self.parts))


@given(st.integers(0, N), st.integers(0, PPM), st.integers(0, 2 * PPM), st.integers(1, PPM))
def test_un_014_products_in_digits(notional: int, rate: int, factor: int, price: int) -> None:
    """UN-014: a leg's requirement by digits of 64-bit words equals the exact one."""
    leg = Digits(notional).times(rate).times(factor).times(price)
    assert leg.total() == notional * rate * factor * price


def test_un_014_the_scale_is_three_digits() -> None:
    """UN-014"""
    account, at = make_account(perp=7), value(perp=123_457)
    leg = Digits(7 * 123_457).times(50_000).times(1_000_000).times(1_000_000)
    assert leg.total() * 256 == sum_requirement(account, at, LIQUIDATION)
    assert SCALE == 256 * PPM**3
    assert value_balances({USD: 5}, at) == 5 * PPM * limits.PRICE_SCALE


@pytest.mark.parametrize("side", [1, -1])
def test_un_015_variance_and_t_star_are_big_integers(side: int) -> None:
    """UN-015"""
    sheet = make_sheet(perp={"own_loading": limits.MARK_MAX, "loadings": (limits.MARK_MAX,)})
    account = make_account(perp=side * 1_000)
    assert compute_variance(account, value(sheet)) == 2 * (1_000 * 2**44) ** 2 > INT64
    assert t_star_minutes(2**60, 0, 2**112, 100) == 256
