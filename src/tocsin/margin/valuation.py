"""
Equity: balances per asset, their value under the collateral schedules (rules EQ-001 to EQ-008).

A `Valuation` is a sheet and the marks of one cycle, laid out for lookup; it holds no account.
"""

from bisect import bisect_right
from functools import lru_cache
from typing import NamedTuple

from msgspec.structs import replace

from tocsin.core.integers import PPM, ceil_div
from tocsin.core.limits import CONTRACTS_MAX, PRICE_SCALE
from tocsin.margin.state import AccountState, Mode
from tocsin.sheet.marks import Grade, Mark, Marks
from tocsin.sheet.terms import AssetTerms, Combine, Components, ContractTerms, RiskSheet, Tier, UnderlyingTerms

EQUITY_SCALE = PPM * PRICE_SCALE
"""Denominator of equity sums before their one rounding."""


Brackets = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
"""Lower bounds, rates in ppm and deductions of a bracket function, as columns."""


def cost_above_bracket(brackets: Brackets, own: int, others: int) -> int:
    """
    Return `f(own + others) - f(others)` of a bracket function, in millionths, exact; both amounts are >= 0.
    """
    lowers, rates, deductions = brackets
    top = own + others
    i, j = bisect_right(lowers, top) - 1, bisect_right(lowers, others) - 1
    return rates[i] * top - deductions[i] - (rates[j] * others - deductions[j])


