"""
One sheet with round numbers for tests of single rules: USD and BTC, a linear, a second linear, and an inverse contract.
"""

from typing import Any

from msgspec.structs import replace

from tocsin.margin.state import AccountState, Level, Mode
from tocsin.margin.valuation import Valuation
from tocsin.sheet import terms as t
from tocsin.sheet.marks import Grade, Mark, Marks
from tocsin.sheet.presets import HYSTERESIS_PPM, tiered_factors

USD, BTC = 1, 2
PERP, ALT, COIN = 1, 2, 3

ASSETS = (
    t.AssetTerms(USD, "USD", 2, 1_000_000, (t.HaircutTier(0, 0),), premium_ppm=100_000),
    t.AssetTerms(
        BTC, "BTC", 8, 4_000_000, (t.HaircutTier(0, 100_000), t.HaircutTier(1_000, 250_000)), stress_ppm=200_000
    ),
)
CONTRACTS = (
    t.ContractTerms(
        PERP, "PERP", t.Kind.LINEAR, USD, 1, 1_000_000, 1_000, (t.Tier(0, 50_000), t.Tier(2_000_000, 100_000)),
        charge_long=3_000, charge_short=4_000, stale_half_band_ppm=20_000, loadings=(60,),
        own_loading=80, gap_charge=100, capacity_lots=100, impact_ppm=10_000, fee_ppm=1_000, dust_lots=3,
    ),
    t.ContractTerms(
        ALT, "ALT", t.Kind.LINEAR, USD, 1, 1_000_000, 1_000, (t.Tier(0, 100_000),), combine=t.Combine.SUM,
        loadings=(-30, 40), gap_charge=100, capacity_lots=100, impact_ppm=10_000, fee_ppm=1_000,
    ),
    t.ContractTerms(
        COIN, "COIN", t.Kind.INVERSE, BTC, 10**10, 1_000_000, 1_000, (t.Tier(0, 50_000),), capacity_lots=100,
        impact_ppm=5_000, fee_ppm=1_000,
    ),
)  # fmt: skip


def make_sheet(**changes: Any) -> t.RiskSheet:
    """Return the sheet; `perp={...}` changes fields of PERP, other names are fields of the sheet."""
    perp = changes.pop("perp", None)
    sheet = t.RiskSheet(
        name="small",
        preset=t.Preset.EXCHANGE,
        assets=ASSETS,
        contracts=CONTRACTS,
        tiered=tiered_factors(t.Preset.EXCHANGE),
        charge=t.LevelFactors(2_000_000, 1_000_000, 0, 0),
        hysteresis_ppm=HYSTERESIS_PPM,
        calls=t.CallPolicy(z_hundredths=300),
    )
    if perp:
        changes["contracts"] = (replace(CONTRACTS[0], **perp), *CONTRACTS[1:])
    return replace(sheet, **changes)


def value(
    sheet: t.RiskSheet | None = None,
    *,
    perp: int = 100_000,
    alt: int = 100_000,
    coin: int = -100_000,
    funding: int = 0,
    grade: Grade = Grade.FRESH,
    usd: int = 1_000_000,
    btc: int = 2_000_000,
) -> Valuation:
    """Return the sheet with marks; `grade` and `funding` are PERP's; a price of 0 means none was published."""
    marks = {
        PERP: Mark(perp, funding, grade, 0),
        ALT: Mark(alt, 0, Grade.FRESH, 0),
        COIN: Mark(coin, 0, Grade.FRESH, 0),
    }
    prices = {asset: price for asset, price in ((USD, usd), (BTC, btc)) if price}
    return Valuation(sheet or make_sheet(), Marks(marks, prices))


def make_account(
    usd: int = 0,
    btc: int = 0,
    *,
    perp: int = 0,
    alt: int = 0,
    coin: int = 0,
    level: Level = Level.CALM,
    mode: Mode = Mode.CROSS,
    holds: dict[int, tuple[int, int]] | None = None,
) -> AccountState:
    """Return an account whose positions were entered at the marks of `value`, so that their P&L there is zero."""
    entries = ((PERP, perp, 100_000), (ALT, alt, 100_000), (COIN, coin, -100_000))
    return AccountState(
        1,
        1,
        mode,
        level,
        {asset: units for asset, units in ((USD, usd), (BTC, btc)) if units},
        positions={c: (q, q * mark) for c, q, mark in entries if q},
        holds=holds or {},
    )
