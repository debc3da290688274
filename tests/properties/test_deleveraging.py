"""
Auto-deleveraging carried out by the engine over random hedged accounts, any policy: exact, harmless, shard-independent.
"""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.hedged import CALL, FUTURE, NEXT, USD, World
from tocsin.core.ids import default_account
from tocsin.engine.candidates import close_lots_at_mark
from tocsin.engine.messages import CloseLots
from tocsin.margin.requirement import sum_requirement
from tocsin.margin.state import Mode
from tocsin.sheet import terms as t

LOTS = st.integers(-12, 12)
LEGS = st.tuples(LOTS, LOTS, LOTS)
POLICIES = st.fixed_dictionaries(
    {
        "lots": st.sampled_from(list(t.Allocation)),
        "score": st.sampled_from(list(t.Score)),
        "weight": st.sampled_from(list(t.Weight)),
        "hedges": st.sampled_from(list(t.Hedges)),
        "spreads": st.booleans(),
    }
)
MODES = st.sampled_from([Mode.PORTFOLIO, Mode.PORTFOLIO, Mode.CROSS])
HOLDERS = st.lists(st.tuples(MODES, LEGS), min_size=1, max_size=4)


def check_decisions(world: World, hedges: t.Hedges) -> int:
    """Check what was decided at the last close against the accounts as of it; return the lots closed."""
    closing = [d for d in world.engine.opened.decisions if isinstance(d, CloseLots)]
    per_account: dict[int, dict[int, int]] = {}
    for d in closing:
        held = world.engine.read(d.account).positions[d.contract][0]
        assert held * d.lots < 0
        assert abs(d.lots) <= abs(held)
        assert d.contract not in per_account.setdefault(d.account, {})
        per_account[d.account][d.contract] = abs(d.lots)
    valuation = world.engine.shards[0].valuation
    for account, closed in per_account.items():
        state = world.engine.read(account)
        assert state.mode != Mode.EXTERNAL
        after = close_lots_at_mark(state, valuation, closed)
        if hedges is t.Hedges.KEEP:
            for level in (1, 2, 3):
                assert sum_requirement(after, valuation, level) <= sum_requirement(state, valuation, level)
    for contract in (FUTURE, NEXT, CALL):
        dealt = sum(d.lots for d in closing if d.contract == contract)
        # The own side is booked when the cycle opens, before this is read.
        left = world.lots(default_account(contract), contract) * world.side
        assert left * (left + dealt) >= 0
        assert dealt * (left + dealt) >= 0
    return sum(abs(d.lots) for d in closing)


def play(shards: int, policy: dict, legs: tuple, holders: list, side: int) -> tuple[list[bytes], int]:
    """Let account 1 fall with `legs`, its lots met by whoever is on the other side; return roots and lots closed."""
    world = World(side, shards=shards, **policy)
    contracts = (FUTURE, NEXT, CALL)
    for contract, lots in zip(contracts, legs, strict=True):
        if lots:
            world.trade(1, world.MAKER, lots, contract)
    for k, (mode, own) in enumerate(holders):
        world.open(20 + k, deposit=400_000 + 10_000 * k, asset=USD, mode=mode)
        for contract, lots in zip(contracts, own, strict=True):
            if lots:
                world.trade(20 + k, world.MAKER, lots, contract)
    world.cut()
    world.mark(future=-15_000 if legs[0] > 0 else 15_000, next=9_000, call=2_500)
    closed = 0
    for _ in range(6):
        world.cut()
        closed += check_decisions(world, policy["hedges"])
    return [r.root for r in world.results], closed


@settings(max_examples=60)
@given(POLICIES, LEGS, HOLDERS, st.sampled_from([1, -1]))
def test_any_policy_is_exact_harmless_and_independent_of_shards(policy, legs, holders, side):
    """
    Sums are checked by each close. Nobody's position flips, the default account's never grows; with KEEP no holder's
    requirement rises, spreads and lots of several contracts taken together.
    """
    roots, _ = play(3, policy, legs, holders, side)
    assert roots == play(1, policy, legs, holders, side)[0]


def test_the_random_worlds_do_close_lots():
    """A fixed one: a seller of 10 FUTURE, hedged by 5 CALL and not; 10 lots to go."""
    policy = {"lots": t.Allocation.PRO_RATA, "hedges": t.Hedges.KEEP}
    _, closed = play(2, policy, (10, 0, 0), [(Mode.PORTFOLIO, (-10, 0, 5)), (Mode.CROSS, (-4, 0, 0))], 1)
    assert closed == 10
