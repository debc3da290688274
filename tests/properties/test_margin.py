"""
Margin functions on random sheets, marks and accounts: against fractions, and the laws DESIGN 2.3 promises.
"""

from fractions import Fraction
from itertools import pairwise
from math import floor

import msgspec
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tests.helpers import exact
from tests.helpers.mirror import mirror_account, mirror_sheet
from tests.helpers.strategies import A, B, worlds
from tests.helpers.worlds import BTC, LINEAR, USDT, small_sheet
from tocsin.accounts.booking import book_fill
from tocsin.core.limits import CASH_MAX
from tocsin.margin.cure import compute_shortfall, cure_quantity
from tocsin.margin.deadline import compute_deadline, compute_variance, t_star_minutes
from tocsin.margin.levels import assess, compute_level
from tocsin.margin.prices import bankruptcy_price, bankruptcy_value, concession_limit, liquidation_price
from tocsin.margin.requirement import MARGIN_CALL, compute_exit, compute_requirement, sum_requirement
from tocsin.margin.state import AccountState, Level
from tocsin.margin.valuation import Valuation, compute_equity, compute_raw_equity, value_balance
from tocsin.sheet import terms as t
from tocsin.sheet.marks import Grade, Mark, Marks
from tocsin.sheet.validate import validate_sheet

ASSETS = st.sampled_from((A, B))


def with_lots(account, lots):
    """Return the account with other lots, its entry sums as they are."""
    out = account.copy()
    out.positions = {c: (q, account.positions.get(c, (0, 0))[1]) for c, q in lots.items() if q}
    return out


# Against fractions


@given(worlds())
def test_equity_is_the_exact_sum_rounded_down_once(world):
    sheet, marks, account = world
    valuation = Valuation(sheet, marks)
    assert compute_equity(account, valuation) == exact.equity(account, sheet, marks)
    assert compute_raw_equity(account, valuation) == exact.equity(account, sheet, marks, haircuts=False)


@given(worlds(), st.integers(0, 3))
def test_requirement_and_exit_are_the_exact_sums_rounded_up_once(world, level):
    sheet, marks, account = world
    valuation = Valuation(sheet, marks)
    assert compute_requirement(account, valuation, level) == exact.need(account, sheet, marks, level)
    assert compute_exit(account, valuation, level) == exact.leave(account, sheet, marks, level)


@st.composite
def edges(draw):
    """A world whose account has equity at, just below or just above a requirement or an exit."""
    sheet, marks, account = draw(worlds(priced=True, rich=True))
    at = draw(st.sampled_from((exact.need_exact, exact.leave)))
    want = at(account, sheet, marks, draw(st.integers(0, 3))) + draw(st.sampled_from((-2, -1, 0, 1, 10**6)))
    price = Fraction(marks.prices[A], 10**6)
    account.cash[A] = account.cash.get(A, 0) + floor((want - exact.equity_exact(account, sheet, marks)) / price)
    return sheet, marks, account


@given(st.one_of(worlds(), edges()))
def test_the_short_way_to_a_level_is_the_long_one(world):
    """LV-006: `compute_level` looks no further down than it must and finds what `assess` and the definition say."""
    sheet, marks, account = world
    valuation = Valuation(sheet, marks)
    for was in Level:
        account.level = was
        level = compute_level(account, valuation)
        assert level == assess(account, valuation).level == exact.level(account, sheet, marks, was)


def test_a_lower_level_may_hold_an_account_that_has_left_a_higher_one():
    """Each level has its own hysteresis: with a wide one below, the lower level is left last."""
    sheet = small_sheet(tiered=t.LevelFactors(*(1_000_000,) * 4), charge=t.LevelFactors(0, 0, 0, 0))
    marks = Marks({LINEAR: Mark(10**8, 0, Grade.FRESH, 0)}, {USDT: 10**6})
    account = AccountState(1, 1, cash={USDT: 2_100_000}, positions={LINEAR: (1, 10**8)})
    for i in range(4):
        wide = msgspec.structs.replace(sheet, hysteresis_ppm=tuple(100_000 * (k == i) for k in range(4)))
        for was in Level:
            account.level = was
            held = Level(i + 1) if was > i else Level.CALM
            assert compute_level(account, Valuation(wide, marks)) == held


@given(st.one_of(worlds(), edges()))
def test_a_level_found_is_found_again(world):
    sheet, marks, account = world
    valuation = Valuation(sheet, marks)
    account.level = compute_level(account, valuation)
    assert compute_level(account, valuation) == account.level


