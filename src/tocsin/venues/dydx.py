"""
dYdX v4's liquidation and deleveraging rules, in whole quote quantums (10^-6 USDC) and whole base quantums.

Sizes are signed base quantums (+ long, - short), prices quote quantums per base quantum as exact fractions.
Requirements are rounded up, values are cut toward zero. Source: `protocol/x/clob/keeper/liquidations.go` and
`deleveraging.go`, `protocol/x/perpetuals/types/liquidity_tier.go`, `protocol/lib/margin/risk.go` of v4-chain.
"""

from fractions import Fraction
from math import ceil, floor, trunc
from typing import NamedTuple

from tocsin.core.integers import PPM, ceil_div, floor_div, sign
from tocsin.venues import VenueRefusal


class Position(NamedTuple):
    """
    A position: signed base quantums, oracle price (> 0), initial margin fraction and the share of it that is
    maintenance margin (both shares of 1).
    """

    quantums: int
    price: Fraction
    initial: Fraction
    maintenance_share: Fraction


class Account(NamedTuple):
    """
    A subaccount: quote balance in quote quantums (signed) and its positions.
    """

    quote: int
    positions: tuple[Position, ...]


class Risk(NamedTuple):
    """
    Net collateral (signed), initial and maintenance requirement (>= 0), in quote quantums.
    """

    net: int
    initial: int
    maintenance: int


def net_notional(position: Position) -> int:
    """
    Return the signed value of a position in quote quantums, cut toward zero.
    """
    return trunc(position.quantums * position.price)


def assess_position(position: Position) -> Risk:
    """
    Return value and requirements of one position: `ceil(|N| x initial)`, `ceil(that x maintenance share)`.
    """
    notional = net_notional(position)
    initial = ceil(abs(notional) * position.initial)
    return Risk(notional, initial, ceil(initial * position.maintenance_share))


def assess_account(account: Account) -> Risk:
    """
    Return the sums over an account's positions; its quote balance counts as net collateral.
    """
    risks = [assess_position(p) for p in account.positions]
    return Risk(
        account.quote + sum(r.net for r in risks), sum(r.initial for r in risks), sum(r.maintenance for r in risks)
    )


def scale_initial_ppm(base_ppm: int, open_notional: int, lower_cap: int, upper_cap: int) -> int:
    """
    Return the initial margin fraction (ppm) at an open interest, rounded down.

    `base + (1 - base) x (open - lower) / (upper - lower)`, the base up to `lower`, one from `upper`; an upper cap of
    0 switches scaling off. Maintenance margin is never scaled.

    Raises:
        VenueRefusal: The caps are out of order where they matter.
    """
    if upper_cap == 0 or open_notional <= lower_cap:
        return base_ppm
    if open_notional >= upper_cap:
        return PPM
    if base_ppm > PPM:
        raise VenueRefusal(f"initial margin fraction must be at most {PPM} ppm, was {base_ppm}")
    return base_ppm + floor_div((PPM - base_ppm) * (open_notional - lower_cap), upper_cap - lower_cap)


def initial_margin(notional: int, initial_ppm: int, custom_ppm: int = 0) -> int:
    """
    Return the initial margin of |notional|, rounded up; a user's own fraction counts where it is larger.
    """
    return ceil_div(notional * max(initial_ppm, custom_ppm), PPM)


def _check_close(position: Position, delta: int) -> None:
    if sign(position.quantums) * sign(delta) != -1 or abs(delta) > abs(position.quantums):
        raise VenueRefusal(f"a close of {delta} is not valid for a position of {position.quantums}")


def bankruptcy_price(account: Account, index: int, delta: int) -> int:
    """
    Return what closing `delta` of a position must bring so that it costs the insurance fund nothing.

    `-dNNV - floor(TNC x |dMMR| / TMMR)` in quote quantums: > 0 is received (a long is sold), < 0 is paid. Rounded
    toward plus infinity. Both changes are differences of whole positions, never computed from `delta`.

    Raises:
        VenueRefusal: `delta` does not close part of the position, or the account has no maintenance requirement.
    """
    position = account.positions[index]
    _check_close(position, delta)
    total = assess_account(account)
    if not total.maintenance:
        raise VenueRefusal("no maintenance requirement to share the net collateral by")
    old = assess_position(position)
    new = assess_position(position._replace(quantums=position.quantums + delta))
    freed = old.maintenance - new.maintenance
    return -(new.net - old.net) - floor_div(total.net * freed, total.maintenance)


