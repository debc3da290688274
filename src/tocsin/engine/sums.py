"""
The arithmetic of equity and requirement laid out term by term, for whoever checks it by hand (rules EQ-003, RQ-002).

Nothing decides by these values. They are built from the same terms as `valuation` and `requirement`, and their sums are
the same numbers (rule WY-004).
"""

from bisect import bisect_right
from typing import NamedTuple

from tocsin.core.integers import PPM
from tocsin.margin.requirement import INITIAL, contract_requirement
from tocsin.margin.state import AccountState
from tocsin.margin.valuation import Line, Valuation, compute_balances, value_balance

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
    millionths of a unit; `counts` says which component counts; `total` is x `SCALE`, exact.
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
    for contract in sorted({**account.positions, **account.holds}):
        line = valuation.lines.get(contract)
        if line is None:
            continue
        lots, entry = account.positions.get(contract, (0, 0))
        bid, ask = account.holds.get(contract, (0, 0))
        worst = lots
        for filled in (lots + bid, lots - ask):
            if contract_requirement(line, valuation, filled, INITIAL) > contract_requirement(
                line, valuation, worst, INITIAL
            ):
                worst = filled
        needs = [_sum_need(line, valuation, worst if level == INITIAL else lots, level) for level in range(4)]
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


def _sum_need(line: Line, valuation: Valuation, lots: int, level: int) -> Need:
    notional = abs(lots) * line.notional
    i = bisect_right(line.lowers, notional) - 1
    factors = valuation.tiered_factors[level], valuation.charge_factors[level]
    tiered, charge = line.tiered(lots), line.charge(lots)
    counts = SUM if line.summed else TIERED if tiered * factors[0] > charge * PPM * factors[1] else CHARGE
    band = notional * line.terms.stale_half_band_ppm if level == INITIAL and not line.fresh else 0
    return Need(
        lots,
        notional,
        line.rates[i],
        line.deductions[i],
        tiered,
        charge,
        band,
        *factors,
        counts,
        contract_requirement(line, valuation, lots, level),
    )
