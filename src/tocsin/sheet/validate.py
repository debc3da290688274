"""
Check a risk sheet before it is published: bounds, order, convexity, nesting (rules SH-002 to SH-027).

A sheet that fails is refused as a whole with one message that names field, value and bound.
"""

from tocsin.core import limits
from tocsin.core.errors import SheetError
from tocsin.core.integers import PPM, ceil_div
from tocsin.sheet.bounds import (
    require,
    require_between,
    require_brackets,
    require_factors,
    require_text,
    require_unique,
)
from tocsin.sheet.named_fields import reread_sheet
from tocsin.sheet.terms import AssetTerms, ContractTerms, RiskSheet
from tocsin.sheet.validate_risk import validate_risk


def validate_sheet(sheet: RiskSheet) -> RiskSheet:
    """
    Return `sheet` as its canonical bytes read if every field has its type and every bound holds.

    Raises:
        SheetError: The first bound that does not hold, with field, value and what is accepted.
    """
    sheet = reread_sheet(sheet)
    require_text("name", sheet.name, 64)
    require(
        1 <= len(sheet.assets) <= limits.ASSETS_MAX,
        "assets",
        len(sheet.assets),
        f"1 to {limits.ASSETS_MAX} entries",
    )
    require(
        len(sheet.contracts) <= limits.CONTRACTS_MAX,
        "contracts",
        len(sheet.contracts),
        f"at most {limits.CONTRACTS_MAX}",
    )
    require_unique("assets[].id", (a.id for a in sheet.assets))
    require_unique("contracts[].id", (c.id for c in sheet.contracts))
    for asset in sheet.assets:
        _validate_asset(asset)
    require_factors("tiered", sheet.tiered)
    require_factors("charge", sheet.charge)
    for i, value in enumerate(sheet.hysteresis_ppm):
        require_between(f"hysteresis_ppm[{i}]", value, 0, PPM)
    prices = {a.id: a.price_cap for a in sheet.assets}
    for contract in sheet.contracts:
        _validate_contract(sheet, contract, prices)
    validate_risk(sheet)
    _validate_policies(sheet)
    return sheet


def _validate_asset(asset: AssetTerms) -> None:
    at = f"assets[{asset.id}]"
    require_between(f"{at}.id", asset.id, 0, 2**15 - 1)
    require_text(f"{at}.symbol", asset.symbol, 32)
    require_between(f"{at}.decimals", asset.decimals, 0, 18)
    require_between(f"{at}.price_cap", asset.price_cap, 1, limits.PRICE_MAX)
    require_between(f"{at}.premium_ppm", asset.premium_ppm, 0, limits.PREMIUM_PPM_MAX)
    require_between(f"{at}.stress_ppm", asset.stress_ppm, 0, PPM - 1)
    require(
        1 <= len(asset.haircuts) <= limits.TIERS_MAX,
        f"{at}.haircuts",
        len(asset.haircuts),
        f"1 to {limits.TIERS_MAX} tiers",
    )
    require(asset.haircuts[0].lower == 0, f"{at}.haircuts[0].lower", asset.haircuts[0].lower, "0")
    for i, tier in enumerate(asset.haircuts):
        require_between(f"{at}.haircuts[{i}].haircut_ppm", tier.haircut_ppm, 0, PPM)
        if i:
            before = asset.haircuts[i - 1]
            require_between(f"{at}.haircuts[{i}].lower", tier.lower, before.lower + 1, limits.VAULT_MAX)
            # Concave: each further unit is worth no more than the one before (DESIGN 1).
            require_between(f"{at}.haircuts[{i}].haircut_ppm", tier.haircut_ppm, before.haircut_ppm, PPM)


