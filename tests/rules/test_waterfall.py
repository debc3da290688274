"""
Rules WF-001 to WF-039 and WF-062, one or more tests each; the invariants over random inputs, and the
acceptance list of WF-039, are in tests/properties.
"""

import pytest

from tocsin.procedures.waterfall import (
    Candidate,
    LotPolicy,
    OtherRemainder,
    Stage,
    allocate_lots,
    deal_lots,
    draw_stages,
    insurance_fund_delta,
    rank_candidates,
    score_candidate,
    share_deficit,
    share_min_max,
    share_pro_rata_floor,
    share_queue,
    share_stages,
    share_water_filling,
)
from tocsin.sheet.terms import Allocation, Hedges, Remainder, Score, Weight

ALL = [Remainder.ROTATE, Remainder.LAST, OtherRemainder.LARGEST]


@pytest.mark.parametrize("remainder", ALL)
@pytest.mark.parametrize("deficit", [0, 1, 279, 280, 760, 761, 10**30])
def test_wf_001_and_wf_002_exact_and_capped(deficit: int, remainder: Remainder) -> None:
    """WF-001, WF-002."""
    capacities = [10, 150, 600]
    result = share_water_filling(deficit, [100, 300, 600], capacities, remainder=remainder)
    assert sum(result.amounts) == min(deficit, 760) == deficit - result.uncovered
    assert all(x <= c for x, c in zip(result.amounts, capacities, strict=True))


def test_wf_001_without_winners_all_is_uncovered() -> None:
    assert share_water_filling(7, [], []) == ([], 0, 1, 7)
    assert share_water_filling(7, [0, 5], [0, 0]) == ([0, 0], 0, 1, 7)


def test_wf_002_a_capacity_above_the_profit_is_a_defect_of_the_caller() -> None:
    with pytest.raises(AssertionError):
        share_water_filling(1, [5], [6])


@pytest.mark.parametrize(
    ("deficit", "level"), [(0, (0, 1)), (100, (1, 10)), (280, (3, 10)), (460, (1, 2)), (760, (1, 1)), (900, (1, 1))]
)
def test_wf_003_the_level_is_a_reduced_fraction(deficit: int, level: tuple[int, int]) -> None:
    """WF-003."""
    result = share_water_filling(deficit, [100, 300, 600], [10, 150, 600])
    assert (result.level_numerator, result.level_denominator) == level


def test_wf_003_levels_that_differ_in_the_last_digit_are_told_apart() -> None:
    big = 2**62
    capacities = [big - 2, big - 3]
    result = share_water_filling(2 * big - 6, [big, big], capacities)
    assert result.amounts == [big - 3, big - 3]
    assert share_water_filling(2 * big - 5, [big, big - 1], [big - 2, big - 3]).amounts == [big - 2, big - 3]


def test_wf_004_equal_winners_pay_alike() -> None:
    """WF-004."""
    amounts = share_water_filling(1000, [70] * 30, [70] * 30, first_extra=29).amounts
    assert sorted(amounts) == [33] * 20 + [34] * 10
    assert amounts[29] == 34 and amounts[9] == 33


def test_wf_005_a_split_account_pays_the_same() -> None:
    """WF-005."""
    whole = share_water_filling(555, [900, 100], [900, 100]).amounts
    split = share_water_filling(555, [300, 300, 300, 100], [300, 300, 300, 100]).amounts
    assert abs(whole[0] - sum(split[:3])) <= 3


def test_wf_006_remainder_last_as_in_the_source_engines_cases() -> None:
    """WF-006."""
    assert share_pro_rata_floor([80, 8000], 5080, remainder=Remainder.LAST) == [50, 5030]
    assert share_pro_rata_floor([800, 7200, 800], 5800, remainder=Remainder.LAST) == [527, 4745, 528]


