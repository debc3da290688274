"""
The arithmetic of equity and requirement laid out term by term, for whoever checks it by hand (rules EQ-003, RQ-002).

Nothing decides by these values. They are built from the same terms as `valuation` and `requirement`, and their sums are
the same numbers (rule WY-004).
"""

from bisect import bisect_right
from typing import NamedTuple

from tocsin.core.integers import GAIN_PARTS, PPM
from tocsin.margin.requirement import INITIAL, account_addon, contract_addon, contract_requirement
from tocsin.margin.scenario import scenario_component
from tocsin.margin.state import AccountState
from tocsin.margin.valuation import Factors, Line, Valuation, compute_balances, value_balance

TIERED, CHARGE, SUM = "tiered", "charge", "sum"


class Part(NamedTuple):
    """`units` of a balance that count with `weight_ppm` of their value (above 1,000,000: a negative balance)."""

    units: int
    weight_ppm: int


class BalanceSum(NamedTuple):
    """
    One asset: cash, P&L and what is in transit (no part of equity) in its units, the parts of cash plus P&L with their
    weights, the price they count at (millionths of a valuation unit per unit), and the value, x `EQUITY_SCALE`, exact.
    """

    asset: int
    cash: int
    pnl: int
    in_transit: int
    parts: tuple[Part, ...]
    price: int
    value: int


class Need(NamedTuple):
    """
    The requirement of one leg at one level. `lots` are those it is computed on (at `initial` the worst of none, all
    bids, all asks filled); `notional` and `charge` in units; `tiered = rate x notional - deduction` and `band` in
    millionths of a unit; `counts` says which component counts; `others` are the absolute lots of the owner's other
    accounts, above whose notional the brackets are taken. `own` is what counts of both, `addon` the contract's add-ons
    (the band among them), `total` their sum, x `LEG_SCALE`, exact.
    """

    lots: int
    notional: int
    rate_ppm: int
    deduction: int
    tiered: int
    charge: int
    band: int
    tiered_factor: int
    charge_factor: int
    counts: str
    total: int
    own: int
    addon: int
    others: int


class AccountNeed(NamedTuple):
    """
    The requirement of an account at one level, x `SCALE`, exact: `total = (own + scenario, or the larger) + addons`.

    `own` are the legs' own requirements, `scenario` the scenario component times its factor, `addons` those of legs
    and account.
    """

    own: int
    scenario: int
    summed: bool
    addons: int
    total: int


class LegSum(NamedTuple):
    """
    One contract: signed lots, mark and funding index per lot, entry sum and P&L in units of the settlement asset, the
    hold (bid, ask), the price of that asset as owed, and the requirement at each level from `initial` to `takeover`.
    """

    contract: int
    lots: int
    mark: int
    funding: int
    entry: int
    pnl: int
    is_fresh: bool
    hold: tuple[int, int]
    price: int
    needs: tuple[Need, Need, Need, Need]


def sum_balances(account: AccountState, valuation: Valuation) -> tuple[BalanceSum, ...]:
    """
    Return each asset's balance and its value; the values add up to equity before its one rounding.
    """
    out: list[BalanceSum] = []
    balances = compute_balances(account, valuation)
    for asset in sorted({**balances, **account.in_transit}):
        balance, moving = balances.get(asset, 0), account.in_transit.get(asset, 0)
        terms, cash = valuation.assets[asset], account.cash.get(asset, 0)
        price, owed = valuation.prices[asset], valuation.price_owed(asset)
        if balance < 0:
            parts = [Part(balance, PPM + terms.premium_ppm)]
        else:
            uppers = [t.lower for t in terms.haircuts[1:]] + [balance]
            taken = [max(0, min(balance, u) - t.lower) for t, u in zip(terms.haircuts, uppers, strict=True)]
            parts = [Part(n, PPM - t.haircut_ppm) for n, t in zip(taken, terms.haircuts, strict=True) if n]
        value = value_balance(terms, price, owed, balance)
        used = owed if balance < 0 else price
        out.append(BalanceSum(asset, cash, balance - cash, moving, tuple(parts), used, value))
    return tuple(out)


def sum_legs(account: AccountState, valuation: Valuation) -> tuple[LegSum, ...]:
    """
    Return each contract held or with resting orders; its requirements add up to the account's before its one rounding.
    """
    out: list[LegSum] = []
    factors = valuation.factors(account.mode)
    for contract in sorted({**account.positions, **account.holds}):
        line = valuation.lines.get(contract)
        if line is None:
            continue
        lots, entry = account.positions.get(contract, (0, 0))
        bid, ask = account.holds.get(contract, (0, 0))
        others = account.others.get(contract, 0)
        sizes = (lots, lots + bid, lots - ask)
        worst = max(sizes, key=lambda size, ln=line, o=others: contract_requirement(ln, factors, size, INITIAL, o))
        addon = max(contract_addon(line, factors, size, INITIAL, others) for size in sizes)
        needs = [_sum_need(line, factors, worst if level == INITIAL else lots, level, others) for level in range(4)]
        needs[INITIAL] = needs[INITIAL]._replace(addon=addon, total=needs[INITIAL].own + addon)
        out.append(
            LegSum(
                contract,
                lots,
                line.mark,
                line.funding,
                entry,
                lots * line.net - entry,
                line.fresh,
                (bid, ask),
                line.price,
                (needs[0], needs[1], needs[2], needs[3]),
            )
        )
    return tuple(out)


def _sum_need(line: Line, factors: Factors, lots: int, level: int, others: int) -> Need:
    notional = (abs(lots) + others) * line.notional
    i = bisect_right(line.lowers, notional) - 1
    used = factors.tiered[level], factors.charge[level]
    tiered, charge = line.tiered(lots, others), line.charge(lots)
    counts = SUM if line.summed else TIERED if tiered * used[0] > charge * PPM * used[1] else CHARGE
    band = abs(lots) * line.notional * line.terms.stale_half_band_ppm if level == INITIAL and not line.fresh else 0
    own = contract_requirement(line, factors, lots, level, others)
    addon = contract_addon(line, factors, lots, level, others)
    return Need(
        lots,
        notional,
        line.rates[i],
        line.deductions[i],
        tiered,
        charge,
        band,
        *used,
        counts,
        own + addon,
        own,
        addon,
        others,
    )


def sum_account(account: AccountState, valuation: Valuation) -> tuple[AccountNeed, ...]:
    """
    Return how the requirement at each level is put together from its legs, the scenario component and add-ons.
    """
    legs = sum_legs(account, valuation)
    factors = valuation.factors(account.mode)
    out: list[AccountNeed] = []
    for level in range(4):
        own = sum(leg.needs[level].own for leg in legs) * GAIN_PARTS
        held = account.holds if level == INITIAL else None
        scenario = 0
        if factors.scenario[level]:
            scenario = scenario_component(account, valuation, held) * factors.scenario[level]
        addons = sum(leg.needs[level].addon for leg in legs) * GAIN_PARTS
        addons += account_addon(account, valuation, factors, level)
        together = own + scenario if factors.summed else max(own, scenario)
        out.append(AccountNeed(own, scenario, factors.summed, addons, together + addons))
    return tuple(out)
