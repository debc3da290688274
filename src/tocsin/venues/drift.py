"""
Drift v2's margin weights, liquidation sizes and fees, in the engine's own fixed point. Whole numbers throughout.

Quote amounts, prices, fees and imf factors are 10^-6, base sizes 10^-9, weights and margin ratios 10^-4. Every division
is cut (all operands are >= 0), in the order of the engine. Source: `programs/drift/src/math/{liquidation,margin}.rs`.
"""

from math import isqrt

from tocsin.core.integers import ceil_div
from tocsin.venues import VenueRefusal

QUOTE = PRICE = FEE = IMF = 10**6
BASE = 10**9
WEIGHT = 10**4
FEE_PER_WEIGHT = FEE // WEIGHT
GRACE_SLOTS = 1_500
FEE_PER_SLOT = 1
FUNDING_PER_QUOTE = 10**3
EVERYTHING_U64 = 2**64 - 1
EVERYTHING_U128 = 2**128 - 1
U32_MAX = 2**32 - 1


def _divide(numerator: int, denominator: int, what: str) -> int:
    if denominator <= 0:
        raise VenueRefusal(f"{what} must be above 0, was {denominator}")
    return numerator // denominator


def _size_root(size: int) -> int:
    """Return the root of a base size: 10^-9 in, 10^-5 out, cut."""
    return isqrt(size * 10 + 1)


def premium_liability_weight(size: int, imf: int, weight: int, *, bounded: bool = True) -> int:
    """
    Return the weight of a liability of a size: `0.8 w + imf x sqrt(size)`, at least `w` if bounded. 10^-4.
    """
    if not imf:
        return weight
    grown = weight - weight // 5 + _size_root(size) * imf // (10**5 * IMF // WEIGHT)
    return max(weight, grown) if bounded else grown


def discount_asset_weight(size: int, imf: int, weight: int) -> int:
    """
    Return the weight of an asset of a size: `1.1 / (1 + imf x sqrt(size))`, at most `w`. 10^-4.
    """
    if not imf:
        return weight
    return min(weight, (IMF + IMF // 10) * WEIGHT // (IMF + _size_root(size) * imf // 10**5))


def deposit_scaled_weight(deposit_value: int, scale_start: int, weight: int) -> int:
    """
    Return the initial asset weight at a value of all deposits: `w x start / value` from `start` on. 10^-4.

    A start of 0 switches scaling off.
    """
    if not scale_start or deposit_value < scale_start:
        return weight
    return weight * scale_start // deposit_value


def base_to_cover_shortage(
    shortage: int, *, ratio: int, liquidator_fee: int, insurance_fee: int, price: int, quote_price: int = PRICE
) -> int:
    """
    Return the base size (10^-9) whose liquidation covers a margin shortage.

    `shortage / (price x quote price x (ratio - liquidator fee) - price x insurance fee)`; everything (2^64 - 1) if the
    ratio is not above the liquidator's fee or the price is 0.

    Raises:
        VenueRefusal: The insurance fee takes what closing frees, or the size does not fit 64 bits.
    """
    ratio *= FEE_PER_WEIGHT
    if not price or ratio <= liquidator_fee:
        return EVERYTHING_U64
    freed = price * quote_price // PRICE * (ratio - liquidator_fee) // FEE - price * insurance_fee // FEE
    size = _divide(shortage * BASE, freed, "margin freed per unit of base")
    if size > EVERYTHING_U64:
        raise VenueRefusal("the size does not fit 64 bits")
    return size


def liability_to_cover_shortage(
    shortage: int,
    *,
    asset_weight: int,
    asset_multiplier: int,
    liability_weight: int,
    liability_multiplier: int,
    liability_decimals: int,
    liability_price: int,
    insurance_fee: int,
) -> int:
    """
    Return the borrow to repay (in 10^-decimals) so that a margin shortage is covered, at least 1.

    `shortage / (price x (liability weight - asset weight x asset multiplier / liability multiplier) - price x insurance
    fee x liability weight)`, weights with one digit more; everything (2^128 - 1) if repaying frees no margin.

    Raises:
        VenueRefusal: The insurance fee takes what repaying frees, or the liability multiplier is 0.
    """
    if asset_weight >= liability_weight:
        return EVERYTHING_U128
    liability = liability_weight * 10
    asset = _divide(asset_weight * 10 * asset_multiplier, liability_multiplier, "liability multiplier")
    if asset >= liability:
        return EVERYTHING_U128
    fee = liability_price * insurance_fee // FEE * liability_weight * 10
    freed = liability_price * (liability - asset) - fee
    up = 10 ** max(0, liability_decimals - 6)
    down = 10 ** max(0, 6 - liability_decimals)
    return max(1, _divide(shortage * up * PRICE * WEIGHT * 10, freed, "margin freed per unit of liability") // down)


def perp_insurance_fee(
    shortage: int, *, base: int, ratio: int, liquidator_fee: int, price: int, max_fee: int, quote_price: int = PRICE
) -> int:
    """
    Return the insurance fund's fee of a perpetual's liquidation, 10^-6.

    `min(max fee, 0.95 x (ratio - liquidator fee - shortage / (base x price)))`, never below 0; 0 without a price, a
    position, or a ratio above the liquidator's fee.
    """
    ratio *= FEE_PER_WEIGHT
    worth = price * quote_price // PRICE
    if not price or not quote_price or not base or ratio <= liquidator_fee:
        return 0
    if not worth:
        raise VenueRefusal("the price in quote must be above 0")
    missing = min(U32_MAX, shortage * BASE // base * PRICE // worth)
    return min(max_fee, max(0, ratio - liquidator_fee - missing) * 19 // 20)


def liquidation_fee(base_fee: int, max_fee: int, slots: int) -> int:
    """
    Return the liquidator's fee so many slots after the account was last active, 10^-6.

    The base fee for fewer than 1,500 slots; then base plus 10^-6 for *every* slot since then, at most `max_fee`. The
    cap does not bind before: a base above it stands.
    """
    if slots < GRACE_SLOTS:
        return base_fee
    return min(max_fee, base_fee + slots * FEE_PER_SLOT)


def socialised_funding_delta(loss: int, long_base: int, short_base: int) -> int:
    """
    Return what a loss adds to the longs' funding index and takes from the shorts', 10^-9.

    `ceil(|loss| / (|long| + |short|))` per unit of base: every holder pays, winner or loser; the ceiling collects up
    to a unit of quote per unit of base more than the loss.

    Raises:
        VenueRefusal: Nobody holds base.
    """
    base = abs(long_base) + abs(short_base)
    if not base:
        raise VenueRefusal("no open base to share the loss by")
    return ceil_div(abs(loss) * BASE, base) * FUNDING_PER_QUOTE
