"""
Check what a sheet says of scenarios, underlyings, options and spot (rules SH-020 to SH-027).
"""

from tocsin.core import limits
from tocsin.core.integers import GAIN_PARTS, PPM, ceil_div
from tocsin.sheet.bounds import (
    require,
    require_between,
    require_brackets,
    require_factors,
    require_text,
    require_unique,
)
from tocsin.sheet.marks import has_right_sign
from tocsin.sheet.terms import AssetTerms, Components, ContractTerms, Kind, RiskSheet, UnderlyingTerms

_PER_LOT_MIN = limits.NOTIONAL_PER_LOT_MIN


def validate_risk(sheet: RiskSheet) -> None:
    """
    Raise `SheetError` for the first bound that does not hold.
    """
    names = sheet.scenarios
    accepted = f"none, or {limits.SCENARIOS_MIN} to {limits.SCENARIOS_MAX} names"
    require(not names or limits.SCENARIOS_MIN <= len(names) <= limits.SCENARIOS_MAX, "scenarios", len(names), accepted)
    for i, name in enumerate(names):
        require_text(f"scenarios[{i}]", name, 64)
    require_unique("scenarios[]", names)
    require_between("alone_256", sheet.alone_256, 0, GAIN_PARTS)
    for label, components in _modes(sheet):
        require_factors(f"{label}scenario", components.scenario)
        require_factors(f"{label}addon", components.addon)
    if sheet.portfolio is not None:
        require_factors("portfolio.tiered", sheet.portfolio.tiered)
        require_factors("portfolio.charge", sheet.portfolio.charge)
    require_between("life.grace_ns", sheet.life.grace_ns, 0, sheet.life.grace_max_ns)
    require_between("life.grace_max_ns", sheet.life.grace_max_ns, 0, 10**15)
    require_between("life.quorum_ppm", sheet.life.quorum_ppm, 0, PPM)
    require_between("life.quorum_marks", sheet.life.quorum_marks, 0, 10_000)
    require_between("life.settle_band_ppm", sheet.life.settle_band_ppm, 0, PPM)
    _validate_underlyings(sheet)
    for asset in sheet.assets:
        _validate_row(sheet, asset)
    known = {u.id: u for u in sheet.underlyings}
    caps = {c.id: c.mark_cap for c in sheet.contracts}
    for contract in sheet.contracts:
        _validate_array(sheet, contract, known)
        _validate_kind(sheet, contract)
        _validate_total(sheet, contract, known.get(contract.underlying), caps)


def _modes(sheet: RiskSheet) -> list[tuple[str, Components]]:
    modes = [("", sheet.components)]
    return modes if sheet.portfolio is None else [*modes, ("portfolio.", sheet.portfolio)]


def _validate_underlyings(sheet: RiskSheet) -> None:
    count = len(sheet.underlyings)
    require(count <= limits.UNDERLYINGS_MAX, "underlyings", count, f"at most {limits.UNDERLYINGS_MAX}")
    require_unique("underlyings[].id", (u.id for u in sheet.underlyings))
    contracts = {c.id: c for c in sheet.contracts}
    for underlying in sheet.underlyings:
        at = f"underlyings[{underlying.id}]"
        require_between(f"{at}.id", underlying.id, 0, 2**15 - 1)
        require_text(f"{at}.symbol", underlying.symbol, 32)
        require_between(f"{at}.gain_256", underlying.gain_256, 0, GAIN_PARTS)
        if underlying.concentration:
            require_brackets(f"{at}.concentration", underlying.concentration)
        if underlying.contract == -1:
            require(underlying.reference == 0, f"{at}.reference", underlying.reference, "0 without a contract")
            continue
        contract = contracts.get(underlying.contract)
        own = contract is not None and contract.underlying == underlying.id
        delta_one = own and contract is not None and contract.kind in (Kind.LINEAR, Kind.INVERSE)
        require(delta_one, f"{at}.contract", underlying.contract, "-1 or a linear or inverse contract of it")
        assert contract is not None
        signed = has_right_sign(contract.kind, underlying.reference)
        require(signed, f"{at}.reference", underlying.reference, "a mark per lot of its contract, with its sign")
        require_between(f"{at}.reference", underlying.reference, -contract.mark_cap, contract.mark_cap)
        require_between(f"{at}.band", underlying.band, 0, abs(underlying.reference))


