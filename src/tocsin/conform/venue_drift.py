"""
Venue door, Drift v2: weights, liquidation sizes, fees, loss sharing. All in the engine's whole numbers.
"""

from math import floor
from typing import Any

from tocsin.conform.inputs import Inputs
from tocsin.conform.numbers import InputError
from tocsin.venues import drift


def _amount(inputs: Inputs, name: str, default: int | None = None) -> int:
    """
    Read a whole number that is at least 0, as all of these are.
    """
    value = inputs.whole(name, default)
    if value < 0:
        raise InputError(f"inputs.{name} must be at least 0, was {value}")
    return value


def run_deposit_weight(inputs: Inputs) -> dict[str, Any]:
    """
    Compute the initial asset weight at a value of all deposits.
    """
    value = floor(inputs.number("total_deposits_tokens") * inputs.number("price") * drift.QUOTE)
    start = floor(inputs.number("scale_start_usd", 0) * drift.QUOTE)
    if value < 0 or start < 0:
        raise InputError("inputs.total_deposits_tokens, price and scale_start_usd must be at least 0")
    weight = drift.deposit_scaled_weight(value, start, _amount(inputs, "initial_asset_weight"))
    return {"asset_weight_1e4": weight}


def run_fee_growth(inputs: Inputs) -> dict[str, Any]:
    """
    Compute the liquidator's fee after so many slots.
    """
    base = _amount(inputs, "base_fee_1e6")
    fee = drift.liquidation_fee(base, _amount(inputs, "max_fee_1e6"), _amount(inputs, "slots_since_active", 0))
    return {"fee_1e6": fee}


def run_loss_index(inputs: Inputs) -> dict[str, Any]:
    """
    Compute what a loss moves both funding indices by; each side's base may have either sign.
    """
    delta = drift.socialised_funding_delta(
        inputs.whole("loss_1e6"), inputs.whole("long_base_1e9", 0), inputs.whole("short_base_1e9", 0)
    )
    return {
        "cumulative_funding_delta_1e9": delta,
        "long_index_delta_1e9": delta,
        "short_index_delta_1e9": -delta,
    }


def run_base_size(inputs: Inputs) -> dict[str, Any]:
    """
    Compute the base size that covers a margin shortage.
    """
    size = drift.base_to_cover_shortage(
        _amount(inputs, "margin_shortage_1e6"),
        ratio=_amount(inputs, "margin_ratio_1e4"),
        liquidator_fee=_amount(inputs, "liquidator_fee_1e6", 0),
        insurance_fee=_amount(inputs, "insurance_fee_1e6", 0),
        price=_amount(inputs, "oracle_price_1e6"),
        quote_price=_amount(inputs, "quote_oracle_1e6", drift.PRICE),
    )
    return {"base_amount_1e9": size}


def run_insurance_fee(inputs: Inputs) -> dict[str, Any]:
    """
    Compute the insurance fund's fee of a perpetual's liquidation.
    """
    fee = drift.perp_insurance_fee(
        _amount(inputs, "margin_shortage_1e6"),
        base=abs(inputs.whole("base_1e9")),
        ratio=_amount(inputs, "margin_ratio_1e4"),
        liquidator_fee=_amount(inputs, "liquidator_fee_1e6", 0),
        price=_amount(inputs, "price_1e6"),
        max_fee=_amount(inputs, "max_if_fee_1e6"),
        quote_price=_amount(inputs, "quote_oracle_1e6", drift.PRICE),
    )
    return {"if_fee_1e6": fee}


def run_weights(inputs: Inputs) -> dict[str, Any]:
    """
    Compute the weights of a size: those whose base weight is given.
    """
    size, imf = abs(inputs.whole("size_1e9")), _amount(inputs, "imf_factor_1e6", 0)
    bounded = bool(inputs.raw("bounded", True))
    out: dict[str, Any] = {}
    for kind in ("initial", "maintenance"):
        prefix = "" if kind == "initial" else "maintenance_"
        if inputs.has(f"{kind}_asset_weight"):
            weight = _amount(inputs, f"{kind}_asset_weight")
            out[f"{prefix}asset_weight_1e4"] = drift.discount_asset_weight(size, imf, weight)
        if inputs.has(f"{kind}_liability_weight"):
            weight = _amount(inputs, f"{kind}_liability_weight")
            grown = drift.premium_liability_weight(size, imf, weight, bounded=bounded)
            out[f"{prefix}liability_weight_1e4"] = grown
    if not out:
        raise InputError("inputs.initial_asset_weight or initial_liability_weight must be given, were missing")
    return out


def run_transfer(inputs: Inputs) -> dict[str, Any]:
    """
    Compute the borrow to repay so that a margin shortage is covered.
    """
    decimals = _amount(inputs, "liability_decimals", 6)
    if decimals > 40:
        raise InputError(f"inputs.liability_decimals must be at most 40, was {decimals}")
    size = drift.liability_to_cover_shortage(
        _amount(inputs, "margin_shortage_1e6"),
        asset_weight=_amount(inputs, "asset_weight_1e4"),
        asset_multiplier=_amount(inputs, "asset_mult_1e6", drift.FEE),
        liability_weight=_amount(inputs, "liability_weight_1e4"),
        liability_multiplier=_amount(inputs, "liability_mult_1e6", drift.FEE),
        liability_decimals=decimals,
        liability_price=_amount(inputs, "liability_price_1e6"),
        insurance_fee=_amount(inputs, "if_fee_1e6", 0),
    )
    return {"liability_transfer": size}


RULES = {
    "deposit_scaled_collateral_weight": run_deposit_weight,
    "liquidation_fee_growth": run_fee_growth,
    "loss_socialisation_funding_index": run_loss_index,
    "partial_liquidation_base_size": run_base_size,
    "perp_insurance_fee": run_insurance_fee,
    "size_dependent_weights": run_weights,
    "spot_liability_transfer_size": run_transfer,
}