def test_wf_007_covered_creditors_are_paid_in_full() -> None:
    """WF-007."""
    assert share_pro_rata_floor([7, 0, 3], 10) == [7, 0, 3]
    assert share_pro_rata_floor([7, 0, 3], 11) == [7, 0, 3]
    assert share_pro_rata_floor([], 11) == []
    assert share_pro_rata_floor([0, 0], 0) == [0, 0]
    with pytest.raises(AssertionError):
        share_pro_rata_floor([7, 3], 5, owed_total=9)


def test_wf_008_queue() -> None:
    """WF-008."""
    assert share_queue(0, [5]) == [0]
    assert share_queue(9, [5, 0, 9]) == [5, 0, 4]
    assert share_queue(99, [5, 0, 9]) == [5, 0, 9]


def test_wf_009_a_queue_is_not_symmetric_and_the_others_are() -> None:
    """WF-009."""
    profits = capacities = [50, 50]
    assert share_deficit(Allocation.QUEUE, 60, profits, capacities) == [50, 10]
    assert share_deficit(Allocation.PRO_RATA, 60, profits, capacities) == [30, 30]
    assert share_deficit(Allocation.WATER_FILLING, 60, profits, capacities) == [30, 30]


def test_wf_010_rotation_reaches_everyone_alike() -> None:
    """WF-010."""
    paid = [share_pro_rata_floor([1] * 5, 3, first_extra=h) for h in range(5)]
    assert [sum(column) for column in zip(*paid, strict=True)] == [3] * 5
    assert share_pro_rata_floor([1] * 5, 3, first_extra=10**20 + 1) == paid[1]


def test_wf_010_rotation_goes_by_the_order_given_not_by_capacity() -> None:
    assert share_water_filling(2, [10, 10, 10], [10, 9, 8], first_extra=0).amounts == [1, 1, 0]
    assert share_water_filling(2, [10, 10, 10], [10, 9, 8], first_extra=2).amounts == [1, 0, 1]


def test_wf_011_last_never_overpays() -> None:
    """WF-011."""
    assert share_pro_rata_floor([5, 5, 5, 1], 15, remainder=Remainder.LAST) == [4, 5, 5, 1]


def test_wf_012_whole_shares_take_no_extra_unit() -> None:
    """WF-012."""
    for h in range(9):
        assert share_pro_rata_floor([4, 3, 1], 4, first_extra=h)[0] == 2


def test_wf_013_rules_of_other_engines() -> None:
    """WF-013."""
    assert share_pro_rata_floor([10, 4, 4], 9, remainder=OtherRemainder.LARGEST) == [5, 2, 2]
    assert share_pro_rata_floor([3, 3, 1], 4, remainder=OtherRemainder.LARGEST) == [2, 2, 0]
    assert share_pro_rata_floor([5, 5, 5, 1], 15, remainder=OtherRemainder.LAST_WHOLE) == [4, 4, 4, 3]


def test_wf_020_stages() -> None:
    """WF-020."""
    stages = [Stage(5, 10, 3), Stage(6, 0), Stage(7, 4, 9)]
    assert draw_stages(2, stages) == ([(5, 2), (6, 0), (7, 0)], 0)
    assert draw_stages(9, stages) == ([(5, 3), (6, 0), (7, 4)], 2)


def test_wf_021_claims_share_a_stage_whatever_their_order() -> None:
    """WF-021."""
    assert share_stages([9, 1], [Stage(5, 5)], first_extra=0).draws == [[5, 0]]
    assert share_stages([9, 1], [Stage(5, 5)], first_extra=1).draws == [[4, 1]]
    assert share_stages([1, 9], [Stage(5, 10)]).remainders == [0, 0]
    assert share_stages([], [Stage(5, 10)]) == ([[]], [])


@pytest.mark.parametrize(
    ("received", "value", "cap", "delta"),
    [
        (5610, 5100, 1000, 510),
        (5610, 5100, 28, 28),
        (-4410, -4900, 1000, 490),
        (-4410, -4900, 22, 22),
        (5100, 5100, 28, 0),
        (-4900, -4900, 28, 0),
        (5099, 5100, 28, -1),
        (-4901, -4900, 28, -1),
        (10, 0, 0, 0),
    ],
)
def test_wf_022_insurance_fund_delta(received: int, value: int, cap: int, delta: int) -> None:
    """WF-022."""
    assert insurance_fund_delta(received, value, cap) == delta


