"""
Equity: balances per asset, their value under the collateral schedules (rules EQ-001 to EQ-008).

A `Valuation` is a sheet and the marks of one cycle, laid out for lookup; it holds no account.
"""

from bisect import bisect_right
from functools import lru_cache
from typing import NamedTuple

from tocsin.core.integers import PPM
from tocsin.core.limits import CONTRACTS_MAX, PRICE_SCALE
from tocsin.margin.state import AccountState
from tocsin.sheet.marks import Grade, Marks
from tocsin.sheet.terms import AssetTerms, Combine, ContractTerms, RiskSheet, Tier

EQUITY_SCALE = PPM * PRICE_SCALE
"""Denominator of equity sums before their one rounding."""


class Line(NamedTuple):
    """
    A marked contract: terms and the numbers every account needs of it this cycle.

    `loss_ppm` is what a unit lost in the settlement asset costs at most: 1 plus the premium of a negative balance.
    """

    terms: ContractTerms
    asset: int
    mark: int
    funding: int
    net: int
    notional: int
    price: int
    fresh: bool
    lowers: tuple[int, ...]
    rates: tuple[int, ...]
    deductions: tuple[int, ...]
    summed: bool
    loss_ppm: int

    def tiered(self, lots: int) -> int:
        """
        Return the tiered component of `lots` (signed or not) before factors, in millionths of a unit, exact.

        The bracket formula `rate x notional - deduction`; deductions make it continuous (rule RQ-002).
        """
        notional = abs(lots) * self.notional
        i = bisect_right(self.lowers, notional) - 1
        return self.rates[i] * notional - self.deductions[i]

    def charge(self, lots: int) -> int:
        """
        Return the charge component of signed `lots` before factors, in units (rule RQ-004).
        """
        return lots * self.terms.charge_long if lots > 0 else -lots * self.terms.charge_short


def compute_deductions(lowers: tuple[int, ...], rates: tuple[int, ...]) -> tuple[int, ...]:
    """
    Return the deduction of each bracket, in millionths of a unit: d_0 = 0, d_i = d_(i-1) + lower_i x (rate_i -
    rate_(i-1)).
    """
    out = [0]
    for i in range(1, len(lowers)):
        out.append(out[-1] + lowers[i] * (rates[i] - rates[i - 1]))
    return tuple(out)


@lru_cache(maxsize=CONTRACTS_MAX)
def lay_out_brackets(tiers: tuple[Tier, ...]) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """
    Return lower bounds, rates and deductions of brackets as columns.
    """
    lowers, rates = tuple(t.lower for t in tiers), tuple(t.rate_ppm for t in tiers)
    return lowers, rates, compute_deductions(lowers, rates)


class Valuation:
    """
    A sheet and the marks of one cycle.

    `lines` holds the contracts that have a mark; `prices` every asset's price, 0 where none was published yet: such an
    asset is worth nothing while owned, and its price cap while owed (rule EQ-006).
    """

    __slots__ = ("assets", "charge_factors", "lines", "marks", "prices", "sheet", "tiered_factors")

    def __init__(self, sheet: RiskSheet, marks: Marks) -> None:
        self.sheet = sheet
        self.marks = marks
        self.tiered_factors = sheet.tiered.as_tuple()
        self.charge_factors = sheet.charge.as_tuple()
        self.assets: dict[int, AssetTerms] = {a.id: a for a in sheet.assets}
        self.prices = {a.id: marks.prices.get(a.id, 0) for a in sheet.assets}
        self.lines: dict[int, Line] = {}
        for terms in sheet.contracts:
            entry = marks.contracts.get(terms.id)
            if entry is None:
                continue
            lowers, rates, deductions = lay_out_brackets(terms.tiers)
            self.lines[terms.id] = Line(
                terms,
                terms.asset,
                entry.mark,
                entry.funding,
                entry.mark - entry.funding,
                abs(entry.mark),
                self.price_owed(terms.asset),
                entry.grade == Grade.FRESH,
                lowers,
                rates,
                deductions,
                terms.combine == Combine.SUM,
                PPM + self.assets[terms.asset].premium_ppm,
            )

    def price_owed(self, asset: int) -> int:
        """
        Return the price at which an amount owed in `asset` counts: the published one, else its cap.
        """
        return self.prices[asset] or self.assets[asset].price_cap

    def with_mark(self, contract: int, mark: int) -> "Valuation":
        """
        Return a valuation in which `contract` has another mark per lot and all else is the same.
        """
        other = object.__new__(Valuation)
        for name in self.__slots__:
            setattr(other, name, getattr(self, name))
        line = self.lines[contract]
        other.lines = dict(self.lines)
        other.lines[contract] = line._replace(mark=mark, net=mark - line.funding, notional=abs(mark))
        return other


def compute_balances(account: AccountState, valuation: Valuation) -> dict[int, int]:
    """
    Return `E_c` per asset: cash plus the P&L `q x (m - F) - e` of contracts that settle in it, in units, exact.

    A position's contract always has a mark: fills of a contract without one are refused (rules EQ-002, MK-014).
    """
    out = dict(account.cash)
    lines = valuation.lines
    for contract, (lots, entry) in account.positions.items():
        line = lines[contract]
        out[line.asset] = out.get(line.asset, 0) + lots * line.net - entry
    return out


def value_balance(terms: AssetTerms, price: int, price_owed: int, balance: int) -> int:
    """
    Return the value of one balance under its collateral schedule, in valuation units x `EQUITY_SCALE`, exact.

    Concave: each further unit is worth no more than the one before; a negative balance costs its premium.
    """
    if balance < 0:
        return balance * (PPM + terms.premium_ppm) * price_owed
    tiers = terms.haircuts
    if len(tiers) == 1:
        return balance * (PPM - tiers[0].haircut_ppm) * price
    total = 0
    for i, tier in enumerate(tiers):
        upper = tiers[i + 1].lower if i + 1 < len(tiers) else balance
        part = min(balance, upper) - tier.lower
        if part <= 0:
            break
        total += part * (PPM - tier.haircut_ppm)
    return total * price


def value_balances(balances: dict[int, int], valuation: Valuation) -> int:
    """
    Return the value of balances under the collateral schedules, in valuation units x `EQUITY_SCALE`, exact.
    """
    total = 0
    for asset, balance in balances.items():
        if balance:
            owed = valuation.price_owed(asset)
            total += value_balance(valuation.assets[asset], valuation.prices[asset], owed, balance)
    return total


def compute_equity(account: AccountState, valuation: Valuation) -> int:
    """
    Return equity under the collateral schedules, in valuation units, rounded down once (rule EQ-004).
    """
    return value_balances(compute_balances(account, valuation), valuation) // EQUITY_SCALE


def compute_raw_equity(account: AccountState, valuation: Valuation) -> int:
    """
    Return equity on unhaircut schedules, the one that `bankruptcy` reads, rounded down once (rule EQ-005).
    """
    total = 0
    for asset, balance in compute_balances(account, valuation).items():
        total += balance * (valuation.prices[asset] if balance > 0 else valuation.price_owed(asset))
    return total // PRICE_SCALE
