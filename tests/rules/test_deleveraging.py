"""
Rules WF-036 to WF-038, WF-049, WF-060 and WF-061 on accounts whose legs hedge each other; mirrored long and short.

The world is that of `tests/helpers/hedged.py`: FUTURE and NEXT move one for one, CALL by about half.
"""

from math import gcd

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.helpers.hedged import CALL, FUTURE, NEXT, USD, World, at_marks, holder, make_sheet
from tocsin.core.errors import DataError
from tocsin.core.ids import SUSPENSE, bucket_of, default_account
from tocsin.engine import commands as cm
from tocsin.engine.candidates import LEGS_MAX, close_lots_at_mark, find_safe_lots, find_spreads, offer_lots
from tocsin.margin.requirement import compute_requirement, sum_requirement
from tocsin.margin.state import AccountClass, AccountState, Level, Mode
from tocsin.margin.valuation import compute_balances
from tocsin.procedures.liquidation.intent import Intent
from tocsin.procedures.waterfall import LotPolicy
from tocsin.sheet import terms as t
from tocsin.sheet.presets import tiered_factors

SIDES = pytest.mark.parametrize("side", [1, -1])


# What is safe


@SIDES
@pytest.mark.parametrize(
    ("legs", "contract", "safe"),
    [
        # Alone every lot is safe.
        ({"future": 10}, FUTURE, 10),
        # A whole hedge: closing any lot of it opens the other leg.
        ({"future": 10, "next": -10}, FUTURE, 0),
        # 4 of 10 are too much: closing 8 leaves 4 short against 6, as far the other way.
        ({"future": 10, "next": -6}, FUTURE, 8),
        ({"future": 10, "next": -6}, NEXT, 0),
    ],
)
def test_wf_036_what_is_safe(side: int, legs: dict[str, int], contract: int, safe: int) -> None:
    """WF-036: the lots whose close leaves no requirement from margin_call down above what it is."""
    state, at = holder(**{name: side * q for name, q in legs.items()}), at_marks()
    held = state.positions[contract][0]
    (offer,) = offer_lots(1, state, at, [], {contract: -held})
    assert (offer.lots, offer.safe) == (abs(held), safe)
    before = compute_requirement(state, at, 2)
    assert compute_requirement(close_lots_at_mark(state, at, {contract: safe}), at, 2) <= before
    if safe < abs(held):
        assert compute_requirement(close_lots_at_mark(state, at, {contract: safe + 1}), at, 2) > before


@SIDES
def test_wf_036_without_scenarios_all_is_safe(side: int) -> None:
    """WF-036: a cross account's contracts stand alone; reserved lots are not offered."""
    state = holder(mode=Mode.CROSS, future=side * 10, next=-side * 10)
    (offer,) = offer_lots(1, state, at_marks(), [Intent(1, FUTURE, -side * 4, 0, 0)], {FUTURE: -side * 10})
    assert (offer.lots, offer.reserved, offer.safe) == (6, 4, 6)


@pytest.mark.parametrize(("side", "most"), [(1, 10), (-1, 9)])
def test_wf_036_contracts_are_safe_together(side: int, most: int) -> None:
    """
    WF-036: 20 lots against 30 calls lose 80,000 when all falls by 10; with 10 lots left as much when all rises. So 10
    may go, of one contract or of both. The mirror loses 20,000 by a rise, and with 11 lots left as much by a fall of 5.
    """
    state = holder(future=side * 10, next=side * 10, call=-side * 30)
    at = at_marks()
    limits = [sum_requirement(state, at, level) for level in (1, 2, 3)]
    safe = find_safe_lots(state, at, {FUTURE: 10, NEXT: 10})
    alone = find_safe_lots(state, at, {NEXT: 10})
    assert (safe, alone) == ({FUTURE: most, NEXT: 0}, {NEXT: most})
    for x in range(safe[FUTURE] + 1):
        for y in range(safe[NEXT] + 1):
            after = close_lots_at_mark(state, at, {FUTURE: x, NEXT: y})
            assert all(sum_requirement(after, at, i + 1) <= limit for i, limit in enumerate(limits))


def test_wf_036_at_most_so_many_contracts_of_a_holder_in_one_cycle() -> None:
    """WF-036"""
    sheet = make_sheet(more=8)
    state = holder(**{f"more{i}": 3 for i in range(8)})
    safe = find_safe_lots(state, at_marks(sheet), {10 + i: 3 for i in range(8)})
    assert sorted(safe.values()) == [0] * (8 - LEGS_MAX) + [3] * LEGS_MAX


