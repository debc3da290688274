"""
Scenario component: what a portfolio loses in the worst published scenario (rules RQ-030 to RQ-036).

Per underlying u and scenario s, `V_us` is the sum of lots x array over its contracts and of balance x row over the
assets that bear its risk. The joint loss lets k/256 of one underlying's gain stand against another's loss; the
component is `max(joint, lambda x sum of what each would lose alone)`, never below 0.
"""

from collections.abc import Mapping
from operator import add
from typing import NamedTuple

from tocsin.core.integers import GAIN_PARTS
from tocsin.margin.state import AccountState
from tocsin.margin.valuation import Valuation, compute_balances

Holds = Mapping[int, tuple[int, int]]


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
    positions = account.positions
    for contract in {**positions, **holds} if holds else positions:
        line = valuation.lines.get(contract)
        if line is None or not line.terms.array:
            continue
        lots = positions.get(contract, (0, 0))[0]
        bid, ask = holds.get(contract, (0, 0)) if holds else (0, 0)
        # The worst of the three sizes is the smallest where a long gains, the largest where it loses.
        gaining, losing = (lots - ask) * line.scenario_price, (lots + bid) * line.scenario_price
        column = [pnl * (gaining if pnl > 0 else losing) for pnl in line.terms.array]
        known = out.get(line.terms.underlying)
        out[line.terms.underlying] = column if known is None else list(map(add, known, column))
    if valuation.risky_assets:
        _add_balances(out, compute_balances(account, valuation), valuation)
    return out


def _add_balances(out: dict[int, list[int]], balances: dict[int, int], valuation: Valuation) -> None:
    """Add what balances of assets that bear market risk gain in each scenario (rule RQ-035)."""
    for asset in valuation.risky_assets:
        balance = balances.get(asset, 0)
        if balance:
            terms = valuation.assets[asset]
            value = balance * (valuation.prices[asset] if balance > 0 else valuation.price_owed(asset))
            column = [value * ppm for ppm in terms.row]
            known = out.get(terms.underlying)
            out[terms.underlying] = column if known is None else list(map(add, known, column))


def sum_scenarios(values: Mapping[int, list[int]], valuation: Valuation) -> ScenarioSum:
    """
    Return the scenario component of V per underlying (rules RQ-031 to RQ-034).
    """
    joint, alone = [0] * len(valuation.sheet.scenarios), 0
    for underlying, column in values.items():
        gain = valuation.underlyings[underlying].gain_256
        joint = [
            total + value * (GAIN_PARTS if value < 0 else gain) for total, value in zip(joint, column, strict=True)
        ]
        alone += max(0, -min(column))
    worst = joint.index(min(joint))
    loss, floor = max(0, -joint[worst]), alone * valuation.sheet.alone_256
    return ScenarioSum(max(loss, floor), loss, floor, worst, {u: column[worst] for u, column in values.items()})


def scenario_component(account: AccountState, valuation: Valuation, holds: Holds | None = None) -> int:
    """
    Return the scenario component before factors, >= 0, in valuation units x `PPM x PRICE_SCALE x 256`, exact.
    """
    values = scenario_values(account, valuation, holds)
    return sum_scenarios(values, valuation).total if values else 0
