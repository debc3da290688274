"""
Count what everyone has, afresh from the stores, apart from the engine's own sums.
"""

from collections.abc import Iterator
from typing import NamedTuple

from tocsin.core.ids import GLOBAL_FUND, market_fund
from tocsin.core.integers import PPM
from tocsin.engine.engine import Engine
from tocsin.lab.october.sheets import BTC, USDT
from tocsin.margin.state import AccountState, Mode


class Wealth(NamedTuple):
    """
    Who has how much, in units of USDT at one moment; collateral in BTC without haircut, each sum rounded down.

    `house` is the rest of the ClearingHouse: default account, error account, suspense.
    """

    accounts: dict[int, int]
    outside: int
    market_funds: int
    global_fund: int
    house: int


def count_wealth(engine: Engine, btc_price: int) -> Wealth:
    """
    Return the wealth of all accounts at the engine's marks.

    Args:
        engine: Between two cycles.
        btc_price: Price of a satoshi in millionths of a unit of USDT; one price for two moments makes them compare.
    """
    nets = {c: line.net for c, line in engine.shards[0].valuation.lines.items()}
    funds = {market_fund(c.id) for c in engine.house.sheet.contracts}
    accounts: dict[int, int] = {}
    outside = markets = common = house = 0
    for state in _states(engine):
        value = state.cash.get(USDT, 0) + state.cash.get(BTC, 0) * btc_price // PPM
        value += sum(lots * nets[c] - entry for c, (lots, entry) in state.positions.items())
        if state.id == GLOBAL_FUND:
            common += value
        elif state.id in funds:
            markets += value
        elif state.id <= 0:
            house += value
        elif state.mode == Mode.EXTERNAL:
            outside += value
        else:
            accounts[state.id] = value
    return Wealth(accounts, outside, markets, common, house)


def residue(engine: Engine) -> int:
    """
    Return what all books together hold beyond the vault, over all assets, in absolute units: 0 if money was conserved.
    """
    totals: dict[int, int] = {}
    assets = {c.id: c.asset for c in engine.house.sheet.contracts}
    for state in _states(engine):
        for asset, amount in [*state.cash.items(), *state.in_transit.items()]:
            totals[asset] = totals.get(asset, 0) + amount
        for contract, (_, entry) in state.positions.items():
            totals[assets[contract]] = totals.get(assets[contract], 0) - entry
    vault = engine.house.state.vault
    return sum(abs(totals.get(a, 0) - vault.get(a, 0)) for a in {**totals, **vault})


def lots_residue(engine: Engine) -> int:
    """
    Return the absolute lots by which positions do not sum to zero, over all contracts.
    """
    totals: dict[int, int] = {}
    for state in _states(engine):
        for contract, (lots, _) in state.positions.items():
            totals[contract] = totals.get(contract, 0) + lots
    return sum(map(abs, totals.values()))


def _states(engine: Engine) -> Iterator[AccountState]:
    for store in [*(shard.store for shard in engine.shards), engine.house.store]:
        for account in store.accounts():
            state = store.read(account)
            assert state is not None
            yield state