@SIDES
@pytest.mark.parametrize("level", [1, 2, 3])
def test_wf_036_every_level_from_margin_call_down_counts(side: int, level: int) -> None:
    """WF-036: a hedge that counts at one level only is kept; one that counts at `initial` alone is not."""
    ppm = [1_000_000 if i <= level else 0 for i in range(4)]
    sheets = [
        replace(make_sheet(), portfolio=t.Components(tiered=tiered_factors(t.Preset.EXCHANGE), scenario=factors))
        for factors in (t.LevelFactors(*ppm), t.LevelFactors(1_000_000, 0, 0, 0))
    ]
    state = holder(future=side * 10, next=-side * 10)
    only = replace(sheets[0], portfolio=replace(sheets[0].portfolio, tiered=t.OFF))
    assert find_safe_lots(state, at_marks(only), {FUTURE: 10}) == {FUTURE: 0}
    assert find_safe_lots(state, at_marks(sheets[1]), {FUTURE: 10}) == {FUTURE: 10}


@SIDES
def test_wf_037_what_is_a_spread(side: int) -> None:
    """WF-037: legs of which one alone is not safe, in lowest whole terms; as many as raise no requirement."""
    at = at_marks()

    def spreads(state: AccountState) -> set[int]:
        wanted = {c: -q for c, (q, _) in state.positions.items() if c != CALL}
        return {o.spreads for o in offer_lots(1, state, at, [], wanted)}

    assert spreads(holder(future=side * 10, next=-side * 10)) == {10}
    assert spreads(holder(future=side * 10, next=-side * 4)) == {2}
    # Both legs the same way, or each safe: no spread.
    assert spreads(holder(future=side * 10, next=side * 10)) == {0}
    assert spreads(holder(mode=Mode.CROSS, future=side * 10, next=-side * 10)) == {0}
    # With 12 calls against them, eight of the ten 1:2 spreads leave the worst loss where it was.
    assert spreads(holder(future=-side * 10, next=side * 20, call=-side * 12)) == {8}


LEGS = st.dictionaries(st.sampled_from(["future", "next", "call"]), st.integers(-30, 30).filter(bool), min_size=1)


