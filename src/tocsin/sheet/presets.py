"""
The three presets: which level a venue calls its maintenance margin (rule LV-010). The lending preset: loans to value
as levels (rules AC-041 to AC-043).

`tiers` always hold the venue's own maintenance rates. A preset puts that maintenance at `liquidation` (exchange) or
at `margin_call` (broker, clearing house) and scales the other levels around it.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from msgspec.structs import replace

from tocsin.core.integers import PPM, ceil_div, floor_div
from tocsin.sheet.bounds import require, require_between
from tocsin.sheet.terms import (
    OFF,
    AssetTerms,
    HaircutTier,
    LevelFactors,
    Preset,
    RiskSheet,
    UnderlyingTerms,
)
from tocsin.sheet.validate import validate_sheet

TIERED = {
    # An exchange liquidates at its maintenance margin and calls before it.
    Preset.EXCHANGE: LevelFactors(2_000_000, 1_250_000, 1_000_000, 666_667),
    # A broker calls at its maintenance margin and liquidates below it.
    Preset.BROKER: LevelFactors(1_500_000, 1_000_000, 800_000, 500_000),
    # A clearing house calls to its full (initial) margin and acts on default well below.
    Preset.CLEARING: LevelFactors(1_000_000, 1_000_000, 500_000, 250_000),
}

HYSTERESIS_PPM = (0, 50_000, 50_000, 0)


def tiered_factors(preset: Preset) -> LevelFactors:
    """
    Return the factors of the tiered component for `preset`, in ppm.
    """
    return TIERED[preset]


# Lending: a loan against collateral is one more account, its levels are loans to value.

LENDING_SCENARIOS = tuple(f"{way} {n}/4" for way, steps in (("fall", "4321"), ("rise", "1234")) for n in steps)
"""The scenarios of a lending sheet: collateral falls by up to its whole row, then what is owed rises by as much."""

_STEPS = (-4, -3, -2, -1, 1, 2, 3, 4)


class LoanTerms(NamedTuple):
    """
    What is lent against one collateral, in ppm of its value: up to `ltv_ppm` is lent, above `call_ppm` the borrower is
    called, above `liquidation_ppm` collateral is sold for the debt at a bonus of `bonus_ppm` to the buyer.
    """

    ltv_ppm: int
    call_ppm: int
    liquidation_ppm: int
    bonus_ppm: int

    @property
    def stress_ppm(self) -> int:
        """What is taken off the price in a sale, rounded down: `1 - 1 / (1 + bonus)`."""
        return floor_div(self.bonus_ppm * PPM, PPM + self.bonus_ppm)


def lending_sheet(name: str, assets: Iterable[AssetTerms], loans: Mapping[int, LoanTerms]) -> RiskSheet:
    """
    Return a sheet of loans: row, haircut and stress of each collateral, and the factors that all of them share.

    `1 - haircut - factor x row` is an asset's loan to value at a level. The asset whose liquidation threshold is
    furthest from its loan to value, in parts of what is not lent, has no haircut and a row of 100 %; the others follow
    exactly to two millionths (rule AC-041). Debts in an asset with a row need the same for a rise.

    Args:
        name: The sheet's name.
        assets: All assets, with the `borrow` terms of those that are lent.
        loans: By asset, what is lent against it. Assets without an entry stay as they are.

    Raises:
        SheetError: Loan terms out of order, a sale that would make a debtor worse, or a bound of the sheet.
    """
    for asset, loan in loans.items():
        _require_loan(asset, loan)
    # A common factor at initial and liquidation: by the largest (liquidation - ltv) / (1 - ltv) no haircut is below 0.
    widest = max(loans.values(), key=_openness, default=LoanTerms(0, 0, 1, 0))
    initial, liquidation = PPM - widest.ltv_ppm, PPM - widest.liquidation_ppm
    rows: dict[int, int] = {}
    haircuts: dict[int, int] = {}
    for asset, loan in loans.items():
        rows[asset] = ceil_div((loan.liquidation_ppm - loan.ltv_ppm) * PPM, initial - liquidation)
        haircuts[asset] = PPM - loan.ltv_ppm - floor_div(initial * rows[asset], PPM)

    def factor_at(asset: int, ltv_ppm: int) -> int:
        return ceil_div((PPM - haircuts[asset] - ltv_ppm) * PPM, rows[asset])

    calls = [factor_at(asset, loan.call_ppm) for asset, loan in loans.items()]
    takeovers = [factor_at(asset, PPM - loan.stress_ppm) for asset, loan in loans.items()]
    call = max(liquidation, min(initial, max(calls, default=0)))
    takeover = max(0, min(liquidation, max(takeovers, default=0)))
    terms = [
        _lend_against(a, loans[a.id], rows[a.id], haircuts[a.id], i) if a.id in loans else a
        for i, a in enumerate(assets)
    ]
    sheet = RiskSheet(
        name=name,
        preset=Preset.EXCHANGE,
        assets=tuple(terms),
        contracts=(),
        tiered=OFF,
        charge=OFF,
        hysteresis_ppm=(0, 0, 0, 0),
        scenario=LevelFactors(initial, call, liquidation, takeover),
        scenarios=LENDING_SCENARIOS,
        alone_256=256,
        underlyings=tuple(UnderlyingTerms(a.underlying, a.symbol) for a in terms if a.row),
    )
    return validate_sheet(sheet)


def _openness(loan: LoanTerms) -> int:
    return floor_div((loan.liquidation_ppm - loan.ltv_ppm) * PPM * PPM, PPM - loan.ltv_ppm)


def _require_loan(asset: int, loan: LoanTerms) -> None:
    at = f"loans[{asset}]"
    require_between(f"{at}.ltv_ppm", loan.ltv_ppm, 1, PPM - 2)
    require_between(f"{at}.liquidation_ppm", loan.liquidation_ppm, loan.ltv_ppm + 1, PPM - 1)
    require_between(f"{at}.call_ppm", loan.call_ppm, loan.ltv_ppm, loan.liquidation_ppm)
    require_between(f"{at}.bonus_ppm", loan.bonus_ppm, 0, PPM)
    sold = ceil_div(loan.liquidation_ppm * (PPM + loan.bonus_ppm), PPM)
    accepted = f"below {PPM}: else a sale at the threshold takes more off the collateral than off the debt"
    require(sold < PPM, f"{at}.liquidation_ppm x (1 + bonus)", sold, accepted)


def _lend_against(asset: AssetTerms, loan: LoanTerms, row: int, haircut: int, underlying: int) -> AssetTerms:
    return replace(
        asset,
        haircuts=(HaircutTier(0, haircut),),
        stress_ppm=loan.stress_ppm,
        underlying=underlying,
        row=tuple(floor_div(row * step, 4) if step < 0 else ceil_div(row * step, 4) for step in _STEPS),
    )