def _validate_row(sheet: RiskSheet, asset: AssetTerms) -> None:
    """
    Refuse collateral that could cost more in the scenarios than it counts for: paying in would hurt (rule SH-024).
    """
    at = f"assets[{asset.id}]"
    require_between(f"{at}.gain_discount_ppm", asset.gain_discount_ppm, 0, PPM)
    _validate_borrow(at, asset)
    if not asset.row:
        require(asset.underlying == -1, f"{at}.underlying", asset.underlying, "-1 without a row")
        return
    ids = sorted(u.id for u in sheet.underlyings)
    require(asset.underlying in ids, f"{at}.underlying", asset.underlying, f"one of underlyings {ids}")
    require(len(asset.row) == len(sheet.scenarios), f"{at}.row", len(asset.row), f"{len(sheet.scenarios)} entries")
    worst, most = -min(0, *asset.row), max(abs(ppm) for ppm in asset.row)
    for label, components in _modes(sheet):
        factor = components.scenario.initial
        used = ceil_div(most * factor, PPM)
        field = f"{at}.row x {label}scenario.initial"
        require(used <= limits.ROW_PPM_MAX, field, used, f"at most {limits.ROW_PPM_MAX} ppm in absolute terms")
        risked, counted = ceil_div(worst * factor, PPM), PPM - asset.haircuts[-1].haircut_ppm
        require(
            risked <= counted, field, risked, f"at most {counted} ppm, what the last unit counts for after its haircut"
        )


def _validate_borrow(at: str, asset: AssetTerms) -> None:
    terms = asset.borrow
    if terms is None:
        return
    require_between(f"{at}.borrow.account_cap", terms.account_cap, 0, limits.CASH_MAX)
    require_between(f"{at}.borrow.kink_ppm", terms.kink_ppm, 1, PPM - 1)
    most = limits.RATE_PPM_MAX
    require_between(f"{at}.borrow.rate_ppm", terms.rate_ppm, 0, most)
    require_between(f"{at}.borrow.rate_kink_ppm", terms.rate_kink_ppm, terms.rate_ppm, most)
    require_between(f"{at}.borrow.rate_full_ppm", terms.rate_full_ppm, terms.rate_kink_ppm, most)
    require_between(f"{at}.borrow.reserve_ppm", terms.reserve_ppm, 0, PPM)
    require_between(f"{at}.borrow.close_ppm", terms.close_ppm, 1, PPM)


def _validate_array(sheet: RiskSheet, contract: ContractTerms, known: dict[int, UnderlyingTerms]) -> None:
    at = f"contracts[{contract.id}]"
    ids = sorted(known)
    none = contract.underlying == -1
    require(none or contract.underlying in known, f"{at}.underlying", contract.underlying, f"-1 or one of {ids}")
    if contract.array:
        require(not none, f"{at}.underlying", contract.underlying, f"one of {ids}: the contract has an array")
        width = len(sheet.scenarios)
        require(len(contract.array) == width, f"{at}.array", len(contract.array), f"{width} entries")
        largest = max(abs(pnl) for pnl in contract.array)
        _require_fits(sheet, contract, f"{at}.array x position_cap", largest)
    require_between(f"{at}.gamma", contract.gamma, 0, 4 * limits.MARK_MAX)
    measured = not none and known[contract.underlying].contract != -1
    require(contract.gamma == 0 or measured, f"{at}.gamma", contract.gamma, "0 without an underlying that has a band")
    require(contract.delta == 0 or not none, f"{at}.delta", contract.delta, "0 without an underlying")
    reach = abs(contract.delta) * contract.position_cap
    require(reach <= limits.NOTIONAL_MAX, f"{at}.delta x position_cap", reach, f"at most {limits.NOTIONAL_MAX}")
    if contract.liquidity:
        require_brackets(f"{at}.liquidity", contract.liquidity)


def _require_fits(sheet: RiskSheet, contract: ContractTerms, field: str, per_lot: int, times: int = 1) -> int:
    """
    Refuse an amount per lot that at the position cap passes the bound, in units or at the price cap; return what it is
    there, in valuation units.
    """
    price = next(a.price_cap for a in sheet.assets if a.id == contract.asset)
    units = per_lot * contract.position_cap
    most = times * limits.NOTIONAL_MAX
    require(units <= most, field, units, f"at most {most} units")
    valued = ceil_div(units * price, limits.PRICE_SCALE)
    require(valued <= most, f"{field} x price_cap", valued, f"at most {most} valuation units")
    return valued


