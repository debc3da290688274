"""
Questions about the last closed cycle that change nothing: price bands (rules PR-010 to PR-014), ADL rank and what-if
(rules WF-060, WF-061).

Answers about ADL are what the ClearingHouse would decide at this close if one contract alone were wanted. Between two
closes marks, positions and the root where last lots begin move on, so that an answer is for its cycle only.
"""

from collections.abc import Sequence
from typing import NamedTuple

from tocsin.core.errors import DataError
from tocsin.core.ids import bucket_of
from tocsin.core.integers import sign
from tocsin.core.limits import LOTS_MAX
from tocsin.engine.candidates import offer_lots
from tocsin.engine.deleveraging import as_candidate, unreserved_lots
from tocsin.engine.house import HouseDesk
from tocsin.engine.shard import Shard
from tocsin.margin.price_band import PriceBand, price_band
from tocsin.margin.state import AccountState, Level, Mode
from tocsin.procedures.waterfall.adl import LotPolicy, deal_lots
from tocsin.procedures.waterfall.scores import Candidate, rank_candidates
from tocsin.sheet.terms import Allocation, RiskSheet


class AdlRank(NamedTuple):
    """
    Where a position stands in auto-deleveraging, as of the last closed cycle.

    `lots` are signed and held; of them `offered` are reserved by no intent, and `safe` may be closed without raising
    the account's requirement. `rank` is the place among `holders` on its side by the sheet's score, from 1;
    `lots_before` are the lots offered before it. `taken` is what each way of dealing would close of it if `wanted` lots
    were to go.
    """

    account: int
    contract: int
    lots: int
    offered: int
    safe: int
    rank: int
    holders: int
    lots_before: int
    wanted: int
    taken: dict[Allocation, int]


def may_be_deleveraged(state: AccountState, sheet: RiskSheet) -> bool:
    """
    Return whether ADL may ask the account: it is margined, and its class is not exempt.
    """
    return state.mode != Mode.EXTERNAL and sheet.classes[state.kind].deleveraged


def find_band(shard: Shard, account: int, underlying: int, level: Level) -> PriceBand:
    """
    Return where an account falls below `level` as one underlying moves, at the marks of its shard (rule PR-010).

    Raises:
        DataError: There is no such account or underlying; no contract with a mark measures it, or the account holds
            nothing of it (rule PR-013).
    """
    state, valuation = shard.store.read(account), shard.valuation
    if state is None:
        raise DataError(f"account must be open, was {account}")
    terms = valuation.underlyings.get(underlying)
    if terms is None:
        raise DataError(f"underlying must be one of {sorted(valuation.underlyings)}, was {underlying!r}")
    if terms.contract not in valuation.lines:
        raise DataError(f"underlying must be measured by a contract with a mark, was {underlying} with none")
    band = price_band(state, valuation, underlying, level)
    if band is None:
        raise DataError(f"account must hold something of underlying {underlying}, was {account} with nothing")
    return band


def list_candidates(shards: Sequence[Shard], contract: int, lots: int) -> list[Candidate]:
    """
    Return who could close signed `lots` of the default account, in (bucket, account) order.
    """
    out: list[Candidate] = []
    for shard in shards:
        for account in shard.store.accounts():
            state = shard.read(account)
            if contract not in state.positions or not may_be_deleveraged(state, shard.sheet):
                continue
            case = shard.cases.get(account)
            intents = case.intents if case is not None else []
            out += map(
                as_candidate, offer_lots(shard.bucket(account), state, shard.valuation, intents, {contract: lots})
            )
    return sorted(out)


def adl_what_if(
    shards: Sequence[Shard], house: HouseDesk, contract: int, lots: int, policy: LotPolicy | None = None
) -> list[tuple[int, int]]:
    """
    Return (account, lots closed) of every holder that would close some if `lots` of the default account were to go.

    Args:
        contract: Id of a contract with a mark.
        lots: Signed lots the default account would trade away: long (> 0) meets holders who are short.
        policy: Another way of dealing than the sheet's.

    Returns:
        Signed lots booked to each account, of the sign of `lots`, in (bucket, account) order.

    Raises:
        DataError: No such contract or mark; lots not a whole number, 0, or above 2^31 - 1.
    """
    _check(house, contract, lots)
    candidates = list_candidates(shards, contract, lots)
    using = policy or LotPolicy.of(house.sheet.waterfall)
    dealt = deal_lots(abs(lots), candidates, using, first_extra=house.first_extra(contract))
    return [(c.account, units * sign(lots)) for c, units in zip(candidates, dealt, strict=True) if units]


def adl_rank(
    shards: Sequence[Shard], house: HouseDesk, account: int, contract: int, wanted: int | None = None
) -> AdlRank:
    """
    Return the place of one position in the ADL queue, and what would be closed of it (rules WF-060, WF-061).

    Args:
        account: Id of an account that holds lots of the contract.
        contract: Id of the contract.
        wanted: Lots to close on the account's side, > 0; if absent, what the default account holds against it and
            nothing else will trade, 0 if it holds none.

    Raises:
        DataError: The account holds no lots of the contract that ADL may ask for; `wanted` is out of range.
    """
    held = bucket = 0
    for shard in shards:
        state = shard.store.read(account)
        if state is not None and may_be_deleveraged(state, shard.sheet):
            held, bucket = state.positions.get(contract, (0, 0))[0], bucket_of(state.root)
    if not held:
        raise DataError(f"account must hold lots of contract {contract} that ADL may close, was {account} with none")
    if wanted is None:
        free = unreserved_lots(house, contract)
        wanted = abs(free) if free * held < 0 else 0
    else:
        _check(house, contract, wanted)
        wanted = abs(wanted)
    policy = LotPolicy.of(house.sheet.waterfall)
    candidates = list_candidates(shards, contract, -sign(held))
    first = house.first_extra(contract)
    places = [i for i, c in enumerate(candidates) if (c.bucket, c.account) == (bucket, account)]
    if not places:
        return AdlRank(account, contract, held, 0, 0, 0, len(candidates), 0, wanted, dict.fromkeys(Allocation, 0))
    (place,) = places
    mine = candidates[place]
    queue = rank_candidates(candidates, policy.score, first_extra=first)
    before = queue[: queue.index(place)]
    taken = {
        allocation: deal_lots(wanted, candidates, policy._replace(allocation=allocation), first_extra=first)[place]
        for allocation in Allocation
    }
    return AdlRank(
        account,
        contract,
        held,
        mine.lots,
        mine.safe_lots,
        len(before) + 1,
        len(candidates),
        sum(candidates[i].lots for i in before),
        wanted,
        taken,
    )


def _check(house: HouseDesk, contract: int, lots: object) -> None:
    if contract not in house.valuation.lines:
        raise DataError(f"contract must be one with a mark, was {contract!r}")
    if type(lots) is not int or not 0 < abs(lots) <= LOTS_MAX:
        raise DataError(f"lots must be a whole number from 1 to {LOTS_MAX} or its negative, was {lots!r}")