class Line(NamedTuple):
    """
    A marked contract: terms and the numbers every account needs of it this cycle.

    `loss_ppm` is what a unit lost in the settlement asset costs at most: 1 plus the premium of a negative balance.
    `liquidity` are the brackets of the liquidity add-on as `lowers`, `rates`, `deductions`; `gamma` is what a lot of it
    adds for the underlying's move beyond its band, in millionths of a unit; `slow` how far the mark is above (> 0) or
    below its slow mark, in units per lot; `opens` is false while the underlying is outside its band. `simple` says that
    neither liquidity nor gamma nor slow mark count.
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
    liquidity: Brackets = ((), (), ())
    gamma: int = 0
    slow: int = 0
    opens: bool = True
    simple: bool = True

    @property
    def scenario_price(self) -> int:
        """What a unit of an array counts in scenario sums: the price as owed x PPM."""
        return self.price * PPM

    def tiered(self, lots: int, others: int = 0) -> int:
        """
        Return the tiered component of `lots` (signed or not) before factors, in millionths of a unit, exact.

        The bracket formula `rate x notional - deduction`; deductions make it continuous (rule RQ-002). With `others`,
        the absolute lots of the owner's other accounts, `f(|lots| + others) - f(others)` (rule RQ-020).
        """
        notional = abs(lots) * self.notional
        if others:
            brackets = (self.lowers, self.rates, self.deductions)
            return cost_above_bracket(brackets, notional, others * self.notional)
        i = bisect_right(self.lowers, notional) - 1
        return self.rates[i] * notional - self.deductions[i]

    def addon(self, lots: int, others: int = 0) -> int:
        """
        Return the add-ons of `lots` before factors, in millionths of a unit, exact: liquidity on the owner, gamma.
        """
        total = abs(lots) * self.gamma
        if self.liquidity[0]:
            total += cost_above_bracket(self.liquidity, abs(lots) * self.notional, others * self.notional)
        return total

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
def lay_out_brackets(tiers: tuple[Tier, ...]) -> Brackets:
    """
    Return lower bounds, rates and deductions of brackets as columns.
    """
    lowers, rates = tuple(t.lower for t in tiers), tuple(t.rate_ppm for t in tiers)
    return lowers, rates, compute_deductions(lowers, rates)


class Factors(NamedTuple):
    """
    The factors of a mode as tuples from `initial` to `takeover`, in ppm, and whether the scenario component adds to the
    contracts' own (else the larger counts). `scenario_counts` and `addon_counts` say that some factor is not 0.
    """

    tiered: tuple[int, int, int, int]
    charge: tuple[int, int, int, int]
    scenario: tuple[int, int, int, int]
    addon: tuple[int, int, int, int]
    summed: bool
    scenario_counts: bool
    addon_counts: bool


@lru_cache(maxsize=64)
def lay_out_components(components: Components) -> Factors:
    """
    Return the factors of a mode as columns.
    """
    scenario, addon = components.scenario.as_tuple(), components.addon.as_tuple()
    return Factors(
        components.tiered.as_tuple(),
        components.charge.as_tuple(),
        scenario,
        addon,
        components.combine == Combine.SUM,
        any(scenario),
        any(addon),
    )


class Valuation:
    """
    A sheet and the marks of one cycle.

    `lines` holds the contracts that have a mark; `prices` every asset's price, 0 where none was published yet: such an
    asset is worth nothing while owned, and its price cap while owed (rule EQ-006). `beyond` is, per underlying outside
    its band, by how many ppm of the reference its price is beyond it, rounded up (rule RQ-024).
    """

    __slots__ = (
        "_cross",
        "_portfolio",
        "assets",
        "beyond",
        "concentrated",
        "gain_discounts",
        "lines",
        "marks",
        "prices",
        "risky_assets",
        "sheet",
        "underlyings",
    )

    def __init__(self, sheet: RiskSheet, marks: Marks) -> None:
        self.sheet = sheet
        self.marks = marks
        self._cross = lay_out_components(sheet.components)
        self._portfolio = self._cross if sheet.portfolio is None else lay_out_components(sheet.portfolio)
        self.assets: dict[int, AssetTerms] = {a.id: a for a in sheet.assets}
        self.prices = {a.id: marks.prices.get(a.id, 0) for a in sheet.assets}
        self.underlyings: dict[int, UnderlyingTerms] = {u.id: u for u in sheet.underlyings}
        self.concentrated = {u.id: lay_out_brackets(u.concentration) for u in sheet.underlyings if u.concentration}
        self.risky_assets = tuple(a.id for a in sheet.assets if a.row)
        self.gain_discounts = {a.id: a.gain_discount_ppm for a in sheet.assets if a.gain_discount_ppm}
        self.beyond: dict[int, int] = {}
        for underlying in sheet.underlyings:
            entry = marks.contracts.get(underlying.contract)
            if entry is not None:
                self.beyond[underlying.id] = ppm_beyond_band(underlying, entry.mark)
        self.lines: dict[int, Line] = {}
        for terms in sheet.contracts:
            entry = marks.contracts.get(terms.id)
            if entry is not None:
                self.lines[terms.id] = self._lay_out(terms, entry)

    def _lay_out(self, terms: ContractTerms, entry: Mark) -> Line:
        lowers, rates, deductions = lay_out_brackets(terms.tiers)
        beyond = self.beyond.get(terms.underlying, 0)
        slow = entry.mark - entry.slow if entry.slow else 0
        return Line(
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
            lay_out_brackets(terms.liquidity) if terms.liquidity else ((), (), ()),
            terms.gamma * beyond,
            slow,
            not beyond,
            not (terms.liquidity or terms.gamma * beyond or slow),
        )

    def factors(self, mode: Mode) -> Factors:
        """
        Return the factors by which the components count for accounts of `mode`.
        """
        return self._portfolio if mode == Mode.PORTFOLIO else self._cross

    def price_owed(self, asset: int) -> int:
        """
        Return the price at which an amount owed in `asset` counts: the published one, else its cap.
        """
        return self.prices[asset] or self.assets[asset].price_cap

    def with_mark(self, contract: int, mark: int) -> "Valuation":
        """
        Return a valuation in which `contract` has another mark per lot and all else is the same, but for the add-on of
        an underlying that is measured by it.
        """
        return self.with_marks({contract: mark}, {})

    def with_marks(self, marks: dict[int, int], prices: dict[int, int]) -> "Valuation":
        """
        Return a valuation with other marks per lot and asset prices and all else the same; nothing is checked. A slow
        mark keeps its distance: a what-if moves the market, not how far it ran ahead.
        """
        other = object.__new__(Valuation)
        for name in self.__slots__:
            setattr(other, name, getattr(self, name))
        entries = dict(self.marks.contracts)
        for contract, mark in marks.items():
            old = entries[contract]
            entries[contract] = replace(old, mark=mark, slow=old.slow and mark - (old.mark - old.slow))
        other.marks = Marks(entries, {**self.marks.prices, **prices}, self.marks.expiring)
        other.prices = {**self.prices, **prices}
        other.beyond, other.lines = dict(self.beyond), dict(self.lines)
        changed = set(marks)
        for underlying in self.underlyings.values():
            if underlying.contract in marks:
                other.beyond[underlying.id] = ppm_beyond_band(underlying, marks[underlying.contract])
                if other.beyond[underlying.id] != self.beyond[underlying.id]:
                    changed |= {c for c, line in self.lines.items() if line.terms.underlying == underlying.id}
        changed |= {c for c, line in self.lines.items() if line.asset in prices} if prices else set()
        for contract in changed:
            other.lines[contract] = other._lay_out(self.lines[contract].terms, entries[contract])
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


def compute_gains(account: AccountState, valuation: Valuation) -> dict[int, int]:
    """
    Return the unrealised P&L per asset, the sum of `q x (m - F) - e` over contracts that settle in it, units, signed.
    """
    out: dict[int, int] = {}
    for contract, (lots, entry) in account.positions.items():
        line = valuation.lines[contract]
        out[line.asset] = out.get(line.asset, 0) + lots * line.net - entry
    return out


def close_at_mark(account: AccountState, line: Line, move: int) -> None:
    """
    Trade `move` signed lots of a position that is held, at most all of it, at its mark: balances `E_c` stay what they
    are, to the unit. What is left keeps its P&L; the P&L of a position that is gone becomes cash.
    """
    lots, entry = account.positions[line.terms.id]
    if lots + move:
        account.positions[line.terms.id] = (lots + move, entry + move * line.net)
        return
    del account.positions[line.terms.id]
    cash = account.cash.get(line.asset, 0) + lots * line.net - entry
    if cash:
        account.cash[line.asset] = cash
    else:
        account.cash.pop(line.asset, None)


def ppm_beyond_band(underlying: UnderlyingTerms, mark: int) -> int:
    """
    Return by how many ppm of its reference an underlying's price is beyond its band, rounded up; 0 inside.
    """
    outside = abs(mark - underlying.reference) - underlying.band
    return 0 if outside <= 0 else ceil_div(outside * PPM, abs(underlying.reference))


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
