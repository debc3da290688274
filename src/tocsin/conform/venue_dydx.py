"""
Venue door, dYdX v4: fillable price, block limits, open-interest scaling, deleveraging at the bankruptcy price.

Inputs name a position by base quantums, or in words (`short 1 BTC`); the resolutions and margin fractions of the
engine's own tests stand in where a case gives none.
"""

import re
from fractions import Fraction
from typing import Any, cast

from tocsin.conform.compare import Undefined
from tocsin.conform.inputs import Inputs
from tocsin.conform.numbers import InputError, need_number
from tocsin.core.integers import PPM
from tocsin.venues import VenueRefusal, dydx

_RESOLUTIONS = {"BTC": -8, "ETH": -9}
_INITIAL, _MAINTENANCE = Fraction(1, 5), Fraction(1, 10)
_WORDS = re.compile(r"\s*(long|short)\s+([0-9./]+)\s*(\w*)\s*", re.IGNORECASE)
_BETWEEN_WORDS = re.compile(r",|\+|\band\b", re.IGNORECASE)


def _resolution(asset: str, given: Inputs) -> int:
    resolution = given.whole("atomic_resolution", _RESOLUTIONS.get(asset.upper(), -8))
    if abs(resolution) > 40:
        raise InputError(f"atomic_resolution must be between -40 and 40, was {resolution}")
    return resolution


def _position(inputs: Inputs, given: Inputs, asset: str, quantums: int, price: Fraction) -> dydx.Position:
    """
    Return a position; margin fractions are its own in ppm, else the case's `imf` and `mmf`.
    """
    if price <= 0:
        raise InputError(f"the oracle price of {asset or 'a position'} must be above 0, was {price}")
    initial = inputs.number("imf") if inputs.has("imf") else _INITIAL
    maintenance = inputs.number("mmf") if inputs.has("mmf") else min(_MAINTENANCE, initial)
    if given.has("imf_ppm"):
        initial = given.number("imf_ppm") / PPM
    share = maintenance / initial if initial else Fraction(0)
    if given.has("maintenance_fraction_ppm"):
        share = given.number("maintenance_fraction_ppm") / PPM
    if initial < 0 or share < 0:
        raise InputError("margin fractions must be at least 0")
    per_quantum = price * Fraction(10) ** (_resolution(asset, given) + 6)
    return dydx.Position(quantums, per_quantum, initial, share)


def _whole(field: str, number: Fraction) -> int:
    if number.denominator != 1:
        raise InputError(f"{field} must be whole quantums, was {number}")
    return number.numerator


def _account(inputs: Inputs, given: Inputs) -> tuple[dydx.Account, list[str]]:
    """
    Return an account and the asset of each of its positions.
    """
    positions: list[dydx.Position] = []
    assets: list[str] = []
    if given.has("positions"):
        for leg in given.objects("positions"):
            asset = str(leg.raw("asset", ""))
            price = leg.number("price_usd") if leg.has("price_usd") else _oracle(inputs, asset)
            positions.append(_position(inputs, leg, asset, leg.whole("quantums"), price))
            assets.append(asset.upper())
    for words in _BETWEEN_WORDS.split(str(given.raw("side"))) if given.has("side") else []:
        match = _WORDS.fullmatch(words)
        if match is None:
            raise InputError(f"side must be like `short 1 BTC`, was {given.raw('side')!r}")
        side, size, asset = match.groups()
        scale = Fraction(10) ** -_resolution(asset, given)
        quantums = _whole("side", need_number("side", size) * scale)
        signed = quantums if side.lower() == "long" else -quantums
        positions.append(_position(inputs, given, asset, signed, _oracle(inputs, asset)))
        assets.append(asset.upper())
    return dydx.Account(_whole("usdc in quote quantums", given.number("usdc", 0) * PPM), tuple(positions)), assets


def _oracle(inputs: Inputs, asset: str) -> Fraction:
    raw = inputs.raw("oracle")
    if isinstance(raw, dict):
        return need_number(f"inputs.oracle.{asset}", cast("dict[str, Any]", raw).get(asset))
    return inputs.number("oracle")


def _ratio(inputs: Inputs, name: str, default: Fraction) -> Fraction:
    if inputs.has(f"{name}_ppm"):
        return inputs.number(f"{name}_ppm") / PPM
    return inputs.number(name) if inputs.has(name) else default


def _index(inputs: Inputs, name: str, count: int) -> int:
    index = inputs.whole(name, 0)
    if not 0 <= index < count:
        raise InputError(f"inputs.{name} must be between 0 and {count - 1}, was {index}")
    return index