def _validate_kind(sheet: RiskSheet, contract: ContractTerms) -> None:
    at = f"contracts[{contract.id}]"
    require_between(f"{at}.expiry_ns", contract.expiry_ns, 0, 2**62)
    require_between(f"{at}.trade_fee_cap_ppm", contract.trade_fee_cap_ppm, 0, PPM)
    field, cap = f"{at}.open_interest_cap", contract.open_interest_cap
    require_between(field, cap, 0, limits.CASH_MAX)
    require(cap == 0 or contract.kind != Kind.SPOT, field, cap, "0 for spot, which leaves no position")
    require_between(f"{at}.look_ahead_ns", contract.look_ahead_ns, 0, contract.expiry_ns)
    option, is_option = contract.option, contract.kind == Kind.OPTION
    require((option is not None) == is_option, f"{at}.option", option, "given for options and for nothing else")
    if option is not None:
        require_between(f"{at}.option.strike", option.strike, 1, 2**60)
        require(contract.expiry_ns > 0, f"{at}.expiry_ns", contract.expiry_ns, "above 0 for an option")
        notional = contract.units if option.in_coin else contract.units * option.strike
        require(notional >= _PER_LOT_MIN, f"{at}.units x strike", notional, f"at least {_PER_LOT_MIN} units per lot")
    spot = contract.kind == Kind.SPOT
    bases = sorted(a.id for a in sheet.assets if a.id != contract.asset)
    require(
        contract.base in (bases if spot else [-1]), f"{at}.base", contract.base, f"one of {bases}" if spot else "-1"
    )
    if not spot:
        require(contract.base_units == 0, f"{at}.base_units", contract.base_units, "0 for what is not spot")
        return
    bare = not (contract.array or contract.gamma or contract.delta or contract.expiry_ns)
    require(bare, f"{at}.kind", contract.kind.name, "without array, gamma, delta and expiry: spot leaves no position")
    require_between(f"{at}.base_units", contract.base_units, 1, 2**60)
    reach = contract.base_units * contract.position_cap
    price = next(a.price_cap for a in sheet.assets if a.id == contract.base)
    for text, value in (("", reach), (" x price_cap", ceil_div(reach * price, limits.PRICE_SCALE))):
        accepted = f"at most {limits.NOTIONAL_MAX}"
        require(value <= limits.NOTIONAL_MAX, f"{at}.base_units x position_cap{text}", value, accepted)


def _validate_total(
    sheet: RiskSheet, contract: ContractTerms, underlying: UnderlyingTerms | None, caps: dict[int, int]
) -> None:
    """
    Refuse a contract whose requirement with scenarios and add-ons could pass twice the largest notional (UN-010);
    `caps` are the mark caps of all contracts.
    """
    largest = max((abs(pnl) for pnl in contract.array), default=0)
    charge = max(contract.charge_long, contract.charge_short)
    last = contract.liquidity[-1].rate_ppm if contract.liquidity else 0
    beyond, slope = 0, 0
    if underlying is not None and underlying.concentration:
        slope = underlying.concentration[-1].rate_ppm
    if underlying is not None and underlying.contract != -1:
        cap = caps[underlying.contract]
        beyond = ceil_div((cap + abs(underlying.reference)) * PPM, abs(underlying.reference))
    for label, components in _modes(sheet):
        tiered = contract.tiers[-1].rate_ppm * contract.mark_cap * components.tiered.initial
        addon = (last * contract.mark_cap + contract.gamma * beyond) * components.addon.initial
        band = contract.stale_half_band_ppm * contract.mark_cap * PPM
        per_unit = (charge * components.charge.initial + largest * components.scenario.initial) * PPM
        units = ceil_div(tiered + addon + band + per_unit, PPM * PPM)
        field = f"contracts[{contract.id}]: {label}requirement at the caps"
        times = limits.REQUIREMENT_PPM_MAX // PPM
        valued = _require_fits(sheet, contract, field, units, times)
        focus = ceil_div(abs(contract.delta) * slope * components.addon.initial, PPM * PPM) * contract.position_cap
        most = times * limits.NOTIONAL_MAX
        require(valued + focus <= most, f"{field} with concentration", valued + focus, f"at most {most}")