@given(LEGS, st.sampled_from([Mode.PORTFOLIO, Mode.CROSS]), st.data())
def test_closing_safe_lots_in_any_part_raises_no_requirement(legs, mode, data) -> None:
    """WF-036, WF-037: no requirement rises from margin_call down, balances stay to the unit."""
    state, at = holder(mode=mode, **legs), at_marks()
    wanted = {c: -q for c, (q, _) in state.positions.items() if data.draw(st.booleans())}
    offers = offer_lots(1, state, at, [], wanted)
    closed = {o.contract: data.draw(st.integers(0, o.safe)) for o in offers}
    if len(offers) > 1 and offers[0].spreads and data.draw(st.booleans()):
        count = data.draw(st.integers(1, offers[0].spreads))
        spreads = find_spreads(state, at, {o.contract: o.lots for o in offers}, {o.contract: o.safe for o in offers})
        assert spreads == {USD: offers[0].spreads}
        whole = gcd(*(o.lots for o in offers))
        closed = {o.contract: o.lots // whole * count for o in offers}
    after = close_lots_at_mark(state, at, closed)
    assert compute_balances(after, at) == {USD: compute_balances(state, at)[USD]}
    for level in (1, 2, 3):
        assert sum_requirement(after, at, level) <= sum_requirement(state, at, level)


@given(LEGS, st.data())
def test_safe_lots_of_one_contract_are_the_most_that_are(legs, data) -> None:
    """WF-036: against every number of lots: those up to the safe ones raise nothing, and the next one does."""
    state, at = holder(**legs), at_marks()
    contract = data.draw(st.sampled_from(sorted(state.positions)))
    held = abs(state.positions[contract][0])
    limits = [sum_requirement(state, at, level) for level in (1, 2, 3)]
    harmless = [
        all(
            sum_requirement(close_lots_at_mark(state, at, {contract: k}), at, i + 1) <= limit
            for i, limit in enumerate(limits)
        )
        for k in range(held + 1)
    ]
    safe = find_safe_lots(state, at, {contract: held})[contract]
    assert harmless == [k <= safe for k in range(held + 1)]


# Carried out


@SIDES
@pytest.mark.parametrize(
    ("hedges", "left", "taken"),
    [
        # 2 is hedged and keeps all, 3 closes its 6, 4 stay with the default account.
        (t.Hedges.KEEP, 4, (10, 0)),
        # 3 closes its 6 first, then 2 the rest.
        (t.Hedges.LAST, 0, (6, 0)),
        # Like any other lots: 10 of 16, 10 to 6.
        (t.Hedges.IGNORE, 0, None),
    ],
)
def test_wf_036_and_wf_038_hedges_carried_out(
    side: int, hedges: t.Hedges, left: int, taken: tuple[int, int] | None
) -> None:
    """WF-036, WF-038: 10 lots to go; account 2 is short 10 against NEXT, account 3 short 6 outright."""
    world = World(side, hedges=hedges)
    world.trade(1, 2, 10)
    world.trade(2, world.MAKER, 10, NEXT)
    world.trade(3, world.MAKER, -6)
    world.cut()
    levels = [world.engine.read(a).level for a in (2, 3)]
    world.fall()
    assert world.default() == left
    if taken:
        assert (-world.lots(2), -world.lots(3)) == taken
    else:
        assert -world.lots(2) - world.lots(3) == 6
        assert world.lots(2) > -10
    if hedges is t.Hedges.KEEP:
        assert [world.engine.read(a).level for a in (2, 3)] == levels == [Level.CALM, Level.CALM]
        assert world.said("adl_kept") == [{"contract": FUTURE, "lots": 4}]


@SIDES
@pytest.mark.parametrize("hedges", [t.Hedges.KEEP, t.Hedges.IGNORE])
def test_wf_039_no_new_liquidation(side: int, hedges: t.Hedges) -> None:
    """
    WF-039: account 4 has 30,000 and 10 FUTURE against 10 NEXT, which require nothing. NEXT alone requires 100,000: if
    the hedge is closed, at the mark and without a loss, the same cycle takes the account over.
    """
    world = World(side, hedges=hedges)
    world.open(4, deposit=30_000, asset=USD, mode=Mode.PORTFOLIO)
    world.cut()
    world.trade(1, 4, 10)
    world.trade(4, world.MAKER, 10, NEXT)
    world.fall()
    seen = [e.fields["level"] for r in world.results for e in r.events if e.kind == "taken_over" and e.account == 4]
    if hedges is t.Hedges.KEEP:
        assert (world.lots(4), world.lots(4, NEXT), seen) == (-10, 10, [])
    else:
        assert (world.lots(4), world.lots(4, NEXT), seen) == (0, 0, ["TAKEOVER"])


@SIDES
def test_wf_038_what_nobody_may_close_pays_in_cash(side: int) -> None:
    """
    WF-038: 10 lots stay with the default account; the 10,000 they lose at the next mark are a claim on the market,
    whose fund pays 5,000, a quarter of the 20,000 that the takeover brought it.
    """
    world = World(side)
    world.trade(1, 2, 10)
    world.trade(2, world.MAKER, 10, NEXT)
    world.cut()
    world.fall()
    assert (world.default(), world.lots(2)) == (10, -10)
    world.mark(future=-14_000, next=-14_000)
    world.cut()
    world.cut()
    assert world.said("claim") == [{"contract": FUTURE, "asset": USD, "amount": 10_000}]
    assert world.engine.house.cash(SUSPENSE, USD) == -5_000


@SIDES
def test_wf_037_whole_spreads(side: int) -> None:
    """WF-037: 10 FUTURE against 10 NEXT; no leg alone is safe, both together are."""
    world = World(side)
    world.trade(1, 2, 10)
    world.trade(1, 2, -10, NEXT)
    world.cut()
    world.fall(future=10_000, following=0)
    assert (world.lots(2), world.lots(2, NEXT)) == (0, 0)
    assert (world.default(), world.default(NEXT)) == (0, 0)
    dealt = [e.fields for r in world.results for e in r.events if e.kind == "adl_dealt"]
    assert [(f["contract"], f["lots"], f["in_spreads"]) for f in dealt] == [(FUTURE, 10, 10), (NEXT, 10, 10)]


@SIDES
def test_wf_037_without_spreads_the_legs_stay(side: int) -> None:
    """WF-037: the same with spreads off: neither leg is safe alone, so that both stay."""
    world = World(side, spreads=False)
    world.trade(1, 2, 10)
    world.trade(1, 2, -10, NEXT)
    world.cut()
    world.fall(future=10_000, following=0)
    assert (world.lots(2), world.lots(2, NEXT)) == (-10, 10)
    assert (world.default(), world.default(NEXT)) == (10, -10)


@SIDES
def test_wf_037_spreads_of_several_holders_are_dealt_like_lots(side: int) -> None:
    """WF-037: 9 spreads wanted, 8 and 4 offered: pro rata 6 and 3; nobody closes half a spread."""
    world = World(side)
    for account, lots in ((2, 8), (3, 4)):
        world.trade(world.MAKER, account, lots)
        world.trade(world.MAKER, account, -lots, NEXT)
    world.trade(1, world.MAKER, 9)
    world.trade(1, world.MAKER, -9, NEXT)
    world.cut()
    world.fall(future=11_000, following=0)
    assert [(-world.lots(a), world.lots(a, NEXT)) for a in (2, 3)] == [(2, 2), (1, 1)]
    assert (world.default(), world.default(NEXT)) == (0, 0)


@SIDES
def test_wf_037_only_spreads_that_are_safe(side: int) -> None:
    """WF-037: 10 FUTURE and 20 NEXT to go; account 2 has ten spreads 1:2, eight of them safe beside its calls."""
    world = World(side)
    world.trade(1, 2, 10)
    world.trade(1, 2, -20, NEXT)
    world.trade(2, world.MAKER, -12, CALL)
    world.cut()
    world.fall(future=7_000, following=0)
    assert (world.lots(2), world.lots(2, NEXT)) == (-2, 4)


@SIDES
def test_wf_037_who_closed_a_spread_closes_no_single_lot(side: int) -> None:
    """WF-037: 7 FUTURE and 4 NEXT to go: account 2, with 10 and 4, closes one spread 5:2, and no sixth lot yet."""
    world = World(side)
    world.trade(1, 2, 7)
    world.trade(1, 2, -4, NEXT)
    world.trade(2, world.MAKER, -3)
    world.cut()
    world.fall(future=17_000, following=0)
    assert (world.lots(2), world.lots(2, NEXT)) == (-5, 2)
    world.cut()
    assert (world.lots(2), world.lots(2, NEXT)) == (-3, 2)


@SIDES
def test_wf_037_a_queue_ranks_spreads_by_all_their_legs(side: int) -> None:
    """WF-037: two holders of five spreads, the same but for a deposit; the one with less equity stands first."""
    world = World(side, lots=t.Allocation.QUEUE)
    _, rich = min((bucket_of(a), a) for a in (2, 3))
    world.ok(cm.Deposit, account=rich, asset=USD, amount=10**6)
    for account in (2, 3):
        world.trade(world.MAKER, account, 5)
        world.trade(world.MAKER, account, -5, NEXT)
    world.trade(1, world.MAKER, 9)
    world.trade(1, world.MAKER, -9, NEXT)
    world.cut()
    world.fall(future=11_000, following=0)
    assert {a: -world.lots(a) for a in (2, 3)} == {rich: 1, 5 - rich: 0}
    assert {a: world.lots(a, NEXT) for a in (2, 3)} == {rich: 1, 5 - rich: 0}


@SIDES
def test_wf_037_shapes_share_what_is_wanted(side: int) -> None:
    """WF-037: 10 FUTURE and 10 NEXT to go: spreads 1:1 first, which leave nothing for those of 2:1."""
    world = World(side)
    world.trade(1, 2, 10)
    world.trade(1, 2, -10, NEXT)
    world.trade(3, world.MAKER, -10)
    world.trade(3, world.MAKER, 5, NEXT)
    world.cut()
    world.fall(future=10_000, following=0)
    assert [(world.lots(a), world.lots(a, NEXT)) for a in (2, 3)] == [(0, 0), (-10, 5)]
    assert (world.default(), world.default(NEXT)) == (0, 0)


# Questions


@SIDES
def test_wf_060_and_wf_061_rank_and_what_if(side: int) -> None:
    """WF-060, WF-061: the answers are what happens, and asking changes nothing."""
    world = World(side, lots=t.Allocation.QUEUE)
    world.trade(1, 2, 6)
    world.trade(1, 3, 4)
    world.trade(1, world.MAKER, 1)
    world.cut()
    world.mark(future=-13_000, next=-13_000)
    world.cut()
    world.cut()
    before = world.engine.snapshot()
    ranks = {a: world.engine.adl_rank(a, FUTURE) for a in (2, 3)}
    # The external account has no rank. Same entry and mark: the larger position on the same equity stands first.
    assert [(r.rank, r.holders, r.lots_before, r.lots, r.wanted) for r in ranks.values()] == [
        (1, 2, 0, -side * 6, 11),
        (2, 2, 6, -side * 4, 11),
    ]
    assert world.engine.adl_rank(3, FUTURE, 5).taken == {
        t.Allocation.QUEUE: 0,
        t.Allocation.PRO_RATA: 2,
        t.Allocation.WATER_FILLING: 2,
        t.Allocation.MIN_MAX: 2,
    }
    assert world.engine.adl_what_if(FUTURE, side * 7) == sorted([(2, side * 6), (3, side)])
    assert world.engine.snapshot() == before
    whole = world.engine.adl_what_if(FUTURE, side * 5, LotPolicy(t.Allocation.PRO_RATA))
    assert dict(whole) == {2: side * 3, 3: side * 2}
    assert world.engine.adl_what_if(FUTURE, -side * 7) == []
    # Who stands on the default account's own side is wanted for nothing now.
    world.trade(2, world.MAKER, 9)
    world.cut()
    assert world.engine.house.lots(default_account(FUTURE), FUTURE) == side * 7
    assert [(r.lots, r.wanted) for r in [world.engine.adl_rank(2, FUTURE)]] == [(side * 3, 0)]


def test_wf_061_last_lots_go_by_the_root_of_the_closed_cycle() -> None:
    """WF-061, WF-010: of three equal holders the one that the root names closes the odd lot, in both answers."""
    world = World()
    world.open(4, deposit=10**6, asset=USD, mode=Mode.PORTFOLIO)
    world.cut()
    for account in (2, 3, 4):
        world.trade(world.MAKER, account, 3)
    seen = set()
    for _ in range(6):
        world.cut()
        holders = sorted((bucket_of(a), a) for a in (2, 3, 4))
        first = holders[world.engine.house.first_extra(FUTURE) % 3][1]
        assert world.engine.adl_what_if(FUTURE, 1) == [(first, 1)]
        taken = {a: world.engine.adl_rank(a, FUTURE, 1).taken[t.Allocation.PRO_RATA] for a in (2, 3, 4)}
        assert taken == {a: int(a == first) for a in (2, 3, 4)}
        seen.add(first)
    assert len(seen) > 1


def test_wf_060_an_exempt_class_has_no_rank() -> None:
    """WF-060: the sheet exempts market makers: neither ranked nor asked."""
    sheet = make_sheet()
    exempt = replace(sheet.classes[AccountClass.MARKET_MAKER], deleveraged=False)
    world = World()
    world.ok(cm.SetSheet, sheet=t.encode_sheet(replace(sheet, classes=(sheet.classes[0], exempt, *sheet.classes[2:]))))
    for account, kind in ((5, AccountClass.MARKET_MAKER), (6, AccountClass.CLIENT)):
        world.engine.submit(cm.OpenAccount(source=2, nonce=account, account=account, root=account, kind=kind))
        world.ok(cm.Deposit, account=account, asset=USD, amount=10**6)
    world.cut()
    for account in (5, 6):
        world.trade(1, account, 2)
    world.cut()
    assert world.engine.adl_rank(6, FUTURE, 4).holders == 1
    assert world.engine.adl_what_if(FUTURE, 4) == [(6, 2)]
    with pytest.raises(DataError, match="was 5 with none"):
        world.engine.adl_rank(5, FUTURE)


def test_wf_060_says_what_cannot_be_asked() -> None:
    """WF-060, WF-061"""
    world = World()
    world.trade(1, world.MAKER, 6)
    world.cut()
    for account in (2, 77, world.MAKER):
        with pytest.raises(DataError, match=f"lots of contract {FUTURE} that ADL may close, was {account} with none"):
            world.engine.adl_rank(account, FUTURE)
    for lots in (0, 2**31, 1.5, True):
        with pytest.raises(DataError, match="lots must be a whole number from 1 to 2147483647"):
            world.engine.adl_what_if(FUTURE, lots)
    with pytest.raises(DataError, match="contract must be one with a mark, was 99"):
        world.engine.adl_what_if(99, 5)
    assert world.engine.adl_rank(1, FUTURE).wanted == 0