def test_wf_030_nothing_offered() -> None:
    """WF-030."""
    assert allocate_lots(5, []) == []
    assert allocate_lots(5, [Candidate(0, 1, 0)], Allocation.PRO_RATA) == [0]


def test_wf_031_rank() -> None:
    """WF-031: by score; ties by bucket, then account; losses last, the most leveraged first."""
    rich = Candidate(9, 9, 1, profit=30, entry_value=100, notional=130, equity=1000)
    bold = Candidate(9, 8, 1, profit=20, entry_value=100, notional=120, equity=10)
    twin = Candidate(2, 8, 1, profit=40, entry_value=200, notional=240, equity=20)
    even = Candidate(0, 1, 1, profit=0, entry_value=100, notional=100, equity=10)
    loser = Candidate(0, 2, 1, profit=-10, entry_value=100, notional=90, equity=10)
    careful = Candidate(0, 3, 1, profit=-10, entry_value=100, notional=90, equity=1000)
    broke = Candidate(0, 4, 1, profit=1, entry_value=100, notional=101, equity=-5)
    everyone = [careful, even, rich, loser, bold, twin, broke]
    ranked = [everyone[i] for i in rank_candidates(everyone)]
    assert ranked == [twin, bold, broke, rich, even, loser, careful]


def test_wf_032_pro_rata_rotates_in_bucket_order() -> None:
    """WF-032."""
    three = [Candidate(5, 1, 1), Candidate(1, 9, 1), Candidate(1, 2, 1)]
    assert allocate_lots(1, three, Allocation.PRO_RATA, first_extra=0) == [0, 0, 1]
    assert allocate_lots(1, three, Allocation.PRO_RATA, first_extra=1) == [0, 1, 0]
    assert allocate_lots(1, three, Allocation.PRO_RATA, first_extra=2) == [1, 0, 0]


@pytest.mark.parametrize(
    ("weight", "few", "most"),
    [
        (Weight.LOTS, [4, 2, 6], [10, 5, 15]),
        (Weight.PROFIT, [3, 5, 4], [10, 5, 15]),
        (Weight.EQUITY, [10, 2, 0], [10, 5, 15]),
        (Weight.NOTIONAL, [6, 2, 4], [10, 5, 15]),
    ],
)
def test_wf_032_weights(weight: Weight, few: list[int], most: list[int]) -> None:
    """WF-032: 12 lots by each weight, capped by the lots offered; all of them at last."""
    holders = [
        Candidate(1, 1, 10, profit=30, equity=1_000, notional=300),
        Candidate(1, 2, 5, profit=90, equity=200, notional=100),
        Candidate(1, 3, 15, profit=40, equity=-7, notional=200),
    ]
    assert allocate_lots(12, holders, Allocation.PRO_RATA, weight=weight) == few
    assert allocate_lots(30, holders, Allocation.PRO_RATA, weight=weight) == most


def test_wf_032_without_weight_a_holder_comes_last() -> None:
    """WF-032, WF-035"""
    holders = [Candidate(1, 1, 10, profit=-5), Candidate(1, 2, 2, profit=1), Candidate(1, 3, 10, profit=0)]
    for allocation in (Allocation.PRO_RATA, Allocation.MIN_MAX):
        assert allocate_lots(2, holders, allocation, weight=Weight.PROFIT) == [0, 2, 0]
        assert allocate_lots(8, holders, allocation, weight=Weight.PROFIT) == [3, 2, 3]