def _validate_contract(sheet: RiskSheet, contract: ContractTerms, prices: dict[int, int]) -> None:
    at = f"contracts[{contract.id}]"
    require_between(f"{at}.id", contract.id, 0, limits.CONTRACTS_MAX - 1)
    require_text(f"{at}.symbol", contract.symbol, 32)
    require(contract.asset in prices, f"{at}.asset", contract.asset, f"one of assets {sorted(prices)}")
    require_between(f"{at}.units", contract.units, 1, 2**60)
    require_between(f"{at}.mark_cap", contract.mark_cap, limits.NOTIONAL_PER_LOT_MIN, limits.MARK_MAX)
    require_between(f"{at}.position_cap", contract.position_cap, 1, limits.LOTS_MAX)
    notional = contract.position_cap * contract.mark_cap
    require(
        notional <= limits.NOTIONAL_MAX,
        f"{at}.position_cap x mark_cap",
        notional,
        f"at most {limits.NOTIONAL_MAX} units",
    )
    valued = notional * prices[contract.asset] // limits.PRICE_SCALE
    require(
        valued <= limits.NOTIONAL_MAX,
        f"{at}.position_cap x mark_cap x price_cap",
        valued,
        f"at most {limits.NOTIONAL_MAX} valuation units",
    )
    require_brackets(f"{at}.tiers", contract.tiers)
    for name in ("charge_long", "charge_short"):
        require_between(f"{at}.{name}", getattr(contract, name), 0, contract.mark_cap * 4)
    require_between(f"{at}.stale_half_band_ppm", contract.stale_half_band_ppm, 0, PPM)
    require_between(f"{at}.stale_after_ns", contract.stale_after_ns, 0, 10**18)
    require(
        len(contract.loadings) <= limits.FACTORS_MAX,
        f"{at}.loadings",
        len(contract.loadings),
        f"at most {limits.FACTORS_MAX} factors",
    )
    for i, value in enumerate(contract.loadings):
        require_between(f"{at}.loadings[{i}]", value, -limits.MARK_MAX, limits.MARK_MAX)
    require_between(f"{at}.own_loading", contract.own_loading, 0, limits.MARK_MAX)
    require_between(f"{at}.gap_charge", contract.gap_charge, 0, limits.MARK_MAX)
    require(
        contract.gap_charge * contract.position_cap <= limits.NOTIONAL_MAX,
        f"{at}.gap_charge x position_cap",
        contract.gap_charge * contract.position_cap,
        f"at most {limits.NOTIONAL_MAX} valuation units",
    )
    require_between(f"{at}.capacity_lots", contract.capacity_lots, 0, limits.LOTS_MAX)
    require_between(f"{at}.impact_ppm", contract.impact_ppm, 0, PPM)
    require_between(f"{at}.fee_ppm", contract.fee_ppm, 0, PPM)
    require_between(f"{at}.dust_lots", contract.dust_lots, 0, contract.position_cap)
    _validate_cost(sheet, contract, at)
    _validate_requirement(sheet, contract, at)


def _validate_cost(sheet: RiskSheet, contract: ContractTerms, at: str) -> None:
    """
    Refuse a contract that would cost more to liquidate than its liquidation requirement frees (rule SH-010).
    """
    rate = contract.tiers[0].rate_ppm * sheet.tiered.liquidation // PPM
    premium = next(a.premium_ppm for a in sheet.assets if a.id == contract.asset)
    cost = ceil_div((contract.fee_ppm + contract.impact_ppm) * (PPM + premium), PPM)
    require(
        cost <= rate,
        f"{at}.fee_ppm + impact_ppm",
        cost,
        f"at most {rate}, the first tier's rate at the liquidation level",
    )


def _validate_requirement(sheet: RiskSheet, contract: ContractTerms, at: str) -> None:
    """
    Refuse a contract whose initial requirement could exceed the published multiple of its notional (rule UN-010).
    """
    tiered = contract.tiers[-1].rate_ppm * sheet.tiered.initial
    per_lot = max(contract.charge_long, contract.charge_short) * sheet.charge.initial
    total = ceil_div(tiered, PPM) + ceil_div(per_lot, contract.mark_cap) + contract.stale_half_band_ppm
    require(
        total <= limits.REQUIREMENT_PPM_MAX,
        f"{at}.tiers[-1].rate_ppm x tiered.initial + charge x charge.initial / mark_cap + stale_half_band_ppm",
        total,
        f"at most {limits.REQUIREMENT_PPM_MAX} ppm of the notional",
    )


