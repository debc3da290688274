"""
Put a case into Tocsin's own terms: a sheet, marks and an account, all in whole units.

A case's numbers are fractions; `whole_scale` finds how many units make one of the case's money so that each is whole.
"""

from collections.abc import Iterable
from fractions import Fraction
from math import lcm
from typing import NamedTuple

from tocsin.core.integers import PPM
from tocsin.core.limits import LOTS_MAX, MARK_MAX, NOTIONAL_MAX, NOTIONAL_PER_LOT_MIN, PRICE_SCALE
from tocsin.margin.state import AccountState
from tocsin.margin.valuation import Valuation
from tocsin.sheet.marks import Grade, Mark, Marks
from tocsin.sheet.terms import (
    AssetTerms,
    ContractTerms,
    HaircutTier,
    Kind,
    LevelFactors,
    Preset,
    RiskSheet,
    Tier,
)

ASSET = 0


class Contract(NamedTuple):
    """
    A contract of a case: mark per lot in units (> 0), and brackets (lower bound in units, rate in ppm).
    """

    mark: int
    tiers: tuple[tuple[int, int], ...]


def whole_scale(numbers: Iterable[Fraction], at_least: Fraction = Fraction(0), least: int = 1) -> int:
    """
    Return the smallest lcm of denominators times a power of ten that makes each number whole and, times
    `at_least` (if > 0), reaches `least`.
    """
    scale = lcm(1, *(n.denominator for n in numbers))
    while at_least and at_least * scale < least:
        scale *= 10
    return scale


def to_ppm(rate: Fraction) -> int:
    """
    Return a rate in ppm, rounded to the nearest, halves up.
    """
    return (2 * rate.numerator * PPM + rate.denominator) // (2 * rate.denominator)


def build_valuation(contracts: list[Contract], factor_ppm: int = PPM, lots: int = 1) -> Valuation:
    """
    Return sheet and marks with the contracts 0, 1, ... of one asset worth one valuation unit.

    Args:
        contracts: What each is marked and margined at.
        factor_ppm: Factor of the tiered component at `margin_call` and below; `initial` has at least 1.
        lots: Largest position, which bounds how high a mark may be published.
    """
    sheet = RiskSheet(
        name="conform",
        preset=Preset.EXCHANGE,
        assets=(AssetTerms(ASSET, "UNIT", 0, PRICE_SCALE, (HaircutTier(0, 0),)),),
        contracts=tuple(_build_terms(i, c, lots) for i, c in enumerate(contracts)),
        tiered=LevelFactors(max(PPM, factor_ppm), factor_ppm, factor_ppm, factor_ppm),
        charge=LevelFactors(0, 0, 0, 0),
        hysteresis_ppm=(0, 0, 0, 0),
    )
    marks = {i: Mark(c.mark, 0, Grade.FRESH, 0) for i, c in enumerate(contracts)}
    return Valuation(sheet, Marks(marks, {ASSET: PRICE_SCALE}))


def _build_terms(index: int, contract: Contract, lots: int) -> ContractTerms:
    # The cap is as high as the bounds allow, and never below the case's own mark.
    cap = max(contract.mark, NOTIONAL_PER_LOT_MIN, min(MARK_MAX, NOTIONAL_MAX // max(1, lots)))
    return ContractTerms(
        id=index,
        symbol=f"C{index}",
        kind=Kind.LINEAR,
        asset=ASSET,
        units=1,
        mark_cap=cap,
        position_cap=min(max(1, lots), LOTS_MAX),
        tiers=tuple(Tier(lower, rate) for lower, rate in contract.tiers),
    )


def build_account(cash: int, positions: dict[int, tuple[int, int]]) -> AccountState:
    """
    Return an account with units of cash and (signed lots, signed entry sum) per contract.
    """
    held = {c: (lots, entry) for c, (lots, entry) in positions.items() if lots}
    return AccountState(1, 1, cash={ASSET: cash}, positions=held)