@given(worlds())
def test_long_and_short_are_mirror_images(world):
    sheet, marks, account = world
    mirrored = Marks(
        {c: Mark(-m.mark, -m.funding, m.grade, m.time_ns) for c, m in marks.contracts.items()}, marks.prices
    )
    ours, theirs = Valuation(sheet, marks), Valuation(mirror_sheet(sheet), mirrored)
    assert assess(account, ours) == assess(mirror_account(account), theirs)
    assert compute_deadline(account, ours) == compute_deadline(mirror_account(account), theirs)
    for contract in account.positions:
        a = liquidation_price(account, ours, contract)
        b = liquidation_price(mirror_account(account), theirs, contract)
        assert a.reason == b.reason
        assert (a.mark is None) == (b.mark is None)
        assert a.mark is None or a.mark == -b.mark
    for asset in (A, B):
        assert cure_quantity(account, ours, asset) == cure_quantity(mirror_account(account), theirs, asset)


# Levels


@given(worlds())
def test_a_lower_level_never_breaches_before_a_higher_one(world):
    sheet, marks, account = world
    valuation = Valuation(sheet, marks)
    needs = [compute_requirement(account, valuation, level) for level in range(4)]
    assert needs == sorted(needs, reverse=True)
    assert compute_equity(account, valuation) <= compute_raw_equity(account, valuation)
    account.level = Level.CALM
    level = compute_level(account, valuation)
    equity = compute_equity(account, valuation)
    assert [equity < need for need in needs] == [level > i for i in range(4)] or level == Level.BANKRUPTCY


@given(worlds(), ASSETS, st.integers(1, 10**12), st.integers(1, 10**12))
def test_adding_collateral_never_worsens(world, asset, first, second):
    sheet, marks, account = world
    valuation = Valuation(sheet, marks)
    more = account.copy()
    more.cash[asset] = more.cash.get(asset, 0) + first
    assert compute_equity(more, valuation) >= compute_equity(account, valuation)
    assert compute_raw_equity(more, valuation) >= compute_raw_equity(account, valuation)
    assert sum_requirement(more, valuation, 0) == sum_requirement(account, valuation, 0)
    assert compute_level(more, valuation) <= compute_level(account, valuation)
    # And the second deposit is worth no more per unit than the first: equity is concave in cash.
    most = more.copy()
    most.cash[asset] += second
    a, b, c = (exact.equity_exact(x, sheet, marks) for x in (account, more, most))
    assert (b - a) * second >= (c - b) * first


@given(worlds(), st.data())
def test_equity_is_concave_along_cash_in_several_assets(world, data):
    sheet, marks, account = world
    valuation = Valuation(sheet, marks)
    other, middle = account.copy(), account.copy()
    for asset in (A, B):
        other.cash[asset] = account.cash.get(asset, 0) + 2 * data.draw(st.integers(-(10**11), 10**11))
        middle.cash[asset] = (account.cash.get(asset, 0) + other.cash[asset]) // 2
        other.cash[asset] = 2 * middle.cash[asset] - account.cash.get(asset, 0)
    # One rounding each: the middle loses less than a unit, so twice the middle less than two.
    ends = compute_equity(account, valuation) + compute_equity(other, valuation)
    assert 2 * compute_equity(middle, valuation) >= ends - 1