def _validate_policies(sheet: RiskSheet) -> None:
    calls, liquidation, waterfall, cycle = sheet.calls, sheet.liquidation, sheet.waterfall, sheet.cycle
    require_between("calls.deadline_ns", calls.deadline_ns, 1, 10**15)
    require_between("calls.t_min_ns", calls.t_min_ns, 0, calls.deadline_ns)
    require_between("calls.z_hundredths", calls.z_hundredths, 1, 10_000)
    require_between("liquidation.intent_life_ns", liquidation.intent_life_ns, 1, 10**15)
    require_between("liquidation.cancel_grace_cycles", liquidation.cancel_grace_cycles, 1, 10_000)
    require_between("waterfall.market_draw_cap_ppm", waterfall.market_draw_cap_ppm, 0, PPM)
    require_between("waterfall.global_draw_cap_ppm", waterfall.global_draw_cap_ppm, 0, PPM)
    require_between("waterfall.adl_after_cycles", waterfall.adl_after_cycles, 0, 10**6)
    require_between("cycle.nominal_ns", cycle.nominal_ns, 1, 10**15)
    require_between("cycle.late_cycles", cycle.late_cycles, 1, 10**6)


def check_successor(old: RiskSheet, new: RiskSheet, factors: dict[int, int] | None = None) -> RiskSheet:
    """
    Return `new` if it may follow `old` while positions are open (rule SH-011).

    Every asset stays with its price cap, every contract with what it is; mark and position caps never shrink, so that
    what was admitted stays admitted.

    Args:
        old: The sheet in use.
        new: The one to follow.
        factors: Contracts whose lots are multiplied by a factor at the same time (rule LC-020); 0 for a settled one,
            which may be missing and, as its number is never used again, may not come back.

    Raises:
        SheetError: Field, value and what is accepted.
    """
    validate_sheet(new)
    factors = factors or {}
    kept = new.portfolio is not None or old.portfolio is None
    require(kept, "portfolio", None, "kept: accounts are margined by it")
    assets = {a.id: a for a in new.assets}
    for asset in old.assets:
        at = f"assets[{asset.id}]"
        after = assets.get(asset.id)
        if after is None:
            raise SheetError(f"{at} must stay in the sheet, was missing")
        require(after.symbol == asset.symbol, f"{at}.symbol", after.symbol, repr(asset.symbol))
        accepted = f"{asset.price_cap}: admitted cash is bounded at it"
        require(after.price_cap == asset.price_cap, f"{at}.price_cap", after.price_cap, accepted)
    underlyings = {u.id: u for u in new.underlyings}
    for underlying in old.underlyings:
        known = underlyings.get(underlying.id)
        if known is None:
            raise SheetError(f"underlyings[{underlying.id}] must stay in the sheet, was missing")
        field, was = f"underlyings[{underlying.id}].symbol", underlying.symbol
        require(known.symbol == was, field, known.symbol, repr(was))
    contracts = {c.id: c for c in new.contracts}
    before = {c.id: c for c in old.contracts}
    for contract in old.contracts:
        _check_contract_follows(contract, contracts.get(contract.id), factors.get(contract.id, 1))
    for settled in (c for c, k in factors.items() if k == 0 and c in contracts and c not in before):
        raise SheetError(f"contracts[{settled}] must be a new number, was that of a settled contract")
    return new


_KEPT = ("symbol", "kind", "asset", "underlying", "option", "expiry_ns", "base")


def _check_contract_follows(old: ContractTerms, new: ContractTerms | None, factor: int) -> None:
    at = f"contracts[{old.id}]"
    if new is None:
        if factor:
            raise SheetError(f"{at} must stay in the sheet, was missing")
        return
    for name in _KEPT:
        field, was = f"{at}.{name}", getattr(old, name)
        require(getattr(new, name) == was, field, getattr(new, name), repr(was))
    factor = max(1, factor)
    for name in ("units", "base_units"):
        field, was = f"{at}.{name}", getattr(old, name)
        accepted = f"{was}" if factor == 1 else f"{was} / {factor}, exactly"
        require(getattr(new, name) * factor == was, field, getattr(new, name), accepted)
    least = ceil_div(old.mark_cap, factor)
    require(new.mark_cap >= least, f"{at}.mark_cap", new.mark_cap, f"at least {least}")
    least = old.position_cap * factor
    require(new.position_cap >= least, f"{at}.position_cap", new.position_cap, f"at least {least}")
