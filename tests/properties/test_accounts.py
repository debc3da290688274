"""
Rows of the plain store on random accounts: limits are exact, refusals change nothing, money is conserved.
"""

from hypothesis import assume, given
from hypothesis import strategies as st

from tests.helpers import exact
from tests.helpers.strategies import A, B, worlds
from tests.helpers.worlds import LINEAR, USDT, small_sheet
from tocsin.accounts.leaf import decode_leaf, encode_leaf
from tocsin.accounts.plain import PlainStore
from tocsin.accounts.store import RowKind, Rows
from tocsin.core.errors import DataError, Reason
from tocsin.core.limits import CASH_MAX, POSITIONS_MAX
from tocsin.margin.state import AccountState, Mode
from tocsin.margin.valuation import Valuation
from tocsin.sheet import terms as t
from tocsin.sheet.marks import Grade, Mark, Marks

ASSETS = st.sampled_from((A, B))


def store_of(world, account=None):
    sheet, marks, state = world
    store = PlainStore(Valuation(sheet, marks))
    store.load([encode_leaf(account or state)])
    return store


def apply(store, kind, key=0, a=0, b=0, c=-1, d=-1, account=1):
    rows = Rows()
    rows.add(kind, account, key, a, b, c, d)
    out = store.apply(rows)
    return out.reason[0], out.x[0], out.y[0]


def money(account, sheet, asset):
    """Return cash, in transit and entry sums of one asset: what a fill or a move may only pass on."""
    assets = {c.id: c.asset for c in sheet.contracts}
    entries = sum(e for c, (_, e) in account.positions.items() if assets[c] == asset)
    return account.cash.get(asset, 0) + account.in_transit.get(asset, 0) - entries


@given(worlds(), ASSETS, st.integers(1, 10**12))
def test_a_withdrawal_moves_all_that_may_leave_and_not_a_unit_more(world, asset, wanted):
    sheet, marks, before = world
    store = store_of(world)
    reason, moved, _ = apply(store, RowKind.WITHDRAW, asset, wanted)
    after = store.read(1)
    # A position or a debt makes the account owe the initial requirement; without either all cash may leave.
    bound = bool(before.positions or before.holds or any(v < 0 for v in before.cash.values()))

    def may_leave(units):
        left = before.copy()
        left.cash[asset] = left.cash.get(asset, 0) - units
        balances = exact.balances(left, sheet, marks)
        if left.cash[asset] < 0 or balances.get(asset, 0) < 0:
            return False
        return not bound or exact.equity(left, sheet, marks) >= exact.need(left, sheet, marks, 0)

    if reason == Reason.OK:
        assert 0 < moved <= wanted
        assert may_leave(moved)
        assert after.in_transit == {asset: moved}
        assert money(after, sheet, asset) == money(before, sheet, asset)
    else:
        assert reason == Reason.INSUFFICIENT_MARGIN
        assert encode_leaf(after) == encode_leaf(before)
        moved = 0
    assert moved == wanted or not may_leave(moved + 1)


@given(worlds(), st.data())
def test_an_order_check_is_exact(world, data):
    """AC-008: an order may rest if equity covers `initial` with it at its worst, or if it only reduces."""
    sheet, marks, state = world
    terms = data.draw(st.sampled_from(sheet.contracts))
    lots = data.draw(st.integers(1, terms.position_cap)) * data.draw(st.sampled_from((1, -1)))
    store = store_of(world)
    reason, needed, equity = apply(store, RowKind.CHECK, terms.id, lots, 0)
    assert encode_leaf(store.read(1)) == encode_leaf(state)
    bid, ask = state.holds.get(terms.id, (0, 0))
    held = state.positions.get(terms.id, (0, 0))[0]
    worst = held + bid + lots if lots > 0 else held - ask + lots
    if abs(worst) > terms.position_cap:
        assert reason == Reason.POSITION_CAP
        return
    resting = state.copy()
    resting.holds[terms.id] = (bid + lots, ask) if lots > 0 else (bid, ask - lots)
    assert needed == exact.need(resting, sheet, marks, 0)
    assert equity == exact.equity(state, sheet, marks)
    reduces = abs(worst) <= abs(held) and worst * held >= 0
    cheaper = exact.need_exact(resting, sheet, marks, 0) <= exact.need_exact(state, sheet, marks, 0)
    assert (reason == Reason.OK) == (equity >= needed or (reduces and cheaper))
    only, _, _ = apply(store, RowKind.CHECK, terms.id, lots, 1)
    assert (only == Reason.OK) == (reduces and cheaper)