@pytest.mark.parametrize(
    ("score", "gain", "loss"),
    [
        # A long of 100 at 80 (or 125), marked at 100, with equity 50, balance 30 and requirement 5.
        (Score.BITMEX, (20 * 100, 80 * 50), (-25 * 50, 125 * 100)),
        (Score.BINANCE, (20, 50), (-25 * 50, 100 * 100)),
        (Score.OKX, (20 * 5, 30 * 50), (-25 * 5, 30 * 50)),
        (Score.HYPERLIQUID, (100 * 100, 80 * 50), (100 * 100, 125 * 50)),
        (Score.HYPERLIQUID_PROFIT, (100 * 100, 80 * 50), (100 * 100, 125 * 50)),
        (Score.ENTRY_PRICE, (-80, 10), (-125, 10)),
        (Score.START, (0, 1), (0, 1)),
    ],
)
def test_wf_033_scores(score: Score, gain: tuple[int, int], loss: tuple[int, int]) -> None:
    """WF-033: as exact fractions."""
    common = {"notional": 100, "equity": 50, "reserved": 2, "balance": 30, "requirement": 5}
    winner = Candidate(1, 1, 8, profit=20, entry_value=80, **common)
    loser = Candidate(1, 2, 8, profit=-25, entry_value=125, **common)
    assert score_candidate(winner, score) == gain
    assert score_candidate(loser, score) == loss


def test_wf_033_shorts() -> None:
    """WF-033: a short of 120 marked at 100 gains more than one of 110; as documented, the smaller gain stands first."""
    more = Candidate(1, 1, 10, profit=20, entry_value=120, notional=100, equity=50, side=-1)
    less = Candidate(1, 2, 10, profit=10, entry_value=110, notional=100, equity=50, side=-1)
    assert score_candidate(more, Score.HYPERLIQUID) == (100 * 100, 120 * 50)
    assert score_candidate(more, Score.HYPERLIQUID_PROFIT) == (120, 50)
    first = {score: rank_candidates([less, more], score)[0] for score in Score if score is not Score.START}
    assert first == {
        Score.BITMEX: 1,
        Score.BINANCE: 1,
        Score.OKX: 1,
        Score.HYPERLIQUID: 0,
        Score.HYPERLIQUID_PROFIT: 1,
        Score.ENTRY_PRICE: 1,
    }


