"""
Auto-deleveraging over random holders: fast against plain, best against brute force, and the acceptance list (WF-039).

Each item of the list is a property of the policies that hold it and a counterexample for those that do not.
"""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers import plain_adl as plain
from tocsin.procedures.waterfall import (
    Candidate,
    LotPolicy,
    allocate_lots,
    deal_lots,
    rank_candidates,
    share_min_max,
)
from tocsin.sheet.terms import Allocation, Hedges, Score, Weight

QUEUE, PRO_RATA, WATER, MIN_MAX = Allocation.QUEUE, Allocation.PRO_RATA, Allocation.WATER_FILLING, Allocation.MIN_MAX
EXTRA = st.integers(0, 50)


def candidates(largest: int = 2**31, *, money: int = 2**40, size: int = 8, least: int = 0):
    """Holders of one side; amounts small enough for ties, or large."""
    units = st.one_of(st.integers(1, 6), st.integers(1, money))
    signed = st.one_of(st.integers(-3, 6), st.integers(-money, money))
    row = st.builds(
        Candidate,
        bucket=st.integers(0, 3),
        account=st.integers(1, 40),
        lots=st.one_of(st.integers(least, min(5, largest)), st.integers(least, largest)),
        profit=signed,
        entry_value=units,
        notional=units,
        equity=signed,
        reserved=st.integers(0, 3),
        side=st.sampled_from((1, -1)),
        balance=signed,
        requirement=units,
        safe=st.integers(-1, largest),
    )
    return st.lists(row, min_size=1, max_size=size, unique_by=lambda c: c.account)


POLICIES = st.builds(
    LotPolicy,
    st.sampled_from(list(Allocation)),
    st.sampled_from(list(Score)),
    st.sampled_from(list(Weight)),
    st.sampled_from(list(Hedges)),
)


# Fast against plain


@given(candidates(), st.sampled_from([s for s in Score if s is not Score.START]))
def test_rank_by_keys_is_rank_by_cross_multiplication(holders, score):
    assert rank_candidates(holders, score) == plain.rank_plain(holders, score)


@given(st.integers(0, 60), candidates(12, money=40), st.sampled_from(list(Weight)), EXTRA)
def test_min_max_is_lot_after_lot(wanted, holders, weight, extra):
    fast = allocate_lots(wanted, holders, MIN_MAX, weight=weight, first_extra=extra)
    assert fast == plain.min_max_plain(wanted, holders, weight, first_extra=extra)


@given(st.integers(0, 60), candidates(12, money=40), EXTRA)
def test_water_filling_is_lot_after_lot(wanted, holders, extra):
    fast = allocate_lots(wanted, holders, WATER, first_extra=extra)
    assert fast == plain.water_filling_plain(wanted, holders, first_extra=extra)


@given(st.one_of(st.integers(0, 60), st.integers(0, 2**34)), candidates(), st.sampled_from(list(Weight)), EXTRA)
def test_pro_rata_is_the_exact_share_rounded(wanted, holders, weight, extra):
    """Each gets its exact capped share rounded down or up, and a whole share exactly."""
    taken = allocate_lots(wanted, holders, PRO_RATA, weight=weight, first_extra=extra)
    weights = [plain.weigh(c, weight) for c in holders]
    exact = plain.exact_shares(wanted, weights, [c.lots for c in holders])
    rest = wanted - sum(exact)
    none = [0 if w else c.lots for w, c in zip(weights, holders, strict=True)]
    for i, share in enumerate(plain.exact_shares(max(0, int(rest)), none, none)):
        exact[i] += share
    for x, share in zip(taken, exact, strict=True):
        assert x in (share.__floor__(), share.__ceil__())


@given(st.integers(0, 9), candidates(4, money=6, size=4), st.sampled_from(list(Weight)), EXTRA)
def test_min_max_is_best_of_all_allocations(wanted, holders, weight, extra):
    """No other whole choice has a smaller largest share, among holders with weight."""
    holders = [c for c in holders if plain.weigh(c, weight)]
    total = min(wanted, sum(c.lots for c in holders))

    def largest(taken):
        return max((Fraction(x, plain.weigh(c, weight)) for x, c in zip(taken, holders, strict=True)), default=0)

    taken = allocate_lots(total, holders, MIN_MAX, weight=weight, first_extra=extra)
    assert largest(taken) == min(map(largest, plain.all_allocations(total, [c.lots for c in holders])))