def run_fillable(inputs: Inputs) -> dict[str, Any]:
    """
    Compute the fillable price, an exact fraction of quote quantums per base quantum.
    """
    account, _ = _account(inputs, inputs)
    index = _index(inputs, "close_index", len(account.positions))
    spread = "spread_to_maintenance_ratio"
    price = dydx.fillable_price(
        account,
        index,
        bankruptcy_adjustment=_ratio(inputs, "bankruptcy_adjustment", Fraction(1)),
        spread_to_maintenance=_ratio(
            inputs, "spread_to_maintenance_margin_ratio" if not inputs.has(spread) else spread, Fraction(1, 10)
        ),
    )
    return {"fillable_price_quote_quantums_per_base_quantum": price}


def run_block_limits(inputs: Inputs) -> dict[str, Any]:
    """
    Compute the least and most notional of a position in one block, and the size that the most allows.
    """
    name = next((n for n in inputs.names() if n == "quantums" or n.endswith("_quantums")), "quantums")
    asset = str(inputs.raw("asset", name.removesuffix("quantums").strip("_").upper()))
    if inputs.has("price_usd") or inputs.has("price"):
        price = inputs.number("price_usd" if inputs.has("price_usd") else "price")
    else:
        price = _oracle(inputs, asset)
    position = _position(inputs, inputs, asset, inputs.whole(name), price)
    limits = dydx.position_block_limits(
        position,
        min_notional=inputs.whole("min_position_notional", 0),
        max_portion_ppm=inputs.whole("max_portion_ppm", PPM),
    )
    most = limits.most
    if inputs.has("subaccount_max_notional"):
        most = min(most, inputs.whole("subaccount_max_notional") - inputs.whole("subaccount_notional_liquidated", 0))
    delta = dydx.liquidatable_delta(position, max_notional=most, step=inputs.whole("step_base_quantums", 1))
    return {"min_liquidatable": limits.least, "max_liquidatable": limits.most, "size_delta_quantums": delta}


def run_open_interest(inputs: Inputs) -> dict[str, Any]:
    """
    Compute initial margin at an open interest, in quote quantums.
    """
    scaled = dydx.scale_initial_ppm(
        inputs.whole("initial_margin_ppm"),
        inputs.whole("open_interest_notional", 0),
        inputs.whole("oi_lower_cap", 0),
        inputs.whole("oi_upper_cap", 0),
    )
    margin = dydx.initial_margin(inputs.whole("quote_quantums"), scaled, inputs.whole("custom_imf_ppm", 0))
    return {"initial_margin_quote_quantums": margin, "initial_margin_ppm": scaled}


def run_deleverage(inputs: Inputs) -> dict[str, Any]:
    """
    Deleverage one account against another: the size both hold, unless `delta_quantums` says otherwise.

    A rejected deleveraging changes nothing; its outputs are undefined with the reason.
    """
    names = ("liquidated", "offsetting")
    read = [_account(inputs, inputs.object(name)) for name in names]
    accounts = [account for account, _ in read]
    first = _index(inputs, "liquidated_index", len(accounts[0].positions))
    same = [i for i, asset in enumerate(read[1][1]) if asset == read[0][1][first]]
    if not same:
        raise InputError(f"inputs.offsetting must hold a position in {read[0][1][first]}")
    second = same[0]
    held = accounts[0].positions[first].quantums
    size = min(abs(held), abs(accounts[1].positions[second].quantums))
    delta = inputs.whole("delta_quantums", -size if held > 0 else size)
    at_oracle = bool(inputs.raw("at_oracle", inputs.raw("final_settlement", False)))
    keys = ("liquidated_usdc_after", "offsetting_usdc_after", "quote_quantums_delta")
    try:
        done = dydx.deleverage(
            accounts[0],
            accounts[1],
            delta,
            liquidated_index=first,
            offsetting_index=second,
            at_oracle=at_oracle,
        )
    except VenueRefusal as refusal:
        return dict.fromkeys(keys, Undefined(str(refusal)))
    return {
        "liquidated_usdc_after": Fraction(done.liquidated.quote, PPM),
        "offsetting_usdc_after": Fraction(done.offsetting.quote, PPM),
        "quote_quantums_delta": done.quote_delta,
    }


RULES = {
    "liquidation_fillable_price": run_fillable,
    "liquidation_position_block_limits": run_block_limits,
    "open_interest_scaled_initial_margin": run_open_interest,
    "adl_at_bankruptcy_price": run_deleverage,
}