def test_wf_033_hyperliquid_as_its_page_has_it() -> None:
    """WF-033: the shorts and the long of `vectors/engines.json`, scores 2.7, 0.45 and 4.5."""
    a = Candidate(1, 1, 1, entry_value=10_000, notional=9_000, equity=3_000, side=-1)
    b = Candidate(1, 2, 1, entry_value=2_400, notional=1_800, equity=3_000, side=-1)
    c = Candidate(1, 3, 1, entry_value=3_000, notional=4_500, equity=1_500)
    scores = [score_candidate(x, Score.HYPERLIQUID) for x in (a, b, c)]
    assert [10_000 * top // bottom for top, bottom in scores] == [27_000, 4_500, 45_000]


def test_wf_033_start() -> None:
    """WF-033: no score: in (bucket, account) order from the place that the root names."""
    three = [Candidate(5, 1, 4), Candidate(1, 9, 4), Candidate(1, 2, 4)]
    dealt = [allocate_lots(5, three, Allocation.QUEUE, score=Score.START, first_extra=h) for h in range(4)]
    assert dealt == [[0, 1, 4], [1, 4, 0], [4, 0, 1], [0, 1, 4]]


def test_wf_034_leverage_left() -> None:
    """WF-034: 40, 20 and 10 lots on 100 each: the largest falls to the second, both to the third, then all alike."""
    three = [Candidate(1, 1, 40, equity=100), Candidate(1, 2, 20, equity=100), Candidate(1, 3, 10, equity=100)]
    levels = [allocate_lots(n, three, Allocation.WATER_FILLING) for n in (20, 40, 55)]
    assert levels == [[20, 0, 0], [30, 10, 0], [35, 15, 5]]
    held_back = [three[0]._replace(lots=5, reserved=35), *three[1:]]
    assert allocate_lots(20, held_back, Allocation.WATER_FILLING) == [5, 13, 2]


def test_wf_034_equity_of_nothing_counts_as_one() -> None:
    """WF-034"""
    two = [Candidate(1, 1, 3, equity=-50), Candidate(1, 2, 30, equity=5)]
    assert allocate_lots(4, two, Allocation.WATER_FILLING) == [0, 4]
    assert allocate_lots(15, two, Allocation.WATER_FILLING) == [0, 15]
    assert allocate_lots(16, two, Allocation.WATER_FILLING) == [1, 15]


def test_wf_035_whole_lots() -> None:
    """WF-035: of 7 and 3 lots the fifth is taken where it is 4/7 of the position, not 2/3."""
    two = [Candidate(1, 1, 7), Candidate(1, 2, 3)]
    assert [allocate_lots(n, two, Allocation.MIN_MAX) for n in range(6)] == [
        [0, 0], [1, 0], [2, 0], [2, 1], [3, 1], [4, 1]
    ]  # fmt: skip
    equal = [Candidate(1, 1, 2), Candidate(1, 2, 2), Candidate(1, 3, 2)]
    assert [allocate_lots(1, equal, Allocation.MIN_MAX, first_extra=h) for h in (0, 1, 5)] == [
        [1, 0, 0], [0, 1, 0], [0, 0, 1]
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("hedges", "allocation", "dealt"),
    [
        (Hedges.KEEP, Allocation.QUEUE, [4, 6]),
        (Hedges.LAST, Allocation.QUEUE, [9, 6]),
        (Hedges.IGNORE, Allocation.QUEUE, [10, 5]),
        (Hedges.KEEP, Allocation.WATER_FILLING, [4, 6]),
        (Hedges.LAST, Allocation.WATER_FILLING, [9, 6]),
    ],
)
def test_wf_036_and_wf_039_hedges(hedges: Hedges, allocation: Allocation, dealt: list[int]) -> None:
    """WF-036, WF-039: 15 lots of a holder with 4 safe of 10, first in rank, and one with 6."""
    two = [Candidate(1, 1, 10, profit=9, equity=10, safe=4), Candidate(1, 2, 6, profit=1, equity=10)]
    assert deal_lots(15, two, LotPolicy(allocation, hedges=hedges)) == dealt


def test_wf_036_leverage_is_of_the_whole_position() -> None:
    """WF-034, WF-036: 10 lots of which 4 are safe stand before 6: four of them, then of the others."""
    two = [Candidate(1, 1, 10, equity=10, safe=4), Candidate(1, 2, 6, equity=10)]
    keep, last = (LotPolicy(Allocation.WATER_FILLING, hedges=h) for h in (Hedges.KEEP, Hedges.LAST))
    assert deal_lots(5, two, keep) == deal_lots(5, two, last) == [4, 1]


def test_wf_036_scores_stay_frozen() -> None:
    """WF-030, WF-036: the entry price of what is left is the position's, as of the close: 10 a lot against 12."""
    two = [Candidate(1, 1, 10, entry_value=100, safe=4), Candidate(1, 2, 10, entry_value=120, safe=0)]
    policy = LotPolicy(Allocation.QUEUE, Score.ENTRY_PRICE, hedges=Hedges.LAST)
    assert deal_lots(7, two, policy) == [7, 0]


def test_wf_062_min_max_of_money() -> None:
    """WF-062: capped like every policy; without a profit no share; a part of the smallest gain is worth most."""
    assert share_min_max(5, [100, 3, 3], [100, 3, 3]) == [5, 0, 0]
    assert share_min_max(500, [100, 3, 0], [10, 3, 0]) == [10, 3, 0]
    assert share_deficit(Allocation.MIN_MAX, 53, [100, 3, 3], [100, 3, 3]) == [51, 1, 1]
    assert share_min_max(2, [10, 10, 10], [10, 10, 10], first_extra=1) == [0, 1, 1]
