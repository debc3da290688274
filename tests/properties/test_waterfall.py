"""
Invariants of the waterfall's allocation functions (rules WF-001 to WF-032).
"""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from tocsin.procedures.waterfall import (
    Candidate,
    OtherRemainder,
    Stage,
    allocate_lots,
    draw_stages,
    insurance_fund_delta,
    rank_candidates,
    share_deficit,
    share_pro_rata_floor,
    share_queue,
    share_stages,
    share_water_filling,
)
from tocsin.sheet.terms import Allocation, Remainder

UNITS = st.one_of(st.integers(0, 12), st.integers(0, 2**62))
EXTRA = st.integers(0, 2**64)
FAIR = st.sampled_from([Remainder.ROTATE, OtherRemainder.LARGEST])
BOUNDED = st.sampled_from([Remainder.ROTATE, Remainder.LAST, OtherRemainder.LARGEST])


@st.composite
def winners(draw: st.DrawFn) -> list[tuple[int, int]]:
    """Pairs (profit, capacity <= profit), with repeats so that equal accounts occur."""
    pairs = draw(st.lists(UNITS.flatmap(lambda w: st.tuples(st.just(w), st.integers(0, w))), max_size=8))
    return pairs + draw(st.lists(st.sampled_from(pairs), max_size=4)) if pairs else pairs


def exact_level(deficit: int, pairs: list[tuple[int, int]]) -> list[Fraction]:
    """The slow twin: raise the level from breakpoint to breakpoint in exact fractions."""
    caps = [Fraction(c, w) if w else Fraction(0) for w, c in pairs]
    budget = Fraction(min(deficit, sum(c for _, c in pairs)))
    level = Fraction(0)
    for cap in sorted({*caps, Fraction(1)}):
        held = sum((w * min(cap, k) for (w, _), k in zip(pairs, caps, strict=True)), Fraction(0))
        if held >= budget:
            paid = sum((w * min(level, k) for (w, _), k in zip(pairs, caps, strict=True)), Fraction(0))
            slope = sum(w for (w, _), k in zip(pairs, caps, strict=True) if k > level)
            if slope:
                level += (budget - paid) / slope
            break
        level = cap
    return [w * min(level, k) for (w, _), k in zip(pairs, caps, strict=True)]


@given(UNITS, winners(), BOUNDED, EXTRA)
def test_water_filling_pays_exactly_what_capacities_allow(
    deficit: int, pairs: list[tuple[int, int]], remainder: Remainder, extra: int
) -> None:
    profits, capacities = [w for w, _ in pairs], [c for _, c in pairs]
    result = share_water_filling(deficit, profits, capacities, remainder=remainder, first_extra=extra)
    assert sum(result.amounts) == min(deficit, sum(capacities))
    assert sum(result.amounts) + result.uncovered == deficit
    assert all(0 <= x <= c for x, c in zip(result.amounts, capacities, strict=True))


@given(UNITS, winners(), FAIR, EXTRA)
def test_water_filling_is_within_one_unit_of_the_exact_level(
    deficit: int, pairs: list[tuple[int, int]], remainder: Remainder, extra: int
) -> None:
    result = share_water_filling(
        deficit, [w for w, _ in pairs], [c for _, c in pairs], remainder=remainder, first_extra=extra
    )
    exact = exact_level(deficit, pairs)
    assert all(abs(x - y) < 1 for x, y in zip(result.amounts, exact, strict=True))
    level = Fraction(result.level_numerator, result.level_denominator)
    assert exact == [min(level * w, Fraction(c)) for w, c in pairs]


@given(UNITS, winners(), FAIR, EXTRA)
def test_equal_winners_differ_by_at_most_one_unit(
    deficit: int, pairs: list[tuple[int, int]], remainder: Remainder, extra: int
) -> None:
    amounts = share_water_filling(
        deficit, [w for w, _ in pairs], [c for _, c in pairs], remainder=remainder, first_extra=extra
    ).amounts
    for pair in set(pairs):
        same = [x for x, p in zip(amounts, pairs, strict=True) if p == pair]
        assert max(same) - min(same) <= 1


@given(UNITS, UNITS, winners())
def test_a_larger_deficit_takes_less_from_nobody(a: int, b: int, pairs: list[tuple[int, int]]) -> None:
    profits, capacities = [w for w, _ in pairs], [c for _, c in pairs]
    low, high = sorted((a, b))
    small = share_water_filling(low, profits, capacities)
    large = share_water_filling(high, profits, capacities)
    assert small.level_numerator * large.level_denominator <= large.level_numerator * small.level_denominator
    assert all(x <= y + 1 for x, y in zip(small.amounts, large.amounts, strict=True))


