"""
Scenario component: what a portfolio loses in the worst published scenario (rules RQ-030 to RQ-036).

Per underlying u and scenario s, `V_us` is the sum of lots x array over its contracts and of balance x row over the
assets that bear its risk. The joint loss lets k/256 of one underlying's gain stand against another's loss; the
component is `max(joint, lambda x sum of what each would lose alone)`, never below 0.
"""

from collections.abc import Mapping
from typing import NamedTuple

from tocsin.margin.state import AccountState
from tocsin.margin.valuation import Valuation, compute_balances

Holds = Mapping[int, tuple[int, int]]

GAIN_PARTS = 256
"""Denominator of the part of a gain that counts against losses elsewhere, and of lambda."""


class ScenarioSum(NamedTuple):
    """
    The scenario component and how it came about, in valuation units x `PPM x PRICE_SCALE x 256`, exact.

    `total = max(joint, floor)`, floor being lambda times the losses alone; both are >= 0. `worst` is the first scenario
    with the largest joint loss, `values` the V of each underlying in it, x `PPM x PRICE_SCALE`.
    """

    total: int
    joint: int
    floor: int
    worst: int
    values: dict[int, int]


def scenario_values(account: AccountState, valuation: Valuation, holds: Holds | None = None) -> dict[int, list[int]]:
    """
    Return V per underlying and scenario in valuation units x `PPM x PRICE_SCALE`, exact.

    With `holds` each contract stands, in each scenario, at the worst of none, all bids or all asks filled (rule
    RQ-036).
    """
    out: dict[int, list[int]] = {}
    width = len(valuation.sheet.scenarios)
    positions = account.positions
    for contract in {**positions, **holds} if holds else positions:
        line = valuation.lines.get(contract)
        if line is None or not line.terms.array:
            continue
        lots = positions.get(contract, (0, 0))[0]
        bid, ask = holds.get(contract, (0, 0)) if holds else (0, 0)
        values = out.setdefault(line.terms.underlying, [0] * width)
        for s, pnl in enumerate(line.terms.array):
            # The worst of the three sizes is the smallest where a long gains, the largest where it loses.
            values[s] += (lots - ask if pnl > 0 else lots + bid) * pnl * line.scenario_price
    if valuation.risky_assets:
        _add_balances(out, compute_balances(account, valuation), valuation)
    return out


def _add_balances(out: dict[int, list[int]], balances: dict[int, int], valuation: Valuation) -> None:
    """Add what balances of assets that bear market risk gain in each scenario (rule RQ-035)."""
    for asset in valuation.risky_assets:
        balance = balances.get(asset, 0)
        if balance:
            terms = valuation.assets[asset]
            values = out.setdefault(terms.underlying, [0] * len(terms.row))
            value = balance * (valuation.prices[asset] if balance > 0 else valuation.price_owed(asset))
            for s, ppm in enumerate(terms.row):
                values[s] += value * ppm


def sum_scenarios(values: Mapping[int, list[int]], valuation: Valuation) -> ScenarioSum:
    """
    Return the scenario component of V per underlying (rules RQ-031 to RQ-034).
    """
    width = len(valuation.sheet.scenarios)
    joint, alone = [0] * width, 0
    for underlying, column in values.items():
        gain = valuation.underlyings[underlying].gain_256
        for s, value in enumerate(column):
            joint[s] += value * (GAIN_PARTS if value < 0 else gain)
        alone += max(0, -min(column))
    worst = min(range(width), key=joint.__getitem__)
    loss, floor = max(0, -joint[worst]), alone * valuation.sheet.alone_256
    return ScenarioSum(max(loss, floor), loss, floor, worst, {u: column[worst] for u, column in values.items()})


def scenario_component(account: AccountState, valuation: Valuation, holds: Holds | None = None) -> int:
    """
    Return the scenario component before factors, >= 0, in valuation units x `PPM x PRICE_SCALE x 256`, exact.
    """
    values = scenario_values(account, valuation, holds)
    return sum_scenarios(values, valuation).total if values else 0