@given(st.integers(0, 9), candidates(4, money=6, size=4), EXTRA)
def test_water_filling_leaves_the_least_largest_leverage(wanted, holders, extra):
    total = min(wanted, sum(c.lots for c in holders))

    def largest(taken):
        left = (Fraction(c.held - x, max(1, c.equity)) for x, c in zip(taken, holders, strict=True) if c.lots)
        return max(left, default=0)

    # Who offers nothing keeps its leverage whatever is done; who gave all it offers may still be the largest.
    taken = allocate_lots(total, holders, WATER, first_extra=extra)
    assert largest(taken) == min(map(largest, plain.all_allocations(total, [c.lots for c in holders])))


@given(st.integers(0, 12), st.lists(st.tuples(st.integers(0, 6), st.integers(0, 4)), max_size=4), EXTRA)
def test_min_max_of_money_is_best_of_all(deficit, rows, extra):
    profits, caps = [w for w, _ in rows], [min(w, c) for w, c in rows]
    total = min(deficit, sum(caps))

    def largest(amounts):
        return max((Fraction(x, w) for x, w in zip(amounts, profits, strict=True) if w), default=0)

    amounts = share_min_max(deficit, profits, caps, first_extra=extra)
    assert sum(amounts) == total
    assert largest(amounts) == min(map(largest, plain.all_allocations(total, caps)))


# The acceptance list: exact, capped, deterministic


@given(st.one_of(st.integers(0, 20), st.integers(0, 2**34)), candidates(), POLICIES, EXTRA, st.randoms())
def test_whole_exact_capped_and_the_same_in_any_order(wanted, holders, policy, extra, random):
    taken = deal_lots(wanted, holders, policy, first_extra=extra)
    offered = [c.safe_lots if policy.hedges is Hedges.KEEP else c.lots for c in holders]
    assert sum(taken) == min(wanted, sum(offered))
    assert all(0 <= x <= most for x, most in zip(taken, offered, strict=True))
    order = list(range(len(holders)))
    random.shuffle(order)
    mixed = deal_lots(wanted, [holders[i] for i in order], policy, first_extra=extra)
    assert mixed == [taken[i] for i in order]


@given(st.integers(0, 60), candidates(12, money=40), POLICIES, EXTRA)
def test_lots_that_hedge_come_after_all_others(wanted, holders, policy, extra):
    last = deal_lots(wanted, holders, policy._replace(hedges=Hedges.LAST), first_extra=extra)
    keep = deal_lots(wanted, holders, policy._replace(hedges=Hedges.KEEP), first_extra=extra)
    assert all(x >= y for x, y in zip(last, keep, strict=True))
    if last != keep:
        assert keep == [c.safe_lots for c in holders]


# Symmetric, monotone


@given(st.integers(0, 60), candidates(12, money=40), st.sampled_from((PRO_RATA, WATER, MIN_MAX)), EXTRA, st.data())
def test_equal_holders_give_alike_to_one_lot(wanted, holders, allocation, extra, data):
    weight = data.draw(st.sampled_from(list(Weight)))
    twin = holders[0]._replace(bucket=data.draw(st.integers(0, 3)), account=99)
    taken = allocate_lots(wanted, [*holders, twin], allocation, weight=weight, first_extra=extra)
    assert abs(taken[0] - taken[-1]) <= 1


def test_equal_holders_in_a_queue_do_not_give_alike():
    twins = [Candidate(1, 1, 10, 5, 10, 15, 10), Candidate(1, 2, 10, 5, 10, 15, 10)]
    assert [allocate_lots(10, twins, QUEUE, score=s) for s in Score] == [[10, 0]] * len(Score)


@given(st.integers(0, 60), candidates(12, money=40), st.sampled_from((PRO_RATA, MIN_MAX)), EXTRA, st.data())
def test_more_weight_and_more_lots_give_no_less(wanted, holders, allocation, extra, data):
    weight = data.draw(st.sampled_from(list(Weight)))
    a = holders[0]
    more = data.draw(st.integers(0, 5))
    b = a._replace(
        account=99, lots=a.lots + more, profit=a.profit + more, equity=a.equity + more, notional=a.notional + more
    )
    taken = allocate_lots(wanted, [*holders, b], allocation, weight=weight, first_extra=extra)
    if plain.weigh(a, weight) or not plain.weigh(b, weight):
        assert taken[-1] >= taken[0] - 1