@given(UNITS, winners(), st.randoms(use_true_random=False), FAIR)
def test_order_of_winners_moves_at_most_one_unit(
    deficit: int, pairs: list[tuple[int, int]], random: object, remainder: Remainder
) -> None:
    order = list(range(len(pairs)))
    random.shuffle(order)  # type: ignore[attr-defined]
    straight = share_water_filling(deficit, [w for w, _ in pairs], [c for _, c in pairs], remainder=remainder)
    mixed = share_water_filling(
        deficit, [pairs[i][0] for i in order], [pairs[i][1] for i in order], remainder=remainder
    )
    assert mixed[1:3] == straight[1:3]
    assert all(abs(mixed.amounts[k] - straight.amounts[i]) <= 1 for k, i in enumerate(order))


@given(UNITS, winners(), st.integers(2, 5))
def test_splitting_an_account_moves_at_most_one_unit_a_part(
    deficit: int, pairs: list[tuple[int, int]], parts: int
) -> None:
    scaled = [(w * parts, c * parts) for w, c in pairs]
    if not scaled:
        return
    split = [(scaled[0][0] // parts, scaled[0][1] // parts)] * parts + scaled[1:]
    whole = share_water_filling(deficit, [w for w, _ in scaled], [c for _, c in scaled]).amounts
    apart = share_water_filling(deficit, [w for w, _ in split], [c for _, c in split]).amounts
    assert abs(sum(apart[:parts]) - whole[0]) <= parts


@given(UNITS, winners(), st.integers(1, 1000))
def test_scale_changes_only_rounding(deficit: int, pairs: list[tuple[int, int]], k: int) -> None:
    one = share_water_filling(deficit, [w for w, _ in pairs], [c for _, c in pairs]).amounts
    many = share_water_filling(deficit * k, [w * k for w, _ in pairs], [c * k for _, c in pairs]).amounts
    assert all(abs(m - k * x) <= k for m, x in zip(many, one, strict=True))


@given(st.lists(UNITS, max_size=10), UNITS, BOUNDED, EXTRA)
def test_pro_rata_floor_pays_all_that_was_collected_and_no_one_too_much(
    owed: list[int], collected: int, remainder: Remainder, extra: int
) -> None:
    paid = share_pro_rata_floor(owed, collected, remainder=remainder, first_extra=extra)
    assert sum(paid) == min(collected, sum(owed))
    assert all(0 <= x <= w for x, w in zip(paid, owed, strict=True))


@given(st.lists(UNITS, min_size=1, max_size=10), UNITS)
def test_last_whole_gives_every_left_unit_to_the_last(owed: list[int], collected: int) -> None:
    paid = share_pro_rata_floor(owed, collected, remainder=OtherRemainder.LAST_WHOLE)
    total = sum(owed)
    assert sum(paid) == min(collected, total)
    if collected < total:
        assert paid[:-1] == [w * collected // total for w in owed[:-1]]


@given(st.lists(UNITS, max_size=8), UNITS, st.integers(0, 2**62), BOUNDED)
def test_pro_rata_floor_leaves_the_part_of_creditors_not_listed(
    owed: list[int], collected: int, others: int, remainder: Remainder
) -> None:
    total = sum(owed) + others
    paid = share_pro_rata_floor(owed, collected, owed_total=total, remainder=remainder)
    assert sum(paid) == (sum(owed) if collected >= total else sum(owed) * collected // total)
    assert all(0 <= x <= w for x, w in zip(paid, owed, strict=True))


@given(UNITS, st.lists(UNITS, max_size=10))
def test_queue_fills_in_rank_order(deficit: int, capacities: list[int]) -> None:
    amounts = share_queue(deficit, capacities)
    assert sum(amounts) == min(deficit, sum(capacities))
    for i, (x, c) in enumerate(zip(amounts, capacities, strict=True)):
        assert 0 <= x <= c
        assert x == c or not any(amounts[i + 1 :])


@given(st.sampled_from(list(Allocation)), UNITS, winners(), EXTRA)
def test_every_allocation_of_a_deficit_is_exact_and_capped(
    allocation: Allocation, deficit: int, pairs: list[tuple[int, int]], extra: int
) -> None:
    capacities = [c for _, c in pairs]
    amounts = share_deficit(allocation, deficit, [w for w, _ in pairs], capacities, first_extra=extra)
    assert sum(amounts) == min(deficit, sum(capacities))
    assert all(0 <= x <= c for x, c in zip(amounts, capacities, strict=True))


STAGES = st.lists(st.builds(Stage, st.integers(-9, -1), UNITS, st.one_of(st.none(), UNITS)), max_size=6)


@given(UNITS, STAGES)
def test_stages_pay_in_order_up_to_balance_and_cap(claim: int, stages: list[Stage]) -> None:
    result = draw_stages(claim, stages)
    assert [fund for fund, _ in result.draws] == [s.fund for s in stages]
    assert sum(x for _, x in result.draws) + result.remainder == claim
    for i, ((_, paid), stage) in enumerate(zip(result.draws, stages, strict=True)):
        most = min(stage.balance, stage.balance if stage.cap is None else stage.cap)
        assert 0 <= paid <= most
        assert paid == most or not any(x for _, x in result.draws[i + 1 :])


@given(st.lists(UNITS, max_size=6), STAGES, EXTRA)
def test_claims_share_each_stage_pro_rata(claims: list[int], stages: list[Stage], extra: int) -> None:
    result = share_stages(claims, stages, first_extra=extra)
    together = draw_stages(sum(claims), stages)
    assert [sum(row) for row in result.draws] == [x for _, x in together.draws]
    for k, claim in enumerate(claims):
        assert sum(row[k] for row in result.draws) + result.remainders[k] == claim
        assert result.remainders[k] >= 0
    if stages and sum(claims):
        first = result.draws[0]
        exact = [Fraction(sum(first) * c, sum(claims)) for c in claims]
        assert all(abs(x - y) < 1 for x, y in zip(first, exact, strict=True))


@given(st.integers(-(2**62), 2**62), st.integers(-(2**62), 2**62), UNITS)
def test_insurance_fund_pays_the_gap_and_takes_at_most_the_fee(received: int, value: int, cap: int) -> None:
    delta = insurance_fund_delta(received, value, cap)
    if received <= value:
        assert delta == received - value
    else:
        assert delta == sorted((0, received - value, cap))[1]


CANDIDATES = st.lists(
    st.builds(
        Candidate,
        bucket=st.integers(0, 3),
        account=st.integers(1, 40),
        lots=st.one_of(st.integers(0, 5), st.integers(0, 2**31)),
        profit=st.integers(-(2**40), 2**40),
        entry_value=st.integers(0, 2**40),
        notional=st.integers(0, 2**40),
        equity=st.integers(-(2**40), 2**40),
        reserved=st.integers(0, 3),
        side=st.sampled_from((1, -1)),
        balance=st.integers(-(2**40), 2**40),
        requirement=st.integers(0, 2**40),
        safe=st.integers(-1, 4),
    ),
    max_size=10,
    unique_by=lambda c: c.account,
)


@given(st.one_of(st.integers(0, 20), st.integers(0, 2**34)), CANDIDATES, st.sampled_from(list(Allocation)), EXTRA)
def test_lots_are_whole_exact_and_never_more_than_offered(
    wanted: int, candidates: list[Candidate], allocation: Allocation, extra: int
) -> None:
    taken = allocate_lots(wanted, candidates, allocation, first_extra=extra)
    assert sum(taken) == min(wanted, sum(c.lots for c in candidates))
    assert all(0 <= x <= c.lots for x, c in zip(taken, candidates, strict=True))


@given(
    st.integers(0, 2**34),
    CANDIDATES,
    st.sampled_from(list(Allocation)),
    EXTRA,
    st.randoms(use_true_random=False),
)
def test_lots_do_not_depend_on_the_order_of_candidates(
    wanted: int, candidates: list[Candidate], allocation: Allocation, extra: int, random: object
) -> None:
    order = list(range(len(candidates)))
    random.shuffle(order)  # type: ignore[attr-defined]
    straight = allocate_lots(wanted, candidates, allocation, first_extra=extra)
    mixed = allocate_lots(wanted, [candidates[i] for i in order], allocation, first_extra=extra)
    assert mixed == [straight[i] for i in order]


@given(CANDIDATES)
def test_rank_is_by_exact_score_then_bucket_and_account(candidates: list[Candidate]) -> None:
    def key(c: Candidate) -> tuple[Fraction, int, int]:
        entry, notional, equity = max(1, c.entry_value), max(1, c.notional), max(1, c.equity)
        leverage = Fraction(notional, equity)
        rate = Fraction(c.profit, entry)
        return (-(rate * leverage if c.profit >= 0 else rate / leverage), c.bucket, c.account)

    ranked = [candidates[i] for i in rank_candidates(candidates)]
    assert ranked == sorted(candidates, key=key)