def fillable_price(
    account: Account, index: int, *, bankruptcy_adjustment: Fraction, spread_to_maintenance: Fraction
) -> Fraction:
    """
    Return the worst price a liquidation order may fill at, quote quantums per base quantum, exact.

    `(PNNV - ABR x SMMR x PMMR) / PS` with `ABR = clamp(BA x (1 - TNC / TMMR), 0, 1)`: the oracle price for an account
    at its maintenance requirement, worse by the whole spread at bankruptcy (with BA = 1) and below it.

    Raises:
        VenueRefusal: No position, no maintenance requirement, or a price below zero.
    """
    position = account.positions[index]
    if not position.quantums:
        raise VenueRefusal("there is no position to liquidate")
    total = assess_account(account)
    if not total.maintenance:
        raise VenueRefusal("no maintenance requirement to rate the account by")
    rating = bankruptcy_adjustment * (1 - Fraction(total.net, total.maintenance))
    rating = min(max(rating, Fraction(0)), Fraction(1))
    risk = assess_position(position)
    price = (risk.net - rating * spread_to_maintenance * risk.maintenance) / position.quantums
    if price < 0:
        raise VenueRefusal(f"the fillable price is below zero: {price}")
    return price


class BlockLimits(NamedTuple):
    """
    Least and most notional of one position that may be liquidated in one block, quote quantums.
    """

    least: int
    most: int


def position_block_limits(position: Position, *, min_notional: int, max_portion_ppm: int) -> BlockLimits:
    """
    Return `min(min notional, |N|)` and the larger of that and `floor(|N| x portion)`.
    """
    notional = abs(net_notional(position))
    least = min(min_notional, notional)
    return BlockLimits(least, max(least, floor_div(notional * max_portion_ppm, PPM)))


def liquidatable_delta(position: Position, *, max_notional: int, step: int = 1) -> int:
    """
    Return the base quantums that liquidate at most `max_notional`, signed against the position.

    The whole position if it fits, or is no larger than a step; else cut to whole base quantums and down to a multiple
    of `step` (> 0), but at least one step.
    """
    if abs(net_notional(position)) <= max_notional or abs(position.quantums) <= step:
        return -position.quantums
    size = floor(max_notional / position.price) // step * step
    return -sign(position.quantums) * min(max(size, step), abs(position.quantums))


class Deleveraged(NamedTuple):
    """
    A deleveraging: what the liquidated account receives (signed), and both accounts after it.
    """

    quote_delta: int
    liquidated: Account
    offsetting: Account


def deleverage(
    liquidated: Account,
    offsetting: Account,
    delta: int,
    *,
    liquidated_index: int = 0,
    offsetting_index: int = 0,
    at_oracle: bool = False,
) -> Deleveraged:
    """
    Close `delta` of one account's position against another's at the liquidated account's bankruptcy price.

    Args:
        delta: Signed base quantums of the liquidated account: against its position, on the side of the other's.
        at_oracle: Close at the oracle price instead, as in final settlement.

    Raises:
        VenueRefusal: The size fits one of the positions not, or an account would end below its initial requirement
            in a riskier state: the two bankruptcy prices do not overlap.
    """
    position, other = liquidated.positions[liquidated_index], offsetting.positions[offsetting_index]
    _check_close(position, delta)
    _check_close(other, -delta)
    if at_oracle:
        quote = net_notional(position._replace(quantums=-delta))
    else:
        quote = bankruptcy_price(liquidated, liquidated_index, delta)
    after = _trade(liquidated, liquidated_index, delta, quote)
    other_after = _trade(offsetting, offsetting_index, -delta, -quote)
    for name, old, new in (("liquidated", liquidated, after), ("offsetting", offsetting, other_after)):
        if not may_move(assess_account(old), assess_account(new)):
            raise VenueRefusal(f"the {name} account would end riskier than it is: bankruptcy prices do not overlap")
    return Deleveraged(quote, after, other_after)


def _trade(account: Account, index: int, delta: int, quote: int) -> Account:
    positions = list(account.positions)
    positions[index] = positions[index]._replace(quantums=positions[index].quantums + delta)
    return Account(account.quote + quote, tuple(p for p in positions if p.quantums))


def may_move(old: Risk, new: Risk) -> bool:
    """
    Return True if an account may go from one state to the other.

    It may if it ends with its initial requirement met. Else its maintenance requirement may not rise and net
    collateral over maintenance may not fall (compared by cross-multiplication); without a requirement before and
    after, net collateral must rise; with one only before, it may not.
    """
    if new.net >= new.initial:
        return True
    if new.maintenance > old.maintenance:
        return False
    if not new.maintenance or not old.maintenance:
        return not new.maintenance and not old.maintenance and new.net > old.net
    return new.net * old.maintenance >= old.net * new.maintenance