@given(st.integers(0, 60), candidates(12, money=40), EXTRA, st.data())
def test_more_leverage_gives_no_less_under_water_filling(wanted, holders, extra, data):
    a = holders[0]
    more = data.draw(st.integers(0, 5))
    b = a._replace(account=99, lots=a.lots + more, equity=a.equity - data.draw(st.integers(0, 5)))
    taken = allocate_lots(wanted, [*holders, b], WATER, first_extra=extra)
    assert taken[-1] >= taken[0] - 1


@given(st.integers(0, 60), candidates(12, money=40), st.sampled_from(list(Score)), EXTRA)
def test_first_in_the_queue_gives_all_before_the_next_gives_any(wanted, holders, score, extra):
    taken = allocate_lots(wanted, holders, QUEUE, score=score, first_extra=extra)
    queue = rank_candidates(holders, score, first_extra=extra)
    left = [holders[i].lots - taken[i] for i in queue]
    open_at = next((k for k, lots in enumerate(left) if lots), len(queue))
    assert all(taken[i] == 0 for i in queue[open_at + 1 :])


@given(st.integers(0, 60), st.integers(0, 9), candidates(12, money=40), POLICIES, EXTRA)
def test_a_larger_want_lowers_nobody(wanted, more, holders, policy, extra):
    """Pro rata: by at most one lot, by rounding."""
    few = deal_lots(wanted, holders, policy, first_extra=extra)
    many = deal_lots(wanted + more, holders, policy, first_extra=extra)
    slack = {PRO_RATA: 1}.get(policy.allocation, 0) * (2 if policy.hedges is Hedges.LAST else 1)
    assert all(y >= x - slack for x, y in zip(few, many, strict=True))


def test_rounding_may_lower_a_share_by_one_lot_under_pro_rata():
    three = [Candidate(1, 1, 1), Candidate(1, 2, 2), Candidate(1, 3, 1)]
    assert [allocate_lots(n, three, PRO_RATA, first_extra=2) for n in (1, 2)] == [[0, 0, 1], [1, 1, 0]]


# Splitting an account


@given(st.integers(0, 60), candidates(12, money=40, least=1), st.integers(1, 4), EXTRA, st.data())
def test_splitting_in_proportion_moves_at_most_one_lot_a_part_under_pro_rata(wanted, holders, parts, extra, data):
    weight = data.draw(st.sampled_from(list(Weight)))
    part = holders[0]
    whole = part._replace(
        lots=part.lots * parts,
        profit=part.profit * parts,
        equity=part.equity * parts,
        notional=part.notional * parts,
    )
    split = [part._replace(account=100 + k) for k in range(parts)]
    one = allocate_lots(wanted, [whole, *holders[1:]], PRO_RATA, weight=weight, first_extra=extra)
    many = allocate_lots(wanted, [*split, *holders[1:]], PRO_RATA, weight=weight, first_extra=extra)
    assert abs(one[0] - sum(many[:parts])) <= parts
    assert all(abs(x - y) <= 1 for x, y in zip(one[1:], many[parts:], strict=True))


@given(st.integers(0, 200), st.lists(st.integers(1, 40), min_size=1, max_size=5), st.integers(1, 60), EXTRA)
def test_by_lots_any_split_moves_at_most_one_lot_a_part(wanted, split, other, extra):
    rest = Candidate(3, 99, other)
    whole = allocate_lots(wanted, [Candidate(0, 1, sum(split)), rest], PRO_RATA, first_extra=extra)
    parts = [*(Candidate(0, 1 + k, lots) for k, lots in enumerate(split)), rest]
    dealt = allocate_lots(wanted, parts, PRO_RATA, first_extra=extra)
    assert abs(whole[0] - sum(dealt[:-1])) <= len(split)


@pytest.mark.parametrize(
    ("allocation", "whole", "split"),
    [(PRO_RATA, 25, 25), (MIN_MAX, 25, 0), (WATER, 25, 50), (QUEUE, 50, 0)],
)
def test_splitting_into_single_lots(allocation, whole, split):
    """
    One hundred lots against an equal holder, 50 wanted; then in a hundred accounts of a lot and a hundredth each.

    Min-max: a single lot is its holder's whole position, so none is taken. Water-filling: each single lot is as
    leveraged as the other holder at first, so all are taken before it. Queue: the split moved its parts in rank.
    """
    other = Candidate(2, 999, 100, profit=60, entry_value=100, notional=160, equity=1_000)
    one = Candidate(1, 1, 100, profit=60, entry_value=100, notional=160, equity=1_000)
    many = [Candidate(3, k, 1, profit=0, entry_value=1, notional=1, equity=10) for k in range(1, 101)]
    assert allocate_lots(50, [one, other], allocation)[0] == whole
    assert abs(sum(allocate_lots(50, [*many, other], allocation)[:-1]) - split) <= 1