@given(worlds(holds=False), st.data(), st.integers(0, 3))
def test_requirement_is_convex_in_lots(world, data, level):
    sheet, marks, account = world
    valuation = Valuation(sheet, marks)
    half = [{c.id: st.integers(-c.position_cap // 2, c.position_cap // 2) for c in sheet.contracts}] * 2
    ends = [{c: 2 * data.draw(lots) for c, lots in end.items()} for end in half]
    middle = {c: (ends[0][c] + ends[1][c]) // 2 for c in ends[0]}
    a, b, m = (sum_requirement(with_lots(account, lots), valuation, level) for lots in (*ends, middle))
    assert 2 * m <= a + b
    rounded = [compute_requirement(with_lots(account, lots), valuation, level) for lots in (*ends, middle)]
    assert 2 * rounded[2] <= rounded[0] + rounded[1] + 1


@given(worlds(holds=False), st.data(), st.integers(0, 3))
def test_requirement_falls_along_any_way_to_zero(world, data, level):
    """Along any lot vector v the requirement at k v does not rise as k falls to 0."""
    sheet, marks, account = world
    valuation = Valuation(sheet, marks)
    step = {c.id: data.draw(st.integers(-c.position_cap // 64, c.position_cap // 64)) for c in sheet.contracts}
    ks = sorted(data.draw(st.lists(st.integers(0, 64), min_size=2, max_size=6)))
    needs = [sum_requirement(with_lots(account, {c: k * q for c, q in step.items()}), valuation, level) for k in ks]
    assert needs == sorted(needs)


@given(worlds(), st.data())
def test_no_partial_fill_of_an_order_is_worse_than_its_hold(world, data):
    """RQ-007: `initial` at the worst of none, all bids, all asks covers every partial fill of both sides."""
    sheet, marks, account = world
    assume(account.holds)
    valuation = Valuation(sheet, marks)
    filled = account.copy()
    filled.holds = {}
    for contract, (bid, ask) in account.holds.items():
        lots, entry = account.positions.get(contract, (0, 0))
        after = lots + data.draw(st.integers(0, bid)) - data.draw(st.integers(0, ask))
        if after:
            filled.positions[contract] = (after, entry)
        else:
            filled.positions.pop(contract, None)
    assert sum_requirement(filled, valuation, 0) <= sum_requirement(account, valuation, 0)


# 64 bits


def extreme_sheet(mark_cap, position_cap, combine):
    """Return a sheet at the bounds of publication: 128 contracts with a requirement of 200 % of N, premium 100 %."""
    contracts = tuple(
        t.ContractTerms(
            c,
            f"C{c}",
            t.Kind.LINEAR,
            1 + c % 2,
            1,
            mark_cap,
            position_cap,
            (t.Tier(0, 500_000),),
            charge_long=mark_cap,
            charge_short=mark_cap,
            combine=combine,
            stale_half_band_ppm=500_000,
        )
        for c in range(128)
    )
    assets = tuple(
        t.AssetTerms(a, f"A{a}", 6, 1_000_000, (t.HaircutTier(0, 0),), premium_ppm=1_000_000) for a in range(16)
    )
    return validate_sheet(
        t.RiskSheet(
            "extreme",
            t.Preset.EXCHANGE,
            assets,
            contracts,
            t.LevelFactors(*(1_000_000,) * 4),
            t.LevelFactors(*(1_000_000,) * 4),
            (1_000_000,) * 4,
        )
    )


@pytest.mark.parametrize("caps", [(2**44, 2**7), (2**30, 2**21), (2**20, 2**31 - 1)])
@pytest.mark.parametrize("combine", list(t.Combine))
@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("gains", [True, False])
def test_every_partial_sum_fits_64_bits_at_the_bounds(caps, combine, side, gains):
    """
    UN-011 to UN-013: at the largest marks, funding, entry sums, cash and holds every sum, partial or whole, of equity
    and requirement in valuation units stays inside int64.
    """
    mark_cap, position_cap = caps
    sheet = extreme_sheet(mark_cap, position_cap, combine)
    funding = -side * mark_cap if gains else mark_cap
    marks = Marks(
        {c.id: Mark(mark_cap, funding, Grade.STALE, 0) for c in sheet.contracts},
        {a.id: a.price_cap for a in sheet.assets},
    )
    account = AccountState(1, 1)
    for c in range(64):
        entry = 2 * position_cap * mark_cap
        account.positions[c] = (side * position_cap, -entry if gains else entry)
        account.holds[c if c % 2 else 64 + c] = (2 * position_cap, 2 * position_cap)
    cash = CASH_MAX + 64 * 4 * position_cap * mark_cap
    account.cash = {1: cash if gains else -cash}
    balances = exact.balances(account, sheet, marks)
    assert sum(abs(b) for b in balances.values()) <= CASH_MAX + 2**60
    total = 0
    for balance in balances.values():
        total += value_balance(sheet.assets[1], 10**6, 10**6, balance) // 10**12
        assert abs(balance) < 2**63
        assert abs(total) < 2**63
    valuation = Valuation(sheet, marks)
    for level in range(4):
        partial = 0
        for contract in sorted({*account.positions, *account.holds}):
            lots = account.positions.get(contract, (0, 0))[0]
            bid, ask = account.holds.get(contract, (0, 0)) if level == 0 else (0, 0)
            sizes = (lots, lots + bid, lots - ask)
            partial += max(exact.contract_need(sheet, marks, contract, q, level) for q in sizes)
            partial += max(exact.contract_addon(sheet, marks, contract, q, level) for q in sizes)
            assert 2 * partial < 2**63
        leave = compute_exit(account, valuation, level)
        assert partial <= leave <= 2 * partial + 1
        if level:
            assert abs(compute_equity(account, valuation)) + leave < 2**63


# Prices


@given(
    worlds(), st.sampled_from((Level.INITIAL, Level.MARGIN_CALL, Level.LIQUIDATION, Level.TAKEOVER, Level.BANKRUPTCY))
)
def test_one_mark_before_the_liquidation_price_the_account_stands_at_it_it_falls(world, level):
    sheet, marks, account = world
    valuation = Valuation(sheet, marks)
    account.level = Level.CALM

    def falls(contract, mark):
        moved = dict(marks.contracts)
        moved[contract] = msgspec.structs.replace(moved[contract], mark=mark)
        there = Marks(moved, marks.prices)
        if level == Level.BANKRUPTCY:
            return exact.equity(account, sheet, there, haircuts=False) < 0
        return exact.equity(account, sheet, there) < exact.need(account, sheet, there, level - 1)

    for contract, (lots, _) in account.positions.items():
        answer = liquidation_price(account, valuation, contract, level)
        if level == Level.BANKRUPTCY:
            assert answer == bankruptcy_price(account, valuation, contract)
        now = marks.contracts[contract].mark
        if answer.mark is not None:
            toward = -1 if lots > 0 else 1
            assert (answer.mark - now) * toward > 0
            assert falls(contract, answer.mark)
            assert not falls(contract, answer.mark - toward)
        elif answer.reason == "already below":
            assert falls(contract, now)
        else:
            cap = valuation.lines[contract].terms.mark_cap
            ends = (1, cap) if now > 0 else (-cap, -1)
            assert answer.reason == "never"
            assert not falls(contract, ends[0] if lots > 0 else ends[1])


@given(worlds(holds=False, fresh=True))
def test_liquidation_comes_before_bankruptcy(world):
    sheet, marks, account = world
    valuation = Valuation(sheet, marks)
    for contract, (lots, _) in account.positions.items():
        at = [liquidation_price(account, valuation, contract, level).mark for level in list(Level)[1:5]]
        for higher, lower in pairwise(at):
            if higher is not None and lower is not None:
                assert (higher - lower) * lots >= 0


@given(st.integers(-(10**12), 10**12), st.integers(0, 10**12), st.integers(1, 10**12), st.integers(-(10**12), 10**12))
def test_bankruptcy_value_never_costs_the_fund(equity, freed, requirement, value):
    freed = min(freed, requirement)
    least = bankruptcy_value(value, equity, freed, requirement)
    # Equity left per requirement left is at most what it was: (E - (value - least)) / (R - freed) >= E / R.
    assert (equity - (value - least)) * requirement >= equity * (requirement - freed)
    assert (equity - (value - least + 1)) * requirement < equity * (requirement - freed)
    limit = concession_limit(equity, freed, requirement)
    assert 0 <= limit <= max(equity, 0)
    if equity > 0:
        assert limit * requirement <= equity * freed < (limit + 1) * requirement


# T*


@given(
    st.integers(0, 10**15), st.integers(0, 10**12), st.integers(0, 10**24), st.integers(1, 2000), st.integers(0, 10**12)
)
def test_t_star_is_exact_and_monotone(buffer, gap, variance, z, more):
    here = t_star_minutes(buffer, gap, variance, z)
    if buffer <= gap:
        assert here == 0
    elif variance == 0:
        assert here is None
    elif here < 366 * 24 * 60:
        # The largest whole T with z^2 sigma^2 T <= (buffer - gap)^2, z in hundredths.
        assert z * z * variance * here <= 10_000 * (buffer - gap) ** 2 < z * z * variance * (here + 1)
    far = 10**9

    def minutes(value):
        return far if value is None else value

    assert minutes(t_star_minutes(buffer + more, gap, variance, z)) >= minutes(here)
    assert minutes(t_star_minutes(buffer, gap + more, variance, z)) <= minutes(here)
    assert minutes(t_star_minutes(buffer, gap, variance + more, z)) <= minutes(here)
    assert minutes(t_star_minutes(buffer, gap, variance, z + 1)) <= minutes(here)


@given(worlds(holds=False))
def test_variance_is_that_of_the_sum(world):
    sheet, marks, account = world
    terms = {c.id: c for c in sheet.contracts}
    size = max((len(c.loadings) for c in sheet.contracts), default=0)
    factors = [
        sum(q * (*terms[c].loadings, *(0,) * 8)[k] for c, (q, _) in account.positions.items()) for k in range(size)
    ]
    own = [q * terms[c].own_loading for c, (q, _) in account.positions.items()]
    assert compute_variance(account, Valuation(sheet, marks)) == sum(x * x for x in (*factors, *own))


# Cure


@given(worlds(), ASSETS)
def test_cure_is_exact(world, asset):
    sheet, marks, account = world
    valuation = Valuation(sheet, marks)
    units = cure_quantity(account, valuation, asset)
    need = exact.leave(account, sheet, marks, MARGIN_CALL)
    assert compute_shortfall(account, valuation) == max(0, need - exact.equity(account, sheet, marks))
    if units is None:
        most = account.copy()
        most.cash[asset] = most.cash.get(asset, 0) + CASH_MAX
        assert exact.equity(most, sheet, marks) < need
        return
    assert 0 <= units <= CASH_MAX
    for given_units, cured in ((units, True), (units - 1, False)):
        paid = account.copy()
        paid.cash[asset] = paid.cash.get(asset, 0) + given_units
        if given_units >= 0:
            assert (exact.equity(paid, sheet, marks) >= need) == cured


def test_no_cure_in_an_asset_priced_next_to_nothing_is_beyond_a_deposit():
    """The exact quantity would exceed 64 bits and could not be written into the case."""
    sheet = small_sheet()
    linear = msgspec.structs.replace(sheet.contracts[0], position_cap=2**52 // 500_000_000, charge_long=0)
    sheet = msgspec.structs.replace(sheet, contracts=(linear, *sheet.contracts[1:]))
    marks = Marks({LINEAR: Mark(500_000_000, 0, Grade.FRESH, 0)}, {USDT: 1_000_000, BTC: 1})
    lots = linear.position_cap
    account = AccountState(1, 1, cash={USDT: 1}, positions={LINEAR: (lots, lots * 500_000_000)})
    valuation = Valuation(sheet, marks)
    assert cure_quantity(account, valuation, USDT) < 2**53
    assert cure_quantity(account, valuation, BTC) is None


# Fills

FILLS = st.lists(
    st.tuples(
        st.integers(-50, 50).filter(bool),
        st.integers(-(10**6), 10**6),
        st.one_of(st.just(0), st.integers(-(10**6), 10**6)),
    ),
    min_size=1,
    max_size=30,
)


@given(FILLS)
@example([(3, 10**6, -(10**6)), (-1, -333_333, 7), (-5, 1, 0)])
def test_entry_sums_stay_bounded_and_fills_conserve(fills):
    """AC-024: with |value| <= |lots| x cap and |F| <= cap an entry sum has |e| <= 2 |q| cap; cash - e changes by -w."""
    cap = 10**6
    lots = entry = 0
    for delta, per_lot, funding in fills:
        value = delta * per_lot // 1 if per_lot % 7 else delta * per_lot + (1 if abs(per_lot) < cap else 0)
        after = book_fill(lots, entry, delta, value, funding)
        w = value - delta * funding
        assert after.lots == lots + delta
        assert after.cash - after.entry == -entry - w
        assert abs(after.entry) <= 2 * abs(after.lots) * cap
        if after.lots == 0:
            assert after.entry == 0
        mirrored = book_fill(-lots, entry, -delta, value, -funding)
        assert mirrored == (-after.lots, after.entry, after.cash)
        lots, entry = after.lots, after.entry


@given(st.integers(-50, 50), st.integers(-(10**8), 10**8), st.integers(1, 50), st.integers(-(10**8), 10**8))
def test_a_fill_never_moves_money_into_or_out_of_what_stays(lots, entry, size, value):
    """A reduction leaves the rest of the position with its share of the entry sum, to within one unit toward cash."""
    if lots == 0:
        entry = 0
    delta = -size if lots > 0 else size
    after = book_fill(lots, entry, delta, value, 0)
    if 0 < size < abs(lots):
        assert abs(after.entry * lots - entry * after.lots) < abs(lots)
        assert abs(after.entry) * abs(lots) >= abs(entry) * abs(after.lots)


@pytest.mark.parametrize("side", [1, -1])
def test_two_sides_of_a_fill_sum_to_zero(side):
    for buyer in ((0, 0), (5, 700), (-5, -701), (-20, 3)):
        for seller in ((0, 0), (9, 11), (3, -5), (-2, 2)):
            a = book_fill(*buyer, side * 7, side * 1_001, 13)
            b = book_fill(*seller, -side * 7, -side * 1_001, 13)
            money = (a.cash - a.entry) - (0 - buyer[1]) + (b.cash - b.entry) - (0 - seller[1])
            assert money == 0