@given(worlds(holds=False), st.data())
def test_a_reducing_order_is_always_allowed(world, data):
    state = world[2]
    assume(state.positions)
    contract = data.draw(st.sampled_from(sorted(state.positions)))
    held = state.positions[contract][0]
    size = data.draw(st.integers(1, abs(held)))
    for only in (0, 1):
        reason, _, _ = apply(store_of(world), RowKind.CHECK, contract, -size if held > 0 else size, only)
        assert reason == Reason.OK


@given(worlds(), st.data())
def test_an_order_that_passed_its_check_can_be_booked(world, data):
    """What the check lets through, in parts or whole, at any price within the cap, never goes to the error account."""
    sheet, _, state = world
    state.mode = data.draw(st.sampled_from((Mode.CROSS, Mode.ISOLATED)))
    if state.mode == Mode.ISOLATED:
        state.positions = dict(list(state.positions.items())[:1])
        state.holds = {c: h for c, h in state.holds.items() if c in state.positions or not state.positions}
        state.holds = dict(list(state.holds.items())[:1])
    terms = data.draw(st.sampled_from(sheet.contracts))
    lots = data.draw(st.integers(1, terms.position_cap // 50 + 1)) * data.draw(st.sampled_from((1, -1)))
    store = store_of((sheet, world[1], state))
    if apply(store, RowKind.CHECK, terms.id, lots, 0)[0] != Reason.OK:
        return
    part = data.draw(st.integers(1, abs(lots))) * (1 if lots > 0 else -1)
    value = part * data.draw(st.integers(-terms.mark_cap, terms.mark_cap))
    assert apply(store, RowKind.TRADE, terms.id, part, value)[0] == Reason.OK


def test_an_order_in_a_sixty_fifth_contract_is_refused_before_it_can_fill():
    """A resting order counts: its fill would take one of the 64 places."""
    first = small_sheet().contracts[0]
    contracts = tuple(t.ContractTerms(i, f"C{i}", t.Kind.LINEAR, USDT, 1, 10**6, 1_000, first.tiers) for i in range(66))
    sheet = small_sheet(contracts=contracts)
    marks = Marks({i: Mark(10**6, 0, Grade.FRESH, 0) for i in range(66)}, {USDT: 10**6})
    for mode, places in ((Mode.CROSS, POSITIONS_MAX), (Mode.ISOLATED, 1)):
        state = AccountState(1, 1, mode, cash={USDT: 10**12})
        state.positions = dict.fromkeys(range(0, places, 2), (1, 10**6))
        state.holds = dict.fromkeys(range(1, places, 2), (1, 1))
        store = store_of((sheet, marks, state))
        reason, needed, most = apply(store, RowKind.CHECK, places, 1)
        if mode == Mode.CROSS:
            assert (reason, needed, most) == (Reason.POSITIONS_MAX, POSITIONS_MAX + 1, POSITIONS_MAX)
        else:
            assert reason == Reason.CONTRACT_NOT_ALLOWED
        assert apply(store, RowKind.CHECK, places - 1, 1)[0] == Reason.OK


def test_an_isolated_account_with_an_order_in_one_contract_has_none_in_another():
    sheet = small_sheet()
    marks = Marks({c.id: Mark(10**6, 0, Grade.FRESH, 0) for c in sheet.contracts}, {USDT: 10**6})
    state = AccountState(1, 1, Mode.ISOLATED, cash={USDT: 10**12}, holds={LINEAR: (5, 0)})
    store = store_of((sheet, marks, state))
    assert apply(store, RowKind.CHECK, 2, 1)[0] == Reason.CONTRACT_NOT_ALLOWED
    assert apply(store, RowKind.CHECK, LINEAR, 1)[0] == Reason.OK


@given(worlds(), st.data())
def test_a_fill_conserves_money_or_changes_nothing(world, data):
    sheet, marks, before = world
    terms = data.draw(st.sampled_from(sheet.contracts))
    lots = data.draw(st.integers(1, 2 * terms.position_cap)) * data.draw(st.sampled_from((1, -1)))
    most = abs(lots) * terms.mark_cap
    value = data.draw(st.integers(-most - 10, most + 10))
    store = store_of(world)
    reason, left, cash = apply(store, RowKind.TRADE, terms.id, lots, value)
    after = store.read(1)
    if reason:
        assert encode_leaf(after) == encode_leaf(before)
        return
    held = before.positions.get(terms.id, (0, 0))[0]
    assert abs(value) <= most
    assert left == held + lots == after.positions.get(terms.id, (0, 0))[0]
    assert abs(left) <= terms.position_cap or abs(left) <= abs(held)
    assert cash == after.cash.get(terms.asset, 0) - before.cash.get(terms.asset, 0)
    w = value - lots * marks.contracts[terms.id].funding
    assert money(after, sheet, terms.asset) == money(before, sheet, terms.asset) - w
    # The account's balance moves by what it gained against the mark and by nothing else.
    change = lots * marks.contracts[terms.id].mark - value
    a, b = (exact.balances(x, sheet, marks).get(terms.asset, 0) for x in (before, after))
    assert b - a == change


@given(worlds())
def test_taking_all_positions_leaves_balances_as_they_were(world):
    sheet, marks, before = world
    store = store_of(world)
    for contract in sorted(before.positions):
        reason, lots, value = apply(store, RowKind.TAKE, contract)
        mark = marks.contracts[contract]
        assert reason == Reason.OK
        assert lots == before.positions[contract][0]
        assert value == lots * (mark.mark - mark.funding)
    after = store.read(1)
    assert not after.positions
    assert {a: v for a, v in exact.balances(before, sheet, marks).items() if v} == after.cash


@given(worlds(), ASSETS, st.integers(1, CASH_MAX))
def test_a_deposit_is_booked_within_the_bound_or_refused(world, asset, amount):
    sheet, _, before = world
    store = store_of(world)
    reason, after, most = apply(store, RowKind.CASH, asset, amount)
    cash = before.cash.get(asset, 0) + amount
    caps = {a.id: a.price_cap for a in sheet.assets}
    valued = sum(abs(v) * caps[a] for a, v in {**before.cash, asset: cash}.items())
    fits = cash <= 0 or (cash <= CASH_MAX and valued <= CASH_MAX * 10**6)
    assert (reason == Reason.OK) == fits
    assert after == cash
    if not fits:
        assert reason == Reason.ADMISSION_BOUND
        assert most == CASH_MAX
        assert encode_leaf(store.read(1)) == encode_leaf(before)


@given(worlds())
def test_a_leaf_is_its_account_and_no_other_bytes_are(world):
    _, _, state = world
    state.in_transit = {A: 5}
    data = encode_leaf(state)
    assert decode_leaf(data) == state
    for wrong in (data + b"\x00", data[:-1], data[:20], b""):
        try:
            decode_leaf(wrong)
        except DataError:
            continue
        raise AssertionError(f"{len(wrong)} bytes were read as a leaf")


@given(worlds(), st.integers(0, 400), st.integers(1, 255))
def test_a_changed_leaf_is_refused_or_another_account(world, at, flip):
    _, _, state = world
    data = bytearray(encode_leaf(state))
    data[at % len(data)] ^= flip
    try:
        other = decode_leaf(bytes(data))
    except DataError:
        return
    assert other != state
    assert encode_leaf(other) == bytes(data)