# Scale, waves


@given(st.integers(0, 60), candidates(12, money=40), POLICIES, EXTRA, st.integers(1, 1_000))
def test_the_unit_of_money_does_not_matter(wanted, holders, policy, extra, k):
    """Amounts of at least one unit times k: the same lots."""
    holders = [c._replace(equity=max(1, c.equity), balance=max(1, c.balance)) for c in holders]
    money = ("profit", "entry_value", "notional", "equity", "balance", "requirement")
    scaled = [c._replace(**{name: getattr(c, name) * k for name in money}) for c in holders]
    assert deal_lots(wanted, scaled, policy, first_extra=extra) == deal_lots(wanted, holders, policy, first_extra=extra)


@given(st.integers(0, 60), candidates(12, money=40), POLICIES, EXTRA, st.integers(1, 9))
def test_k_times_as_many_lots_give_k_times_to_rounding(wanted, holders, policy, extra, k):
    """Queue exactly, pro rata within k lots, the two that go lot by lot within (k + 1) lots a holder."""
    policy = policy._replace(hedges=Hedges.IGNORE)
    holders = [c._replace(equity=max(1, c.equity), balance=max(1, c.balance)) for c in holders]
    held = [c._replace(entry_value=c.entry_value * max(1, c.held), lots=c.lots, reserved=0) for c in holders]
    numbers = ("lots", "profit", "entry_value", "notional", "equity", "balance", "requirement")
    scaled = [c._replace(**{name: getattr(c, name) * k for name in numbers}) for c in held]
    few = deal_lots(wanted, held, policy, first_extra=extra)
    many = deal_lots(wanted * k, scaled, policy, first_extra=extra)
    within = {QUEUE: 0, PRO_RATA: k}.get(policy.allocation, (k + 1) * len(holders))
    assert all(abs(y - k * x) <= within for x, y in zip(few, many, strict=True))


def close(holders, taken):
    return [c._replace(lots=c.lots - x) for c, x in zip(holders, taken, strict=True)]


@given(st.integers(0, 30), st.integers(0, 30), candidates(12, money=40), EXTRA)
def test_two_waves_are_one_under_water_filling(first, second, holders, extra):
    once = allocate_lots(first + second, holders, WATER, first_extra=extra)
    early = allocate_lots(first, holders, WATER, first_extra=extra)
    late = allocate_lots(second, close(holders, early), WATER, first_extra=extra)
    assert once == [x + y for x, y in zip(early, late, strict=True)]


@given(st.integers(0, 30), st.integers(0, 30), candidates(12, money=40), EXTRA)
def test_two_waves_are_one_to_two_lots_under_pro_rata_by_lots(first, second, holders, extra):
    once = allocate_lots(first + second, holders, PRO_RATA, first_extra=extra)
    early = allocate_lots(first, holders, PRO_RATA, first_extra=extra)
    late = allocate_lots(second, close(holders, early), PRO_RATA, first_extra=extra)
    assert all(abs(x - y - z) <= 2 for x, y, z in zip(once, early, late, strict=True))


def test_two_waves_of_a_queue_are_not_one():
    """After half of the first one's lots are gone its leverage has halved: the second wave turns to the next."""
    a = Candidate(1, 1, 10, profit=100, entry_value=1_000, notional=1_000, equity=100)
    b = Candidate(1, 2, 10, profit=90, entry_value=1_000, notional=1_000, equity=100)
    half = a._replace(lots=5, profit=50, entry_value=500, notional=500)
    assert allocate_lots(10, [a, b], QUEUE) == [10, 0]
    assert (allocate_lots(5, [a, b], QUEUE), allocate_lots(5, [half, b], QUEUE)) == ([5, 0], [0, 5])


def test_two_waves_of_min_max_are_not_one():
    """Shares are of the position at each wave: what was lost before is forgotten."""
    a, b = Candidate(1, 1, 10), Candidate(1, 2, 3)
    whole = allocate_lots(9, [a, b], MIN_MAX)
    waves = [0, 0]
    for _ in range(9):
        left = [a._replace(lots=10 - waves[0]), b._replace(lots=3 - waves[1])]
        waves = [x + y for x, y in zip(waves, allocate_lots(1, left, MIN_MAX), strict=True)]
    assert whole == [7, 2]
    assert waves == [8, 1]
